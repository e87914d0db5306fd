"""Watching one run from the command line: its progress, its end, and Ctrl-C in between."""

import contextlib
import datetime as dt
import logging
import os
import shlex
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

from bucketvault import humanize
from bucketvault.config import Config
from bucketvault.engine.domain import state_words
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.folder_lock import is_served
from bucketvault.engine.views import backups
from bucketvault.engine.views.live_words import doing, how_far, limit_words, progress_of
from bucketvault.errors import AlreadyRunningError, NotFoundError
from bucketvault.store.database import BusyError
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import Reason, RunStatus

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

log = logging.getLogger(__name__)

EXIT_OK, EXIT_FAILED = 0, 1
LOOK_S = 0.25
STOP_AGAIN_S = 1.0
SERVER_MAY_TAKE_S = 30.0  # to come back; taking its data folder meanwhile would keep it out
PLAIN_EVERY_S = 10.0  # between two lines of progress where there is no terminal
MAIL_MAY_TAKE_S = 25.0  # before this command ends; what waits then goes with the next one
BAR_CELLS = 20
USUAL_COLUMNS = 80  # where a terminal does not tell how wide it is


def become_engine(config: Config, *, starts: bool = True) -> "Engine | None":
    """Return a started engine, or None when another bucketvault works on this data folder."""
    from bucketvault.engine.engine import Engine  # most commands watch at most

    engine = Engine(config, "run", starts=starts)
    try:
        engine.start()
    except AlreadyRunningError:
        return None
    return engine


class Watch:
    """Watches one run from the command line to its end, and does its work if no server does.

    Ctrl-C stops the run when this command does the work; when a server does, it only stops
    watching. SIGTERM leaves the run to itself.
    """

    def __init__(
        self, config: Config, run_id: int, engine: "Engine | None", *, starts: bool = True
    ) -> None:
        self._config = config
        self._starts = starts  # other runs too, where it has to do the work itself
        self._engine = engine
        self._left = threading.Event()
        self._stops = 0
        self._run_id = run_id
        self._served = engine is None and is_served(config)
        self._server_ended: float | None = None  # by the monotonic clock

    def to_the_end(self) -> int:
        """Return the exit code: 0 for success, 1 for a failed run."""
        show = ProgressLine(sys.stdout)
        with self._signals():
            run = self._wait(show)
        if self._engine is not None:
            if not run.status.is_active:
                self._engine.mail.try_all(MAIL_MAY_TAKE_S)
                self._engine.alerts.try_all(MAIL_MAY_TAKE_S)
                self._engine.run_pings.try_all(MAIL_MAY_TAKE_S)
            self._engine.stop()
            run = backups.run(self._run_id)  # its end may have come while the engine stopped
        show.end()
        if run.status.is_active:
            does = "continues without this command; bucketvault status shows it."
            if run.status == RunStatus.PENDING:
                does = "is waiting: the next `bucketvault run` or `serve` starts it."
            print(f"Run {run.id} {does}")
            return 128 + signal.SIGTERM
        warnings = [f"Warning: {state_words.describe_warning(each)}" for each in run.warnings]
        if run.status == RunStatus.SUCCESS:
            for warning in warnings:
                print(warning, file=sys.stderr)
            proof = state_words.describe_proof(run.proof)
            print(humanize.sentences(f"{run.backup_name}: {run.explanation}", proof), flush=True)
            return EXIT_OK
        said = failed_in_words(backups.run_page(self._run_id), utcnow())
        for line in (*said, *warnings):
            print(line, file=sys.stderr)
        if run.can_be_approved:
            print(f"Approve it: {approval_command(run.backup_name, run.id)}", file=sys.stderr)
        print(f"Full log: bucketvault log {run.id}", file=sys.stderr)
        return EXIT_FAILED

    def _wait(self, show: "ProgressLine") -> backups.RunView:
        looked = time.monotonic()
        while True:
            try:
                run = backups.run(self._run_id)
            except BusyError:  # a full disk, or another program holds it: the worker waits too
                self._left.wait(1.0)
                continue
            if not run.status.is_active or self._left.is_set():
                return run
            show.draw(run)
            self._left.wait(LOOK_S)
            if self._engine is None and time.monotonic() - looked > 1:
                looked = time.monotonic()  # the process that did the work may be gone
                self._look_who_works(show)

    def _look_who_works(self, show: "ProgressLine") -> None:
        """Take over the work if no process does it; but a server that ended may come back."""
        served = is_served(self._config)
        if served is not None:
            self._served, self._server_ended = served, None
            return
        now = time.monotonic()
        if self._served and self._server_ended is None:
            self._server_ended = now
            show.end()
            print("The server stopped; waiting for it to restart ...", flush=True)
        if self._server_ended is not None:
            if now - self._server_ended < SERVER_MAY_TAKE_S:
                return
            show.end()
            print("It did not restart, so this command does the work.", flush=True)
        self._engine = become_engine(self._config, starts=self._starts)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def interrupted(*_: object) -> None:
            self._stops += 1
            if self._engine is None or self._stops > 1:
                self._left.set()
            else:
                # not here: a handler may interrupt a write to the same database
                told = (self._engine, self._run_id, self._left)
                threading.Thread(target=stop_patiently, args=told, daemon=True).start()

        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, interrupted),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: self._left.set()),
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stop_patiently(engine: "Engine", run_id: int, left: threading.Event) -> None:
    """Stop a run, however long another program holds the database, or its disk is full.

    Gives up once `left` is set.
    """
    said = False
    while not left.is_set():
        try:
            with contextlib.suppress(NotFoundError):  # deleted meanwhile, with its backup
                engine.stop_run(run_id)
            return
        except BusyError as error:
            if not said:
                log.warning(
                    "the database is busy: the stop is tried again",
                    extra={"run": run_id, "cause": str(error)},
                )
                said = True
            left.wait(STOP_AGAIN_S)


def approval_command(name: str, run_id: int) -> str:
    """Return the command that approves this held run of the backup, and no other; to be pasted."""
    after = f"--approve {run_id} -- {shlex.quote(name)}" if name.startswith("-") else ""
    return f"bucketvault run {after or f'{shlex.quote(name)} --approve {run_id}'}"


def hold_words(run: backups.RunView) -> str:
    """Return a held run's reason: `Held: 21 of 40 objects would be removed.`"""
    return f"Held: {run.cause}"


def zone_of_run(run: backups.RunView) -> ZoneInfo:
    """Return the zone in which the times of a run are told: that of its backup."""
    return timetable.zone_of(run.time_zone, ZoneInfo(timetable.server_time_zone()))


def approving_in_words(held: backups.RunView, now: dt.datetime) -> Iterator[str]:
    """Say what approving the held run `held` means: which one it is, and what it would do."""
    zone = zone_of_run(held)
    when = humanize.day_and_time(held.finished_at or held.queued_at, zone, now)
    yield f"{held.backup_name}: approving run {held.id} of {when} {zone.key}. {hold_words(held)}"
    yield (
        "This approves these removals and replacements, by name, for 24 hours. If the run finds "
        "others, and too many to make without approval, it is held again."
    )


def failed_in_words(page: backups.RunPage, now: dt.datetime) -> Iterator[str]:
    """Say why a run failed or is held: first of all in what state it left the copy."""
    run = page.run
    zone = zone_of_run(run)
    if run.can_be_approved:
        copy = state_words.untouched_words(
            run.copy_state, page.last_good_at, zone, now, is_that=page.untouched
        )
        yield f"{run.backup_name}: {hold_words(run)} {copy}"
    else:
        state = state_words.describe_copy(run.copy_state, zone, now)
        good = state_words.last_good_words(page.last_good_at, zone, now)
        words = {Reason.BRAKE: "held", Reason.STOPPED: "stopped", None: "failed"}
        what = "the preview failed" if run.preview else words.get(run.reason, "failed")
        yield " ".join(part for part in (f"{run.backup_name}: {what}.", state, good) if part)
        yield run.explanation
    if run.hint:
        yield run.hint
    if page.last_good_at is not None:
        yield humanize.times_in(zone)


class ProgressLine:
    """How far a run is: a bar that moves on a terminal, a plain line now and then elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._moving = out.isatty()
        self._last: object = None
        self._last_at = 0.0
        self._drawn = 0

    def draw(self, run: backups.RunView) -> None:
        """Show `run` as it is now."""
        if self._moving:
            self._redraw(_cut(progress_in_words(run, bar=True), self._columns() - 1))
            return
        step = (run.status, doing(run), run.stop_requested_at, run.waits_for)
        now = time.monotonic()
        if step != self._last or now - self._last_at > PLAIN_EVERY_S:
            self._last, self._last_at = step, now
            print(progress_in_words(run), file=self._out, flush=True)

    def end(self) -> None:
        """Clear the moving line."""
        if self._moving:
            self._redraw("")
            self._redraw("")

    def _redraw(self, line: str) -> None:
        cells = sum(map(_cells, line))
        self._out.write(f"\r{line}{' ' * (self._drawn - cells)}")
        self._drawn = cells
        self._out.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or USUAL_COLUMNS
        except OSError:  # it was closed; that ends no run
            return USUAL_COLUMNS


def _cut(line: str, columns: int) -> str:
    """As much of `line` as fits, so that a terminal never breaks it in two."""
    for place, sign in enumerate(line):
        columns -= _cells(sign)
        if columns < 0:
            return line[:place]
    return line


def _cells(sign: str) -> int:
    """Return how many places of a terminal a sign takes."""
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1


def progress_in_words(run: backups.RunView, *, bar: bool = False) -> str:
    """Return one line on a run under way: `Photos: copying [#####-----] 50 %, 33 of 66 GB`."""
    if run.status == RunStatus.PENDING and run.waits_for:
        why = "it writes to a bucket or folder that this run uses"
        return f'{run.backup_name}: waiting for the run of "{run.waits_for}" to end: {why}'
    if run.status == RunStatus.PENDING:
        return f"{run.backup_name}: waiting for its turn"
    if run.stop_requested_at is not None:
        return f"{run.backup_name}: stopping"
    drawn, far = "", how_far(run)
    progress = progress_of(run)
    if bar and progress is not None and progress.percent is not None:
        done = "#" * int(BAR_CELLS * progress.percent / 100)
        drawn = f" [{done.ljust(BAR_CELLS, '-')}]"
    elif far:
        drawn = ","
    doing_words = doing(run)
    told = f"{doing_words[0].lower()}{doing_words[1:]}{drawn}"
    limit = limit_words(run, utcnow())
    ends = f", {limit[0].lower()}{limit[1:]}" if limit else ""
    return f"{run.backup_name}: {told} {far}".rstrip() + ends
