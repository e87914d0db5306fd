"""The form of a backup, new or to change: what goes where, when, and what that means.

Only what is wrong is drawn again, beside its field: nothing that was typed is sent back.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.engine.domain.fields import BackupInput
from bucketvault.engine.rclone.buckets import PathSize
from bucketvault.engine.views.backups import End
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, ChangedMeanwhileError, InvalidInputError, Problem
from bucketvault.humanize import many
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.backup.form_ends import (
    DESTINATION,
    SOURCE,
    EndAsked,
    EndFields,
    Look,
    Measure,
    Side,
)
from bucketvault.pages.backup.times import TimesFields
from bucketvault.pages.parts.fields import Choice, Choices, Field, Pick
from bucketvault.pages.parts.frame import heading
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    button,
    card,
    element,
    key_values,
    text,
    way,
)
from bucketvault.pages.parts.widgets import verdict as draw_verdict
from bucketvault.pages.providers.bucket_import import (
    ImportBucket,
    ImportDialog,
    ListBuckets,
    Source,
)
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Schedule, UsageType

NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
RUNS_SHOWN_S = 30.0  # how often "in 6 h" is looked at

ASK_BEFORE_LEAVING = "window.onbeforeunload = event => event.preventDefault()"
LEAVE_FREELY = "window.onbeforeunload = null"


@dataclass(frozen=True)
class Asks:
    """What the form asks of the world. All of them raise BucketvaultError."""

    problems: Callable[[BackupInput], Awaitable[Sequence[Problem]]]
    save: Callable[[BackupInput, BackupInput | None], Awaitable[None]]
    stored: Callable[[], Awaitable[BackupInput]]
    look: Look
    measure: Measure
    list_buckets: ListBuckets
    import_bucket: ImportBucket
    storages: Callable[[], Awaitable[Mapping[int, StorageRow]]]


@dataclass(frozen=True)
class Start:
    """What a form begins with."""

    given: BackupInput
    storages: Mapping[int, StorageRow]
    providers: Mapping[int, str]
    zone: ZoneInfo  # of the server, for dates
    loaded: BackupInput | None = None  # what is stored; None: a new backup
    measured: PathSize | None = None  # the source, as its last run saw it
    cancel: str = "/"


def draw(start: Start, asks: Asks) -> "BackupForm":
    """Draw the form from plain values."""
    crumbs = [("Backups", "/")]
    title = "New backup"
    if start.loaded is not None:
        name = clean(str(start.loaded.name), limit=NAME_CHARACTERS)
        crumbs.append((name, start.cancel))
        title = f"Edit {name}"
    with heading(title, tuple(crumbs)):
        pass
    return BackupForm(start, asks)


class BackupForm:
    """The fields, what is wrong with them, and the words beside them."""

    def __init__(self, start: Start, asks: Asks) -> None:
        self._start, self._asks = start, asks
        self._loaded = start.loaded
        self._storages = dict(start.storages)
        self._client = ui.context.client
        self._ready = self._dirty = False
        self._shown_way: object = None
        given = start.given
        self._top = element("div", "part")
        with element("div", "split form"):
            with element("div", "part"):
                with card("What goes where"), element("div", "fields"):
                    self._draw_ends(given)
                with card("When") as header, element("div", "fields"):
                    self._times = TimesFields(given, header, self._changed)
                with card("How it finds what changed"), element("div", "stack spaced"):
                    self._draw_comparing(given)
                with card("If something is deleted"), element("div", "two"):
                    self._draw_limits(given)
            with element("div", "aside-words"):
                with card("In words"), element("div", "stack spaced"):
                    self._way = element("div")
                    self._sentence = text("p")
                    self._consequences = element("div")
                with element("div", "actions"):
                    self._save = button("Save", kind="primary", mark="save", on_click=self._press)
                    button("Cancel", kind="ghost", href=start.cancel)
        self._dialogs = element("div")
        self._ready = True
        self._tell()
        ui.timer(RUNS_SHOWN_S, self._tell_times, immediate=False)

    # drawing

    def _draw_ends(self, given: BackupInput) -> None:
        self._name = Field(
            "name",
            "Name",
            value=str(given.name),
            placeholder="For example: Design files",
            hint="What these pages and mails call it.",
            on_change=self._changed,
        )
        with element("div", "two"):
            ends = [
                EndFields(
                    side,
                    self._storages,
                    storage_id if isinstance(storage_id, int) else None,
                    str(path),
                    EndAsked(
                        self._asks.look,
                        self._asks.measure,
                        self._changed,
                        self._check_ends,
                        partial(self._bring_in, side),
                    ),
                    measured,
                )
                for side, storage_id, path, measured in (
                    (SOURCE, given.source_storage_id, given.source_path, self._start.measured),
                    (DESTINATION, given.destination_storage_id, given.destination_path, None),
                )
            ]
        self._source, self._destination = ends
        self._swap = element("div", "note-line swap")
        self._swap.set_visibility(False)
        with self._swap:
            element(
                "span",
                text="Nothing is at the source, and something is at the destination. "
                "Are they the wrong way round?",
            )
            button("Swap them", "swap", "small", mark="swap", on_click=self._swap_ends)

    def _draw_comparing(self, given: BackupInput) -> None:
        choices = [Choice(mode.value, title, note) for mode, title, note in words.COMPARING]
        self._mode = Choices(
            "How it finds what changed",
            choices,
            str(given.comparison_mode),
            self._changed,
            kind="one",
        )
        self._requests = text("p", "t12 ink3")

    def _draw_limits(self, given: BackupInput) -> None:
        self._retention = Field(
            "retention_days",
            "Keep former versions for (days)",
            value=str(given.retention_days),
            numeric=True,
            on_change=self._changed,
        )
        self._limit = Field(
            "shrink_limit_percent",
            "Ask me first above (%)",
            value=str(given.shrink_limit_percent),
            numeric=True,
            on_change=self._changed,
        )

    # what is entered

    def given(self) -> BackupInput:
        """What is entered."""
        times = self._times
        return BackupInput(
            name=self._name.value,
            source_storage_id=self._source.storage_id,
            source_path=self._source.path.value,
            destination_storage_id=self._destination.storage_id,
            destination_path=self._destination.path.value,
            schedule=times.schedule.value,
            at=times.clock,
            weekday=times.chosen_weekday,
            time_zone=times.zone.value,
            enabled=times.enabled.on,
            retention_days=self._retention.value,
            comparison_mode=self._mode.chosen,
            shrink_limit_percent=self._limit.value,
        )

    def _fields(self) -> dict[str, Field | Pick]:
        """The fields by name, in the order in which they stand."""
        fields: tuple[Field | Pick, ...] = (
            self._name,
            self._source.storage,
            self._source.path,
            self._destination.storage,
            self._destination.path,
            *self._times.fields,
            self._retention,
            self._limit,
        )
        return {field.name: field for field in fields}

    def show_storages(self, rows: Sequence[StorageRow]) -> None:
        """Offer the storages as they are now; what is chosen stays."""
        self._storages = {row.id: row for row in rows}
        for end in (self._source, self._destination):
            end.show_storages(self._storages, end.storage_id)
        self._tell()

    def adopt_zone(self, name: object) -> None:
        """Take the browser's time zone, where nobody has chosen one."""
        self._times.adopt_zone(name)
        self._tell()

    def _changed(self, *_: object) -> None:
        """Something was typed: the words follow, and the browser asks before it leaves."""
        if not self._ready:
            return
        if not self._dirty:
            self._dirty = True
            self._ask_before_leaving(True)
        self._tell()

    def _ask_before_leaving(self, asks: bool) -> None:
        """Let the browser ask its own question before what was typed is left, or let it go."""
        # safe: constants; nothing from elsewhere becomes part of a script
        self._client.run_javascript(ASK_BEFORE_LEAVING if asks else LEAVE_FREELY)

    # what it says

    def _tell(self) -> None:
        given, now = self.given(), dt.datetime.now(dt.UTC)
        self._retention.hint(words.retention_words(self._retention.value, self._start.zone, now))
        self._limit.hint(words.limit_words(self._limit.value))
        schedule = Schedule(str(given.schedule))
        measured = self._source.measured
        objects = None if measured is None else measured.objects
        for mode, _, _ in words.COMPARING:
            self._mode.aside(mode.value, words.requests_words(mode, schedule, objects))
        self._requests.text = words.requests_note(objects)
        self._swap.set_visibility(words.looks_swapped(self._source.seen, self._destination.seen))
        self._tell_times()
        self._tell_in_words(given)

    def _tell_times(self) -> None:
        self._times.tell(self.given())

    def _tell_in_words(self, given: BackupInput) -> None:
        self._sentence.text = words.sentence(given)
        ends = (
            _end_of(self._source.row, str(given.source_path)),
            _end_of(self._destination.row, str(given.destination_path)),
        )
        situation = words.Situation(
            given,
            self._source.row,
            self._destination.row,
            self._source.measured,
            self._loaded,
        )
        told = (ends, words.consequences(situation))
        if told == self._shown_way:
            return
        self._shown_way = told
        self._way.clear()
        source, destination = ends
        if source is not None and destination is not None:
            with self._way:
                way(source, destination)
        self._consequences.clear()
        with self._consequences:
            key_values(told[1])

    # ends

    async def _check_ends(self) -> None:
        """Say at once what stands against these two places together."""
        ends = [field for name, field in self._fields().items() if name in words.ENDS]
        problems: Sequence[Problem] = ()
        if self._source.storage_id is not None and self._destination.storage_id is not None:
            try:
                problems = await self._asks.problems(self.given())
            except BucketvaultError:  # deleted meanwhile: saving says so
                return
        for field in ends:
            field.show([each.message for each in problems if each.field == field.name])

    async def _swap_ends(self) -> None:
        source, destination = self._source.place, self._destination.place
        await self._source.take(*destination)
        await self._destination.take(*source)

    async def _bring_in(self, side: Side) -> None:
        end = self._source if side is SOURCE else self._destination

        async def chosen(storage_id: int) -> None:
            self.show_storages(list((await self._asks.storages()).values()))
            await end.take(storage_id, end.path.value)

        use = UsageType.SOURCE_ONLY if side is SOURCE else UsageType.DESTINATION_ONLY
        self._dialogs.clear()
        with self._dialogs:
            dialog = ImportDialog(
                Source(
                    self._start.providers,
                    self._storages,
                    self._asks.list_buckets,
                    self._asks.import_bucket,
                    chosen,
                ),
                use,
            )
        await dialog.open()

    # saving

    async def _press(self) -> None:
        await self._store(self._loaded)

    async def _store(self, loaded: BackupInput | None) -> None:
        given = self.given()
        self._clear()
        self._save.props["disabled"] = True
        saved = False
        try:
            self._ask_before_leaving(False)
            await self._asks.save(given, loaded)
            saved = True
        except InvalidInputError as error:
            self._refuse(error.problems)
        except ChangedMeanwhileError as error:
            await self._tell_changed(error.fields, given)
        except BucketvaultError as error:
            self._say(error.summary, f"{error.hint} Nothing you typed is lost.")
        finally:
            self._save.props["disabled"] = False
            if not saved:  # also after a fault of ours
                self._ask_before_leaving(True)

    def _clear(self) -> None:
        self._top.clear()
        for field in self._fields().values():
            field.show(())

    def _refuse(self, problems: Sequence[Problem]) -> None:
        """Each problem at its field; what has none stands on top. The first one gets the focus."""
        fields = self._fields()
        elsewhere = [each.message for each in problems if each.field not in fields]
        for name, field in fields.items():
            field.show([each.message for each in problems if each.field == name])
        number = len(problems)
        how_many = NUMBERS[number] if number < len(NUMBERS) else str(number)
        things = many(number, "thing").partition(" ")[2]
        marked = "It is marked below." if number == 1 else "They are marked below."
        told = " ".join(elsewhere) or marked
        self._say(
            f"{how_many} {things} to mend before it can be saved.",
            f"{told} Nothing you typed is lost.",
        )
        wrong = {each.field for each in problems}
        first = next((field for name, field in fields.items() if name in wrong), None)
        if first is not None:
            first.focus()

    async def _tell_changed(self, names: tuple[str, ...], given: BackupInput) -> None:
        """Two tabs, one backup: say what is stored now; both ways are open."""
        try:
            stored = await self._asks.stored()
        except BucketvaultError as error:
            self._say(error.summary, f"{error.hint} Nothing you typed is lost.")
            return

        async def overwrite() -> None:
            await self._store(stored)

        def load() -> None:
            self._ask_before_leaving(False)
            ui.navigate.reload()

        self._top.clear()
        detail = "Nothing was saved yet, and nothing you typed is lost."
        sentence = "This backup was changed meanwhile, in another tab or by a command."
        with self._top, draw_verdict(Tone.WARN, sentence, detail) as (actions, lines):
            with lines:
                for each in words.differences(names, stored, given, self._storages):
                    with element("div", "need changed"):
                        element("span", "strong", each.label)
                        element("span", "t13 ink2", f"stored now: {each.stored}")
                        element("span", "t13 ink2", f"here: {each.here}")
            with actions:
                button("Save mine over it", mark="overwrite", on_click=overwrite)
                button("Load what is stored", mark="load-stored", on_click=load)
        self._come_to_top()

    def _say(self, sentence: str, detail: str) -> None:
        self._top.clear()
        with self._top, draw_verdict(Tone.BAD, clean(sentence), clean(detail.strip())):
            pass
        self._come_to_top()

    def _come_to_top(self) -> None:
        """Show what is said there: on a phone Save is far below."""
        self._top.run_method("scrollIntoView", {"block": "center"})


def _end_of(row: StorageRow | None, path: str) -> End | None:
    if row is None:
        return None
    end = End(row.provider_name, row.provider_type, row.bucket_name, row.display_name, "")
    return replace(end, path=path.strip("/"))
