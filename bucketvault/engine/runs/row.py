"""The row of a run under way: read and written until the database takes it, or the program ends."""

import contextlib
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bucketvault.engine.domain.state_words import describe_end
from bucketvault.engine.events import Live
from bucketvault.engine.mail import outbox
from bucketvault.engine.runs.outcome import RunOutcome, internal, with_cut_log
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import RunStatus, Topic, log_topic, run_topic

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_AT_ROW_S = 1.0  # how often Stop pressed by another process is looked for
RETRY_S = 2.0  # while the database cannot take what we have


class LeftAloneError(Exception):
    """The program ends; the run continues, or returns to the queue."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Context that every run of this program shares."""

    runs: Path  # the folder of run folders
    ledgers: Path  # the folder of ledgers, and of plans that wait for approval
    vault: Vault
    rclone: str  # path of another rclone to use; empty: bucketvault's own
    live: Live
    ending: threading.Event  # set when the program ends
    stall_s: float  # a run that moves nothing for so long is ended


class RunRow:
    """One run's row, for the thread that looks after it; `stop` may be called from any thread."""

    def __init__(self, run: BackupRun, ending: threading.Event) -> None:
        self.run = run
        self.stopping = threading.Event()  # ends looks and tidying: Stop, or the program ends
        self._ending = ending
        self._asked = threading.Event()  # Stop was pressed
        self._looked_at = 0.0
        self._began = time.monotonic()

    def stop(self) -> None:
        """Note that Stop was pressed; the row says so when the database can."""
        self._asked.set()
        self.stopping.set()

    def stop_requested(self, *, look: bool = False) -> bool:
        """True if Stop was pressed: here, or in another process, which only wrote the row.

        Then looks and tidying end, too.
        """
        if time.monotonic() - self._looked_at > LOOK_AT_ROW_S or look:
            self._looked_at = time.monotonic()
            with contextlib.suppress(BusyError), connection():
                row = BackupRun.select(BackupRun.stop_requested_at).where(
                    BackupRun.id == self.run.id
                )
                self.run.stop_requested_at = row.scalar()
        if self.run.stop_requested_at is not None:
            self.stopping.set()
        return self._asked.is_set() or self.run.stop_requested_at is not None

    def note(self, **fields: object) -> None:
        """Change the running row; if it was ended elsewhere, there is nothing left to do."""
        if not self.retry_while_busy(lambda: self.change(**fields)):
            raise LeftAloneError

    def change(self, **fields: object) -> bool:
        """Change the running row once. Raises BusyError."""
        with writing(run_topic(self.run.id), Topic.BACKUPS):
            return self.run.change(RunStatus.RUNNING, **fields)

    def back_to_queue(self, *, once: bool) -> None:
        """Nothing was changed: let it wait again; after a crash only once, so as not to loop."""
        self.note(
            status=RunStatus.PENDING,
            phase=None,
            passes=0,
            started_at=None,
            requeued=once or self.run.requeued,
        )
        self.log_story("run returned to the queue")

    def finish(self, ending: RunOutcome) -> None:
        """End the run and write its mail, unless it was ended elsewhere."""
        ending = with_cut_log(ending, self.run)
        try:
            ended = self.retry_while_busy(lambda: self._end(ending))
        except LeftAloneError:
            raise
        except Exception as error:  # what is to be written cannot be: the run ends all the same
            log.exception("the end of a run could not be saved", extra={"run": self.run.id})
            fault = internal(error)
            ended = self.retry_while_busy(lambda: self._end(fault))
        if ended:
            explanation = describe_end(self.run)
            self.log_story("run ended", status=self.run.status, explanation=explanation)

    def _end(self, ending: RunOutcome) -> bool:
        fields = ending.fields
        started, ended = self.run.started_at, fields.get("finished_at") or utcnow()
        if started is not None and ended < started:  # the clock went back
            fields["finished_at"] = started + dt.timedelta(seconds=time.monotonic() - self._began)
        if self._asked.is_set() and self.run.stop_requested_at is None:
            fields["stop_requested_at"] = utcnow()
        with writing(run_topic(self.run.id), log_topic(self.run.id), Topic.BACKUPS, Topic.MAIL):
            won = self.run.finish(ending.status, **fields)
            if won:
                outbox.run_ended(self.run)
            return won

    def retry_while_busy(self, write: Callable[[], T]) -> T:
        """Write until the database takes it: another program may hold it, the disk may be full.

        The truth is in the run's folder meanwhile. Raises LeftAloneError when the program ends.
        """
        said = False
        while True:
            try:
                return write()
            except BusyError as error:
                if not said:
                    log.warning("database busy", extra={"run": self.run.id, "cause": str(error)})
                    said = True
                if self._ending.wait(RETRY_S):
                    raise LeftAloneError from error

    def log_story(self, message: str, **values: object) -> None:
        """Tell the program's log what happens to the run."""
        log.info(message, extra={"run": self.run.id, "backup": self.run.backup_id, **values})
