"""The buckets of every provider for a backup's form: asked for at once, shown as each list comes.

A provider that does not answer is named, with the way to mend it; the others stay usable.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bucketvault.engine.domain.places import BucketAt
from bucketvault.engine.rclone.buckets import ListingDeniedError, WrongRegionError
from bucketvault.engine.views.catalogue import ProviderRow, StorageRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import many
from bucketvault.pages.backup.bucket_field import Group
from bucketvault.pages.parts.actions import ask
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    Part,
    button,
    element,
    first_few,
    glyph,
    use_region,
)
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers


@dataclass(frozen=True, slots=True)
class Listed:
    """A provider's list of buckets, as far as it has come."""

    names: tuple[str, ...] = ()
    error: BucketvaultError | None = None
    asking: bool = True


def storage_name(row: StorageRow) -> str:
    """Return a storage's bucket as the list to choose from calls it."""
    bucket = clean(row.bucket_name, limit=NAME_CHARACTERS)
    shown = clean(row.display_name, limit=NAME_CHARACTERS)
    return f"{shown} ({bucket})" if shown else bucket


def row_of(
    at: BucketAt | None,
    storages: Mapping[BucketAt, StorageRow],
    providers: Mapping[int, ProviderRow],
) -> StorageRow | None:
    """Return the storage of a bucket, or what it will be; None where its provider is not known."""
    if at is None or at in storages:
        return storages.get(at) if at is not None else None
    provider = providers.get(at.provider_id)
    if provider is None:
        return None
    return StorageRow(
        id=0,
        provider_id=provider.id,
        provider_name=provider.name,
        provider_type=provider.provider_type,
        bucket_name=at.bucket_name,
        display_name="",
        usage_type=None,
        uses=(),
        objects=None,
        size_bytes=None,
        checked_at=None,
        storage_classes=provider.storage_classes,
    )


def groups(
    providers: Mapping[int, ProviderRow],
    storages: Mapping[BucketAt, StorageRow],
    lists: Mapping[int, Listed],
    other_use: UsageType,
    chosen: object,
) -> tuple[Group, ...]:
    """Return the buckets that may be an end, provider by provider; and the chosen one.

    Storages kept for `other_use` are left out. What is a storage is there without a list, too.
    """
    found = []
    for provider_id, provider in providers.items():
        listed = lists.get(provider_id, Listed())
        mine = {
            at.bucket_name: row for at, row in storages.items() if row.provider_id == provider_id
        }
        names = {*listed.names, *mine}
        if isinstance(chosen, BucketAt) and chosen.provider_id == provider_id:
            names.add(chosen.bucket_name)
        buckets = []
        for name in sorted(names):
            row = mine.get(name)
            if row is None:
                buckets.append((name, clean(name, limit=NAME_CHARACTERS)))
            elif row.usage_type is not other_use or BucketAt(provider_id, name) == chosen:
                buckets.append((name, storage_name(row)))
        shown = clean(provider.name, limit=NAME_CHARACTERS)
        found.append(Group(provider_id, shown, _note(listed, len(buckets)), tuple(buckets)))
    return tuple(sorted(found, key=lambda group: not group.buckets))  # what can be chosen first


def _note(listed: Listed, number: int) -> str:
    if listed.asking:
        return "Loading its buckets …"
    if isinstance(listed.error, ListingDeniedError):
        return "This key cannot list buckets: type the bucket's name."
    if listed.error is not None:
        return "Its buckets cannot be listed now: type the bucket's name."
    return "" if number else "No bucket to choose."


class BucketLists:
    """The lists, and the lines below the fields that say how far they have come."""

    def __init__(
        self,
        providers: "Providers",
        rows: Sequence[ProviderRow],
        changed: Callable[[], None],  # told when there is more, or less, to choose from
    ) -> None:
        self._providers, self._changed = providers, changed
        self.rows: dict[int, ProviderRow] = {row.id: row for row in rows}
        self.lists: dict[int, Listed] = {}

    def draw(self) -> None:
        """Draw the place of the lines."""
        self._said = Part("stack spaced-small lists")
        self._said.props["aria-live"] = "polite"

    async def load(self) -> None:
        """Ask every provider that was not asked yet."""
        await self._ask([each for each in self.rows if each not in self.lists])

    async def show(self, rows: Sequence[ProviderRow]) -> None:
        """Take the providers as they are now; ask those that are new or were changed."""
        now = {row.id: row for row in rows}
        same = {
            key for key, row in now.items() if key in self.rows and _asks_alike(row, self.rows[key])
        }
        self.rows = now
        self.lists = {key: each for key, each in self.lists.items() if key in same}
        await self.load()

    def has(self, at: BucketAt) -> bool:
        """True if its provider lists this bucket."""
        return at.bucket_name in self.lists.get(at.provider_id, Listed()).names

    async def _ask(self, which: Sequence[int], *, refresh: bool = False) -> None:
        for each in which:
            self.lists[each] = Listed(self.lists.get(each, Listed()).names)
        self._tell()
        await asyncio.gather(*(self._ask_one(each, refresh=refresh) for each in which))

    async def _ask_one(self, provider_id: int, *, refresh: bool) -> None:
        try:
            listing = await ask(
                self._providers, self._providers.buckets, provider_id, refresh=refresh
            )
            listed = Listed(tuple(each.name for each in listing.buckets), asking=False)
        except BucketvaultError as error:
            listed = Listed(error=error, asking=False)
        if provider_id in self.rows and not self._said.is_deleted:
            self.lists[provider_id] = listed
            self._tell()

    def _tell(self) -> None:
        asking = [self._name(key) for key, each in self.lists.items() if each.asking]
        failed = {
            key: each.error
            for key, each in self.lists.items()
            if each.error is not None and not isinstance(each.error, ListingDeniedError)
        }
        listed = [len(each.names) for each in self.lists.values() if each.error is None]
        if self._said.is_new(asking, failed, listed, bool(self.rows)):
            with self._said:
                self._draw(asking, failed, listed)
        self._changed()

    def _draw(
        self,
        asking: Sequence[str],
        failed: Mapping[int, BucketvaultError],
        listed: Sequence[int],  # how many, at each provider that lists them
    ) -> None:
        for provider_id, error in failed.items():
            self._draw_failed(provider_id, error)
        with element("div", "line wrap"):
            if not self.rows:
                element(
                    "span", "t13 ink2", "Connect a provider first: its buckets are listed here."
                )
                button("Connect a provider", "plus", "small", mark="connect", href="/providers/new")
            elif asking:
                said = f"Loading buckets from {first_few(asking)} …"
                element("span", "t13 ink3", said, role="status")
            else:
                said = f"{many(sum(listed), 'bucket')} at {many(len(listed), 'provider')}."
                if not sum(listed):
                    said = "No buckets are listed. Type a name, or create one and refresh."
                element("span", "t13 ink3", said)
                every = partial(self._ask, tuple(self.rows), refresh=True)
                button("Refresh", "refresh", "ghost small", mark="refresh-lists", on_click=every)

    def _draw_failed(self, provider_id: int, error: BucketvaultError) -> None:
        name = self._name(provider_id)
        with element("div", "line top-line failed-list"):
            glyph(Tone.BAD)
            with element("div", "stack spaced-small"):
                element("span", "strong", f"{name}: its buckets cannot be listed.")
                element("span", "t13 ink2", clean(f"{error.summary} {error.hint}".strip()))
                with element("div", "line wrap"):
                    again = partial(self._ask, (provider_id,), refresh=True)
                    made = button("Try again", "", "small", mark="list-again", on_click=again)
                    made.props["aria-label"] = f"Try again: {name}"
                    if isinstance(error, WrongRegionError) and error.region:
                        use_region(provider_id, error.region, "small")
                    else:
                        href = f"/providers/{provider_id:d}/edit"
                        button(f"Edit {name}", kind="small", href=href)

    def _name(self, provider_id: int) -> str:
        return clean(self.rows[provider_id].name, limit=80)


def _asks_alike(one: ProviderRow, other: ProviderRow) -> bool:
    """True if a list of the one is a list of the other."""
    kept = ("name", "address", "region", "key_end", "keys_readable", "changed_at")
    return all(getattr(one, name) == getattr(other, name) for name in kept)
