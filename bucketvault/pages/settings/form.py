"""A section of the settings as a form of its own, saved alone by the bar below all of them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from nicegui import ui

from bucketvault.engine.settings import PASSWORD, Settings
from bucketvault.engine.views.situation import Tone
from bucketvault.pages.parts.fields import Field, Pick
from bucketvault.pages.parts.form import Form
from bucketvault.pages.parts.save_bar import SaveBar
from bucketvault.pages.parts.widgets import element

UNCHANGED = "unchanged"


class Kept(NamedTuple):
    """Where settings are kept. Both raise BucketvaultError."""

    change: Callable[[Mapping[str, object], Settings], Awaitable[Settings]]  # gives all of them
    load: Callable[[], Awaitable[Settings]]


class SettingsForm(Form[Settings]):
    """The fields of one section."""

    def __init__(self, title: str, seen: Settings, kept: Kept, bar: SaveBar) -> None:
        super().__init__(seen)
        self.title, self._kept, self._bar = title, kept, bar
        self._saving = False
        bar.watch(self)

    def field(
        self,
        name: str,
        label: str,
        hint: str = "",
        *,
        placeholder: str = "",
        numeric: bool = False,
    ) -> Field:
        """Draw a line to type in; a stored secret is never shown, nor sent to the browser."""
        made = Field(
            name,
            label,
            value=self._words(name),
            placeholder=placeholder or self._unchanged(name),
            hint=hint,
            secret=name == PASSWORD,
            numeric=numeric,
            on_change=self._look,
        )
        self.fields[name] = made
        return made

    def pick(self, name: str, label: str, options: Mapping[str, str], hint: str) -> None:
        """Draw one of a few things."""
        value = self._words(name)
        self.fields[name] = Pick(name, label, options, value, hint=hint, on_change=self._look)

    def actions(self) -> ui.element:
        """Draw a place for buttons."""
        return element("div", "actions")

    def _words(self, name: str) -> str:
        value = None if name == PASSWORD else getattr(self.seen, name)
        return "" if value is None else str(value)

    def _unchanged(self, name: str) -> str:
        return UNCHANGED if name == PASSWORD and self.seen.has_smtp_password else ""

    # what is typed

    def given(self) -> dict[str, object]:
        """Return the values of the fields; a secret that was not typed is left as it is."""
        values = {name: field.value for name, field in self.fields.items()}
        if not values.get(PASSWORD):
            values.pop(PASSWORD, None)
        return values

    def is_touched(self) -> bool:
        """True if something here is not stored."""
        return any(field.value != self._words(name) for name, field in self.fields.items())

    def _look(self, _: object = None) -> None:
        self._bar.look()

    def drop(self) -> None:
        """Show what is stored again, and drop what was typed."""
        self.load(self.seen)

    def take(self, stored: Settings) -> None:
        """Show what is stored now; where something is typed, say that it has changed instead."""
        if stored == self.seen or self._saving:
            return
        mine = [name for name in self.fields if name != PASSWORD]
        if not self.is_touched():
            self.load(stored)
        elif any(getattr(stored, name) != getattr(self.seen, name) for name in mine):
            self.tell_changed(stored)
        else:
            self.seen = stored

    def load(self, stored: Settings) -> None:
        """Show what is stored, and drop what was typed."""
        self.clear()
        self.seen = stored
        for name, field in self.fields.items():
            field.put(self._words(name))
            if name == PASSWORD:
                field.input.props["placeholder"] = self._unchanged(name)
        self._look()

    # saving

    async def save(self) -> None:
        """Store this section, and show it as it is stored."""
        self._saving = True
        try:
            self.load(await self._kept.change(self.given(), self.seen))
        finally:
            self._saving = False

    async def stored(self) -> Settings:
        """Return what is stored now."""
        return await self._kept.load()

    def sum_up(self, number: int, elsewhere: str) -> None:
        """Say what is wrong and belongs to no field."""
        if elsewhere:
            self.say(Tone.BAD, elsewhere, "")
