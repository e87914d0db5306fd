"""A section of the settings as a form of its own: saved alone, nothing typed is ever lost."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine.settings import PASSWORD, Settings
from bucketvault.engine.views.situation import Tone
from bucketvault.pages.parts.fields import Field, Pick
from bucketvault.pages.parts.form import Form
from bucketvault.pages.parts.widgets import element, text

UNCHANGED = "unchanged"
NOT_SAVED = "Not saved yet"


class Kept(NamedTuple):
    """Where settings are kept. Both raise BucketvaultError."""

    change: Callable[[Mapping[str, object], Settings], Awaitable[Settings]]  # gives all of them
    load: Callable[[], Awaitable[Settings]]


class SettingsForm(Form[Settings]):
    """The fields of one section, and Save."""

    def __init__(self, what: str, seen: Settings, kept: Kept) -> None:
        super().__init__(seen)
        self._what, self._kept = what, kept
        self._saving = False
        self._save: ui.element | None = None
        self._note: TextElement | None = None

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
        """Draw Save, and whether it is needed; return the place for more buttons."""
        with element("div", "actions") as place:
            self._save = self.button("Save", "", f"save-{self._what}", self.press)
            self._note = text("span", "t13 ink2")
        self._look()
        return place

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
        if self._note is None or self._save is None:
            return
        touched = self.is_touched()
        self._note.text = NOT_SAVED if touched else ""
        # one of the page's buttons is prominent: the one that has something to do
        self._save.classes(add="primary") if touched else self._save.classes(remove="primary")

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
            field.input.set_value(self._words(name))
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
