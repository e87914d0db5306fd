"""One run: did it work, why not, what now; in what state is the copy; and the whole log."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from nicegui import run, ui

from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.situation import Situation, Tone, tone_of_run, word_of
from bucketvault.errors import NotFoundError
from bucketvault.pages.parts.actions import go_to_run, told
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    Tiles,
    button,
    card,
    element,
    key_values,
    question,
)
from bucketvault.pages.parts.widgets import verdict as draw_verdict
from bucketvault.pages.run import words as run_words
from bucketvault.pages.run.approval import only_looked
from bucketvault.pages.run.log import LARGEST_NUMBER, open_log
from bucketvault.pages.run.progress import LiveCard, TransfersCard
from bucketvault.pages.run.result import LOG_PLACE, draw_decision, draw_removed_log, draw_result
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Phase, RunStatus, Topic, run_topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

CLOCK_S = 1.0  # how often "running for" is looked at while rclone is silent

Press = Callable[[], Awaitable[None]]


class Acts(NamedTuple):
    """What the buttons of a run's page do."""

    stop: Press
    run_again: Press
    approve: Press
    pick: Callable[[str], None]  # which lines of the log are shown


def register(engine: "Engine") -> None:
    """Serve the page of each run from `engine`."""

    @page_at("/run/{run_id:number}", "Run")
    async def run_page(run_id: int) -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""
        answer = await run.io_bound(engine.answer)
        if answer is None:  # shutting down
            return
        try:
            if not 0 < run_id <= LARGEST_NUMBER:  # more than the database can ask for
                raise NotFoundError("There is no such run.")
            page = await run.io_bound(engine.overview_run, run_id)
        except NotFoundError as error:
            draw_absent(error, engine.zone, answer)
            return
        if page is None:
            return

        async def stop() -> None:
            await told(engine.stop_run, run_id, "Stop is asked for.")
            look_again()

        async def run_again() -> None:
            await go_to_run(engine.run_now, page.run.backup_id)

        async def approve() -> None:
            await go_to_run(engine.approve_run, run_id)
            look_again()  # where it was refused, the reason is a change

        active, looked = _is_active(page.run), only_looked(page.run)
        moves = page.run.status == RunStatus.RUNNING
        log = await open_log(engine, run_id, growing=active, looked=looked)
        with frame("Backups", engine.zone, answer) as around:
            screen = RunScreen(engine.zone, Acts(stop, run_again, approve, log.pick))
            if page.run.log_removed_at is None:
                log.draw(screen.log_place)
                log.on_filter = screen.picked
            screen.show(page, dt.datetime.now(dt.UTC))

        def show(page: RunPage | NotFoundError | None) -> None:
            nonlocal active, moves
            if page is None:
                return
            if isinstance(page, NotFoundError):
                screen.show_gone(dt.datetime.now(dt.UTC))
                log.leave()
                return
            active = _is_active(page.run)
            moves = page.run.status == RunStatus.RUNNING
            screen.show(page, dt.datetime.now(dt.UTC))
            if page.run.log_removed_at is not None:
                log.leave()
            log.looked(only_looked(page.run))
            log.growing(active)

        def fetch() -> RunPage | NotFoundError | None:
            if screen.is_gone:
                return None
            try:
                return engine.overview_run(run_id)
            except NotFoundError as error:  # its backup was deleted in another tab
                return error

        def fetch_resting() -> RunPage | NotFoundError | None:
            # a newer run, whoever asked for it, is a neighbour and ends what can be approved;
            # what a run waits for may end without its own turn having come
            return None if moves else fetch()

        # twice a second is as often as anybody reads; the log beside it is quicker
        topic = run_topic(run_id)
        look_again = show_on(engine.live, topic, fetch, show, pause_s=0.5)
        show_on(engine.live, Topic.MAIL, fetch, show, pause_s=1.0)
        show_on(engine.live, Topic.BACKUPS, fetch_resting, show, pause_s=1.0)
        around.follow(engine)
        log.follow()
        ui.timer(CLOCK_S, lambda: screen.tick(dt.datetime.now(dt.UTC)))


def _is_active(view: RunView) -> bool:
    return view.status.is_active


def draw_absent(error: NotFoundError, zone: ZoneInfo, answer: Situation) -> None:
    """There is no such run (any more)."""
    ui.context.client.status_code = 404
    with frame("Backups", zone, answer):
        with heading("No such run", (("Backups", "/"),)):
            pass
        with (
            draw_verdict(Tone.NONE, clean(error.summary), clean(error.hint)) as (actions, _),
            actions,
        ):
            button("All backups", href="/")


def draw(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> "RunScreen":
    """Draw a run from plain values, without its log: no I/O, so a test can call it."""

    async def nothing() -> None:
        return

    screen = RunScreen(zone, Acts(nothing, nothing, nothing, lambda _: None))
    screen.show(page, now)
    return screen


class RunScreen:
    """The page of one run. The parts that move with each progress line change in place; the rest
    is drawn again only when the run's state changed; the log is not touched from here before it
    is removed."""

    def __init__(self, zone: ZoneInfo, acts: Acts) -> None:
        self._zone = zone
        self._acts = acts
        self.is_gone = False
        self._page: RunPage | None = None
        self._state: tuple[object, ...] | None = None
        self._today: dt.date | None = None
        self._live: LiveCard | None = None
        self._tiles: Tiles | None = None
        self._tiles_shown: tuple[object, ...] = ()
        self._picked = ""
        self._head = element("div", "part")
        self._head_shown: tuple[object, ...] | None = None
        self._result = element("div", "part")
        self._transfers = TransfersCard()
        self._numbers = element("div", "part")
        self._decision = element("div", "part")
        self.log_place = element("div", "part log-place", id=LOG_PLACE, tabindex="-1")
        self._foot = element("div", "columns")
        self._questions = element("div")  # one that is open must not go with a redraw

    def show(self, page: RunPage, now: dt.datetime) -> None:
        """Show the run as it stands at `now`."""
        self._page = page
        view = page.run
        resting = replace(view, progress=None, counts={}, log_lines=0, log_bytes=0)
        beside = page.last_good_at, page.previous_id, page.next_id, page.mail
        self._today = self._day_of(now)
        state = (resting, page.settings, self._today, *beside)
        if state != self._state:
            self._state = state
            self._redraw(page, now)
        if self._live is not None:
            self._live.show(view, now)
        self._transfers.show(view)
        self._show_numbers(view)

    def show_gone(self, now: dt.datetime) -> None:
        """Its backup was deleted while it was looked at, and nothing that was said of it holds."""
        if self._page is None:
            return
        view = self._page.run
        name = clean(view.backup_name, limit=NAME_CHARACTERS)
        self.is_gone = True
        self._page = self._live = self._tiles = None
        self._transfers.show(replace(view, progress=None))
        for place in (
            self._head,
            self._result,
            self._numbers,
            self._decision,
            self.log_place,
            self._foot,
            self._questions,
        ):
            place.clear()
        ui.page_title(f"Deleted · {name} · bucketvault")
        with self._head, heading(run_words.title(view, self._zone, now), (("Backups", "/"),)):
            pass
        sentence = "This run is gone: its backup was deleted."
        detail = "Its log went with it. What was copied is still in the bucket."
        told = draw_verdict(Tone.NONE, sentence, detail)
        with self._result, told as (actions, _), actions:
            button("All backups", href="/")

    def _show_numbers(self, view: RunView) -> None:
        tiles = run_words.tiles(view)
        has_log = view.log_removed_at is None
        shown = (has_log, *(tile.word for tile in tiles))
        if self._tiles is not None and shown == self._tiles_shown:
            self._tiles.show(tiles)
        elif shown != self._tiles_shown:
            self._tiles_shown = shown
            self._numbers.clear()
            label = "What a run would change" if only_looked(view) else "What this run changed"
            on_pick = self._pick if has_log else None
            with self._numbers:
                self._tiles = Tiles(label, tiles, on_pick) if tiles else None
            self.picked(self._picked)

    def _pick(self, picks: str) -> None:
        self._acts.pick("" if picks == self._picked else picks)  # pressed again: all of them

    def picked(self, picks: str) -> None:
        """The log shows only these lines now; empty: all."""
        self._picked = picks
        if self._tiles is not None:
            self._tiles.picked(picks)

    def tick(self, now: dt.datetime) -> None:
        """Time passed, nothing else; what was told as of today gets its day once that is over."""
        if self._page is not None and self._day_of(now) != self._today:
            self.show(self._page, now)
        if self._live is not None and self._page is not None:
            self._live.show(self._page.run, now)

    def _day_of(self, now: dt.datetime) -> dt.date:
        return now.astimezone(self._zone).date()

    def _redraw(self, page: RunPage, now: dt.datetime) -> None:
        view = page.run
        name = clean(view.backup_name, limit=NAME_CHARACTERS)
        ui.page_title(f"{word_of(tone_of_run(view), view)} · {name} · bucketvault")
        for place in (self._result, self._decision, self._foot):
            place.clear()
        self._show_head(page, name, now)
        if view.log_removed_at is not None:
            self.log_place.clear()
            with self.log_place:
                draw_removed_log(page, self._zone, now)
        with self._decision:
            draw_decision(page, self._zone, now, self._acts.approve)
        with self._result:
            if view.status == RunStatus.RUNNING:
                self._live = LiveCard(view)
            else:
                self._live = None
                draw_result(page, self._zone, now)
        with self._foot:
            with card("This run"):
                told = run_words.mail_about(page.mail, self._zone, now)
                pairs = (*run_words.this_run(view, self._zone, now), *told)
                key_values((key, clean(value)) for key, value in pairs)
            if page.settings is not None:
                with card("Settings of this run", "as they were when it started"):
                    pairs = run_words.settings_of(page.settings)
                    key_values((key, clean(value)) for key, value in pairs)

    def _show_head(self, page: RunPage, name: str, now: dt.datetime) -> None:
        """Its buttons are drawn again only when they change: a press must not meet an old one."""
        view = page.run
        shown = (
            name,
            view.status,
            tone_of_run(view),
            view.stop_requested_at,
            page.previous_id,
            page.next_id,
        )
        if shown == self._head_shown:
            return
        self._head_shown = shown
        self._head.clear()
        with self._head:
            self._draw_head(page, name, now)

    def _draw_head(self, page: RunPage, name: str, now: dt.datetime) -> None:
        view = page.run
        title = run_words.title(view, self._zone, now)
        with heading(title, (("Backups", "/"), (name, f"/backups/{view.backup_id:d}"))):
            _neighbour("left", "Previous run", page.previous_id)
            _neighbour("chev", "Next run", page.next_id)
            if not _is_active(view):
                # where somebody is asked to decide, that is the one button that stands out
                kind = "grow" if tone_of_run(view) == Tone.HELD else "primary grow"
                words = "Run now" if view.preview else "Run again"
                button(words, "play", kind, mark="run-again", on_click=self._acts.run_again)
                return

            def ask() -> None:
                if self._page is not None:
                    self._ask_to_stop(self._page.run, name)

            stop = button("Stop", "square", "danger grow", mark="stop", on_click=ask)
            if view.stop_requested_at is not None:
                stop.props["disabled"] = True

    def _ask_to_stop(self, view: RunView, name: str) -> None:
        what = "preview" if view.preview else "run"
        body = "What has been copied stays. The next run goes on from there."
        if view.status == RunStatus.PENDING:
            body = "It has not started: it is taken out of the queue, and nothing is touched."
        elif view.phase in (None, Phase.CHECKING):
            body = "It has only looked so far: nothing has been touched."

        async def confirmed() -> None:
            dialog.close()
            await self._acts.stop()

        with (
            self._questions,
            question(f"Stop the {what} of {name}?", body) as (dialog, actions),
            actions,
        ):
            button(f"Stop this {what}", "square", "danger", mark="confirm", on_click=confirmed)
        dialog.open()


def _neighbour(icon: str, label: str, run_id: int | None) -> None:
    if run_id is not None:
        button("", icon, "ghost square", href=f"/run/{run_id:d}", label=label)
        return
    none = button("", icon, "ghost square", label=f"{label}: none")
    none.props["disabled"] = True
