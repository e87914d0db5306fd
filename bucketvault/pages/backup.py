"""One backup: is this copy good and how old, what was agreed, its runs, and the way back."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import fastapi
from fastapi.responses import PlainTextResponse
from nicegui import app, run, ui

from bucketvault.engine import live
from bucketvault.engine.overview import BackupPage, BackupRow, End
from bucketvault.engine.runs.archive import Kept
from bucketvault.engine.verdict import Tone, Verdict
from bucketvault.errors import NotFoundError
from bucketvault.pages import backup_words
from bucketvault.pages.acting import go_to_run
from bucketvault.pages.following import show_on
from bucketvault.pages.formatting import many, size
from bucketvault.pages.kept_versions import KeptCard
from bucketvault.pages.layout import frame, heading
from bucketvault.pages.logview import LARGEST_NUMBER
from bucketvault.pages.run_live import LiveCard
from bucketvault.pages.widgets import (
    NAME_CHARACTERS,
    button,
    card,
    chip,
    element,
    glyph,
    text,
)
from bucketvault.pages.widgets import verdict as draw_verdict
from bucketvault.untrusted import clean
from bucketvault.vocabulary import RunStatus

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

AGES_S = 20.0  # how often "3 h ago" is looked at while nothing else happens
PAUSE_S = 0.25
FIRST_LOOK_S = 0.1  # after the browser is there, the provider is asked
RUNS_FETCHED = 50  # as many as the engine hands over

Press = Callable[[], Awaitable[None]]


class Acts(NamedTuple):
    """What the page's buttons do, and where its kept versions come from."""

    run_now: Press
    preview: Press
    kept_versions: Callable[[], Kept]


def register(engine: "Engine") -> None:
    """Serve the page of each backup from `engine`, and its RESTORE.txt."""

    @ui.page("/backups/{backup_id}", title="Backup · bucketvault")
    async def backup_page(backup_id: int) -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""

        answer = await run.io_bound(engine.answer)
        if answer is None:  # shutting down
            return
        try:
            page = await run.io_bound(_overview, engine, backup_id)
        except NotFoundError as error:
            draw_absent(error, engine.zone, answer)
            return
        if page is None:
            return

        async def run_now() -> None:
            await go_to_run(engine.run_now, backup_id)

        async def preview() -> None:
            await go_to_run(engine.preview, backup_id)

        def kept_versions() -> Kept:
            return engine.kept_versions(backup_id)

        with frame("Backups", engine.zone, answer) as around:
            acts = Acts(run_now, preview, kept_versions)
            screen = BackupScreen(page, engine.zone, acts)
            screen.show(page, dt.datetime.now(dt.UTC))

        def fetch() -> BackupPage | NotFoundError:
            try:
                return engine.overview_backup(backup_id)
            except NotFoundError as error:  # deleted in another tab
                return error

        def show(found: BackupPage | NotFoundError) -> None:
            if isinstance(found, BackupPage):
                screen.show(found, dt.datetime.now(dt.UTC))
            else:
                screen.show_gone()

        look_again = show_on(engine.live, live.BACKUPS, fetch, show, pause_s=PAUSE_S)
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


def _overview(engine: "Engine", backup_id: int) -> BackupPage:
    if not 0 < backup_id <= LARGEST_NUMBER:  # more than the database can ask for
        raise NotFoundError("There is no such backup.")
    return engine.overview_backup(backup_id)


def draw_absent(error: NotFoundError, zone: ZoneInfo, answer: Verdict) -> None:
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


def draw(page: BackupPage, zone: ZoneInfo, now: dt.datetime, kept: Kept) -> "BackupScreen":
    """Draw a backup from plain values: no I/O, so a test can call it. `kept` is shown on load."""

    async def nothing() -> None:
        return

    screen = BackupScreen(page, zone, Acts(nothing, nothing, lambda: kept))
    screen.show(page, now)
    return screen


class BackupScreen:
    """The page of one backup; each part is drawn again only where it changed."""

    def __init__(self, page: BackupPage, zone: ZoneInfo, acts: Acts) -> None:
        self._zone = zone
        self._acts = acts
        self._shown: dict[str, object] = {}
        self._live: LiveCard | None = None
        self._head = element("div", "part")
        self._top = element("div", "part")
        self._facts = element("div", "part")
        self._runs = element("div", "part")
        self._table: ui.table | None = None
        self.kept = KeptCard(page, zone, acts.kept_versions)
        self._back = element("div", "part")

    def show(self, page: BackupPage, now: dt.datetime) -> None:
        """Show the backup as it stands at `now`."""
        row = page.row
        active = row.active_run
        if self._is_new("head", (row.name, active.id if active else None)):
            self._draw_head(page)
        answer = backup_words.answer(page, self._zone, now)
        running = active if active is not None and active.status == RunStatus.RUNNING else None
        resting = running and replace(running, progress=None, counts={}, log_lines=0, log_bytes=0)
        if self._is_new("top", (answer, resting)):
            self._draw_top(answer, page)
        if self._live is not None and running is not None:
            self._live.show(running, now)
        facts = backup_words.facts(page, self._zone, now)
        if self._is_new("facts", (facts, row.source, row.destination, row.size_bytes)):
            self._draw_facts(facts, row)
        self._show_runs([backup_words.run_row(view, self._zone, now) for view in page.runs])
        if self._is_new("back", page.restore_text):
            self._draw_way_back(page)
        ended = row.last_run.id if row.last_run is not None else None
        seen = "ended" in self._shown
        if self._is_new("ended", ended) and seen:
            self.kept.outdated()

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
            active = page.row.active_run
            if active is not None:
                words = "Watch the preview" if active.preview else "Watch"
                button(words, "eye", "primary grow", href=f"/run/{active.id:d}", mark="watch")
                return
            preview, run_now = self._acts.preview, self._acts.run_now
            button("Preview", "eye", "grow", mark="preview", on_click=preview)
            button("Run now", "play", "primary grow", mark="run-now", on_click=run_now)

    def _draw_top(self, answer: backup_words.Answer, page: BackupPage) -> None:
        active = page.row.active_run
        self._live = None
        self._top.clear()
        with self._top:
            is_preview = active is not None and active.preview
            if active is None or is_preview or answer.tone != Tone.RUN:
                _draw_answer(answer)
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

    def _show_runs(self, rows: list[dict[str, Any]]) -> None:
        if not self._is_new("runs", rows):
            return
        if self._table is not None and rows:
            self._table.rows = rows
            return
        self._runs.clear()
        with self._runs:
            self._table = _draw_runs(rows)

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
            lines = "\n".join(map(clean, page.restore_text.splitlines()))
            label = "RESTORE.txt"
            element("pre", "code tall", lines, tabindex="0", role="region", aria_label=label)
            with element("div", "actions"):
                address = f"/api/backups/{page.row.id:d}/RESTORE.txt"
                made = button("RESTORE.txt", "down", "small", href=address, mark="restore")
                made.props["download"] = "RESTORE.txt"
                made.props["title"] = "Download this text as RESTORE.txt"


def _draw_answer(answer: backup_words.Answer) -> None:
    told = draw_verdict(answer.tone, clean(answer.sentence), clean(answer.detail))
    with told as (actions, lines):
        for line in answer.lines:
            with lines, element("div", "need plain"):
                glyph(Tone.WARN)
                element("span", "why", clean(line))
        if answer.run_id is not None:
            with actions:
                button(answer.look, href=f"/run/{answer.run_id:d}", mark="open-run")


def _draw_end(name: str, end: End, note: str) -> None:
    with element("div"):
        element("span", "t12 ink3", name)
        chip(end)
        provider = clean(end.provider_name, limit=NAME_CHARACTERS)
        element("span", "t12 ink3", f"{provider} · {note}" if note else provider)


def _draw_runs(rows: list[dict[str, Any]]) -> ui.table | None:
    with card("Runs", body=False) as header:
        with header:
            note = many(len(rows), "run")
            text("span", "t13 ink3", f"the newest {note}" if len(rows) >= RUNS_FETCHED else note)
        if not rows:
            element("p", "body ink2", "There has been no run yet. Preview shows what one would do.")
            return None
        columns = [
            {
                "name": name,
                "label": label,
                "field": name,
                "align": align,
                "headerClasses": f"c-{name}",
            }
            for name, label, align in (
                ("when", "Planned or asked for", "left"),
                ("word", "Result", "left"),
                ("who", "Started by", "left"),
                ("took", "Took", "right"),
                ("copied", "Copied", "right"),
                ("replaced", "Replaced", "right"),
                ("gone", "Removed", "right"),
                ("moved", "Moved", "right"),
            )
        ]
        table = ui.table(columns=columns, rows=rows, row_key="id", pagination=0)
        table.props("flat hide-pagination").classes("table plain runs").mark("runs")
        table.add_slot("body", ROW)
    return table


ROW = """
<tr>
  <td><a class="link nowrap" :href="props.row.href" :title="props.row.exact"
         :aria-label="props.row.when + ', ' + props.row.word">{{ props.row.when }}</a></td>
  <td><span class="pill" :class="props.row.tone">
    <i class="glyph" :class="props.row.tone" aria-hidden="true"></i>
    <span>{{ props.row.word }}</span></span></td>
  <td class="c-who ink2 nowrap">{{ props.row.who }}</td>
  <td class="c-took right nowrap">{{ props.row.took }}</td>
  <td class="c-copied right">{{ props.row.copied }}</td>
  <td class="c-replaced right">{{ props.row.replaced }}</td>
  <td class="c-gone right">{{ props.row.gone }}</td>
  <td class="c-moved right nowrap">{{ props.row.moved }}</td>
</tr>"""
