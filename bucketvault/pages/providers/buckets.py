"""A provider's buckets: listed when asked for, searched here, imported with one question."""

import datetime as dt
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nicegui import events, ui

from bucketvault.engine.providers import ProviderPage
from bucketvault.engine.rclone.buckets import DiscoveryError, WrongRegionError
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import count, many
from bucketvault.pages.parts.actions import ask, in_thread
from bucketvault.pages.parts.table import Column, Row, Table
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    button,
    element,
    icon,
    question,
    text,
)
from bucketvault.pages.providers import words
from bucketvault.pages.providers.bucket_import import BucketImport, draw_no_listing
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers

SHOWN = 100  # rows at a time: the search looks at all of them
USES = (
    ("Copy from it", UsageType.SOURCE_ONLY),
    ("Copy to it", UsageType.DESTINATION_ONLY),
    ("Either", None),
)


class BucketsCard:
    """The card with the buckets; it asks by itself, and shows what it is told."""

    def __init__(self, page: ProviderPage, providers: "Providers") -> None:
        self._page, self._providers = page, providers
        self._sought = ""
        self._limit = SHOWN
        self._loading = False
        self._error: BucketvaultError | None = None
        self._lines: list[words.BucketLine] = []
        self._table: Table | None = None
        self._shown: object = None
        with element("section", "card catalogue", aria_label="Buckets"):
            with element("header"):
                element("h2", text="Buckets")
                self._note = text("span", "t13 ink3")
                element("span", "space")
                with element("div", "field search"):
                    self._search = ui.input(placeholder="Search", on_change=self._seek)
                    self._search.props["aria-label"] = "Search buckets"
                    self._search.props["debounce"] = "150"
                    self._search.props["autocomplete"] = "off"
                    self._search.props["data-search"] = ""
                    self._search.mark("search")
                    with self._search.add_slot("prepend"):
                        icon("search")
                self._refresh = button(
                    "Refresh", "refresh", mark="refresh", on_click=lambda: self.load(refresh=True)
                )
            self._said = element("div")
            self._body = element("div")
            self._more = element("div")
            with element("footer", "typed"):
                self._import = BucketImport(providers, self._ask_for_use, "Type its name")
        self._dialogs = element("div", "part")

    # what it shows

    def show(self, page: ProviderPage) -> None:
        """Show the buckets as they are known now."""
        if page.listing is None and self._page.listing is not None and page.row == self._page.row:
            page = replace(page, listing=self._page.listing)  # it has grown old, and is still told
        self._page = page
        now = dt.datetime.now(dt.UTC)
        if page.listing is not None:
            self._note.text = words.listing_note(page.listing, now)
        told = (page.listing, page.storages, self._sought, self._limit, self._loading, self._error)
        if told == self._shown:
            return
        self._shown = told
        self._lines = words.bucket_lines(page)
        self._search.props["placeholder"] = f"Search {many(len(self._lines), 'bucket')}"
        self._draw_said()
        self._draw_rows()

    def _draw_said(self) -> None:
        self._said.clear()
        error = self._error
        if error is None:
            return
        with self._said:
            code = error.code if isinstance(error, DiscoveryError) else ""
            place = draw_no_listing(error, "note-line", code)
        if isinstance(error, WrongRegionError) and error.region:
            use = partial(self._use_region, error.region)
            with place, element("div", "actions"):
                button(f"Use {error.region}", kind="small", mark="use-region", on_click=use)

    def _draw_rows(self) -> None:
        self._more.clear()
        if self._loading and self._page.listing is None:
            self._body.clear()
            self._table = None
            self._note.text = "loading from the provider …"
            with (
                self._body,
                element("div", "body", role="status", aria_busy="true", aria_label="Loading"),
            ):
                for _ in range(4):
                    element("div", "skeleton")
            return
        found = words.found(self._lines, self._sought)
        rows = [words.bucket_row(place, line, self._page) for place, line in found[: self._limit]]
        if self._table is not None and rows:
            self._table.show(rows)
        else:
            self._body.clear()
            with self._body:
                self._table = self._draw_table(rows) if rows else None
                if not rows:
                    self._draw_none()
        if len(found) > self._limit:
            with self._more, element("div", "note-line"):
                left = count(len(found) - self._limit)
                element("span", text=f"{left} more. Search for a name, or:")
                button(f"Show {SHOWN} more", kind="small", mark="more", on_click=self._show_more)

    def _draw_table(self, rows: list[Row]) -> Table:
        table = Table(COLUMNS, rows, ROW)
        table.on("import", self._import_listed)
        return table

    def _draw_none(self) -> None:
        sentence = "No bucket is known yet."
        if self._sought:
            sentence = f"No bucket name contains {clean(self._sought, limit=80)}."
        elif self._page.listing is not None:
            sentence = "This provider lists no buckets. Create one there, then press Refresh."
        elif self._error is not None:
            sentence = "No bucket of this provider has been added yet."
        with element("div", "note-line"):
            element("span", text=sentence)

    def _seek(self, change: events.ValueChangeEventArguments[str | None]) -> None:
        self._sought, self._limit = change.value or "", SHOWN
        self.show(self._page)

    def _show_more(self) -> None:
        self._limit += SHOWN
        self.show(self._page)

    # what it asks

    async def load(self, *, refresh: bool = False) -> None:
        """Ask the provider; a kept answer will do unless `refresh`."""
        if self._loading:
            return
        self._loading = True
        self._refresh.props["disabled"] = True
        self.show(self._page)
        try:
            act, provider_id = self._providers.buckets, self._page.row.id
            listing = await ask(self._providers, act, provider_id, refresh=refresh)
            self._error = None
            self._page = replace(self._page, listing=listing)
        except BucketvaultError as error:
            self._error = error
            self._note.text = ""
        finally:
            self._loading = False
            if not self._body.is_deleted:
                self._refresh.props["disabled"] = False
                self.show(self._page)

    async def _use_region(self, region: str) -> None:
        """Take the region that the provider itself named, and ask again."""
        provider_id = self._page.row.id
        try:
            stored = await in_thread(self._providers.stored, provider_id)
            if stored is None:  # shutting down
                return
            given = replace(stored.given, region=region)
            await ask(
                self._providers, self._providers.change, provider_id, given, stored, check=False
            )
        except BucketvaultError as error:
            self._error = error
        await self.load(refresh=True)

    def _import_listed(self, event: events.GenericEventArguments) -> None:
        place = event.args
        if isinstance(place, int) and 0 <= place < len(self._lines):
            self._ask_for_use(self._lines[place].name, listed=True)

    def _ask_for_use(self, name: str, *, listed: bool = False) -> None:
        shown = clean(name, limit=NAME_CHARACTERS)
        self._dialogs.clear()
        with (
            self._dialogs,
            question(
                f"Add {shown}?",
                "What may backups do with this bucket? You can change this later under Storages.",
            ) as (dialog, actions),
            actions,
        ):
            for number, (title, usage) in enumerate(USES):

                async def chosen(usage: UsageType | None = usage) -> None:
                    dialog.close()
                    await self._import.bring(self._page.row.id, name, usage, listed=listed)

                kind = "primary" if number == len(USES) - 1 else ""
                button(title, kind=kind, mark=f"use-{number}", on_click=chosen)
        dialog.open()


COLUMNS = (Column("Bucket"), Column("Used to"), Column("Used by"), Column(""))
ROW = """
<tr class="entry">
  <td class="c-name"><div class="line">
    <span class="mark" :class="props.row.kind" aria-hidden="true">{{ props.row.mark }}</span>
    <span class="name clip" :title="props.row.whole">{{ props.row.name }}</span>
    <span v-if="props.row.shown" class="t13 ink3 clip">{{ props.row.shown }}</span>
  </div></td>
  <td class="c-more nowrap ink2">{{ props.row.use }}</td>
  <td class="c-more c-by"><div class="clip"><template v-for="(it, n) in props.row.links" :key="n"
    ><span v-if="n">, </span><a class="link" :href="props.home + it.href"
    :title="it.name">{{ it.name }}</a></template>
    <span v-if="props.row.links_more"> {{ props.row.links_more }}</span></div></td>
  <td class="c-action"><div class="line">
    <span v-if="props.row.state === 'imported'" class="pill" :class="props.row.tone">
      <i class="glyph" :class="props.row.tone" aria-hidden="true"></i>{{ props.row.word }}</span>
    <button v-else type="button" class="btn small" :aria-label="'Add ' + props.row.name"
      @click="$parent.$emit('import', props.row.id)">
      <i class="icon icon-plus" aria-hidden="true"></i>Add</button>
  </div></td>
</tr>
"""
