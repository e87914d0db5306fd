"""A tab of a real browser that must stay clean. For browser checks only."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Request

ROWS = "[...document.querySelectorAll('.log-row')].filter(row => !row.hidden)"
READ = (
    ROWS + ".map(row => [...row.children].map(cell => cell.textContent).filter(x => x).join(' | '))"
)


class Visit:
    """One page in a tab that must stay clean: no error, no foreign request."""

    def __init__(self, browser: Browser, address: str, path: str, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, **options}
        )
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.api: list[str] = []
        self.frames: list[tuple[float, str]] = []
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
            self.frames.append((time.monotonic(), text))

        socket.on("framereceived", received)

    def rows(self) -> list[str]:
        found: list[str] = self.page.evaluate(READ)
        return found

    def numbers(self) -> list[int]:
        return [int(row.split(" | ")[0].replace(",", "")) for row in self.rows()]

    def settle(self) -> None:
        """Until every row in view has arrived."""
        self.page.wait_for_function(
            ROWS + ".length > 0 && !document.querySelector('.log-row.k-absent:not([hidden])')"
        )

    def focus(self) -> None:
        self.page.locator(".log-scroller").focus()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(40)
        self.settle()


@contextmanager
def visit(browser: Browser, address: str, path: str, **options: Any) -> Iterator[Visit]:
    made = Visit(browser, address, path, **options)
    try:
        yield made
        assert not made.faults, made.faults
    finally:
        made.context.close()
