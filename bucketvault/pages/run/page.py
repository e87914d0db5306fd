"""One run: did it work, why not, what now; in what state is the copy; and the whole log."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.log_text import removed_log
from bucketvault.engine.views.situation import Tone, tone_of_run, word_of
from bucketvault.humanize import many
from bucketvault.pages.parts import money
from bucketvault.pages.parts.actions import go_to_run, press
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    CLASSES,
    NAME_CHARACTERS,
    Moment,
    Part,
    Tiles,
    also_in_own_zone,
    button,
    card,
    confirm,
    draw_statement,
    draw_verdict,
    element,
    glyph,
    key_values,
    use_region,
)
from bucketvault.pages.run import words
from bucketvault.pages.run.approval import approval, shows_plan
from bucketvault.pages.run.log import RunLog
from bucketvault.pages.run.log_rows import Filter
from bucketvault.pages.run.progress import LiveCard, TransfersCard
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Phase, RunKind, RunStatus, Topic, run_topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

LOG_PLACE = "log"  # the anchor of the log's card
CLOCK_S = 1.0  # how often "running for" is looked at while rclone is silent

Press = Callable[[], Awaitable[None]]


class RunActions(NamedTuple):
    """Actions of the buttons of a run's page."""

    stop: Press
    run_again: Press
    approve: Press
    pick: Callable[[str], None]  # which lines of the log are shown


def register(engine: "Engine") -> None:
    """Serve the page of each run from `engine`."""

    @page_at("/run/{run_id:number}", "Run")
    async def run_page(run_id: int) -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""
        found = await fetch_page(engine, lambda: engine.overview_run(run_id), "Backups", "run")
        if found is None:
            return
        answer, page = found

        async def stop() -> None:
            await press(engine.stop_run, run_id, "Stop requested.")
            look_again()

        async def run_again() -> None:
            await go_to_run(engine.run_now, page.run.backup_id)

        async def approve() -> None:
            await go_to_run(engine.approve_run, run_id)
            look_again()  # where it was refused, the reason is a change

        active = _is_active(page.run)
        moves = page.run.status == RunStatus.RUNNING
        log = RunLog(engine, run_id, growing=active, shows_plan=shows_plan(page.run))
        await log.open()
        zone = engine.zone_of(page.run.time_zone)
        with frame("Backups", engine.zone, answer) as around:
            screen = RunScreen(zone, RunActions(stop, run_again, approve, log.pick))
            if page.run.log_removed_at is None:
                log.draw(screen.log_place)
                log.on_filter = screen.picked
            screen.show(page, dt.datetime.now(dt.UTC))

        def show(page: RunPage) -> None:
            nonlocal active, moves
            if engine.zone_of(page.run.time_zone) != zone:
                ui.navigate.reload()
            active = _is_active(page.run)
            moves = page.run.status == RunStatus.RUNNING
            screen.show(page, dt.datetime.now(dt.UTC))
            if page.run.log_removed_at is not None:
                log.leave()
            log.set_shows_plan(shows_plan(page.run))
            log.growing(active)

        def show_gone() -> None:  # its backup was deleted in another tab
            screen.show_gone(dt.datetime.now(dt.UTC))
            log.leave()

        def fetch() -> RunPage | None:
            return None if screen.is_gone else engine.overview_run(run_id)

        def fetch_resting() -> RunPage | None:
            # a newer run, whatever asked for it, is a neighbour and ends what can be approved;
            # what a run waits for may end without its own turn having come
            return None if moves else fetch()

        # twice a second is as often as anybody reads; the log beside it is quicker
        topic = run_topic(run_id)
        look_again = show_on(engine.live, topic, fetch, show, gone=show_gone, pause_s=0.5)
        for topic, look in ((Topic.MAIL, fetch), (Topic.BACKUPS, fetch_resting)):
            show_on(engine.live, topic, look, show, gone=show_gone, pause_s=1.0)
        around.follow(engine)
        log.follow()
        ui.timer(CLOCK_S, lambda: screen.tick(dt.datetime.now(dt.UTC)))


def _is_active(view: RunView) -> bool:
    return view.status.is_active


def draw(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> "RunScreen":
    """Draw a run from plain values, without its log: no I/O, so a test can call it."""

    async def nothing() -> None:
        return

    screen = RunScreen(zone, RunActions(nothing, nothing, nothing, lambda _: None))
    screen.show(page, now)
    return screen


class RunScreen:
    """The page of one run. The parts that move with each progress line change in place; the rest
    is drawn again only when the run's state changed; the log is not touched from here before it
    is removed."""

    def __init__(self, zone: ZoneInfo, actions: RunActions) -> None:
        self._zone = zone
        self._actions = actions
        self.is_gone = False
        self._page: RunPage | None = None
        self._today: dt.date | None = None
        self._live: LiveCard | None = None
        self._tiles: Tiles | None = None
        self._picked = ""
        self._head = Part()
        self._result = Part()
        self._transfers = TransfersCard()
        self._numbers = Part()
        self._decision = element("div", "part")
        self.log_place = element("div", "part log-place", id=LOG_PLACE, tabindex="-1")
        self._foot = element("div", "columns")
        self._questions = element("div")  # one that is open must not go with a redraw

    def show(self, page: RunPage, now: dt.datetime) -> None:
        """Show the run as it is at `now`."""
        self._page, view = page, page.run
        self._today = self._day_of(now)
        resting = view.at_rest()
        beside = page.last_good_at, page.previous_id, page.next_id, page.alerts
        if self._result.is_new(resting, page.settings, self._today, *beside):
            self._redraw(page, now)
        if self._live is not None:
            self._live.show(view, now)
        self._transfers.show(view)
        self._show_numbers(view)

    def show_gone(self, now: dt.datetime) -> None:
        """Say that its backup was deleted meanwhile."""
        if self._page is None:
            return
        view = self._page.run
        name = clean(view.backup_name, limit=NAME_CHARACTERS)
        self.is_gone = True
        self._page = self._live = self._tiles = None
        self._transfers.show(replace(view, progress=None))
        parts = (self._head, self._result, self._numbers, self._decision)
        for place in (*parts, self.log_place, self._foot, self._questions):
            place.clear()
        ui.page_title(f"Deleted · {name} · bucketvault")
        with self._head:
            heading(words.title(view, self._zone, now), (("Backups", "/"),), self._zone)
        sentence = "This run was deleted with its backup."
        detail = "Its log was deleted too. The copied objects are still in the bucket."
        with self._result:
            draw_statement(Tone.NONE, sentence, detail, "All backups", "/")

    def _show_numbers(self, view: RunView) -> None:
        tiles = words.tiles(view)
        has_log = view.log_removed_at is None
        if self._numbers.is_new(has_log, *(tile.word for tile in tiles)):
            label = "Proposed changes" if shows_plan(view) else "Changes"
            label = "Objects read" if view.kind == RunKind.VERIFY else label
            on_pick = self._pick if has_log else None
            with self._numbers:
                self._tiles = Tiles(label, tiles, on_pick) if tiles else None
            self.picked(self._picked)
        elif self._tiles is not None:
            self._tiles.show(tiles)

    def _pick(self, picks: str) -> None:
        self._actions.pick("" if picks == self._picked else picks)  # pressed again: all of them

    def picked(self, picks: str) -> None:
        """Show which lines alone the log shows now; empty: all."""
        self._picked = picks
        if self._tiles is not None:
            self._tiles.picked(picks)

    def tick(self, now: dt.datetime) -> None:
        """Show that time passed; what was told as of today gets its day once that is over."""
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
        # its buttons are drawn again only when they change: a press must not meet an old one
        state = view.status, tone_of_run(view), view.stop_requested_at
        if self._head.is_new(name, *state, page.previous_id, page.next_id):
            with self._head:
                self._draw_head(page, name, now)
        if view.log_removed_at is not None:
            self.log_place.clear()
            with self.log_place:
                _draw_removed_log(page, self._zone, now)
        self._decision.clear()
        with self._decision:
            _draw_decision(page, self._zone, now, self._actions.approve, self._questions)
        with self._result:
            self._live = LiveCard(view) if view.status == RunStatus.RUNNING else None
            if self._live is None:
                _draw_result(page, self._zone, now, self._actions.pick)
        self._foot.clear()
        with self._foot:
            with card("This run"):
                mail = words.alerts_about(page.alerts, self._zone, now)
                pairs = (*words.this_run(view, self._zone, now), *money.of_run(page), *mail)
                key_values(
                    (key, value if isinstance(value, Moment) else clean(value))
                    for key, value in pairs
                )
            if page.settings is not None:
                with card("Settings of this run", "as they were when it started"):
                    pairs = words.settings_of(page.settings)
                    key_values((key, clean(value)) for key, value in pairs)

    def _draw_head(self, page: RunPage, name: str, now: dt.datetime) -> None:
        view = page.run
        title = words.title(view, self._zone, now)
        crumbs = (("Backups", "/"), (name, f"/backups/{view.backup_id:d}"))
        with heading(title, crumbs, self._zone):
            _neighbour("left", "Previous run", page.previous_id)
            _neighbour("chev", "Next run", page.next_id)
            if not _is_active(view):
                # where a person is asked to decide, that is the one prominent button
                kind = "grow" if tone_of_run(view) == Tone.HELD else "primary grow"
                label = "Run again" if view.kind == RunKind.COPY else "Run now"
                button(label, "play", kind, mark="run-again", on_click=self._actions.run_again)
                return

            def ask() -> None:
                if self._page is not None:
                    self._ask_to_stop(self._page.run, name)

            stop = button("Stop", "square", "danger grow", mark="stop", on_click=ask)
            if view.stop_requested_at is not None:
                stop.props["disabled"] = True

    def _ask_to_stop(self, view: RunView, name: str) -> None:
        what = words.KINDS[view.kind].lower()
        body = "Objects already copied stay. The next run continues from there."
        if view.status == RunStatus.PENDING:
            body = "It has not started. It is removed from the queue, and nothing is changed."
        elif view.kind == RunKind.VERIFY:
            body = "What it has read so far counts. It changes nothing in either bucket."
        elif view.phase in (None, Phase.CHECKING):
            body = "It has only compared the buckets so far: nothing has been changed."
        title, stop = f"Stop the {what} of {name}?", self._actions.stop
        confirm(self._questions, title, body, words=f"Stop this {what}", act=stop, icon="square")


def _neighbour(icon: str, label: str, run_id: int | None) -> None:
    if run_id is not None:
        button("", icon, "ghost square", href=f"/run/{run_id:d}", label=label)
    else:
        button("", icon, "ghost square", label=f"{label}: none").props["disabled"] = True


def _draw_result(
    page: RunPage, zone: ZoneInfo, now: dt.datetime, pick: Callable[[str], None]
) -> None:
    """Draw the result in words and what to do next; then the state of the copy."""
    proof, has_log = page.run.proof, page.run.log_removed_at is None
    copy = words.copy_words(page, zone, now)
    told = words.result(page, zone, now)
    shown = draw_verdict(
        told.tone,
        clean(told.sentence),
        clean(told.detail),
        map(describe_warning, told.warnings),
        words.times(page),
    )
    with shown as (actions, _), actions:
        for provider_id, name in words.providers_to_mend(page):
            href = f"/providers/{provider_id:d}"
            if page.run.region:
                use_region(provider_id, page.run.region)
            button(f"Open {clean(name, limit=80)}", href=href, mark="open-provider")
        if proof is not None and proof.cannot_copy and proof.is_good and has_log:
            _lines_button("Show names in the log", Filter.WARNINGS, pick)
    if copy is not None:
        _draw_copy(copy, page, pick)
    if page.run.detail:
        with card(*words.detail_title(page.run)):
            element("pre", "code", "\n".join(map(clean, page.run.detail.splitlines())))


def _lines_button(label: str, only: Filter, pick: Callable[[str], None]) -> None:
    """Draw the way to the lines of the log that name every object."""
    button(label, "eye", "small", mark=f"lines-{only}", on_click=lambda: pick(only))


def _draw_copy(copy: words.CopyWords, page: RunPage, pick: Callable[[str], None]) -> None:
    where = f"in {clean(page.settings.destination.place)}, after this run" if page.settings else ""
    with card("State of the copy", where), element("div", "stack spaced"):
        if copy.sentence:
            element("p", "strong", clean(copy.sentence))
        if copy.proof:
            element("p", "ink2", copy.proof)
        if len(copy.parts) > 1 and copy.parts[0][0] == Tone.OK:
            said = ", ".join(part[2] for part in copy.parts)
            with element("div", "bar parts", role="img", aria_label=said):
                for tone, share, _ in copy.parts:
                    # a number we made, never text from elsewhere
                    element("i", CLASSES[tone]).style["flex"] = f"{int(share)} 0 0"
        if copy.parts:
            with element("div", "keys"):
                for tone, _, said in copy.parts:
                    with element("span"):
                        glyph(tone)
                        element("span", text=said)
        proof = page.run.proof
        if proof is not None and not proof.is_good and page.run.log_removed_at is None:
            with element("div", "actions"):
                _lines_button("Show every object in the log", Filter.ERRORS, pick)
                if proof.cannot_copy:
                    _lines_button("Show names that cannot be copied", Filter.WARNINGS, pick)
        last_good = element("p", "t13 ink2", f"{copy.last_good} Nothing at the source was changed.")
        also_in_own_zone(last_good, [("Last good run", page.last_good_at)])


def _draw_removed_log(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> None:
    """Draw what is in place of a log that was removed for its age."""
    if (removed_at := page.run.log_removed_at) is None:
        return
    had = f"It had {many(page.run.log_lines, 'line')}."
    with card("Log"), element("div", "stack spaced"):
        removed = removed_log(removed_at, page.log_retention_days, zone, now)
        element("p", "ink2", f"{removed} {had}").mark("log-removed")


def _draw_decision(
    page: RunPage, zone: ZoneInfo, now: dt.datetime, approve: Press, place: ui.element
) -> None:
    """Ask below a held run's numbers whether it shall do so; nothing where nobody can say yes."""
    view = page.run
    if tone_of_run(view) != Tone.HELD or view.preview or view.findings is None:
        return
    with card("Your decision"), element("div", "stack spaced"):
        if not view.can_be_approved:
            element("p", "ink2", "This run can no longer be approved: there is a newer one.")
            with element("div", "actions"):
                if page.next_id is not None:
                    button("Next run", "chev", href=f"/run/{page.next_id:d}", mark="newer")
                button("Review", "eye", href=f"#{LOG_PLACE}", mark="review")
            return
        name = clean(view.backup_name, limit=NAME_CHARACTERS)
        for term in approval(page, name, zone, now).terms:
            element("p", "ink2", clean(term))

        def ask() -> None:  # perhaps hours later: the times it tells count from then
            asked = approval(page, name, zone, dt.datetime.now(dt.UTC))
            title = f"{name}: {asked.question[0].lower()}{asked.question[1:]}"
            lines, yes = map(clean, asked.answers), "Approve and run"
            confirm(
                place, clean(title), *lines, words=yes, act=approve, icon="check", kind="primary"
            )

        with element("div", "actions"):
            button("Review", "eye", href=f"#{LOG_PLACE}", mark="review")
            button("Approve this run", "check", "primary", mark="approve", on_click=ask)
        waits = "Until you decide, the copy stays as it is: new objects are not copied either."
        element("p", "t13 ink3", waits)
