"""Searching, selecting, copying and wrapping in the log viewer, over a made-up engine."""

import re

import pytest
from playwright.sync_api import Locator

from bucketvault.vocabulary import log_topic
from tests.browser.visiting import ROWS, Gallery, Visit
from tests.pages import sample_logs

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def hit_holds(seen: Visit, text: str) -> None:
    """Until the match that is shown holds this."""
    seen.page.locator(".log-row.hit:not([hidden])", has_text=text).wait_for()


def says(seen: Visit, words: str) -> None:
    """Until this stands beside what is searched."""
    seen.page.locator(
        ".find [role=status]", has_text=re.compile(f"^{re.escape(words)}$")
    ).wait_for()


def test_search_and_first_error_find_a_line_that_opens_whole(gallery: Gallery) -> None:
    with gallery.visit("/run/8") as seen:
        seen.settle()
        seen.page.get_by_role("button", name="First error").click()
        seen.page.wait_for_selector(".log-row.hit:not([hidden])")
        seen.settle()
        hit = seen.page.locator(".log-row.hit:not([hidden])")
        assert "the needle" in (hit.text_content() or "")
        number = (hit.locator(".number").text_content() or "").replace(",", "")
        assert int(number) == 70_000 - 700 + 1, number
        hit.locator(".text").click()
        whole = seen.page.locator(".log-whole pre")
        whole.wait_for()
        seen.page.wait_for_function(
            "document.querySelector('.log-whole').getBoundingClientRect().top < innerHeight"
        )
        seen.page.wait_for_function(
            "document.querySelector('.log-whole pre').textContent.length > 6000"
        )
        seen.page.get_by_role("button", name="Close the line").click()
        seen.page.locator(".log-whole").wait_for(state="detached")


def test_a_search_counts_and_marks_as_one_types(gallery: Gallery) -> None:
    gallery.engine.logs[1] = [
        sample_logs.log_line(number, object=f"made/o{number:05}", size=1)
        for number in range(12_000)
    ]
    gallery.engine.live.publish(log_topic(1))
    with gallery.visit("/run/1") as seen:
        seen.ends_with(12_000)
        box = seen.page.get_by_placeholder("Search the log")
        seen.press("/")
        box.press_sequentially("O0005")
        hit_holds(seen, "o00050")
        says(seen, "1 of 10")
        seen.page.get_by_text("Continued from the top").wait_for()
        assert seen.page.locator(".log-row.hit mark").all_text_contents() == ["o0005"]
        assert seen.page.locator(".log-row:not([hidden]) mark").count() == 10
        for key, name, words in (
            ("Enter", "o00051", "2 of 10"),
            ("Shift+Enter", "o00050", "1 of 10"),
            ("Shift+Enter", "o00059", "10 of 10"),
        ):
            box.press(key)
            hit_holds(seen, name)
            says(seen, words)
        seen.page.get_by_text("Continued from the end").wait_for()
        seen.focus()
        seen.press("n")
        hit_holds(seen, "o00050")
        seen.press("N")
        hit_holds(seen, "o00059")

        seen.press("o")
        seen.becomes(lambda: seen.numbers() == [*range(51, 61)], seen.numbers)
        seen.page.get_by_text("10 of 12,000 lines").wait_for()
        says(seen, "10 of 10")
        line = sample_logs.log_line(9, object="late/o0005", size=1)
        gallery.engine.logs[1] += [line, sample_logs.log_line(9, object="late/other", size=1)]
        gallery.engine.live.publish(log_topic(1))
        seen.becomes(lambda: seen.numbers() == [*range(51, 61), 12_001], seen.numbers)
        says(seen, "10 of 11")
        seen.press("o")
        seen.becomes(lambda: {59, 60, 61, 62} < set(seen.numbers()), seen.numbers)

        box.fill("MADE")  # more than are counted
        says(seen, "10,000+ matches")
        box.fill("made/o119")
        says(seen, "1 of 100")
        box.fill("is nowhere in it")
        says(seen, "Not found")
        box.press("Escape")
        assert box.input_value() == "" and not seen.page.locator("mark").count()


def test_an_answer_for_other_lines_is_dropped(gallery: Gallery) -> None:
    gallery.engine.logs[1] = [
        sample_logs.log_line(number, "Failed to copy: no", "error", object=f"o{number:04}")
        if number % 4 == 0
        else sample_logs.log_line(number, object=f"o{number:04}", size=1)
        for number in range(400)
    ]
    gallery.engine.live.publish(log_topic(1))
    hits = ".log-row.hit:not([hidden])"
    with gallery.visit("/run/1") as seen:
        seen.ends_with(400)
        seen.focus()
        seen.press("Home")
        box = seen.page.get_by_placeholder("Search the log")
        for ask, address in (
            (lambda: box.fill("o0050"), "**/log/matches*"),
            (seen.page.get_by_role("button", name="First error").click, "**/log/first-error*"),
        ):
            found = seen.hold(address)
            ask()
            seen.becomes(lambda found=found: found)
            seen.page.get_by_role("button", name="Errors 100").click()
            seen.becomes(lambda: seen.numbers()[:2] == [1, 5], seen.numbers)
            found.release()
            seen.settle()
            assert seen.page.locator(hits).count() == 0, seen.page.locator(hits).text_content()
            seen.page.get_by_role("button", name="All", exact=True).click()
            seen.becomes(lambda: seen.numbers()[:2] == [1, 2], seen.numbers)
            box.fill("")


def test_copied_rows_are_lines(gallery: Gallery) -> None:
    with gallery.visit("/run/2") as seen:
        seen.settle()
        copied = seen.page.evaluate(
            """() => {
                const rows = [...document.querySelectorAll('.log-row')].slice(0, 2);
                const range = document.createRange();
                range.setStart(rows[0].querySelector('.time').firstChild, 0);
                range.setEnd(rows[1].querySelector('.text').firstChild, 3);
                document.getSelection().removeAllRanges();
                document.getSelection().addRange(range);
                const data = new DataTransfer();
                rows[0].dispatchEvent(new ClipboardEvent(
                    'copy', {clipboardData: data, bubbles: true, cancelable: true}));
                return data.getData('text/plain');
            }"""
        )
        assert copied.split("\n")[0] == (
            "01:30:08  Pass 1: keeping the old versions of 2 objects"
        ), copied


def test_lines_are_selected_linked_and_copied(gallery: Gallery) -> None:
    lines = sample_logs.failed_log()
    with gallery.visit("/run/2") as seen:
        page, here = seen.page, f"{gallery.address}/run/2"
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])

        def number(line: int) -> Locator:
            return page.locator(".log-row:not([hidden]) .number").nth(line - 1)

        def copies(*wanted: str) -> None:
            page.get_by_text(f"Copied {len(wanted)} line").wait_for()
            assert page.evaluate("navigator.clipboard.readText()").split("\n") == [*wanted]

        seen.settle()
        number(2).click()
        page.wait_for_url(f"{here}#L2")
        seen.press("c")
        copies("01:30:08  latest.json  old version kept, 1.1 kB")
        number(5).click(modifiers=["Shift"])
        page.wait_for_url(f"{here}#L2-L5")
        page.get_by_text("Lines 2 to 5 (4)").wait_for()
        seen.focus()
        seen.press("Shift+ArrowUp")
        page.wait_for_url(f"{here}#L2-L4")
        page.get_by_role("button", name="Times").click()
        seen.focus()
        seen.press("c")
        copies(
            "latest.json  old version kept, 1.1 kB",
            "reports/weekly.pdf  old version kept, 90 kB",
            "Pass 1: copying 11 objects, 66.4 GB",
        )
        page.get_by_role("button", name="Times").click()
        page.get_by_placeholder("Search the log").fill("weekly")
        says(seen, "1 of 2")
        page.get_by_role("button", name="Only matching").click()
        seen.becomes(lambda: seen.numbers() == [3, 15], seen.numbers)
        page.get_by_role("button", name="Copy lines").click()
        copies("01:30:08  reports/weekly.pdf  old version kept, 90 kB")
        page.evaluate("location.hash = '#L15'")
        page.get_by_text("Line 15, 01:39:12").wait_for()
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("Copied the link").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == f"{here}#L15"
        seen.focus()
        seen.press("Escape")
        page.wait_for_url(here)
        for nonsense in ("#L0", "#L-3", "#Lx", "#L9007199254740993", "#log", "#L1-L2-L3", "#<b>"):
            page.evaluate("hash => { location.hash = hash }", nonsense)
        page.get_by_role("button", name="Only matching").click()
        seen.becomes(lambda: len(seen.numbers()) > 2)
        page.evaluate("location.hash = '#L20-L21'")
        page.get_by_text("There is no line 20").wait_for()
    assert len(lines) == 21  # two of them progress
    with gallery.visit("/run/8#L50010-L50005") as seen:
        seen.page.get_by_text("Lines 50,005 to 50,010 (6)").wait_for()
        seen.becomes(lambda: {50_005, 50_010} < set(seen.numbers()), seen.numbers)
        assert seen.page.locator(".log-row.here:not([hidden])").count() == 6
        seen.page.get_by_role("button", name="Errors 1").click()
        seen.becomes(lambda: seen.numbers() == [70_000 - 700 + 1], seen.numbers)


def test_long_lines_wrap_and_the_log_takes_the_whole_window(gallery: Gallery) -> None:
    with gallery.visit("/run/10") as seen:
        page = seen.page
        seen.settle()
        last = seen.numbers()[-1]

        def ends() -> bool:
            """The last line ends where the log does, to a pixel."""
            gap: float = page.evaluate(
                f"document.querySelector('.log-scroller').getBoundingClientRect().bottom"
                f" - {ROWS}.at(-1).getBoundingClientRect().bottom"
            )
            return abs(gap) <= 1

        seen.focus()
        seen.press("w")
        seen.press("End")
        seen.becomes(ends)
        high = page.evaluate(f"Math.max(...{ROWS}.map(row => row.offsetHeight))")
        assert high > 200
        seen.press("Home")
        seen.starts_with(1)
        for _ in range(40):
            seen.press("PageDown")
        seen.becomes(ends)
        assert seen.numbers()[-1] == last
        seen.press("m")
        page.locator(".whole-window").wait_for()
        seen.press("End")
        seen.becomes(ends)
        page.reload()
        page.locator(".whole-window.wraps").wait_for()
        assert page.locator("h1").is_hidden()
        seen.connected()
        page.keyboard.press("Escape")
        page.locator("h1").wait_for()
        page.keyboard.press("?")
        page.get_by_text("In the log of a run").wait_for()
