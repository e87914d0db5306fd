"""Importing a bucket without leaving a form: choose a provider, press once, and it is chosen."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from bucketvault.engine.providers import Listing
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import count
from bucketvault.pages.parts.actions import ask
from bucketvault.pages.parts.bucket_import import BucketImport, draw_no_listing
from bucketvault.pages.parts.fields import Field, Pick, above
from bucketvault.pages.parts.widgets import NAME_CHARACTERS, button, element, question
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers

SHOWN = 50


class ImportDialog:
    """The dialog; `use` is what the new storage may be used for, `chosen` gets its id."""

    def __init__(
        self,
        providers: "Providers",
        names: Mapping[int, str],  # of the providers there are
        storages: Mapping[int, StorageRow],
        use: UsageType,
        chosen: Callable[[int], Awaitable[None]],
    ) -> None:
        self._providers, self._names, self._storages = providers, names, storages
        self._use, self._chosen = use, chosen
        self._listing: Listing | None = None
        self._asked_for = 0
        way = "from" if use is UsageType.SOURCE_ONLY else "to"
        with question(
            f"Add a bucket to copy {way}",
            f"Backups may then copy {way} it, and nothing else. The page Storages changes that.",
        ) as (self._dialog, actions):
            with above(actions):
                if names:
                    self._draw()
                else:
                    element("p", text="There is no provider yet: first say whose buckets they are.")
            if not names:
                with actions:
                    href = "/providers/new"
                    button("Add a provider", "plus", "primary", href=href, mark="add-provider")

    def _draw(self) -> None:
        shown = {key: clean(name, limit=NAME_CHARACTERS) for key, name in self._names.items()}
        first = next(iter(shown)) if len(shown) == 1 else None
        self._provider = Pick("provider", "Provider", shown, first, on_change=self._load)
        self._search = Field("search-buckets", "Search", on_change=lambda _: self._draw_rows())
        self._search.input.props["debounce"] = "150"
        self._body = element("div", "buckets")
        if first is None:
            with self._body:
                element("p", "t13 ink2", "Choose a provider: its buckets are listed here.")
        with element("div", "typed"):
            self._import = BucketImport(self._providers, self._bring)

    async def open(self) -> None:
        """Show it, and ask at once where there is only one provider."""
        self._dialog.open()
        if len(self._names) == 1:
            await self._load(next(iter(self._names)))

    async def _load(self, provider_id: object) -> None:
        if not isinstance(provider_id, int):
            return
        self._asked_for = provider_id
        self._listing = None
        self._body.clear()
        with self._body:
            name = clean(self._names[provider_id], limit=80)
            element("p", "t13 ink3", f"Asking {name} …", role="status")
            for _ in range(3):
                element("div", "skeleton", aria_hidden="true")
        refused: BucketvaultError | None = None
        try:
            listing = await ask(self._providers, self._providers.buckets, provider_id)
        except BucketvaultError as error:
            refused = error
        if self._asked_for != provider_id or self._body.is_deleted:
            return
        if refused is not None:
            self._body.clear()
            with self._body:
                draw_no_listing(refused, "line top-line")
            return
        self._listing = listing
        self._draw_rows()

    def _draw_rows(self) -> None:
        if self._listing is None:
            return
        sought = self._search.value.strip().casefold()
        found = [b.name for b in self._listing.buckets if sought in b.name.casefold()]
        known = {
            row.bucket_name: row
            for row in self._storages.values()
            if row.provider_id == self._asked_for
        }
        self._body.clear()
        with self._body:
            for name in found[:SHOWN]:
                self._draw_row(name, known.get(name))
            if len(found) > SHOWN:
                left = count(len(found) - SHOWN)
                element("p", "t13 ink3", f"{left} more: search for a name.")
            if not found:
                none = "No bucket's name holds it." if sought else "This provider lists no bucket."
                element("p", "t13 ink2", none)

    def _draw_row(self, name: str, row: StorageRow | None) -> None:
        shown = clean(name, limit=NAME_CHARACTERS)
        with element("div", "line bucket"):
            element("span", "clip", shown, title=shown)
            element("span", "space")
            if row is None:
                words, icon, mark = "Import and use", "plus", "import-listed"
                act: Callable[[], Awaitable[None]] = partial(self._bring, name)
            elif row.usage_type in (None, self._use):
                words, icon, mark, act = "Use", "", "use-listed", partial(self._choose, row.id)
            else:
                element("span", "t13 ink3 nowrap", "kept for the other use")
                return
            made = button(words, icon, "small", mark=mark, on_click=act)
            made.props["aria-label"] = f"{words} {shown}"

    async def _bring(self, name: str) -> None:
        provider_id = self._provider.value
        known = isinstance(provider_id, int)
        self._provider.show(() if known else ["Choose the provider of this bucket."])
        if known:
            await self._import.bring(provider_id, name, self._use, self._choose)

    async def _choose(self, storage_id: int) -> None:
        self._dialog.close()
        await self._chosen(storage_id)
