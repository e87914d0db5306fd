"""The machine of every form: refuse, rest while it saves, tell what others changed meanwhile.

Only what is wrong is drawn again, beside its field: nothing that was typed is sent back.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from nicegui import ui

from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, ChangedMeanwhileError, InvalidInputError, Problem
from bucketvault.pages.parts.fields import Labelled
from bucketvault.pages.parts.widgets import button, draw_verdict, element
from bucketvault.sanitize import clean

NOT_SAVED = "Nothing was saved yet."
ASK_BEFORE_LEAVING = "window.onbeforeunload = event => event.preventDefault()"
LEAVE_FREELY = "window.onbeforeunload = null"

Stored = TypeVar("Stored")


class Difference(NamedTuple):
    """One field that was changed meanwhile: what is stored now, and what the form holds."""

    label: str
    stored: str
    here: str


class Form(ABC, Generic[Stored]):
    """The fields by name in their order, the place above them, the buttons.

    Each form says how to `save` over what is `seen`, and how to fetch what is `stored` now.
    """

    thing = "This"  # that was changed meanwhile

    def __init__(self, seen: Stored) -> None:
        self.seen = seen  # what is stored, as far as this form has heard
        self.fields: dict[str, Labelled] = {}
        self.top = element("div", "part")
        self._client = ui.context.client
        self._buttons: list[ui.element] = []
        self._guarded = False

    @abstractmethod
    async def save(self) -> None:
        """Store what is entered over what is `seen`; raises what forbids it."""

    @abstractmethod
    async def stored(self) -> Stored:
        """Return what is stored now."""

    def differences(self, names: Sequence[str], stored: Stored) -> list[Difference]:
        """Return what to show of the fields `names` that were changed meanwhile."""
        return []

    def load(self, stored: Stored) -> None:
        """Show what is stored, and drop what was typed."""
        self._ask_before_leaving(False)
        ui.navigate.reload()

    def button(
        self, words: str, kind: str, mark: str, on_click: Callable[[], Awaitable[None]]
    ) -> ui.element:
        """Draw a button that rests while another one works."""
        self._buttons.append(button(words, kind=kind, mark=mark, on_click=on_click))
        return self._buttons[-1]

    async def press(self) -> None:
        """Save what is entered."""
        await self.attempt(self.save)

    async def attempt(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do it, and tell what forbids it."""
        self.clear()
        self._busy(True)
        done = False
        try:
            self._ask_before_leaving(False)
            await act()
            done = True
        except InvalidInputError as error:
            self.clear()  # also what was said of being busy
            self.refuse(error.problems)
        except ChangedMeanwhileError as error:
            await self._look_again(error.fields)
        except BucketvaultError as error:
            self.fail(error)
        finally:
            self._busy(False)
            if not done:  # also after a fault of the program
                self._ask_before_leaving(True)

    def typed(self) -> None:
        """From now on, let the browser ask before it leaves this page."""
        if not self._guarded:
            self._guarded = True
            self._ask_before_leaving(True)

    def _ask_before_leaving(self, asks: bool) -> None:
        if self._guarded:
            # safe: constants; nothing from elsewhere becomes part of a script
            self._client.run_javascript(ASK_BEFORE_LEAVING if asks else LEAVE_FREELY)

    def _busy(self, busy: bool) -> None:
        self._buttons = [each for each in self._buttons if not each.is_deleted]
        for each in self._buttons:
            each.props["disabled"] = busy

    def clear(self) -> None:
        """Take away what was told."""
        self.top.clear()
        for field in self.fields.values():
            field.show(())

    def say(
        self,
        tone: Tone,
        sentence: str,
        detail: str = "",
        differences: Sequence[Difference] = (),
        buttons: Callable[[], None] = lambda: None,
    ) -> None:
        """Say something above the fields, with what was changed and `buttons` beside it."""
        self.top.clear()
        told = draw_verdict(tone, clean(sentence), clean(detail.strip()))
        with self.top, told as (actions, lines):
            for label, stored, here in differences:
                with lines, element("div", "need changed"):
                    element("span", "strong", label)
                    element("span", "t13 ink2", f"stored now: {stored}")
                    element("span", "t13 ink2", f"here: {here}")
            with actions:
                buttons()

    def refuse(self, problems: Sequence[Problem]) -> None:
        """Show each problem at its field, what has none on top; the first gets the focus."""
        for name, field in self.fields.items():
            field.show([each.message for each in problems if each.field == name])
        elsewhere = [each.message for each in problems if each.field not in self.fields]
        self.sum_up(len(problems), " ".join(elsewhere))
        wrong = {each.field for each in problems}
        self.go_to(next((field for name, field in self.fields.items() if name in wrong), None))

    def sum_up(self, number: int, elsewhere: str) -> None:
        """Say how much is wrong, and what of it belongs to no field."""
        marked = "It is marked below." if number == 1 else "They are marked below."
        sentence = "1 field needs attention." if number == 1 else f"{number} fields need attention."
        self.say(Tone.BAD, sentence, f"{elsewhere or marked}")

    def fail(self, error: BucketvaultError) -> None:
        """Say why nothing was saved."""
        self.say(Tone.BAD, error.summary, f"{error.hint}")
        self.go_to(None)

    def go_to(self, field: Labelled | None) -> None:
        """Show what is to be mended, else the words on top: on a phone Save is far below both."""
        if field is None:
            self.top.run_method("scrollIntoView", {"block": "center"})
        else:
            field.focus()

    async def _look_again(self, names: Sequence[str]) -> None:
        try:
            stored = await self.stored()
        except BucketvaultError as error:
            Form.fail(self, error)
        else:
            self.tell_changed(stored, names)
            self.go_to(None)

    def tell_changed(self, stored: Stored, names: Sequence[str] = ()) -> None:
        """Say that another tab or a command has stored something else; both ways are open."""

        async def overwrite() -> None:
            self.seen = stored
            await self.press()

        def buttons() -> None:
            self.button("Save mine over it", "", "overwrite", overwrite)
            button("Load what is stored", mark="load-stored", on_click=partial(self.load, stored))

        sentence = f"{self.thing} was changed meanwhile, in another tab or by a command."
        self.say(Tone.WARN, sentence, NOT_SAVED, self.differences(names, stored), buttons)
