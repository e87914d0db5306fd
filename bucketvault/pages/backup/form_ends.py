"""One end of a backup in its form: which storage, which path in it, and what is there."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nicegui import ui

from bucketvault.engine.domain.rules import meant_path, typed_path
from bucketvault.engine.probe.contents import PathLook, PathSize
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import many, size
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.parts.actions import ask
from bucketvault.pages.parts.fields import Field, Pick
from bucketvault.pages.parts.widgets import button, element, glyph, text
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers

COUNTED_S = 0.5  # how often the page looks how far counting has come


class Side(NamedTuple):
    """The ends' names of their fields, and uses that may not be chosen for them."""

    name: str
    storage_label: str
    path_label: str
    other_use: UsageType  # storages kept for this use are not offered here


SOURCE = Side("source", "Copy from", "Only this folder (optional)", UsageType.DESTINATION_ONLY)
DESTINATION = Side("destination", "Copy to", "Into this folder (optional)", UsageType.SOURCE_ONLY)


class EndFields:
    """The two fields of an end, and the line that says what is there."""

    def __init__(
        self,
        side: Side,
        providers: "Providers",
        storages: Mapping[int, StorageRow],
        stored: tuple[int | None, str],  # where this backup's end is already
        changed: Callable[[], None],  # told when something was typed or chosen
        settled: Callable[[], Awaitable[None]],  # told when a place was chosen, or looked at
        bring_in: Callable[[], Awaitable[None]],  # imports a bucket
        measured: PathSize | None = None,  # at the last run
    ) -> None:
        self.side, self._providers, self._storages = side, providers, storages
        self.stored, self._changed, self._settled = stored, changed, settled
        self.seen: PathLook | None = None
        self.measured = measured
        storage_id, path = stored
        self._looked_at = stored
        self._given_up = threading.Event()
        # from the first on, or choosing it later would look like a user's change
        options = words.offered(storages, side.other_use, storage_id)
        with element("div", "stack spaced-small"):
            self.storage = Pick(
                f"{side.name}_storage_id",
                side.storage_label,
                options,
                storage_id if storage_id in options else None,
                placeholder="Choose a bucket",
                searched=True,
                on_change=self._chosen,
            )
            with element("div", "line wrap"):
                button(
                    "Add a bucket",
                    "plus",
                    "small",
                    mark=f"import-{side.name}",
                    on_click=bring_in,
                )
        with element("div", "stack spaced-small"):
            self.path = Field(
                f"{side.name}_path",
                side.path_label,
                value=path,
                placeholder="the whole bucket",
                on_change=lambda _: changed(),
            )
            self.path.input.on("blur", self._settle)
            self.path.input.on("keydown.enter", self._settle)
            self._there = element("div", "there", aria_live="polite")
        self.show_storages(storages, storage_id)
        if measured is not None:
            there = f"{many(measured.objects, 'object')}, {size(measured.size_bytes)}"
            self._say(None, f"{there} at the last run.")
        self._offer_look()
        ui.context.client.on_delete(self.give_up)

    # what is chosen

    @property
    def storage_id(self) -> int | None:
        """The storage that is chosen."""
        chosen = self.storage.value
        return chosen if isinstance(chosen, int) else None

    @property
    def row(self) -> StorageRow | None:
        """The same, as it is known."""
        return self._storages.get(self.storage_id or 0)

    @property
    def place(self) -> tuple[int | None, str]:
        """Storage and path, as they are here."""
        return self.storage_id, meant_path(self.path.value)

    def show_storages(self, storages: Mapping[int, StorageRow], chosen: int | None) -> None:
        """Offer these storages; the chosen one stays chosen."""
        self._storages = storages
        options = words.offered(storages, self.side.other_use, chosen)
        self.storage.offer(options, chosen if chosen in options else None)
        hint = words.not_offered(storages, self.side.other_use)
        self.storage.hint(hint if options else f"No bucket to choose yet. {hint}".strip())

    async def take(self, storage_id: int | None, path: str) -> None:
        """Choose this place."""
        self.storage.input.value = storage_id
        self.path.input.value = typed_path(path)
        await self._settle()

    async def _chosen(self, _: object) -> None:
        self._changed()
        await self._settle()

    async def _settle(self) -> None:
        """Look at the place when it is another than the one that was looked at."""
        if self.place != self._looked_at:
            await self.look()

    # what is there

    async def look(self) -> None:
        """Ask the provider what is there, and say so; only the last question is answered."""
        self.give_up()
        asked_for = self._looked_at = self.place
        self.seen = self.measured = None
        self._changed()
        storage_id, path = asked_for
        if storage_id is None:
            self._there.clear()
            await self._settled()
            return
        self._say(None, "Looking what is there …")
        try:
            seen = await ask(self._providers, self._providers.look, storage_id, path)
        except BucketvaultError as error:
            if self._is_current(asked_for):
                self._say(Tone.WARN, f"{error.summary} {error.hint}")
                self._offer_look("Check again")
                await self._settled()
            else:
                self._drop(asked_for)
            return
        if self._is_current(asked_for):
            self.seen = seen
            self._show()
            self._changed()
            await self._settled()
        else:
            self._drop(asked_for)

    def _drop(self, asked_for: tuple[int | None, str]) -> None:
        """Say no more that it looks: what was asked for is typed over, and nothing newer asked."""
        if asked_for == self._looked_at and not self._there.is_deleted:
            self._there.clear()
            self._offer_look()

    def _show(self) -> None:
        if self.side is SOURCE:
            self._say(*words.source_words(self.seen, self.measured))
            if self.measured is None and self.seen is not None and self.seen.anything:
                self._offer("Count objects and size", "count", self.count)
        elif self.seen is not None:
            own = self.place == self.stored
            self._say(*words.destination_words(self.seen, is_own_copy=own))

    async def count(self) -> None:
        """Count all that a run would read; it can be given up."""
        asked_for = self.place
        storage_id, path = asked_for
        if storage_id is None:
            return
        given_up = self._given_up = threading.Event()
        counted = 0

        def on_seen(number: int) -> None:  # in the thread that asks
            nonlocal counted
            counted = number

        self._there.clear()
        with self._there, element("div", "line"):
            line = text("span", "t13 ink3", "Counting …")

            async def stop() -> None:
                given_up.set()

            button("Stop", kind="small", mark="stop-counting", on_click=stop)

            def tell() -> None:
                line.text = f"Counting: {many(counted, 'object')} so far"

            ui.timer(COUNTED_S, tell)
        try:
            measure = self._providers.measure
            self.measured = await ask(self._providers, measure, storage_id, path, given_up, on_seen)
        except CancelledError:
            pass
        except BucketvaultError as error:
            if self._is_current(asked_for):
                self._say(Tone.WARN, f"{error.summary} {error.hint}")
                self._offer("Count again", "count", self.count)
            return
        if self._is_current(asked_for):
            self._show()
            self._changed()

    def give_up(self) -> None:
        """End a count that no page waits for."""
        self._given_up.set()

    def _is_current(self, asked_for: tuple[int | None, str]) -> bool:
        return asked_for == self._looked_at == self.place and not self._there.is_deleted

    def _offer_look(self, name: str = "Check contents") -> None:
        if self.storage_id is not None:
            self._offer(name, "look", self.look)

    def _offer(self, name: str, mark: str, act: Callable[[], Awaitable[None]]) -> None:
        with self._there, element("div", "line"):
            button(name, kind="small", mark=f"{mark}-{self.side.name}", on_click=act)

    def _say(self, tone: Tone | None, said: str) -> None:
        self._there.clear()
        with self._there, element("div", "line top-line t13 ink2"):
            if tone is not None:
                glyph(tone)
            element("span", text=clean(said.strip()))
