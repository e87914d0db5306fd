"""When a backup runs, in its form: how often, at what time on whose clocks, and what that means."""

import datetime as dt
from collections.abc import Callable

from nicegui import ui

from bucketvault.engine.domain import rules
from bucketvault.engine.domain.fields import BackupInput
from bucketvault.pages.backup import form_words as words
from bucketvault.pages.parts.fields import Field, Pick, Switch
from bucketvault.pages.parts.widgets import element, text
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Schedule, Weekday

BROWSER_ZONE = "return Intl.DateTimeFormat().resolvedOptions().timeZone"


class TimesFields:
    """The fields, the switch in the card's header, and the next three runs."""

    def __init__(self, given: BackupInput, header: ui.element, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._zone_chosen = self._adopting = False
        self._shown: object = None
        with header:
            element("span", "space")
            self._enabled_words = text("span", "t13 ink2")
            self.enabled = Switch("Runs by itself", bool(given.enabled), self._on_change)
            self.enabled.input.mark("enabled")
        with element("div", "times"):
            self.schedule = Pick(
                "schedule",
                "How often",
                words.SCHEDULES,
                given.schedule,
                on_change=self._on_change,
            )
            with element("div") as self._weekday_place:
                self.weekday = Pick(
                    "weekday",
                    "On",
                    words.DAYS,
                    given.weekday or Weekday.SUNDAY.value,
                    on_change=self._on_change,
                )
            self.at = Field(
                "at",
                "At",
                value=str(given.at),
                placeholder="03:15",
                numeric=True,
                on_change=self._on_change,
            )
            self.zone = Pick(
                "time_zone",
                "Time zone",
                {name: name for name in sorted(rules.time_zone_names())},
                given.time_zone,
                searched=True,
                on_change=self._choose_zone,
            )
        with element("div", "stack spaced-small"):
            self._runs_label = text("span", "t12 ink3")
            self._runs = element("div", "line wrap", aria_live="polite")

    @property
    def fields(self) -> tuple[Field | Pick, ...]:
        """All of them, as they stand."""
        return self.schedule, self.weekday, self.at, self.zone

    @property
    def clock(self) -> str:
        """The time of day, as it is stored."""
        return words.clock_typed(self.at.value)

    @property
    def chosen_weekday(self) -> str | None:
        """The day of a weekly backup; a daily one has none."""
        return self.weekday.value if self.schedule.value == Schedule.WEEKLY else None

    def adopt_zone(self, name: object) -> None:
        """Take the browser's time zone, unless one was chosen or none is known by that name."""
        if self._zone_chosen or not isinstance(name, str) or name not in rules.time_zone_names():
            return
        self._adopting = True  # nobody has typed anything
        self.zone.input.value = name
        self._adopting = False

    def _choose_zone(self, _: object) -> None:
        if not self._adopting:
            self._zone_chosen = True
            self._changed()

    def _on_change(self, _: object) -> None:
        self._changed()

    def tell(self, given: BackupInput) -> None:
        """Say when it would run next."""
        on = "It runs by itself." if given.enabled else "Off: it runs only when you press Run now."
        self._enabled_words.text = on
        self._weekday_place.set_visibility(given.weekday is not None)
        runs = words.next_runs(given, dt.datetime.now(dt.UTC))
        if (runs, given.enabled) == self._shown:
            return
        self._shown = (runs, given.enabled)
        label = "The next three runs" if given.enabled else "When it would run, were it switched on"
        zone = clean(str(given.time_zone))
        self._runs_label.text = f"{label}, on the clocks of {zone}" if runs else ""
        self._runs.clear()
        with self._runs:
            for each in runs:
                element("span", "tag", each.words, title=each.exact)
            if not runs:
                element("span", "t13 ink3", "Enter a time as HH:MM to see the next runs.")
