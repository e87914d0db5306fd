"""The gallery of made-up pages in a browser, in tabs that must stay clean."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import APIResponse, Browser, Page, Request, Route

from tests.pages.fake_engine import FakeEngine

ROWS = "[...document.querySelectorAll('.log-row')].filter(row => !row.hidden)"
CELLS = "row => [...row.children].map(cell => cell.textContent).filter(x => x).join(' | ')"


NONE_ABSENT = "!document.querySelector('.log-row.k-absent:not([hidden])')"
SAID_OF_A_LOSS = ("ERR_INTERNET_DISCONNECTED", "WebSocket connection")
PATIENCE_S = 30.0
DEAF = """
const may = new Promise((resolve) => { window.hear = resolve; });
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  get onmessage() { return super.onmessage; }
  set onmessage(heard) { super.onmessage = (said) => may.then(() => heard(said)); }
};
// what the page says of its connection, one after the other, however soon it is over
window.states = [];
new MutationObserver(() => {
  const all = [...document.querySelectorAll(".only-before, .only-on, .only-off")];
  const state = all.find((one) => one.getClientRects().length)?.textContent;
  if (state && state !== window.states.at(-1)) window.states.push(state);
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


class Held(list[tuple[Route, APIResponse]]):
    """Answers the server has given and the page has not heard."""

    def take(self, route: Route) -> None:
        self.append((route, route.fetch()))

    def release(self) -> None:
        """Let the page hear them, and wait until it has."""
        for route, answer in self:
            route.fulfill(response=answer)
            # one asked later is heard later
            route.request.frame.evaluate(
                "async address => await (await fetch(address)).text()", route.request.url
            )


class Visit:
    """One page in a tab that must stay clean: no error, no foreign request."""

    def __init__(
        self, browser: Browser, address: str, path: str, *, deaf: bool = False, **options: Any
    ) -> None:
        """If `deaf`, the page hears no word of the server before `hear`."""
        self.context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, **options}
        )
        if deaf:
            self.context.add_init_script(DEAF)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.api: list[str] = []
        self.frames: list[str] = []
        self.address = address
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        self.page.on("request", self._request)
        self.page.on("websocket", self._websocket)
        self.page.goto(address + path)
        self.page.wait_for_selector(".page")

    def _console(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.faults.append(f"console: {said.text}")

    def _request(self, asked: Request) -> None:
        if not asked.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"foreign request: {asked.url}")
        if "/api/" in asked.url:
            self.api.append(asked.url)

    def _websocket(self, socket: Any) -> None:
        def received(data: Any) -> None:
            text = data if isinstance(data, str) else bytes(data).decode(errors="replace")
            self.frames.append(text)

        socket.on("framereceived", received)

    def rows(self) -> list[str]:
        """The rows in view as soon as every one of them has arrived, cells parted by bars."""
        # in one look: between two, some may be absent again
        found = self.page.wait_for_function(
            f"{ROWS}.length > 0 && {NONE_ABSENT} && {ROWS}.map({CELLS})"
        )
        rows: list[str] = found.json_value()
        return rows

    def numbers(self) -> list[int]:
        return [int(row.split(" | ")[0].replace(",", "")) for row in self.rows()]

    def settle(self) -> None:
        """Until every row in view has arrived."""
        self.page.wait_for_function(f"{ROWS}.length > 0 && {NONE_ABSENT}")

    def focus(self) -> None:
        self.page.locator(".log-scroller").focus()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.settle()

    def wheel(self, times: int, by: int) -> None:
        """Turn the wheel over the log, `by` pixels each time."""
        self.page.locator(".log-scroller").scroll_into_view_if_needed()
        self.page.mouse.move(700, 500)
        for _ in range(times):
            self.page.mouse.wheel(0, by)

    def starts_with(self, wanted: int | range) -> None:
        """Until the first row in view is that line of the log, or one of them."""
        accepted = range(wanted, wanted + 1) if isinstance(wanted, int) else wanted
        self.becomes(lambda: self.numbers()[0] in accepted, self.numbers)

    def ends_with(self, wanted: int) -> None:
        """Until the last row in view is that line of the log."""
        self.becomes(lambda: self.numbers()[-1] == wanted, self.numbers)

    def becomes(
        self, look: Callable[[], object], shown: Callable[[], object] = lambda: "not in time"
    ) -> None:
        """Until `look` says yes; when it does not for too long, fails with what is `shown`."""
        deadline = time.monotonic() + PATIENCE_S
        while not look():
            if time.monotonic() > deadline:
                raise AssertionError(shown())
            self.page.wait_for_timeout(20)  # between two looks; lets the browser's events come in

    def hold(self, addresses: str) -> Held:
        """Keep the next answer of these addresses from the page until it is released."""
        held = Held()
        self.page.route(addresses, held.take, times=1)
        return held

    def connected(self) -> None:
        """Until the page and the server have greeted each other."""
        self.page.wait_for_function("window.did_handshake && window.socket.connected")

    def hear(self) -> None:
        """Let a deaf page hear what the server said, and says from now on."""
        self.page.evaluate("window.hear()")

    def states(self) -> list[str]:
        """Words of a deaf page about its connection since it was there."""
        states: list[str] = self.page.evaluate("window.states")
        return states

    def cut(self) -> None:
        """Lose the connection, as by a cable that is pulled out."""
        self.connected()  # a socket closed before it is open is not a lost one: nobody hears of it
        self.context.set_offline(True)
        self.page.evaluate("window.socket.io.engine.close()")

    def connect_again(self) -> None:
        """Plug it in again; what the browser said about the loss is no fault."""
        self.context.set_offline(False)
        self.connected()
        self.faults[:] = [
            fault for fault in self.faults if not any(said in fault for said in SAID_OF_A_LOSS)
        ]


@contextmanager
def visit(browser: Browser, address: str, path: str, **options: Any) -> Iterator[Visit]:
    made = Visit(browser, address, path, **options)
    try:
        yield made
        assert not made.faults, made.faults
    finally:
        made.context.close()


@dataclass(frozen=True)
class Gallery:
    """The server of made-up pages; `engine` is what it shows."""

    browser: Browser
    address: str
    engine: FakeEngine

    def visit(self, path: str, **options: Any) -> AbstractContextManager[Visit]:
        """A page in a tab of its own."""
        return visit(self.browser, self.address, path, **options)
