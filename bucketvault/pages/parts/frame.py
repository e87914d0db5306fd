"""The frame around every page: navigation, the one-line answer in its foot, width and colours."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from nicegui import app, run, ui
from starlette.convertors import IntegerConvertor, register_url_convertor

from bucketvault import __version__, humanize
from bucketvault.engine.views.situation import Situation, Tone
from bucketvault.errors import NotFoundError
from bucketvault.pages.parts import assets
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import (
    CLASSES,
    button,
    draw_statement,
    element,
    glyph,
    icon,
    text,
)
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

Value = TypeVar("Value")

CLOCK_S = 20.0  # how often the foot looks at the clock, and at what nothing announces
PAUSE_S = 1.0  # between two looks at the whole, however much happens
# what a busy machine may take to build a page: slow is better than an error (NiceGUI: 3 s)
ANSWER_S = 30.0
SCRIPTS = ("strip.js", "times.js", "frame.js", "desk.js")
ALARMING = (Tone.BAD, Tone.DAMAGED, Tone.MISS)  # the tab's icon turns red
LARGEST_NUMBER = 2**53 - 1  # what JavaScript counts exactly


# Names and addresses of the sections. Backups carries the number of those that need attention.
NAVIGATION = {
    "Backups": "/",
    "Copies": "/copies",
    "Providers": "/providers",
    "Storages": "/storages",
    "Health": "/health",
    "Settings": "/settings",
}


THEMES = {"": "System", "light": "Light", "dark": "Dark"}
MAILBOX = "Mailbox (demo)"
# After `g`, the letter that leads there; desk.js reads it.
GO = {
    "Backups": "b",
    "Copies": "c",
    "Providers": "p",
    "Storages": "s",
    "Health": "h",
    "Settings": "e",
}
GO_IN_DEMO = {**GO, MAILBOX: "m"}
# In the log of a run; logview.js hears them.
LOG_KEYS = (
    ("n N", "Next match, previous match"),
    ("o", "Only matching lines, or all"),
    ("e", "First error"),
    ("f", "Follow the end"),
    ("w", "Wrap long lines"),
    ("t", "Show or hide times"),
    ("m", "Whole window, or back"),
    ("↑ ↓", "Move; with Shift: select lines"),
    ("Enter", "Open the line"),
    ("c", "Copy the selected lines"),
    ("l", "Copy a link to them"),
    ("Esc", "Clear the search or selection"),
)


class _Installation:
    """Whose pages these are: a demo's have a mailbox, and say on every page that it is one."""

    is_demo = False

    @classmethod
    def navigation(cls) -> dict[str, str]:
        """Return names and addresses of the sections."""
        return {**NAVIGATION, MAILBOX: "/mailbox"} if cls.is_demo else NAVIGATION

    @classmethod
    def shortcuts(cls) -> tuple[tuple[str, str], ...]:
        """Return the keyboard shortcuts and what each does."""
        go = GO_IN_DEMO if cls.is_demo else GO
        there = ((f"g {letter}", name) for name, letter in go.items())
        return (("/", "Search"), *there, ("?", "Show or hide these keys"))


class _Number(IntegerConvertor):
    """The number of a row in a page's address; with anything else, it is the address of no page."""

    regex = "[0-9]{1,16}"  # more, no number has that JavaScript counts exactly


def install(*, is_demo: bool = False) -> None:
    """Install what all pages share; called once, before the first page is registered."""
    _Installation.is_demo = is_demo
    register_url_convertor("number", _Number())
    app.colors(
        primary="#2a5db0",
        positive="#2a9d66",
        negative="#d23f3f",
        warning="#c08209",
        info="#2f74d0",
        dark="#151a20",
        dark_page="#0e1216",
    )
    # no bar across the top for every request: pages say themselves what they wait for
    app.config.quasar_config["loadingBar"] = {"skipHijack": True}
    ui.button.default_props("unelevated no-caps")
    ui.input.default_props("outlined dense")
    # their addresses change with their content, so a browser may keep them for long
    # safe: our own files
    app.add_static_files(assets.URL, assets.folder(), max_cache_age=30 * humanize.DAY_S)
    # safe: a constant; in front of the drawer, so that it is the first stop of the Tab key
    ui.add_body_html('<a class="skip" href="#main">Skip to content</a>', shared=True)


def page_at(path: str, title: str) -> ui.page:
    """Return the decorator of a page built at each visit; `title` is for the browser's tab."""
    return ui.page(path, title=f"{title} · bucketvault", response_timeout=ANSWER_S)


def _load_assets() -> None:
    """Have this page load what all pages share."""
    # safe: addresses of our own files
    ui.add_head_html(f'<link rel="stylesheet" href="{assets.url("bucketvault.css")}">')
    icon_when_bad = f'data-bad="{assets.url("favicon-bad.svg")}"'
    # safe: the same
    ui.add_head_html(f'<link rel="icon" href="{assets.url("favicon.svg")}" {icon_when_bad}>')
    for name in SCRIPTS:
        # safe: the same
        ui.add_head_html(f'<script type="module" src="{assets.url(name)}"></script>')


class Frame:
    """The frame of one open page, and the parts of it that change."""

    def __init__(self, active: str, zone: ZoneInfo) -> None:
        """Draw it; `active` is the name of a navigation entry."""
        self._zone = zone
        self._shown: Situation | None = None
        _load_assets()
        drawer = _drawer()
        with drawer:
            self._badge = self._navigation(active)
            with element("div", "foot"):
                in_foot = element("div")
                self._clock = text("div", "t12 ink3 num")
                self._clock.props["id"] = "server-time"
                with element("div", "t12 ink3 num"):
                    # which of the three, frame.js says
                    element("span", "only-before", "Connecting")
                    element("span", "only-on", "Connected")
                    element("span", "only-off", "Not connected")
                    element("span", text=f" · version {__version__}")
                with element("div", "segments themes", role="group", aria_label="Theme"):
                    for value, name in THEMES.items():
                        told = {"data_theme": value, "aria_pressed": str(not value).lower()}
                        element("button", "", name, type="button", **told)
                # a plain form: it works also where the page's socket is gone
                with element("form", method="post", action=assets.own("/logout")):
                    element("button", "quiet t12", "Sign out", type="submit").mark("sign-out")

        with element("dialog", "shortcuts", id="keys", aria_label="Keyboard shortcuts"):
            element("h2", text="Keyboard shortcuts")
            _draw_keys(_Installation.shortcuts())
            element("h3", text="In the log of a run")
            _draw_keys(LOG_KEYS)
        # filled and shown by frame.js, which also runs where the server is out of reach
        element("div", "offline-bar", "", id="offline", role="status", hidden="")
        with element("div", "topbar"):
            toggle = partial(drawer.run_method, "toggle")
            button("", "menu", "ghost square", label="Open navigation", on_click=toggle)
            with element("a", "line", href="/"):
                element("i", "logo", aria_hidden="true")
                element("span", "strong", "bucketvault")
            element("span", "space")
            at_top = element("div")
        self._answers = (in_foot, at_top)
        self._tick()
        ui.timer(CLOCK_S, self._tick)

    def show(self, situation: Situation) -> None:
        """Show the answer for all backups in the foot, on phones at the top, and as a number."""
        if situation == self._shown:
            return
        self._shown = situation
        self._badge.clear()
        # frame.js shows both in the browser's tab
        self._badge.props["data-needs"] = len(situation.backup_issues)
        self._badge.props["data-bad"] = str(situation.tone in ALARMING).lower()
        if situation.backup_issues:
            with self._badge:
                kind = f"badge {CLASSES[situation.tone]}"
                element("span", kind, str(len(situation.backup_issues)), title=situation.short)
        for place in self._answers:
            place.clear()
            with place, element("a", f"pill {CLASSES[situation.tone]}", href="/"):
                glyph(situation.tone)
                element("span", text=situation.short)
                if situation.running:
                    element("span", "ink3 wide-only", f"· {situation.running} running")

    def follow(self, engine: "Engine") -> None:
        """Keep the answer true while the page is open."""
        look = show_on(engine.live, Topic.BACKUPS, engine.answer, self.show, pause_s=PAUSE_S)
        ui.timer(CLOCK_S, look, immediate=False)

    def _navigation(self, active: str) -> ui.element:
        with element("a", "brand", href="/"):
            element("i", "logo", aria_hidden="true")
            element("span", text="bucketvault")
        with element("nav", "nav", aria_label="Main"):
            for name, href in _Installation.navigation().items():
                with element("a", href=href, data_go=GO_IN_DEMO[name]) as link:
                    icon("mailbox" if name == MAILBOX else name.lower())
                    element("span", text=name)
                    if href == "/":
                        badge = element("span", "badge-place")
                if name == active:
                    link.props["aria-current"] = "page"
        return badge

    def _tick(self) -> None:
        self._clock.text = humanize.wall_clock(dt.datetime.now(dt.UTC), self._zone)


def _draw_keys(keys: tuple[tuple[str, str], ...]) -> None:
    with element("dl"):
        for names, words in keys:
            with element("dt"):
                for each in names.split():
                    element("kbd", "key", each)
            element("dd", text=words)


def _drawer() -> ui.element:
    """Return Quasar's drawer, open where there is room.

    Not `ui.left_drawer`: that one asks the browser whether it is open, and logs an error for
    every tab that is closed before it has answered.
    """
    layout = ui.context.client.layout
    layout.props["view"] = "hhh Lpr fff"  # the capital: it stays while the page scrolls
    with layout:
        drawer = element("q-drawer", side="left", aria_label="Navigation")
    drawer.props.update({"show-if-above": True, "width": 228, "breakpoint": 900})
    drawer.move(target_index=layout.default_slot.children.index(ui.context.client.page_container))
    return drawer


@contextmanager
def frame(active: str, zone: ZoneInfo, situation: Situation) -> Iterator[Frame]:
    """Draw the frame; what is drawn inside is the page."""
    made = Frame(active, zone)
    made.show(situation)
    if _Installation.is_demo:
        _draw_banner()
    with element("div", "page", id="main", tabindex="-1"):  # Quasar's q-page is the <main> already
        yield made


def _draw_banner() -> None:
    with element("aside", "demo-bar", aria_label="Demo"):
        with element("p"):
            element("strong", text="This is a demo: ")
            told = "two S3 servers on this machine, sample data. Nothing here leaves your computer."
            element("span", text=told)
        with element("p", "ink2"):
            element("span", text="Emails are in the ")
            element("a", "", "mailbox", href="/mailbox")
            element("span", text=". To install bucketvault, see ")
            element("code", text="README.md")
            element("span", text=", “Install on a server”.")


def heading(
    title: str, crumbs: tuple[tuple[str, str], ...] = (), zone: ZoneInfo | None = None
) -> ui.element:
    """Draw the page's title under its way back (names and addresses); return where buttons go.

    `zone` is the one in which the page tells times: it is named here, and nowhere else.
    """
    with element("div", "head under" if crumbs else "head"):
        with element("div", "stack"):
            if crumbs:
                with element("nav", "crumbs", aria_label="Breadcrumb"):
                    for number, (name, href) in enumerate(crumbs):
                        if number:
                            element("span", text="/", aria_hidden="true")
                        if href:
                            element("a", "clip", name, href=href)
                        else:
                            element("span", "clip", name)
            element("h1", text=title)
            if zone is not None:  # times.js adds how far the viewer's is away
                element("time-zone", "t13 ink3", f"Times are in {zone.key}", zone=zone.key)
        return element("div", "actions")


async def fetch_page(
    engine: "Engine", fetch: Callable[[], Value], section: str = "", row: str = ""
) -> tuple[Situation, Value] | None:
    """Return the answer for the foot and what `fetch` gives; None: there is no more to draw.

    It raises NotFoundError where there is no such `row` (any more), which a page of `section` says
    then; or the program is shutting down.
    """
    answer = await run.io_bound(engine.answer)
    if answer is None:
        return None
    try:
        found = await run.io_bound(fetch)
    except NotFoundError as error:
        ui.context.client.status_code = 404
        with frame(section, engine.zone, answer):
            heading(f"No such {row}", ((section, NAVIGATION[section]),))
            told = clean(error.summary), clean(error.hint)
            draw_statement(Tone.NONE, *told, f"All {section.lower()}", NAVIGATION[section])
        return None
    return None if found is None else (answer, found)
