"""Watching one run from the command line: its progress, its end, and Ctrl-C in between."""

import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from bucketvault.config import Config
from bucketvault.engine import overview
from bucketvault.engine.engine import Engine, holder
from bucketvault.errors import AlreadyRunningError
from bucketvault.pages import formatting
from bucketvault.store.database import BusyError
from bucketvault.vocabulary import Phase, RunStatus

EXIT_OK, EXIT_FAILED = 0, 1
LOOK_S = 0.25
PLAIN_EVERY_S = 10.0  # between two lines of progress where there is no terminal
MAIL_MAY_TAKE_S = 25.0  # before this command ends; what waits then goes with the next one
ENDED = (RunStatus.SUCCESS, RunStatus.FAILED)


def become_engine(config: Config) -> Engine | None:
    """A started engine, or None when another bucketvault works on this data folder."""
    engine = Engine(config, "run")
    try:
        engine.start()
    except AlreadyRunningError:
        return None
    return engine


class Watch:
    """Watches one run from the command line to its end, and looks after it when nobody else does.

    Ctrl-C stops the run when this command does the work; when a server does, it only stops
    watching. SIGTERM leaves the run to itself.
    """

    def __init__(self, config: Config, run_id: int, engine: Engine | None) -> None:
        self._config = config
        self._engine = engine
        self._left = threading.Event()
        self._stops = 0
        self._run_id = run_id

    def to_the_end(self) -> int:
        """The exit code: 0 for success, 1 for a failed run."""
        show = ProgressLine(sys.stdout)
        with self._signals():
            run = self._wait(show)
        if self._engine is not None:
            if run.status in ENDED:
                self._engine.mail.try_all(MAIL_MAY_TAKE_S)
            self._engine.stop()
            run = overview.run(self._run_id)  # its end may have come while the engine stopped
        show.end()
        if run.status == RunStatus.PENDING:
            print(f"Run {run.id} waits: the next `bucketvault run` or `serve` takes it up.")
            return 128 + signal.SIGTERM
        if run.status not in ENDED:
            print(f"Run {run.id} goes on without this command: bucketvault status shows it.")
            return 128 + signal.SIGTERM
        for warning in run.warnings:
            print(f"Warning: {warning}", file=sys.stderr)
        if run.status == RunStatus.SUCCESS:
            print(f"{run.backup_name}: {run.explanation}", flush=True)
            return EXIT_OK
        untouched = "Nothing was touched" in run.explanation  # then that says it all
        state = run.copy_state.sentence if run.copy_state is not None and not untouched else ""
        # what is held says so itself
        word = "" if run.can_be_approved else " failed"
        print(f"{run.backup_name}{word}: {run.explanation}", file=sys.stderr)
        for line in (state, run.hint):
            if line:
                print(line, file=sys.stderr)
        if run.can_be_approved:
            name = shlex.quote(run.backup_name)
            print(f"Approve it: bucketvault run {name} --approve", file=sys.stderr)
        print(f"The whole log: bucketvault log {run.id}", file=sys.stderr)
        return EXIT_FAILED

    def _wait(self, show: "ProgressLine") -> overview.RunView:
        looked = time.monotonic()
        while True:
            try:
                run = overview.run(self._run_id)
            except BusyError:  # a full disk, or somebody holds it: the worker waits too
                self._left.wait(1.0)
                continue
            if run.status in ENDED or self._left.is_set():
                return run
            show.draw(run)
            self._left.wait(LOOK_S)
            if self._engine is None and time.monotonic() - looked > 1:
                looked = time.monotonic()  # whoever looked after it may be gone
                if holder(self._config) is None:
                    self._engine = become_engine(self._config)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def interrupted(*_: object) -> None:
            self._stops += 1
            if self._engine is None or self._stops > 1:
                self._left.set()
            else:
                # not here: a handler may interrupt a write to the same database
                threading.Thread(target=self._engine.stop_run, args=(self._run_id,)).start()

        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, interrupted),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: self._left.set()),
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class ProgressLine:
    """How far a run is: one line that moves on a terminal, a plain line now and then elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._moving = out.isatty()
        self._last = ""
        self._last_at = 0.0
        self._drawn = 0

    def draw(self, run: overview.RunView) -> None:
        """Show `run` as it stands."""
        line = progress_in_words(run)
        if self._moving:
            width = os.get_terminal_size(self._out.fileno()).columns
            line = line[: width - 1]
            self._out.write("\r" + line.ljust(self._drawn))
            self._drawn = len(line)
            self._out.flush()
            return
        step = line.partition(":")[0]
        now = time.monotonic()
        if step != self._last or now - self._last_at > PLAIN_EVERY_S:
            self._last, self._last_at = step, now
            print(line, file=self._out, flush=True)

    def end(self) -> None:
        """Clear the moving line."""
        if self._moving:
            self._out.write("\r" + " " * self._drawn + "\r")
            self._out.flush()


def progress_in_words(run: overview.RunView) -> str:
    """One line on a run under way."""
    if run.status == RunStatus.PENDING:
        return f"{run.backup_name}: waiting for its turn"
    if run.stop_requested_at is not None:
        return f"{run.backup_name}: stopping"
    if run.phase == Phase.CHECKING:
        return f"{run.backup_name}: checking both buckets"
    if run.progress is None:
        return f"{run.backup_name}: copying"
    return f"{run.backup_name}: copying, {formatting.progress_words(run.progress)}"
