"""The state of a run and of its copy in words, for pages, mails and the command line. Pure."""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyKind, CopyState
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import DELIVERED, Proof
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.humanize import count, day_and_time, lately, many, sentences
from bucketvault.sanitize import clean
from bucketvault.vocabulary import HoldReason, WarningCode

UNTOUCHED = "Nothing was changed"
NO_RUN_BEFORE = "No run between these two places has succeeded before."
BUT_FOR = "except for names that cannot be copied"
NAMED = 5  # keys of one kind in a sentence; the log of the run has all
KEY_CHARACTERS = 120
_WARNINGS = {  # with the numbers and names of the warning
    WarningCode.LOG_CUT: (
        "The log may be incomplete, for example because the disk was full or rclone was killed. "
        'Read the counts as "at least".'
    ),
    WarningCode.COUNTED: (
        "The log is cut short, for example because the disk was full. Objects are counted from "
        "the contents of both buckets before and after the run. "
        'Read errors, deleted old versions and requests as "at least".'
    ),
    WarningCode.LOG_SHORT: (
        "The log shows fewer changes than the buckets do. Objects are counted from the contents "
        "of both buckets before and after the run, old versions from the log. Another program may "
        "have made "
        "some of these changes."
    ),
    WarningCode.MASKED: "Known secrets masked in this log: {n:,}.",
    WarningCode.ALTERED: "Changed in the copy by another program and replaced: {n:,}.",
    WarningCode.LOST: "Deleted from the copy by another program and copied again: {n:,}.",
    WarningCode.UNREAD: "Could not be read on one side: {n:,}. The log names them.",
    WarningCode.LEDGER_LOST: (
        "The record of earlier proofs was damaged. This run created a new one."
    ),
    WarningCode.MISPLACED: (
        "Folders of kept versions named while the clock was wrong: {n:,} ({names}). RESTORE.txt "
        "beside them lists their true times, where known. Restore by the true times; they expire "
        "by them, too."
    ),
    WarningCode.TIDYING_CUT: "Clean-up was interrupted. The next successful run finishes it.",
    WarningCode.TIDYING_REFUSED: "{0}",
    WarningCode.UPLOADS_REFUSED: (
        "Unfinished uploads cannot be removed: the destination's key cannot list or abort them. "
        "They are billed like objects. Give the key this permission, or set a lifecycle rule that "
        "aborts them. This warning appears once."
    ),
    WarningCode.TIDYING_FAULT: "Old kept versions were not cleaned up: {0}.",
}
# S3's limit for a key, the destination's folder or the folder of kept versions included.
_CANNOT = {
    WarningCode.TOO_LONG: "too long for the destination (1,024 bytes at most), not copied",
    WarningCode.TOO_LONG_TO_KEEP: (
        "too long to keep the old version, so the object was not replaced"
    ),
    WarningCode.TOO_LONG_TO_REMOVE: (
        "too long to keep the old version, so the object was not removed"
    ),
}


def describe_warning(warning: RunWarning) -> str:
    """Return what is worth a look, as a sentence or two."""
    if warning.code == WarningCode.CANNOT_COPY:
        return describe_cannot(warning.numbers["n"], warning.names)
    if warning.code == WarningCode.HEADERS:
        return _headers_words(warning)
    if warning.code in _CANNOT:
        number = warning.numbers["n"]
        return f"{many(number, 'name')} {_CANNOT[warning.code]}{named(warning.names, number)}."
    names = ", ".join(warning.names)
    return _WARNINGS[warning.code].format(*warning.names, **warning.numbers, names=names)


def _headers_words(warning: RunWarning) -> str:
    """`Headers or metadata differ in the copy of 3 of 10 objects compared: a.html (expires).`"""
    number, asked = warning.numbers["n"], warning.numbers.get("asked", 0)
    of_all = f" of {many(asked, 'object')} compared" if asked else ""
    told = f"Headers or metadata differ in the copy of {count(number)}{of_all}"
    return f"{told}{named(warning.names, number)}. docs/providers.md lists what copying loses."


def describe_findings(found: Findings) -> str:
    """`12,305 of 12,345 objects would be removed, 3 replaced.`"""
    total = f"{found.destination_objects:,} objects would be"
    if found.replaced and not found.removed:
        return f"{found.replaced:,} of {total} replaced{altered_words(found)}."
    replaced = f", {found.replaced:,} replaced" if found.replaced else ""
    return f"{found.removed:,} of {total} removed{replaced}{altered_words(found)}."


def altered_words(found: Findings) -> str:
    """` (3 of them changed in the copy by another program)`; empty where none were."""
    if not found.altered:
        return ""
    return f" ({count(found.altered)} of them changed in the copy by another program)"


def lost_words(found: Findings) -> str:
    """` (3 of them missing from the copy)`; empty where none were."""
    if not found.lost:
        return ""
    return f" ({count(found.lost)} of them missing from the copy)"


def describe_hold(reason: HoldReason, found: Findings) -> str:
    """Return why a run that found this is held; it can be approved."""
    words = describe_findings(found)
    if reason == HoldReason.MORE:
        return f"{more_words(found)}: {words}"
    return f"{words} {NO_RUN_BEFORE}" if reason == HoldReason.FIRST else words


def more_words(found: Findings) -> str:
    """`It is 25 objects more than was approved`."""
    number = f"{many(found.beyond, 'object')} " if found.beyond else ""
    return f"This is {number}more than was approved"


def describe_cause(run: Any) -> str:  # Any: a row, which this room does not know
    """Return what became of a run, a row with the columns of BackupRun, and if it touched any."""
    return f"{run.explanation} {UNTOUCHED}." if run.untouched else str(run.explanation)


def describe_end(run: Any) -> str:  # Any: as above
    """Return the same where it is not said beside it that the run is held."""
    can_be_approved = run.hold_reason not in (None, HoldReason.EMPTY_SOURCE)
    return f"{'Held: ' if can_be_approved else ''}{describe_cause(run)}"


def describe_copy(state: CopyState | None, zone: ZoneInfo, now: dt.datetime) -> str:
    """Return the state of the copy in whole sentences; empty before the end."""
    if state is None:
        return ""
    if state.kind == CopyKind.COMPLETE:
        return "The copy is complete."
    if state.kind == CopyKind.ALMOST:
        return f"The copy is complete {BUT_FOR}."
    if state.kind == CopyKind.UNTOUCHED:
        return "The copy was not changed."
    if state.kind == CopyKind.UNKNOWN:
        return "It is not known how far the copy was updated. The next successful run completes it."
    if state.since is not None:
        since = day_and_time(state.since, zone, now)
        return f"This run changed nothing; the copy has been partly updated since {since}."
    return _partly(state)


def _partly(state: CopyState) -> str:
    gaps = (
        (state.missing, "missing"),
        (state.different, "different from the source"),
        (state.left, "still to be removed"),
    )
    told = ", ".join(f"{count(number)} {word}" for number, word in gaps if number)
    if told:
        return f"The copy is partly updated. Objects: {told}."
    least = "at least " if state.at_least else ""
    of_all = f" of {state.wanted:,}" if state.wanted is not None else ""
    removed = f", {least}{state.removed:,} removed"
    if not state.removed:  # removals come last, many at once: they may have been on their way
        removed = "" if state.at_least else ", nothing removed"
    return f"The copy is partly updated: {least}{state.arrived:,}{of_all} changes arrived{removed}."


def describe_proof(proof: Proof | None) -> str:
    """`12 of 12 objects are at the destination, with the same content hash.`; empty without one.

    What is not there has sentences of its own: `describe_gap` and `describe_cannot`.
    """
    if proof is None:
        return ""
    are = "is" if proof.source_objects == 1 else "are"
    total = many(proof.source_objects, "object")
    told = f"{count(proof.present)} of {total} {are} at the destination{_equality(proof)}."
    return sentences(told, _since(proof))


def proven_words(proof: Proof, zone: ZoneInfo, now: dt.datetime) -> str:
    """`Last proven: yesterday 03:41, 12 of 12 objects, with the same content hash.`"""
    when = lately(proof.when, zone, now) if proof.when is not None else "never"
    total = many(proof.source_objects, "object")
    told = f"Last proven: {when}, {count(proof.present)} of {total}{_equality(proof)}."
    return sentences(told, _since(proof))


def _equality(proof: Proof) -> str:
    """Return in what the objects of the copy were found to equal those of the source."""
    size_only = "of the same size only (uploaded in parts or encrypted: no hash to compare)"
    if not proof.same_size_only:
        return ", with the same content hash" if proof.same_hash else ""
    if not proof.same_hash:
        return f", {size_only}"
    return (
        f"; {count(proof.same_hash)} with the same content hash, "
        f"{count(proof.same_size_only)} {size_only}"
    )


def describe_gap(proof: Proof) -> str:
    """`2 objects are not at the destination: a//b, c//d.`; empty where nothing is to be done."""
    parts = (
        ("missing", proof.missing, "object is", "objects are", "not at the destination"),
        ("different", proof.different, "object differs", "objects differ", "from the source"),
        ("left", proof.left, "object", "objects", "could not be removed from the destination"),
        (
            DELIVERED,
            proof.causes.get(DELIVERED, 0),
            "object is",
            "objects are",
            "not copied as stored, because the source delivers a different size than it lists",
        ),
    )
    return sentences(
        *(
            f"{many(number, one, more)} {what}{named(proof.names.get(kind, ()), number)}."
            for kind, number, one, more, what in parts
            if number
        )
    )


def _since(proof: Proof) -> str:
    if not proof.since:
        return ""
    them = "it" if proof.since == 1 else "them"
    return f"{many(proof.since, 'object')} changed since; the next run copies {them}."


def describe_cannot(number: int, names: Iterable[str]) -> str:
    """`3 names cannot be copied: photos/, a//b, /c.`; empty where there are none."""
    return f"{many(number, 'name')} cannot be copied{named(names, number)}." if number else ""


def named(names: Iterable[str], number: int) -> str:
    """`: a//b, c//d and 5 more`, of `number` in all; empty without names. They are made visible."""
    shown = [clean(name, limit=KEY_CHARACTERS) for name in list(names)[:NAMED]]
    more = number - len(shown)
    if not shown:
        return ""
    return f": {', '.join(shown)}{f' and {count(more)} more' if more > 0 else ''}"


def last_good_words(last_good_at: dt.datetime | None, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say when a run succeeded last. Later ones may have changed the copy: no more is claimed."""
    if last_good_at is None:
        return "No run of this backup has succeeded yet."
    return f"The last good run ended on {day_and_time(last_good_at, zone, now)}."


def untouched_words(
    state: CopyState | None,
    last_good_at: dt.datetime | None,
    zone: ZoneInfo,
    now: dt.datetime,
    *,
    is_that: bool = False,
) -> str:
    """`Nothing was changed; the copy is that of Thu 12 Nov, 03:41.`

    `is_that`: the copy still is what the last good run had left.
    """
    if is_that and last_good_at is not None:
        return f"{UNTOUCHED}; the copy is from {day_and_time(last_good_at, zone, now)}."
    told = f"{UNTOUCHED}: the copy is as it was."
    if state is not None and state.since is not None:
        told = describe_copy(state, zone, now)
    return f"{told} {last_good_words(last_good_at, zone, now)}"
