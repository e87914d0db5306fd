"""Starts backups at their planned times, and makes up for the time when the program was off.

What is due is in the database: `next_due_at` is the first planned time that nothing was done
for yet. A beat looks at every backup, each in a transaction of its own, so that one that cannot be
planned starves no other. Nothing is remembered between two beats, so nothing is lost by a restart.

Decisions: docs/decisions/schedule.md.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import schedule

from bucketvault.engine.domain import times as timetable
from bucketvault.engine.runs import queue
from bucketvault.engine.schedule import nightly, overdue, weekly
from bucketvault.errors import TimingError
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import IS_ACTIVE, Backup, BackupRun, utcnow
from bucketvault.vocabulary import Topic, Trigger

log = logging.getLogger(__name__)

LATE = dt.timedelta(minutes=5)  # after its planned time a run is called late
WRONG = dt.timedelta(hours=1)  # a time so far ahead was noted by a clock that was wrong
BEGINNING = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # before this program was, no clock is right
FRESH_S = 60.0  # the last good beat of a scheduler that works
SAY_AGAIN_S = 60.0
TELL_EVERY_S = 60.0
EVERY_S = 5  # between two beats
TURN_S = 1.0
LATE_S = 2.0 * EVERY_S  # then the wall clock went back
HANGS_S = 60.0
REPLACED_AT_MOST = 3  # a thread that hangs cannot be ended: they must not pile up


class Scheduler:
    """The thread that plans. Every method may be called from any thread."""

    def __init__(self, issues: weekly.Issues = tuple) -> None:
        self._issues = issues  # what the program itself needs a person for: a report tells it
        self.last_beat_at: dt.datetime | None = None  # of the last one that did all its work
        self._beaten: float | None = None  # the same by the monotonic clock
        self._told: float | None = None  # when overdue backups were last looked for
        self._waits_since: float | None = None  # the clock was wrong then, and that was logged
        self._said: dict[int, float] = {}  # about which backup a fault was logged, and when
        self._pulse = Pulse(self.beat)

    def start(self) -> None:
        """Begin; the first beat comes at once."""
        self._beaten = time.monotonic()
        self._pulse.start()

    def stop(self, timeout_s: float) -> None:
        """Plan nothing any more."""
        self._pulse.stop(timeout_s)
        self._beaten = None

    def heal(self) -> None:
        """See that the thread lives."""
        self._pulse.heal()

    def is_beating(self) -> bool:
        """True if backups are started at their times: the last good beat is not long ago."""
        return not _is_past(self._beaten, FRESH_S)

    def beat(self) -> None:
        """Queue what is due; once a minute see what is overdue, and whether a report is due.

        A backup at fault is logged, and the others are looked after; where the clock cannot be
        right, nothing is, and this is no beat. Raises BusyError where the database is busy.
        """
        now = utcnow()
        if now < BEGINNING:  # the machine has just started, and is told the time soon, or never
            if _is_past(self._waits_since, SAY_AGAIN_S):
                self._waits_since = time.monotonic()
                log.error("nothing is scheduled until the clock is right", extra={"clock": now})
            return
        due = _to_look_at(now, self._at_fault)
        self._for_each(due, lambda backup_id: plan(backup_id, now))
        self._for_each(nightly.backups_to_read(now), nightly.queue_reading)
        if _is_past(self._told, TELL_EVERY_S):
            self._for_each(overdue.backups_to_tell(), overdue.tell)
            self._report(now)
            self._told = time.monotonic()
        self.last_beat_at, self._beaten = now, time.monotonic()

    def _report(self, now: dt.datetime) -> None:
        try:
            weekly.tell(now, self._issues)
        except BusyError:
            raise
        except Exception:  # backups are started all the same
            log.exception("the weekly report failed unexpectedly")

    def _for_each(self, backup_ids: Iterable[int], work: Callable[[int], None]) -> None:
        for backup_id in backup_ids:
            try:
                work(backup_id)
            except BusyError:
                raise
            except Exception as error:
                self._at_fault(backup_id, error)

    def _at_fault(self, backup_id: int, error: Exception) -> None:
        if _is_past(self._said.get(backup_id), SAY_AGAIN_S):
            self._said[backup_id] = time.monotonic()
            unknown = None if isinstance(error, TimingError) else error
            about = {"backup": backup_id, "why": error}
            log.error("a backup cannot be scheduled", extra=about, exc_info=unknown)


def _is_past(since: float | None, seconds: float) -> bool:
    """True if so many seconds have passed since a moment of the monotonic clock, or it is None."""
    return since is None or time.monotonic() - since >= seconds


def _to_look_at(now: dt.datetime, at_fault: Callable[[int, Exception], None]) -> list[int]:
    """Backups whose next planned time has come or is not right, in planned order."""
    found = []
    timing = (Backup.schedule, Backup.at, Backup.weekday, Backup.time_zone)
    with connection():
        under_way = {run.backup_id for run in BackupRun.select(BackupRun.backup).where(IS_ACTIVE)}
        enabled: Any = (  # Any: plain values by column
            Backup.select(Backup.id, Backup.next_due_at, *timing)
            .where(Backup.enabled)
            .order_by(Backup.next_due_at, Backup.id)
            .objects(SimpleNamespace)  # peewee's own take twice as long, every few seconds
        )
        for backup in enabled:
            due = backup.next_due_at
            if due is not None and due <= now:
                if backup.id not in under_way:
                    found.append(backup.id)
                continue
            try:
                if due != timetable.next_due(backup, now):
                    found.append(backup.id)
            except TimingError as error:
                at_fault(backup.id, error)
    return found


def plan(backup_id: int, now: dt.datetime) -> None:
    """Queue a run if a planned time has come, and note the next.

    One run makes up for all planned times that have passed, and the next regular one stays where
    it is. While a run or a preview is under way nothing changes: the planned time waits for its
    end. A next planned time that is not right any more, because the clock was put forward or back,
    is set right. Raises TimingError.
    """
    with writing():
        backup = Backup.get_or_none(Backup.id == backup_id)
        if backup is None or not backup.enabled:
            return
        due, expected = backup.next_due_at, timetable.next_due(backup, now)
        if due is None or due > now:
            if due is not None and due > expected:  # the clock was ahead: of then nothing is known
                Backup.update(planned_since=now).where(Backup.id == backup_id).execute()
            _note_next(backup, expected)
            return
        if queue.run_under_way(backup_id) is not None:
            return
        planned = timetable.latest_due(backup, now)
        if planned >= due and not _is_done(backup_id, planned, now):
            late = now - planned > LATE
            queue.enqueue(
                backup_id,
                Trigger.CATCH_UP if late else Trigger.SCHEDULE,
                scheduled_for=planned,
                skipped_slots=_skipped(backup, due, planned),
            )
        _note_next(backup, expected)


def _note_next(backup: Backup, expected: dt.datetime) -> None:
    if backup.next_due_at != expected:
        with writing(Topic.BACKUPS):
            Backup.update(next_due_at=expected).where(Backup.id == backup.id).execute()


def _is_done(backup_id: int, planned: dt.datetime, now: dt.datetime) -> bool:
    """True if a run was queued for this planned time.

    One that was queued by a clock that was ahead, before the time had come, does not count, and is
    not called the run of this planned time any more.
    """
    same = (BackupRun.backup == backup_id) & (BackupRun.scheduled_for == planned)
    run = BackupRun.get_or_none(same)
    if run is None:
        return False
    earlier_came_after = BackupRun.select().where(
        BackupRun.backup == backup_id,
        BackupRun.id > run.id,
        BackupRun.scheduled_for < planned,
    )
    if run.created_at <= now + WRONG and not earlier_came_after.exists():
        return True
    BackupRun.update(scheduled_for=None, skipped_slots=0).where(same).execute()
    return False


def _skipped(backup: Backup, due: dt.datetime, planned: dt.datetime) -> int:
    """Count the planned times before `planned` that nothing was done for.

    `due` may be before ones that were done, or before the backup was there: the clock may have
    been behind meanwhile.
    """
    done = (
        BackupRun.select(BackupRun.scheduled_for)
        .where(BackupRun.backup == backup.id, BackupRun.scheduled_for < planned)
        .order_by(BackupRun.scheduled_for.desc())
        .first()
    )
    before = due - dt.timedelta(microseconds=1)  # `due` is one of them
    if done is not None and done.scheduled_for is not None:
        before = max(before, done.scheduled_for)
    if backup.created_at < planned:
        before = max(before, backup.created_at)
    return timetable.planned_times(backup, before, planned) - 1


class Pulse:
    """Calls `beat` at once, and then every few seconds, in a thread of its own.

    `schedule` beats and decides nothing. Left to itself (1.2.2) it uses the wall clock: it
    stops for an hour where clocks go back, or for as long as they were put back. So this
    loop watches it by the monotonic clock, and winds it up again.

    What `beat` raises is logged, and it is called again.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._over = threading.Event()  # for the thread at work: each has its own
        self._thread: threading.Thread | None = None
        self._turned = 0.0  # when the thread last came round, by the monotonic clock
        self._began = 0.0  # when the last beat began
        self._replaced = 0

    def start(self) -> None:
        """Begin to beat."""
        self._over = threading.Event()
        self._turned = time.monotonic()
        thread = threading.Thread(target=self._run, args=(self._over,), name="pulse", daemon=True)
        thread.start()
        self._thread = thread  # not before it lives: another thread may look meanwhile

    def stop(self, timeout_s: float) -> None:
        """End the thread; a beat under way is waited for, so long."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def heal(self) -> None:
        """Start again when the thread is dead or hangs. To be called every now and then."""
        if self._thread is None or self._over.is_set():
            return
        is_alive = self._thread.is_alive()
        if is_alive and time.monotonic() - self._turned < HANGS_S:
            if self._turned > self._began:
                self._replaced = 0  # it has come round since: whatever it was is over
            return
        if self._replaced == REPLACED_AT_MOST:
            return
        self._replaced += 1
        how = "hangs" if is_alive else "has died"
        log.error("the scheduler thread %s and is restarted", how, extra={"time": self._replaced})
        self._over.set()  # should it wake up after all
        self.start()

    def _run(self, over: threading.Event) -> None:
        clock = self._wound()
        self._guarded_beat()
        while not over.wait(TURN_S):
            self._turned = time.monotonic()
            try:
                if self._turned - self._began > LATE_S:
                    clock = self._wound()
                    self._guarded_beat()
                clock.run_pending()
            except Exception:
                log.exception("the scheduler thread failed unexpectedly")
                clock = self._wound()

    def _wound(self) -> schedule.Scheduler:
        clock = schedule.Scheduler()
        clock.every(EVERY_S).seconds.do(self._guarded_beat)
        return clock

    def _guarded_beat(self) -> None:
        self._began = time.monotonic()
        try:
            self._beat()
        except Exception:  # the edge of a thread: it must not die
            log.exception("a scheduler check failed unexpectedly")
