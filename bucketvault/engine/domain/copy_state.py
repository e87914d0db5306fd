"""In what state a run left the copy: the first thing that anybody wants to know of a failed one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.runs.outcome import AT_LEAST, BUT_FOR, NOT_COPIED, was_cut_off
from bucketvault.vocabulary import Phase, Reason, RunStatus


class CopyKind(StrEnum):
    """How far the copy is from what the run wanted."""

    COMPLETE = "complete"
    ALMOST = "complete but for names that rclone passed over"
    UNTOUCHED = "untouched"
    PARTLY = "partly updated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CopyState:
    """The kind, and a sentence that stands alone."""

    kind: CopyKind
    sentence: str
    at_least: bool = False  # more may have come of the run than its counts tell


def copy_state(run: Any) -> CopyState | None:
    """What a run, a row with the columns of BackupRun, left behind; None before it ended."""
    if run.status not in (RunStatus.SUCCESS, RunStatus.FAILED):
        return None
    # what was written last may be lost with a machine, anything on a full disk
    gaps = run.reason == Reason.INTERRUPTED or any(AT_LEAST in warning for warning in run.warnings)
    if run.status == RunStatus.SUCCESS and not run.preview:
        if any(NOT_COPIED in warning for warning in run.warnings):
            return CopyState(CopyKind.ALMOST, f"The copy is complete {BUT_FOR}.", gaps)
        return CopyState(CopyKind.COMPLETE, "The copy is complete.", gaps)
    if run.preview or run.phase in (None, Phase.CHECKING):
        return CopyState(CopyKind.UNTOUCHED, "The copy was not touched.")
    if run.reason == Reason.RCLONE_MISSING:  # it did not even start
        return CopyState(CopyKind.UNTOUCHED, "The copy was not touched.")
    arrived = run.copied + run.replaced + run.deleted
    cut_off = was_cut_off(run.exit_code)
    if not arrived and not run.archived:
        return _nothing_seen(bool(run.log_lines) and not gaps, cut_off=cut_off)
    at_least = gaps or cut_off
    wanted = Findings.from_json(run.findings)
    of_all = f" of {wanted.changes:,}" if wanted is not None and wanted.changes >= arrived else ""
    least = "at least " if at_least else ""
    removed = f", {least}{run.deleted:,} removed"
    if not run.deleted:  # removals come last, many at once: they may have been on their way
        removed = "" if at_least else ", nothing removed"
    told = f"The copy is partly updated: {least}{arrived:,}{of_all} changes arrived{removed}."
    if run.holes:
        objects = "object is" if run.holes == 1 else "objects are"
        if at_least:
            objects = "object or more may be" if run.holes == 1 else "objects or more may be"
        told += f" {run.holes:,} {objects} only among the kept versions until the next good run."
    return CopyState(CopyKind.PARTLY, told, at_least)


def _nothing_seen(seen_all: bool, *, cut_off: bool) -> CopyState:
    if not seen_all:
        return CopyState(
            CopyKind.UNKNOWN,
            "How far the copy was updated is not known. The next good run completes it.",
            at_least=True,
        )
    if cut_off:
        return CopyState(
            CopyKind.UNKNOWN,
            "No change had arrived yet. What was on its way when rclone was ended may have.",
            at_least=True,
        )
    return CopyState(CopyKind.UNTOUCHED, "No change had arrived yet: the copy is as it was.")
