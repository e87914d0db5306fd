"""Log lines as people read them; with `figures`, the only place where local time exists.

Everything here is pure. What `figures` has is found here too.
"""

import datetime as dt
import functools
import json
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.rclone.transcript import OBJECT_TYPE, Progress, Transcript
from bucketvault.figures import DAY_S as DAY_S
from bucketvault.figures import age as age
from bucketvault.figures import clock as clock
from bucketvault.figures import count as count
from bucketvault.figures import day as day
from bucketvault.figures import day_and_time as day_and_time
from bucketvault.figures import duration as duration
from bucketvault.figures import exact as exact
from bucketvault.figures import many as many
from bucketvault.figures import percent as percent
from bucketvault.figures import roughly as roughly
from bucketvault.figures import size as size
from bucketvault.figures import size_of as size_of
from bucketvault.figures import speed as speed
from bucketvault.figures import time_left as time_left
from bucketvault.figures import until as until
from bucketvault.figures import wall_clock as wall_clock
from bucketvault.untrusted import clean


def removed_log(removed_at: dt.datetime, days: int, zone: ZoneInfo, now: dt.datetime) -> str:
    """Why a run has no log any more; `days`: for how long logs are kept now."""
    kept = f"for {many(days, 'day')}" if days else "for ever now"
    when = day(removed_at, zone, now)
    return f"This log was removed on {when}: logs are kept {kept}. See Settings."


KINDS = (
    "info",
    "new",
    "replaced",
    "kept",
    "removed",
    "touched",
    "warning",
    "error",
    "progress",
    "plain",
)
SHOWN_CHARACTERS = 4000  # of one line in the list; its whole text is fetched when it is opened
WHOLE_CHARACTERS = 1024 * 1024

_ATTEMPT = re.compile(
    r"Attempt (\d+)/(\d+) (succeeded|failed with (\d+) errors(?: and: (.*))?)$", re.DOTALL
)
_PLAIN_WORDS = {
    "Moved into backup dir": ("removed", "removed here, former version kept"),
    "Deleted": ("kept", "former version kept"),
    "Updated modification time in destination": ("touched", "modification time updated"),
    "There was nothing to transfer": ("info", "there was nothing to copy"),
    "not deleting files as there were IO errors": (
        "warning",
        "nothing was removed, because there were errors",
    ),
    "not deleting directories as there were IO errors": (
        "warning",
        "no folder was removed, because there were errors",
    ),
}
_WOULD = {  # what a dry run left out, by its field `skipped`
    "copy": ("new", "would be copied"),
    "move": ("kept", "former version would be kept"),
    "move into backup dir": ("removed", "would be removed here, former version kept"),
    "delete": ("removed", "would be removed"),
    "update modification time": ("touched", "modification time would be updated"),
}


@dataclass(frozen=True, slots=True)
class LogText:
    """One line of a log as people read it. All of it is clean: visible signs on one line."""

    time: str  # HH:MM:SS in the zone asked for; empty where the line has none
    kind: str  # one of KINDS
    object: str  # the object's name; empty where the line speaks of none
    text: str

    def as_line(self) -> str:
        """`14:03:22  photos/a.jpg  copied (new), 3.0 MB`."""
        return "  ".join(part for part in (self.time, self.object, self.text) if part)


@functools.lru_cache(maxsize=4096)  # several viewers of one run read the same lines
def describe_log_line(raw: bytes, zone: ZoneInfo, *, limit: int = SHOWN_CHARACTERS) -> LogText:
    """What one raw line of rclone's JSON log says; a line that is no JSON stays as it is.

    Never raises. Errors keep their whole text up to `limit` characters.
    """
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("level"), str):
        return LogText("", "plain", "", clean(_text(raw).rstrip(), limit=limit))
    stamp = _log_time(entry.get("time"), zone)
    if isinstance(entry.get("stats"), dict):
        return LogText(stamp, "progress", "", _progress_words(raw))
    name = entry.get("object")
    kind, text = _words(entry, str(entry.get("msg", "")).strip(), limit)
    return LogText(stamp, kind, clean(name, limit=limit) if isinstance(name, str) else "", text)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _log_time(value: Any, zone: ZoneInfo) -> str:
    """rclone writes RFC 3339 with up to nine decimals, which Python cuts to six by itself."""
    try:
        moment = dt.datetime.fromisoformat(value)
        return f"{moment.astimezone(zone):%H:%M:%S}" if moment.tzinfo else ""
    except (TypeError, ValueError, OverflowError):
        return ""


def _words(entry: dict[str, Any], message: str, limit: int) -> tuple[str, str]:
    level, skipped = entry["level"], entry.get("skipped")
    if isinstance(skipped, str) and skipped in _WOULD:
        kind, words = _WOULD[skipped]
        return kind, words + _size_suffix(entry)
    if attempt := _ATTEMPT.match(message):
        return _attempt_words(attempt, limit)
    if message in _PLAIN_WORDS:
        return _PLAIN_WORDS[message]
    if level == "info" and entry.get("objectType") == OBJECT_TYPE and "Copied (" in message:
        return _copied_words(message, entry)
    whole = clean(message, limit=limit)
    if level in ("error", "critical") or (level == "notice" and message.startswith("Failed to ")):
        return "error", whole
    return ("warning" if level in ("notice", "warning") else "info"), whole


def _copied_words(message: str, entry: dict[str, Any]) -> tuple[str, str]:
    if "(server-side copy)" in message:  # inside the destination: into the kept versions
        return "kept", "former version set aside" + _size_suffix(entry)
    if "new)" in message:
        return "new", "copied (new)" + _size_suffix(entry)
    return "replaced", "replaced" + _size_suffix(entry)


def _attempt_words(attempt: re.Match[str], limit: int) -> tuple[str, str]:
    number, total, end, errors, whole = attempt.groups()
    if end == "succeeded":
        return "info", f"try {number} of {total} succeeded"
    ended = f"try {number} of {total} ended with {many(int(errors), 'error')}"
    if int(number) < int(total):
        return "warning", f"{ended}, trying again"
    return "error", clean(f"{ended}: {whole}" if whole else ended, limit=limit)


def _size_suffix(entry: dict[str, Any]) -> str:
    value = entry.get("size")
    return f", {size(value)}" if isinstance(value, int) and value >= 0 else ""


def _progress_words(raw: bytes) -> str:
    transcript = Transcript()
    transcript.feed([raw])
    return progress_words(transcript.progress or Progress())


def progress_words(progress: Progress) -> str:
    """`62 %, 41.2 of 66.4 GB, 84 MB/s, about 5 min left`."""
    if progress.percent is None:
        return f"{count(progress.checks_done)} checked, {count(progress.listed)} listed"
    parts = (
        percent(progress.percent),
        size_of(progress.bytes_done, progress.bytes_total),
        speed(progress.speed_bytes_s),
        time_left(progress.eta_s),
    )
    return ", ".join(part for part in parts if part)
