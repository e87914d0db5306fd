"""The state of a run and of its copy in words, for pages, mails and the command line. Pure."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyKind, CopyState
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.humanize import day_and_time
from bucketvault.vocabulary import HoldReason, WarningCode

UNTOUCHED = "Nothing was touched"
NO_RUN_BEFORE = "No run between these two places has succeeded before."
BUT_FOR = "but for what rclone passed over"  # one name may be a folder's: no number of objects
_AT_LEAST = 'read the counts as "at least".'
_WARNINGS = {  # with the numbers and names of the warning
    WarningCode.LOG_CUT: (
        f"The log is cut short, as happens when the disk of the data folder is full: {_AT_LEAST}"
    ),
    WarningCode.LINES_MISSING: f"Lines of the log are missing: {_AT_LEAST}",
    WarningCode.CAME_AS_NEW: (
        "{n:,} that were at the destination before were uploaded as new ones: "
        "their former versions may not have been kept."
    ),
    WarningCode.UNKEPT: (
        "{n:,} replaced or removed without a kept version of what was there before."
    ),
    WarningCode.UNSURE: (
        "{n:,} set aside by a later try of rclone, perhaps over what an earlier "
        "one had set aside: they were too many to tell."
    ),
    WarningCode.LISTING_FAILED: (
        "The destination could not be listed for a moment; {n:,} "
        "uploaded then, perhaps over former versions that were not kept."
    ),
    WarningCode.ERRORS: "{n:,} with an error as their last word, though rclone succeeded.",
    WarningCode.HOLES: (
        "{n:,} only among the kept versions until the next good run: "
        "the former version was set aside, the new one did not arrive."
    ),
    WarningCode.PERHAPS_HOLES: (
        "{n:,} or more perhaps only among the kept versions until the next good run: "
        "the former version was set aside, the new one was not seen to arrive."
    ),
    WarningCode.MASKED: "Known secrets were masked {n:,} times in this log.",
    WarningCode.CANNOT_COPY: (
        "{n:,} cannot be in the copy: rclone or the destination has no such names."
    ),
    WarningCode.ALTERED: "{n:,} had been changed in the copy by somebody else, and were replaced.",
    WarningCode.LOST: "{n:,} were missing from the copy, which had them, and were copied again.",
    WarningCode.LEDGER_LOST: (
        "The record of what was proven before was damaged, and was made again."
    ),
    WarningCode.OVERSTEPPED: (
        "{removed:,} were removed and {replaced:,} replaced; the checks before had "
        "found {found_removed:,} and {found_replaced:,}. Look whether the source is as it "
        "should be; what was there before is among the kept versions."
    ),
    WarningCode.MISSED: (
        "{n:,} that the last good run had left were not seen at the destination: "
        "somebody removed them there, or a listing was incomplete. What the source has of them "
        "was copied again; a former version that was there unseen may not have been kept."
    ),
    WarningCode.TIDYING_CUT: "Tidying up was cut short; the next good run does the rest.",
    WarningCode.TIDYING_REFUSED: "{0}",
    WarningCode.TIDYING_FAULT: "Old kept versions were not looked after: {0}.",
}


def describe_warning(warning: RunWarning) -> str:
    """Return what is worth a look, as a sentence or two."""
    if warning.code == WarningCode.PASSED_OVER:
        return _passed_over(**warning.numbers)
    return _WARNINGS[warning.code].format(*warning.names, **warning.numbers)


def _passed_over(n: int, not_copied: int, copied_again: int) -> str:
    told = (
        f"rclone passed over {n:,} {'name' if n == 1 else 'names'} in listings, of objects or of "
        "folders (see the errors in the log): below a path it does not see objects with // in "
        "their names."
    )
    if not_copied:
        told += " At the source these are not copied."
    if copied_again:
        told += (
            " At the destination they are copied in every run, never removed, and no former "
            "version of them is kept."
        )
    return told


def describe_findings(found: Findings) -> str:
    """`12,305 of 12,345 objects would be removed, 3 replaced.`"""
    total = f"{found.destination_objects:,} objects would be"
    if found.replaced and not found.removed:
        return f"{found.replaced:,} of {total} replaced."
    replaced = f", {found.replaced:,} replaced" if found.replaced else ""
    return f"{found.removed:,} of {total} removed{replaced}."


def describe_hold(reason: HoldReason, found: Findings) -> str:
    """Return why a run that found this is held; it can be approved."""
    words = describe_findings(found)
    if reason == HoldReason.MORE:
        return f"It is more than was approved: {words}"
    return f"{words} {NO_RUN_BEFORE}" if reason == HoldReason.FIRST else words


def describe_cause(run: Any) -> str:  # Any: a row, which this room does not know
    """Return what became of a run, a row with the columns of BackupRun, and if it touched any."""
    return f"{run.explanation} {UNTOUCHED}." if run.untouched else str(run.explanation)


def describe_end(run: Any) -> str:  # Any: as above
    """Return the same where it is not said beside it that the run is held."""
    can_be_approved = run.hold_reason not in (None, HoldReason.EMPTY_SOURCE)
    return f"{'Held: ' if can_be_approved else ''}{describe_cause(run)}"


def describe_copy(state: CopyState | None) -> str:
    """Return the state of the copy in whole sentences; empty before the end."""
    if state is None:
        return ""
    if state.kind == CopyKind.COMPLETE:
        return "The copy is complete."
    if state.kind == CopyKind.ALMOST:
        return f"The copy is complete {BUT_FOR}."
    if state.kind == CopyKind.UNTOUCHED:
        as_it_was = "No change had arrived yet: the copy is as it was."
        return as_it_was if state.none_seen else "The copy was not touched."
    if state.kind == CopyKind.PARTLY:
        return _partly(state)
    if state.none_seen:
        return "No change had arrived yet. What was on its way when rclone was ended may have."
    return "How far the copy was updated is not known. The next good run completes it."


def _partly(state: CopyState) -> str:
    least = "at least " if state.at_least else ""
    of_all = f" of {state.wanted:,}" if state.wanted is not None else ""
    removed = f", {least}{state.removed:,} removed"
    if not state.removed:  # removals come last, many at once: they may have been on their way
        removed = "" if state.at_least else ", nothing removed"
    told = f"The copy is partly updated: {least}{state.arrived:,}{of_all} changes arrived{removed}."
    if state.missing:
        objects = "object is" if state.missing == 1 else "objects are"
        if state.at_least:
            objects = "object or more may be" if state.missing == 1 else "objects or more may be"
        until = "only among the kept versions until the next good run."
        told += f" {state.missing:,} {objects} {until}"
    return told


def last_good_words(last_good_at: dt.datetime | None, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say when a run succeeded last. Later ones may have changed the copy: no more is claimed."""
    if last_good_at is None:
        return "No run of this backup has succeeded yet."
    return f"The last good run ended on {day_and_time(last_good_at, zone, now)}."


def untouched_words(
    last_good_at: dt.datetime | None, zone: ZoneInfo, now: dt.datetime, *, is_that: bool
) -> str:
    """`Nothing was touched; the copy is that of Thu 12 Nov, 03:41.`

    `is_that`: the copy still is what the last good run had left.
    """
    if is_that and last_good_at is not None:
        return f"{UNTOUCHED}; the copy is that of {day_and_time(last_good_at, zone, now)}."
    return f"{UNTOUCHED}: the copy is as it was. {last_good_words(last_good_at, zone, now)}"
