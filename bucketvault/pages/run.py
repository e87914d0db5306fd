"""One run: did it work, why not, what now; in what state is the copy; and the whole log."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nicegui import run, ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine import live
from bucketvault.engine.overview import BackupRow, RunPage, RunView
from bucketvault.engine.rclone.transcript import Transfer
from bucketvault.engine.verdict import Tone, Verdict, verdict
from bucketvault.errors import BucketvaultError, NotFoundError
from bucketvault.pages import run_words
from bucketvault.pages.following import show_on
from bucketvault.pages.formatting import size_of
from bucketvault.pages.layout import frame, heading
from bucketvault.pages.logview import LARGEST_NUMBER, open_log
from bucketvault.pages.widgets import (
    CLASSES,
    NAME_CHARACTERS,
    WORDS,
    Bar,
    Tiles,
    button,
    card,
    element,
    glyph,
    key_values,
    pill,
    question,
    text,
)
from bucketvault.pages.widgets import verdict as draw_verdict
from bucketvault.untrusted import clean
from bucketvault.vocabulary import Phase, RunStatus

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

TRANSFERS_SHOWN = 8
CLOCK_S = 1.0  # how often "running for" is looked at while rclone is silent

Press = Callable[[], Awaitable[None]]


def register(engine: "Engine") -> None:
    """Serve the page of each run from `engine`."""

    @ui.page("/run/{run_id}", title="Run · bucketvault")
    async def run_page(run_id: int) -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""
        rows = await run.io_bound(engine.overview_backups)
        if rows is None:  # shutting down
            return
        try:
            if not 0 < run_id <= LARGEST_NUMBER:  # more than the database can ask for
                raise NotFoundError("There is no such run.")
            page = await run.io_bound(engine.overview_run, run_id)
        except NotFoundError as error:
            draw_absent(error, engine.zone, verdict(rows))
            return
        if page is None:
            return

        async def stop() -> None:
            await _told(engine.stop_run, run_id, "Stop is asked for.")
            look_again()

        async def run_again() -> None:
            queued = await _told(engine.run_now, page.run.backup_id, "")
            if isinstance(queued, int):
                ui.navigate.to(f"/run/{queued:d}")

        log = await open_log(engine, run_id, growing=_is_active(page.run))
        with frame("Backups", engine.zone, verdict(rows)) as around:
            screen = RunScreen(page, engine.zone, stop, run_again)
            log.draw(screen.log_place)
            screen.show(page, dt.datetime.now(dt.UTC))

        def show(page: RunPage) -> None:
            screen.show(page, dt.datetime.now(dt.UTC))
            log.growing(_is_active(page.run))

        def fetch() -> RunPage:
            return engine.overview_run(run_id)

        def show_around(rows: list[BackupRow]) -> None:
            around.show(verdict(rows))

        look_again = show_on(engine.live, live.run_topic(run_id), fetch, show)
        show_on(engine.live, live.BACKUPS, engine.overview_backups, show_around, pause_s=1.0)
        log.follow()
        ui.timer(CLOCK_S, lambda: screen.tick(dt.datetime.now(dt.UTC)))


async def _told(act: Callable[[int], int | None], number: int, done: str) -> int | None:
    """Do it in a thread; say what came of it."""
    try:
        answer = await run.io_bound(act, number)
    except BucketvaultError as error:
        ui.notify(str(error), type="negative", position="bottom-right", multi_line=True)
        return None
    if done:
        ui.notify(done, position="bottom-right")
    return answer


def _is_active(view: RunView) -> bool:
    return view.status in (RunStatus.PENDING, RunStatus.RUNNING)


def draw_absent(error: NotFoundError, zone: ZoneInfo, answer: Verdict) -> None:
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

    screen = RunScreen(page, zone, nothing, nothing)
    screen.show(page, now)
    return screen


class RunScreen:
    """The page of one run. The parts that move with each progress line change in place; the rest
    is drawn again only when the run's state changed; the log is never touched from here."""

    def __init__(self, page: RunPage, zone: ZoneInfo, stop: Press, run_again: Press) -> None:
        self._zone = zone
        self._stop, self._run_again = stop, run_again
        self._page = page
        self._state: tuple[object, ...] | None = None
        self._live: LiveCard | None = None
        self._head = element("div", "part")
        self._result = element("div", "part")
        self._transfers = TransfersCard()
        self._tiles = Tiles("What this run changed", run_words.tiles(page.run))
        self.log_place = element("div", "part")
        self._foot = element("div", "columns")

    def show(self, page: RunPage, now: dt.datetime) -> None:
        """Show the run as it stands at `now`."""
        self._page = page
        view = page.run
        state = (
            view.status,
            view.reason,
            view.phase,
            view.stop_requested_at,
            view.explanation,
            view.warnings,
            view.on_its_own,
            page.settings,
            page.previous_id,
            page.next_id,
        )
        if state != self._state:
            self._state = state
            self._redraw(now)
        if self._live is not None:
            self._live.show(view, now)
        self._transfers.show(view)
        self._tiles.show(run_words.tiles(view))

    def tick(self, now: dt.datetime) -> None:
        """Time passed, nothing else."""
        if self._live is not None:
            self._live.show(self._page.run, now)

    def _redraw(self, now: dt.datetime) -> None:
        view = self._page.run
        name = clean(view.backup_name, limit=NAME_CHARACTERS)
        ui.page_title(f"{WORDS[run_words.result(view).tone]} · {name} · bucketvault")
        for place in (self._head, self._result, self._foot):
            place.clear()
        with self._head:
            self._draw_head(name, now)
        with self._result:
            if view.status == RunStatus.RUNNING:
                self._live = LiveCard(view)
            else:
                self._live = None
                draw_result(self._page, self._zone, now)
        with self._foot:
            with card("This run"):
                key_values(run_words.this_run(view, self._zone, now))
            if self._page.settings is not None:
                with card("Settings of this run", "as they were when it started"):
                    pairs = run_words.settings_of(self._page.settings)
                    key_values((key, clean(value)) for key, value in pairs)

    def _draw_head(self, name: str, now: dt.datetime) -> None:
        view = self._page.run
        title = run_words.title(view, self._zone, now)
        with heading(title, (("Backups", "/"), (name, ""))):
            _neighbour("left", "Previous run", self._page.previous_id)
            _neighbour("chev", "Next run", self._page.next_id)
            if not _is_active(view):
                again = self._run_again
                button("Run again", "play", "primary grow", mark="run-again", on_click=again)
                return

            def ask() -> None:
                self._ask_to_stop(name)

            stop = button("Stop", "square", "danger grow", mark="stop", on_click=ask)
            if view.stop_requested_at is not None:
                stop.props["disabled"] = True

    def _ask_to_stop(self, name: str) -> None:
        waiting = self._page.run.status == RunStatus.PENDING
        body = (
            "It has not started: it is taken out of the queue, and nothing is touched."
            if waiting
            else "What has been copied stays. The next run goes on from there."
        )

        async def confirmed() -> None:
            dialog.close()
            await self._stop()

        with self._head, question(f"Stop the run of {name}?", body) as (dialog, actions), actions:
            button("Stop this run", "square", "danger", mark="confirm", on_click=confirmed)
        dialog.open()


def _neighbour(icon: str, label: str, run_id: int | None) -> None:
    if run_id is not None:
        button("", icon, "ghost square", href=f"/run/{run_id:d}", label=label)
        return
    none = button("", icon, "ghost square", label=f"{label}: none")
    none.props["disabled"] = True


def draw_result(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> None:
    """What came of it in words, what to do next, and the state of the copy."""
    told = run_words.result(page.run)
    ended = run_words.ended_words(page.run, zone, now)
    detail = " ".join(part for part in (clean(told.detail), ended) if part)
    with draw_verdict(told.tone, clean(told.sentence), detail) as (_, lines):
        for line in told.lines:
            with lines, element("div", "need plain"):
                glyph(Tone.WARN)
                element("span", "why", clean(line))
    if page.run.detail:
        with card("What rclone said", "the last lines of its output"):
            element("pre", "code", "\n".join(map(clean, page.run.detail.splitlines())))
    state = run_words.copy_state(page, zone, now)
    if state is None:
        return
    where = f"in {clean(page.settings.destination.place)}, after this run" if page.settings else ""
    with card("State of the copy", where), element("div", "stack spaced"):
        if len(state.parts) > 1 and state.parts[0][0] == Tone.OK:
            words = ", ".join(part[2] for part in state.parts)
            with element("div", "bar parts", role="img", aria_label=words):
                for tone, share, _ in state.parts:
                    # a number we made, never text from elsewhere
                    element("i", CLASSES[tone]).style["flex"] = f"{int(share)} 0 0"
        if state.parts:
            with element("div", "keys"):
                for tone, _, words in state.parts:
                    with element("span"):
                        glyph(tone)
                        element("span", text=words)
        element("p", "t13 ink2", f"{state.last_good} Nothing at the source was changed.")


class LiveCard:
    """How far a running run is; its words and its bar change in place."""

    def __init__(self, view: RunView) -> None:
        with element("section", f"verdict {CLASSES[Tone.RUN]}", role="status", aria_live="off"):
            with element("div", "top"):
                glyph(Tone.RUN, large=True)
                with element("div", "stack spaced"):
                    with element("div", "line wrap baseline"):
                        self._say = text("p", "say num")
                        element("span", "space")
                        _draw_steps(view)
                    self._bar = Bar("The whole run", None, kind="tall live")
                    self._numbers = []
                    with element("div", "figures"):
                        for name, _ in run_words.figures(view, view.queued_at):
                            with element("span"):
                                element("span", "t13 ink3", name)
                                self._numbers.append(text("b", "strong"))
            if view.on_its_own:
                with element("div", "needs"), element("div", "need plain"):
                    glyph(Tone.WARN)
                    words = "It goes on by itself: no bucketvault is watching it just now."
                    element("span", "why", words)

    def show(self, view: RunView, now: dt.datetime) -> None:
        """Show how far it is at `now`; only what changed is sent."""
        self._say.text = run_words.live_sentence(view)
        share = view.progress.percent if view.progress is not None else None
        if view.phase == Phase.TIDYING:
            share = 100.0
        self._bar.show(None if view.phase in (None, Phase.CHECKING) else share)
        for number, (_, value) in zip(self._numbers, run_words.figures(view, now), strict=True):
            number.text = value


def _draw_steps(view: RunView) -> None:
    with element("ol", "steps", aria_label="Phases"):
        for number, (tone, words) in enumerate(run_words.steps(view)):
            if number:
                element("li", "to", aria_hidden="true")
            with element("li"):
                pill(tone, words)


class TransfersCard:
    """The objects on their way now: a few rows that are made once and filled again and again."""

    def __init__(self) -> None:
        self._rows: list[tuple[ui.element, TextElement, TextElement, Bar]] = []
        with element("section", "card", aria_label="On the way now") as self._card:
            with element("header"):
                element("h2", text="On the way now")
                self._note = text("span", "t13 ink3")
            self._body = element("div")
        self._card.set_visibility(False)

    def show(self, view: RunView) -> None:
        """Fill the rows with what is on its way."""
        moving: tuple[Transfer, ...] = ()
        if view.status == RunStatus.RUNNING and view.progress is not None:
            moving = view.progress.transferring
        self._card.set_visibility(bool(moving))
        if not moving:
            return
        more = len(moving) - TRANSFERS_SHOWN
        self._note.text = f"{len(moving)} at a time" + (f", {more} more" if more > 0 else "")
        moving = moving[:TRANSFERS_SHOWN]
        while len(self._rows) < len(moving):
            with self._body, element("div", "transfer") as row:
                name = text("span", "mono clip")
                amount = text("span", "t13 ink3 num nowrap right")
                self._rows.append((row, name, amount, Bar("", 0)))
        for place, (row, name, amount, bar) in enumerate(self._rows):
            row.set_visibility(place < len(moving))
            if place < len(moving):
                _fill(name, amount, bar, moving[place])


def _fill(name: TextElement, amount: TextElement, bar: Bar, transfer: Transfer) -> None:
    words = clean(transfer.name)
    if name.text != words:
        name.text = words
        name.props["title"] = words
        bar.label(words)
    amount.text = size_of(transfer.bytes_done, transfer.size)
    bar.show(100 * transfer.bytes_done / transfer.size if transfer.size else None)
