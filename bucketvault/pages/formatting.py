"""Numbers, times and log lines as people read them: the only place where local time exists.

Everything here is pure. Times come in as aware UTC and are shown in the zone handed in (the
server's). Sizes are decimal, as the providers' price lists and consoles have them: 1 kB is 1,000
bytes, 1 GB a thousand million.
"""

import datetime as dt
import functools
import itertools
import json
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.rclone.transcript import OBJECT_TYPE, Progress, Transcript
from bucketvault.untrusted import clean

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


# ------------------------------------------------------------------ numbers


def count(number: int) -> str:
    """`1,204`."""
    return f"{number:,}"


def many(number: int, noun: str, plural: str = "") -> str:
    """`1 object`, `1,204 objects`; `plural` where an s at the end is wrong."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def size(number: float, *, precise: bool = False) -> str:
    """`0 B`, `14 kB`, `3.0 MB`, `402 GB`: one decimal below ten, none from ten on.

    `precise` gives one digit more: `1.92 GB`, `41.2 GB`.
    """
    value, unit = float(number), 0
    while unit < len(UNITS) - 1 and round(value) >= 1000:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{value:.0f} B"
    decimals = (value < 9.95) + (precise and value < 99.95)
    return f"{value:.{decimals}f} {UNITS[unit]}"


def size_of(done: int, total: int) -> str:
    """`41.2 of 66.4 GB`; each with its own unit where they differ (`612 MB of 1.3 GB`)."""
    scale = 0
    while scale < len(UNITS) - 1 and total >= 1000 ** (scale + 1):
        scale += 1
    unit = 1000**scale
    decimals = 1 if scale and total < 100 * unit else 0
    whole = f"{total / unit:.{decimals}f} {UNITS[scale]}"
    if done < unit:
        return f"{size(done)} of {whole}"
    return f"{min(done, total) / unit:.{decimals}f} of {whole}"


def speed(bytes_s: float) -> str:
    """`84 MB/s`."""
    return f"{size(bytes_s)}/s"


def percent(value: float) -> str:
    """`62 %`, rounded down: 100 % is said only when it is so."""
    return f"{int(max(0.0, min(100.0, value)))} %"


def duration(seconds: float) -> str:
    """`42 s`, `12 min 4 s`, `1 h 52 min`, `2 d 3 h`: the two largest units."""
    whole = max(0, int(seconds))
    if whole < 1:
        return "under 1 s"
    steps = (("d", DAY_S), ("h", HOUR_S), ("min", MINUTE_S), ("s", 1))
    for (unit, length), (smaller, part) in itertools.pairwise(steps):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def roughly(seconds: float) -> str:
    """The largest unit alone: `42 s`, `32 min`, `26 h`, `6 d`; days from the second on."""
    whole = max(0, int(seconds))
    for unit, length, least in (("d", DAY_S, 2), ("h", HOUR_S, 1), ("min", MINUTE_S, 1)):
        if whole >= least * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def time_left(seconds: int | None) -> str:
    """`about 5 min left`; empty where rclone does not know."""
    if seconds is None:
        return ""
    if seconds >= MINUTE_S:  # rounded up: nobody minds when it ends early
        seconds = -(-seconds // MINUTE_S) * MINUTE_S
    return f"about {duration(seconds)} left" if seconds >= 1 else "nearly done"


# ------------------------------------------------------------------ times


def age(then: dt.datetime, now: dt.datetime) -> str:
    """`3 h ago`; `just now` in the first seconds."""
    seconds = (now - then).total_seconds()
    return "just now" if seconds < 5 else f"{roughly(seconds)} ago"


def until(then: dt.datetime, now: dt.datetime) -> str:
    """`in 22 h`; `now` once it has come."""
    seconds = (then - now).total_seconds()
    if seconds <= 0:
        return "now"
    return f"in {roughly(max(1.0, seconds))}"


def exact(then: dt.datetime, zone: ZoneInfo) -> str:
    """`Sun 22 Nov 2026, 01:30:00 Europe/Berlin`: nothing left to guess."""
    local = then.astimezone(zone)
    return f"{_day(local)} {local.year}, {local:%H:%M:%S} {zone.key}"


def day_and_time(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`Sun 22 Nov, 01:30`; with the year where it is another one than now."""
    local = then.astimezone(zone)
    year = f" {local.year}" if local.year != now.astimezone(zone).year else ""
    return f"{_day(local)}{year}, {local:%H:%M}"


def day(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`Tue 22 Dec`; with the year where it is another one than now."""
    return day_and_time(then, zone, now).partition(",")[0]


def clock(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`at 01:42` today, `on Sat 21 Nov, 01:42` on any other day."""
    local, today = then.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"at {local:%H:%M}"
    return f"on {day_and_time(then, zone, now)}"


def wall_clock(now: dt.datetime, zone: ZoneInfo) -> str:
    """`02:14 · Europe/Berlin`."""
    return f"{now.astimezone(zone):%H:%M} · {zone.key}"


def _day(local: dt.datetime) -> str:
    return f"{WEEKDAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}"


# ------------------------------------------------------------------ log lines

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
