"""One run from its claim to its end, in a thread of its own; or from its adoption to its end.

    checking (a look) -> copying (a pass of the runner, detached) -> proving (a look) -> tidying
                                  ^------------- again ------------------'

Every way out ends in one guarded UPDATE, or leaves the run to the next start.
"""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from bucketvault.engine.catalogue.conflicts import contradictions, refuse_path
from bucketvault.engine.domain.copy_state import was_cut_off
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.usage import Use
from bucketvault.engine.listing.merge import Stand
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.rclone.remotes import Remote, config_to_start
from bucketvault.engine.runs import hold, ledgers, looking, outcome, passes, plan_log, stamps
from bucketvault.engine.runs.counting import counted, cut_so_far
from bucketvault.engine.runs.ends import remotes_of
from bucketvault.engine.runs.folder import ExitRecord, RunFolder, reap
from bucketvault.engine.runs.follower import Follower, StallWatch
from bucketvault.engine.runs.last_good import patience_s
from bucketvault.engine.runs.learning import learned, locked
from bucketvault.engine.runs.looking import Looker
from bucketvault.engine.runs.row import RETRY_S, LeftAloneError, RunContext, RunRow
from bucketvault.engine.runs.tidying import DELETING, Tidying
from bucketvault.engine.runs.verifying import Verification
from bucketvault.errors import BucketvaultError, RunFailedError
from bucketvault.sanitize import Redactor
from bucketvault.store.database import BusyError
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus, log_topic

log = logging.getLogger(__name__)
T = TypeVar("T")

STEP_S, WATCHED_STEP_S = 0.2, 0.1  # the second while a page shows the log
FAULTS_BORNE = 5  # while following, after a run is over, before it is called failed


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
        self._row = RunRow(run, context.ending)
        self._folder = folder
        self._lock = lock
        self._was_away = False  # when its last pass ended
        self._redactor = Redactor()
        self._follower = Follower(run.id, folder.spool, self._redactor)
        self._stall = StallWatch(context.stall_s, time.monotonic(), run.spec)
        self._stalled = False

    @functools.cached_property
    def _spec(self) -> RunSpec:
        """Its settings. Raises SpecError: an earlier program, of another version, wrote them."""
        return RunSpec.from_json(self._run.spec)

    @property
    def run_id(self) -> int:
        """The run this worker looks after."""
        return self._run.id

    def stop(self) -> None:
        """Note, from any thread, that Stop was pressed; the row says so when the database can."""
        self._row.stop()

    def leave(self) -> None:
        """End looks and tidying, from any thread, as the program ends; copying continues alone."""
        if self._run.phase != Phase.COPYING:
            self._row.stopping.set()

    def work(self) -> None:
        """Bring the run to its end, or leave it alone when the program ends."""
        try:
            self._row.log_story("run started" if self._lock is not None else "run adopted")
            ending = self._to_its_end()
        except LeftAloneError:
            return
        except Exception as error:  # the edge of a thread: whatever it is, the run says so
            log.exception("run failed by an internal error", extra={"run": self._run.id})
            ending = outcome.internal(error)
        finally:
            self._let_go()
            reap()
        with contextlib.suppress(LeftAloneError):  # the folder keeps the truth for the next start
            self._row.finish(ending)
            self._folder.remove()

    def _to_its_end(self) -> outcome.RunOutcome:
        try:
            return self._resumed() if self._lock is None else self._from_the_beginning()
        except CancelledError:
            if self._context.ending.is_set() and not self._row.stop_requested():
                if not self._is_touched():
                    self._row.back_to_queue(once=False)
                raise LeftAloneError from None
            return outcome.stopped(touched=self._is_touched(), columns=self._follower.counts())
        except BucketvaultError as error:
            return outcome.ended_by(error)

    def _from_the_beginning(self) -> outcome.RunOutcome:
        self._meet_both_ends()
        if self._run.kind == RunKind.VERIFY:
            ledger = self._context.ledgers
            reads = (self._row, self._spec, self._looker.ends, self._folder, self._follower, ledger)
            return Verification(*reads).run()
        plan = self._look(0)
        if self._learns(plan):
            plan = self._look(0)
        self._say_step("look", looking.describe(plan.totals()), self._looker.take_use())
        early = self._early_end(plan)
        if early is not None:
            return early
        if self._row.stopping.is_set():
            raise CancelledError("Stopped before anything was copied.")
        if not plan.totals().count(Stand.TO_DO):  # the look is the proof already
            return self._judged(plan, None)
        return self._copied(plan)

    def _resumed(self) -> outcome.RunOutcome:
        """Go on where an earlier program left the run: its pass runs, or is over."""
        with contextlib.suppress(BucketvaultError):  # the key may be lost
            self._remotes()
        if self._folder.spool.exists():
            self._row.retry_while_busy(self._follower.start_over)
        begun, noted = self._folder.begun_pass(self._run.passes), self._run.passes
        # only noted; or begun after a copy of the database was made that was put back since
        if begun > noted or (begun < noted and self._run.phase == Phase.COPYING):
            self._row.note(passes=begun, phase=Phase.COPYING if begun else Phase.CHECKING)
        self._was_away = self._folder.is_free()
        ended = self._bearing_faults(self._read_along)
        if isinstance(ended, outcome.RunOutcome):
            return ended
        self._meet_both_ends()
        found = self._proven(ended)
        return found if isinstance(found, outcome.RunOutcome) else self._copied(found)

    # checking

    def _meet_both_ends(self) -> None:
        """Find rclone, the keys and the places; raises where the run may not begin."""
        self._binary = find_binary(self._context.rclone)
        self._source, self._destination = self._remotes()
        self._looker = Looker(
            self._spec,
            self._source,
            self._destination,
            self._folder.path,
            ledgers.ledger_of(self._context.ledgers, self._spec),
            patience_s=patience_s(self._run),
            stopped=self._row.stopping,
            on_seen=self._seen,
        )
        if self._is_touched():
            return
        self._spec = replace(self._spec, rclone_version=self._binary.version)
        self._row.note(spec=self._spec.to_json())
        for end in (self._spec.source, self._spec.destination):
            refuse_path(end.path)
        for forbidden in contradictions(only=[self._run.backup_id]):
            raise RunFailedError(
                Reason.REFUSED,
                forbidden.message,
                "Change the backup, its storages or their providers.",
                untouched=True,
            )

    def _look(self, number: int, *names: Any, tried: bool = False) -> Plan:  # as `Looker.look`
        """Look; what one has asked that failed or was stopped is counted, too."""
        try:
            return self._looker.look(number, *names, tried=tried)
        except BucketvaultError as error:
            step = "prove" if number else "look"
            with contextlib.suppress(OSError):  # a full disk must not hide why
                self._say_step(step, looking.not_completed(error), self._looker.take_use())
            raise

    def _learns(self, plan: Plan) -> bool:
        """Learn what the buckets do, where a look gives reason to; True: it is to be done again."""
        known, looker, first = self._spec, self._looker, not self._is_touched()
        ask = functools.partial(learned, known, plan, looker.ends, first=first, count=looker.count)
        self._take(self._row.retry_while_busy(ask))
        return self._spec.has_hashes != known.has_hashes

    def _take(self, spec: RunSpec) -> None:
        """Go on with what was learned about the buckets, and with the keys of now."""
        if spec != self._spec:
            self._spec = spec
            self._row.note(spec=spec.to_json())
        with contextlib.suppress(BucketvaultError):  # gone meanwhile: those it began with
            self._source, self._destination = self._remotes()
            self._looker.meet(self._source, self._destination)

    def _early_end(self, plan: Plan) -> outcome.RunOutcome | None:
        """Return the end of a run that only looks, or that its plan keeps from going on."""
        totals = plan.totals()
        looking.refuse_empty(totals, self._spec)
        approved = ledgers.approved_plan(self._context.ledgers, self._run)
        held, found = hold.hold_reason(self._run, plan, looking.findings_of(totals), approved)
        stamp = stamps.settled(self._run, self._looker.ahead)
        self._row.note(**hold.columns(totals, found), archive_stamp=stamp)
        is_preview = self._run.kind == RunKind.PREVIEW
        if held is None and not is_preview:
            return None
        plan_log.write_plan(plan, self._folder.append_to_spool, self._row.stopping)
        self._read_to_the_end()
        if is_preview or held is None:
            return outcome.previewed(found)
        ledgers.hold_plan(self._context.ledgers, self._run, plan)
        return outcome.held(held, found)

    def _seen(self, source: int, copy: int) -> None:
        """Show how far a look is, and see Stop; a database that is busy just misses one."""
        self._row.stop_requested()
        step = "prove" if self._is_touched() else "look"
        progress = Progress(step=step, seen_source=source, seen_copy=copy)
        with contextlib.suppress(BusyError):
            self._row.change(progress=progress.to_json())

    def _remotes(self) -> tuple[Remote, Remote]:
        """Return both ends; what is secret about them is masked from now on."""
        source, destination = remotes_of(self._spec, self._context.vault)
        self._redactor.add(
            secret
            for remote in (source, destination)
            for secret in (remote.access_key_id, remote.secret_access_key)
        )
        return source, destination

    # copying

    def _copied(self, plan: Plan) -> outcome.RunOutcome:
        """Do pass after pass over what is to do, until a look is the proof, or no other helps."""
        while not (self._row.stop_requested(look=True) or self._row.stopping.is_set()):
            ended = self._passed(plan)
            if isinstance(ended, outcome.RunOutcome):
                return ended
            found = self._proven(ended)
            if isinstance(found, outcome.RunOutcome):
                return found
            plan = found
        raise CancelledError("Stopped before another pass.")

    def _passed(self, plan: Plan) -> outcome.RunOutcome | ExitRecord:
        """Do one pass; return how it ended, or the run."""
        number, self._was_away = self._run.passes + 1, False
        stamp = passes.stamp_of(str(self._run.archive_stamp), number)
        destination = looking.bucket_of(self._spec.destination, self._destination)
        work = passes.prepare(self._spec, plan, self._folder.path, number, stamp, destination)
        ledgers.note_pass(self._context.ledgers, self._spec, plan, stamp)
        config = config_to_start({"source": self._source, "dest": self._destination})
        # The phase first: a crash between the two must not look like "nothing was touched".
        self._row.note(phase=Phase.COPYING, passes=number, progress={})
        lock, self._lock = self._held_lock(), None
        key = self._spec.archive_key
        try:
            self._folder.start(self._binary, work.steps, config, work.stdin, lock, key, number)
        except OSError as error:
            return outcome.not_started(error.errno, str(error), touched=number > 1)
        self._row.log_story("rclone started", copying_pass=number)
        return self._bearing_faults(self._read_along)

    def _bearing_faults(self, work: Callable[[], T]) -> T:
        """Do what has to follow once a pass was begun, in spite of internal faults.

        Such a fault, no descriptor left for example, never ends a run that copies: said to have
        failed, it would share its destination with the next. Its log is read again.
        """
        faults = 0
        while True:
            try:
                return work()
            except (LeftAloneError, CancelledError, BucketvaultError):
                raise
            except Exception:
                faults += 1
                if faults == 1:
                    log.exception("following a run failed", extra={"run": self._run.id})
                if faults > FAULTS_BORNE and (self._lock is not None or self._folder.is_free()):
                    raise
                if self._context.ending.wait(RETRY_S):
                    raise LeftAloneError from None
                self._follower = Follower(self._run.id, self._folder.spool, self._redactor)
                self._row.retry_while_busy(self._follower.start_over)

    def _read_along(self) -> outcome.RunOutcome | ExitRecord:
        """Follow until the run's lock is free; return how the pass ended, or the run."""
        self._stop_told = False
        while True:
            if self._context.ending.is_set():
                raise LeftAloneError
            if self._folder.is_free():  # asked first: what is written until then is read below
                return self._how_the_pass_ended()
            with contextlib.suppress(BusyError):  # busy or full: the next step has it
                self._follower.step(rclone_pid=self._folder.started().get("rclone_pid"))
            if (self._row.stop_requested() or self._is_stalled()) and not self._stop_told:
                self._stop_told = self._folder.ask_to_stop()
            watched = self._context.live.is_watched(log_topic(self._run.id))
            self._context.ending.wait(WATCHED_STEP_S if watched else STEP_S)

    def _how_the_pass_ended(self) -> outcome.RunOutcome | ExitRecord:
        record = self._folder.exit_record()
        self._read_to_the_end()
        if self._run.phase == Phase.TIDYING:
            return outcome.proven_before(self._run, self._follower, self._folder)
        requested = self._row.stop_requested(look=True)
        is_first = self._run.passes <= 1
        untouched = record.cut_short if record is not None and is_first else not self._is_touched()
        if untouched and requested:
            return outcome.stopped(touched=False)
        if untouched and not self._run.requeued:
            self._row.back_to_queue(once=True)
            raise LeftAloneError
        if untouched or record is None:
            return outcome.interrupted(self._folder, touched=not untouched)
        early = outcome.cut_short(
            record,
            self._follower,
            stop_requested=requested,
            stalled=self._stalled,
            touched=not is_first or bool(record.steps),
        )
        return early or record

    def _is_stalled(self) -> bool:
        """True if there was no progress within the stall limit."""
        # a full disk swallows the lines that would tell; a held database keeps us from reading them
        blind = not self._folder.has_room() or self._follower.is_behind
        progress = self._follower.transcript.progress
        self._stalled = self._stall.is_stalled(progress, time.monotonic(), blind=blind)
        return self._stalled

    # proving

    def _proven(self, ended: ExitRecord) -> outcome.RunOutcome | Plan:
        """Check again after a pass; return the outcome, or what another pass is to do."""
        return self._bearing_faults(lambda: self._look_again(ended))

    def _look_again(self, ended: ExitRecord) -> outcome.RunOutcome | Plan:
        self._row.note(phase=Phase.PROVING, progress={}, warnings=cut_so_far(self._run, ended))
        if self._lock is None:
            self._lock = self._folder.create()
        self._read_to_the_end()
        tally, number = self._follower.transcript.tally, self._run.passes
        spec, refused = self._row.retry_while_busy(lambda: locked(self._spec, tally.failed))
        self._take(spec)
        tried = not ended.cut_short and not any(code for _, code in ended.steps)
        errored = tally.errored if tally.errored_are_all else None
        try:
            plan = self._look(number, refused, errored, tried=tried)
            if self._learns(plan):  # what was refused for that may go well now
                plan = self._look(number, (), errored, tried=tried)
        except RunFailedError as error:
            return outcome.unproven(error, ended.exit_code, self._follower)
        if not plan.totals().source_objects:
            return outcome.emptied(self._spec, ended.exit_code, self._follower)
        told = looking.describe(plan.totals(), self._looker.asked)
        self._say_step("prove", told, self._looker.take_use())
        may_help = number < passes.MOST_PASSES and not was_cut_off(ended.exit_code)
        if plan.totals().count(Stand.TO_DO) and may_help:
            return plan
        return self._judged(plan, ended)

    def _judged(self, plan: Plan, ended: ExitRecord | None) -> outcome.RunOutcome:
        """Return the outcome by the last look, and keep what it proved for the next run."""
        causes = looking.causes_of(plan, self._follower.transcript.tally.failed, self._spec)
        plan_log.write_proof(plan, self._folder.append_to_spool, causes, self._row.stopping)
        self._read_to_the_end()
        proof = looking.proof_of(plan, self._looker.at, causes)
        counts = counted(self._run, self._follower.transcript.tally, ended, plan)
        ledgers.take_ledger(self._context.ledgers, self._spec, plan.folder / looking.LEDGER)
        ending = outcome.proven(
            proof,
            Findings.from_json(self._run.findings) or Findings(),
            causes,
            self._follower,
            ended,
            self._spec,
            counts,
            ledger_was_damaged=self._looker.ledger_was_damaged,
            ended_at=ended.ended_at if ended is not None and self._was_away else 0.0,
        )
        if ending.status != RunStatus.SUCCESS:
            return ending
        ledgers.forget_plan(self._context.ledgers, self._run)
        return self._tidied(ending)

    # tidying

    def _tidied(self, ending: outcome.RunOutcome) -> outcome.RunOutcome:
        """Clean up at the destination, which never makes the run fail."""
        self._row.note(phase=Phase.TIDYING, **outcome.proven_columns(ending))
        self._follower.settle(ending.columns)
        self._say_step("tidy", DELETING)
        tidying = Tidying(
            self._binary,
            lambda: self._remotes()[1],  # nothing is deleted at a place that was changed meanwhile
            self._run,
            self._looker,
            stopped=self._row.stopping,
            keep_open=[self._held_lock()],
            on_log=self._folder.append_to_spool,
        )
        warnings = tidying.do()
        self._say_step("tidy", tidying.words, tidying.use)
        counts = {name: self._follower.counts()[name] for name in ("purged", "requests")}
        return ending.with_warnings(warnings, **counts, uploads_ended=tidying.uploads_ended)

    def _say_step(self, step: str, words: str, requests: Use | None = None) -> None:
        """Write a line of our own into the run's log, with the requests that it tells of."""
        self._folder.say(passes.step_line(self._run.passes, step, words, requests=requests))
        self._read_to_the_end()

    def _read_to_the_end(self) -> None:
        self._row.retry_while_busy(lambda: self._follower.step(final=True))

    def _is_touched(self) -> bool:
        """True if this run may have changed the copy."""
        return self._run.passes > 0

    def _held_lock(self) -> int:
        if self._lock is None:
            raise RuntimeError("the run's lock was lost")
        return self._lock

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
