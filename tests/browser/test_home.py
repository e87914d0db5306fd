"""The home page: search, sort, filter, the strip, the keyboard, the lost connection."""

import re
import threading
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from bucketvault.vocabulary import Topic
from tests.browser.visiting import Gallery
from tests.pages import scenes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = "[...document.querySelectorAll('.backups .name')].map(one => one.textContent)"


def names(page: Page) -> list[str]:
    found: list[str] = page.evaluate(NAMES)
    return found


def shows(page: Page, expected: list[str]) -> None:
    """Wait until the list has these names, in this order."""
    page.wait_for_function(f"expected => {NAMES}.join() === expected.join()", arg=expected)


def test_search_filter_and_sort_stand_in_the_address(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.bad_rows()
    with gallery.visit("/") as seen:
        page = seen.page
        page.locator(".backups .name").first.wait_for()
        expect(page).to_have_title("(3) Backups · bucketvault")
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("-bad"))
        assert names(page)[:3] == ["Postgres dumps", "Product photos", "Invoices"]
        page.locator("body").press("/")
        page.keyboard.type("acme-p backblaze")
        shows(page, ["Postgres dumps", "Product photos"])
        assert page.url.endswith("/?q=acme-p+backblaze"), page.url
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Size").click()
        assert names(page)[0] == "Mail archive"
        page.get_by_role("button", name="Size").click()
        assert names(page)[0] == "Invoices"
        assert page.locator("[aria-sort=ascending]").inner_text() == "Size"
        page.get_by_role("button", name="Needs attention").click()
        shows(page, ["Invoices", "Postgres dumps", "Product photos"])
        assert page.url.endswith("/?show=need&sort=size"), page.url
        page.reload()
        shows(page, ["Invoices", "Postgres dumps", "Product photos"])
        page.get_by_label("Search backups").fill("nothing of the kind")
        page.get_by_text("No backup matches.").wait_for()
        page.get_by_role("button", name="Show all").click()
        page.wait_for_function(f"{NAMES}.length === 8")
        assert page.url.endswith("/?sort=size"), page.url


def test_a_change_leaves_search_and_order_as_they_are(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    with gallery.visit("/?show=good&sort=-name&q=acme") as seen:
        shown = ["Website assets", "Product photos", "Postgres dumps"]
        seen.page.wait_for_function(f"{NAMES}.length === 6")
        assert names(seen.page)[:3] == shown
        gallery.engine.rows = scenes.bad_rows()
        gallery.engine.live.publish(Topic.BACKUPS)
        shows(seen.page, ["Website assets", "Mail archive", "Customer uploads"])
        gallery.engine.rows = scenes.bad_rows()[:1]
        gallery.engine.live.publish(Topic.BACKUPS)
        shows(seen.page, ["Customer uploads"])


def test_the_switch_is_a_switch(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    with gallery.visit("/") as seen:
        switch = seen.page.get_by_role("switch", name="Schedule of Postgres dumps")
        assert switch.get_attribute("aria-checked") == "true"
        switch.focus()
        switch.press("Space")
        seen.page.get_by_text("Postgres dumps is paused").first.wait_for()
        off = [row.name for row in gallery.engine.rows if not row.enabled]
        assert off == ["Postgres dumps", "Server logs"], off
        seen.page.wait_for_function(
            "document.querySelectorAll('.switch[aria-checked=false]').length === 2"
        )


def test_a_strip_says_its_days_on_hover_and_by_the_arrow_keys(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.bad_rows()
    with gallery.visit("/") as seen:
        strip = seen.page.locator("day-strip").first
        assert "28 succeeded, 2 failed" in (strip.get_attribute("aria-label") or "")
        box = strip.bounding_box()
        seen.page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 10)
        tip = seen.page.locator(".strip-tip")
        assert tip.inner_text().endswith(": Failed"), tip.inner_text()
        seen.page.mouse.move(5, 5)
        tip.wait_for(state="hidden")
        seen.page.locator(".backups .name").first.focus()
        seen.page.keyboard.press("Tab")
        tip.wait_for()
        assert tip.inner_text().endswith(": Failed")
        seen.page.keyboard.press("ArrowLeft")
        assert tip.inner_text().endswith(": Succeeded"), tip.inner_text()
        seen.page.keyboard.press("Escape")
        tip.wait_for(state="hidden")


def test_a_lost_connection_is_said_and_nothing_seems_to_act(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    with gallery.visit("/") as seen:
        page = seen.page
        page.get_by_role("button", name="Run now: Postgres dumps").wait_for()
        seen.cut()
        bar = page.locator("#offline")
        bar.wait_for()
        time = page.locator("#server-time").inner_text().split(" ")[0]
        assert bar.inner_text() == (f"Not connected. Trying again. What you see is from {time}."), (
            bar.inner_text()
        )
        button = page.get_by_role("button", name="Run now: Postgres dumps")
        assert float(button.evaluate("one => getComputedStyle(one).opacity")) < 1
        button.click()
        page.get_by_role("button", name="Good").click()  # looking still works
        page.wait_for_function(f"{NAMES}.length === 6")
        seen.connect_again()
        bar.wait_for(state="hidden")
        page.wait_for_timeout(300)  # a press that had been kept would arrive now
        assert gallery.engine.queued == []
        button.click()
        page.get_by_text("Postgres dumps is queued.").first.wait_for()


def test_a_page_that_never_reached_its_server_says_so(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    with gallery.visit("/", deaf=True) as seen:
        bar = seen.page.locator("#offline")
        seen.page.get_by_text("Not connected", exact=True).wait_for()
        assert not seen.page.evaluate("window.did_handshake"), "it had reached it before"
        assert bar.inner_text().startswith("Not connected. Trying again."), bar.inner_text()
        seen.hear()
        seen.page.get_by_text("Connected", exact=True).wait_for()
        assert not bar.is_visible()
        assert seen.states() == ["Connecting", "Not connected", "Connected"], seen.states()


def test_five_hundred_rows_are_there_and_found(gallery: Gallery) -> None:
    base = scenes.bad_rows()
    gallery.engine.rows = [
        replace(base[number % 8], id=number + 1, name=f"Backup {number:03}")
        for number in range(500)
    ]
    with gallery.visit("/") as seen:
        seen.page.wait_for_function(f"{NAMES}.length === 500")
        seen.page.get_by_label("Search backups").fill("437")
        shows(seen.page, ["Backup 437"])


def test_nothing_is_wider_than_a_phone(gallery: Gallery) -> None:
    for rows in (scenes.bad_rows(), scenes.hostile_rows(), []):
        gallery.engine.rows = rows
        gallery.engine.steps = None if rows else scenes.steps()
        with gallery.visit("/", viewport={"width": 390, "height": 844}) as seen:
            seen.connected()
            wide = seen.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, wide


def test_what_is_cut_stands_whole_in_a_title(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.bad_rows()
    for width in (1440, 1100):
        with gallery.visit("/", viewport={"width": width, "height": 900}) as seen:
            seen.page.wait_for_function(f"{NAMES}.length === 8")
            cut = seen.page.evaluate(
                "[...document.querySelectorAll('.b-row :is(.clip, .pill, .place)')]"
                ".filter(one => one.scrollWidth > one.clientWidth)"
                ".map(one => [one.textContent, one.closest('[title]')?.title ?? ''])"
            )
            assert all(said in title for said, title in cut), cut
            assert width < 1440 or not cut, cut


def test_a_row_moves_while_it_runs(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    ending = threading.Event()
    with gallery.visit("/") as seen:
        bar = seen.page.locator(".c-live .bar > i")
        bar.wait_for(state="attached")
        before = bar.evaluate("one => one.style.width")
        growing = threading.Thread(target=gallery.engine.grow, args=(50, ending), daemon=True)
        growing.start()
        try:
            seen.page.wait_for_function(
                "before => document.querySelector('.c-live .bar > i').style.width !== before",
                arg=before,
            )
        finally:
            ending.set()
            growing.join()
