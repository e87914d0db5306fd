"""axe-core over every page of the gallery, in light, in dark and on a phone."""

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.visiting import Gallery
from tests.pages.gallery import pages, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SERIOUS = ("serious", "critical")
SCREEN = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PAGES = {name: (scene, path) for name, scene, path in pages()}


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all pages: what a browser has seen it shows sooner."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(gallery: Gallery, tab: Page, name: str) -> None:
    scene, path = PAGES[name]
    if scene:
        urllib.request.urlopen(gallery.address + scene).read()
    tab.emulate_media(color_scheme="light", reduced_motion="reduce")
    tab.set_viewport_size(SCREEN)
    tab.goto(gallery.address + path)
    tab.wait_for_selector(".greeted .page")
    press(tab, name)

    found = list(judged(tab, "light", {}))
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_selector("body.body--dark")
    found += judged(tab, "dark", {"runOnly": ["color-contrast"]})
    tab.set_viewport_size(PHONE)
    tab.wait_for_function("document.querySelector('.page').clientWidth > 350")  # the drawer left
    found += judged(tab, "phone", {})

    assert not found


def judged(page: Page, way: str, options: dict[str, Any]) -> Iterator[str]:
    """The findings on what the page shows now."""
    # what axe did not object to would come with every element it looked at
    told = Axe().run(page, options=options | {"resultTypes": ["violations"]})
    for violation in told.response["violations"]:
        if violation["impact"] not in SERIOUS:
            continue
        nodes = violation["nodes"]
        where = "; ".join(node["html"][:160] for node in nodes[:3])
        more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
        yield f"{way}: {violation['id']}: {violation['help']}: {where}{more}"
