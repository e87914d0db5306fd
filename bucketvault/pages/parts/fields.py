"""Labelled fields and choices of forms, each with its own place for what is wrong with it.

Problems are shown beside an input, never by changing the input itself: what was typed in it is not
sent back to the browser, and a secret least of all.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement

from bucketvault.engine.views.situation import Tone
from bucketvault.pages.parts.widgets import element, glyph, text
from bucketvault.sanitize import clean


class Labelled(ABC):
    """An input with its label, a hint, and what is wrong with it."""

    name: str
    input: ui.element

    @property
    @abstractmethod
    def value(self) -> Any:  # Any: each field's value is of its own type
        """Return what is chosen or typed; None: nothing."""

    @contextmanager
    def _around(self, name: str, label: str, hint: str) -> Iterator[None]:
        self.name, self.label = name, label
        with element("div", "field") as self._box:
            with element("label", "label") as around:
                self._label = text("span", words=label)
            yield
            self.input.props["for"] = f"field-{name}"
            self.input.props["aria-describedby"] = f"about-{name}"
            self.input.mark(name)
            around.props["for"] = f"field-{name}"
            with element("div", id=f"about-{name}"):
                self._hint = text("p", "hint", hint)
                self._problems = element("div", role="alert")

    def put(self, value: Any) -> None:  # Any: as above
        """Set what is chosen or typed."""
        assert isinstance(self.input, ValueElement)  # noqa: S101  of those it is asked of
        self.input.set_value(value)

    def say(self, label: str, hint: str) -> None:
        """Call it something else."""
        self.label = self._label.text = label
        self.hint(hint)

    def hint(self, words: str) -> None:
        """Say something else below it."""
        self._hint.text = words
        self._hint.set_visibility(bool(words) and not self._problems.default_slot.children)

    def show(self, problems: Sequence[str]) -> None:
        """Show what is wrong with it; nothing: it is good."""
        self._problems.clear()
        self._box.classes(add="wrong") if problems else self._box.classes(remove="wrong")
        self._hint.set_visibility(not problems and bool(self._hint.text))
        for problem in problems:
            with self._problems, element("p", "problem"):
                glyph(Tone.BAD)
                element("span", text=clean(problem))

    def focus(self) -> None:
        """Go there, with the keyboard and the eyes."""
        self.input.run_method("focus")  # Quasar's own: it does not scroll
        self._box.run_method("scrollIntoView", {"block": "center"})


class Field(Labelled):
    """One line to type in."""

    def __init__(
        self,
        name: str,
        label: str,
        *,
        value: str = "",
        placeholder: str = "",
        hint: str = "",
        secret: bool = False,
        numeric: bool = False,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        with self._around(name, label, hint):
            self.input: ui.input = ui.input(
                value=value, placeholder=placeholder, password=secret, password_toggle_button=secret
            )
            self.input.props["autocomplete"] = "new-password" if secret else "off"
            self.input.props["spellcheck"] = "false"
            if numeric:
                self.input.props["inputmode"] = "numeric"
        if on_change is not None:
            self.input.on_value_change(lambda change: on_change(change.value or ""))

    @property
    def value(self) -> str:
        """The text typed in it."""
        return self.input.value or ""

    def suggest(self, name: str, example: str) -> None:
        """Say which name is taken where none is typed; without one, show an example.

        It is not filled in: what arrives late would overwrite what is being typed.
        """
        self.input.props["placeholder"] = name or example
        named = f" Leave empty to use {name}." if name else ""
        self.hint(f"Shown on these pages and in emails.{named}")


class Pick(Labelled):
    """One of many things, found by typing a part of its name where it is `searched`."""

    def __init__(
        self,
        name: str,
        label: str,
        options: Mapping[Any, str],  # by keys of any kind: numbers, words, None
        value: object,
        *,
        hint: str = "",
        placeholder: str = "",
        searched: bool = False,
        on_change: Callable[[Any], Awaitable[None] | None],  # gets such a key
    ) -> None:
        with self._around(name, label, hint):
            # what is stored may be a thing of the past, such as a zone that was renamed
            chosen = value if value in options else None
            self.input: ui.select = ui.select(dict(options), value=chosen, with_input=searched)
            self.input.props(
                "outlined dense options-dense behavior=menu popup-content-class=pick-menu"
            )
            if searched:  # in others Quasar would draw an input for it, over the arrow
                self.input.props["placeholder"] = placeholder
                self.input.props["autocomplete"] = "off"
        self.input.on_value_change(lambda change: on_change(change.value))

    @property
    def value(self) -> Any:  # a key, as above
        """The key of what is chosen; None: nothing."""
        return self.input.value

    def offer(self, options: Mapping[Any, str], value: object) -> None:  # keys, as above
        """Offer other things, and choose one of them."""
        if (dict(options), value) != (self.input.options, self.input.value):
            self.input.set_options(dict(options), value=value)


class Checks(Labelled):
    """Several things of which any may be chosen."""

    def __init__(
        self, name: str, label: str, options: Mapping[str, str], chosen: Sequence[str]
    ) -> None:
        self._boxes: dict[str, ui.checkbox] = {}
        with self._around(name, label, ""):
            self.input = element("div", "checks", role="group", tabindex="-1", aria_label=label)
            with self.input:
                for key, words in options.items():
                    self._boxes[key] = ui.checkbox(words, value=key in chosen).props("dense")
                    self._boxes[key].mark(f"{name}-{key}")

    @property
    def value(self) -> list[str]:
        """The keys of what is chosen."""
        return [key for key, box in self._boxes.items() if box.value]


def above(actions: ui.element) -> ui.element:
    """Draw a place for fields above the buttons of a dialog."""
    assert actions.parent_slot is not None  # noqa: S101  it is in its dialog
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
        *,
        kind: str = "",
    ) -> None:
        self.chosen = chosen
        self._on_choose = on_choose
        self._options: dict[str, ui.element] = {}
        with element("div", f"choices {kind}", role="radiogroup", aria_label=label):
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


class Switch:
    """Something that is on or off, said in words beside it."""

    def __init__(
        self, label: str, on: bool, on_change: Callable[[bool], Awaitable[None] | None]
    ) -> None:
        self._on_change = on_change
        self.input = element("button", "switch", type="button", role="switch", aria_label=label)
        self.input.on("click", self._turn)
        self.show(on)

    def show(self, on: bool) -> None:
        """Show it as it is, whatever turned it."""
        self.on = on
        self.input.props["aria-checked"] = "true" if on else "false"

    def _turn(self) -> Awaitable[None] | None:
        self.show(not self.on)
        return self._on_change(self.on)
