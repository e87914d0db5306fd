"""In what state a run left the copy: the first thing that anybody wants to know of a failed one.

Decisions: docs/decisions/listing.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.warnings import warnings_of
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus, WarningCode

USAGE = 2  # rclone/lib/exitcode/exitcode.go: it did not take its arguments, or it crashed
FIRST_BY_SIGNAL = 128  # of rclone's exit codes; negative ones are the system's word for the same
_GAPS = {WarningCode.LOG_CUT, WarningCode.LINES_MISSING}  # the counts are "at least"


class CopyKind(StrEnum):
    """How far the copy is from what the run wanted."""

    COMPLETE = "complete"
    ALMOST = "almost"  # complete but for names that rclone passed over
    UNTOUCHED = "untouched"
    PARTLY = "partly"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CopyState:
    """How a run left the copy, in numbers of objects; `state_words.describe_copy` tells it."""

    kind: CopyKind
    at_least: bool = False  # more may have come of the run than its counts tell
    none_seen: bool = False  # it began to copy, and a log without gaps tells of no change
    arrived: int = 0
    wanted: int | None = None  # as the checks found; None: not known, or more arrived
    removed: int = 0
    missing: int = 0  # only among the kept versions until the next good run


def copy_state(run: Any) -> CopyState | None:  # Any: a row, which this room does not know
    """Return what a run, a row with the columns of BackupRun, left behind; None before its end."""
    if run.status.is_active:
        return None
    warnings = warnings_of(run)
    # what was written last may be lost with a machine, anything on a full disk
    gaps = run.reason == Reason.INTERRUPTED or any(each.code in _GAPS for each in warnings)
    if run.status == RunStatus.SUCCESS and run.kind == RunKind.COPY:
        lacks = any(each.numbers.get("not_copied") for each in warnings)
        return CopyState(CopyKind.ALMOST if lacks else CopyKind.COMPLETE, gaps)
    if run.kind != RunKind.COPY or run.phase in (None, Phase.CHECKING):
        return CopyState(CopyKind.UNTOUCHED)
    if run.reason == Reason.RCLONE_MISSING:  # it did not even start
        return CopyState(CopyKind.UNTOUCHED)
    arrived, cut_off = run.copied + run.replaced + run.deleted, was_cut_off(run.exit_code)
    if not arrived and not run.archived:
        none_seen = bool(run.log_lines) and not gaps
        unknown = not none_seen or cut_off
        kind = CopyKind.UNKNOWN if unknown else CopyKind.UNTOUCHED
        return CopyState(kind, unknown, none_seen)
    found = Findings.from_json(run.findings)
    return CopyState(
        CopyKind.PARTLY,
        gaps or cut_off,
        arrived=arrived,
        wanted=found.changes if found is not None and found.changes >= arrived else None,
        removed=run.deleted,
        missing=run.holes,
    )


def was_cut_off(exit_code: int | None) -> bool:
    """True if rclone was ended from outside, or crashed: what was on its way then may arrive."""
    return exit_code in (None, USAGE) or not 0 <= exit_code < FIRST_BY_SIGNAL
