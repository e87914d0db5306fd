"""An engine over made-up values, for pages. For tests only."""

import functools
import tempfile
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from bucketvault.engine.about import SettingsPage
from bucketvault.engine.domain.prices import PRICES
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.events import Live
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.engine.runs.kept_versions import Kept
from bucketvault.engine.runs.restore_script import Script, write_script
from bucketvault.engine.runs.restoring import Day, History
from bucketvault.engine.settings import Settings
from bucketvault.engine.views.backups import BackupPage, BackupRow, RunPage
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.copies import CopiesView, sources
from bucketvault.engine.views.home import FirstSteps, HomeView
from bucketvault.engine.views.situation import Situation, situation_of
from bucketvault.errors import BucketvaultError, InUseError, NotFoundError
from bucketvault.store.run_logs import LogSize, Matches, Sought
from bucketvault.vocabulary import (
    SHOWN_LINES,
    Kinds,
    LineKind,
    LogRow,
    RunKind,
    RunStatus,
    Topic,
    log_topic,
    run_topic,
)
from tests.pages import backup_scenes, scenes_proof, scenes_restore, scenes_verify
from tests.pages.fake_backups import FakeBackups
from tests.pages.sample_logs import HOSTILE_LINES, failed_log, log_line, long_log, looked_log
from tests.pages.scenes import (
    DAY,
    GOOD_INSTALLATION,
    SETTINGS,
    ZONE,
    checking_run,
    days_of,
    empty_run,
    failed_run,
    good_rows,
    held_run,
    interrupted_run,
    live_run,
    now,
    pending_run,
    preview_run,
    progress,
    run_view,
    stopped_run,
    warned_run,
)
from tests.pages.scenes_health import FakeMonitor
from tests.pages.scenes_settings import FakeAlerts, FakePreferences


class _Known:
    """Counts of one log's lines, as far as they were read."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.kinds: list[LineKind] = []
        self.bytes = 0
        self._teller = Transcript()
        self._places: dict[Kinds, list[int]] = {}

    def goes_on_in(self, lines: list[bytes]) -> bool:
        """True if `lines` begins with what was read."""
        seen = len(self.lines)
        return seen <= len(lines) and (not seen or lines[seen - 1] == self.lines[-1])

    def take(self, lines: list[bytes]) -> None:
        """Read what is new."""
        new = lines[len(self.kinds) :]
        if new:
            self.bytes += sum(map(len, new))
            told = (
                {line: self._teller.feed([line])[0] for line in dict.fromkeys(new)}
                if len(new) > 9_999
                else {}
            )
            self.kinds += [told[line] for line in new] if told else self._teller.feed(new)
            self.lines = lines if told else list(lines)
            self._places.clear()

    def places(self, wanted: Kinds) -> list[int]:
        """Which lines are wanted."""
        if wanted not in self._places:
            self._places[wanted] = [n for n, kind in enumerate(self.kinds) if kind in wanted]
        return self._places[wanted]


_LONG = _Known()
_LONG.lines = long_log()  # read when it is first opened


_LOG = threading.RLock()
Given = ParamSpec("Given")
Value = TypeVar("Value")


def _alone(ask: Callable[Given, Value]) -> Callable[Given, Value]:
    """Let one thread at a time ask for a log: what is known of it changes as it is read."""

    @functools.wraps(ask)
    def asked(*given: Given.args, **named: Given.kwargs) -> Value:
        with _LOG:
            return ask(*given, **named)

    return asked


class FakeEngine:
    """A double of the engine for pages, over made-up values; it can make a log and a bar grow."""

    zone = ZONE
    mailbox: Callable[[], object] | None = None  # it is no demo

    def __init__(self) -> None:
        self.live = Live()
        self.health = FakeMonitor()
        self.kept_may_come = threading.Event()  # cleared, the provider keeps everybody waiting
        self.history_may_come = threading.Event()  # the same of what is found to be restored
        self.history_may_come.set()
        self.past: BucketvaultError | None = None  # why nothing is found
        self.preferences = FakePreferences(self.live)
        self.reset()

    def reset(self) -> None:
        """Reset it to the start; listeners stay, and are told."""
        self.backups = FakeBackups(self.live, good_rows())
        self.health.found = None
        self.installation = GOOD_INSTALLATION
        self.steps: FirstSteps | None = None
        self.runs = {
            view.id: view
            for view in (
                live_run(),
                failed_run(),
                run_view(),
                stopped_run(),
                pending_run(),
                held_run(),
                warned_run(),
                interrupted_run(),
                run_view(id=8),
                failed_run(
                    id=10, explanation=HOSTILE_LINES[0].decode(), detail="<b>1</b>\n\x1b[31m"
                ),
                empty_run(),
                held_run(id=12, can_be_approved=False),
                preview_run(),
                checking_run(
                    id=14, kind=RunKind.PREVIEW, backup_id=5, backup_name="Product photos"
                ),
                checking_run(),
                *scenes_proof.runs(),
                *scenes_verify.runs(),
            )
        }
        self.logs: dict[int, list[bytes]] = {
            1: [
                log_line(i, object=f"2026/spring/raw/A003_C{i:03}.mov", size=10**9)
                for i in range(40)
            ],
            2: failed_log(),
            3: failed_log()[:10],
            6: looked_log(),
            12: looked_log(),
            13: looked_log(),
            16: scenes_proof.incomplete_log(),
            21: scenes_proof.incomplete_log(),
            23: scenes_verify.damaged_log(),
            8: _LONG.lines,
            10: list(HOSTILE_LINES),
        }
        self._told: dict[int, _Known] = {}
        self.queued: list[int] = []
        self.stopped: list[int] = []
        self.approved: list[int] = []
        self.previewed: list[int] = []
        self.verified: list[int] = []
        self.kept: Kept | BucketvaultError = backup_scenes.kept()
        self.kept_may_come.set()
        self.reads = 0
        self._last_good_at = now() - DAY
        self.live.publish(*(log_topic(run) for run in self.logs))

    @property
    def rows(self) -> list[BackupRow]:
        return self.backups.rows

    @rows.setter
    def rows(self, rows: list[BackupRow]) -> None:
        self.backups.rows = rows

    @property
    def mail(self) -> FakePreferences:
        return self.preferences

    @property
    def alerts(self) -> FakeAlerts:
        return self.preferences.alerts

    def settings_page(self) -> SettingsPage:
        return self.preferences.page()

    def setup_text(self) -> str:
        return '[[provider]]\nname = "R2"\n'

    def watch_elsewhere(self, elsewhere: bool) -> None:
        self.preferences.store(alerts_elsewhere=elsewhere)
        self.installation = replace(self.installation, watched_elsewhere=elsewhere)
        self.live.publish(Topic.BACKUPS)

    def change_settings(self, given: Mapping[str, object], seen: Settings) -> Settings:
        return self.preferences.change(given, seen)

    def sign_out_everywhere(self) -> None:
        self.preferences.sign_out_everywhere()

    def overview_backups(self) -> list[BackupRow]:
        return list(self.rows)

    def answer(self) -> Situation:
        return situation_of(self.rows, self.installation.issues())

    def copies(self, rows: list[BackupRow]) -> CopiesView:
        """Return every source with its copies; of one bucket it is known that it is versioned."""
        ends = {(row.destination.provider_id, row.destination.bucket): Traits() for row in rows}
        traits = ends | dict.fromkeys(list(ends)[:1], Traits(versioning=True))
        listed = tuple((row.id, row.name) for row in self.providers.rows())
        return CopiesView(sources(rows), traits, listed)

    def not_backed_up(self, provider_id: int, listed: list[str]) -> list[str]:
        """Return the first three buckets; of one provider none."""
        return listed[:3] if provider_id == 1 else []

    def home(self) -> HomeView:
        days = {row.id: self.days(row) for row in self.rows}
        return HomeView(list(self.rows), self.answer(), days, self.steps)

    def days(self, row: BackupRow) -> Days:
        return days_of(row)

    def zone_of(self, name: str) -> ZoneInfo:
        return ZoneInfo(name) if name else ZONE

    def zone_of_run(self, run_id: int) -> ZoneInfo:
        return self.zone_of(self.runs[run_id].time_zone) if run_id in self.runs else ZONE

    def overview_run(self, run_id: int) -> RunPage:
        if run_id not in self.runs:
            raise NotFoundError("There is no such run.", "It may have gone with its backup.")
        view = self.runs[run_id]
        settings = None if view.status == RunStatus.PENDING else SETTINGS
        newer = 13 if run_id == 12 else None
        return RunPage(
            view, settings, self._last_good_at, run_id - 1 or None, newer, 90, prices=PRICES
        )

    def overview_backup(self, backup_id: int) -> BackupPage:
        for row in self.rows:
            if row.id == backup_id:
                return backup_scenes.backup_page(row)
        raise NotFoundError("This backup no longer exists.")

    def kept_versions(self, backup_id: int) -> Kept:
        assert self.kept_may_come.wait(60), "nobody let the kept versions come"
        if isinstance(self.kept, BucketvaultError):
            raise self.kept
        return self.kept

    def history(
        self, backup_id: int, on_count: Callable[[int], None], stopped: threading.Event
    ) -> History:
        on_count(12_000)
        while not self.history_may_come.wait(0.02):
            if stopped.is_set():
                raise CancelledError("Stopped.")
        if isinstance(self.past, BucketvaultError):
            raise self.past
        return scenes_restore.history()

    def restore_script(
        self, history: History, day: Day, under: bytes, title: str
    ) -> tuple[Script, IO[bytes]]:
        file = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        return write_script(history, day, under, title, file, Path(tempfile.gettempdir())), file

    def approve_run(self, run_id: int) -> int:
        if not self.runs[run_id].can_be_approved:
            raise InUseError("A newer run has ended since.", "Approve that one, or run again.")
        self.approved.append(run_id)
        return 5

    def preview(self, backup_id: int) -> int:
        self.previewed.append(backup_id)
        return 14

    def verify(self, backup_id: int) -> int:
        self.verified.append(backup_id)
        return 24

    def run_now(self, backup_id: int) -> int:
        self.queued.append(backup_id)
        return 5

    def stop_run(self, run_id: int) -> None:
        self.stopped.append(run_id)
        self.runs[run_id] = replace(self.runs[run_id], stop_requested_at=now())
        self.live.publish(run_topic(run_id), Topic.BACKUPS)

    def _known(self, run_id: int) -> "_Known":
        lines = self.logs.get(run_id, [])
        # a long sample is made once a process, and so is what is known of it
        known = _LONG if lines and lines is _LONG.lines else self._told.get(run_id)
        if known is None or not known.goes_on_in(lines):
            known = self._told[run_id] = _Known()
        known.take(lines)
        return known

    @_alone
    def log_size(self, run_id: int) -> LogSize:
        known = self._known(run_id)
        return LogSize(len(known.lines), len(known.places(SHOWN_LINES)), known.bytes)

    @_alone
    def log_counts(self, run_id: int) -> tuple[int, ...]:
        found = Counter(self._known(run_id).kinds)
        return tuple(found[kind] for kind in LineKind)

    def _rows(self, run_id: int, wanted: Kinds, which: range) -> Iterator[LogRow]:
        known = self._known(run_id)
        places, shown = known.places(wanted), known.places(SHOWN_LINES)
        for number in which:
            place = places[number]
            among = bisect_left(shown, place)
            yield LogRow(number, known.lines[place], known.kinds[place], place, among)

    @_alone
    def log_rows(self, run_id: int, start: int, count: int, wanted: Kinds) -> list[LogRow]:
        self.reads += 1
        total = len(self._known(run_id).places(wanted))
        return list(self._rows(run_id, wanted, range(min(start, total), min(start + count, total))))

    @_alone
    def log_find(
        self, run_id: int, sought: Sought, start: int, backwards: bool, wanted: Kinds
    ) -> int | None:
        total = len(self._known(run_id).places(wanted))
        which = range(min(start, total) - 1, -1, -1) if backwards else range(start, total)
        rows = self._rows(run_id, wanted, which)
        return next((row.number for row in rows if sought.holds(row.line, row.kind)), None)

    @_alone
    def log_matches(
        self,
        run_id: int,
        sought: Sought,
        start: int,
        wanted: Kinds,
        *,
        most: int,
        within_s: float,
    ) -> Matches:
        total = len(self._known(run_id).places(wanted))
        last = min(total, start + 5_000)  # so that a long one takes several looks
        rows = self._rows(run_id, wanted, range(min(start, total), last))
        hits = [row.number for row in rows if sought.holds(row.line, row.kind)]
        if len(hits) > most:
            return Matches(hits[:most], hits[most - 1] + 1, done=False)
        return Matches(hits, last, done=last >= total)

    @_alone
    def log_rows_at(self, run_id: int, numbers: list[int], wanted: Kinds) -> list[LogRow]:
        total = len(self._known(run_id).places(wanted))
        return [
            row
            for number in sorted(set(numbers))
            for row in self._rows(run_id, wanted, range(number, min(number + 1, total)))
        ]

    def log_lines(self, run_id: int) -> Iterator[tuple[bytes, LineKind]]:
        with _LOG:
            known = self._known(run_id)
            both = list(zip(known.lines, known.kinds, strict=True))
        yield from both

    def log_raw(self, run_id: int) -> Iterator[bytes]:
        for line in self.logs.get(run_id, []):
            yield line + b"\n"

    def grow(self, lines_a_second: int, ending: threading.Event) -> None:
        """Let run 1 continue, in this thread, until `ending`."""
        started, made = time.monotonic(), 0
        while not ending.wait(0.05):
            due = int((time.monotonic() - started) * lines_a_second)
            for number in range(made, due):
                name = f"2026/spring/raw/B{number:07}.mov"
                line = log_line(number, object=name, size=1_000_000 + number)
                self.logs[1].append(line)
            made = due
            share = (time.monotonic() - started) / 60 % 1
            view = replace(self.runs[1], progress=progress(share), log_lines=len(self.logs[1]))
            self.runs[1] = view
            self.rows = [
                replace(row, active_run=view) if row.id == view.backup_id else row
                for row in self.rows
            ]
            self.live.publish(run_topic(1), log_topic(1), Topic.BACKUPS)
