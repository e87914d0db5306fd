"""Numbers and times as people read them, on pages, in mails and on the command line.

Everything here is pure. Times come in as aware UTC and are shown in the zone handed in: a backup's
own, else the server's. A page, a mail or a command names it once, so most words here do not. Sizes
are decimal, as the providers' price lists and consoles have them: 1 kB is 1,000 bytes, 1 GB a
thousand million.
"""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
LONGEST_LEFT_S = 60 * DAY_S  # what rclone expects beyond that comes of a speed near nothing


# ------------------------------------------------------------------ numbers


def sentences(*parts: str) -> str:
    """Join those that say something."""
    return " ".join(part for part in parts if part)


def count(number: int) -> str:
    """`1,204`."""
    return f"{number:,}"


def many(number: int, noun: str, plural: str = "") -> str:
    """`1 object`, `1,204 objects`; `plural` where an s at the end is wrong."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def dollars(amount: float) -> str:
    """`$0.00`, `less than $0.01`, `$6.95`, `$1,235`: no digit that claims too much."""
    if 0 < amount < 0.01:
        return "less than $0.01"
    return f"${amount:,.2f}" if amount < 100 else f"${amount:,.0f}"


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
    """`about 5 min left`; empty where rclone does not know, or cannot: 106751 days and more."""
    if seconds is None or seconds > LONGEST_LEFT_S:
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
    return f"{to_the_second(then, zone)} {zone.key}"


def to_the_second(then: dt.datetime, zone: ZoneInfo) -> str:
    """`Sun 22 Nov 2026, 01:30:00`, where the zone is named beside it."""
    local = then.astimezone(zone)
    return f"{date_words(local)} {local.year}, {local:%H:%M:%S}"


def moment(then: dt.datetime, zone: ZoneInfo) -> str:
    """`Sun 22 Nov 2026, 01:30`: whole, where nobody knows when it is read."""
    local = then.astimezone(zone)
    return f"{date_words(local)} {local.year}, {local:%H:%M}"


def times_in(zone: ZoneInfo) -> str:
    """`Times are in Europe/Berlin.`: said once by whoever tells times."""
    return f"Times are in {zone.key}."


def day_and_time(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`Sun 22 Nov, 01:30`; with the year where it is another one than now."""
    return f"{day(then, zone, now)}, {then.astimezone(zone):%H:%M}"


def day(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`Tue 22 Dec`; with the year where it is another one than now."""
    local = then.astimezone(zone)
    year = f" {local.year}" if local.year != now.astimezone(zone).year else ""
    return f"{date_words(local)}{year}"


def clock(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`at 01:42` today, `on Sat 21 Nov, 01:42` on any other day."""
    local, today = then.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"at {local:%H:%M}"
    return f"on {day_and_time(then, zone, now)}"


def next_run(due: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`tomorrow 03:15, in 7 h`; the day by name, but for today and tomorrow."""
    local, today = due.astimezone(zone), now.astimezone(zone).date()
    near = {today: "today", today + dt.timedelta(days=1): "tomorrow"}
    named = near.get(local.date())
    when = f"{named} {local:%H:%M}" if named else day_and_time(due, zone, now)
    return f"{when}, {until(due, now)}"


def lately(then: dt.datetime, zone: ZoneInfo, now: dt.datetime) -> str:
    """`yesterday 03:41`; the day by name, but for today and yesterday."""
    local, today = then.astimezone(zone), now.astimezone(zone).date()
    near = {today: "today", today - dt.timedelta(days=1): "yesterday"}
    named = near.get(local.date())
    return f"{named} {local:%H:%M}" if named else day_and_time(then, zone, now)


def wall_clock(now: dt.datetime, zone: ZoneInfo) -> str:
    """`02:14 · Europe/Berlin`."""
    return f"{now.astimezone(zone):%H:%M} · {zone.key}"


def date_words(day: dt.date) -> str:
    """`Sun 22 Nov`."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"
