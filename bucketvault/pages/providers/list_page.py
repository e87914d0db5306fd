"""The list of providers, and what to do when there is none."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bucketvault.engine.views.catalogue import ProviderRow
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import many
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
    element,
)
from bucketvault.pages.providers.kinds import KINDS, kind_of_row
from bucketvault.pages.providers.words import why_unreadable
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


COLUMNS = (
    Column("Provider", classes="c-name"),
    Column("Kind"),
    Column("Address"),
    Column("Used by"),
    Column(""),
)


def register(engine: "Engine") -> None:
    """Serve the list from `engine`."""

    @page_at("/providers", "Providers")
    async def providers_page() -> None:
        """Fetch, draw, and do so again whenever a provider changes."""
        found = await fetch_page(engine, engine.providers.rows)
        if found is None:
            return
        answer, rows = found
        with frame("Providers", engine.zone, answer) as around:
            with heading("Providers"):
                button("New provider", "plus", "primary", mark="new", href="/providers/new")
            screen = ProvidersScreen()
            screen.show(rows)

        show_on(engine.live, Topic.CATALOGUE, engine.providers.rows, screen.show, pause_s=1.0)
        around.follow(engine)


class ProvidersScreen:
    """The list, and what is to be said above it."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._place = Part()

    def show(self, rows: Sequence[ProviderRow]) -> None:
        """Draw the list from plain values; what stays as it is keeps its place."""
        unreadable = [row for row in rows if not row.keys_readable]
        told = [(row.name, row.address, row.keys_moved) for row in unreadable]
        if self._place.is_new(told, bool(rows)):
            with self._place:
                self._table = _draw(rows, unreadable) if rows else None
                if not rows:
                    _draw_none()
        elif self._table is not None:
            self._table.show([_row(row) for row in rows])


def _draw(rows: Sequence[ProviderRow], unreadable: Sequence[ProviderRow]) -> Table:
    if len(unreadable) == 1:
        row = unreadable[0]
        whose = f"The stored key of {clean(row.name)} cannot be read."
        draw_statement(Tone.BAD, whose, clean(why_unreadable(row)))
    elif unreadable:
        whose = f"The stored keys of {len(unreadable)} providers cannot be read."
        why = "Was the key file replaced? Put it back. Each provider's page says why, and has "
        draw_statement(Tone.BAD, whose, f"{why}Enter the key again.")
    with element("section", "card catalogue", aria_label="All providers"):
        return Table(COLUMNS, [_row(row) for row in rows], ROW)


def _draw_none() -> None:
    draw_statement(
        Tone.NONE,
        "No provider yet.",
        "A provider is a storage service and an access key for it. Add one to copy from and one "
        "to copy to; the same provider can be both.",
    )
    with card("Choose a kind"), element("div", "choices"):
        for kind in KINDS.values():
            with element("a", "choice", href=f"/providers/new?kind={kind.key}"):
                element("span", "strong", kind.title)
                element("span", "note", kind.note)


def _row(row: ProviderRow) -> dict[str, object]:
    mark = MARKS[row.provider_type]
    return {
        "id": row.id,
        "href": f"/providers/{row.id:d}",
        "name": clean(row.name, limit=NAME_CHARACTERS),
        "mark": mark,
        "mark_kind": mark.lower(),
        "kind": kind_of_row(row).title,
        "address": clean(row.address, limit=NAME_CHARACTERS),
        "used": f"{many(row.storages, 'storage')}, {many(len(row.backups), 'backup')}",
        "readable": row.keys_readable,
        "tone": CLASSES[Tone.BAD],
    }


ROW = """
<tr class="entry">
  <td class="c-name"><div class="line">
    <span class="mark" :class="props.row.mark_kind" aria-hidden="true">{{ props.row.mark }}</span>
    <a class="name clip" :href="props.home + props.row.href" :title="props.row.name">{{
      props.row.name }}</a>
  </div></td>
  <td class="c-more nowrap">{{ props.row.kind }}</td>
  <td class="c-more c-by"><div class="clip" :title="props.row.address">{{
    props.row.address }}</div></td>
  <td class="c-more nowrap">{{ props.row.used }}</td>
  <td class="c-action"><div class="line">
    <span v-if="!props.row.readable" class="pill" :class="props.row.tone">
      <i class="glyph" :class="props.row.tone" aria-hidden="true"></i>Key unreadable</span>
    <a class="btn small" :href="props.home + props.row.href"
       :aria-label="'Open ' + props.row.name">Open</a>
  </div></td>
</tr>
"""
