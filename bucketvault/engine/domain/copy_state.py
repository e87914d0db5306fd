"""In what state a run left the copy: the first thing that anybody wants to know of a failed one.

Decisions: docs/decisions/listing.md.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.warnings import log_is_cut
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus, WarningCode

USAGE = 2  # rclone/lib/exitcode/exitcode.go: it did not take its arguments, or it crashed
FIRST_BY_SIGNAL = 128  # of rclone's exit codes; negative ones are the system's word for the same


class CopyKind(StrEnum):
    """How far the copy is from what the run wanted."""

    COMPLETE = "complete"
    ALMOST = "almost"  # complete but for names that cannot be copied
    UNTOUCHED = "untouched"
    PARTLY = "partly"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CopyState:
    """How a run left the copy, in numbers of objects; `state_words.describe_copy` tells it."""

    kind: CopyKind
    at_least: bool = False  # more may have come of the run than its counts tell
    log_is_cut: bool = False  # so it may have met more errors than it tells of
    arrived: int = 0
    wanted: int | None = None  # as its first look found; None: not known, or more arrived
    removed: int = 0
    # by the run's proof: exact. All 0 where it made none.
    missing: int = 0
    different: int = 0
    left: int = 0
    # This run changed nothing; a run that began then had, and none has completed the copy since.
    since: dt.datetime | None = None


def copy_state(run: Any, partly_since: dt.datetime | None = None) -> CopyState | None:
    """Return what a run, a row with the columns of BackupRun, left behind; None before its end.

    `partly_since`: as `BackupRun.partly_since` has it, of the runs before this one.
    """
    if run.status.is_active:
        return None
    proof = Proof.from_json(run.proof)
    # what was written last may be lost with a machine, anything on a full disk
    is_cut = run.reason == Reason.INTERRUPTED or log_is_cut(run)
    gaps = is_cut and not _is_counted(run)
    is_copy = run.kind == RunKind.COPY
    if is_copy and (run.status == RunStatus.SUCCESS or (proof is not None and proof.is_good)):
        lacks = proof is not None and proof.cannot_copy
        return CopyState(CopyKind.ALMOST if lacks else CopyKind.COMPLETE, gaps, is_cut)
    if (
        not is_copy
        or run.phase in (None, Phase.CHECKING)
        or run.reason == Reason.RCLONE_MISSING  # it did not even start
    ):
        if partly_since is None:
            return CopyState(CopyKind.UNTOUCHED)
        return CopyState(CopyKind.PARTLY, since=partly_since)
    at_least = gaps or (was_cut_off(run.exit_code) and not _is_counted(run))
    arrived = run.copied + run.replaced + run.deleted
    if proof is None and not arrived:
        return CopyState(CopyKind.UNKNOWN, at_least=True, log_is_cut=is_cut)
    found = Findings.from_json(run.findings)
    return CopyState(
        CopyKind.PARTLY,
        at_least,
        is_cut,
        arrived=arrived,
        wanted=found.changes if found is not None and found.changes >= arrived else None,
        removed=run.deleted,
        missing=proof.missing if proof is not None else 0,
        different=proof.different if proof is not None else 0,
        left=proof.left if proof is not None else 0,
    )


def _is_counted(run: Any) -> bool:
    return any(warning["code"] == WarningCode.COUNTED for warning in run.warnings)


def was_cut_off(exit_code: int | None) -> bool:
    """True if rclone was ended from outside, or crashed: what was on its way then may arrive."""
    return exit_code in (None, USAGE) or not 0 <= exit_code < FIRST_BY_SIGNAL
