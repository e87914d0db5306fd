"""A section of the settings as a form of its own: saved alone, nothing typed is ever lost."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine.settings import PASSWORD, Settings
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, ChangedMeanwhileError, InvalidInputError, Problem
from bucketvault.pages.parts.fields import Field, Pick
from bucketvault.pages.parts.widgets import button, element, text
from bucketvault.pages.parts.widgets import verdict as draw_verdict
from bucketvault.sanitize import clean

Save = Callable[[Mapping[str, object], Settings], Awaitable[Settings]]  # what is stored then
UNCHANGED = "unchanged"
NOT_SAVED = "Not saved yet"


class SettingsForm:
    """The fields of one section, what is wrong with them, and Save."""

    def __init__(self, what: str, stored: Settings, save: Save) -> None:
        self.fields: dict[str, Field | Pick] = {}
        self.stored = stored
        self.buttons: list[ui.element] = []
        self._what = what
        self._save = save
        self._other: Settings | None = None  # what another tab has stored since
        self._saving = False
        self._note: TextElement | None = None
        self.top = element("div", "part")

    def field(self, name: str, label: str, **more: Any) -> Field:
        """A line to type in."""
        made = Field(name, label, value=self._words(name), on_change=lambda _: self._look(), **more)
        self.fields[name] = made
        return made

    def secret(self, name: str, label: str, hint: str) -> None:
        """A line to type a secret in; what is stored is never shown, nor sent to the browser."""
        placeholder = UNCHANGED if self.stored.has_smtp_password else ""
        self.fields[name] = Field(
            name,
            label,
            placeholder=placeholder,
            hint=hint,
            secret=True,
            on_change=lambda _: self._look(),
        )

    def pick(self, name: str, label: str, options: Mapping[str, str], hint: str = "") -> None:
        """One of a few things."""
        self.fields[name] = Pick(
            name,
            label,
            options,
            self._words(name),
            hint=hint,
            on_change=lambda _: self._look(),
        )

    def actions(self) -> ui.element:
        """Save, and whether it is needed; the place for more buttons."""
        with element("div", "actions") as place:
            self.add_button("Save", "", f"save-{self._what}", self._press)
            self._note = text("span", "t13 ink2")
        self._look()
        return place

    def add_button(
        self, words: str, kind: str, mark: str, on_click: Callable[[], Awaitable[None]]
    ) -> None:
        """A button that rests while another one works."""
        self.buttons.append(button(words, kind=kind, mark=mark, on_click=on_click))

    def _words(self, name: str) -> str:
        value = getattr(self.stored, name)
        return "" if value is None else str(value)

    # what is typed

    def given(self) -> dict[str, object]:
        """What stands in the fields; a secret that nobody typed is left as it is."""
        values = {name: field.value for name, field in self.fields.items() if name != PASSWORD}
        if PASSWORD in self.fields and (typed := self.fields[PASSWORD].value):
            values[PASSWORD] = typed
        return values

    def is_touched(self) -> bool:
        """Whether something here is not stored."""
        return any(
            bool(field.value) if name == PASSWORD else field.value != self._words(name)
            for name, field in self.fields.items()
        )

    def _look(self) -> None:
        if self._note is None:
            return
        touched = self.is_touched()
        self._note.text = NOT_SAVED if touched else ""
        # one of the page's buttons stands out: the one that has something to do
        self.buttons[0].classes(add="primary") if touched else self.buttons[0].classes(
            remove="primary"
        )

    def take(self, stored: Settings) -> None:
        """Show what is stored now; where something is typed, say that it has changed instead."""
        if stored == self.stored or self._saving:
            return
        mine = [name for name in self.fields if name != PASSWORD]
        differs = any(getattr(stored, name) != getattr(self.stored, name) for name in mine)
        if self.is_touched() and differs:
            self._other = stored
            self._tell_changed()
        elif self.is_touched():
            self.stored = stored
        else:
            self._fill(stored)

    def _fill(self, stored: Settings) -> None:
        self.stored, self._other = stored, None
        for name, field in self.fields.items():
            field.input.set_value("" if name == PASSWORD else self._words(name))
            if name == PASSWORD:
                field.input.props["placeholder"] = UNCHANGED if stored.has_smtp_password else ""
        self._look()

    # saving

    async def _press(self) -> None:
        await self._store(self.stored)

    async def _store(self, seen: Settings) -> None:
        self.clear()
        self.busy(True)
        self._saving = True
        try:
            self._fill(await self._save(self.given(), seen))
        except InvalidInputError as error:
            self.refuse(error.problems)
        except ChangedMeanwhileError:
            self._tell_changed()
        except BucketvaultError as error:
            self.say(Tone.BAD, error.summary, f"{error.hint} Nothing you typed is lost.")
        finally:
            self._saving = False
            self.busy(False)

    def clear(self) -> None:
        """Take away what was said."""
        self.top.clear()
        for field in self.fields.values():
            field.show(())

    def busy(self, busy: bool) -> None:
        """Let the buttons rest."""
        for each in self.buttons:
            each.props["disabled"] = busy

    def refuse(self, problems: Sequence[Problem]) -> None:
        """Each problem at its field; what has none stands on top. The first one gets the focus."""
        for name, field in self.fields.items():
            field.show([each.message for each in problems if each.field == name])
        elsewhere = [each.message for each in problems if each.field not in self.fields]
        if elsewhere:
            self.say(Tone.BAD, " ".join(elsewhere), "Nothing you typed is lost.")
        wrong = {each.field for each in problems}
        first = next((field for name, field in self.fields.items() if name in wrong), None)
        if first is not None:
            first.focus()

    def say(self, tone: Tone, sentence: str, detail: str = "") -> None:
        """Say what came of it, above the fields."""
        self.top.clear()
        with self.top, draw_verdict(tone, clean(sentence), clean(detail)):
            pass

    def _tell_changed(self) -> None:
        async def overwrite() -> None:
            await self._store(self._other or self.stored)

        def load() -> None:
            self.clear()
            self._fill(self._other or self.stored)

        self.top.clear()
        sentence = "This was changed meanwhile, in another tab or by a command."
        detail = "Nothing was saved yet, and nothing you typed is lost."
        with self.top, draw_verdict(Tone.WARN, sentence, detail) as (actions, _), actions:
            button("Save mine over it", mark="overwrite", on_click=overwrite)
            button("Load what is stored", mark="load-stored", on_click=load)
