"""axe-core over every page of the gallery, in light, in dark and on a phone; nothing is cut off."""

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.visiting import Gallery
from tests.pages.gallery import pages, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINES = 3  # of a long name, before it is cut
# Text that has less room than it needs: cut at the side, or below where there are fewer lines. Not
# what is hidden from eyes on purpose (1 px wide), nor what scrolls.
CUT_OFF = """lines => [...document.querySelectorAll("body *")].filter(each => {
  const style = getComputedStyle(each);
  const own = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || !each.getClientRects().length || each.clientWidth < 2) return false;
  if (each.closest(".log, .code, .q-drawer, .skip, .unseen, .q-field__native")) return false;
  const clamped = style.webkitLineClamp !== "none";
  const cut = style.overflowX === "hidden" && each.scrollWidth > each.clientWidth + 1;
  const low = style.overflowY === "hidden" && each.scrollHeight > each.clientHeight + 2;
  const full = clamped && each.clientHeight > (lines - .5) * parseFloat(style.lineHeight);
  return (cut || low) && !full;
}).map(each => each.outerHTML.slice(0, 160))"""
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
def test_axe_finds_nothing_and_nothing_is_cut_off(gallery: Gallery, tab: Page, name: str) -> None:
    scene, path = PAGES[name]
    if scene:
        urllib.request.urlopen(gallery.address + scene).read()
    tab.emulate_media(color_scheme="light", reduced_motion="reduce")
    tab.set_viewport_size(SCREEN)
    tab.goto(gallery.address + path)
    tab.wait_for_selector(".greeted .page")
    press(tab, name)

    found = [*judged(tab, "light", {}), *cut_off(tab, "light")]
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_selector("body.body--dark")
    found += judged(tab, "dark", {"runOnly": ["color-contrast"]})
    tab.set_viewport_size(PHONE)
    tab.wait_for_function("document.querySelector('.page').clientWidth > 350")  # the drawer left
    found += [*judged(tab, "phone", {}), *cut_off(tab, "phone")]

    assert not found


def cut_off(page: Page, way: str) -> Iterator[str]:
    """Text that is cut off on the page as it is now."""
    for each in page.evaluate(CUT_OFF, LINES):
        yield f"{way}: cut off: {each}"


def judged(page: Page, way: str, options: dict[str, Any]) -> Iterator[str]:
    """The findings on what the page shows now."""
    # what axe did not object to would come with every element it looked at
    told = Axe().run(page, options=options | {"resultTypes": ["violations"]})
    for violation in told.response["violations"]:
        nodes = violation["nodes"]
        where = "; ".join(node["html"][:160] for node in nodes[:3])
        more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
        yield f"{way}: {violation['id']}: {violation['help']}: {where}{more}"
