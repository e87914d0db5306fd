"""One run from its claim to its end, in a thread of its own; or from its adoption to its end.

    checking (preflight) -> copying (runner and rclone, detached) -> finish

Every way out ends in one guarded UPDATE, or leaves the run to the next start.
"""

import contextlib
import datetime as dt
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bucketvault.engine.catalogue import providers
from bucketvault.engine.catalogue.conflicts import contradictions, refuse_path
from bucketvault.engine.domain import findings
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.state_words import describe_end
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.events import Live
from bucketvault.engine.mail import outbox
from bucketvault.engine.rclone.binary import Binary, find_binary
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.rclone.remotes import Remote, config_text
from bucketvault.engine.runs import hold, kept_versions, outcome, returned
from bucketvault.engine.runs.folder import RunFolder, reap
from bucketvault.engine.runs.follower import Follower, StallWatch
from bucketvault.engine.runs.last_good import succeeded_before
from bucketvault.engine.runs.preflight import Preflight
from bucketvault.errors import BucketvaultError, RcloneMissingError, RunFailedError, VaultError
from bucketvault.sanitize import Redactor
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import BackupRun, Provider, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import (
    Phase,
    Reason,
    RunKind,
    RunStatus,
    Topic,
    WarningCode,
    log_topic,
    run_topic,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

STEP_S = 0.2
WATCHED_STEP_S = 0.1  # while a page shows the log
LOOK_AT_ROW_S = 1.0  # how often Stop pressed by another process is looked for
FAULTS_BORNE = 5  # while following, after a run is over, before it is called failed
PLACE = ("provider_type", "endpoint", "region")
RETRY_S = 2.0  # while the database cannot take what we have


class LeftAloneError(Exception):
    """The program ends; the run continues, or returns to the queue."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Context that every run of this program shares."""

    runs: Path  # the folder of run folders
    vault: Vault
    rclone: str  # path of another rclone to use; empty: bucketvault's own
    live: Live
    ending: threading.Event  # set when the program ends
    stall_s: float  # a run that moves nothing for so long is ended


class Worker:
    """Looks after one run. `work` is the thread's function and raises nothing."""

    def __init__(
        self,
        context: RunContext,
        run: BackupRun,
        folder: RunFolder,
        lock: int | None,  # None: adopted; an earlier program started it
    ) -> None:
        self._context = context
        self._run = run
        self._folder = folder
        self._lock = lock
        self._spec = RunSpec.from_json(run.spec)
        self._stop = threading.Event()  # ends checks and tidying: Stop, or the program ends
        self._asked = threading.Event()  # Stop was pressed
        self._stop_told = False
        self._row_looked_at = 0.0
        self._rclone_pid: int | None = None
        self._stall = StallWatch(context.stall_s, time.monotonic())
        self._stalled = False
        self._redactor = Redactor(())

    @property
    def run_id(self) -> int:
        """The run this worker looks after."""
        return self._run.id

    def stop(self) -> None:
        """Note, from any thread, that Stop was pressed; the row says so when the database can."""
        self._asked.set()
        self._stop.set()

    def leave(self) -> None:
        """End checks and tidying, from any thread, as the program ends; copying continues alone."""
        if self._run.phase != Phase.COPYING:
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

    def _to_its_end(self) -> outcome.RunOutcome:
        try:
            if self._lock is None:
                return self._follow(self._adopt())
            binary, source, destination, early = self._check()
            return early or self._copy(binary, source, destination)
        except CancelledError:
            if self._context.ending.is_set() and not self._stop_requested():
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

    def _check(self) -> tuple[Binary, Remote, Remote, outcome.RunOutcome | None]:
        """Ask both buckets; an RunOutcome means that the run ends here, with nothing touched."""
        run = self._run
        binary = find_binary(self._context.rclone)
        source, destination = self._remotes()
        self._spec = replace(self._spec, rclone_version=binary.version)
        self._note(spec=self._spec.to_json())
        for end in (self._spec.source, self._spec.destination):
            refuse_path(end.path)
        for forbidden in contradictions(only=[run.backup_id]):
            raise RunFailedError(
                Reason.REFUSED,
                forbidden.message,
                "Change the backup, its storages or their providers.",
                untouched=True,
            )
        preflight = Preflight(
            binary,
            {"source": source, "dest": destination},
            self._spec,
            stopped=self._stop,
            keep_open=[self._held_lock()],
            on_progress=self._seen,
        )
        preflight.destination_answers()
        size = preflight.source_size()
        is_first = run.kind == RunKind.COPY and not succeeded_before(run)
        stamp, is_heavy = str(run.archive_stamp), partial(hold.is_heavy, run)
        found, look = preflight.changes(stamp, size, is_heavy, is_first=is_first)
        self._note(source_objects=size.objects, source_bytes=size.bytes, findings=found.to_json())
        held = hold.hold_reason(run, found)
        if run.kind == RunKind.PREVIEW or held is not None:
            # Once more, by name: these lines are the log of a run that touched nothing.
            preflight.dry_run(stamp, self._folder.append_to_spool, look)
            self._read_to_the_end(Follower(run.id, self._folder.spool, self._redactor))
        early = outcome.held(held, found) if held is not None else None
        early = outcome.previewed(found) if run.kind == RunKind.PREVIEW else early
        if early is None and self._stop.is_set():
            raise CancelledError("Stopped before anything was copied.")
        return binary, source, destination, early

    def _seen(self, progress: Progress) -> None:
        """Show how far the checks are; a database that is busy just misses one."""
        with contextlib.suppress(BusyError):
            self._change(progress=progress.to_json())

    def _copy(self, binary: Binary, source: Remote, destination: Remote) -> outcome.RunOutcome:
        # The phase first: a crash between the two must not look like "nothing was touched".
        self._note(phase=Phase.COPYING, progress={})
        config = config_text({"source": source, "dest": destination})
        lock, self._lock = self._held_lock(), None
        try:
            steps = [{"name": "sync", "arguments": self._spec.arguments}]
            self._folder.start(binary, steps, config, {}, lock, self._spec.archive_key)
        except OSError as error:
            return outcome.not_started(error.errno, str(error))
        self._log_story("rclone started")
        return self._follow(Follower(self._run.id, self._folder.spool, self._redactor))

    def _remotes(self) -> tuple[Remote, Remote]:
        """Both ends, with the keys of now and at the places that were frozen."""
        source, destination = self._remote(self._spec.source), self._remote(self._spec.destination)
        self._redactor = Redactor(
            secret
            for remote in (source, destination)
            for secret in (remote.access_key_id, remote.secret_access_key)
        )
        for end, remote in ((self._spec.source, source), (self._spec.destination, destination)):
            if any(getattr(end, name) != getattr(remote, name) for name in PLACE):
                raise _changed(end.provider)
        return source, destination

    def _remote(self, end: EndSpec) -> Remote:
        with connection():
            provider = Provider.get_or_none(Provider.id == end.provider_id)
        if provider is None:
            raise _changed(end.provider)
        return providers.decrypted_remote(provider, self._context.vault)

    def _adopt(self) -> Follower:
        with contextlib.suppress(BucketvaultError):  # the key may be lost
            self._remotes()
        follower = Follower(self._run.id, self._folder.spool, self._redactor)
        if self._folder.spool.exists():
            self._retry_while_busy(follower.start_over)
        return follower

    # copying

    def _follow(self, follower: Follower) -> outcome.RunOutcome:
        """Read along until the run's lock is free, then say how it ended.

        An internal fault meanwhile, such as no descriptor left, never ends a run that copies: said
        to have failed, it would share its destination with the next. Its log is read again.
        """
        faults = 0
        while True:
            try:
                return self._read_along(follower)
            except (LeftAloneError, CancelledError, BucketvaultError):
                raise
            except Exception:
                self._let_go()  # of the lock for tidying: it is taken again then
                faults += 1
                if faults == 1:
                    log.exception("a fault while following", extra={"run": self._run.id})
                if faults > FAULTS_BORNE and self._folder.is_free():
                    raise
                if self._context.ending.wait(RETRY_S):
                    raise LeftAloneError from None
                follower = Follower(self._run.id, self._folder.spool, self._redactor)
                self._retry_while_busy(follower.start_over)

    def _read_along(self, follower: Follower) -> outcome.RunOutcome:
        while True:
            if self._context.ending.is_set():
                raise LeftAloneError
            if self._folder.is_free():  # asked first: what is written until then is read below
                return self._how_it_ended(follower)
            if self._rclone_pid is None:
                self._rclone_pid = self._folder.started().get("rclone_pid")
            with contextlib.suppress(BusyError):  # busy or full: the next step has it
                follower.step(rclone_pid=self._rclone_pid)
            # Blind at the destination, rclone replaces without keeping: better no run than that.
            # And what nobody was asked about is better not removed.
            said = follower.transcript
            wanted = self._stop_requested() or said.unseen or self._is_stalled(follower)
            wanted = wanted or hold.oversteps(self._run, removed=said.tally.deleted)
            if wanted and not self._stop_told:
                self._stop_told = self._folder.ask_to_stop()
            watched = self._context.live.is_watched(log_topic(self._run.id))
            self._context.ending.wait(WATCHED_STEP_S if watched else STEP_S)

    def _how_it_ended(self, follower: Follower) -> outcome.RunOutcome:
        record = self._folder.exit_record()
        if record is not None:
            follower.ends_at(record.log_bytes)
        self._read_to_the_end(follower)
        requested = self._stop_requested(look=True)
        untouched = self._run.phase == Phase.CHECKING if record is None else record.cut_short
        if untouched and requested:
            return outcome.stopped(touched=False)
        if untouched and not self._run.requeued:
            self._back_to_queue(once=True)
            raise LeftAloneError
        if untouched or record is None:
            return outcome.interrupted(self._folder, touched=not untouched)
        tally = follower.transcript.tally
        ending = outcome.of_exit(
            record,
            follower,
            self._spec,
            stop_requested=requested,
            stalled=self._stalled,
            expected=findings.Findings.from_json(self._run.findings),
            overstepped=hold.oversteps(self._run, removed=tally.deleted, replaced=tally.replaced),
            missed=hold.missed(self._run),
        )
        return self._tidied(ending, follower) if ending.status == RunStatus.SUCCESS else ending

    def _is_stalled(self, follower: Follower) -> bool:
        """True if there was no progress within the stall limit."""
        # a full disk swallows the lines that would tell; a held database keeps us from reading them
        blind = not self._folder.has_room() or follower.is_behind
        self._stalled = self._stall.is_stalled(
            follower.transcript.progress, time.monotonic(), blind=blind
        )
        return self._stalled

    # tidying

    def _tidied(self, ending: outcome.RunOutcome, follower: Follower) -> outcome.RunOutcome:
        """Let old kept versions go and keep RESTORE.txt true. A fault here is only a warning."""
        self._note(phase=Phase.TIDYING)
        self._lock = self._folder.create()
        follower.begin_tidying()
        count = self._retry_while_busy(lambda: returned.count_returned(self._run))
        warnings: list[RunWarning] = []
        try:
            kept_versions.tidy(
                find_binary(self._context.rclone),
                self._remotes()[1],
                self._run,
                stopped=self._stop,
                keep_open=[self._held_lock()],
                on_log=self._folder.append_to_spool,
            )
        except CancelledError:
            warnings = [RunWarning(WarningCode.TIDYING_CUT)]
        except BucketvaultError as error:
            told = f"{error.summary} {error.hint} {error.detail}".strip()
            warnings = [RunWarning(WarningCode.TIDYING_REFUSED, names=(told,))]
        except Exception as error:
            log.exception("a fault while tidying", extra={"run": self._run.id})
            warnings = [RunWarning(WarningCode.TIDYING_FAULT, names=(type(error).__name__,))]
        self._read_to_the_end(follower)
        return ending.with_tidying(warnings, purged=follower.counts()["purged"], returned=count)

    def _read_to_the_end(self, follower: Follower) -> None:
        self._retry_while_busy(lambda: follower.step(final=True))

    # small steps

    def _held_lock(self) -> int:
        if self._lock is None:
            raise RuntimeError("the run's lock is not ours any more")
        return self._lock

    def _stop_requested(self, *, look: bool = False) -> bool:
        """True if Stop was pressed: here, or in another process, which only wrote the row."""
        if time.monotonic() - self._row_looked_at > LOOK_AT_ROW_S or look:
            self._row_looked_at = time.monotonic()
            with contextlib.suppress(BusyError), connection():
                row = BackupRun.select(BackupRun.stop_requested_at).where(
                    BackupRun.id == self._run.id
                )
                self._run.stop_requested_at = row.scalar()
        return self._asked.is_set() or self._run.stop_requested_at is not None

    def _note(self, **fields: object) -> None:
        """Change the running row; if it was ended elsewhere, there is nothing left to do."""
        if not self._retry_while_busy(lambda: self._change(**fields)):
            raise LeftAloneError

    def _change(self, **fields: object) -> bool:
        with writing(run_topic(self._run.id), Topic.BACKUPS):
            return self._run.change(RunStatus.RUNNING, **fields)

    def _end(self, ending: outcome.RunOutcome) -> bool:
        fields = ending.fields
        started, ended = self._run.started_at, fields.get("finished_at")
        if ended is not None and started is not None and ended < started:  # the clock went back
            fields["finished_at"] = started + dt.timedelta(seconds=ending.elapsed_s)
        if self._asked.is_set() and self._run.stop_requested_at is None:
            fields["stop_requested_at"] = utcnow()
        with writing(run_topic(self._run.id), log_topic(self._run.id), Topic.BACKUPS, Topic.MAIL):
            won = self._run.finish(ending.status, **fields)
            if won:
                outbox.run_ended(self._run)
            return won

    def _back_to_queue(self, *, once: bool) -> None:
        """Nothing was touched: let it wait again; after a crash only once, so as not to loop."""
        self._retry_while_busy(
            lambda: self._change(
                status=RunStatus.PENDING,
                phase=None,
                started_at=None,
                requeued=once or self._run.requeued,
            )
        )
        self._log_story("run goes back to the queue")

    def _finish(self, ending: outcome.RunOutcome) -> None:
        try:
            won = self._retry_while_busy(lambda: self._end(ending))
        except LeftAloneError:
            return  # the folder keeps the truth for the next start
        if won:
            self._log_story("run ended", status=ending.status, explanation=describe_end(self._run))
        self._folder.remove()

    def _retry_while_busy(self, write: Callable[[], T]) -> T:
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
                if self._context.ending.wait(RETRY_S):
                    raise LeftAloneError from error

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _log_story(self, message: str, **values: object) -> None:
        about = {"run": self._run.id, "backup": self._run.backup_id, **values}
        log.info(message, extra=about)


def _changed(provider: str) -> BucketvaultError:
    return BucketvaultError(
        f"The provider {provider} was changed or deleted after this run began.",
        "The next run takes it as it is then.",
    )
