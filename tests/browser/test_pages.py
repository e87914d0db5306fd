"""Checks of the pages that need a browser, over a made-up engine."""

import re
import threading
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from bucketvault.vocabulary import Topic, log_topic, run_topic
from tests.browser.visiting import Gallery
from tests.pages import sample_logs, scenes

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_hostile_lines_are_text(gallery: Gallery) -> None:
    for path in ("/run/10", "/", "/backups/1"):
        gallery.engine.rows = scenes.hostile_rows()
        with gallery.visit(path) as seen:
            seen.connected()
            if path.startswith("/run"):
                seen.settle()
                assert "<script>document.title='owned'" in seen.rows()[0]
            seen.page.wait_for_timeout(300)  # what a script of theirs would need
            assert "owned" not in seen.page.title()
            assert seen.page.locator(".page script, .page img, .page b:has(*)").count() == 0
    gallery.engine.rows = scenes.good_rows()


def test_the_home_page_moves_by_itself(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    with gallery.visit("/") as seen:
        seen.page.get_by_text("All good. All backups").wait_for()
        gallery.engine.rows = scenes.bad_rows()
        gallery.engine.live.publish(Topic.BACKUPS)
        seen.page.get_by_text("3 of 7 backups need attention.").wait_for()
        button = seen.page.get_by_role("button", name="Run now: Customer uploads")
        button.click()
        seen.page.get_by_text("Customer uploads is queued.").first.wait_for()
        assert gallery.engine.queued == [1], gallery.engine.queued
        ending = threading.Event()
        growing = threading.Thread(target=gallery.engine.grow, args=(50, ending), daemon=True)
        growing.start()
        bar = seen.page.locator(".c-live .bar > i")
        widths: set[str | None] = set()

        def widths_seen() -> int:
            widths.add(bar.get_attribute("style"))
            return len(widths)

        try:
            seen.becomes(lambda: widths_seen() >= 3)
        finally:
            ending.set()
            growing.join()
    gallery.engine.rows = scenes.good_rows()


def test_a_theme_is_chosen_and_remembered_and_keys_lead_from_page_to_page(gallery: Gallery) -> None:
    gallery.engine.rows = scenes.good_rows()
    with gallery.visit("/") as seen:
        page = seen.page
        page.emulate_media(color_scheme="light")
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Show or hide these keys")
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("h")
        page.wait_for_url("**/health")
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))
        expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="System").click()
        expect(page.locator("body")).to_have_class(re.compile("body--light"))
        page.emulate_media(color_scheme="dark")
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))


def test_stop_asks_first(gallery: Gallery) -> None:
    with gallery.visit("/run/1") as seen:
        seen.page.get_by_role("button", name="Stop", exact=True).click()
        seen.page.get_by_text("Stop the run of Video masters?").wait_for()
        assert gallery.engine.stopped == []
        seen.page.get_by_role("button", name="Cancel").click()
        seen.page.locator(".card.dialog").wait_for(state="hidden")
        assert gallery.engine.stopped == []
        seen.page.get_by_role("button", name="Stop", exact=True).click()
        seen.page.get_by_role("button", name="Stop this run").click()
        seen.page.get_by_text("Stopping: waiting for rclone to end").wait_for()
        assert gallery.engine.stopped == [1]
    gallery.engine.runs[1] = scenes.live_run()
    gallery.engine.stopped.clear()


def test_a_held_run_is_reviewed_and_approved(gallery: Gallery) -> None:
    gallery.engine.logs[6] = sample_logs.long_log(2000)
    with gallery.visit("/run/6") as seen:
        seen.settle()
        seen.starts_with(1)  # what would change is read from its first line on
        seen.page.get_by_role("heading", name="What it would change").wait_for()
        assert seen.page.get_by_role("button", name="First error").count() == 0
        for _ in range(40):  # the keyboard reaches the decision
            seen.page.keyboard.press("Tab")
            if seen.page.locator("a:focus", has_text="Review").count():
                break
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_function("log.getBoundingClientRect().top < 80")
        seen.page.get_by_role("button", name="Approve this run").focus()
        seen.page.keyboard.press("Enter")
        seen.page.get_by_text("Product photos: remove 625 and replace 9 objects").wait_for()
        assert gallery.engine.approved == []
        seen.page.get_by_role("button", name="Approve and run").click()
        seen.page.wait_for_url("**/run/5")
        assert gallery.engine.approved == [6]


def test_a_run_that_becomes_held_shows_its_first_line(gallery: Gallery) -> None:
    with gallery.visit("/run/15") as seen:
        seen.page.get_by_text(
            "Looking: 120,000 at the source, 118,000 at the destination"
        ).wait_for()
        gallery.engine.logs[15] = sample_logs.long_log(2000)
        gallery.engine.runs[15] = scenes.held_run(id=15)
        gallery.engine.live.publish(run_topic(15), log_topic(15))
        seen.page.get_by_role("heading", name="What it would change").wait_for()
        seen.starts_with(1)


def test_kept_versions_come_late_and_the_text_is_downloaded(gallery: Gallery) -> None:
    gallery.engine.kept_may_come.clear()
    with gallery.visit("/backups/4") as seen:
        seen.page.locator(".skeleton").first.wait_for()
        gallery.engine.kept_may_come.set()
        seen.page.get_by_text("16 objects, 7.50 GB").wait_for()
        assert seen.page.locator(".kept tbody tr").count() == 5
        with seen.page.expect_download() as got:
            seen.page.get_by_text("RESTORE.txt: how to restore").click()
            seen.page.get_by_role("link", name="RESTORE.txt").click()
        assert got.value.suggested_filename == "RESTORE.txt"


def test_a_day_is_found_copied_and_downloaded_by_keyboard(gallery: Gallery) -> None:
    with gallery.visit("/backups/4") as seen:
        seen.page.get_by_label("Part of a name").fill("2026/")
        seen.page.keyboard.press("Enter")
        seen.page.get_by_role("button", name="Choose 2026/").press("Enter")
        seen.page.get_by_role("button", name="Make the script").press("Enter")
        copy = seen.page.get_by_role("button", name="Copy rclone.conf")
        copy.press("Enter")
        seen.page.get_by_role("button", name="Copied rclone.conf").wait_for()
        with seen.page.expect_download() as got:
            seen.page.get_by_role("link", name="Download", exact=True).press("Enter")
        assert got.value.suggested_filename.endswith(".sh")
        assert b"2026/invoice-2.pdf\n" in got.value.path().read_bytes()


def test_a_phone_scrolls_and_does_not_overflow(gallery: Gallery) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    pages = ("/", "/run/1", "/run/2", "/run/6", "/run/8", "/run/10", "/run/13", "/backups/4")
    for path in pages:
        with gallery.visit(path, **phone) as seen:
            seen.connected()
            wide = seen.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, (path, wide)
            if path == "/run/8":
                seen.settle()
                high = seen.page.evaluate(
                    "document.querySelector('.log-row').getBoundingClientRect().height"
                )
                assert high == 46, high
    for width in (390, 360):
        with gallery.visit("/run/6", viewport={"width": width, "height": 740}) as seen:
            seen.settle()
            cut = seen.page.evaluate(
                "[...document.querySelectorAll("
                "'.log-row:not([hidden]) .text, .log-card > header > .num')]"
                ".filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
            )
            assert not cut, (width, cut)


def test_a_question_leaves_the_page_as_it_was(gallery: Gallery) -> None:
    with gallery.visit("/run/1") as seen:
        card = seen.page.locator("section.verdict")
        seen.connected()
        seen.settle()
        before = card.bounding_box()
        seen.page.get_by_role("button", name="Stop", exact=True).click()
        seen.page.get_by_role("button", name="Cancel").click()
        seen.page.locator(".card.dialog").wait_for(state="hidden")
        assert card.bounding_box() == before
        head = seen.page.locator(".page .head").bounding_box()
        assert before["y"] - head["y"] - head["height"] <= 24, (head, before)


def test_what_has_the_keyboard_keeps_it_while_the_page_moves(gallery: Gallery) -> None:
    for path, held, move, moved in (
        ("/providers", ".entry a.btn", move_a_provider, "moved.example"),
        ("/storages", ".entry button", move_a_storage, "Moved here"),
        ("/backups/1", ".runs a.link", move_a_backup, "Moved here"),
        ("/health", "td a.link", move_a_figure, "777 MB"),
    ):
        with gallery.visit(path) as seen:
            seen.connected()
            seen.page.locator(held).first.focus()
            seen.page.evaluate("document.activeElement.held = true")
            move(gallery)
            seen.page.get_by_text(moved).first.wait_for()
            assert seen.page.evaluate("document.activeElement.held === true"), path


def move_a_provider(gallery: Gallery) -> None:
    providers = gallery.engine.providers.all
    providers[2] = replace(providers[2], address="moved.example")
    gallery.engine.live.publish(Topic.CATALOGUE)


def move_a_storage(gallery: Gallery) -> None:
    storages = gallery.engine.providers.all_storages
    storages[2] = replace(storages[2], display_name="Moved here")
    gallery.engine.live.publish(Topic.CATALOGUE)


def move_a_backup(gallery: Gallery) -> None:
    gallery.engine.rows = [
        replace(row, name="Moved here") if row.id == 1 else row for row in gallery.engine.rows
    ]
    gallery.engine.live.publish(Topic.BACKUPS)


def move_a_figure(gallery: Gallery) -> None:
    well = gallery.engine.health.look()
    first, *others = well.copying
    moved = replace(first, memory_bytes=777_000_000)
    gallery.engine.health.found = replace(well, copying=(moved, *others))


def test_the_keyboard_reaches_everything(gallery: Gallery) -> None:
    with gallery.visit("/") as seen:
        seen.connected()
        names = []
        for _ in range(40):
            seen.page.keyboard.press("Tab")
            names.append(
                seen.page.evaluate(
                    "document.activeElement.getAttribute('aria-label') "
                    "|| document.activeElement.textContent.trim()"
                )
            )
        assert names[0] == "Skip to content", names
        assert any(name.startswith("Run now: ") for name in names), names


def test_a_press_before_the_page_is_connected_comes_after_what_was_typed(gallery: Gallery) -> None:
    typed = {
        "Name": "Mine",
        "Endpoint": "https://s3.example.com",
        "Access key ID": "AKIAEXAMPLE000000001",
        "Secret access key": "example-secret-0001",
    }
    saved = gallery.engine.providers.saved
    for turn in range(3):  # in which order things are sent then is chance
        with gallery.visit("/providers/new?kind=s3_compatible", deaf=True) as seen:
            for label, value in typed.items():
                seen.page.get_by_label(label, exact=True).fill(value)
            seen.page.get_by_role("button", name="Save", exact=True).click()
            seen.hear()
            seen.page.wait_for_url("**/providers/1")
            seen.hear()
            seen.connected()
        given, _ = saved[turn]
        assert (
            given.name,
            given.endpoint,
            given.access_key_id,
            given.secret_access_key,
        ) == tuple(typed.values()), given


def test_a_form_on_a_phone_goes_to_what_is_wrong(gallery: Gallery) -> None:
    phone = {"viewport": {"width": 390, "height": 844}}
    with gallery.visit("/providers/new?kind=backblaze_b2", **phone) as seen:
        page = seen.page
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_function("document.activeElement.id === 'field-name'")
        page.wait_for_function("document.activeElement.getBoundingClientRect().top > 0")


def test_escape_leaves_a_question_as_cancel_does(gallery: Gallery) -> None:
    gallery.engine.runs[1] = scenes.live_run()
    with gallery.visit("/run/1") as seen:
        stop = seen.page.get_by_role("button", name="Stop", exact=True)
        stop.click()
        seen.page.locator(".card.dialog").wait_for()
        seen.page.mouse.click(5, 5)
        seen.page.wait_for_timeout(200)  # it would go away in that time
        assert seen.page.locator(".card.dialog").is_visible()
        seen.page.keyboard.press("Escape")
        seen.page.locator(".card.dialog").wait_for(state="hidden")
        assert stop.is_enabled()


def test_the_navigation_opens_on_a_phone(gallery: Gallery) -> None:
    with gallery.visit("/", viewport={"width": 390, "height": 844}, has_touch=True) as seen:
        link = "document.querySelector('.nav a').getBoundingClientRect()"
        seen.page.wait_for_function(f"!{link}.width || {link}.x < 0")
        seen.page.get_by_role("button", name="Open navigation").click()
        seen.page.wait_for_function(f"{link}.width && {link}.x > 0")
        assert seen.page.get_by_role("button", name="Sign out").is_visible()
