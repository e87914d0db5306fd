"""A person with a browser: tabs, and a signed-in user in whose browser nothing may go wrong."""

import time
from collections.abc import Callable

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Locator, Page, expect

from tests.support.program import Served

RUN_MS = 60_000.0  # for what rclone has to do first
ROWS = "[...document.querySelectorAll('.log-row')].filter(row => !row.hidden)"
NONE_ABSENT = "!document.querySelector('.log-row.k-absent:not([hidden])')"
CELLS = "row => [...row.children].map(cell => cell.textContent)"
CONNECTION_LOST = (
    "WebSocket",
    "net::ERR_CONNECTION",
    "net::ERR_EMPTY_RESPONSE",
    "net::ERR_SOCKET",
    # in the middle of an answer: a page's icon may come long after the page
    "net::ERR_CONTENT_LENGTH_MISMATCH",
    "net::ERR_INCOMPLETE_CHUNKED_ENCODING",
)


class Tab:
    """One tab, with what a test wants to know of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[str] = []  # what the server sent over the websocket
        page.on("websocket", lambda opened: opened.on("framereceived", self._received))

    def _received(self, data: str | bytes) -> None:
        self.frames.append(data if isinstance(data, str) else data.decode(errors="replace"))

    @property
    def verdict(self) -> Locator:
        return self.page.locator("section.verdict")

    @property
    def title(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    @property
    def bar(self) -> Locator:
        return self.page.get_by_role("progressbar", name="The whole run")

    @property
    def stop(self) -> Locator:
        return self.page.get_by_role("button", name="Stop", exact=True)

    @property
    def log_words(self) -> Locator:
        """How long the log is, as the page says it."""
        return self.page.locator(".log-card > header .num")

    def field(self, label: str) -> Locator:
        """A field, by the words beside it."""
        return self.page.get_by_label(label, exact=True)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def go(self, name: str) -> None:
        """Follow a link of this name; where several have it, the first."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def menu(self, name: str) -> None:
        """Go to a page by the navigation, whatever number is beside its name."""
        entries = self.page.get_by_role("navigation", name="Main")
        entries.get_by_role("link", name=name).click()

    def choose(self, label: str, option: str) -> None:
        """Open a list of choices, and take one by its words."""
        self.field(label).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def run_now(self, name: str = "Photos") -> Locator:
        return self.page.get_by_role("button", name=f"Run now: {name}")

    def watch(self, name: str = "Photos") -> Locator:
        return self.page.get_by_role("link", name=f"Progress: {name}")

    def rows(self) -> list[str]:
        """The log's rows in view, cells parted by spaces."""
        # in one look: between two, some may be absent again
        found = self.page.wait_for_function(
            f"{ROWS}.length > 0 && {NONE_ABSENT} && {ROWS}.map({CELLS})"
        )
        return ["  ".join(cell for cell in cells if cell) for cells in found.json_value()]

    def numbers(self) -> list[int]:
        return [int(row.split()[0].replace(",", "")) for row in self.rows()]

    def settle(self) -> None:
        """Until every row in view has arrived."""
        self.page.wait_for_function(f"{ROWS}.length > 0 && {NONE_ABSENT}")

    def key(self, key: str) -> None:
        """A key, in the log."""
        self.page.locator(".log-scroller").focus()
        self.page.keyboard.press(key)

    def follow_to(self, link: Locator, run: int = 1) -> None:
        """Go to a run's page; nothing is read from the page before any more."""
        with self.page.expect_navigation(url=f"**/run/{run}"):
            link.click()

    def until_rows(self, what: str, look: Callable[[list[int]], bool]) -> None:
        """Wait until the row numbers in view are as wanted."""
        self.until(what, lambda: look(self.numbers()))

    def until(self, what: str, look: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Like `until`, but lets the browser's events come in meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not look():
            assert time.monotonic() < deadline, f"not in {timeout_s} s: {what}"
            self.page.wait_for_timeout(30)

    def stays(self) -> None:
        """Mark this document; `stayed` tells whether it is still the same one."""
        self.page.evaluate("window.stillHere = true")

    def stayed(self) -> bool:
        return bool(self.page.evaluate("window.stillHere === true"))


class Visitor:
    """A signed-in user with a browser of their own, in which nothing may go wrong unseen."""

    def __init__(self, context: BrowserContext, served: Served) -> None:
        self.context = context
        self.wrong: list[str] = []
        self.may_lose_the_connection = False
        self._home = served.home
        self._own = (served.base, served.base.replace("http", "ws"), "data:", "blob:")
        context.add_init_script(
            "addEventListener('securitypolicyviolation',"
            " e => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        context.on("console", self._said)
        context.on("dialog", self._asked_something)
        context.on("request", lambda asked: self._asked(asked.url))
        first = context.new_page()
        first.goto(served.link)
        expect(first.get_by_role("heading", name="Backups")).to_be_visible()
        first.close()

    def tab(self, path: str = "/") -> Tab:
        """A further tab that is connected."""
        page = self.context.new_page()
        page.on("websocket", lambda opened: self._asked(opened.url))
        tab = Tab(page)
        page.goto(f"{self._home}{path}")
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        return tab

    def _said(self, message: ConsoleMessage) -> None:
        lost = any(sign in message.text for sign in CONNECTION_LOST)
        if message.type in ("error", "warning") and not (lost and self.may_lose_the_connection):
            self.wrong.append(f"console: {message.text}")

    def _asked_something(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, address: str) -> None:
        if not address.startswith(self._own):
            self.wrong.append(f"asked for {address}")


Visit = Callable[[Served], Visitor]
