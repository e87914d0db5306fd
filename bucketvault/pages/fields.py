"""Labelled fields and choices of forms, each with its own place for what is wrong with it.

Problems are shown beside an input, never by changing the input itself: what was typed in it is not
sent back to the browser, and a secret least of all.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nicegui import ui

from bucketvault.engine.verdict import Tone
from bucketvault.pages.widgets import element, glyph, text
from bucketvault.untrusted import clean


class Field:
    """One line to type in, with its label, a hint, and what is wrong with it."""

    def __init__(
        self,
        name: str,
        label: str,
        *,
        value: str = "",
        placeholder: str = "",
        hint: str = "",
        secret: bool = False,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        with element("div", "field") as self._box:
            with element("label", "label") as around:
                self._label = text("span", words=label)
            self.input = ui.input(
                value=value, placeholder=placeholder, password=secret, password_toggle_button=secret
            )
            self.input.props["for"] = f"field-{name}"
            self.input.props["autocomplete"] = "new-password" if secret else "off"
            self.input.props["spellcheck"] = "false"
            self.input.props["aria-describedby"] = f"about-{name}"
            self.input.mark(name)
            around.props["for"] = f"field-{name}"
            with element("div", id=f"about-{name}"):
                self._hint = text("p", "hint", hint)
                self._problems = element("div", role="alert")
        if on_change is not None:
            self.input.on_value_change(lambda change: on_change(change.value or ""))

    @property
    def value(self) -> str:
        """What is typed in it."""
        return self.input.value or ""

    def say(self, label: str, hint: str) -> None:
        """Call it something else."""
        self._label.text, self._hint.text = label, hint

    def show(self, problems: Sequence[str]) -> None:
        """Show what is wrong with it; nothing: it is good."""
        self._problems.clear()
        self._box.classes(add="wrong") if problems else self._box.classes(remove="wrong")
        self._hint.set_visibility(not problems and bool(self._hint.text))
        for problem in problems:
            with self._problems, element("p", "problem"):
                glyph(Tone.BAD)
                element("span", text=clean(problem))


def above(actions: ui.element) -> ui.element:
    """A place for fields above the buttons of a dialog."""
    assert actions.parent_slot is not None  # noqa: S101  it stands in its dialog
    body = actions.parent_slot.parent
    with body:
        place = element("div", "fields")
    actions.move(target_index=-1)
    return place


class Choice(NamedTuple):
    """One of a few things to choose from."""

    key: str
    title: str
    note: str = ""


class Choices:
    """A few things of which one is chosen; arrows and Tab reach each of them."""

    def __init__(
        self,
        label: str,
        choices: Sequence[Choice],
        chosen: str,
        on_choose: Callable[[str], None] | None = None,
    ) -> None:
        self.chosen = chosen
        self._on_choose = on_choose
        self._options: dict[str, ui.element] = {}
        with element("div", "choices", role="radiogroup", aria_label=label):
            for choice in choices:
                with element("button", "choice", type="button", role="radio") as option:
                    element("span", "strong", choice.title)
                    if choice.note:
                        element("span", "note", choice.note)
                option.mark(f"choose-{choice.key or 'either'}")
                option.on("click", lambda key=choice.key: self._choose(key))
                self._options[choice.key] = option
        self._show()

    def _choose(self, key: str) -> None:
        self.chosen = key
        self._show()
        if self._on_choose is not None:
            self._on_choose(key)

    def _show(self) -> None:
        for key, option in self._options.items():
            option.props["aria-checked"] = "true" if key == self.chosen else "false"
