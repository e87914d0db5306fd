"""What the programs of browser checks share: one method a check, over the gallery's server."""

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.pages import fake_engine
from tests.pages.gallery import CHROMIUM, CHROMIUM_ARGS, serving
from tests.pages.visiting import visit


class BrowserChecks:
    """One method `check_...` a check; `engine` is what the server shows."""

    def __init__(self, browser: Browser, address: str, engine: fake_engine.FakeEngine) -> None:
        self.browser, self.address, self.engine = browser, address, engine

    def visit(self, path: str, **options: Any) -> Any:
        return visit(self.browser, self.address, path, **options)

    def nothing_is_left(self) -> None:
        """Pages that are gone take their listeners with them."""
        deadline = time.monotonic() + 60
        while self.engine.live._subscribers and time.monotonic() < deadline:
            time.sleep(0.25)  # between two looks, until the deadline
        assert not self.engine.live._subscribers, {
            topic: len(calls) for topic, calls in self.engine.live._subscribers.items()
        }


def run(kind: type[BrowserChecks]) -> int:
    """Run the checks of `kind` whose name holds the first argument: 1 when one failed."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    failed = 0
    with (
        serving(fake_engine.FakeEngine()) as (address, engine),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        checks = kind(browser, address, engine)
        named = [name for name in vars(kind) if name.startswith("check_") and wanted in name]
        for name in [*named, "nothing_is_left"]:
            print(name.removeprefix("check_").replace("_", " "), flush=True)
            check: Callable[[], None] = getattr(checks, name)
            engine.reset()
            try:
                check()
            except Exception:
                failed += 1
                traceback.print_exc()
        browser.close()
    return 1 if failed else 0
