"""The small parts every page is drawn with: state glyphs, verdict, chips, cards, tiles, bars.

Text goes in as text only: `element` sets it as a text node, attributes are set as values, never
through a string that is parsed. What comes from elsewhere is cleaned where it enters the page.
"""

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlencode

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.views.situation import Tone
from bucketvault.pages.parts import assets
from bucketvault.sanitize import clean
from bucketvault.vocabulary import ProviderType

CLASSES = {tone: f"st-{tone.value}" for tone in Tone} | {Tone.DAMAGED: "st-bad"}
MARKS = {
    ProviderType.CLOUDFLARE_R2: "R2",
    ProviderType.BACKBLAZE_B2: "B2",
    ProviderType.AMAZON_S3: "S3",
}
OWN_ADDRESS = re.compile(r"/(?!/)|#")
NAMED = 5  # of several things
NAME_CHARACTERS = 300  # of a name in a page; the style sheet cuts it to the room there is


def element(tag: str, classes: str = "", text: str | None = None, **attributes: str) -> ui.element:
    """Draw an element with classes, text and attributes (`aria_label` becomes `aria-label`)."""
    made = ui.element(tag) if text is None else TextElement(tag=tag, text=text)
    if classes:
        made.classes(classes)  # safe: a class can only choose among our own styles
    for name, value in attributes.items():
        if name == "href":
            if not OWN_ADDRESS.match(value):
                raise ValueError(
                    f"not an address of this program: {value}"
                )  # a javascript: one would run
            value = value if value.startswith("#") else assets.own(value)
        made.props[name.rstrip("_").replace("_", "-")] = value
    return made


def text(tag: str, classes: str = "", words: str = "") -> TextElement:
    """Draw an element that holds nothing but text, to be changed by `set_text`."""
    # safe: a class can only choose among our own styles
    return TextElement(tag=tag, text=words).classes(classes)


def icon(name: str) -> ui.element:
    """Draw an icon, in the colour of the text around it."""
    return element("i", f"icon icon-{name}", aria_hidden="true")


def glyph(tone: Tone, large: bool = False) -> ui.element:
    """Draw the shape of a state; never without its word beside it."""
    return element("i", f"glyph {CLASSES[tone]}" + (" large" if large else ""), aria_hidden="true")


def pill(tone: Tone, words: str) -> ui.element:
    """Draw shape and word of a state."""
    with element("span", f"pill {CLASSES[tone]}") as made:
        glyph(tone)
        element("span", text=words)
    return made


def button(
    words: str,
    icon_name: str = "",
    kind: str = "",
    *,
    href: str = "",
    label: str = "",
    mark: str = "",
    on_click: Callable[[], object] | None = None,
) -> ui.element:
    """Draw a button, or a link that looks like one; `label` names one that has only an icon.

    `mark` is the word by which tests find it.
    """
    attributes = {"href": href} if href else {"type": "button"}  # safe: `element` looks at it
    with element("a" if href else "button", f"btn {kind}", **attributes) as made:
        if icon_name:
            icon(icon_name)
        if words:
            element("span", text=words)
    if label:
        made.props["aria-label"] = label
        made.props["title"] = label
    if mark:
        made.mark(mark)
    if on_click is not None:
        made.on("click", _in_page(on_click))
    return made


def use_region(provider_id: int, region: str, kind: str = "") -> None:
    """Draw the way to a provider's form where the region that its service named is filled in."""
    href = f"/providers/{provider_id:d}/edit?{urlencode({'region': region})}"
    button(f"Use region {clean(region, limit=80)}", kind=kind, href=href, mark="use-region")


def _in_page(act: Callable[[], object]) -> Callable[[], object]:
    """Return `act`, so that it may draw its own button away before it is done.

    NiceGUI runs a handler in its button's place; without that place, neither a notice nor the
    way to another page would find the page any more.
    """
    client = ui.context.client

    def pressed() -> Coroutine[object, None, None] | None:
        with client:
            begun = act()
        # not everything that can be awaited: a dialog's `close` gives the dialog, which would open
        return finish(begun) if isinstance(begun, Coroutine) else None

    async def finish(begun: Coroutine[object, None, object]) -> None:
        with client:
            await begun

    return pressed


def chip(end: EndSpec) -> None:
    """Draw one end of a backup: service, bucket and path; the whole name on hover."""
    mark = MARKS[end.provider_type]
    place = clean(end.place, limit=NAME_CHARACTERS)
    with element("span", "chip", title=clean(f"{end.provider} · {end.place}")):
        element("span", f"mark {mark.lower()}", mark, aria_hidden="true")
        element("span", "place", place)


def way(source: EndSpec, destination: EndSpec) -> None:
    """Draw from where to where."""
    with element("div", "way"):
        chip(source)
        icon("arrow")
        element("span", "unseen", "is copied to")
        chip(destination)


@contextmanager
def card(title: str, note: str = "", *, body: bool = True) -> Iterator[ui.element]:
    """Draw a titled card; yields its header. Without `body` its content has no padding."""
    with element("section", "card", aria_label=title):
        with element("header") as header:
            element("h2", text=title)
            if note:
                element("span", "t13 ink3", note)
        if body:
            with element("div", "body"):
                yield header
        else:
            yield header


@contextmanager
def draw_verdict(
    tone: Tone,
    sentence: str,
    detail: str = "",
    warnings: Iterable[str] = (),
    times: Iterable[tuple[str, dt.datetime | None]] = (),
) -> Iterator[tuple[ui.element, ui.element]]:
    """Draw the first thing read on a page: shape, colour, one sentence, and warnings below.

    `times` are those the detail names. Yields the places for buttons and for lines below; what
    stays empty is taken away.
    """
    with element("section", f"verdict {CLASSES[tone]}", role="status"):
        with element("div", "top"):
            glyph(tone, large=True)
            with element("div", "stack"):
                element("p", "say", sentence)
                if detail:
                    also_in_own_zone(element("p", "sub", detail), times)
            actions = element("div", "actions")
        with element("div", "needs") as lines:
            for warning in warnings:
                with element("div", "need plain"):
                    glyph(Tone.WARN)
                    element("span", "why", clean(warning))
        yield actions, lines
        for place in (actions, lines):
            if not place.default_slot.children:
                place.delete()


def draw_statement(
    tone: Tone, sentence: str, detail: str = "", link: str = "", href: str = ""
) -> None:
    """Draw a verdict with nothing but a link, if any."""
    with draw_verdict(tone, sentence, detail) as (actions, _), actions:
        if link:
            button(link, href=href)


class Moment(NamedTuple):
    """A time in words, and which it is, so that the browser can tell it in the viewer's zone."""

    words: str
    at: dt.datetime


def stamp(at: dt.datetime) -> str:
    """Return a time as an attribute has it: `2026-11-22T00:30:00Z`."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment(told: Moment, classes: str = "") -> ui.element:
    """Draw a time."""
    return element("time", classes, told.words, datetime=stamp(told.at))


def also_in_own_zone(made: ui.element, times: Iterable[tuple[str, dt.datetime | None]]) -> None:
    """Let the browser tell the times that a sentence names in the viewer's zone, too."""
    told = "|".join(f"{label}={stamp(at)}" for label, at in times if at is not None)
    if told:
        made.props["data-times"] = told


class Part(ui.element):
    """A part of a page that is drawn again only where what it shows has changed."""

    def __init__(self, classes: str = "part") -> None:
        super().__init__("div")
        self.classes(classes)  # safe: a class can only choose among our own styles
        self._shown: tuple[object, ...] | None = None

    def is_new(self, *shown: object) -> bool:
        """True if it does not show this yet; it is empty then, to be drawn."""
        if shown == self._shown:
            return False
        self._shown = shown
        self.clear()
        return True


class Tile(NamedTuple):
    """One number of a run: what it counts, how much, and a few words below."""

    icon: str
    word: str
    value: str
    note: str
    tone: Tone | None = None
    picks: str = ""  # what a press on it shows alone; empty: it cannot be pressed


class Tiles:
    """A row of tiles whose numbers change in place, and that can be pressed to pick one."""

    def __init__(
        self, label: str, tiles: Sequence[Tile], on_pick: Callable[[str], None] | None
    ) -> None:
        self._picks: dict[str, ui.element] = {}
        self._parts: list[tuple[ui.element, TextElement, TextElement]] = []
        kind = "card tiles four" if len(tiles) == 4 else "card tiles"
        with element("section", kind, aria_label=label):
            for tile in tiles:
                with self._box(tile, on_pick) as box:
                    with element("span", "line"):
                        icon(tile.icon)
                        element("span", text=tile.word)
                    value = text("b", words=tile.value)
                    note = text("span", "t12 ink3", tile.note)
                self._parts.append((box, value, note))
        self.show(tiles)

    def _box(self, tile: Tile, on_pick: Callable[[str], None] | None) -> ui.element:
        if on_pick is None or not tile.picks:
            return element("div", "tile")
        box = element("button", "tile", type="button", aria_pressed="false")
        box.props["title"] = f"Show these lines of the log: {tile.word.lower()}"
        box.mark(f"tile-{tile.picks}")
        box.on("click", lambda: on_pick(tile.picks))
        self._picks[tile.picks] = box
        return box

    def picked(self, picks: str) -> None:
        """Show which one is picked; empty: none."""
        for name, box in self._picks.items():
            box.props["aria-pressed"] = "true" if name == picks else "false"

    def show(self, tiles: Sequence[Tile]) -> None:
        """Show other numbers; only what changed is sent."""
        for (box, value, note), tile in zip(self._parts, tiles, strict=True):
            value.text, note.text = tile.value, tile.note
            for tone in (Tone.BAD, Tone.WARN):
                if tile.tone == tone:
                    box.classes(add=CLASSES[tone])
                else:
                    box.classes(remove=CLASSES[tone])


class Bar:
    """A bar that moves in place; `None` per cent: under way, nobody knows how far."""

    def __init__(self, label: str, percent: float | None, *, kind: str = "") -> None:
        with element("div", f"bar {kind}", role="progressbar", aria_label=label) as self._bar:
            self._fill = element("i", CLASSES[Tone.RUN])
        self._bar.props.update({"aria-valuemin": "0", "aria-valuemax": "100"})
        self._shown: float | None = -1.0
        self.show(percent)

    def show(self, percent: float | None) -> None:
        """Move the bar; less than a thousandth is not sent."""
        if percent is not None:
            percent = round(max(0.0, min(100.0, float(percent))), 1)
        if percent == self._shown:
            return
        self._shown = percent
        if percent is None:
            self._bar.classes(add="unknown")
            self._bar.props.pop("aria-valuenow", None)
            return
        self._bar.classes(remove="unknown")
        self._bar.props["aria-valuenow"] = str(int(percent))
        self._fill.style["width"] = f"{percent:.1f}%"  # a number we made, never text from elsewhere

    def label(self, words: str) -> None:
        """Say what this bar is of."""
        if self._bar.props.get("aria-label") != words:
            self._bar.props["aria-label"] = words


def first_few(names: Sequence[str]) -> str:
    """Return `photos, mail and 3 more`."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def key_values(pairs: Iterable[tuple[str, str | Moment]], kind: str = "kv") -> None:
    """Draw names and what they are, in two columns; `kv bill`: what for, and how much."""
    with element("dl", kind):
        for key, value in pairs:
            element("dt", text=key)
            if isinstance(value, Moment):
                with element("dd"):
                    moment(value)
            else:
                element("dd", text=value)


def draw_waiting(words: str) -> None:
    """Draw a place where rows will be."""
    with element("div", "inset"):
        element("p", "t13 ink3", words, role="status")
        for _ in range(4):
            element("div", "skeleton", aria_hidden="true")


def draw_error(summary: str, hint: str, detail: str) -> None:
    """Draw why nothing can be shown, and what to do."""
    with element("div", "inset"), element("div", "line top-line"):
        glyph(Tone.BAD)
        with element("div", "stack"):
            element("p", "strong", clean(summary))
            if hint:
                element("p", "t13 ink2", clean(hint))
            if detail:
                element("pre", "mono ink3 wrapped", clean(detail))


def code(words: str) -> None:
    """Draw something to copy, as it is."""
    element("pre", "code", words, tabindex="0")


@contextmanager
def question(
    title: str, *paragraphs: str, leave: str = "Cancel"
) -> Iterator[tuple[ui.dialog, ui.element]]:
    """Draw a dialog that asks before something ends; yields it and the place of its buttons.

    `leave` is the word of the button that does nothing, as Escape does; a click beside it
    is a slip, and changes nothing.
    """
    with ui.dialog().props("no-backdrop-dismiss") as dialog, element("div", "card dialog"):
        with element("div", "body"):
            element("h2", text=title)
            for paragraph in paragraphs:
                element("p", "ink2", paragraph)
            with element("div", "actions") as actions:
                button(leave, on_click=dialog.close)
        yield dialog, actions


def confirm(
    place: ui.element,
    title: str,
    *paragraphs: str,
    words: str,
    act: Callable[[], Awaitable[None]],
    icon: str = "",
    kind: str = "danger",
) -> ui.element:
    """Ask in a dialog in `place`, and `act` once the button named `words` is pressed.

    Return the place of its buttons.
    """
    place.clear()
    with place, question(title, *paragraphs) as (dialog, actions), actions:

        async def confirmed() -> None:
            dialog.close()
            await act()

        button(words, icon, kind, mark="confirm", on_click=confirmed)
    dialog.open()
    return actions


def refuse(
    place: ui.element, title: str, why: str, link: str = "", href: str = "", icon: str = ""
) -> None:
    """Say in a dialog in `place` why something cannot be done, with the way to what is first."""
    place.clear()
    with place, question(title, why, leave="Close") as (dialog, actions), actions:
        if link:
            button(link, icon, href=href, mark="instead")
    dialog.open()
