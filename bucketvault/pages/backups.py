"""The home page: is everything fine, and if not, what needs me? Then every backup in a row."""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from nicegui import events, run, ui

from bucketvault.engine import live
from bucketvault.engine.home import Home
from bucketvault.engine.installation import Part, Want
from bucketvault.engine.overview import BackupRow
from bucketvault.engine.verdict import Tone, Verdict
from bucketvault.pages import formatting
from bucketvault.pages.acting import told
from bucketvault.pages.backup_rows import draw_rows, in_order, table_row
from bucketvault.pages.following import show_on
from bucketvault.pages.layout import frame, heading
from bucketvault.pages.widgets import (
    NAME_CHARACTERS,
    WORDS,
    button,
    card,
    code,
    element,
    glyph,
)
from bucketvault.pages.widgets import verdict as draw_verdict
from bucketvault.untrusted import clean

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

AGES_S = 20.0  # how often "3 h ago" is looked at while nothing else happens
PAUSE_S = 0.25  # between two redraws of the list: rclone speaks once a second
NEEDS_SHOWN = 8

EXAMPLE = """\
[[provider]]
name = "Backblaze EU"
provider_type = "backblaze_b2"
region = "eu-central-003"
access_key_id = "003a8c1e0f71c0000000001"
secret_access_key = { env = "B2_SECRET" }

[[storage]]
provider = "Backblaze EU"
bucket_name = "photos"

[[storage]]
provider = "Backblaze EU"
bucket_name = "photos-copy"

[[backup]]
name = "Photos"
source = { provider = "Backblaze EU", bucket = "photos" }
destination = { provider = "Backblaze EU", bucket = "photos-copy" }
schedule = "daily"
at = "01:30"
"""


def register(engine: "Engine") -> None:
    """Serve the home page from `engine`."""

    @ui.page("/", title="Backups · bucketvault")
    async def backups_page() -> None:
        """Fetch, draw, and do so again whenever a backup or a run changes, while it is open."""
        home = await run.io_bound(engine.home)
        if home is None:  # shutting down
            return

        async def run_now(backup_id: int) -> None:
            await _run_now(engine, backup_id, names)
            look_again()

        names = {row.id: row.name for row in home.rows}
        with frame("Backups", engine.zone, home.answer) as around:
            with heading("Backups"):
                pass
            screen = BackupsScreen(engine.zone, run_now)
            screen.show(home.answer, home.rows, dt.datetime.now(dt.UTC))

        def show(home: Home) -> None:
            names.update((row.id, row.name) for row in home.rows)
            around.show(home.answer)
            screen.show(home.answer, home.rows, dt.datetime.now(dt.UTC))

        look_again = show_on(engine.live, live.BACKUPS, engine.home, show, pause_s=PAUSE_S)
        ui.timer(AGES_S, look_again, immediate=False)


async def _run_now(engine: "Engine", backup_id: int, names: dict[int, str]) -> None:
    name = clean(names.get(backup_id, "The backup"), limit=80)
    await told(engine.run_now, backup_id, f"{name} is queued.")


class BackupsScreen:
    """What the home page shows below its title; drawn again only where something changed."""

    def __init__(self, zone: ZoneInfo, on_run_now: Callable[[int], Awaitable[None]]) -> None:
        self._zone = zone
        self._on_run_now = on_run_now
        self._top = element("div", "part")
        self._list = element("div", "part")
        self._table: ui.table | None = None
        self._shown: tuple[Verdict, str] | None = None
        self._shown_rows: list[dict[str, Any]] | None = None

    def show(self, answer: Verdict, rows: Sequence[BackupRow], now: dt.datetime) -> None:
        """Draw `rows` as they stand at `now`."""
        said = (answer, outlook(rows, now, self._zone))
        if said != self._shown:
            self._shown = said
            self._top.clear()
            with self._top:
                draw_answer(answer, said[1], rows, now, self._zone)
        table_rows = [table_row(row, now, self._zone) for row in in_order(rows)]
        if self._table is not None and table_rows:
            if table_rows != self._shown_rows:
                self._table.rows = table_rows
        elif self._shown_rows is None or bool(table_rows) != bool(self._shown_rows):
            self._list.clear()
            with self._list:
                self._table = draw_rows(table_rows, self._run_now) if table_rows else None
                if not table_rows:
                    draw_first_steps()
        self._shown_rows = table_rows

    async def _run_now(self, event: events.GenericEventArguments) -> None:
        if isinstance(event.args, int):
            await self._on_run_now(event.args)


def draw(
    answer: Verdict, rows: Sequence[BackupRow], now: dt.datetime, zone: ZoneInfo
) -> BackupsScreen:
    """Draw the list from plain values: no I/O here, so a test can call it with any state."""

    async def nothing(_: int) -> None:
        return

    screen = BackupsScreen(zone, nothing)
    screen.show(answer, rows, now)
    return screen


def draw_answer(
    answer: Verdict, outlook_words: str, rows: Sequence[BackupRow], now: dt.datetime, zone: ZoneInfo
) -> None:
    """The verdict, with a line for each backup that needs somebody."""
    by_id = {row.id: row for row in rows}
    detail = " ".join(part for part in (answer.detail, outlook_words) if part)
    with draw_verdict(answer.tone, clean(answer.sentence), clean(detail)) as (_, lines):
        for want in answer.wants:
            with lines:
                draw_want(want)
        for need in answer.needs[:NEEDS_SHOWN]:
            name = clean(need.name, limit=NAME_CHARACTERS)
            with lines, element("div", "need"):
                glyph(need.tone)
                href = f"/backups/{need.backup_id:d}"
                element("a", "strong clip", name, title=name, href=href)
                row = by_id.get(need.backup_id)
                with element("span", "why"):
                    why = need_words(need.tone, need.why, row, now, zone)
                    element("span", text=clean(why))
                    copy = copy_words(need.copy, row, now, zone)
                    if copy:
                        element("span", "ink3", clean(copy))
                if need.run_id is not None:
                    words = "Review" if need.tone == Tone.HELD else "Look"
                    button(
                        words, kind="small", href=f"/run/{need.run_id:d}", label=f"{words}: {name}"
                    )
        more = len(answer.needs) - NEEDS_SHOWN
        if more > 0:
            with lines, element("div", "need plain"):
                element("span")
                element("span", "why", f"and {formatting.count(more)} more, below")


WHERE = {  # a part of the program is mended there; only what a page can mend has a way to it
    Part.MAIL: ("/settings", "Set up mail"),
}


def draw_want(want: Want) -> None:
    """What the program itself needs, with a way to where it is mended."""
    with element("div", "need"):
        glyph(Tone.BAD if want.is_bad else Tone.WARN)
        element("span", "strong", want.title)
        element("span", "why", clean(want.why))


def need_words(
    tone: Tone, why: str, row: BackupRow | None, now: dt.datetime, zone: ZoneInfo
) -> str:
    """Why a backup needs somebody, with the time: `Failed at 01:42: ...`."""
    last = row.last_run if row is not None else None
    if tone == Tone.MISS and row is not None and row.missed_at is not None:
        return f"Planned {formatting.clock(row.missed_at, zone, now)}. {why}"
    if tone == Tone.MISS or last is None or last.finished_at is None:
        return why
    when = formatting.clock(last.finished_at, zone, now)
    return f"{WORDS[tone]} {when}: {why}" if tone == Tone.BAD else f"{WORDS[tone]}: {why}"


def copy_words(copy: str, row: BackupRow | None, now: dt.datetime, zone: ZoneInfo) -> str:
    """In what state a failed run left the copy, and when the last good one was."""
    if not copy:
        return ""
    if row is None or row.last_good_at is None:
        return f"{copy} No run has succeeded yet."
    return f"{copy} Last good run {formatting.clock(row.last_good_at, zone, now)}."


def outlook(rows: Sequence[BackupRow], now: dt.datetime, zone: ZoneInfo) -> str:
    """The newest good copy and the next planned run, in words."""
    good = [(row.last_good_at, row.name) for row in rows if row.last_good_at and row.enabled]
    planned = [(row.next_due_at, row.name) for row in rows if row.next_due_at and row.enabled]
    words = []
    if good:
        newest, name = max(good)
        words.append(f"Newest copy {formatting.age(newest, now)} ({name}).")
    if planned:
        due, name = min(planned)
        words.append(f"Next planned: {name}, {formatting.next_run(due, zone, now)}.")
    return " ".join(words)


def draw_first_steps() -> None:
    """Nothing to list yet: what to do next."""
    with card("First steps", body=False):
        _step(
            "Write down what goes where",
            "A file of this shape: a provider, two of its buckets, and a backup between them. "
            "Secrets stay in the environment or in files of their own.",
            EXAMPLE,
        )
        _step(
            "Hand it to bucketvault",
            "All of it or nothing is taken; this page then shows the backup by itself.",
            "bucketvault apply setup.toml",
        )


def _step(title: str, note: str, sample: str) -> None:
    with element("div", "first-step"):
        glyph(Tone.WAIT)
        with element("div", "stack"):
            element("span", "strong", title)
            element("span", "t13 ink3", note)
            code(sample)
