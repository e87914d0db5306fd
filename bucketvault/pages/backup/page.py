"""One backup: is this copy good and how old, what was agreed, its runs, and the way back."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple
from zoneinfo import ZoneInfo

import fastapi
from fastapi.responses import PlainTextResponse
from nicegui import app, background_tasks, run, ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.runs.kept_versions import Kept
from bucketvault.engine.views.backups import BackupPage, BackupRow
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.history import Measure, RunsPage
from bucketvault.engine.views.situation import Answer, Situation, Tone, answer_of
from bucketvault.errors import NotFoundError
from bucketvault.humanize import size
from bucketvault.pages.backup import words as backup_words
from bucketvault.pages.backup.deletion import ask_deletion
from bucketvault.pages.backup.kept import KeptCard
from bucketvault.pages.backup.plots import PlotsCard
from bucketvault.pages.backup.runs import Asked, RunsCard
from bucketvault.pages.parts.actions import go_to_run, switch, told
from bucketvault.pages.parts.fields import Switch
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.strip import by_result, change_strip, draw_legend, draw_strip
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    button,
    card,
    chip,
    element,
    glyph,
    text,
)
from bucketvault.pages.parts.widgets import verdict as draw_verdict
from bucketvault.pages.run.log import LARGEST_NUMBER
from bucketvault.pages.run.progress import LiveCard
from bucketvault.sanitize import clean, clean_to_copy
from bucketvault.vocabulary import RunStatus, Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

AGES_S = 20.0  # how often "3 h ago" is looked at while nothing else happens
PAUSE_S = 0.25
FIRST_LOOK_S = 0.1  # after the browser is there, the provider is asked

Press = Callable[[], Awaitable[None]]


class Acts(NamedTuple):
    """What the page's buttons do, and where what comes later comes from."""

    run_now: Press
    preview: Press
    enable: Callable[[bool], Awaitable[bool]]  # False: refused
    ask_deletion: Press
    kept_versions: Callable[[], Kept]
    measures: Callable[[], tuple[Measure, ...]]
    look_again: Callable[[], None]


class Found(NamedTuple):
    """All that the page shows at once."""

    page: BackupPage
    days: Days
    runs: RunsPage
    asked: Asked  # which runs


def register(engine: "Engine") -> None:
    """Serve the page of each backup from `engine`, and its RESTORE.txt."""

    @page_at("/backups/{backup_id:number}", "Backup")
    async def backup_page(backup_id: int) -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""

        answer = await run.io_bound(engine.answer)
        if answer is None:  # shutting down
            return
        try:
            found = await run.io_bound(_find, engine, backup_id, Asked())
        except NotFoundError as error:
            draw_absent(error, engine.zone, answer)
            return
        if found is None:
            return

        async def run_now() -> None:
            await go_to_run(engine.run_now, backup_id)

        async def preview() -> None:
            await go_to_run(engine.preview, backup_id)

        async def enable(on: bool) -> bool:
            name = clean(screen.page.row.name, limit=80)
            done = await switch(engine, backup_id, name, on=on)
            look_again()
            return done

        async def delete() -> None:
            if await told(engine.backups.delete, backup_id) is not None:
                ui.navigate.to("/")

        async def ask() -> None:
            going = await told(engine.backups.going, backup_id)
            if going is not None:
                ask_deletion(dialogs, screen.page, going, delete)

        acts = Acts(
            run_now,
            preview,
            enable,
            ask,
            lambda: engine.kept_versions(backup_id),
            lambda: engine.backups.measures(backup_id),
            lambda: look_again(),
        )
        with frame("Backups", engine.zone, answer) as around:
            screen = BackupScreen(found.page, engine.zone, acts)
            screen.show(found, dt.datetime.now(dt.UTC))
            dialogs = element("div")

        def fetch() -> Found | NotFoundError:
            try:
                return _find(engine, backup_id, screen.runs.asked)
            except NotFoundError as error:  # deleted in another tab
                return error

        def show(found: Found | NotFoundError) -> None:
            if isinstance(found, Found):
                screen.show(found, dt.datetime.now(dt.UTC))
            else:
                screen.show_gone()

        look_again = show_on(engine.live, Topic.BACKUPS, fetch, show, pause_s=PAUSE_S)
        around.follow(engine)
        ui.timer(AGES_S, look_again, immediate=False)
        ui.timer(FIRST_LOOK_S, screen.kept.load, once=True)

    @app.get("/api/backups/{backup_id}/RESTORE.txt", include_in_schema=False)
    def restore(
        backup_id: Annotated[int, fastapi.Path(ge=1, le=LARGEST_NUMBER)],
    ) -> PlainTextResponse:
        """How to bring the copy back, as the file that lies in the bucket."""
        try:
            told = engine.overview_backup(backup_id).restore_text
        except NotFoundError as error:
            raise fastapi.HTTPException(404, error.summary) from error
        headers = {
            "Content-Disposition": 'attachment; filename="RESTORE.txt"',
            "X-Content-Type-Options": "nosniff",
        }
        return PlainTextResponse(told, headers=headers)


def _find(engine: "Engine", backup_id: int, asked: Asked) -> Found:
    if not 0 < backup_id <= LARGEST_NUMBER:  # more than the database can ask for
        raise NotFoundError("There is no such backup.")
    page = engine.overview_backup(backup_id)
    runs = engine.backups.runs_page(backup_id, asked.which, asked.before)
    return Found(page, engine.days(page.row), runs, asked)


def draw_absent(error: NotFoundError, zone: ZoneInfo, answer: Situation) -> None:
    """There is no such backup (any more)."""
    ui.context.client.status_code = 404
    with frame("Backups", zone, answer):
        with heading("No such backup", (("Backups", "/"),)):
            pass
        with (
            draw_verdict(Tone.NONE, clean(error.summary), clean(error.hint)) as (actions, _),
            actions,
        ):
            button("All backups", href="/")


class BackupScreen:
    """The page of one backup; each part is drawn again only where it changed."""

    def __init__(self, page: BackupPage, zone: ZoneInfo, acts: Acts) -> None:
        self.page = page
        self._zone = zone
        self._acts = acts
        self._client = ui.context.client
        self._shown: dict[str, object] = {}
        self._live: LiveCard | None = None
        self._strip: ui.element | None = None
        self._days_note: TextElement | None = None
        self._head = element("div", "part")
        self._top = element("div", "part")
        self._facts = element("div", "part")
        self._days = element("div", "part")
        self._plots = PlotsCard(zone, acts.measures)
        self.runs = RunsCard(zone, acts.look_again)
        self.kept = KeptCard(page, zone, acts.kept_versions)
        self._back = element("div", "part")

    def show(self, found: Found, now: dt.datetime) -> None:
        """Show the backup as it stands at `now`."""
        page = self.page = found.page
        row = page.row
        active = row.active_run
        if self._is_new("head", (row.name, active and (active.id, active.preview))):
            self._draw_head(page)
        self._show_enabled()
        answer = answer_of(page.row, self._zone, now)
        running = active if active is not None and active.status == RunStatus.RUNNING else None
        resting = running and replace(running, progress=None, counts={}, log_lines=0, log_bytes=0)
        if self._is_new("top", (answer, resting)):
            self._draw_top(answer, page)
        if self._live is not None and running is not None:
            self._live.show(running, now)
        facts = backup_words.facts(page, self._zone, now)
        if self._is_new("facts", (facts, row.source, row.destination, row.size_bytes)):
            self._draw_facts(facts, row)
        self._show_days(found.days, now.astimezone(self._zone).date())
        self.runs.show(found.runs, found.asked, now)
        if self._is_new("back", page.restore_text):
            self._draw_way_back(page)
        ended = row.last_run.id if row.last_run is not None else None
        seen = "ended" in self._shown
        if self._is_new("ended", ended) and seen:
            self.kept.outdated()
            background_tasks.create(
                self._plots.refresh(), name="draw the plots again", context=self._client
            )

    def show_gone(self) -> None:
        """Somebody deleted it while it was looked at; what was known of it stays below."""
        if not self._is_new("top", None):
            return
        self._live = None
        self._head.clear()
        self._top.clear()
        detail = "Its copy and its kept versions are still in the bucket."
        sentence = "This backup was deleted."
        with self._top, draw_verdict(Tone.NONE, sentence, detail) as (actions, _), actions:
            button("All backups", href="/")

    def _is_new(self, part: str, what: object) -> bool:
        if part in self._shown and self._shown[part] == what:
            return False
        self._shown[part] = what
        return True

    def _draw_head(self, page: BackupPage) -> None:
        name = clean(page.row.name, limit=NAME_CHARACTERS)
        ui.page_title(f"{name} · bucketvault")
        self._head.clear()
        with self._head, heading(name, (("Backups", "/"),)):
            row, acts = page.row, self._acts
            with element("span", "line schedule", title="Whether it runs by itself"):
                self._enabled_word = text("span", "t13 ink2")
                self._enabled = Switch("Runs by itself", row.enabled, self._turn)
                self._enabled.input.mark("enabled")
            button("Edit", "edit", "grow", href=f"/backups/{row.id:d}/edit", mark="edit")
            active = row.active_run
            if active is not None:
                words = "Watch the preview" if active.preview else "Watch"
                button(words, "eye", "primary grow", href=f"/run/{active.id:d}", mark="watch")
            else:
                button("Preview", "eye", "grow", mark="preview", on_click=acts.preview)
                button("Run now", "play", "primary grow", mark="run-now", on_click=acts.run_now)
            label = "Delete this backup"
            remove = acts.ask_deletion
            button("", "trash", "square ghost", label=label, mark="delete", on_click=remove)

    async def _turn(self, on: bool) -> None:
        if not await self._acts.enable(on):
            self._show_enabled()

    def _show_enabled(self) -> None:
        self._enabled.show(self.page.row.enabled)
        self._enabled_word.text = "On" if self.page.row.enabled else "Off"

    def _draw_top(self, answer: Answer, page: BackupPage) -> None:
        active = page.row.active_run
        self._live = None
        self._top.clear()
        with self._top:
            is_preview = active is not None and active.preview
            if active is None or is_preview or answer.tone != Tone.RUN:
                _draw_answer(answer, self._acts if answer.first else None)
            if active is not None and active.status == RunStatus.RUNNING:
                self._live = LiveCard(active)

    def _draw_facts(self, facts: tuple[backup_words.Fact, ...], row: BackupRow) -> None:
        self._facts.clear()
        with self._facts, element("section", "card facts", aria_label="What was agreed"):
            measured = ""
            if row.size_bytes is not None:
                measured = f"{size(row.size_bytes)} when last looked at"
            _draw_end("Copies from", row.source, measured)
            _draw_end("To", row.destination, "")
            for fact in facts:
                with element("div"):
                    element("span", "t12 ink3", fact.name)
                    element("span", "strong", clean(fact.value))
                    element("span", "t12 ink3", clean(fact.note))

    def _show_days(self, days: Days, today: dt.date) -> None:
        if not self._is_new("days", (days, today)):
            return
        words = by_result(days, today)
        if self._strip is not None and self._days_note is not None and days:
            change_strip(self._strip, days, today)
            self._days_note.text = words
        elif days:
            with self._days, card("Last 30 days") as header, element("div", "stack spaced"):
                self._strip = draw_strip(days, today)
                self._strip.classes("wide")
                draw_legend()
            with header:
                self._days_note = text("span", "t13 ink3", words)

    def _draw_way_back(self, page: BackupPage) -> None:
        self._back.clear()
        with self._back, card("Bring it back without bucketvault"), element("div", "stack spaced"):
            words = (
                "The copy is plain objects under their own names. rclone and a key that may read "
                "the bucket are enough. Each good run leaves this text there, too:"
            )
            with element("p", "t13 ink2"):
                element("span", text=f"{words} ")
                element("span", "mono", f"{clean(page.shown_prefix)}RESTORE.txt")
            told = clean_to_copy(page.restore_text)  # its commands are copied from here, too
            label = "RESTORE.txt"
            element("pre", "code tall", told, tabindex="0", role="region", aria_label=label)
            with element("div", "actions"):
                address = f"/api/backups/{page.row.id:d}/RESTORE.txt"
                made = button("RESTORE.txt", "down", "small", href=address, mark="restore")
                made.props["download"] = "RESTORE.txt"
                made.props["title"] = "Download this text as RESTORE.txt"


def _draw_answer(answer: Answer, first: Acts | None) -> None:
    told = draw_verdict(answer.tone, clean(answer.sentence), clean(answer.detail))
    with told as (actions, lines):
        for warning in answer.warnings:
            with lines, element("div", "need plain"):
                glyph(Tone.WARN)
                element("span", "why", clean(describe_warning(warning)))
        if first is not None:
            with actions:
                button("Preview first", "eye", mark="first-preview", on_click=first.preview)
                button("Run now", "play", mark="first-run", on_click=first.run_now)
        if answer.run_id is not None:
            with actions:
                button(answer.look, href=f"/run/{answer.run_id:d}", mark="open-run")


def _draw_end(name: str, end: EndSpec, note: str) -> None:
    with element("div"):
        element("span", "t12 ink3", name)
        chip(end)
        provider = clean(end.provider, limit=NAME_CHARACTERS)
        element("span", "t12 ink3", f"{provider} · {note}" if note else provider)
