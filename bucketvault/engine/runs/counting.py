"""Counts of a run whose log does not tell all that it did: by its looks, or "at least".

Decisions: docs/decisions/counts.md.
"""

import logging
from dataclasses import dataclass, field

from bucketvault.engine.domain.copy_state import was_cut_off
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.warnings import RunWarning, log_is_cut
from bucketvault.engine.listing.done import Done, done_between
from bucketvault.engine.listing.ledger import Ledger, LedgerError
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.tally import Tally
from bucketvault.engine.runs import looking
from bucketvault.engine.runs.folder import ExitRecord
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import Json, WarningCode

log = logging.getLogger(__name__)

CUT = RunWarning(WarningCode.LOG_CUT)


@dataclass(frozen=True, slots=True)
class Counted:
    """Columns of the run's row that are known better than by its log, and what to say of it."""

    columns: dict[str, int] = field(default_factory=dict)
    warnings: tuple[RunWarning, ...] = ()


def cut_so_far(run: BackupRun, ended: ExitRecord) -> list[Json]:
    """Return the warnings to note in the row of a run, one pass of which has ended.

    A later pass with a whole log does not bring back what an earlier one lost.
    """
    if ended.log_whole or log_is_cut(run):
        return run.warnings
    return [*run.warnings, CUT.to_json()]


def counted(run: BackupRun, tally: Tally, ended: ExitRecord | None, last: Plan) -> Counted:
    """Hold the log of a run against its first look and its last, where it does not tell all.

    Call it while the ledger of the last look is beside its plan. Nothing is read where the log is
    whole and tells of all that was planned.
    """
    is_cut = log_is_cut(run)
    told = tally.copied + tally.replaced + tally.deleted
    if not is_cut and told >= (Findings.from_json(run.findings) or Findings()).changes:
        return Counted()
    try:
        first = Plan(last.folder.with_name(looking.folder_name(0)))
        done = done_between(first, last, Ledger(last.folder / looking.LEDGER))
    except (OSError, LedgerError) as error:
        log.warning(
            "a run could not be counted from the listings", extra={"run": run.id, "why": error}
        )
        return Counted(warnings=(CUT,) if is_cut else ())
    if done.changes < told or (done.changes == told and not is_cut):
        return Counted(warnings=(CUT,) if is_cut else ())
    # an rclone that was killed had no time to say it
    killed = ended is not None and any(was_cut_off(code) for _, code in ended.steps)
    columns = _columns(done, tally, lacks_lines=is_cut or killed)
    if done.unclear:
        return Counted(columns, (CUT,))
    if not is_cut and killed:
        return Counted(columns)
    code = WarningCode.COUNTED if is_cut else WarningCode.LOG_SHORT
    return Counted(columns, (RunWarning(code),))


def _columns(done: Done, tally: Tally, *, lacks_lines: bool) -> dict[str, int]:
    kept = done.replaced + done.removed if lacks_lines else 0
    return {
        "copied": done.copied,
        "replaced": done.replaced,
        "deleted": done.removed,
        # A run replaces and removes nothing whose version it has not seen among the kept ones. A
        # log that lacks no lines names them all; what it does not name another program has done.
        "archived": max(tally.archived, kept),
        "bytes": max(tally.bytes, done.bytes),
    }
