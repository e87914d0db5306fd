"""One end of a backup in its form: which bucket, which path in it, and what is there."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nicegui import ui

from bucketvault.engine.domain.places import BucketAt
from bucketvault.engine.domain.rules import meant_path, typed_path
from bucketvault.engine.probe.contents import PathLook, PathSize
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import many, size
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.backup.bucket_field import BucketField, Group, Typed
from bucketvault.pages.parts.actions import ask
from bucketvault.pages.parts.fields import Field
from bucketvault.pages.parts.widgets import button, element, glyph, text
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers

# the buckets that may be an end, but for storages kept for this use, and with this chosen one
Offer = Callable[[UsageType, BucketAt | None], Sequence[Group]]

COUNTED_S = 0.5  # how often the page looks how far counting has come


class Side(NamedTuple):
    """The ends' names of their fields, and uses that may not be chosen for them."""

    name: str
    bucket_label: str
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
        offer: Offer,
        stored: tuple[BucketAt | None, str],  # where this backup's end is already
        changed: Callable[[], None],  # told when something was typed or chosen
        settled: Callable[[], Awaitable[None]],  # told when a place was chosen, or looked at
        measured: PathSize | None = None,  # at the last run
    ) -> None:
        self.side, self._providers, self._offer_groups = side, providers, offer
        self.stored, self._changed, self._settled = stored, changed, settled
        self.seen: PathLook | None = None
        self.measured = measured
        at, path = stored
        self._looked_at: tuple[Typed, str] = stored
        self._given_up = threading.Event()
        with element("div", "stack spaced-small"):
            name = f"{side.name}_storage_id"
            groups = offer(side.other_use, at)
            self.bucket = BucketField(name, side.bucket_label, groups, at, self._chosen)
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
        if measured is not None:
            there = f"{many(measured.objects, 'object')}, {size(measured.size_bytes)}"
            self._say(None, f"{there} at the last run.")
        self._offer_look()
        ui.context.client.on_delete(self.give_up)

    # what is chosen

    @property
    def at(self) -> BucketAt | None:
        """The bucket that is chosen."""
        chosen = self.bucket.value
        return chosen if isinstance(chosen, BucketAt) else None

    @property
    def typed(self) -> str:
        """A bucket's name that was typed, and that nobody has said the provider of."""
        return self.bucket.value if isinstance(self.bucket.value, str) else ""

    @property
    def place(self) -> tuple[Typed, str]:
        """Bucket and path, as they are here."""
        return self.bucket.value, meant_path(self.path.value)

    @property
    def is_seen(self) -> bool:
        """True if a look has found the bucket."""
        return self.seen is not None and self.at is not None and self._looked_at[0] == self.at

    def show_buckets(self) -> None:
        """Offer the buckets that are known now; the chosen one stays chosen."""
        self.bucket.input.offer(self._offer_groups(self.side.other_use, self.at))

    async def take(self, chosen: Typed, path: str) -> None:
        """Choose this place."""
        self.bucket.input.value = chosen
        self.path.input.value = typed_path(path)
        await self._settle()

    async def _chosen(self, _: object) -> None:
        self.show_buckets()  # one that was typed is one of them now
        self.bucket.show([self.why_no_bucket] if self.typed else ())
        self._changed()
        await self._settle()

    @property
    def why_no_bucket(self) -> str:
        """Say what is to be done about a name that was typed."""
        name = clean(self.typed, limit=80)
        return f"Which provider has {name}? Choose it in the list, under its provider."

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
        at, path = self.at, asked_for[1]
        if at is None:
            self._there.clear()
            await self._settled()
            return
        self._say(None, "Checking contents …")
        try:
            seen = await ask(self._providers, self._providers.look, at, path)
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

    async def confirm(self) -> None:
        """Make sure that the bucket is there, unless a look has just said so.

        Raises NotFoundError, VaultError, DiscoveryError.
        """
        if self.at is not None and not self.is_seen:
            self.seen = await ask(self._providers, self._providers.look, self.at, self.place[1])
            self._looked_at = self.place
            self._show()

    def _drop(self, asked_for: tuple[Typed, str]) -> None:
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
        asked_for, at = self.place, self.at
        if at is None:
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
            path = asked_for[1]
            self.measured = await ask(self._providers, measure, at, path, given_up, on_seen)
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

    def _is_current(self, asked_for: tuple[Typed, str]) -> bool:
        return asked_for == self._looked_at == self.place and not self._there.is_deleted

    def _offer_look(self, name: str = "Check contents") -> None:
        if self.at is not None:
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
