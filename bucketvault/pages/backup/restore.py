"""Find an object or a folder in a copy and its old versions, pick a day, and get the commands."""

import asyncio
import datetime as dt
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Annotated, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import fastapi
from fastapi.responses import StreamingResponse
from nicegui import app, ui

from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.runs.restore_script import Script, object_command
from bucketvault.engine.runs.restore_text import copy_config
from bucketvault.engine.runs.restoring import Day, Found, History, Match
from bucketvault.engine.views.backups import BackupPage
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import day_and_time, exact, many, size
from bucketvault.pages.backup import restore_words as words
from bucketvault.pages.parts import assets
from bucketvault.pages.parts.fields import Field, Pick
from bucketvault.pages.parts.frame import LARGEST_NUMBER
from bucketvault.pages.parts.table import Column, Table
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    Part,
    button,
    card,
    draw_error,
    element,
    text,
)
from bucketvault.sanitize import clean, clean_to_copy

LOOK_S = 0.5  # how often the number of what is listed moves
VERSIONS_SHOWN = 20
BLOCK = 256 * 1024

# Of their own: a million names are read for seconds, and a provider may not answer.
WORKING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="restore")

log = logging.getLogger(__name__)
Value = TypeVar("Value")


class Sources(NamedTuple):
    """Where the card gets what it shows; both may block."""

    history: Callable[[Callable[[int], None], threading.Event], History]
    script: Callable[[History, Day, bytes], tuple[Script, IO[bytes]]]


class _Download(NamedTuple):
    file: IO[bytes]
    name: str


_downloads: dict[int, _Download] = {}  # by a number that cannot be guessed, while a page has it


def register() -> None:
    """Serve the scripts that open pages have made."""

    @app.get("/api/scripts/{number}", include_in_schema=False)
    def script(
        number: Annotated[int, fastapi.Path(ge=1, le=LARGEST_NUMBER)],
    ) -> StreamingResponse:
        """Answer with a script, while its page is open."""
        found = _downloads.get(number)
        if found is None:
            raise fastapi.HTTPException(
                404, "This script no longer exists: its page was closed. Make it again."
            )
        headers = {
            "Content-Disposition": f'attachment; filename="{found.name}"',
            "X-Content-Type-Options": "nosniff",
        }
        blocks = _blocks(os.dup(found.file.fileno()))
        return StreamingResponse(blocks, media_type="text/x-shellscript", headers=headers)


def _blocks(descriptor: int) -> Iterator[bytes]:
    try:
        at = 0
        while block := os.pread(descriptor, BLOCK, at):
            at += len(block)
            yield block
    finally:
        os.close(descriptor)


class Copyable(ui.element, component=assets.folder() / "copyable.js"):
    """Text to copy, with a button that copies it; `label` names it."""

    def __init__(self, words: str, label: str) -> None:
        super().__init__()
        self._props["text"], self._props["label"] = words, label


class RestoreCard:
    """The card; nothing is asked of the provider before a person looks for something."""

    def __init__(self, page: BackupPage, zone: ZoneInfo, sources: Sources) -> None:
        self._page, self._zone, self._sources = page, zone, sources
        self._client = ui.context.client
        self._history: History | None = None
        self._stopped = threading.Event()
        self._busy = False
        self._listed = 0
        self._match: Match | None = None  # None: the whole backup
        self._numbers: list[int] = []  # of its downloads
        with card("Restore"), element("div", "stack spaced"):
            element("p", "ink2", words.INTRODUCTION)
            with element("form", "find-form") as form:
                self._field = Field("find", "Part of a name", placeholder="invoice, or 2026/")
                submit = button("Find", "search", mark="find-objects")
                submit.props["type"] = "submit"
                whole = button("Whole backup", mark="whole-backup")
            form.mark("find-form").on("submit.prevent", self._find)
            whole.on("click", self._whole)
            self._found = element("div", "part", aria_live="polite")
            self._chosen = element("div", "part")
            self._commands = element("div", "part", aria_live="polite")
            self._text = Part()
        self._client.on_delete(self._leave)

    def show(self, page: BackupPage) -> None:
        """Show the backup's RESTORE.txt as it is by now."""
        self._page = page
        if self._text.is_new(page.restore_text):
            with self._text:
                _draw_restore_text(page)

    def outdated(self) -> None:
        """Forget what was found: a run has ended since."""
        if self._history is None or self._busy:
            return  # a busy one finds out by itself
        self._give_up(lambda: element("p", "ink2", words.RUN_ENDED))

    # what is asked for

    async def _find(self) -> None:
        sought = self._field.value.strip(" ")
        found = await self._work(lambda history: history.search(sought), "Searching")
        if found is not None:
            self._clear(self._chosen, self._commands)
            self._draw(self._found, lambda: self._draw_found(found, sought))

    async def _whole(self) -> None:
        days = await self._work(lambda history: history.days, "Reading")
        if days is not None:
            self._clear(self._found)
            self._choose(None)

    async def _script(self, day: Day) -> None:
        under = self._match.key if self._match is not None else b""
        make = self._sources.script
        made = await self._work(lambda history: make(history, day, under), "Writing the script")
        if made is None:
            return
        script, file = made
        if self._client.is_deleted:
            file.close()
            return
        number = 1 + secrets.randbelow(LARGEST_NUMBER)
        name = f"restore-{self._page.archive_key}-{day.at.astimezone(self._zone):%Y-%m-%d-%H%M}.sh"
        _downloads[number] = _Download(file, name)
        self._numbers.append(number)
        self._draw(self._commands, lambda: self._draw_script(script, number, name))

    async def _work(self, act: Callable[[History], Value], doing: str) -> Value | None:
        """Return what `act` gives of the history, which is made where there is none yet.

        None: it failed, or was stopped, and why is shown; or other work is under way.
        """
        if self._busy:
            return None
        self._busy, self._listed = True, 0
        self._stopped.clear()
        place = self._commands if doing.startswith("Writing") else self._found

        def listed(objects: int) -> None:
            self._listed = objects

        def work() -> Value:
            if self._history is None:
                self._history = self._sources.history(listed, self._stopped)
            return act(self._history)

        self._draw(place, lambda: self._draw_work(doing))
        try:
            done = await asyncio.get_running_loop().run_in_executor(WORKING, work)
        except CancelledError:
            self._draw(place, lambda: element("p", "ink2", "Stopped."))
        except BucketvaultError as error:
            told = error
            self._give_up(lambda: draw_error(told.summary, told.hint, told.detail))
        except Exception:  # the edge of a page
            log.exception("nothing could be found", extra={"backup": self._page.row.id})
            why = "See bucketvault's own log for the reason."
            self._give_up(lambda: draw_error("This failed unexpectedly.", why, ""))
        else:
            self._clear(place)
            return done
        finally:
            self._busy = False
            if self._client.is_deleted:
                self._leave()
        return None

    def _give_up(self, draw: Callable[[], object]) -> None:
        """Say why in place of all that was found: what is chosen next begins anew."""
        self._forget()
        self._clear(self._chosen, self._commands)
        self._draw(self._found, draw)

    def _forget(self) -> None:
        if self._history is not None:
            WORKING.submit(self._history.close)
            self._history = None

    def _leave(self) -> None:
        """Let go of all, once the page is closed and nothing works for it."""
        self._stopped.set()
        if self._busy:
            return
        self._forget()
        for number in self._numbers:
            _downloads.pop(number).file.close()
        self._numbers.clear()

    # what is drawn

    def _draw_work(self, doing: str) -> None:
        with element("div", "line", role="status"):
            element("span", "spinner", aria_hidden="true")
            said = text("span", "ink2", f"{doing}…")
            button("Stop", kind="small", mark="stop-finding", on_click=self._stopped.set)

        def look() -> None:
            if self._listed:
                said.text = f"{doing}: {many(self._listed, 'old version')} listed"

        ui.timer(LOOK_S, look)

    def _draw_found(self, found: Found, sought: str) -> None:
        if not found.matches:
            element("p", "ink2", words.nothing_found(clean(sought, limit=NAME_CHARACTERS)))
            return
        now = dt.datetime.now(dt.UTC)
        rows = [
            words.match_row(number, match, self._deleted_at(match), self._zone, now)
            for number, match in enumerate(found.matches)
        ]
        table = Table(COLUMNS, rows, ROW, "plain found").mark("found")
        table.on("choose", lambda event: self._choose(found.matches[int(event.args)]))
        if more := words.more_found(found):
            element("p", "t13 ink3", more)

    def _deleted_at(self, match: Match) -> dt.datetime | None:
        """Return when the run was that found an object deleted at the source; None: it is there."""
        versions = match.versions
        if self._history is None or match.size is not None or not versions:
            return None
        return self._history.passes[versions[-1].number].at

    def _choose(self, match: Match | None) -> None:
        self._match = match
        self._clear(self._commands)
        self._draw(self._chosen, self._draw_chosen)
        self._chosen.run_method("scrollIntoView", {"block": "nearest"})

    def _draw_chosen(self) -> None:
        history, match = self._history, self._match
        if history is None:
            return
        now = dt.datetime.now(dt.UTC)
        with element("div", "stack spaced chosen"):
            element("h3", "", words.title_of(match))
            if match is not None and not match.is_folder:
                self._draw_versions(history, match, now)
            if not history.days:
                element("p", "ink2", words.reach_words(history, self._zone, now))
                return
            there = [place for place, day in enumerate(history.days) if match and match.on(day)]
            first = there[0] if there and match and not match.is_folder else 0
            days = {
                place: day_and_time(day.at, self._zone, now)
                for place, day in enumerate(history.days)
            }
            with element("div", "day"):
                Pick(
                    *("day", "As it was after the run of", days, first),
                    hint=words.reach_words(history, self._zone, now),
                    searched=len(days) > 10,
                    on_change=lambda place: self._pick(history, place),
                )
        self._pick(history, first)

    def _draw_versions(self, history: History, match: Match, now: dt.datetime) -> None:
        with element("ul", "versions"):
            for line in words.version_lines(history, match, self._zone, now)[: VERSIONS_SHOWN + 1]:
                element("li", text=line)

    def _pick(self, history: History, place: int | None) -> None:
        """Show how to restore the chosen as of this day; None: what was typed is no day."""
        if place is None or history is not self._history:
            return
        day = history.days[place]
        self._draw(self._commands, lambda: self._draw_commands(history, day))

    def _draw_commands(self, history: History, day: Day) -> None:
        match = self._match
        when = exact(day.at, self._zone)
        if match is None or match.is_folder:
            with element("div", "line"):
                button(
                    "Make the script",
                    kind="primary",
                    mark="make-script",
                    on_click=lambda: self._script(day),
                )
                element("span", "t13 ink3", f"As of {when}. For sh on Linux, macOS or WSL.")
            return
        placed = match.on(day)
        if placed is None:
            element("p", "ink2", words.not_there(when))
            return
        self._draw_config(history)
        element("p", "strong", f"2. Restore it: {size(placed.size, precise=True)}, as of {when}")
        Copyable(clean_to_copy(object_command(history, placed)), "Command")

    def _draw_config(self, history: History) -> None:
        element("p", "strong", "1. Once: save this as rclone.conf and put your key in")
        Copyable(clean_to_copy(copy_config(history.spec.destination)), "rclone.conf")
        element("p", "t13 ink3", words.KEY_NOTE)

    def _draw_script(self, script: Script, number: int, name: str) -> None:
        history = self._history
        if history is None:
            return
        self._draw_config(history)
        element("p", "strong", "2. Download the script into the same folder")
        with element("div", "line"):
            link = button(
                "Download", "down", "primary", href=f"/api/scripts/{number:d}", mark="get-script"
            )
            link.props["download"] = name
            whole = f"{many(script.objects, 'object')}, {size(script.size, precise=True)}"
            element("span", "t13 ink3", f"{name}: {whole}")
        for note in words.script_notes(script, history):
            element("p", "t13 ink2", note)
        element("p", "strong", "3. Pause this backup, and run the script")
        Copyable(f"sh {name} restored", "Command")
        element("p", "t13 ink3", words.SCRIPT_NOTE)

    def _draw(self, place: ui.element, draw: Callable[[], object]) -> None:
        if self._client.is_deleted:
            return
        place.clear()
        with place, element("div", "stack spaced"):
            draw()

    def _clear(self, *places: ui.element) -> None:
        if not self._client.is_deleted:
            for place in places:
                place.clear()


COLUMNS = (Column("Name"), Column("", right=True, classes="c-action"))
ROW = """
<tr>
  <td><div class="mono">{{ props.row.name }}</div>
    <div class="t12 ink3">{{ props.row.note }}</div></td>
  <td class="c-action"><button type="button" class="btn small"
    :aria-label="'Choose ' + props.row.name"
    @click="$parent.$emit('choose', props.row.id)">Choose</button></td>
</tr>"""


def _draw_restore_text(page: BackupPage) -> None:
    with element("details", "fold"):
        element("summary", text="RESTORE.txt: how to restore without bucketvault")
        with element("p", "t13 ink2"):
            element("span", text=f"{words.TEXT_NOTE} ")
            element("span", "mono", f"{clean(page.shown_prefix)}RESTORE.txt")
        restore = clean_to_copy(page.restore_text)  # its commands are copied from here, too
        label = "RESTORE.txt"
        element("pre", "code tall", restore, tabindex="0", role="region", aria_label=label)
        with element("div", "actions"):
            address = f"/api/backups/{page.row.id:d}/RESTORE.txt"
            link = button("RESTORE.txt", "down", "small", href=address, mark="restore")
            link.props["download"] = "RESTORE.txt"
            link.props["title"] = "Download this text as RESTORE.txt"
