"""Times in the viewer's zone, what a curve says of a place, and the bar of what is not saved."""

import re

import pytest

from tests.browser.visiting import Gallery, Visit
from tests.pages import scenes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TIP = ".strip-tip:not([hidden])"
WIDTH = "document.querySelector('.page').clientWidth > 350"  # the drawer left


def test_times_tell_themselves_in_the_viewers_zone_by_mouse_keyboard_and_touch(
    gallery: Gallery,
) -> None:
    gallery.engine.rows = scenes.bad_rows()
    with gallery.visit("/backups/4", timezone_id="America/St_Johns", has_touch=True) as seen:
        page = seen.page
        zone = page.locator("time-zone")
        page.wait_for_function("document.querySelector('time-zone').dataset.more")
        assert re.fullmatch(
            r", now [345] h 30 min ahead of your clock", zone.get_attribute("data-more") or ""
        )

        page.locator(".verdict .sub").hover()
        said = page.locator(".verdict .sub").get_attribute("title") or ""
        assert re.match(r"Your time \(America/St_Johns\)\nEnded: \w{3} \d+ \w{3} \d{4}, ", said)

        page.locator("td a.link").first.focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert "Your time (America/St_Johns) " in page.locator(TIP).inner_text()

        page.locator("td time[title*=folder]").first.tap()
        page.wait_for_function(f"document.querySelector('{TIP}')?.textContent.includes('folder ')")

    with gallery.visit("/backups/4", timezone_id="Europe/Berlin") as seen:
        seen.page.locator(".verdict .sub").hover()
        assert not seen.page.locator(".verdict .sub").get_attribute("title")
        assert not zone_away(seen)


def test_a_field_that_is_refused_has_no_tick_beside_it(gallery: Gallery) -> None:
    with gallery.visit("/backups/7/edit") as seen:
        page = seen.page
        seen.connected()
        page.get_by_role("button", name="Check contents").last.click()
        page.locator(".there .glyph.st-ok").wait_for()

        page.locator("#field-destination_path").fill(".bucketvault-archive")
        page.get_by_role("button", name="Save", exact=True).click()
        page.locator(".field.wrong").first.wait_for()

        page.locator(".there .glyph.st-ok").wait_for(state="attached")  # of what was found there
        assert page.locator(".there .glyph.st-ok:visible").count() == 0


def zone_away(seen: Visit) -> str:
    return seen.page.locator("time-zone").get_attribute("data-more") or ""


def test_a_curve_says_and_marks_what_is_pointed_at(gallery: Gallery) -> None:
    with gallery.visit("/run/1", has_touch=True) as seen:
        curve = seen.page.locator(".pace small-curve")
        curve.focus()
        seen.page.keyboard.press("Home")
        assert seen.page.locator(TIP).inner_text() == "1 min 58 s ago: not measured"
        assert curve.locator(".curve-dot").is_hidden()
        seen.page.keyboard.press("End")
        assert re.fullmatch(r"now: \d+ MB/s", seen.page.locator(TIP).inner_text())
        assert curve.locator(".curve-dot").is_visible()
        seen.page.keyboard.press("Escape")
        curve.tap()
        assert re.fullmatch(r"(1 min )?\d+ s ago: \d+ MB/s", seen.page.locator(TIP).inner_text())

        seen.page.goto(f"{seen.address}/")
        seen.page.locator(".c-size small-curve").first.hover()
        assert re.fullmatch(r"\w{3} \d+ \w{3}: \d+ GB", seen.page.locator(TIP).inner_text())


def test_the_bar_stays_in_sight_on_a_phone_and_leaving_asks(gallery: Gallery) -> None:
    phone = {"viewport": {"width": 390, "height": 700}}
    with gallery.visit("/settings", **phone) as seen:
        page, asked = seen.page, []
        seen.connected()
        page.wait_for_function(WIDTH)
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        save = page.get_by_role("button", name="Save", exact=True)
        assert save.is_hidden()

        page.get_by_label("To", exact=True).fill("somebody@example.com")
        page.get_by_label("Unsaved changes").get_by_text("Email alerts").wait_for()

        for where in (0, 99_999):
            page.evaluate(f"scrollTo(0, {where})")
            bottom = "document.querySelector('.save-bar').getBoundingClientRect().bottom"
            page.wait_for_function(f"{bottom} <= innerHeight && {bottom} > innerHeight - 60")
        page.evaluate("document.querySelector('.nav a').click()")
        seen.becomes(lambda: asked == ["beforeunload"])
        assert page.url.endswith("/settings")

        save.focus()
        page.keyboard.press("Enter")
        save.wait_for(state="hidden")
        page.evaluate("document.querySelector('.nav a').click()")
        page.wait_for_url(f"{seen.address}/")
        assert asked == ["beforeunload"]
