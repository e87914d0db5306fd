"""Kept versions that no backup looks after any more, asked of one storage's provider on demand."""

import datetime as dt
from collections.abc import Awaitable
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.engine.orphans import Found, LeftBehind, removal
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import count, day, many, size
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    button,
    card,
    code,
    draw_error,
    draw_waiting,
    element,
    glyph,
)
from bucketvault.sanitize import clean

NAMES_SHOWN = 10


class OrphansCard:
    """A card below the storages: what was found in one of them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._asked = 0
        self._place = element("div", "part", aria_live="polite")

    async def show(self, shown_name: str, asking: Awaitable[Found]) -> None:
        """Show what comes of `asking`; a later question takes the place of one under way."""
        self._asked += 1
        asked = self._asked
        name = clean(shown_name, limit=NAME_CHARACTERS)
        client = ui.context.client
        with self._open(name):
            draw_waiting("Asking the provider, which takes a few seconds")
        try:
            found = await asking
        except BucketvaultError as error:
            if asked == self._asked and not client.is_deleted:
                with self._open(name):
                    draw_error(error.summary, error.hint, error.detail)
            return
        if asked == self._asked and not client.is_deleted:
            with self._open(name):
                draw_found(found, self._zone, dt.datetime.now(dt.UTC))

    def _open(self, name: str) -> ui.element:
        self._place.clear()
        with self._place, card(f"Kept versions of deleted backups in {name}", body=False) as header:
            body = element("div")
        with header:
            element("span", "space")
            button("Close", "close", "small narrow-icon", mark="close-left", on_click=self._close)
        return body

    def _close(self) -> None:
        self._asked += 1
        self._place.clear()


def draw_found(found: Found, zone: ZoneInfo, now: dt.datetime) -> None:
    """Draw what is there, and how it is removed by hand."""
    deleted = [each for each in found.left if not each.moved]
    with element("div", "inset fields"):
        if not found.left:
            with element("div", "line top"):
                glyph(Tone.OK)
                element("span", text="None: every backup with kept versions here still exists.")
        for each in found.left:
            _draw_one(each, zone, now)
        if found.not_counted:
            element("p", "t13 ink2", f"And {count(found.not_counted)} more, not counted.")
        if found.foreign:
            names = ", ".join(clean(name, limit=80) for name in found.foreign[:NAMES_SHOWN])
            rest = len(found.foreign) - NAMES_SHOWN
            more = f" and {rest} more" if rest > 0 else ""
            element("p", "t13 ink2", f"Folders there that bucketvault did not make: {names}{more}.")
        if deleted:
            warning = (
                "bucketvault does not delete these: another bucketvault that copies to this bucket "
                "may still need them. If none does, these commands delete them permanently. They "
                "need the rclone.conf that RESTORE.txt describes, and a key that can delete."
            )
            element("p", "ink2", warning)
            code("\n".join(removal(found.bucket_name, each.archive_key) for each in deleted))


def _draw_one(each: LeftBehind, zone: ZoneInfo, now: dt.datetime) -> None:
    with element("div", "line top"):
        glyph(Tone.NONE)
        with element("div", "stack"):
            element("span", "mono strong", each.archive_key)
            element("span", "t13 ink2", words(each, zone, now))


def words(each: LeftBehind, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say how much, since when, and why nobody looks after it."""
    if not each.objects or each.oldest is None or each.newest is None:
        told = "Nothing but RESTORE.txt."
    else:
        first, last = day(each.oldest, zone, now), day(each.newest, zone, now)
        when = f"on {first}" if first == last else f"from {first} to {last}"
        told = (
            f"{many(each.objects, 'object')}, {size(each.size_bytes)}, kept by "
            f"{many(each.runs, 'run')} {when}."
        )
    if each.moved:
        name = clean(each.moved, limit=80)
        told += f" The backup {name} copies elsewhere now, so these are not deleted automatically."
    return told
