"""Decides if a run is held: what it may remove by its settings, its past, and its approval.

Decisions: docs/decisions/approval.md.
"""

import datetime as dt
import logging
import zlib
from collections.abc import Iterator
from dataclasses import replace

from bucketvault.engine.domain.findings import FEWEST_CHANGED, FEWEST_REMOVED, Findings
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.merge import Totals, What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.last_good import proven_before
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import HoldReason

log = logging.getLogger(__name__)

# What reading a damaged plan raises: gzip, zlib, JSON, and its own lines.
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError)


def reason_to_hold(
    found: Findings, *, shrink_limit_percent: int, same_ends_before: bool
) -> HoldReason | None:
    """Return why a run must not continue by itself; None when it may.

    `same_ends_before`: an earlier run between the same ends looked at what it had copied. Without
    one, nothing may be removed: the destination belongs to something else, or the source is the
    wrong one.
    """
    if found.removed and not same_ends_before:
        return HoldReason.FIRST
    share = found.destination_objects * shrink_limit_percent / 100
    changed = found.removed + found.replaced
    too_many = (found.removed > share and found.removed >= FEWEST_REMOVED) or (
        changed > share and changed >= FEWEST_CHANGED
    )
    return HoldReason.SHARE if too_many else None


def columns(totals: Totals, found: Findings) -> dict[str, object]:
    """Return what a first look found, as the row of its run has it."""
    return {
        "source_objects": totals.source_objects,
        "source_bytes": totals.source_bytes,
        "findings": found.to_json(),
    }


def hold_reason(
    run: BackupRun, plan: Plan, found: Findings, approved: Plan | None
) -> tuple[HoldReason | None, Findings]:
    """Return why a run that would do this must wait for approval, None when it may continue.

    `approved`: the plan that was shown when the run was approved; None: it was not, or that plan
    is gone. Beside it the findings, which then tell how much is beyond what was approved. Blocks
    while both plans are read.
    """
    left = None
    if approved is not None and _is_valid(run):
        left = not_approved(plan, found, approved)
    why = reason_to_hold(
        found if left is None else left,
        shrink_limit_percent=RunSpec.from_json(run.spec).shrink_limit_percent,
        same_ends_before=proven_before(run),
    )
    if why is None or left is None:
        return why, found
    return HoldReason.MORE, replace(found, beyond=left.removed + left.replaced)


def not_approved(plan: Plan, found: Findings, approved: Plan) -> Findings | None:
    """Return what a run would do beyond an approved plan; None where that plan is damaged.

    By name: a key that was to be removed may be removed, one that was to be replaced replaced. The
    copy is counted as the approved removals leave it.
    """
    try:
        approved.totals()  # written last: without them it was never whole
        removed = _beyond(plan, approved, What.GONE)
        replaced = _beyond(plan, approved, What.CHANGED, What.ALTERED)
    except _DAMAGED as error:
        log.warning(
            "the approved plan is damaged", extra={"why": f"{type(error).__name__}: {error}"}
        )
        return None
    remain = found.destination_objects - (found.removed - removed)
    return replace(found, removed=removed, replaced=replaced, destination_objects=remain)


def _beyond(plan: Plan, approved: Plan, *whats: What) -> int:
    """Count the keys of `plan` that `approved` does not name; both are read once, in key order."""
    names = _keys(approved, whats)
    name, count = next(names, None), 0
    for key in _keys(plan, whats):
        while name is not None and name < key:
            name = next(names, None)
        count += key != name
    for _ in names:  # to its end, where the file's checksum is
        pass
    return count


def _keys(plan: Plan, whats: tuple[What, ...]) -> Iterator[bytes]:
    return (found.key for found in plan.differences(*whats))


def _is_valid(run: BackupRun) -> bool:
    """True if a run was approved: begun within a day, and between the places shown."""
    limits = run.approved_limits
    if not limits or limits.get("ends") != queue.ends_of(RunSpec.from_json(run.spec)):
        return False
    return (run.started_at or utcnow()) < dt.datetime.fromisoformat(limits["until"])
