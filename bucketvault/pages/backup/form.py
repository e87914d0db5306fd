"""The form of a backup, new or to change: what goes where, when, and what that means."""

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nicegui import ui

from bucketvault.engine.domain import rules
from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.probe.contents import PathSize
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.money import Priced
from bucketvault.errors import BucketvaultError, Problem
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.backup.form_cost import CostCard, estimate
from bucketvault.pages.backup.form_ends import DESTINATION, SOURCE, EndFields, Side
from bucketvault.pages.backup.form_import import ImportDialog
from bucketvault.pages.parts.actions import in_thread
from bucketvault.pages.parts.fields import Choice, Choices, Field, Pick, Switch
from bucketvault.pages.parts.form import Difference, Form
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.money import ends_of
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    button,
    card,
    element,
    key_values,
    text,
    way,
)
from bucketvault.pages.parts.words import COMPARING
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Schedule, StorageClass, Topic, UsageType, Weekday

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

BROWSER_ZONE = "return Intl.DateTimeFormat().resolvedOptions().timeZone"
FIRST_LOOK_S = 0.1  # after the browser is there, it is asked for its time zone
ZONE_S = 3.0
RUNS_SHOWN_S = 30.0  # how often "in 6 h" is looked at


class FormStart(NamedTuple):
    """All that a form begins with."""

    storages: Mapping[int, StorageRow]
    providers: Mapping[int, str]
    stored: BackupFields | None  # None: a new backup
    measured: PathSize | None  # the source, as its last run saw it
    services: Mapping[int, Priced]  # of each provider


def register(engine: "Engine") -> None:
    """Serve the forms for a new backup and for a change."""

    @page_at("/backups/new", "New backup")
    async def new_page() -> None:
        """Show an empty form, with the browser's time zone."""
        form = await _show(engine, None)
        if form is None:  # shutting down
            return

        async def adopt_zone() -> None:
            with suppress(TimeoutError):  # without an answer the server's zone stays
                # safe: a constant; what the browser answers is looked up among the zones we know
                form.adopt_zone(await ui.run_javascript(BROWSER_ZONE, timeout=ZONE_S))

        ui.timer(FIRST_LOOK_S, adopt_zone, once=True)

    @page_at("/backups/{backup_id:number}/edit", "Edit backup")
    async def edit_page(backup_id: int) -> None:
        """Show a form with all that is stored."""
        await _show(engine, backup_id)


async def _show(engine: "Engine", backup_id: int | None) -> "BackupForm | None":
    found = await fetch_page(engine, lambda: _start(engine, backup_id), "Backups", "backup")
    if found is None:
        return None
    answer, start = found
    with frame("Backups", engine.zone, answer) as around:
        form = BackupForm(engine, backup_id, start)
    around.follow(engine)
    fetch = engine.providers.storages
    show_on(engine.live, Topic.CATALOGUE, fetch, form.show_storages, pause_s=1.0)
    return form


def _start(engine: "Engine", backup_id: int | None) -> FormStart:
    stored, measured = None, None
    if backup_id is not None:
        stored = engine.backups.stored(backup_id)
        measured = _last_size(engine.overview_backup(backup_id).row)
    return FormStart(
        {row.id: row for row in engine.providers.storages()},
        {row.id: row.name for row in engine.providers.rows()},
        stored,
        measured,
        engine.backups.services(),
    )


def _last_size(row: BackupRow) -> PathSize | None:
    last = row.last_run
    if last is None or last.source_objects is None or last.source_bytes is None:
        return None
    return PathSize(last.source_objects, last.source_bytes)


class BackupForm(Form[BackupFields | None]):
    """The fields, and the words beside them."""

    thing = "This backup"

    def __init__(self, engine: "Engine", backup_id: int | None, start: FormStart) -> None:
        self._engine, self._id, self._start = engine, backup_id, start
        self._storages = dict(start.storages)
        self._ready = self._zone_chosen = self._adopting = False
        self._shown_way: object = None
        self._shown_runs: object = None
        given = start.stored or words.new_backup(engine.zone.key)
        cancel, crumbs, title = "/", [("Backups", "/")], "New backup"
        if backup_id is not None:
            name, cancel = clean(str(given.name), limit=NAME_CHARACTERS), f"/backups/{backup_id:d}"
            crumbs.append((name, cancel))
            title = f"Edit {name}"
        with heading(title, tuple(crumbs)):
            pass
        super().__init__(start.stored)
        with element("div", "split form"):
            with element("div", "part"):
                with card("Source and destination"), element("div", "fields"):
                    self._draw_ends(given)
                with card("When") as header, element("div", "fields"):
                    self._draw_times(given, header)
                with card("How to detect changes"), element("div", "stack spaced"):
                    self._draw_comparing(given)
                with card("If something is deleted"), element("div", "two"):
                    for name in ("retention_days", "shrink_limit_percent"):
                        self._field(name, given, numeric=True)
                with card("Reading it again"), element("div", "stack spaced"):
                    self._field("verify_gb_per_night", given, numeric=True)
            with element("div", "aside-words"):
                with card("In words"), element("div", "stack spaced"):
                    self._way = element("div")
                    self._sentence = text("p")
                    self._consequences = element("div")
                self._cost = CostCard()
                with element("div", "actions"):
                    self.button("Save", "primary", "save", self.press)
                    button("Cancel", kind="ghost", href=cancel)
        self._dialogs = element("div")
        self._ready = True
        self._tell()
        ui.timer(RUNS_SHOWN_S, self._tell_times, immediate=False)

    # drawing

    def _field(
        self,
        name: str,
        given: BackupFields,
        *,
        placeholder: str = "",
        hint: str = "",
        numeric: bool = False,
    ) -> None:
        self.fields[name] = Field(
            name,
            words.LABELS[name],
            value=str(getattr(given, name)),
            placeholder=placeholder,
            hint=hint,
            numeric=numeric,
            on_change=self._changed,
        )

    def _pick(self, name: str, options: Mapping[str, str], value: object) -> None:
        self.fields[name] = Pick(name, words.LABELS[name], options, value, on_change=self._changed)

    def _draw_ends(self, given: BackupFields) -> None:
        hint = "Shown on these pages and in emails."
        self._field("name", given, placeholder="For example: Design files", hint=hint)
        with element("div", "two"):
            self._source, self._destination = (
                EndFields(
                    side,
                    self._engine.providers,
                    self._storages,
                    (
                        getattr(given, f"{side.name}_storage_id"),
                        getattr(given, f"{side.name}_path"),
                    ),
                    self._changed,
                    self._check_ends,
                    partial(self._bring_in, side),
                    self._start.measured if side is SOURCE else None,
                )
                for side in (SOURCE, DESTINATION)
            )
        for end in (self._source, self._destination):
            self.fields |= {end.storage.name: end.storage, end.path.name: end.path}
        self._class_place = element("div", "stack spaced-small")
        with self._class_place:
            offered = words.classes_offered(self._destination.row, given.storage_class)
            self._pick("storage_class", offered, given.storage_class)
        self._swap = element("div", "note-line swap")
        self._swap.set_visibility(False)
        with self._swap:
            element(
                "span",
                text="Nothing is at the source, and something is at the destination. "
                "Are they the wrong way round?",
            )
            button("Swap them", "swap", "small", mark="swap", on_click=self._swap_ends)

    def _draw_times(self, given: BackupFields, header: ui.element) -> None:
        with header:
            element("span", "space")
            self._enabled_words = text("span", "t13 ink2")
            self._enabled = Switch("Run on schedule", bool(given.enabled), self._changed)
            self._enabled.input.mark("enabled")
        with element("div", "times"):
            self._pick("schedule", words.SCHEDULES, given.schedule)
            with element("div") as self._weekday_place:
                self._pick("weekday", words.DAYS, given.weekday or Weekday.SUNDAY.value)
            self._field("at", given, placeholder="03:15", numeric=True)
            self.fields["time_zone"] = Pick(
                "time_zone",
                words.LABELS["time_zone"],
                {name: name for name in sorted(rules.time_zone_names())},
                given.time_zone,
                searched=True,
                on_change=self._choose_zone,
            )
        with element("div", "stack spaced-small"):
            self._runs_label = text("span", "t12 ink3")
            self._runs = element("div", "line wrap", aria_live="polite")

    def _draw_comparing(self, given: BackupFields) -> None:
        choices = [Choice(mode.value, each.title, each.note) for mode, each in COMPARING.items()]
        self._mode = Choices(
            "How to detect changes",
            choices,
            str(given.comparison_mode),
            self._changed,
            kind="one",
        )
        self._requests = text("p", "t12 ink3")

    # what is entered

    def given(self) -> BackupFields:
        """Return what is entered."""
        # Any: what is typed may be of any type, and is checked where it is stored
        # Any: each field's value is of its own type
        values: dict[str, Any] = {name: field.value for name, field in self.fields.items()}
        values |= {"enabled": self._enabled.on, "comparison_mode": self._mode.chosen}
        if values["schedule"] != Schedule.WEEKLY:  # a daily one has none
            values["weekday"] = None
        values["at"] = words.clock_typed(values["at"])
        return BackupFields(**values)

    def show_storages(self, rows: Sequence[StorageRow]) -> None:
        """Offer the storages as they are now; what is chosen stays."""
        self._storages = {row.id: row for row in rows}
        for end in (self._source, self._destination):
            end.show_storages(self._storages, end.storage_id)
        self._tell()

    def adopt_zone(self, name: object) -> None:
        """Take the browser's time zone, unless one was chosen or none is known by that name."""
        if not self._zone_chosen and isinstance(name, str) and name in rules.time_zone_names():
            self._adopting = True  # nobody has typed anything
            self.fields["time_zone"].input.value = name
            self._adopting = False
        self._tell()

    def _choose_zone(self, _: object) -> None:
        if not self._adopting:
            self._zone_chosen = True
            self._changed()

    def _changed(self, *_: object) -> None:
        """Let the words follow what was typed."""
        if self._ready:
            self.typed()
            self._tell()

    # what it says

    def _tell(self) -> None:
        given, now = self.given(), dt.datetime.now(dt.UTC)
        kept, limit = str(given.retention_days), str(given.shrink_limit_percent)
        self.fields["retention_days"].hint(words.retention_words(kept, self._engine.zone, now))
        self.fields["shrink_limit_percent"].hint(words.limit_words(limit))
        measured = self._source.measured
        reads = words.reading_words(str(given.verify_gb_per_night), str(given.schedule), measured)
        self.fields["verify_gb_per_night"].hint(reads)
        objects = None if measured is None else measured.objects
        self._requests.text = words.requests_note(Schedule(str(given.schedule)), objects)
        self._tell_class(given)
        self._swap.set_visibility(words.looks_swapped(self._source.seen, self._destination.seen))
        self._tell_times()
        self._tell_in_words(given)

    def _tell_class(self, given: BackupFields) -> None:
        """Offer the classes that the destination stores; a choice of one is none."""
        chosen = given.storage_class
        row = self._destination.row
        if row is not None and chosen not in row.storage_classes:
            chosen = StorageClass.STANDARD
        field, offered = self.fields["storage_class"], words.classes_offered(row, chosen)
        assert isinstance(field, Pick)  # noqa: S101  drawn so
        field.offer(offered, chosen)
        field.hint(words.class_words(chosen))
        self._class_place.set_visibility(len(offered) > 1)

    def _tell_times(self) -> None:
        """Say when it would run next."""
        given = self.given()
        on = (
            "Runs on schedule." if given.enabled else "Paused: it runs only when you press Run now."
        )
        self._enabled_words.text = on
        self._weekday_place.set_visibility(given.weekday is not None)
        runs = words.next_runs(given, dt.datetime.now(dt.UTC))
        if (runs, given.enabled) == self._shown_runs:
            return
        self._shown_runs = (runs, given.enabled)
        label = "The next three runs" if given.enabled else "Scheduled times, if resumed"
        zone = clean(str(given.time_zone))
        self._runs_label.text = f"{label} ({zone})" if runs else ""
        self._runs.clear()
        with self._runs:
            for each in runs:
                element("span", "tag", each.words, title=each.exact)
            if not runs:
                element("span", "t13 ink3", "Enter a time as HH:MM to see the next runs.")

    def _tell_in_words(self, given: BackupFields) -> None:
        self._sentence.text = words.sentence(given)
        source, destination = self._source.row, self._destination.row
        ends = (
            _end_of(source, str(given.source_path)),
            _end_of(destination, str(given.destination_path)),
        )
        both = ends_of(*map(self._service_of, (source, destination)))
        self._cost.show(estimate(given, both, self._source.measured, is_new=self._id is None))
        lines = words.consequences(given, self.seen, destination, self._source.measured)
        if (ends, lines) == self._shown_way:
            return
        self._shown_way = (ends, lines)
        self._way.clear()
        if ends[0] is not None and ends[1] is not None:
            with self._way:
                way(ends[0], ends[1])
        self._consequences.clear()
        with self._consequences:
            key_values(lines)

    def _service_of(self, row: StorageRow | None) -> Priced | None:
        return self._start.services.get(row.provider_id) if row is not None else None

    # ends

    async def _check_ends(self) -> None:
        """Say at once what forbids these two places together."""
        problems: Sequence[Problem] = ()
        if self._source.storage_id is not None and self._destination.storage_id is not None:
            try:
                problems = await in_thread(self._engine.backups.check, self.given(), self._id) or ()
            except BucketvaultError:  # deleted meanwhile: saving says so
                return
        for name in words.ENDS:
            self.fields[name].show([each.message for each in problems if each.field == name])

    async def _swap_ends(self) -> None:
        source, destination = self._source.place, self._destination.place
        await self._source.take(*destination)
        await self._destination.take(*source)

    async def _bring_in(self, side: Side) -> None:
        end = self._source if side is SOURCE else self._destination

        async def chosen(storage_id: int) -> None:
            self.show_storages(await in_thread(self._engine.providers.storages) or [])
            await end.take(storage_id, end.place[1])

        use = UsageType.SOURCE_ONLY if side is SOURCE else UsageType.DESTINATION_ONLY
        self._dialogs.clear()
        with self._dialogs:
            dialog = ImportDialog(
                self._engine.providers, self._start.providers, self._storages, use, chosen
            )
        await dialog.open()

    # saving

    async def save(self) -> None:
        """Store it, and open its page."""
        backups, backup_id = self._engine.backups, self._id
        if backup_id is None:
            backup_id = await in_thread(backups.create, self.given())
            if backup_id is None:  # shutting down
                return
        else:
            await in_thread(backups.change, backup_id, self.given(), self.seen)
        ui.navigate.to(f"/backups/{backup_id:d}")

    async def stored(self) -> BackupFields:
        """Return what is stored now."""
        assert self._id is not None  # noqa: S101  a new backup is nobody else's
        found = await in_thread(self._engine.backups.stored, self._id)
        if found is None:
            raise BucketvaultError("The program is stopping.")
        return found

    def differences(self, names: Sequence[str], stored: BackupFields | None) -> list[Difference]:
        """Return what was changed meanwhile, and what is entered here."""
        assert stored is not None  # noqa: S101  the same
        return words.differences(names, stored, self.given(), self._storages)


def _end_of(row: StorageRow | None, path: str) -> EndSpec | None:
    if row is None:
        return None
    path = path.strip("/")
    return EndSpec(row.provider_name, row.provider_type, row.bucket_name, row.display_name, path)
