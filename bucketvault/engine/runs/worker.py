"""One run from its claim to its end, in a thread of its own; or from its adoption to its end.

    checking (preflight) -> copying (runner and rclone, detached) -> finish

Every way out ends in one guarded UPDATE, or leaves the run to whoever looks after it next.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import peewee as pw

from bucketvault.engine import catalogue
from bucketvault.engine.live import BACKUPS, Live, log_topic, run_topic
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.process import CancelledError
from bucketvault.engine.rclone.remotes import Remote, config_text
from bucketvault.engine.runs import outcome
from bucketvault.engine.runs.folder import RunFolder, reap
from bucketvault.engine.runs.follower import Follower
from bucketvault.engine.runs.preflight import Preflight
from bucketvault.errors import (
    BucketvaultError,
    RcloneMissingError,
    RunFailedError,
    VaultError,
)
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import BackupRun, Provider
from bucketvault.store.vault import Vault
from bucketvault.untrusted import Redactor
from bucketvault.vocabulary import Phase, Reason, RunStatus

log = logging.getLogger(__name__)
T = TypeVar("T")

STEP_S = 0.2
WATCHED_STEP_S = 0.1  # while somebody looks at the log
LOOK_AT_ROW_S = 1.0  # how often Stop pressed by another process is looked for
RETRY_S = 2.0  # while the database cannot take what we have


class LeftAloneError(Exception):
    """The program ends; the run goes on, or goes back to the queue."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of this program shares."""

    runs: Path  # the folder of run folders
    vault: Vault
    rclone: str  # path of an rclone to use instead of ours; empty: ours
    live: Live
    ending: threading.Event  # set when the program ends


class Worker:
    """Looks after one run. `work` is the thread's function and raises nothing."""

    def __init__(
        self,
        surroundings: Surroundings,
        run: BackupRun,
        folder: RunFolder,
        lock: int | None,  # None: adopted; somebody else started it
    ) -> None:
        self._around = surroundings
        self._run = run
        self._folder = folder
        self._lock = lock
        self._names = outcome.names_of(run)
        self._stop = threading.Event()  # Stop was pressed, or the program ends while checking
        self._stop_told = False
        self._row_looked_at = 0.0
        self._rclone_pid: int | None = None

    @property
    def run_id(self) -> int:
        """The run this worker looks after."""
        return self._run.id

    def stop(self) -> None:
        """Note, from any thread, that Stop was pressed; the row says so already."""
        self._stop.set()

    def leave(self) -> None:
        """End the checks, from any thread, because the program ends; copying goes on without us."""
        if self._run.phase == Phase.CHECKING:
            self._stop.set()

    def work(self) -> None:
        """Bring the run to its end, or leave it alone when the program ends."""
        try:
            self._log_story("run started" if self._lock is not None else "run adopted")
            ending = self._to_its_end()
        except LeftAloneError:
            return
        except Exception as error:  # the edge of a thread: whatever it is, the run says so
            log.exception("run failed by a fault of ours", extra={"run": self._run.id})
            ending = outcome.internal(error)
        finally:
            self._let_go()
            reap()
        self._finish(ending)

    def _to_its_end(self) -> outcome.Outcome:
        try:
            return self._follow(self._adopt() if self._lock is None else self._check_and_start())
        except CancelledError:
            if self._around.ending.is_set() and not self._stop_requested():
                self._back_to_queue(once=False)
                raise LeftAloneError from None
            return outcome.stopped(touched=False)
        except RunFailedError as error:
            return outcome.failed(error.reason, error)
        except VaultError as error:
            return outcome.failed(Reason.CREDENTIALS, error)
        except RcloneMissingError as error:
            return outcome.failed(Reason.RCLONE_MISSING, error)
        except BucketvaultError as error:
            return outcome.failed(Reason.REFUSED, error)

    # checking

    def _check_and_start(self) -> Follower:
        binary = find_binary(self._around.rclone)
        source, destination = self._remotes()
        self._note(spec=self._run.spec | {"rclone_version": binary.version})
        preflight = Preflight(
            binary,
            source,
            destination,
            self._names,
            stopped=self._stop,
            keep_open=[self._held_lock()],
        )
        preflight.destination_answers()
        size = preflight.source_size()
        if self._stop.is_set():
            raise CancelledError("Stopped before anything was copied.")
        # The phase first: a crash between the two must not look like "nothing was touched".
        self._note(phase=Phase.COPYING, source_objects=size.objects, source_bytes=size.bytes)
        config = config_text({"source": source, "dest": destination})
        lock, self._lock = self._held_lock(), None
        self._folder.start(binary, self._run.spec["arguments"], config, lock)
        self._log_story("rclone started")
        return Follower(self._run.id, self._folder.spool, _redactor(source, destination))

    def _remotes(self) -> tuple[Remote, Remote]:
        with connection():
            found = [
                Provider.get_by_id(self._run.spec[end]["provider_id"])
                for end in ("source", "destination")
            ]
        source, destination = (
            catalogue.decrypted_remote(provider, self._around.vault) for provider in found
        )
        return source, destination

    def _adopt(self) -> Follower:
        try:
            redactor = _redactor(*self._remotes())
        except (BucketvaultError, pw.DoesNotExist):
            redactor = Redactor(())  # the key is lost: nothing can be looked for
        follower = Follower(self._run.id, self._folder.spool, redactor)
        if self._folder.spool.exists():
            self._patiently(follower.start_over)
        return follower

    # copying

    def _follow(self, follower: Follower) -> outcome.Outcome:
        """Read along until nobody works on the run, then say how it ended."""
        while True:
            if self._around.ending.is_set():
                raise LeftAloneError
            over = self._folder.is_free()  # asked first: what is written until then is read below
            if over:
                break
            if self._rclone_pid is None:
                self._rclone_pid = self._folder.started().get("rclone_pid")
            with contextlib.suppress(BusyError):  # busy or full: the next step has it
                if follower.step(rclone_pid=self._rclone_pid):
                    self._publish(log_topic(self._run.id), run_topic(self._run.id), BACKUPS)
            # Blind at the destination, rclone replaces without keeping: better no run than that.
            if (self._stop_requested() or follower.transcript.unseen) and not self._stop_told:
                self._stop_told = self._folder.ask_to_stop()
            watched = self._around.live.is_watched(log_topic(self._run.id))
            self._around.ending.wait(WATCHED_STEP_S if watched else STEP_S)
        self._patiently(lambda: follower.step(final=True))
        return self._how_it_ended(follower)

    def _how_it_ended(self, follower: Follower) -> outcome.Outcome:
        record = self._folder.exit_record()
        requested = self._stop_requested(look=True)
        if record is None and self._run.phase == Phase.CHECKING and not requested:
            if not self._run.requeued:
                self._back_to_queue(once=True)
                raise LeftAloneError
            return outcome.interrupted(self._folder, touched=False)
        if record is None:
            if requested and self._run.phase == Phase.CHECKING:
                return outcome.stopped(touched=False)
            return outcome.interrupted(self._folder, touched=True)
        return outcome.of_exit(record, follower, self._names, stop_requested=requested)

    # small steps

    def _held_lock(self) -> int:
        if self._lock is None:
            raise RuntimeError("the run's lock is not ours any more")
        return self._lock

    def _stop_requested(self, *, look: bool = False) -> bool:
        """Whether somebody pressed Stop: here, or in another process, which only wrote the row."""
        if time.monotonic() - self._row_looked_at > LOOK_AT_ROW_S or look:
            self._row_looked_at = time.monotonic()
            with contextlib.suppress(BusyError), connection():
                row = BackupRun.select(BackupRun.stop_requested_at).where(
                    BackupRun.id == self._run.id
                )
                self._run.stop_requested_at = row.scalar()
        return self._run.stop_requested_at is not None

    def _note(self, **fields: object) -> None:
        """Change the running row; if somebody else ended the run, there is nothing left to do."""
        if not self._change(**fields):
            raise LeftAloneError
        self._publish(run_topic(self._run.id), BACKUPS)

    def _change(self, **fields: object) -> bool:
        with writing():
            return self._run.change(RunStatus.RUNNING, **fields)

    def _end(self, ending: outcome.Outcome) -> bool:
        with writing():
            return self._run.finish(ending.status, **ending.fields)

    def _back_to_queue(self, *, once: bool) -> None:
        """Nothing was touched: let it wait again; after a crash only once, so as not to loop."""
        self._patiently(
            lambda: self._change(
                status=RunStatus.PENDING,
                phase=None,
                started_at=None,
                requeued=once or self._run.requeued,
            )
        )
        self._log_story("run goes back to the queue")
        self._publish(run_topic(self._run.id), BACKUPS)

    def _finish(self, ending: outcome.Outcome) -> None:
        try:
            won = self._patiently(lambda: self._end(ending))
        except LeftAloneError:
            return  # the folder keeps the truth for the next start
        if won:
            self._log_story("run ended", status=ending.status, explanation=ending.explanation)
        self._folder.remove()
        self._publish(log_topic(self._run.id), run_topic(self._run.id), BACKUPS)

    def _patiently(self, write: Callable[[], T]) -> T:
        """Write until the database takes it: another program may hold it, the disk may be full.

        The truth is in the run's folder meanwhile. Raises LeftAloneError when the program ends.
        """
        said = False
        while True:
            try:
                return write()
            except BusyError as error:
                if not said:
                    log.warning("database busy", extra={"run": self._run.id, "cause": str(error)})
                    said = True
                if self._around.ending.wait(RETRY_S):
                    raise LeftAloneError from error

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _publish(self, *topics: str) -> None:
        self._around.live.publish(*topics)

    def _log_story(self, message: str, **values: object) -> None:
        about = {"run": self._run.id, "backup": self._run.backup_id, **values}
        log.info(message, extra=about)


def _redactor(source: Remote, destination: Remote) -> Redactor:
    return Redactor(
        secret
        for remote in (source, destination)
        for secret in (remote.access_key_id, remote.secret_access_key)
    )
