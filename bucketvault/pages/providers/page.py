"""One provider: does its key work, for what not; its buckets, and which of them backups may use."""

import datetime as dt
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from bucketvault.engine.providers import ProviderPage
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.pages.parts.actions import ask, complain, in_thread
from bucketvault.pages.parts.fields import Choice, Choices, above
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    Part,
    button,
    confirm,
    draw_verdict,
    element,
    first_few,
    refuse,
)
from bucketvault.pages.providers import words
from bucketvault.pages.providers.buckets import BucketsCard
from bucketvault.pages.providers.kinds import kind_of_row
from bucketvault.pages.providers.results import ServiceResults
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic, UsageType

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine
    from bucketvault.engine.providers import Providers

AGES_S = 20.0  # how often "3 min ago" is looked at
FIRST_LOOK_S = 0.1  # after the browser is there, the provider is asked
BUCKETS_OFFERED = 50  # to test writing in


def register(engine: "Engine") -> None:
    """Serve the page of each provider from `engine`."""

    @page_at("/providers/{provider_id:number}", "Provider")
    async def provider_page(provider_id: int) -> None:
        """Draw what is known, then ask for the buckets; show what changes while it is open."""
        fetch = partial(engine.providers.page, provider_id)
        found = await fetch_page(engine, fetch, "Providers", "provider")
        if found is None:
            return
        answer, page = found
        with frame("Providers", engine.zone, answer) as around:
            screen = ProviderScreen(page, engine.providers)
            screen.show(page)

        def show_gone() -> None:  # deleted in another tab
            ui.navigate.to("/providers")

        look_again = show_on(
            engine.live, Topic.CATALOGUE, fetch, screen.show, gone=show_gone, pause_s=0.5
        )
        around.follow(engine)
        ui.timer(AGES_S, look_again, immediate=False)
        if page.listing is None and page.row.keys_readable:
            ui.timer(FIRST_LOOK_S, screen.buckets.load, once=True)


class ProviderScreen:
    """The page of one provider. What is being asked shows in its own part only."""

    def __init__(self, page: ProviderPage, providers: "Providers") -> None:
        self._page, self._providers = page, providers
        self._testing = False
        self._head = Part()
        self._answer = Part()
        self._result = ServiceResults()
        self._dialogs = element("div", "part")
        self.buckets = BucketsCard(page, providers)

    def show(self, page: ProviderPage) -> None:
        """Show it as it is now."""
        self._page = page
        now = dt.datetime.now(dt.UTC)
        self.buckets.show(page)
        row, answer, running = page.row, words.answer(page, now), self._is_running()
        if self._head.is_new(row.name, kind_of_row(row)):
            with self._head:
                self._draw_head()
        told = words.progress(page.test) if running else answer
        if self._answer.is_new(told, row.keys_readable, bool(page.storages), row.backups):
            with self._answer:
                self._draw_answer(answer, running=running)
        self._result.show(page, now)

    def _is_running(self) -> bool:
        test = self._page.test
        return self._testing or (test is not None and test.end is None)

    def _draw_head(self) -> None:
        row = self._page.row
        name = clean(row.name, limit=NAME_CHARACTERS)
        ui.page_title(f"{name} · bucketvault")
        with heading(name, (("Providers", "/providers"), (kind_of_row(row).title, ""))):
            button("Edit", "edit", "grow", mark="edit", href=f"/providers/{row.id:d}/edit")
            button("Delete", "trash", "danger grow", mark="delete", on_click=self._ask_to_delete)

    def _draw_answer(self, answer: words.Answer, *, running: bool) -> None:
        row = self._page.row
        if running:
            sentence = f"Testing {clean(row.name, limit=80)} …"
            shown = draw_verdict(Tone.RUN, sentence, words.progress(self._page.test))
            with shown as (actions, _), actions:
                button("Stop", "square", "danger grow", mark="stop-test", on_click=self._stop)
            return
        shown = draw_verdict(answer.tone, clean(answer.sentence), clean(answer.detail))
        with shown as (actions, _), actions:
            if not row.keys_readable:
                href = f"/providers/{row.id:d}/edit"
                button("Enter the key again", kind="primary", href=href)
                return
            if not row.backups:
                button("New backup", "plus", mark="new-backup", href="/backups/new")
                another = f"/providers/new?kind={kind_of_row(row).key}"
                button("Add another provider", mark="another", href=another)
            button(
                "Test connection", "refresh", "primary", mark="test", on_click=self._test_reading
            )
            if self._page.storages:
                button("Test writing …", mark="test-writing", on_click=self._ask_to_write)

    # testing

    async def _test_reading(self) -> None:
        """Try the first bucket there is: reading changes nothing."""
        names = [storage.bucket_name for storage in self._page.storages]
        if not names and self._page.listing is not None:
            names = [bucket.name for bucket in self._page.listing.buckets]
        await self._test(names[0] if names else "", False)

    async def _test(self, bucket: str, write: bool) -> None:
        self._testing = True
        self.show(self._page)
        try:
            row = self._page.row
            test = await ask(self._providers, self._providers.test, row.id, bucket, write)
            self._page = replace(self._page, test=test)
        except BucketvaultError as error:
            complain(error)
        finally:
            self._testing = False
            if not self._answer.is_deleted:
                self.show(self._page)

    async def _stop(self) -> None:
        await in_thread(self._providers.stop_test, self._page.row.id)

    def _ask_to_write(self) -> None:
        storages = self._page.storages[:BUCKETS_OFFERED]
        # a bucket that is only copied from is the last that anything should be written to
        by_use = sorted(storages, key=lambda each: each.usage_type is UsageType.SOURCE_ONLY)
        buckets = {str(each.id): each.bucket_name for each in by_use}

        async def test() -> None:
            await self._test(buckets[choices.chosen], True)

        actions = confirm(
            self._dialogs,
            "Test writing?",
            "About 40 small objects with unusual names are written to .bucketvault-archive/ in "
            "this bucket, then deleted. Nothing else is changed. This takes up to a minute. If "
            "one cannot be deleted, its full name is shown.",
            words="Write and delete",
            act=test,
            kind="primary",
        )
        with above(actions):
            options = [
                Choice(key, clean(name, limit=NAME_CHARACTERS)) for key, name in buckets.items()
            ]
            choices = Choices("Bucket", options, next(iter(buckets)))

    # deleting

    def _ask_to_delete(self) -> None:
        row, storages = self._page.row, self._page.storages
        name = clean(row.name, limit=NAME_CHARACTERS)
        if storages:
            names = [clean(each.shown_name, limit=80) for each in storages]
            why = f"It has storages: {first_few(names)}. Remove these first under Storages."
            refuse(self._dialogs, f"{name} cannot be deleted yet", why, "Storages", "/storages")
            return

        async def delete() -> None:
            try:
                await ask(self._providers, self._providers.delete, row.id)
            except BucketvaultError as error:
                complain(error)
            else:
                ui.navigate.to("/providers")

        confirm(
            self._dialogs,
            f"Delete {name}?",
            "Its stored key is deleted and cannot be recovered. The service, its buckets and "
            "their contents stay as they are.",
            words="Delete provider",
            act=delete,
            icon="trash",
        )
