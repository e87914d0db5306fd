"""The log viewer, over a made-up engine."""

import threading
import time
from collections import defaultdict
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from bucketvault.vocabulary import RunStatus, Topic, log_topic, run_topic
from tests.browser.visiting import ROWS, Gallery
from tests.pages import sample_logs, scenes

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def make_lines(gallery: Gallery, total: int) -> None:
    """Let the log of run 1 grow to so many lines."""
    lines = gallery.engine.logs[1]
    lines += [
        sample_logs.log_line(number, object=f"made/{number}", size=1)
        for number in range(len(lines), total)
    ]
    gallery.engine.live.publish(log_topic(1))


def end_run_1(gallery: Gallery, total: int) -> None:
    """Let run 1 end with so many lines in its log."""
    gallery.engine.runs[1] = replace(
        gallery.engine.runs[1], status=RunStatus.SUCCESS, finished_at=scenes.now(), exit_code=0
    )
    make_lines(gallery, total)
    gallery.engine.live.publish(run_topic(1), Topic.BACKUPS)


def test_a_long_log_is_held_by_few_rows(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        rows = seen.page.evaluate("document.querySelectorAll('.log-row').length")
        below = seen.page.evaluate("document.querySelectorAll('.log *').length")
        assert rows < 60 and below < 300, (rows, below)
        seen.ends_with(99_000)


def test_home_end_pages_and_arrows_walk_through_the_log(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        seen.focus()
        seen.press("Home")
        seen.starts_with(1)
        page = len(seen.numbers())
        seen.press("ArrowDown")
        seen.starts_with(2)
        seen.press("PageDown")
        seen.starts_with(range(page - 2, page + 2))
        seen.press("PageUp")
        seen.starts_with(2)
        seen.press("G")
        seen.ends_with(99_000)
        seen.press("g")
        seen.starts_with(1)
        for key in ("End", "Home", "End", "Home"):
            seen.press(key)


def test_the_wheel_is_exact(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        seen.focus()
        seen.press("Home")
        seen.starts_with(1)
        seen.wheel(30, 180)
        seen.starts_with(1 + 30 * 180 // 24)
        seen.wheel(5, -24)
        seen.starts_with(1 + 30 * 180 // 24 - 5)


def test_dragging_the_bar_reaches_the_middle(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        seen.page.evaluate(
            "() => { const s = document.querySelector('.log-scroller'); "
            "s.scrollTop = (s.scrollHeight - s.clientHeight) / 2 }"
        )
        seen.starts_with(range(49_500 - 40, 49_500 + 40))


def test_a_million_lines_keep_their_places(gallery: Gallery) -> None:
    base = gallery.engine.logs[8]
    gallery.engine.logs[12] = base * 10
    gallery.engine.runs[12] = replace(gallery.engine.runs[8], id=12)
    gallery.engine.log_counts(12)  # made up here; a real log brings its kinds with it
    with gallery.visit("/run/12") as seen:
        seen.settle()
        seen.ends_with(990_000)
        seen.focus()
        seen.press("Home")
        seen.starts_with(1)
        seen.press("ArrowDown")
        seen.press("ArrowDown")
        seen.starts_with(3)
        seen.wheel(10, 240)
        seen.starts_with(103)
        seen.press("End")
        seen.ends_with(990_000)
    del gallery.engine.logs[12]


def test_filters_keep_the_promises_of_the_viewer(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        seen.page.get_by_role("button", name="Errors 1").click()
        seen.becomes(lambda: seen.numbers() == [70_000 - 700 + 1], seen.numbers)
        seen.page.get_by_text("1 of 99,000 lines").wait_for()
        seen.page.locator(".log-row:not([hidden]) .text").click()
        seen.page.get_by_role("button", name="All", exact=True).click()
        seen.page.wait_for_selector(".log-row.hit:not([hidden])")
        around = 70_000 - 700 + 1
        seen.becomes(lambda: around in seen.numbers() and len(seen.numbers()) > 1, seen.numbers)
        changes = seen.page.get_by_role("button", name="Changes 98,999")
        changes.click()
        seen.becomes(lambda: changes.get_attribute("aria-pressed") == "true")
        seen.focus()
        seen.press("End")
        seen.ends_with(99_000)
        seen.press("Home")
        seen.starts_with(1)
        assert seen.page.locator(".log-row").count() < 200
    with gallery.visit("/run/1") as seen:
        seen.settle()
        tile = seen.page.get_by_role("button", name="Errors 0 none so far")
        tile.click()
        seen.page.get_by_text("No such lines yet.").wait_for()
        seen.becomes(lambda: tile.get_attribute("aria-pressed") == "true")
        line = sample_logs.log_line(9, "Failed to copy: no", "error", object="late/bad")
        gallery.engine.logs[1] += [line, sample_logs.log_line(9, object="late/good", size=1)]
        gallery.engine.live.publish(log_topic(1))
        seen.page.get_by_text("late/bad").wait_for()
        assert len(seen.numbers()) == 1
        tile.click()
        seen.page.get_by_text("late/good").wait_for()


def test_enter_opens_and_arrows_walk(gallery: Gallery) -> None:
    with gallery.visit("/run/2") as seen:
        seen.settle()
        seen.focus()
        seen.press("Home")
        seen.starts_with(1)
        seen.press("Enter")
        seen.page.locator(".log-whole pre").wait_for()
        seen.press("ArrowDown")
        seen.page.locator(".log-whole pre", has_text="latest.json").wait_for()
        seen.press("Escape")
        seen.page.locator(".log-whole").wait_for(state="detached")
        for inside in ("pre", "[title^=Close]"):
            seen.press("Enter")
            seen.page.locator(f".log-whole {inside}").press("Escape")
            seen.page.locator(".log-whole").wait_for(state="detached")


def test_progress_lines_come_when_asked_for(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        shows = seen.page.get_by_role("button", name="Progress", exact=True)
        shows.click()
        seen.page.locator(".log-row.k-progress:not([hidden])").first.wait_for()
        seen.page.get_by_text("100,000 lines").wait_for()
        shows.click()
        seen.ends_with(99_000)
        assert seen.page.locator(".log-row.k-progress:not([hidden])").count() == 0


def test_followers_get_lines_over_the_websocket(gallery: Gallery) -> None:
    from bucketvault.pages.run.log import LogView

    ending, grew = threading.Event(), LogView.grew
    calls: defaultdict[LogView, list[float]] = defaultdict(list)

    def noted(view: LogView, news: dict[str, Any]) -> None:
        # here, and not in the browser: a busy one gets many messages at once
        calls[view].append(time.monotonic())
        grew(view, news)

    with gallery.visit("/run/1") as seen, patch.object(LogView, "grew", noted):
        seen.settle()
        before_end = seen.numbers()[-1]
        growing = threading.Thread(target=gallery.engine.grow, args=(2000, ending), daemon=True)
        growing.start()
        seen.becomes(lambda: seen.numbers()[-1] > before_end + 1000, seen.numbers)
        seen.api.clear()
        seen.frames.clear()
        seen.becomes(lambda: seen.numbers()[-1] > before_end + 9000, seen.numbers)
        frames = sum("grew" in text for text in seen.frames)
        assert not seen.api, seen.api[:3]
        assert frames > 0
        for each in list(calls.values()):  # pages that were closed just now hear it, too
            assert len(each) <= 10 * (each[-1] - each[0]) + 2, each
        seen.focus()
        seen.press("Home")
        seen.starts_with(1)
        told = len(seen.frames)
        seen.becomes(lambda: len(seen.frames) > told + 5)
        assert seen.numbers()[0] == 1, "scrolled back stays where it is"
        follow = seen.page.get_by_role("switch", name="Follow the end of the log")
        assert follow.get_attribute("aria-checked") == "false"
        follow.click()
        seen.becomes(lambda: seen.numbers()[-1] > before_end + 9000, seen.numbers)
        first = seen.numbers()[-1]
        seen.becomes(lambda: seen.numbers()[-1] > first, seen.numbers)
        ending.set()
        growing.join()
        end_run_1(gallery, len(gallery.engine.logs[1]))
        seen.page.get_by_text("Succeeded:").wait_for()
        seen.page.wait_for_function("!document.querySelector('.log-card [aria-label^=Follow]')")
        seen.ends_with(len(gallery.engine.logs[1]))
        gallery.engine.runs[1] = scenes.live_run()


def test_a_short_log_grows_without_a_request(gallery: Gallery) -> None:
    gallery.engine.logs[1] = []
    gallery.engine.live.publish(log_topic(1))
    with gallery.visit("/run/1") as seen:
        seen.connected()
        seen.api.clear()
        for lines in (1, 11, 14):  # the pane grows with them
            gallery.engine.logs[1] += [
                sample_logs.log_line(number, object=f"few/{number}", size=1)
                for number in range(len(gallery.engine.logs[1]), lines)
            ]
            gallery.engine.live.publish(log_topic(1))
            seen.page.wait_for_function(f"{ROWS}.length === {lines}")
            seen.ends_with(lines)
        assert not seen.api, seen.api


def test_a_log_that_shrank_is_read_anew(gallery: Gallery) -> None:
    with gallery.visit("/run/1") as seen:
        seen.settle()
        del gallery.engine.logs[1][30:]
        gallery.engine.live.publish(log_topic(1))
        seen.ends_with(30)
        assert "A003_C029" in seen.rows()[-1]


def test_a_late_answer_does_not_cut_the_log(gallery: Gallery) -> None:
    with gallery.visit("/run/1") as seen:
        make_lines(gallery, 200)
        seen.ends_with(200)
        seen.page.reload()
        seen.settle()
        seen.connected()
        seen.focus()
        scrolled = seen.hold("**/api/runs/1/log?*")
        seen.page.keyboard.press("Home")
        seen.becomes(lambda: scrolled)
        make_lines(gallery, 250)
        seen.page.get_by_text("250 lines").wait_for()
        end_run_1(gallery, 300)
        seen.page.get_by_text("300 lines").wait_for()
        scrolled.release()
        seen.starts_with(1)
        seen.page.get_by_text("300 lines").wait_for()
        seen.press("End")
        seen.ends_with(300)
    gallery.engine.reset()
    with gallery.visit("/run/1") as seen:
        seen.settle()
        seen.connected()
        looked = seen.hold("**/api/runs/1/log?*")
        seen.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        seen.becomes(lambda: looked)
        make_lines(gallery, 60)
        seen.ends_with(60)
        looked.release()
        seen.page.get_by_text("60 lines").wait_for()
        seen.ends_with(60)


def test_a_follower_keeps_only_what_is_near(gallery: Gallery) -> None:
    with gallery.visit("/run/1") as seen:
        seen.settle()
        seen.connected()
        seen.api.clear()
        kept = seen.page.evaluate(
            """() => {
                const view = getElement(document.querySelector('.log-card').id.slice(1));
                const kept = [];
                for (let total = 60; total <= 30_000; total += 60) {
                    const rows = Array.from({ length: 60 }, (_, place) => ({
                        number: total - 60 + place, time: '', kind: 'new',
                        object: 'made/' + (total - 60 + place), text: 'copied (new)',
                    }));
                    view.grew({
                        lines: total, totals: { '': total }, size: '1 MB', growing: true,
                        progress: false, only: '', again: false, start: total - 60, rows,
                    });
                    kept.push(view.cache.size);
                }
                return kept;
            }"""
        )
        assert max(kept) <= 3000, max(kept)
        seen.ends_with(30_000)
        assert not seen.api, seen.api


def test_a_cut_connection_heals(gallery: Gallery) -> None:
    with gallery.visit("/run/1") as seen:
        seen.settle()
        seen.cut()
        seen.page.wait_for_selector("#popup[aria-hidden=false]", state="attached")
        seen.page.locator("#offline").wait_for()
        for number in range(100, 120):
            line = sample_logs.log_line(number, object=f"while/away/{number}", size=5)
            gallery.engine.logs[1].append(line)
        gallery.engine.live.publish(log_topic(1))
        seen.page.wait_for_timeout(500)  # nothing can come meanwhile: nobody could wait for it
        assert "while/away" not in seen.rows()[-1]
        seen.connect_again()
        seen.page.wait_for_selector("#popup[aria-hidden=true]", state="attached")
        seen.page.wait_for_function(ROWS + ".at(-1)?.textContent.includes('while/away/119')")
