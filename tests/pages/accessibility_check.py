"""axe-core over every page of the gallery, in light, in dark and on a phone.

`python -m tests.pages.accessibility_check [part of a page's name]` prints each serious finding and
ends with 1 when there is one.
"""

import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.pages import fake_engine
from tests.pages.gallery import CHROMIUM, CHROMIUM_ARGS, pages, press, serving

SERIOUS = ("serious", "critical")
SCREEN = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def findings(page: Page, address: str, name: str, scene: str, path: str) -> Iterator[str]:
    """What axe calls serious or critical on one page, a line each."""
    if scene:
        urllib.request.urlopen(address + scene).read()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(SCREEN)
    page.goto(address + path)
    page.wait_for_selector(".greeted .page")
    press(page, name)
    yield from judged(page, "light", {})
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("body.body--dark")
    yield from judged(page, "dark", {"runOnly": ["color-contrast"]})
    page.set_viewport_size(PHONE)
    page.wait_for_function("document.querySelector('.page').clientWidth > 350")  # the drawer left
    yield from judged(page, "phone", {})


def judged(page: Page, way: str, options: dict[str, Any]) -> Iterator[str]:
    """The findings on what the page shows now."""
    for violation in Axe().run(page, options=options).response["violations"]:
        if violation["impact"] not in SERIOUS:
            continue
        nodes = violation["nodes"]
        where = "; ".join(node["html"][:160] for node in nodes[:3])
        more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
        yield f"{way}: {violation['id']}: {violation['help']}: {where}{more}"


def main() -> int:
    """The command: 1 when there is a serious finding."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    with (
        serving(fake_engine.FakeEngine()) as (address, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page()
        found = [
            f"{name}, {line}"
            for name, scene, path in pages()
            if wanted in name
            for line in findings(page, address, name, scene, path)
        ]
        browser.close()
    print("\n".join(found) or "axe found nothing serious")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
