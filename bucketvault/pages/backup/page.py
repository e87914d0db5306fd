"""One backup: is this copy good and how old, what was agreed, its runs, and the way back."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple
from zoneinfo import ZoneInfo

import fastapi
from fastapi.responses import PlainTextResponse
from nicegui import app, background_tasks, ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine.catalogue.backups import Going
from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.runs.kept_versions import Kept
from bucketvault.engine.views.answer import Answer, answer_of
from bucketvault.engine.views.backups import BackupPage, BackupRow, RunView
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.history import RunsPage
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import NotFoundError
from bucketvault.humanize import many, size
from bucketvault.pages.backup import words
from bucketvault.pages.backup.kept import KeptCard
from bucketvault.pages.backup.plots import Measures, PlotsCard
from bucketvault.pages.backup.restore import RestoreCard, Sources
from bucketvault.pages.backup.restore import register as register_scripts
from bucketvault.pages.backup.runs import RunsCard, RunsQuery
from bucketvault.pages.backup.verify import VerifyCard
from bucketvault.pages.parts.actions import go_to_run, press, switch
from bucketvault.pages.parts.fields import Switch
from bucketvault.pages.parts.frame import LARGEST_NUMBER, fetch_page, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.strip import by_result, change_strip, draw_legend, draw_strip
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    Part,
    also_in_own_zone,
    button,
    card,
    chip,
    confirm,
    draw_statement,
    draw_verdict,
    element,
    refuse,
    text,
)
from bucketvault.pages.run.progress import LiveCard
from bucketvault.sanitize import clean
from bucketvault.vocabulary import RunKind, RunStatus, Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

AGES_S = 20.0  # how often "3 h ago" is looked at while nothing else happens
PAUSE_S = 0.25
FIRST_LOOK_S = 0.1  # after the browser is there, the provider is asked

WATCH = {
    RunKind.COPY: "View progress",
    RunKind.PREVIEW: "View preview",
    RunKind.VERIFY: "View verification",
}
Press = Callable[[], Awaitable[None]]


class BackupActions(NamedTuple):
    """Actions of the page's buttons, and sources of what comes later."""

    run_now: Press
    preview: Press
    verify: Press
    enable: Callable[[bool], Awaitable[bool]]  # False: refused
    ask_deletion: Press
    kept_versions: Callable[[], Kept]
    restore: Sources
    measures: Callable[[], Measures]
    look_again: Callable[[], None]


class BackupPageData(NamedTuple):
    """Everything the page shows at once."""

    page: BackupPage
    days: Days | None
    runs: RunsPage
    query: RunsQuery  # which runs


def register(engine: "Engine") -> None:
    """Serve the page of each backup from `engine`, and its RESTORE.txt."""

    @page_at("/backups/{backup_id:number}", "Backup")
    async def backup_page(backup_id: int) -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""

        found = await fetch_page(
            engine, lambda: _fetch(engine, backup_id, RunsQuery()), "Backups", "backup"
        )
        if found is None:
            return
        answer, data = found

        async def run_now() -> None:
            await go_to_run(engine.run_now, backup_id)

        async def preview() -> None:
            await go_to_run(engine.preview, backup_id)

        async def verify() -> None:
            await go_to_run(engine.verify, backup_id)

        async def enable(on: bool) -> bool:
            name = clean(screen.page.row.name, limit=80)
            done = await switch(engine, backup_id, name, on=on)
            look_again()
            return done

        async def delete() -> None:
            if await press(engine.backups.delete, backup_id) is not None:
                ui.navigate.to("/")

        async def ask() -> None:
            going = await press(engine.backups.going, backup_id)
            if going is not None:
                _ask_deletion(dialogs, screen.page, going, delete)

        actions = BackupActions(
            run_now,
            preview,
            verify,
            enable,
            ask,
            lambda: engine.kept_versions(backup_id),
            Sources(
                lambda on_count, stopped: engine.history(backup_id, on_count, stopped),
                lambda history, day, under: engine.restore_script(
                    history, day, under, screen.page.row.name
                ),
            ),
            lambda: Measures(engine.backups.measures(backup_id), engine.backups.spent(backup_id)),
            lambda: look_again(),
        )
        zone = engine.zone_of(data.page.row.time_zone)
        with frame("Backups", engine.zone, answer) as around:
            screen = BackupScreen(data.page, zone, actions)
            screen.show(data, dt.datetime.now(dt.UTC))
            dialogs = element("div")

        def fetch() -> BackupPageData:
            return _fetch(engine, backup_id, screen.runs.query)

        def show(data: BackupPageData) -> None:
            if engine.zone_of(data.page.row.time_zone) != zone:
                ui.navigate.reload()
            screen.show(data, dt.datetime.now(dt.UTC))

        gone = screen.show_gone  # deleted in another tab
        look_again = show_on(engine.live, Topic.BACKUPS, fetch, show, gone=gone, pause_s=PAUSE_S)
        around.follow(engine)
        ui.timer(AGES_S, look_again, immediate=False)
        ui.timer(FIRST_LOOK_S, screen.kept.load, once=True)

    register_scripts()

    @app.get("/api/backups/{backup_id}/RESTORE.txt", include_in_schema=False)
    def restore(
        backup_id: Annotated[int, fastapi.Path(ge=1, le=LARGEST_NUMBER)],
    ) -> PlainTextResponse:
        """Answer with how to bring the copy back, as the file in the bucket."""
        try:
            told = engine.overview_backup(backup_id).restore_text
        except NotFoundError as error:
            raise fastapi.HTTPException(404, error.summary) from error
        headers = {
            "Content-Disposition": 'attachment; filename="RESTORE.txt"',
            "X-Content-Type-Options": "nosniff",
        }
        return PlainTextResponse(told, headers=headers)


def _fetch(engine: "Engine", backup_id: int, query: RunsQuery) -> BackupPageData:
    page = engine.overview_backup(backup_id)
    runs = engine.backups.runs_page(backup_id, query.tone, query.before)
    return BackupPageData(page, engine.days(page.row), runs, query)


class BackupScreen:
    """The page of one backup; each part is drawn again only where it changed."""

    def __init__(self, page: BackupPage, zone: ZoneInfo, actions: BackupActions) -> None:
        self.page = page
        self._zone = zone
        self._actions = actions
        self._client = ui.context.client
        self._live: LiveCard | None = None
        self._strip: ui.element | None = None
        self._days_note: TextElement | None = None
        self._last_run = _last_run(page)
        self._head = Part()
        self._top = Part()
        self._facts = Part()
        self._days = element("div", "part")
        self._verify = VerifyCard(actions.verify)
        self._plots = PlotsCard(zone, actions.measures)
        self.runs = RunsCard(zone, actions.look_again)
        self.kept = KeptCard(page, zone, actions.kept_versions)
        self.restore = RestoreCard(page, zone, actions.restore)

    def show(self, data: BackupPageData, now: dt.datetime) -> None:
        """Show the backup as it is at `now`."""
        page = self.page = data.page
        row, active = page.row, page.row.active_run
        if self._head.is_new(row.name, active and (active.id, active.kind)):
            with self._head:
                self._draw_head(page)
        self._show_enabled()
        answer = answer_of(page.row, self._zone, now)
        running = active if active is not None and active.status == RunStatus.RUNNING else None
        resting = running and running.at_rest()
        if self._top.is_new(answer, resting):
            with self._top:
                self._draw_top(answer, row, running)
        if self._live is not None and running is not None:
            self._live.show(running, now)
        facts = words.facts(page, self._zone, now)
        if self._facts.is_new(facts, row.source, row.destination, row.size_bytes):
            with self._facts:
                _draw_facts(facts, row)
        self._verify.show(page)
        self._show_days(data.days)
        self.runs.show(data.runs, data.query, now)
        self.restore.show(page)
        last_run = _last_run(page)
        if last_run != self._last_run:
            self._last_run = last_run
            self.kept.outdated()
            self.restore.outdated()
            background_tasks.create(
                self._plots.refresh(), name="draw the plots again", context=self._client
            )

    def show_gone(self) -> None:
        """Say that it was deleted while it was looked at; what was known of it stays below."""
        if self._top.is_new():
            self._live = None
            self._head.clear()
            detail = "Its copy and its kept versions are still in the bucket."
            with self._top:
                sentence = "This backup was deleted."
                draw_statement(Tone.NONE, sentence, detail, "All backups", "/")

    def _draw_head(self, page: BackupPage) -> None:
        name = clean(page.row.name, limit=NAME_CHARACTERS)
        ui.page_title(f"{name} · bucketvault")
        with heading(name, (("Backups", "/"),), self._zone):
            row, actions = page.row, self._actions
            with element("span", "line schedule", title="Schedule on or off"):
                self._enabled_word = text("span", "t13 ink2")
                self._enabled = Switch("Run on schedule", row.enabled, self._turn)
                self._enabled.input.mark("enabled")
            button("Edit", "edit", "grow", href=f"/backups/{row.id:d}/edit", mark="edit")
            active = row.active_run
            if active is not None:
                label = WATCH[active.kind]
                button(label, "eye", "primary grow", href=f"/run/{active.id:d}", mark="watch")
            else:
                button("Preview", "eye", "grow", mark="preview", on_click=actions.preview)
                button("Run now", "play", "primary grow", mark="run-now", on_click=actions.run_now)
            label = "Delete this backup"
            remove = actions.ask_deletion
            button("", "trash", "square ghost", label=label, mark="delete", on_click=remove)

    async def _turn(self, on: bool) -> None:
        if not await self._actions.enable(on):
            self._show_enabled()

    def _show_enabled(self) -> None:
        self._enabled.show(self.page.row.enabled)
        self._enabled_word.text = "On" if self.page.row.enabled else "Off"

    def _draw_top(self, answer: Answer, row: BackupRow, running: RunView | None) -> None:
        active = row.active_run
        if active is None or active.kind != RunKind.COPY or answer.tone != Tone.RUN:
            _draw_answer(answer, words.times(row), self._actions)
        self._live = LiveCard(running) if running is not None else None

    def _show_days(self, days: Days | None) -> None:
        if days is None:
            return
        note = by_result(days.tones, days.last)
        if self._strip is not None and self._days_note is not None:
            change_strip(self._strip, days.tones, days.last)
            self._days_note.text = note
            return
        with self._days, card("Last 30 days") as header, element("div", "stack spaced"):
            self._strip = draw_strip(days.tones, days.last)
            self._strip.classes("wide")
            draw_legend()
        with header:
            self._days_note = text("span", "t13 ink3", note)


def _last_run(page: BackupPage) -> int | None:
    return page.row.last_run.id if page.row.last_run is not None else None


def _draw_facts(facts: tuple[words.Fact, ...], row: BackupRow) -> None:
    with element("section", "card facts", aria_label="Settings"):
        measured = (
            f" · {size(row.size_bytes)} when last looked at" if row.size_bytes is not None else ""
        )
        for name, end, note in (("Copies from", row.source, measured), ("To", row.destination, "")):
            with element("div"):
                element("span", "t12 ink3", name)
                chip(end)
                provider = clean(end.provider, limit=NAME_CHARACTERS)
                element("span", "t12 ink3", f"{provider}{note}")
        for fact in facts:
            with element("div"):
                element("span", "t12 ink3", fact.name)
                element("span", "strong", clean(fact.value))
                below = element("span", "t12 ink3", clean(fact.note))
                also_in_own_zone(below, fact.times)


def _draw_answer(answer: Answer, times: words.Times, actions: BackupActions) -> None:
    shown = draw_verdict(
        answer.tone,
        clean(answer.sentence),
        clean(answer.detail),
        map(describe_warning, answer.warnings),
        times,
    )
    with shown as (place, _), place:
        if answer.first:
            button("Preview first", "eye", mark="first-preview", on_click=actions.preview)
            button("Run now", "play", mark="first-run", on_click=actions.run_now)
        if answer.run_id is not None:
            button(answer.look, href=f"/run/{answer.run_id:d}", mark="open-run")


def _ask_deletion(
    place: ui.element, page: BackupPage, going: Going, delete: Callable[[], Awaitable[None]]
) -> None:
    """Ask in a dialog, drawn into `place`; refused while a run is under way."""
    name = clean(page.row.name, limit=NAME_CHARACTERS)
    if going.running_id is not None:
        refuse(
            place,
            f"{name} cannot be deleted now",
            "A run is in progress. Stop it on its page, or wait until it ends.",
            "Open the run",
            f"/run/{going.running_id:d}",
            "eye",
        )
    else:
        title, lines = f"Delete {name}?", _deletion_words(page, going)
        confirm(place, title, *lines, words="Delete backup", act=delete, icon="trash")


def _deletion_words(page: BackupPage, going: Going) -> tuple[str, ...]:
    """Say what is deleted, and what stays."""
    goes = "It has no runs."
    if going.runs:
        logs = size(going.log_bytes)
        goes = f"{many(going.runs, 'run')} and their logs ({logs}) are deleted too, permanently."
        if going.runs == 1:
            goes = f"1 run and its log ({logs}) is deleted too, permanently."
    if page.row.active_run is not None:
        goes += " The waiting run is removed too."
    destination = clean(page.row.destination.place, limit=NAME_CHARACTERS)
    kept = clean(page.shown_prefix, limit=NAME_CHARACTERS)
    stays = (
        f"The copy stays in {destination}, and the kept versions in {kept}. bucketvault no longer "
        "deletes them: delete what you do not need. RESTORE.txt beside them says how to restore "
        "everything."
    )
    return goes, stays, "The source is not changed."
