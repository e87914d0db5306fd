"""The copies of each source, by provider and region; and the buckets that no backup copies."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from nicegui import ui

from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.copies import CopiesView, SourceCopies, proven_at
from bucketvault.engine.views.situation import Tone, tone_of, word_of
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import age, many
from bucketvault.pages.copies import words
from bucketvault.pages.parts.actions import ask, in_thread
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.table import Column, Table
from bucketvault.pages.parts.widgets import (
    CLASSES,
    MARKS,
    NAME_CHARACTERS,
    Part,
    button,
    card,
    draw_statement,
    draw_waiting,
    element,
    glyph,
)
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

MOST_SHOWN = 200  # buckets without a backup, of one provider
COLUMNS = (
    Column("Copy in", classes="c-name"),
    Column("Where"),
    Column("Proof"),
    Column("Protection"),
    Column("State"),
    Column(""),
)


def register(engine: "Engine") -> None:
    """Serve the page from `engine`."""

    @page_at("/copies", "Copies")
    async def copies_page() -> None:
        """Fetch, draw, and do so again whenever a backup changes."""

        def fetch() -> CopiesView:
            return engine.copies(engine.overview_backups())

        found = await fetch_page(engine, fetch)
        if found is None:
            return
        answer, view = found
        with frame("Copies", engine.zone, answer) as around:
            heading("Copies")
            screen = CopiesScreen()
            without = WithoutBackup(engine)
        screen.show(view)
        without.show(view)

        def show(view: CopiesView) -> None:
            screen.show(view)
            without.show(view)

        for topic in (Topic.BACKUPS, Topic.CATALOGUE):
            show_on(engine.live, topic, fetch, show, pause_s=2.0)
        around.follow(engine)


class CopiesScreen:
    """A table of all sources, each with its copies below it."""

    def __init__(self) -> None:
        self._place = Part()
        self._table: Table | None = None
        self._advice: Part | None = None

    def show(self, view: CopiesView) -> None:
        """Draw all sources from plain values; rows stay in place."""
        if self._place.is_new(bool(view.sources)):
            with self._place:
                self._draw(is_empty=not view.sources)
        if self._table is None or self._advice is None:
            return
        now = dt.datetime.now(dt.UTC)
        rows: list[dict[str, object]] = []
        for of in view.sources:
            rows += [_head(of, now), *(_row(row, view, now) for row in of.backups)]
        self._table.show(rows)
        told = sorted({_protection(row, view) for of in view.sources for row in of.backups})
        if self._advice.is_new(told):
            with self._advice:
                for short, advice in told:
                    element("p", "t13 ink3", f"{short}: {advice}")

    def _draw(self, *, is_empty: bool) -> None:
        if is_empty:
            self._table = self._advice = None
            draw_statement(
                Tone.NONE,
                "No copies yet.",
                "This page shows every source with its copies once there is a backup.",
                "New backup",
                "/backups/new",
            )
            return
        with element("section", "card catalogue copies", aria_label="Sources and their copies"):
            self._table = Table(COLUMNS, [], ROW)
            self._advice = Part("inset stack")


def _head(of: SourceCopies, now: dt.datetime) -> dict[str, object]:
    tone, sentence = words.verdict(of, now)
    mark = MARKS[of.source.provider_type]
    return {
        "id": f"source {of.source.location}",
        "head": True,
        "mark": mark,
        "mark_kind": mark.lower(),
        "place": clean(of.source.place, limit=NAME_CHARACTERS),
        "provider": clean(of.source.provider, limit=NAME_CHARACTERS),
        "tone": CLASSES[tone],
        "sentence": sentence,
    }


def _row(row: BackupRow, view: CopiesView, now: dt.datetime) -> dict[str, object]:
    end, at, tone = row.destination, proven_at(row), tone_of(row)
    mark = MARKS[end.provider_type]
    return {
        "id": row.id,
        "head": False,
        "href": f"/backups/{row.id:d}",
        "backup": clean(row.name, limit=NAME_CHARACTERS),
        "place": clean(end.place, limit=NAME_CHARACTERS),
        "provider": clean(end.provider, limit=NAME_CHARACTERS),
        "mark": mark,
        "mark_kind": mark.lower(),
        "where": clean(words.region(end), limit=NAME_CHARACTERS),
        "proven": f"proven {age(at, now)}" if at is not None else "never proven",
        "protection": _protection(row, view)[0],
        "tone": CLASSES[tone],
        "state": word_of(tone, row.last_run),
    }


def _protection(row: BackupRow, view: CopiesView) -> tuple[str, str]:
    end = row.destination
    return words.protection(view.traits.get((end.provider_id, end.bucket), Traits()))


class WithoutBackup:
    """Buckets of all providers that no backup copies, asked for on demand."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._providers: tuple[tuple[int, str], ...] = ()
        self._asked = False
        with card("Buckets without a backup", body=False) as header:
            self._place = element("div", "inset fields", aria_live="polite")
        with header:
            element("span", "space")
            self._button = button(
                "Look for buckets", "search", "small", mark="look", on_click=self._look
            )
        with self._place:
            told = "Asks each provider for its buckets, and lists those that no backup copies."
            element("p", "ink2", told)

    def show(self, view: CopiesView) -> None:
        """Note whom to ask."""
        self._providers = view.providers

    async def _look(self) -> None:
        self._place.clear()
        with self._place:
            parts = [(one, name, Part()) for one, name in self._providers]
            if not parts:
                element("p", "ink2", "There is no provider yet.")
        client, providers = ui.context.client, self._engine.providers
        for _, name, part in parts:
            with part:
                draw_waiting(f"Asking {clean(name, limit=NAME_CHARACTERS)}")
        for provider_id, name, part in parts:
            try:
                listing = await ask(providers, providers.buckets, provider_id, refresh=True)
                names = [each.name for each in listing.buckets]
                left = await in_thread(self._engine.not_backed_up, provider_id, names) or []
                problem = ""
            except BucketvaultError as error:
                left, problem = [], f"{error.summary} {error.hint}".strip()
            if client.is_deleted:
                return
            part.clear()
            with part:
                _draw_left(provider_id, name, left, problem)


def _draw_left(provider_id: int, name: str, left: Sequence[str], problem: str) -> None:
    shown = clean(name, limit=NAME_CHARACTERS)
    if problem:
        with element("div", "line top"):
            glyph(Tone.BAD)
            element("span", text=f"{shown}: {clean(problem)}")
        return
    with element("div", "line top"):
        glyph(Tone.WARN if left else Tone.OK)
        told = many(len(left), "bucket") if left else "Every bucket"
        rest = "without a backup" if left else "is copied, or is a copy"
        element("span", text=f"{shown}: {told} {rest}.")
    if not left:
        return
    with element("ul", "stack spaced"):
        for bucket in left[:MOST_SHOWN]:
            with element("li", "line"):
                element("span", "mono clip", clean(bucket, limit=NAME_CHARACTERS))
                element("span", "space")
                asked = urlencode({"source": f"{provider_id:d}/{bucket}"})
                named = clean(f"Back up {bucket}", limit=NAME_CHARACTERS)
                made = button(
                    "Back up", "plus", "small", href=f"/backups/new?{asked}", mark="back-up"
                )
                made.props["aria-label"] = named
    if len(left) > MOST_SHOWN:
        element("p", "t13 ink3", f"And {len(left) - MOST_SHOWN} more.")


ROW = """
<tr v-if="props.row.head" class="group">
  <th colspan="6" scope="rowgroup"><div class="line">
    <span class="mark" :class="props.row.mark_kind" aria-hidden="true">{{ props.row.mark }}</span>
    <span class="name clip" :title="props.row.place">{{ props.row.place }}</span>
    <span class="ink3 clip">{{ props.row.provider }}</span>
    <span class="space"></span>
    <span class="verdict"><i class="glyph" :class="props.row.tone" aria-hidden="true"></i>{{
      props.row.sentence }}</span>
  </div></th>
</tr>
<tr v-else class="entry">
  <td class="c-name"><div class="line">
    <i class="icon icon-arrow" aria-hidden="true"></i>
    <span class="mark" :class="props.row.mark_kind" aria-hidden="true">{{ props.row.mark }}</span>
    <span class="stack"><a class="name clip" :href="props.home + props.row.href"
      :title="props.row.place">{{ props.row.place }}</a>
    <span class="t13 ink3 clip" :title="props.row.backup">{{ props.row.provider }} · {{
      props.row.backup }}</span></span>
  </div></td>
  <td class="c-more nowrap">{{ props.row.where }}</td>
  <td class="c-more nowrap">{{ props.row.proven }}</td>
  <td class="c-more nowrap">{{ props.row.protection }}</td>
  <td class="c-more nowrap"><span class="pill" :class="props.row.tone"><i class="glyph"
    :class="props.row.tone" aria-hidden="true"></i>{{ props.row.state }}</span></td>
  <td class="c-action"><a class="btn small" :href="props.home + props.row.href"
    :aria-label="'Open ' + props.row.backup">Open</a></td>
</tr>
"""
