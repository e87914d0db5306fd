"""The checks of what every backup rests on, for home, Health, `doctor` and /healthz alike.

A check looks at one thing and gives a Reading: how it is, in words, and what to do. Figures and
their words are pure functions; `look_at_*` bring the figures. Nothing is guessed: without a figure,
the reading says that it is not known.

Decisions: docs/decisions/health.md.
"""

import datetime as dt
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

from bucketvault.config import Config
from bucketvault.engine import maintenance, serve_note, settings
from bucketvault.engine.alerts import targets
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.folder_lock import is_served
from bucketvault.engine.health.heard import look_at_alerts, look_at_heartbeats
from bucketvault.engine.health.key_file import look_at_key
from bucketvault.engine.health.readings import Context, Reading, Subject, unknown
from bucketvault.engine.health.writable import unwritable
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.views.situation import InstallationIssue, Part, Tone
from bucketvault.errors import KilledError, NoMemoryError, RcloneMissingError
from bucketvault.humanize import (
    age,
    count,
    date_words,
    duration,
    many,
    percent,
    roughly,
    sentences,
    size,
    wall_clock,
)
from bucketvault.store.copies import SelfBackup, contents_in_words, richer_copies
from bucketvault.store.database import RESTORE, connection, database_bytes
from bucketvault.store.models import BackupRun, Mail, Provider, utcnow
from bucketvault.store.restoring import Restored, lately_restored

MB, GB = 10**6, 10**9
FULL_BYTES, SMALL_BYTES = 100 * MB, GB  # free on the disk: too little, worth a look
NO_MEMORY_BYTES, LITTLE_MEMORY_BYTES = 100 * MB, 300 * MB  # rclone takes 50 to 300 MB a run
BUSY_LOAD = 4.0  # waiting for each core
LARGE_DATABASE_BYTES = 10 * GB
OLD_COPY = dt.timedelta(days=2)
WRONG_CLOCK = dt.timedelta(minutes=5)
NOT_BEFORE = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)  # this program is younger than that
FEW_DAYS, MANY_DAYS = 14, 730


# ---- figures and their words


def disk(free: int, total: int, growth_bytes_a_day: float | None, place: str) -> Reading:
    """Judge the room on the disk of the data folder."""
    name, value = Subject.DISK, f"{size(free)} of {size(total)} free"
    todo = f"Free some space on the disk of {place}, or keep logs for fewer days."
    if free < FULL_BYTES:
        words = "Full: logs of runs are lost, and soon no run can start."
        return Reading(name, Tone.BAD, value, words, todo, _disk_issue(f"{value}. {words} {todo}"))
    if free < SMALL_BYTES:
        words = "Nearly full: the logs of a few large runs would fill it."
        return Reading(name, Tone.WARN, value, words, todo)
    if growth_bytes_a_day is None:
        return Reading(name, Tone.OK, value, "Enough for the logs of many runs.")
    days = free / growth_bytes_a_day if growth_bytes_a_day > 0 else MANY_DAYS
    if days < FEW_DAYS:
        words = f"Full in {many(int(days), 'day')} at the recent rate."
        return Reading(name, Tone.WARN, value, words, todo)
    long = "years" if days >= MANY_DAYS else f"{int(days / 30)} months"
    long = long if days >= 60 else f"{int(days)} days"
    return Reading(name, Tone.OK, value, f"Enough for {long} at the recent rate.")


def _disk_issue(why: str) -> InstallationIssue:
    return InstallationIssue(Part.DISK, "The disk is nearly full", why, is_bad=True)


def memory(total: int, available: int) -> Reading:
    """Judge the memory that programs can still have."""
    name, value = Subject.MEMORY, f"{size(available)} of {size(total)} available"
    todo = "Stop other programs, run fewer backups at a time (Settings), or add memory."
    if available < NO_MEMORY_BYTES:
        words = "The system may kill a run to free memory."
        return Reading(name, Tone.BAD, value, words, todo)
    if available < LITTLE_MEMORY_BYTES:
        return Reading(name, Tone.WARN, value, "Enough for one run, not for many.", todo)
    return Reading(name, Tone.OK, value, "Enough for several runs.")


def swap(total: int, used: int) -> Reading:
    """Judge how much memory was written out to the disk."""
    if not total:
        words = "No swap in use."
        return Reading(Subject.SWAP, Tone.OK, "none", words)
    value = f"{size(used)} of {size(total)} in use"
    if used > total / 2:
        words = "The machine is short of memory, and slow."
        todo = "Stop other programs, or add memory."
        return Reading(Subject.SWAP, Tone.WARN, value, words, todo)
    return Reading(Subject.SWAP, Tone.OK, value, "Little swap is in use.")


def processor(percent_now: float | None, load: float, cores: int) -> Reading:
    """Judge how busy the machine is; `load`: the mean of the last minute."""
    value = f"load {load:.2f} on {many(cores, 'core')}"
    if percent_now is not None:
        value = f"{percent(percent_now)}, {value}"
    if load > BUSY_LOAD * cores:
        words = "The CPU is overloaded: runs and pages are slow."
        return Reading(Subject.PROCESSOR, Tone.WARN, value, words, "Check what is using it: top")
    return Reading(Subject.PROCESSOR, Tone.OK, value, "Not overloaded.")


def scheduler(beats: bool | None, last_beat_at: dt.datetime | None, now: dt.datetime) -> Reading:
    """Check that backups are started at their planned times."""
    if beats is None:
        return unknown(Subject.SCHEDULER, Part.SCHEDULER, "scheduled runs start")
    value = age(last_beat_at, now) if last_beat_at is not None else "not started yet"
    if not beats:
        words = "Scheduled backups do not start. Run now still works."
        todo = "Restart bucketvault; if it stalls again, its log says why."
        why = "The scheduler has stalled. Restart bucketvault; Run now still works."
        issue = InstallationIssue(Part.SCHEDULER, "Scheduled runs do not start", why, is_bad=True)
        return Reading(Subject.SCHEDULER, Tone.BAD, value, words, todo, issue)
    return Reading(Subject.SCHEDULER, Tone.OK, value, "It checks for due runs every few seconds.")


def rclone(version: str, path: str, problem: str = "", todo: str = "") -> Reading:
    """Judge the program that copies; `problem` in words, empty: it can be used."""
    if problem:
        why = f"{problem} {todo}".strip()
        issue = InstallationIssue(Part.RCLONE, "rclone cannot be used", why, is_bad=True)
        return Reading(Subject.RCLONE, Tone.BAD, "cannot be used", problem, todo, issue)
    return Reading(Subject.RCLONE, Tone.OK, version, f"{path} can be used.")


def database(size_bytes: int, retention_days: int, restored: Restored | None = None) -> Reading:
    """Judge our own database: its size, nearly all of it logs; and if it was restored."""
    if restored is not None:
        day, until = restored.at.date(), restored.keeps_all_until.date()
        words = (
            f"Restored on {day} from the copy of {restored.day}. No kept version is deleted before "
            f"{until}."
        )
        todo = "Check the retention and the settings of each backup until then."
        return Reading(Subject.DATABASE, Tone.WARN, size(size_bytes), words, todo)
    kept = f"logs are kept {many(retention_days, 'day')}" if retention_days else "every log is kept"
    if size_bytes > LARGE_DATABASE_BYTES:
        todo = "Keep logs for fewer days (Settings)."
        words = f"Large: {kept}. Its daily copies take seven times as much."
        return Reading(Subject.DATABASE, Tone.WARN, size(size_bytes), words, todo)
    return Reading(Subject.DATABASE, Tone.OK, size(size_bytes), f"It answers; {kept}.")


def copy_of_database(
    newest: SelfBackup | None,
    since: dt.datetime | None,
    now: dt.datetime,
    richer: SelfBackup | None = None,
) -> Reading:
    """Judge the newest daily copy of our database; `since`: the start of this installation.

    `richer`: the newest of the older copies that hold far more than it.
    """
    name, value = Subject.COPY, "none" if newest is None else age(newest.made_at, now)
    if newest is not None and richer is not None:
        then, today = (contents_in_words(copy) for copy in (richer, newest))
        words = (
            f"The copy of {richer.day} contains {then}, the copy of {newest.day} only {today}. "
            f"Copies like the older one are not deleted."
        )
        todo = (
            f"If something is missing, restore it: {RESTORE} {richer.day}. If this is intended, "
            f"delete that copy: {richer.path}"
        )
        issue = InstallationIssue(
            Part.DATABASE, "The database may have lost data", f"{words} {todo}", is_bad=True
        )
        return Reading(name, Tone.BAD, value, words, todo, issue)
    todo = "bucketvault's log says why no copy was made. Check the free space on the disk."
    if newest is not None and now - newest.made_at <= OLD_COPY:
        words = f"Intact, {size(newest.size_bytes)}: {newest.path}"
        return Reading(name, Tone.OK, value, words)
    if newest is None and (since is None or now - since < OLD_COPY):
        return Reading(name, Tone.NONE, "none yet", "The first copy is made within a day.")
    lost = (
        "all settings and history are lost"
        if newest is None
        else "everything newer than this copy is lost"
    )
    return Reading(name, Tone.BAD, value, f"If the database is lost, {lost}.", todo)


def unreadable_copies(folder: Path, error: OSError) -> Reading:
    """Tell that nobody can say which copies there are, and that none is made."""
    words = f"The folder {folder} cannot be read: {error.strerror}."
    todo = "No copy is made meanwhile. Check the folder's owner and mode (0700)."
    title = "The copies of the database cannot be read"
    issue = InstallationIssue(Part.DATABASE, title, f"{words} {todo}", is_bad=False)
    return Reading(Subject.COPY, Tone.BAD, "not known", words, todo, issue)


def clock(now: dt.datetime, newest: dt.datetime | None, zone: str) -> Reading:
    """Check that the clock can be right; `newest`: the latest time that any run has noted."""
    value = wall_clock(now, ZoneInfo(zone))
    todo = "Set the clock and keep it synchronised: timedatectl set-ntp true"
    if now < NOT_BEFORE:
        words = f"It says {date_words(now)} {now.year}, which is before this version was released."
        return Reading(Subject.CLOCK, Tone.BAD, value, words, todo)
    if newest is not None and newest - now > WRONG_CLOCK:
        ahead = roughly((newest - now).total_seconds())
        words = f"A run recorded a time {ahead} in the future: the clock is or was wrong."
        return Reading(Subject.CLOCK, Tone.WARN, value, words, todo)
    return Reading(Subject.CLOCK, Tone.OK, value, "Consistent with the times of recent runs.")


def mail(
    is_set_up: bool,
    dead: int,
    last_sent_at: dt.datetime | None,
    now: dt.datetime,
    *,
    elsewhere: bool = False,
    others: bool = False,
    waiting: int = 0,
    refusal: str = "",
) -> Reading:
    """Check that email is set up and sent; `elsewhere`: alerts are off, and that is meant.

    `others`: alerts go to other targets. `waiting`: emails that the server did not take yet;
    `refusal`: what it said last.
    """
    if not is_set_up and others:
        return Reading(Subject.MAIL, Tone.NONE, "off", "Alerts go to other targets.")
    if not is_set_up and elsewhere:
        return Reading(Subject.MAIL, Tone.NONE, "off", "You watch your backups in another way.")
    if not is_set_up:
        words = "You won't be told when a backup fails."
        todo = "Set up email or another target in Settings, or in setup.toml."
        issue = InstallationIssue(Part.MAIL, "Alerts are off", words, is_bad=False)
        return Reading(Subject.MAIL, Tone.WARN, "not set up", words, todo, issue)
    last = (
        f"the last was accepted {age(last_sent_at, now)}" if last_sent_at else "none was sent yet"
    )
    if dead:
        words = f"{many(dead, 'email')} could not be delivered; {last}."
        todo = "Settings shows why, with Try again and Dismiss."
        why = f"{many(dead, 'email')} could not be delivered, so you were not told."
        issue = InstallationIssue(Part.LOST_MAIL, "Email does not arrive", why, is_bad=False)
        return Reading(Subject.MAIL, Tone.BAD, f"{count(dead)} not delivered", words, todo, issue)
    if waiting:
        value, todo = (
            f"{count(waiting)} not sent",
            "Check the form in Settings; it also sends a test email.",
        )
        why = f"{many(waiting, 'email')} could not be sent yet: {refusal.rstrip('.')}."
        issue = InstallationIssue(Part.LOST_MAIL, "Email does not arrive", why, is_bad=False)
        return Reading(Subject.MAIL, Tone.WARN, value, sentences(why), todo, issue)
    if last_sent_at is None:  # nobody knows whether it would be taken
        words = "No alert was sent yet. Settings sends a test email."
        return Reading(Subject.MAIL, Tone.NONE, "set up, not used yet", words)
    return Reading(Subject.MAIL, Tone.OK, "set up", f"{last[0].upper()}{last[1:]}.")


def pages(kept_out: str) -> Reading:
    """Judge whether the pages can be opened; `kept_out`: whose program has the port, in words."""
    if not kept_out:
        return Reading(Subject.PAGES, Tone.OK, "served")
    todo = "Stop that program, or choose another port for bucketvault."
    title = "The pages cannot be opened"
    issue = InstallationIssue(Part.PAGES, title, f"{kept_out} {todo}", is_bad=False)
    return Reading(Subject.PAGES, Tone.BAD, "port in use", kept_out, todo, issue)


def uptime(machine_s: float, program_s: float) -> Reading:
    """Tell for how long both have been at work."""
    words = f"The machine has been up for {duration(machine_s)}."
    return Reading(Subject.UPTIME, Tone.OK, duration(program_s), words)


# ---- looks


def look_at_rclone(context: Context) -> Reading:
    """Find the program that copies; blocks for the first look at it."""
    try:
        found = find_binary(context.config.rclone)
    except (RcloneMissingError, NoMemoryError, KilledError) as error:
        return rclone("", "", error.summary, error.hint)
    return rclone(found.version, found.path)


def look_at_scheduler(context: Context) -> Reading:
    """Ask this process's scheduler; not known where another one may have it."""
    here = context.scheduler
    if here is None:
        return scheduler(None, None, context.now)
    return scheduler(here.is_beating(), here.last_beat_at, context.now)


def look_at_disk(context: Context, *, at: Path | None = None) -> Reading:
    """Measure the disk of the data folder; `at` a folder that exists on it."""
    place = context.config.data_dir
    try:
        found = shutil.disk_usage(at or place)
        wrong = unwritable(at or place)
    except OSError as error:
        words = f"The disk of {place} cannot be checked: {error.strerror}."
        return Reading(Subject.DISK, Tone.BAD, "not known", words, issue=_disk_issue(words))
    if wrong is not None:
        issue = InstallationIssue(Part.DISK, wrong.title, f"{wrong.words} {wrong.todo}", True)
        return Reading(Subject.DISK, Tone.BAD, "not writable", wrong.words, wrong.todo, issue)
    return disk(found.free, found.total, context.growth_bytes_a_day, str(place))


def look_at_database(context: Context) -> Reading:
    """Ask the database for its size. Raises what keeps it from answering."""
    days, restored = settings.load().log_retention_days, lately_restored(context.now)
    return database(database_bytes(), days, restored)


def look_at_copy(context: Context) -> Reading:
    """Look for the newest copy, and where there is none, since when it could be missed."""
    folder = context.config.backups
    first = None
    try:
        newest = maintenance.newest_copy(folder, context.now)
        richer = next(reversed(richer_copies(folder, context.now.date())), None)
    except OSError as error:
        return unreadable_copies(folder, error)
    if newest is None and context.config.database.exists():
        with connection():  # before its first provider nothing can be lost
            first = Provider.select(Provider.created_at).order_by(Provider.id).first()
    return copy_of_database(newest, first and first.created_at, context.now, richer)


def look_at_mail(context: Context) -> Reading:
    """See whether mail is set up and arrives."""
    if not context.config.database.exists():
        return mail(False, 0, None, context.now)
    with connection():
        emails = Mail.select().where(Mail.target.is_null())
        dead = emails.where(Mail.needs_attention()).count()
        last = emails.where(Mail.sent_at.is_null(False)).order_by(Mail.sent_at.desc()).first()
        tried = Mail.next_attempt_at.is_null(False) & (Mail.last_error != "")
        waiting = list(emails.where(tried).order_by(Mail.updated_at.desc()))
    stored = settings.load()
    return mail(
        stored.mail_is_set_up,
        dead,
        last and last.sent_at,
        context.now,
        elsewhere=stored.alerts_elsewhere,
        others=bool(targets.stored()),
        waiting=len(waiting),
        refusal=waiting[0].last_error if waiting else "",
    )


def look_at_clock(context: Context) -> Reading:
    """Compare the clock with what the newest run has noted."""
    last = None
    if context.config.database.exists():
        with connection():
            last = BackupRun.select().order_by(BackupRun.id.desc()).first()
    noted = last and (last.finished_at or last.started_at or last.created_at)
    return clock(context.now, noted, timetable.server_time_zone())


def look_at_pages(context: Context) -> Reading:
    """See whether the server at work, if there is one, has its port."""
    note = serve_note.read(context.config.data_dir)
    kept_out = note.kept_out if note is not None else ""
    return pages(kept_out if kept_out and is_served(context.config) else "")


# ---- who asks for which, in the order in which they are shown

Check = Callable[[Context], Reading]
HOME = (
    *(look_at_rclone, look_at_scheduler, look_at_disk, look_at_copy, look_at_key, look_at_mail),
    *(look_at_alerts, look_at_heartbeats, look_at_pages),
)
HEALTH = (look_at_scheduler, look_at_rclone, look_at_disk)  # and what only the monitor measures
HEALTH_STORED = (
    *(
        look_at_database,
        look_at_copy,
        look_at_key,
        look_at_mail,
        look_at_alerts,
        look_at_heartbeats,
    ),
    look_at_clock,
)


def issues(found: Iterable[Reading]) -> tuple[InstallationIssue, ...]:
    """Return what needs a person, in order; empty only when all is known and in order."""
    return tuple(reading.issue for reading in found if reading.issue is not None)


def installation_issues(
    config: Config, scheduler: Scheduler | None = None
) -> tuple[InstallationIssue, ...]:
    """Ask the checks of home, as any process on this data folder can; each page does, so cheap."""
    context = Context(config, utcnow(), scheduler)
    return issues(check(context) for check in HOME)


def fault(config: Config, scheduler: Scheduler | None) -> str:
    """Return what keeps a server from its work and a restart mends, in words; empty: nothing.

    Raises what keeps the database from answering.
    """
    context = Context(config, utcnow(), scheduler)
    look_at_database(context)
    is_still = look_at_scheduler(context).tone is Tone.BAD
    return "the scheduler has stalled" if is_still else ""
