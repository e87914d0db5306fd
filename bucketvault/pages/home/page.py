"""The home page: is everything fine, and if not, what needs me? Then every backup in a row."""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from nicegui import events, run, ui

from bucketvault import humanize
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.home import HomeView
from bucketvault.engine.views.situation import BackupIssue, InstallationIssue, Part, Tone
from bucketvault.pages.home.first_steps import draw_first_steps
from bucketvault.pages.home.rows import BackupList, in_order, list_row
from bucketvault.pages.parts.actions import attempt, in_thread, press, switch
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    also_in_own_zone,
    button,
    draw_verdict,
    element,
    glyph,
)
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

AGES_S = 20.0  # how often "3 h ago" is looked at while nothing else happens
PAUSE_S = 0.25  # between two redraws of the list: rclone speaks once a second
NEEDS_SHOWN = 8

MENDED = {  # where a part of the program is mended, and the words of the way there
    Part.MAIL: ("/settings", "Set up alerts"),
    Part.LOST_MAIL: ("/settings", "View"),
    Part.HEARTBEAT: ("/health", "View"),
    Part.RCLONE: ("/health", "View"),
    Part.SCHEDULER: ("/health", "View"),
    Part.DISK: ("/health", "View"),
    Part.KEY: ("/health", "View"),
    Part.PAGES: ("/health", "View"),
    Part.DATABASE: ("/health", "View"),
}


class ListActions(NamedTuple):
    """The actions of the rows' buttons."""

    run_now: Callable[[int], Awaitable[None]]
    enable: Callable[[int, bool], Awaitable[None]]
    watch_elsewhere: Callable[[], Awaitable[None]]


def register(engine: "Engine") -> None:
    """Serve the home page from `engine`."""

    @page_at("/", "Backups")
    async def backups_page() -> None:
        """Fetch, draw, and do so again whenever a backup or a run changes, while it is open."""
        home = await run.io_bound(engine.home)
        if home is None:  # shutting down
            return

        async def run_now(backup_id: int) -> None:
            await press(engine.run_now, backup_id, f"{name_of(backup_id)} is queued.")
            look_again()

        async def enable(backup_id: int, on: bool) -> None:
            await switch(engine, backup_id, name_of(backup_id), on=on)
            look_again()

        async def watch_elsewhere() -> None:
            said = "Alerts stay off. Settings can undo this."
            await attempt(in_thread(engine.watch_elsewhere, True), said)
            look_again()

        def name_of(backup_id: int) -> str:
            return clean(names.get(backup_id, "The backup"), limit=80)

        names = {row.id: row.name for row in home.rows}
        with frame("Backups", engine.zone, home.answer) as around:
            with heading("Backups", zone=engine.zone if home.rows else None):
                new = button("New backup", "plus", "primary", mark="new", href="/backups/new")
                new.set_visibility(bool(home.rows))  # before, the next step is the button
            screen = BackupsScreen(engine.zone, ListActions(run_now, enable, watch_elsewhere), home)

        def show(home: HomeView) -> None:
            names.update((row.id, row.name) for row in home.rows)
            around.show(home.answer)
            new.set_visibility(bool(home.rows))
            screen.show(home, dt.datetime.now(dt.UTC))

        look_again = show_on(engine.live, Topic.BACKUPS, engine.home, show, pause_s=PAUSE_S)
        # the first steps speak of providers and buckets
        ui.context.client.on_delete(engine.live.subscribe(Topic.CATALOGUE, look_again))
        ui.timer(AGES_S, look_again, immediate=False)


class BackupsScreen:
    """The home page below its title; drawn again only where something changed."""

    def __init__(self, zone: ZoneInfo, acts: ListActions, home: HomeView) -> None:
        self._zone = zone
        self._acts = acts
        self._top = element("div", "part")
        self._list = element("div", "part")
        self._rows: BackupList | None = None
        self._shown: tuple[object, ...] | None = None
        self.show(home, dt.datetime.now(dt.UTC))

    def show(self, home: HomeView, now: dt.datetime) -> None:
        """Draw it as it is at `now`."""
        self._show_top(home, now)
        in_list = [
            list_row(row, home.days.get(row.id), now, self._zone) for row in in_order(home.rows)
        ]
        if self._rows is not None and in_list:
            self._rows.change(in_list)
        elif in_list:
            with self._list:
                self._rows = BackupList(in_list, self._run_now, self._enable)
        elif self._rows is not None:
            self._list.clear()
            self._rows = None

    def _show_top(self, home: HomeView, now: dt.datetime) -> None:
        words = outlook(home.rows, now, self._zone)
        watched = [row.active_run.id for row in home.rows if row.active_run is not None]
        said = (home.answer, words, home.steps, watched if home.steps else ())
        if said == self._shown:
            return
        self._shown = said
        self._top.clear()
        with self._top:
            draw_answer(home, words, now, self._zone, self._acts.watch_elsewhere)
            if home.steps is not None:
                draw_first_steps(home.steps, home.rows, self._acts.run_now)

    async def _run_now(self, event: events.GenericEventArguments) -> None:
        if isinstance(event.args, int):
            await self._acts.run_now(event.args)

    async def _enable(self, event: events.GenericEventArguments) -> None:
        match event.args:
            case {"id": int(backup_id), "on": bool(on)}:
                await self._acts.enable(backup_id, on)


def draw_answer(
    home: HomeView,
    outlook_words: str,
    now: dt.datetime,
    zone: ZoneInfo,
    watch_elsewhere: Callable[[], Awaitable[None]],
) -> None:
    """Draw the answer, a line for each problem of the program and of a backup, then hints."""
    answer = home.answer
    detail = humanize.sentences(answer.detail, outlook_words)
    due = [("Next scheduled", planned[0]) for planned in next_planned(home.rows)]
    shown = draw_verdict(answer.tone, clean(answer.sentence), clean(detail), times=due)
    with shown as (_, lines), lines:
        for issue in answer.installation_issues:
            if not issue.is_hint:
                _draw_installation_issue(issue)
        for waiting in answer.backup_issues[:NEEDS_SHOWN]:
            _draw_backup_issue(waiting, zone, now)
        more = len(answer.backup_issues) - NEEDS_SHOWN
        if more > 0:
            with element("div", "need plain"):
                element("span")
                element("span", "why", f"and {humanize.count(more)} more, below")
        for issue in answer.installation_issues:
            if issue.is_hint and home.steps is None:  # there it is one of the steps
                _draw_installation_issue(issue, watch_elsewhere)


def _draw_installation_issue(
    issue: InstallationIssue, put_away: Callable[[], Awaitable[None]] | None = None
) -> None:
    with element("div", "need"):
        glyph(Tone.BAD if issue.is_bad else Tone.NONE if issue.is_hint else Tone.WARN)
        element("span", "strong", issue.title)
        element("span", "why", clean(issue.why))
        href, words = MENDED[issue.part]
        with element("div", "line acts"):
            button(words, kind="small", href=href, label=f"{words}: {issue.title}")
            if put_away is not None:
                words = "I watch this another way"
                button(words, kind="small quiet", mark="watch-elsewhere", on_click=put_away)


def _draw_backup_issue(issue: BackupIssue, zone: ZoneInfo, now: dt.datetime) -> None:
    name = clean(issue.name, limit=NAME_CHARACTERS)
    with element("div", "need"):
        glyph(issue.tone)
        element("a", "strong clip", name, title=name, href=f"/backups/{issue.backup_id:d}")
        with element("span", "why"):
            why = element("span", text=clean(issue.why_words(zone, now)))
            also_in_own_zone(why, [("Then", issue.at)])
            if copy := issue.copy_words(zone, now):
                copy_words = element("span", "ink3", clean(copy))
                also_in_own_zone(copy_words, [("Last good run", issue.last_good_at)])
        if issue.run_id is not None:
            words = "Review" if issue.tone == Tone.HELD else "View run"
            button(words, kind="small", href=f"/run/{issue.run_id:d}", label=f"{words}: {name}")


def next_planned(rows: Sequence[BackupRow]) -> list[tuple[dt.datetime, str]]:
    """Return when a run is scheduled next and of which backup; empty: none is."""
    planned = [(row.next_due_at, row.name) for row in rows if row.next_due_at and row.enabled]
    return [min(planned)] if planned else []


def outlook(rows: Sequence[BackupRow], now: dt.datetime, zone: ZoneInfo) -> str:
    """Name the newest good copy and the next planned run."""
    good = [(row.last_good_at, row.name) for row in rows if row.last_good_at and row.enabled]
    words = []
    if good:
        newest, name = max(good)
        words.append(f"Newest copy {humanize.age(newest, now)} ({name}).")
    for due, name in next_planned(rows):
        words.append(f"Next scheduled: {name}, {humanize.next_run(due, zone, now)}.")
    return " ".join(words)
