"""The form of a backup, new or to change: what goes where, when, and what that means."""

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nicegui import background_tasks, ui

from bucketvault.engine.domain import rules
from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.probe.contents import PathSize
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.catalogue import ProviderRow, StorageRow
from bucketvault.engine.views.money import Priced
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, Problem
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.backup.form_both_ends import BothEnds
from bucketvault.pages.backup.form_cost import CostCard, estimate
from bucketvault.pages.parts.actions import in_thread
from bucketvault.pages.parts.fields import Choice, Choices, Field, Pick, Switch
from bucketvault.pages.parts.form import NOT_SAVED, Difference, Form
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
from bucketvault.vocabulary import Schedule, StorageClass, Topic, Weekday

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

BROWSER_ZONE = "return Intl.DateTimeFormat().resolvedOptions().timeZone"
FIRST_LOOK_S = 0.1  # after the browser is there, it is asked for its time zone
ZONE_S = 3.0
NAME_EXAMPLE = "For example: Design files"
RUNS_SHOWN_S = 30.0  # how often "in 6 h" is looked at


class FormStart(NamedTuple):
    """All that a form begins with."""

    storages: Sequence[StorageRow]
    providers: Sequence[ProviderRow]
    taken: Sequence[str]  # names of the backups there are
    stored: BackupFields | None  # None: a new backup
    measured: PathSize | None  # the source, as its last run saw it
    services: Mapping[int, Priced]  # of each provider


def register(engine: "Engine") -> None:
    """Serve the forms for a new backup and for a change."""

    @page_at("/backups/new", "New backup")
    async def new_page(source: str = "") -> None:
        """Show an empty form, with the browser's time zone; `source` (`1/bucket`) is chosen."""
        form = await _show(engine, None)
        if form is None:  # shutting down
            return

        async def adopt_zone() -> None:
            with suppress(TimeoutError):  # without an answer the server's zone stays
                # safe: a constant; what the browser answers is looked up among the zones we know
                form.adopt_zone(await ui.run_javascript(BROWSER_ZONE, timeout=ZONE_S))

        ui.timer(FIRST_LOOK_S, adopt_zone, once=True)
        if (at := form.ends.bucket_in(source)) is not None:
            ui.timer(FIRST_LOOK_S, partial(form.ends.source.take, at, ""), once=True)

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

    def fetch() -> tuple[list[ProviderRow], list[StorageRow]]:
        return engine.providers.rows(), engine.providers.storages()

    def show(found: tuple[list[ProviderRow], list[StorageRow]]) -> None:
        # not awaited: a provider that does not answer would hold up what others have stored
        background_tasks.create(form.ends.show_catalogue(*found), name="show the buckets")

    show_on(engine.live, Topic.CATALOGUE, fetch, show, pause_s=1.0)
    ui.timer(FIRST_LOOK_S, form.ends.lists.load, once=True)
    return form


def _start(engine: "Engine", backup_id: int | None) -> FormStart:
    stored, measured = None, None
    if backup_id is not None:
        stored = engine.backups.stored(backup_id)
        measured = _last_size(engine.overview_backup(backup_id).row)
    return FormStart(
        engine.providers.storages(),
        engine.providers.rows(),
        [row.name for row in engine.overview_backups()],
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
        self.ends = BothEnds(
            engine.providers,
            start.providers,
            start.storages,
            self._changed,
            self._tell,
            lambda: engine.backups.check(self.given(), backup_id),
        )
        self._runs_at_once = False
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
                with card("Deletions and old versions"), element("div", "two"):
                    for name in ("retention_days", "shrink_limit_percent"):
                        self._field(name, given, numeric=True)
                with card("Verification"), element("div", "stack spaced"):
                    self._field("verify_gb_per_night", given, numeric=True)
                with card("Heartbeat"):
                    self._field("ping_url", given, placeholder=words.PING_EXAMPLE)
                    self.fields["ping_url"].hint(words.PING_HINT)
            with element("div", "aside-words"):
                with card("Summary"), element("div", "stack spaced"):
                    self._way = element("div")
                    self._sentence = text("p")
                    self._consequences = element("div")
                self._cost = CostCard()
                with element("div", "actions"):
                    if backup_id is None:
                        self.button("Save and run now", "primary", "save-and-run", self._press_run)
                    kind = "" if backup_id is None else "primary"
                    self.button("Save", kind, "save", self.press)
                    button("Cancel", kind="ghost", href=cancel)
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
        numeric: bool = False,
    ) -> Field:
        self.fields[name] = made = Field(
            name,
            words.LABELS[name],
            value=str(getattr(given, name)),
            placeholder=placeholder,
            numeric=numeric,
            on_change=self._changed,
        )
        return made

    def _pick(self, name: str, options: Mapping[str, str], value: object) -> None:
        self.fields[name] = Pick(name, words.LABELS[name], options, value, on_change=self._changed)

    def _draw_ends(self, given: BackupFields) -> None:
        self._name = self._field("name", given, placeholder=NAME_EXAMPLE)
        self.ends.draw(given, self._start.measured)
        self.fields |= self.ends.fields
        self._class_place = element("div", "stack spaced-small")
        with self._class_place:
            destination = self.ends.row(self.ends.destination)
            offered = words.classes_offered(destination, given.storage_class)
            self._pick("storage_class", offered, given.storage_class)

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
        values |= {end.bucket.name: self.ends.chosen(end) for end in self.ends}
        values["name"] = values["name"].strip() or self._suggested()
        if values["schedule"] != Schedule.WEEKLY:  # a daily one has none
            values["weekday"] = None
        values["at"] = words.clock_typed(values["at"])
        return BackupFields(**values)

    def _suggested(self) -> str:
        """Return the name of a new backup that gets none."""
        row = self.ends.row(self.ends.source) if self._id is None else None
        return rules.free_name(clean(row.shown_name), self._start.taken) if row is not None else ""

    def adopt_zone(self, name: object) -> None:
        """Take the browser's time zone, unless one was chosen or none is known by that name."""
        if not self._zone_chosen and isinstance(name, str) and name in rules.time_zone_names():
            self._adopting = True  # nobody has typed anything
            self.fields["time_zone"].put(name)
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
        measured = self.ends.source.measured
        reads = words.reading_words(str(given.verify_gb_per_night), str(given.schedule), measured)
        self.fields["verify_gb_per_night"].hint(reads)
        objects = None if measured is None else measured.objects
        self._requests.text = words.requests_note(Schedule(str(given.schedule)), objects)
        self._name.suggest(self._suggested(), NAME_EXAMPLE)
        self._tell_class(given)
        self.ends.tell()
        self._tell_times()
        self._tell_in_words(given)

    def _tell_class(self, given: BackupFields) -> None:
        """Offer the classes that the destination stores; a choice of one is none."""
        chosen = given.storage_class
        row = self.ends.row(self.ends.destination)
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
        measured, (source, destination) = self.ends.source.measured, self.ends
        ends = self.ends.place(source), self.ends.place(destination)
        rows = self.ends.row(source), self.ends.row(destination)
        both = ends_of(*map(self._service_of, rows))
        self._cost.show(estimate(given, both, measured, is_new=self._id is None))
        lines = words.consequences(given, self.seen, rows[1], measured)
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

    # saving

    async def press(self) -> None:
        """Save it."""
        self._runs_at_once = False
        await super().press()

    async def _press_run(self) -> None:
        self._runs_at_once = True
        await super().press()

    async def save(self, *, check: bool = True) -> None:
        """Store it, once buckets that no list has were found, and open its page or its run's."""
        if check:
            await self.ends.find(partial(self.say, Tone.RUN))
        backups, backup_id = self._engine.backups, self._id
        if backup_id is not None:
            await in_thread(backups.change, backup_id, self.given(), self.seen)
        else:
            backup_id = await in_thread(backups.create, self.given())
            if backup_id is None:  # shutting down
                return
        run_id = None
        if self._runs_at_once:
            with suppress(BucketvaultError):  # its page says why, and can run it again
                run_id = await in_thread(self._engine.run_now, backup_id)
        ui.navigate.to(f"/backups/{backup_id:d}" if run_id is None else f"/run/{run_id:d}")

    def fail(self, error: BucketvaultError) -> None:
        """Say why nothing was saved; a bucket that was not found can be saved all the same."""
        end, self.ends.unfound = self.ends.unfound, None
        if end is None:
            super().fail(error)
            return
        end.bucket.show([str(error)])
        save_anyway = partial(self.attempt, partial(self.save, check=False))

        def buttons() -> None:
            self.button("Save anyway", "", "save-anyway", save_anyway)

        self.say(Tone.BAD, error.summary, NOT_SAVED, buttons=buttons)
        self.go_to(end.bucket)

    def refuse(self, problems: Sequence[Problem]) -> None:
        """Show each problem at its field."""
        super().refuse(self.ends.whose(problems))

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
        return words.differences(names, stored, self.given(), self.ends.names())
