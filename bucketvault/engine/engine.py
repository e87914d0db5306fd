"""The engine: the threads that take runs from the queue and look after them, and what they share.

One engine works on a data folder at a time: it holds `app.lock`. Others may read, and insert
pending runs; the engine finds those within a second.
"""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.about import SettingsPage, settings_page
from bucketvault.engine.alerts.run_pings import RunPings
from bucketvault.engine.alerts.sender import Alerts
from bucketvault.engine.catalogue import backups, rows
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.events import Live
from bucketvault.engine.folder_lock import FolderHold
from bucketvault.engine.health import checks
from bucketvault.engine.health.monitor import Monitor
from bucketvault.engine.heartbeat import Ping
from bucketvault.engine.mail.mail_views import Received
from bucketvault.engine.mail.sender import Mailer
from bucketvault.engine.maintenance import Housekeeper
from bucketvault.engine.providers import Providers
from bucketvault.engine.runs import ledgers, queue, stamps, verifying
from bucketvault.engine.runs.folder import RunFolder, run_folders
from bucketvault.engine.runs.kept_versions import Kept, KeptVersions, asked_without_a_run
from bucketvault.engine.runs.restore_listing import open_history
from bucketvault.engine.runs.restore_script import Script, write_script
from bucketvault.engine.runs.restoring import Day, History
from bucketvault.engine.runs.row import RunContext
from bucketvault.engine.runs.worker import Worker
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.settings import Settings
from bucketvault.engine.setup import writing
from bucketvault.engine.shared import Shared
from bucketvault.engine.views import backups as views
from bucketvault.engine.views import copies, history, money
from bucketvault.engine.views.calendar import DayBook, Days
from bucketvault.engine.views.home import HomeView, first_steps
from bucketvault.engine.views.situation import InstallationIssue, Part, Situation, situation_of
from bucketvault.store import run_logs
from bucketvault.store.database import (
    BusyError,
    Writes,
    close_database,
    connection,
    data_version,
    describe_sqlite_error,
    on_written,
)
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.store.opening import open_store
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import RunKind, RunStatus, Topic, Trigger

log = logging.getLogger(__name__)

LOOK_S = 1.0  # how soon a run queued by another process is found
STOP_S = 8.0
ADOPT_S = 5.0
ADOPT_EVERY_S = 30.0  # how soon a run whose worker met its end gets another
IS_RUNNING = BackupRun.status == RunStatus.RUNNING


class Backups:
    """Functions of the catalogue and of the history that pages call, where tests put others."""

    check = staticmethod(backups.check)
    create = staticmethod(backups.create)
    change = staticmethod(backups.change)
    set_enabled = staticmethod(backups.set_enabled)
    stored = staticmethod(backups.stored)
    going = staticmethod(backups.going)
    runs_page = staticmethod(history.runs_page)
    measures = staticmethod(history.measures)
    spent = staticmethod(money.spent)
    services = staticmethod(money.by_provider)

    def __init__(self, folder: Path) -> None:
        self._ledgers = folder

    def delete(self, backup_id: int) -> int:
        """Delete a Backup, see `backups.delete`, and what is known of its objects."""
        runs = backups.delete(backup_id)
        ledgers.sweep(self._ledgers)
        return runs


class Engine:
    """Started once, stopped once. Every method may be called from any thread, and may block."""

    log_size = staticmethod(run_logs.size)
    log_counts = staticmethod(run_logs.counts)
    log_rows = staticmethod(run_logs.rows)
    log_rows_at = staticmethod(run_logs.rows_at)
    log_find = staticmethod(run_logs.find)
    log_matches = staticmethod(run_logs.matches)
    log_lines = staticmethod(run_logs.lines_and_kinds)
    log_raw = staticmethod(run_logs.raw)
    overview_backup = staticmethod(views.backup_page)
    approve_run = staticmethod(queue.approve)
    not_backed_up = staticmethod(copies.not_backed_up)
    copies = staticmethod(copies.view)

    def __init__(
        self, config: Config, role: str, *, schedules: bool = False, starts: bool = True
    ) -> None:
        self.config = config
        self.backups = Backups(config.ledgers)
        self.schedules = schedules  # whether it starts backups at their planned times
        self._starts = starts  # runs of the queue; else it only looks after those in progress
        self.live = Live()
        self.zone = ZoneInfo(timetable.server_time_zone())
        self.vault = Vault(config.key_file)
        self._day_book = DayBook(self.zone)
        self._writes = Writes(config.database)
        # asked by every open page at each change, while a run moves several times a second
        self.overview_backups = Shared(self._writes.seen, views.backups)
        self.overview_run = Shared(self._writes.seen, views.run_page)
        self.answer = Shared(self._writes.seen, self._work_out_answer)
        self.providers = Providers(config, self.live, lambda: self.vault)
        self.mail = Mailer(lambda: self.vault)
        self.alerts = Alerts(lambda: self.vault)
        self.run_pings = RunPings()
        self.ping = Ping(self._what_is_not_well, self.live)
        # what the demo's own mail server has taken; None: this is no demo
        self.mailbox: Callable[[], tuple[Received, ...]] | None = None
        # ends all sessions, of which the server knows
        self.sign_out_everywhere: Callable[[], object] = lambda: None
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._hold = FolderHold(config.lock, role)
        self._workers: dict[int, tuple[Worker, threading.Thread]] = {}
        self._workers_lock = threading.Lock()
        self._adopts_at = 0.0
        self.scheduler = Scheduler(self.installation_issues)
        self._schedule = self.scheduler if schedules else None  # to be watched
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)
        self._housekeeper = Housekeeper(config)
        self.health = Monitor(config, self.scheduler)

    # life

    def take_folder(self) -> bool:
        """Hold the data folder until `stop`, before the start; True if it was not held before.

        Raises AlreadyRunningError when another bucketvault holds it.
        """
        self.config.make_folders()
        return self._hold.take()

    def start(self) -> None:
        """Take the data folder, look after runs under way, and begin to take new ones.

        Raises AlreadyRunningError when another bucketvault holds the folder, DatabaseHeldError
        when another program holds the database: then it may be called again.
        """
        took = self.take_folder()
        try:
            self.vault = open_store(self.config, check=True)
            on_written(self._written)
            for thread in self._adopt():  # what is over is told before anything new begins
                thread.join(ADOPT_S)
            self._sweep()
            ledgers.sweep(self.config.ledgers)
        except BaseException as error:
            on_written(None)
            if took:
                self._hold.release()
            if isinstance(error, BusyError):
                raise describe_sqlite_error(error, self.config.database) from error
            raise
        self._dispatcher.start()
        if self.schedules:
            self.scheduler.start()
            self._housekeeper.start()
            self.health.start()
            self.ping.start()
        for sender in (self.mail, self.alerts, self.run_pings):
            sender.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End all threads. Runs that copy continue alone; runs that check wait again."""
        self._ending.set()
        self._wake.set()
        self.providers.stop()
        deadline = time.monotonic() + timeout_s
        self.scheduler.stop(timeout_s)  # first of all, so that it plans nothing any more
        self.ping.stop()
        if self._dispatcher.is_alive():  # first, so that it starts nothing any more
            self._dispatcher.join(max(0.0, deadline - time.monotonic()))
        with self._workers_lock:
            workers = list(self._workers.values())
        for worker, _ in workers:
            worker.leave()
        for _, thread in workers:
            thread.join(max(0.0, deadline - time.monotonic()))
        for helper in (self._housekeeper, self.health):
            helper.stop(max(0.0, deadline - time.monotonic()))
        for sender in (self.mail, self.alerts, self.run_pings):
            sender.stop()
        on_written(None)
        self._hold.release()
        self._writes.close()
        close_database()

    # the queue

    def _dispatch(self) -> None:
        while not self._ending.is_set():
            try:
                with connection():  # one connection for all turns: data_version compares within it
                    seen = data_version()
                    # what others wrote since a fault
                    self.live.publish(Topic.BACKUPS, Topic.CATALOGUE)
                    while not self._ending.is_set():
                        self.scheduler.heal()
                        if time.monotonic() > self._adopts_at:
                            self._adopts_at = time.monotonic() + ADOPT_EVERY_S
                            self._adopt()
                        while self._starts and self._start_next():
                            pass
                        self._wake.wait(LOOK_S)
                        self._wake.clear()
                        if (now := data_version()) != seen:
                            seen = now
                            self.live.publish(Topic.BACKUPS, Topic.CATALOGUE)
            except BusyError as error:
                log.warning("database busy", extra={"cause": str(error)})
                self._ending.wait(10 * LOOK_S)
            except Exception:  # the edge of a thread: it must not die
                log.exception("the queue failed unexpectedly")
                self._ending.wait(10 * LOOK_S)

    def _written(self, topics: Collection[str]) -> None:
        """Tell pages and the queue what this process has just written."""
        self.live.publish(*topics)
        if Topic.QUEUE in topics:
            self._wake.set()

    def _start_next(self) -> bool:
        if self._ending.is_set():
            return False
        claimed = queue.claim(self.config.runs, settings.load().max_parallel_runs)
        if claimed is None:
            return False
        run, folder, lock = claimed
        try:
            self._look_after(run, folder, lock)
        except BaseException:
            os.close(lock)  # nobody works on it: `_adopt` finds that
            raise
        return True

    def _look_after(self, run: BackupRun, folder: RunFolder, lock: int | None) -> threading.Thread:
        context = RunContext(
            runs=self.config.runs,
            ledgers=self.config.ledgers,
            vault=self.vault,
            rclone=self.config.rclone,
            live=self.live,
            ending=self._ending,
            stall_s=60.0 * settings.load().stall_minutes,
        )
        worker = Worker(context, run, folder, lock)

        def work() -> None:
            try:
                worker.work()
            finally:
                self._forget(run.id, worker)
                self._wake.set()

        thread = threading.Thread(target=work, name=f"run-{run.id}", daemon=True)
        with self._workers_lock:
            self._workers[run.id] = (worker, thread)
        try:
            thread.start()
        except BaseException:  # the machine has no thread left
            self._forget(run.id, worker)
            raise
        return thread

    def _forget(self, run_id: int, worker: Worker) -> None:
        with self._workers_lock:
            # back in the queue and taken again, a run has another worker by now
            if self._workers.get(run_id, (None,))[0] is worker:
                del self._workers[run_id]

    def _adopt(self) -> list[threading.Thread]:
        """Look after every run that nobody here looks after; the threads of those that are over.

        An earlier program left it, or its worker could not begin, or met its end.
        """
        with self._workers_lock:
            known = list(self._workers)
        with connection():
            left = list(BackupRun.select().where(IS_RUNNING, BackupRun.id.not_in(known)))
        ended = []
        for run in left:
            folder = RunFolder(self.config.runs, run.uuid)
            is_over = folder.is_free()
            thread = self._look_after(run, folder, None)
            if is_over:
                ended.append(thread)
        return ended

    def _sweep(self) -> None:
        """Remove folders of runs that ended; one that is still worked on is left alone."""
        with connection():
            running = {run.uuid for run in BackupRun.select().where(IS_RUNNING)}
        for folder in run_folders(self.config.runs):
            if folder.uuid in running:
                continue
            if folder.is_free():
                folder.remove()
            else:
                log.warning("an unknown run is in progress", extra={"folder": str(folder.path)})

    def _what_is_not_well(self) -> str:
        """Return what keeps the ping from going out; empty while all is well."""
        answer = self._work_out_answer()  # as it is now: it is asked once a minute
        bad = [f"{want.title}." for want in answer.installation_issues if want.is_bad]
        return answer.sentence if answer.backup_issues else next(iter(bad), "")

    # what pages and commands ask for

    def run_now(self, backup_id: int, trigger: Trigger = Trigger.MANUAL) -> int:
        """Queue a run of a backup and give its id; the id of the one under way, if there is one."""
        return queue.enqueue(backup_id, trigger)[0]

    def preview(self, backup_id: int) -> int:
        """Queue a look at what a run of this backup would do; its id. Raises InUseError."""
        return queue.enqueue(backup_id, Trigger.MANUAL, kind=RunKind.PREVIEW)[0]

    def verify(self, backup_id: int) -> int:
        """Queue a run that reads and compares all objects of this backup; its id.

        Raises NotFoundError, InUseError, BucketvaultError where no copy was proven yet.
        """
        return verifying.enqueue(self.config.ledgers, backup_id, Trigger.MANUAL)[0]

    def kept_versions(self, backup_id: int) -> Kept:
        """The kept versions of a backup, asked of the provider: takes seconds.

        Raises NotFoundError, RcloneMissingError, VaultError, KeptVersionsError.
        """
        with connection():
            backup = rows.get(Backup, backup_id)
        bucket = self.providers.bucket(backup.destination_storage_id)
        with asked_without_a_run():
            times = stamps.known_times(backup_id)
            return KeptVersions(*bucket, backup.archive_key).kept(backup.retention_days, times)

    def history(
        self, backup_id: int, on_count: Callable[[int], None], stopped: threading.Event
    ) -> History:
        """Return what a copy was after each run: lists all its kept versions, see `open_history`.

        Raises NotFoundError, RcloneMissingError, VaultError, RestoreError, CancelledError.
        """
        with connection():
            backup = rows.get(Backup, backup_id)
        _, remote, _ = self.providers.bucket(backup.destination_storage_id)
        return open_history(
            self.config.ledgers, backup_id, remote, on_count=on_count, stopped=stopped
        )

    def restore_script(
        self, history: History, day: Day, under: bytes, title: str
    ) -> tuple[Script, IO[bytes]]:
        """Return the script that restores a day or one folder of it, as a file without a name.

        Raises RestoreError, OSError.
        """
        file = tempfile.TemporaryFile(dir=self.config.ledgers)  # noqa: SIM115  the caller's
        return write_script(history, day, under, title, file, self.config.ledgers), file

    def stop_run(self, run_id: int) -> None:
        """Ask a run to end; one that waits is taken from the queue. An ended one stays as it is.

        The run's worker is told first: a database that is busy must not lose a Stop.
        """
        with self._workers_lock:
            found = self._workers.get(run_id)
        if found is not None:
            found[0].stop()
        queue.request_stop(run_id, is_told=found is not None)

    def installation_issues(self) -> tuple[InstallationIssue, ...]:
        """Return what the program itself needs a person for."""
        return checks.installation_issues(self.config, self._schedule)

    def fault(self) -> str:
        """Return what keeps us from our work and a restart mends; may block, and raise."""
        return checks.fault(self.config, self._schedule)

    def home(self) -> HomeView:
        """All that the home page shows."""
        now, rows, issues = utcnow(), self.overview_backups(), self.installation_issues()
        return HomeView(
            rows,
            situation_of(rows, issues),
            self._day_book.days(rows, now),
            first_steps(rows, mail_is_set_up=not any(issue.part is Part.MAIL for issue in issues)),
        )

    def days(self, row: views.BackupRow) -> Days | None:
        """The last 30 days of one backup, until today; None when it is gone."""
        return self._day_book.days([row], utcnow()).get(row.id)

    def zone_of(self, name: str) -> ZoneInfo:
        """Return the zone of this name, that of a backup; the server's where it is not known."""
        return timetable.zone_of(name, self.zone)

    def zone_of_run(self, run_id: int) -> ZoneInfo:
        """Return the zone in which the times of a run are told: that of its backup."""
        return self.zone_of(views.time_zone_of(run_id))

    def _work_out_answer(self) -> Situation:
        return situation_of(self.overview_backups(), self.installation_issues())

    def settings_page(self) -> SettingsPage:
        """Return all that the page of the settings shows."""
        return settings_page(self.config, self.ping.state())

    def setup_text(self) -> str:
        """Return the setup as a file without secrets."""
        return writing.setup_text().text

    def watch_elsewhere(self, elsewhere: bool) -> None:
        """Note that alerts are off because a person watches in another way, or undo that."""
        settings.change({"alerts_elsewhere": elsewhere}, self.vault)

    def change_settings(self, given: Mapping[str, object], seen: Settings) -> Settings:
        """Change what is in `given`, seen as in `seen`; all settings as they are then.

        Raises InvalidInputError, ChangedMeanwhileError, VaultError: see `settings.change`.
        """
        settings.change(given, self.vault, seen)
        return settings.load()
