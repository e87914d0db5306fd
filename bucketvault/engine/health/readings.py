"""What numbers of this machine and this program mean for tonight's runs: a verdict and a next step.

Pure: the numbers come from `health` and `doctor`. Nothing is guessed: without a number, the reading
says that it is not known.
"""

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from bucketvault.engine.self_backup import SelfBackup
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import age, count, duration, many, percent, roughly, size, wall_clock

MB, GB = 10**6, 10**9
FULL_BYTES, SMALL_BYTES = 100 * MB, GB  # free on the disk: too little, worth a look
NO_MEMORY_BYTES, LITTLE_MEMORY_BYTES = 100 * MB, 300 * MB  # rclone takes 50 to 300 MB a run
BUSY_LOAD = 4.0  # waiting for each core
LARGE_DATABASE_BYTES = 10 * GB
OLD_COPY = dt.timedelta(days=2)
WRONG_CLOCK = dt.timedelta(minutes=5)
NOT_BEFORE = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)  # this program is younger than that
FEW_DAYS, MANY_DAYS = 14, 730


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was looked at; what moves all the time stands in `value` alone.

    BAD: runs fail, do not start, or what they tell is lost; or nobody is told.
    """

    name: str
    tone: Tone  # OK, WARN, BAD; NONE: not known, or not there by choice
    value: str  # a figure or a word: "9.1 GB free"
    words: str = ""  # what that means
    todo: str = ""  # what to do; empty where nothing is


def disk(free: int, total: int, growth_bytes_a_day: float | None, place: str) -> Reading:
    """Room on the disk of the data folder; `growth_bytes_a_day` of our own, None: not known."""
    name, value = "Disk of the data folder", f"{size(free)} of {size(total)} free"
    todo = f"Make room on the disk of {place}, or keep logs for fewer days."
    if free < FULL_BYTES:
        words = "Full: what runs tell is lost, and soon none can start."
        return Reading(name, Tone.BAD, value, words, todo)
    if free < SMALL_BYTES:
        words = "Nearly full: the logs of a few large runs take the rest."
        return Reading(name, Tone.WARN, value, words, todo)
    if growth_bytes_a_day is None:
        return Reading(name, Tone.OK, value, "Enough for the logs of many runs.")
    days = free / growth_bytes_a_day if growth_bytes_a_day > 0 else MANY_DAYS
    if days < FEW_DAYS:
        words = f"Full in {many(int(days), 'day')}, as it has grown of late."
        return Reading(name, Tone.WARN, value, words, todo)
    long = "years" if days >= MANY_DAYS else f"{int(days / 30)} months"
    long = long if days >= 60 else f"{int(days)} days"
    return Reading(name, Tone.OK, value, f"Enough for {long}, as it has grown of late.")


def disk_problem(place: Path) -> str:
    """What is wrong with the disk of `place`, in words; empty: there is room."""
    try:
        found = shutil.disk_usage(place)
    except OSError as error:
        return f"The disk of {place} cannot be looked at: {error.strerror}."
    told = disk(found.free, found.total, None, str(place))
    return f"{told.value}. {told.words} {told.todo}" if told.tone is Tone.BAD else ""


def memory(total: int, available: int) -> Reading:
    """Memory that programs can still have."""
    name, value = "Memory", f"{size(available)} of {size(total)} available"
    todo = "End what else runs here, run fewer backups at a time (Settings), or add memory."
    if available < NO_MEMORY_BYTES:
        words = "The system may kill a run to get some back."
        return Reading(name, Tone.BAD, value, words, todo)
    if available < LITTLE_MEMORY_BYTES:
        return Reading(name, Tone.WARN, value, "Enough for one run, not for many.", todo)
    return Reading(name, Tone.OK, value, "Enough for several runs.")


def swap(total: int, used: int) -> Reading:
    """Memory that was written out to the disk."""
    if not total:
        return Reading("Swap", Tone.OK, "none", "This machine writes no memory out to its disk.")
    value = f"{size(used)} of {size(total)} in use"
    if used > total / 2:
        words = "The machine is short of memory, and slow."
        todo = "End what else runs here, or add memory."
        return Reading("Swap", Tone.WARN, value, words, todo)
    return Reading("Swap", Tone.OK, value, "Little was written out to the disk.")


def processor(percent_now: float | None, load: float, cores: int) -> Reading:
    """How busy the machine is; `load`: the mean of the last minute."""
    value = f"load {load:.2f} on {many(cores, 'core')}"
    if percent_now is not None:
        value = f"{percent(percent_now)}, {value}"
    if load > BUSY_LOAD * cores:
        words = "Too much at once: runs are slow, and pages too."
        return Reading("Processor", Tone.WARN, value, words, "See what else runs here: top")
    return Reading("Processor", Tone.OK, value, "It keeps up.")


def scheduler(beats: bool, last_beat_at: dt.datetime | None, now: dt.datetime) -> Reading:
    """Whether backups are started at their planned times."""
    value = age(last_beat_at, now) if last_beat_at is not None else "no beat yet"
    if not beats:
        words = "Backups do not start at their planned times. Run now still works."
        todo = "Restart bucketvault; if it stands still again, its log says why."
        return Reading("Scheduler", Tone.BAD, value, words, todo)
    return Reading("Scheduler", Tone.OK, value, "It looks every few seconds for what is due.")


def rclone(version: str, path: str, problem: str) -> Reading:
    """The program that copies; `problem` in words, empty: it can be used."""
    if problem:
        return Reading("rclone", Tone.BAD, "cannot be used", problem)
    return Reading("rclone", Tone.OK, version, f"{path} can be used.")


def database(size_bytes: int, retention_days: int) -> Reading:
    """How large our own database is; nearly all of it is logs."""
    kept = f"logs are kept {many(retention_days, 'day')}" if retention_days else "every log is kept"
    if size_bytes > LARGE_DATABASE_BYTES:
        todo = "Keep logs for fewer days (Settings)."
        words = f"Large: {kept}. Its daily copies take seven times as much."
        return Reading("Database", Tone.WARN, size(size_bytes), words, todo)
    return Reading("Database", Tone.OK, size(size_bytes), f"It answers; {kept}.")


def copy_of_database(
    newest: SelfBackup | None, since: dt.datetime | None, now: dt.datetime
) -> Reading:
    """The newest daily copy of our database; `since`: when this installation began."""
    name = "Copy of the database"
    if newest is None:
        if since is None or now - since < OLD_COPY:
            words = "The first is made within a day of serving."
            return Reading(name, Tone.NONE, "none yet", words)
        words = "If the database is lost, all settings and history are."
        return Reading(name, Tone.BAD, "none", words, _COPY_ADVICE)
    value = age(newest.made_at, now)
    if now - newest.made_at > OLD_COPY:
        words = "If the database is lost, what came after is lost too."
        return Reading(name, Tone.BAD, value, words, _COPY_ADVICE)
    words = f"Whole, {size(newest.size_bytes)}: {newest.path}"
    return Reading(name, Tone.OK, value, words)


_COPY_ADVICE = "bucketvault's log says why none was made: see to the room on the disk."


def clock(now: dt.datetime, newest: dt.datetime | None, zone: str) -> Reading:
    """Whether the clock can be right; `newest`: the latest time that any run has noted."""
    value = wall_clock(now, ZoneInfo(zone))
    todo = "Set the clock, and let it be kept: timedatectl set-ntp true"
    if now < NOT_BEFORE:
        words = f"It says {now:%d.%m.%Y}: that is before this program was written."
        return Reading("Clock", Tone.BAD, value, words, todo)
    if newest is not None and newest - now > WRONG_CLOCK:
        ahead = roughly((newest - now).total_seconds())
        words = f"A run has noted a time that is {ahead} ahead: the clock is wrong, or was."
        return Reading("Clock", Tone.WARN, value, words, todo)
    return Reading("Clock", Tone.OK, value, "In step with what runs have noted.")


def mail(is_set_up: bool, dead: int, last_sent_at: dt.datetime | None, now: dt.datetime) -> Reading:
    """Whether anybody is told when a backup fails."""
    if not is_set_up:
        words = "Nobody is told when a backup fails."
        todo = "Settings has the form; or [settings] in setup.toml."
        return Reading("Mail", Tone.WARN, "not set up", words, todo)
    last = f"the last was taken {age(last_sent_at, now)}" if last_sent_at else "none was sent yet"
    if dead:
        words = f"What {many(dead, 'mail')} would have said, nobody was told; {last}."
        todo = "Settings says why, and has Try again and Dismiss."
        return Reading("Mail", Tone.BAD, f"{count(dead)} given up", words, todo)
    return Reading("Mail", Tone.OK, "set up", f"{last[0].upper()}{last[1:]}.")


def uptime(machine_s: float, program_s: float) -> Reading:
    """For how long both have been at work."""
    words = f"The machine has been up for {duration(machine_s)}."
    return Reading("Uptime", Tone.OK, duration(program_s), words)
