"""Log lines as people read them; with `humanize`, the only place where local time exists.

Everything here is pure.
"""

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.rclone.log_lines import ATTEMPT, LARGEST, Progress, line_kind
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.humanize import count, day, many, percent, size, size_of, speed, time_left
from bucketvault.sanitize import clean
from bucketvault.vocabulary import LineKind


def removed_log(removed_at: dt.datetime, days: int, zone: ZoneInfo, now: dt.datetime) -> str:
    """Why a run has no log any more; `days`: for how long logs are kept now."""
    kept = f"for {many(days, 'day')}" if days else "forever now"
    when = day(removed_at, zone, now)
    return f"This log was removed on {when}: logs are kept {kept}. See Settings."


SHOWN_CHARACTERS = 4000  # of one line in the list; its whole text is fetched when it is opened
WHOLE_CHARACTERS = 1024 * 1024

# What rclone says of an object, and a few lines about none, as people read them. A line that
# tells a size has it behind these words.
LINE_WORDS = {
    LineKind.NEW: "copied (new)",
    LineKind.REPLACED: "replaced",
    LineKind.ASIDE: "copied to the old versions",
    LineKind.KEPT: "old version kept",
    LineKind.REMOVED: "removed here",
    LineKind.PURGED: "expired old version deleted",
}
_MESSAGE_WORDS = {
    "There was nothing to transfer": "there was nothing to copy",
    "not deleting files as there were IO errors": "nothing was removed, because there were errors",
    "not deleting directories as there were IO errors": (
        "no folder was removed, because there were errors"
    ),
}
# in rclone's own lines: what is put into other words, and is not about an object
REWORDED = (b"Attempt ", *(message.encode() for message in _MESSAGE_WORDS))


@dataclass(frozen=True, slots=True)
class LogText:
    """One line of a log as people read it. All of it is clean: visible signs on one line."""

    time: str  # HH:MM:SS in the zone asked for; empty where the line has none
    kind: LineKind
    object: str  # the object's name; empty where the line speaks of none
    text: str

    def as_line(self) -> str:
        """`14:03:22  photos/a.jpg  copied (new), 3.0 MB`."""
        return "  ".join(part for part in (self.time, self.object, self.text) if part)


def describe_log_line(
    raw: bytes, zone: ZoneInfo, kind: LineKind | None = None, *, limit: int = SHOWN_CHARACTERS
) -> LogText:
    """Describe one raw line of rclone's JSON log; a line that is no JSON stays as it is.

    `kind` is what the line tells among those around it; None: taken alone. Never raises. Errors
    keep their whole text up to `limit` characters.
    """
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("level"), str):
        words = clean(raw.decode(errors="replace").rstrip(), limit=limit)
        return LogText("", LineKind.PLAIN if kind is None else kind, "", words)
    stamp = log_time(entry.get("time"), zone)
    kind = line_kind(entry) if kind is None else kind
    if isinstance(entry.get("stats"), dict):
        transcript = Transcript()
        transcript.feed([raw])
        return LogText(stamp, kind, "", progress_words(transcript.progress or Progress()))
    name = entry.get("object")
    text = _words(entry, str(entry.get("msg", "")).strip(), kind, limit)
    return LogText(stamp, kind, clean(name, limit=limit) if isinstance(name, str) else "", text)


def log_time(value: Any, zone: ZoneInfo) -> str:  # Any: out of JSON, of whatever type
    """`14:03:22`; empty where there is no time.

    rclone writes RFC 3339 with up to nine decimals, which Python cuts to six by itself.
    """
    try:
        moment = dt.datetime.fromisoformat(value)
        return f"{moment.astimezone(zone):%H:%M:%S}" if moment.tzinfo else ""
    except (TypeError, ValueError, OverflowError):
        return ""


def _words(entry: dict[str, object], message: str, kind: LineKind, limit: int) -> str:
    if attempt := ATTEMPT.match(message):
        return _attempt_words(attempt, limit)
    if message in _MESSAGE_WORDS:
        return _MESSAGE_WORDS[message]
    if "bucketvault" in entry:  # ours: its words are for people already
        return clean(message, limit=limit) + size_suffix(entry.get("size"))
    words = LINE_WORDS.get(kind)
    return words + size_suffix(entry.get("size")) if words else clean(message, limit=limit)


def _attempt_words(attempt: re.Match[str], limit: int) -> str:
    number, total, end, errors, whole = attempt.groups()
    if end == "succeeded":
        return f"try {number} of {total} succeeded"
    which = f"try {number} of {total} " if total != "1" else ""
    ended = f"{which}ended with {many(int(errors), 'error')}"
    if int(number) < int(total):
        return f"{ended}, trying again"
    return clean(f"{ended}: {whole}" if whole else ended, limit=limit)


def size_suffix(value: object) -> str:
    """`, 3.0 MB`; empty where no size is known."""
    return f", {size(value)}" if isinstance(value, int) and 0 <= value <= LARGEST else ""


def progress_words(progress: Progress) -> str:
    """Return one line of progress in words, as far as something is known."""
    return transfer_words(progress) if progress.bytes_total else counted_words(progress)


def transfer_words(progress: Progress) -> str:
    """`62 %, 41.2 of 66.4 GB, 84 MB/s, about 5 min left`; no speed while nothing is transferred."""
    if not progress.bytes_total:
        return ""
    parts = [
        percent(progress.percent or 0),
        size_of(progress.bytes_done, progress.bytes_total),
    ]
    if progress.is_transferring:
        parts += [speed(progress.speed_bytes_s), time_left(progress.eta_s)]
    return ", ".join(part for part in parts if part)


def counted_words(progress: Progress) -> str:
    """`31 of 40`, or `12,000 at the source, 11,400 at the destination`; else what rclone counts."""
    if progress.step_total:
        return f"{count(progress.step_done)} of {count(progress.step_total)}"
    if progress.seen_source or progress.seen_copy:
        seen = count(progress.seen_source), count(progress.seen_copy)
        return f"{seen[0]} at the source, {seen[1]} at the destination"
    if progress.step:
        return ""
    return f"{count(progress.checks_done)} checked, {count(progress.listed)} listed"
