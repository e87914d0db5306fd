"""Importing a bucket without leaving a form: choose a provider, press once, and it is chosen."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from nicegui import ui

from bucketvault.engine.providers import Listing
from bucketvault.engine.rclone.buckets import ListingDeniedError
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.humanize import count
from bucketvault.pages.parts.fields import Field, Pick, above
from bucketvault.pages.parts.widgets import NAME_CHARACTERS, button, element, glyph, question
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

SHOWN = 50

ListBuckets = Callable[[int], Awaitable[Listing]]
ImportBucket = Callable[[int, str, str | None, bool], Awaitable[int]]


class Source(NamedTuple):
    """Where buckets come from, and what is done with the one that is chosen."""

    providers: Mapping[int, str]
    storages: Mapping[int, StorageRow]
    list_buckets: ListBuckets
    import_bucket: ImportBucket
    chosen: Callable[[int], Awaitable[None]]  # gets the storage's id


class ImportDialog:
    """The dialog; `use` is what the new storage may be used for."""

    def __init__(self, source: Source, use: UsageType) -> None:
        self._source, self._use = source, use
        self._listing: Listing | None = None
        self._asked_for = 0
        way = "from" if use is UsageType.SOURCE_ONLY else "to"
        with question(
            f"Import a bucket to copy {way}",
            f"Backups may then copy {way} it, and nothing else. The page Storages changes that.",
        ) as (self._dialog, actions):
            if not source.providers:
                self._draw_no_provider(actions)
                return
            with above(actions):
                first = next(iter(source.providers)) if len(source.providers) == 1 else None
                self._provider = Pick(
                    "provider",
                    "Provider",
                    {
                        key: clean(name, limit=NAME_CHARACTERS)
                        for key, name in source.providers.items()
                    },
                    first,
                    on_change=self._load,
                )
                self._search = Field(
                    "search-buckets", "Search", on_change=lambda _: self._draw_rows()
                )
                self._search.input.props["debounce"] = "150"
                self._body = element("div", "buckets")
                if first is None:
                    with self._body:
                        element("p", "t13 ink2", "Choose a provider: its buckets are listed here.")
                with element("div", "typed"):
                    with element("div", "line"):
                        self._typed = Field("bucket", "A bucket that is not in the list?")
                        button("Import", "plus", mark="import-typed", on_click=self._import_typed)
                    self._anyway = element("div", "line")

    async def open(self) -> None:
        """Show it, and ask at once where there is only one provider."""
        self._dialog.open()
        if len(self._source.providers) == 1:
            await self._load(next(iter(self._source.providers)))

    def _draw_no_provider(self, actions: ui.element) -> None:
        with above(actions):
            element("p", text="There is no provider yet: first say whose buckets they are.")
        with actions:
            button("Add a provider", "plus", "primary", href="/providers/new", mark="add-provider")

    async def _load(self, provider_id: object) -> None:
        if not isinstance(provider_id, int):
            return
        self._asked_for = provider_id
        self._listing = None
        self._body.clear()
        with self._body:
            name = clean(self._source.providers[provider_id], limit=80)
            element("p", "t13 ink3", f"Asking {name} …", role="status")
            for _ in range(3):
                element("div", "skeleton", aria_hidden="true")
        try:
            listing = await self._source.list_buckets(provider_id)
        except BucketvaultError as error:
            if self._asked_for == provider_id and not self._body.is_deleted:
                self._draw_error(error)
            return
        if self._asked_for == provider_id and not self._body.is_deleted:
            self._listing = listing
            self._draw_rows()

    def _draw_error(self, error: BucketvaultError) -> None:
        denied = isinstance(error, ListingDeniedError)
        self._body.clear()
        with self._body, element("div", "line top-line"):
            glyph(Tone.WARN if denied else Tone.BAD)
            with element("div", "stack"):
                element("span", "strong", clean(error.summary))
                hint = "Type the bucket's name below." if denied else error.hint
                element("span", "t13 ink2", clean(hint))

    def _draw_rows(self) -> None:
        if self._listing is None:
            return
        sought = self._search.value.strip().casefold()
        found = [b.name for b in self._listing.buckets if sought in b.name.casefold()]
        provider_id = self._asked_for
        known = {
            row.bucket_name: row
            for row in self._source.storages.values()
            if row.provider_id == provider_id
        }
        self._body.clear()
        with self._body:
            for name in found[:SHOWN]:
                self._draw_row(name, known.get(name))
            if len(found) > SHOWN:
                left = count(len(found) - SHOWN)
                element("p", "t13 ink3", f"{left} more: search for a name.")
            if not found:
                none = (
                    "This provider lists no bucket." if not sought else "No bucket's name holds it."
                )
                element("p", "t13 ink2", none)

    def _draw_row(self, name: str, row: StorageRow | None) -> None:
        shown = clean(name, limit=NAME_CHARACTERS)
        with element("div", "line bucket"):
            element("span", "clip", shown, title=shown)
            element("span", "space")
            if row is None:

                async def bring() -> None:
                    await self._import(name, typed=False)

                made = button(
                    "Import and use", "plus", "small", mark="import-listed", on_click=bring
                )
                made.props["aria-label"] = f"Import and use {shown}"
            elif row.usage_type in (None, self._use):

                async def use() -> None:
                    await self._choose(row.id)

                made = button("Use", kind="small", mark="use-listed", on_click=use)
                made.props["aria-label"] = f"Use {shown}"
            else:
                element("span", "t13 ink3 nowrap", "kept for the other use")

    async def _import_typed(self) -> None:
        name = self._typed.value.strip()
        self._anyway.clear()
        self._typed.show(() if name else ["Enter the bucket's name."])
        if name:
            await self._import(name, typed=True)

    async def _import(self, name: str, *, typed: bool, check: bool = True) -> None:
        provider_id = self._provider.value
        if not isinstance(provider_id, int):
            self._provider.show(["Choose the provider of this bucket."])
            return
        self._provider.show(())
        self._typed.show(())
        self._anyway.clear()
        if typed and check:
            with self._anyway:
                element("span", "t13 ink2", f"Looking for {clean(name, limit=80)} …")
        try:
            made = await self._source.import_bucket(provider_id, name, self._use.value, check)
        except InvalidInputError as error:
            self._refuse(error.problems[0].message)
            return
        except BucketvaultError as error:
            self._refuse(str(error))
            if check:
                self._offer_anyway(name)
            return
        ui.notify(f"{clean(name, limit=80)} is imported.", position="bottom-right")
        await self._choose(made)

    def _refuse(self, message: str) -> None:
        if not self._anyway.is_deleted:
            self._anyway.clear()
            self._typed.show([message])

    def _offer_anyway(self, name: str) -> None:
        async def anyway() -> None:
            await self._import(name, typed=True, check=False)

        with self._anyway:
            button("Import anyway", kind="small", mark="import-anyway", on_click=anyway)
            element("span", "t13 ink2", "It is then marked as not checked.")

    async def _choose(self, storage_id: int) -> None:
        self._dialog.close()
        await self._source.chosen(storage_id)
