"""Both ends of a backup in its form: what may be chosen for them, and what they are together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.domain.places import BucketAt, Chosen
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.probe.contents import PathSize
from bucketvault.engine.views.catalogue import ProviderRow, StorageRow
from bucketvault.errors import BucketvaultError, Problem
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.backup.bucket_field import BucketField, Group
from bucketvault.pages.backup.form_buckets import BucketLists, groups, row_of, storage_name
from bucketvault.pages.backup.form_ends import DESTINATION, SOURCE, EndFields
from bucketvault.pages.parts.actions import in_thread
from bucketvault.pages.parts.fields import Field
from bucketvault.pages.parts.widgets import NAME_CHARACTERS, button, element
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers


class BothEnds:
    """The fields of both ends. A bucket that is no storage yet becomes one when the form is saved.

    Until then nothing of it is stored: a form that is left leaves nothing behind.
    """

    source: EndFields
    destination: EndFields

    def __init__(
        self,
        providers: "Providers",
        rows: Sequence[ProviderRow],
        storages: Sequence[StorageRow],
        changed: Callable[[], None],  # told when something was typed or chosen
        tell: Callable[[], None],  # told when more is known of what is chosen
        check: Callable[[], Sequence[Problem]],  # what forbids these places, from a thread
    ) -> None:
        self._providers, self._changed = providers, changed
        self._tell, self._check = tell, check
        self._storages = _by_bucket(storages)
        self.lists = BucketLists(providers, rows, self._show_buckets)
        self.unfound: EndFields | None = None  # whose typed bucket was not there when saving

    def bucket_in(self, asked: str) -> BucketAt | None:
        """Return the bucket of an address, `1/bucket`, if a provider has that number."""
        number, _, name = asked.partition("/")
        provider = next((one for one in self.lists.rows if str(one) == number), None)
        return BucketAt(provider, name) if provider is not None and name else None

    def __iter__(self) -> Iterator[EndFields]:
        return iter((self.source, self.destination))

    def draw(self, given: BackupFields, measured: PathSize | None) -> None:
        """Draw the fields, begun with what is `given`; `measured`: the source, at the last run."""
        with element("div", "two"):
            self.source, self.destination = (
                EndFields(
                    side,
                    self._providers,
                    self._offer,
                    (
                        self._bucket_of(getattr(given, f"{side.name}_storage_id")),
                        getattr(given, f"{side.name}_path"),
                    ),
                    self._changed,
                    self._settled,
                    measured if side is SOURCE else None,
                )
                for side in (SOURCE, DESTINATION)
            )
        self.lists.draw()
        self._swap = element("div", "note-line swap")
        self._swap.set_visibility(False)
        with self._swap:
            element(
                "span",
                text="The source is empty and the destination is not. Are they swapped?",
            )
            button("Swap them", "swap", "small", mark="swap", on_click=self._swap_ends)

    @property
    def fields(self) -> dict[str, Field | BucketField]:
        """The fields by name, in their order."""
        return {field.name: field for end in self for field in (end.bucket, end.path)}

    # what is chosen

    def chosen(self, end: EndFields) -> int | Chosen | None:
        """Return a storage's id, or the bucket that becomes one when this is saved."""
        if end.at is None:
            return None
        row = self._storages.get(end.at)
        listed = self.lists.has(end.at)
        return row.id if row else Chosen(end.at, listed, listed or end.is_seen)

    def row(self, end: EndFields) -> StorageRow | None:
        """Return the storage that is chosen, or what it will be."""
        return row_of(end.at, self._storages, self.lists.rows)

    def place(self, end: EndFields) -> EndSpec | None:
        """Return the same with its path, as pages draw an end."""
        row = self.row(end)
        if row is None:
            return None
        what = row.provider_name, row.provider_type, row.bucket_name, row.display_name
        return EndSpec(*what, end.place[1])

    def names(self) -> dict[object, str]:
        """Return what people call every storage, and what is chosen, by the values of `chosen`."""
        found: dict[object, str] = {row.id: _name(row) for row in self._storages.values()}
        return found | {
            self.chosen(end): _name(row) for end in self if (row := self.row(end)) is not None
        }

    def _bucket_of(self, storage_id: object) -> BucketAt | None:
        return next((at for at, row in self._storages.items() if row.id == storage_id), None)

    def _offer(self, other_use: UsageType, chosen: BucketAt | None) -> tuple[Group, ...]:
        return groups(self.lists.rows, self._storages, self.lists.lists, other_use, chosen)

    # what changes

    def _show_buckets(self) -> None:
        for end in self:
            end.show_buckets()
        self._tell()

    async def show_catalogue(
        self, providers: Sequence[ProviderRow], storages: Sequence[StorageRow]
    ) -> None:
        """Offer what there is now; what is chosen stays."""
        self._storages = _by_bucket(storages)
        self._show_buckets()
        await self.lists.show(providers)

    def tell(self) -> None:
        """Say whether they look swapped."""
        self._swap.set_visibility(words.looks_swapped(self.source.seen, self.destination.seen))

    async def _settled(self) -> None:
        """Say at once what forbids these two places together."""
        problems: Sequence[Problem] = ()
        if self.source.at is not None and self.destination.at is not None:
            try:
                problems = await in_thread(self._check) or ()
            except BucketvaultError:  # deleted meanwhile: saving says so
                return
        for end in self:
            for field in (end.bucket, end.path):
                if field is end.path or not end.typed:  # else it says whose bucket is not known
                    field.show([each.message for each in problems if each.field == field.name])

    async def _swap_ends(self) -> None:
        source, destination = self.source.place, self.destination.place
        await self.source.take(*destination)
        await self.destination.take(*source)

    # saving

    async def find(self, say: Callable[[str], None]) -> None:
        """Make sure that buckets are there that no list has; `say` what is looked for.

        Raises NotFoundError, VaultError, DiscoveryError, with the end of it in `unfound`.
        """
        for end in self:
            chosen = self.chosen(end)
            if isinstance(chosen, Chosen) and not chosen.seen:
                say(f"Looking for {clean(chosen.at.bucket_name, limit=80)} …")
                self.unfound = end
                await end.confirm()
        self.unfound = None

    def whose(self, problems: Sequence[Problem]) -> list[Problem]:
        """Return the same; of a name whose provider was not chosen, that it is to be chosen."""
        typed = {end.bucket.name: end for end in self if end.typed}
        return [
            Problem(each.field, typed[each.field].why_no_bucket) if each.field in typed else each
            for each in problems
        ]


def _by_bucket(rows: Sequence[StorageRow]) -> Mapping[BucketAt, StorageRow]:
    return {BucketAt(row.provider_id, row.bucket_name): row for row in rows}


def _name(row: StorageRow) -> str:
    return f"{storage_name(row)} · {clean(row.provider_name, limit=NAME_CHARACTERS)}"
