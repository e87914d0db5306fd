"""The card of a backup about reading its bytes again: how much was read, and Verify now."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from bucketvault.engine.domain.reading_words import NOTHING_PROVEN, RUN_FIRST, coverage_words
from bucketvault.engine.views.backups import BackupPage
from bucketvault.humanize import many, size
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    Part,
    button,
    card,
    confirm,
    element,
    refuse,
)
from bucketvault.sanitize import clean


class VerifyCard:
    """Shows what was read; asks with its cost before it reads."""

    def __init__(self, verify: Callable[[], Awaitable[None]]) -> None:
        self._verify = verify
        self._part = Part()

    def show(self, page: BackupPage) -> None:
        """Show the backup as it is."""
        is_busy = page.row.active_run is not None
        if not self._part.is_new(page.coverage, page.verify_gb_per_night, is_busy, page.row.name):
            return

        def ask() -> None:
            _ask(questions, page, self._verify)

        with self._part, card("Verification"), element("div", "stack spaced"):
            if page.coverage is None:
                element("p", "ink2", "Nothing yet: no run has proven a copy.")
            else:
                share, rest = coverage_words(page.coverage)
                with element("p"):
                    element("span", "strong", share)
                    element("span", "ink2", f" {rest}.")
            nightly = "Only when you press Verify now."
            if page.verify_gb_per_night:
                nightly = f"After each successful scheduled run: {page.verify_gb_per_night} GB."
            explained = (
                "A run compares listings. Verification reads the bytes on both sides, and finds "
                f"objects that were damaged in a bucket later. {nightly}"
            )
            element("p", "t13 ink3", explained)
            with element("div", "actions"):
                made = button("Verify now", "check", "small", mark="verify", on_click=ask)
                if is_busy:
                    made.props["disabled"] = True
                questions = element("div")


def _ask(place: ui.element, page: BackupPage, verify: Callable[[], Awaitable[None]]) -> None:
    name = clean(page.row.name, limit=NAME_CHARACTERS)
    if page.coverage is None:
        refuse(place, f"{name} cannot be verified yet", f"{NOTHING_PROVEN} {RUN_FIRST}")
        return
    lines = cost_words(page)
    title = f"Read and compare all of {name}?"
    confirm(place, title, *lines, words="Verify now", act=verify, icon="check", kind="primary")


def cost_words(page: BackupPage) -> tuple[str, ...]:
    """Say what reading all of it means, before it begins."""
    coverage = page.coverage
    if coverage is None:
        return ()
    ends = page.row.source, page.row.destination
    source, destination = (clean(end.provider, limit=NAME_CHARACTERS) for end in ends)
    volume = size(coverage.bytes, precise=True)
    leaves = f"{volume} leave {source} and {volume} leave {destination}"
    if source == destination:
        leaves = f"Twice {volume} leave {source}"
    cost = (
        f"{many(coverage.objects, 'object')} are read on both sides. {leaves}, as downloads to "
        f"this server. Check what the providers charge for that."
    )
    meanwhile = (
        "It changes nothing. It ends when the next scheduled run of this backup is due or when "
        "you stop it. The next Verify now continues from there."
    )
    return cost, meanwhile
