"""One provider: does its key work, for what not; its buckets, and which of them backups may use."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from nicegui import run, ui

from bucketvault.engine.providers import ConnectionTest, ProviderPage
from bucketvault.engine.views.situation import Situation, Tone
from bucketvault.errors import BucketvaultError, NotFoundError
from bucketvault.pages.parts.asking import ask
from bucketvault.pages.parts.fields import Choice, Choices, above
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    CLASSES,
    NAME_CHARACTERS,
    button,
    card,
    element,
    glyph,
    key_values,
    question,
    text,
)
from bucketvault.pages.parts.widgets import verdict as draw_verdict
from bucketvault.pages.providers import words
from bucketvault.pages.providers.buckets import BucketsCard
from bucketvault.pages.providers.kinds import RIGHT_WORDS, kind_of_row
from bucketvault.pages.run.log import LARGEST_NUMBER
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic, UsageType

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine
    from bucketvault.engine.providers import Providers

AGES_S = 20.0  # how often "3 min ago" is looked at
FIRST_LOOK_S = 0.1  # after the browser is there, the provider is asked
BUCKETS_OFFERED = 50  # to test writing in


class Acts(NamedTuple):
    """What the page's buttons do. All may raise BucketvaultError."""

    test: Callable[[str, bool], Awaitable[ConnectionTest]]
    delete: Callable[[], Awaitable[None]]


def register(engine: "Engine") -> None:
    """Serve the page of each provider from `engine`."""

    @page_at("/providers/{provider_id:number}", "Provider")
    async def provider_page(provider_id: int) -> None:
        """Draw what is known, then ask for the buckets; show what changes while it is open."""
        answer = await run.io_bound(engine.answer)
        if answer is None:  # shutting down
            return
        try:
            if not 0 < provider_id <= LARGEST_NUMBER:
                raise NotFoundError("There is no such provider.")
            page = await run.io_bound(engine.providers.page, provider_id)
        except NotFoundError as error:
            draw_absent(error, engine.zone, answer)
            return
        if page is None:
            return

        with frame("Providers", engine.zone, answer) as around:
            screen = ProviderScreen(page, engine.providers, _acts(engine, provider_id))
            screen.show(page)

        def fetch() -> ProviderPage | NotFoundError:
            try:
                return engine.providers.page(provider_id)
            except NotFoundError as error:  # deleted in another tab
                return error

        def show(found: ProviderPage | NotFoundError) -> None:
            if isinstance(found, ProviderPage):
                screen.show(found)
            else:
                ui.navigate.to("/providers")

        look_again = show_on(engine.live, Topic.CATALOGUE, fetch, show, pause_s=0.5)
        around.follow(engine)
        ui.timer(AGES_S, look_again, immediate=False)
        if page.listing is None and page.row.keys_readable:
            ui.timer(FIRST_LOOK_S, screen.buckets.load, once=True)


def _acts(engine: "Engine", provider_id: int) -> Acts:
    providers = engine.providers

    async def test(bucket: str, write: bool) -> ConnectionTest:
        return await ask(providers, providers.test, provider_id, bucket, write)

    async def delete() -> None:
        await ask(providers, providers.delete, provider_id)
        ui.navigate.to("/providers")

    return Acts(test, delete)


def draw_absent(error: NotFoundError, zone: ZoneInfo, answer: Situation) -> None:
    """There is no such provider (any more)."""
    ui.context.client.status_code = 404
    with frame("Providers", zone, answer):
        with heading("No such provider", (("Providers", "/providers"),)):
            pass
        shown = draw_verdict(Tone.NONE, clean(error.summary), clean(error.hint))
        with shown as (actions, _), actions:
            button("All providers", href="/providers")


class ProviderScreen:
    """The page of one provider. What is being asked shows in its own part only."""

    def __init__(self, page: ProviderPage, providers: "Providers", acts: Acts) -> None:
        self._page, self._acts = page, acts
        self._testing = False
        self._shown: dict[int, object] = {}  # by the part
        self._head = element("div", "part")
        self._answer = element("div", "part")
        self._result = element("div", "part")
        self._dialogs = element("div", "part")
        self.buckets = BucketsCard(page, providers)

    def show(self, page: ProviderPage) -> None:
        """Show it as it stands."""
        self._page = page
        now = dt.datetime.now(dt.UTC)
        self.buckets.show(page)
        row, answer = page.row, words.answer(page, now)
        if self._is_new(self._head, (row.name, kind_of_row(row))):
            with self._head:
                self._draw_head()
        buttons = (row.keys_readable, bool(page.storages))
        if self._is_new(self._answer, (answer, self._testing, buttons)):
            with self._answer:
                self._draw_answer(answer)
        if self._is_new(self._result, (page.test, words.facts(page, now))):
            with self._result:
                self._draw_result(now)
        else:
            self._tick(now)

    def _is_new(self, place: ui.element, told: object) -> bool:
        """Whether a part is to be drawn again; a press must not meet an old button."""
        if self._shown.get(place.id) == told:
            return False
        self._shown[place.id] = told
        place.clear()
        return True

    def _tick(self, now: dt.datetime) -> None:
        if self._page.test is not None:
            self._age.text = words.test_note(self._page.test, now)

    def _draw_head(self) -> None:
        row = self._page.row
        name = clean(row.name, limit=NAME_CHARACTERS)
        ui.page_title(f"{name} · bucketvault")
        with heading(name, (("Providers", "/providers"), (kind_of_row(row).title, ""))):
            button("Edit", "edit", "grow", mark="edit", href=f"/providers/{row.id:d}/edit")
            button("Delete", "trash", "danger grow", mark="delete", on_click=self._ask_to_delete)

    def _draw_answer(self, answer: words.Answer) -> None:
        row = self._page.row
        if self._testing:
            sentence = f"Asking {clean(row.name, limit=80)} what this key may do …"
            with draw_verdict(Tone.RUN, sentence, "It takes a few seconds."):
                pass
            return
        told = draw_verdict(answer.tone, clean(answer.sentence), clean(answer.detail))
        with told as (actions, _), actions:
            if not row.keys_readable:
                href = f"/providers/{row.id:d}/edit"
                button("Enter the key again", kind="primary", href=href)
                return
            button(
                "Test connection", "refresh", "primary", mark="test", on_click=self._test_reading
            )
            if self._page.storages:
                button("Test writing …", mark="test-writing", on_click=self._ask_to_write)

    def _draw_result(self, now: dt.datetime) -> None:
        test = self._page.test
        with element("div", "split test" if test is not None else "part"):
            if test is not None:
                with card("Connection test", body=False) as header, element("div", "rights"):
                    with header:
                        self._age = text("span", "t13 ink3", words.test_note(test, now))
                    for right in test.rights:
                        tone, outcome = words.OUTCOMES[right.outcome]
                        with element("div", f"right-line {CLASSES[tone]}"):
                            glyph(tone)
                            element("span", text=RIGHT_WORDS[right.right])
                            element("span", "outcome", outcome)
                            element("span", "note", words.right_note(right))
            with card("Key and address"):
                key_values((key, clean(value)) for key, value in words.facts(self._page, now))

    # testing

    async def _test_reading(self) -> None:
        """In the first bucket there is: reading changes nothing."""
        names = [storage.bucket_name for storage in self._page.storages]
        if not names and self._page.listing is not None:
            names = [bucket.name for bucket in self._page.listing.buckets]
        await self._test(names[0] if names else "", False)

    async def _test(self, bucket: str, write: bool) -> None:
        self._testing = True
        self.show(self._page)
        try:
            test = await self._acts.test(bucket, write)
            self._page = replace(self._page, test=test)
        except BucketvaultError as error:
            ui.notify(str(error), type="negative", position="bottom-right", multi_line=True)
        finally:
            self._testing = False
            if not self._answer.is_deleted:
                self.show(self._page)

    def _ask_to_write(self) -> None:
        storages = self._page.storages[:BUCKETS_OFFERED]
        # a bucket that is only copied from is the last that anything should be written to
        by_use = sorted(storages, key=lambda each: each.usage_type is UsageType.SOURCE_ONLY)
        buckets = {str(each.id): each.bucket_name for each in by_use}
        self._dialogs.clear()
        shown = question(
            "Test writing?",
            "Two small objects are written to .bucketvault-archive/ in this bucket, and removed "
            "again at once. Nothing else is touched. If one cannot be removed, its full name is "
            "shown.",
        )
        with self._dialogs, shown as (dialog, actions):
            with above(actions):
                options = [
                    Choice(key, clean(name, limit=NAME_CHARACTERS)) for key, name in buckets.items()
                ]
                choices = Choices("Bucket", options, next(iter(buckets)))

            async def confirmed() -> None:
                dialog.close()
                await self._test(buckets[choices.chosen], True)

            with actions:
                button("Write and remove", mark="confirm", kind="primary", on_click=confirmed)
        dialog.open()

    # deleting

    def _ask_to_delete(self) -> None:
        row, storages = self._page.row, self._page.storages
        name = clean(row.name, limit=NAME_CHARACTERS)
        self._dialogs.clear()
        if storages:
            names = ", ".join(clean(each.shown_name, limit=80) for each in storages[:5])
            more = f" and {len(storages) - 5} more" if len(storages) > 5 else ""
            with (
                self._dialogs,
                question(
                    f"{name} cannot be deleted yet",
                    f"It has storages: {names}{more}. Remove these first, on the page Storages.",
                    leave="Close",
                ) as (dialog, actions),
                actions,
            ):
                button("Storages", href="/storages")
            dialog.open()
            return

        async def confirmed() -> None:
            dialog.close()
            try:
                await self._acts.delete()
            except BucketvaultError as error:
                ui.notify(str(error), type="negative", position="bottom-right", multi_line=True)

        with (
            self._dialogs,
            question(
                f"Delete {name}?",
                "Its stored key is deleted, and cannot be brought back from here. The service, "
                "its buckets and what is in them stay as they are.",
            ) as (dialog, actions),
            actions,
        ):
            button("Delete provider", "trash", "danger", mark="confirm", on_click=confirmed)
        dialog.open()
