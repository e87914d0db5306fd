"""State of this machine and this program: for the page Health, which asks while it is open.

Only the hour behind the plots is measured all the time: two numbers every ten seconds.
"""

import datetime as dt
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass

import psutil

from bucketvault.config import Config
from bucketvault.engine import maintenance, settings
from bucketvault.engine.health import checks
from bucketvault.engine.health.readings import Context, Reading, Subject
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.store.database import BusyError, connection
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import RunStatus

log = logging.getLogger(__name__)

EVERY_S = 10.0
HOUR_S = 3600.0
FRESH_S = 1.0  # several tabs see the same look


@dataclass(frozen=True, slots=True)
class Sample:
    """Two numbers of the last hour."""

    at: dt.datetime
    processor_percent: float  # of all cores together, since the sample before
    memory_bytes: int  # in use: what programs could not have


@dataclass(frozen=True, slots=True)
class Copying:
    """A run under way and its rclone. None: there is no such process now, or it was just met."""

    run_id: int
    backup_name: str
    started_at: dt.datetime | None
    pid: int | None
    processor_percent: float | None  # of one core, as top counts
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """One look at everything."""

    at: dt.datetime
    readings: tuple[Reading, ...]
    hour: tuple[Sample, ...]  # oldest first
    memory_bytes: int  # the machine has
    copying: tuple[Copying, ...]
    waiting: int
    at_most: int  # runs at a time


class _Processor:
    """The work of all cores between two calls of one caller."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def percent(self) -> float | None:
        """Return it since the call before; None when no time has passed."""
        now, before = psutil.cpu_times(), self._before
        passed = sum(now) - sum(before)
        if passed <= 0:
            return None
        self._before = now
        idle = (now.idle + now.iowait) - (before.idle + before.iowait)
        return max(0.0, min(100.0, 100.0 * (passed - idle) / passed))


class Monitor:
    """Measures the hour, and looks when asked. Every method may be called from any thread."""

    def __init__(self, config: Config, scheduler: Scheduler) -> None:
        self._config = config
        self._scheduler = scheduler
        self._hour: deque[Sample] = deque(maxlen=int(HOUR_S / EVERY_S))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="health", daemon=True)
        self._looking = threading.Lock()
        self._looked: tuple[float, Health] | None = None
        self._processor = _Processor()
        self._rclones: dict[int, tuple[psutil.Process, float, float]] = {}  # by run: time spent, at

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Measure no more."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _measure(self) -> None:
        processor = _Processor()
        while not self._ending.wait(EVERY_S):
            try:
                memory, percent = psutil.virtual_memory(), processor.percent()
                if percent is not None:
                    used = memory.total - memory.available
                    self._hour.append(Sample(utcnow(), percent, used))
            except Exception:  # the edge of a thread: it must not die
                log.exception("measuring failed unexpectedly")

    def look(self) -> Health:
        """Return everything as it is now, at most a second old. Blocks for some milliseconds."""
        with self._looking:
            if self._looked is not None and time.monotonic() - self._looked[0] < FRESH_S:
                return self._looked[1]
            found = self._look()
            self._looked = (time.monotonic(), found)
            return found

    def _look(self) -> Health:
        now = utcnow()
        growth = maintenance.growth_a_day(self._config.backups, now)
        context = Context(self._config, now, self._scheduler, growth)
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        percent, cores = self._processor.percent(), psutil.cpu_count() or 1
        found = [
            *(check(context) for check in checks.HEALTH),
            checks.memory(memory.total, memory.available),
            checks.swap(swap.total, swap.used),
            checks.processor(percent, psutil.getloadavg()[0], cores),
        ]
        copying: tuple[Copying, ...] = ()
        waiting, at_most = 0, 0
        try:
            with connection():
                found += [check(context) for check in checks.HEALTH_STORED]
                copying = self._copying()
                waiting = BackupRun.select().where(BackupRun.status == RunStatus.PENDING).count()
                at_most = settings.load().max_parallel_runs
        except (BusyError, BucketvaultError) as error:
            words = f"It does not respond: {error}."
            todo = "If this persists, run: bucketvault doctor"
            found.append(Reading(Subject.DATABASE, Tone.BAD, "no answer", words, todo))
        for_s = (time.time() - psutil.boot_time(), time.time() - psutil.Process().create_time())
        found.append(checks.uptime(*for_s))
        hour = tuple(self._hour)
        return Health(now, tuple(found), hour, memory.total, copying, waiting, at_most)

    def _copying(self) -> tuple[Copying, ...]:
        running = BackupRun.status == RunStatus.RUNNING
        runs = BackupRun.select(BackupRun, Backup).join(Backup).where(running)
        found = tuple(self._of_run(run) for run in runs.order_by(BackupRun.id))
        for ended in set(self._rclones) - {copying.run_id for copying in found}:
            del self._rclones[ended]
        return found

    def _of_run(self, run: BackupRun) -> Copying:
        percent = memory = pid = None
        try:
            process = self._process(run)
            if process is not None:
                spent, now = sum(process.cpu_times()[:2]), time.monotonic()
                before = self._rclones.get(run.id)
                if before is not None and before[0] == process and now > before[2]:
                    percent = 100.0 * (spent - before[1]) / (now - before[2])
                self._rclones[run.id] = (process, spent, now)
                pid, memory = process.pid, int(process.memory_info().rss)
        except psutil.Error:  # it has just ended
            pid = None
        return Copying(run.id, run.backup.name, run.started_at, pid, percent, memory)

    def _process(self, run: BackupRun) -> psutil.Process | None:
        """Return the run's rclone, and certainly that: it works in the folder of the run."""
        if run.rclone_pid is None:
            return None
        process = psutil.Process(run.rclone_pid)
        folder = RunFolder(self._config.runs, run.uuid).path
        return process if process.cwd() == str(folder.resolve()) else None
