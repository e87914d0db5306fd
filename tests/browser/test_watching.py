"""A run as a person watches it in a real browser: live, stopped, cut off, and read afterwards."""

import datetime as dt
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from bucketvault.config import DATABASE_NAME
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.store import run_logs
from bucketvault.store.database import close_database, open_database, writing
from tests.browser.browsing import RUN_MS, Visit
from tests.browser.conftest import SetUp
from tests.conftest import NewBucket
from tests.support.at_time import Clock
from tests.support.gate import Gate
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.browser

BEFORE = 2  # lines of a log before its first copied object: what the look saw, and what begins


# a run from its beginning to its end


@pytest.mark.slow
def test_a_run_is_watched_from_run_now_to_its_green_end_without_a_reload(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    source, destination = set_up(objects(100, 4000))
    tab = visit(bucketvault.serve()).tab()

    tab.run_now().evaluate("button => { button.click(); button.click() }")

    expect(tab.page.get_by_text("Photos is queued.").first).to_be_visible()
    tab.follow_to(tab.watch())
    tab.stays()
    expect(tab.bar).to_be_visible(timeout=RUN_MS)
    seen = [int(tab.bar.get_attribute("aria-valuenow") or 0)]
    while len(seen) < 5:
        gate.let(15)
        expect(tab.bar).not_to_have_attribute("aria-valuenow", str(seen[-1]), timeout=RUN_MS)
        seen.append(int(tab.bar.get_attribute("aria-valuenow") or 0))
    assert seen == sorted(seen) and seen[-1] < 100
    gate.let(100)
    expect(tab.verdict).to_have_class(re.compile(r"\bst-ok\b"), timeout=RUN_MS)
    expect(tab.verdict).to_contain_text("Succeeded: 100 copied.")
    expect(tab.page).to_have_title("Succeeded · Photos · bucketvault")
    assert tab.stayed()
    assert destination.copy() == source.objects()
    assert bucketvault.cli("log", "2").code == 2  # pressed twice, queued once


def test_log_lines_come_over_the_websocket(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    _, destination = set_up(objects(60))
    tab = visit(bucketvault.serve()).tab()
    tab.run_now().click()
    tab.follow_to(tab.watch())
    expect(tab.verdict).to_contain_text(re.compile("Copying|Comparing"), timeout=RUN_MS)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))

    for lines in (4, 8, 12, 16, 20):
        gate.let(4)
        expect(tab.log_words).to_contain_text(f"{BEFORE + lines} lines", timeout=RUN_MS)

    copied = destination.copy_keys()
    assert len(copied) == 20

    def told() -> list[str]:
        return [frame for frame in tab.frames if "grew" in frame]

    # the browser may show a line before its report of the frame has reached this process
    tab.until("every key told", lambda: all(any(k in f for f in told()) for k in copied))
    assert len(told()) >= 5
    assert {row.split()[2] for row in tab.rows()} <= {"Compared", "Pass", *copied}
    assert not [url for url in asked if "/api/" in url]


def test_a_wrong_secret_ends_red_and_names_the_provider(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, visit: Visit
) -> None:
    source, destination = new_bucket(here, objects(3)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, destination_secret="not-the-secret-0001")
    tab = visit(bucketvault.serve()).tab()

    tab.run_now().click()

    expect(tab.verdict).to_have_class(re.compile(r"\bst-bad\b"), timeout=RUN_MS)
    expect(tab.verdict).to_contain_text("Destination rejected the secret access key.")
    tab.follow_to(tab.page.get_by_role("link", name="View run: Photos"))
    expect(tab.verdict).to_contain_text("Failed: Destination rejected the secret access key.")
    expect(tab.verdict).to_have_class(re.compile(r"\bst-bad\b"))
    expect(tab.page.get_by_text("no exit code: rclone was not started")).to_be_visible()
    assert destination.keys() == []


@pytest.mark.parametrize("phase", ["copying", "checking"])
def test_stop_asks_first_and_then_ends_the_run(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit, phase: str
) -> None:
    _, destination = set_up(objects(100))
    if phase == "checking":
        gate.listing.clear()
    gate.let(30)
    tab = visit(bucketvault.serve()).tab()
    tab.run_now().click()
    tab.follow_to(tab.watch())
    if phase == "checking":
        expect(tab.verdict).to_contain_text("Checking both buckets")
    else:
        until("30 objects are copied", lambda: len(destination.copy_keys()) == 30)
        expect(tab.log_words).to_contain_text(f"{BEFORE + 30} lines")

    tab.stop.click()

    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop the run of Photos?")
    assert bucketvault.status()["running"] == 1  # nothing has been stopped yet
    dialog.get_by_role("button", name="Stop this run").click()
    expect(tab.verdict).to_contain_text("Stopped by you.", timeout=RUN_MS)
    expect(tab.stop).to_have_count(0)
    if phase == "checking":
        expect(tab.verdict).to_contain_text("Nothing was changed.")
    assert bucketvault.last_run()["reason"] == "stopped"
    assert len(destination.copy_keys()) == (30 if phase == "copying" else 0)


@pytest.mark.slow
def test_a_stop_is_shown_while_rclone_takes_its_time_and_outlives_the_server(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    _, destination = set_up(objects(100))
    gate.let(30)
    served = bucketvault.serve()
    visitor = visit(served)
    tab = visitor.tab()
    tab.run_now().click()
    tab.follow_to(tab.watch())
    until("30 objects are copied", lambda: len(destination.copy_keys()) == 30)
    (rclone,) = bucketvault.rclones()
    rclone.suspend()

    tab.stop.click()
    tab.press("Stop this run")

    expect(tab.verdict).to_contain_text("Stopping: waiting for rclone to end")
    expect(tab.stop).to_be_disabled()
    visitor.may_lose_the_connection = True
    served.process.kill()
    rclone.resume()
    until("rclone has ended", lambda: not bucketvault.rclones())
    bucketvault.start("serve", "--port", str(served.port))
    expect(tab.verdict).to_contain_text("Stopped by you.", timeout=RUN_MS)


def test_the_question_stays_open_while_the_run_goes_on(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    set_up(objects(30))
    gate.listing.clear()
    gate.let(10)
    tab = visit(bucketvault.serve()).tab()
    tab.run_now().click()
    tab.follow_to(tab.watch())
    expect(tab.verdict).to_contain_text("Checking both buckets")
    tab.stop.click()
    expect(tab.page.get_by_role("dialog")).to_contain_text("Stop the run of Photos?")

    gate.listing.set()

    expect(tab.log_words).to_contain_text(f"{BEFORE + 10} lines", timeout=RUN_MS)
    tab.page.get_by_role("button", name="Stop this run").click()
    expect(tab.verdict).to_contain_text("Stopped by you.", timeout=RUN_MS)


# cut off, and seen from several places


@pytest.mark.slow
def test_a_reload_in_the_middle_shows_the_same_run_with_its_whole_log(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    set_up(objects(100))
    visitor = visit(bucketvault.serve())
    bucketvault.cli("run", "Photos")
    gate.let(60)
    tab = visitor.tab("/run/1")
    expect(tab.log_words).to_contain_text(f"{BEFORE + 60} lines", timeout=RUN_MS)

    tab.page.reload()

    expect(tab.log_words).to_contain_text(f"{BEFORE + 60} lines")
    expect(tab.verdict).to_have_class(re.compile(r"\bst-run\b"))
    logged = bucketvault.cli("log", "1").out.splitlines()
    rows = [row.split("  ", 1) for row in tab.rows()]
    assert [words for _, words in rows] == logged[int(rows[0][0]) - 1 :]
    tab.key("Home")
    tab.until_rows("the first row is in view", lambda numbers: numbers[0] == 1)
    assert tab.rows()[0].split("  ", 1)[1] == logged[0]
    gate.let(40)
    expect(tab.verdict).to_contain_text("Succeeded: 100 copied.", timeout=RUN_MS)


@pytest.mark.slow
def test_what_one_tab_or_the_command_line_starts_every_tab_shows(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    set_up(objects(3))
    gate.let(3)
    visitor = visit(bucketvault.serve())
    tabs = visitor.tab(), visitor.tab()
    for tab in tabs:
        tab.stays()

    def everywhere(run: int) -> None:
        for tab in tabs:
            expect(tab.watch()).to_have_attribute("href", re.compile(f"/run/{run}$"))
        gate.listing.set()
        for tab in tabs:
            expect(tab.run_now()).to_be_visible(timeout=RUN_MS)
            expect(tab.page.locator(".backups .c-last .pill")).to_have_text("Succeeded")
            expect(tab.verdict).to_contain_text("Photos is up to date.")
            assert tab.stayed()

    gate.listing.clear()
    tabs[0].run_now().click()
    everywhere(1)

    gate.listing.clear()
    assert bucketvault.cli("run", "Photos").code == 0
    everywhere(2)


@pytest.mark.slow
def test_what_the_schedule_starts_appears_in_a_tab_that_stands_open(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    clock = Clock(bucketvault, dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC))
    set_up(objects(3), comparison_mode="size_only")
    tab = visit(bucketvault.serve()).tab()
    expect(tab.run_now()).to_be_visible()
    tab.stays()

    clock.move_to(dt.datetime(2026, 11, 2, 2, 15, tzinfo=dt.UTC))  # 03:15 in Berlin

    expect(tab.watch()).to_have_attribute("href", re.compile("/run/1$"), timeout=RUN_MS)
    gate.let(3)
    expect(tab.page.locator(".backups .c-last .pill")).to_have_text("Succeeded", timeout=RUN_MS)
    assert tab.stayed()
    assert bucketvault.last_run()["trigger"] == "schedule"


@pytest.mark.slow
def test_a_tab_comes_back_by_itself_when_the_server_was_killed_in_the_middle_of_a_run(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    source, destination = set_up(objects(100))
    served = bucketvault.serve()
    visitor = visit(served)
    bucketvault.cli("run", "Photos")
    gate.let(30)
    tab = visitor.tab("/run/1")
    expect(tab.log_words).to_contain_text(f"{BEFORE + 30} lines", timeout=RUN_MS)
    visitor.may_lose_the_connection = True

    served.process.kill()
    served.process.wait()

    expect(tab.page.get_by_text("Not connected", exact=True)).to_be_visible(timeout=RUN_MS)
    assert bucketvault.rclones(), "the run goes on without us"
    gate.let(10)
    bucketvault.start("serve", "--port", str(served.port))
    expect(tab.page.get_by_text("Connected", exact=True)).to_be_visible(timeout=RUN_MS)
    expect(tab.verdict).to_have_class(re.compile(r"\bst-run\b"))
    expect(tab.log_words).to_contain_text(f"{BEFORE + 40} lines", timeout=RUN_MS)
    gate.let(60)
    expect(tab.verdict).to_contain_text("Succeeded: 100 copied.", timeout=RUN_MS)
    assert tab.page.url == f"{served.home}/run/1"
    assert destination.copy() == source.objects()


# the log afterwards


def test_downloads_are_what_the_command_line_gives(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    visit: Visit,
    tmp_path: Path,
) -> None:
    bucketvault.backup(new_bucket(here, objects(40)), new_bucket(elsewhere))
    bucketvault.run()
    tab = visit(bucketvault.serve()).tab("/run/1")

    def downloaded(link: str) -> bytes:
        with tab.page.expect_download() as waiting:
            tab.page.locator(f".log-card a[href$='/{link}']").click()
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        return file.read_bytes()

    raw, text = downloaded("raw"), downloaded("text").decode()

    command = [sys.executable, "-m", "bucketvault", "log", "1", "--raw"]
    told = subprocess.run(
        command, env=bucketvault.environment, stdout=subprocess.PIPE, check=True
    ).stdout
    assert hashlib.sha256(raw).digest() == hashlib.sha256(told).digest()
    assert all(json.loads(line) for line in raw.splitlines())
    assert text == bucketvault.cli("log", "1").out
    read = re.compile(r"\d\d:\d\d:\d\d  folder-\d/object-\d{5}\.txt  copied \(new\), 96 B")
    assert sum(bool(read.fullmatch(line)) for line in text.splitlines()) == 40


INJECTED = "<img src=x data-injected onerror=\"document.title='owned'\">"
NASTY = {
    "markup": INJECTED,
    "template": "{{ constructor.constructor('document.title=1')() }} ${1}",
    "right to left": "invoice-\u202egnp.exe",
    "control": "bell\x07 csi\x9b31m zero\u200bwidth",
    "quotes": "a\"b'c\\d`e.txt",
    "long": "/".join("x" * 224 for _ in range(4)),
}
QUOTED = "\u201b"  # rclone puts it before such symbols, when it has met them before
SHOWN = {
    **NASTY,
    "right to left": "invoice-\\u202egnp.exe",
    "control": "bell␇ csi\\x9b31m zero\\u200bwidth",  # rclone itself shows some by their symbols
}


@pytest.mark.slow
def test_object_names_are_text_whatever_they_hold(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    backup = "<b data-injected>{{ 7*7 }}</b>"
    set_up(dict.fromkeys(NASTY.values(), b"x"), name=backup)
    visitor = visit(bucketvault.serve())
    home = visitor.tab()
    home.run_now(backup).click()
    expect(home.watch(backup)).to_be_visible(timeout=RUN_MS)
    tab = visitor.tab("/run/1")
    moving = tab.page.get_by_role("region", name="Transferring now").locator(".mono")

    expect(moving).to_have_count(4, timeout=RUN_MS)

    shown = set(SHOWN.values())
    assert {name.replace(QUOTED, "") for name in moving.all_text_contents()} < shown
    gate.let(len(NASTY))
    expect(tab.verdict).to_contain_text("Succeeded: 6 copied.", timeout=RUN_MS)
    expect(tab.page).to_have_title(f"Succeeded · {backup} · bucketvault")
    objects = tab.page.locator(".log-row:not([hidden]):not(.k-step) .object")
    expect(objects).to_have_count(len(NASTY))
    named = objects.all_text_contents()
    assert {name.replace(QUOTED, "") for name in named} == shown
    for page in (home.page, tab.page):
        assert page.locator("[data-injected]").count() == 0
    assert home.page.title() == "Backups · bucketvault"


def fill_log(program: Program, run_id: int, lines: Iterator[bytes]) -> None:
    """Put another log in place of a run's own, past the program, which does not run now."""
    open_database(program.data_dir / DATABASE_NAME)
    try:
        writer, transcript = run_logs.LogWriter(run_id), Transcript()
        with writing():
            run_logs.clear(run_id)
            for line in lines:
                writer.add(line, *transcript.feed([line]))
            writer.flush()
        writer.stored()
    finally:
        close_database()


def long_log(count: int) -> Iterator[bytes]:
    """So many lines; every hundredth tells progress, the 70,001st is the only error."""
    for number in range(count):
        entry: dict[str, object] = {"time": "2026-11-22T00:30:00Z", "level": "info"}
        if number % 100 == 99:
            entry |= {"msg": "progress", "stats": {"bytes": number, "totalBytes": count}}
        elif number == 70_000:
            entry |= {"level": "error", "msg": "Failed to copy: the needle", "object": "x"}
        else:
            entry |= {"msg": "Copied (new)", "object": f"raw/C{number:06}.mov", "size": 1000}
            entry |= {"objectType": "*s3.Object"}
        yield json.dumps(entry, separators=(",", ":")).encode() + b"\n"


@pytest.mark.slow
def test_a_log_of_a_hundred_thousand_lines_is_at_hand_everywhere(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, visit: Visit
) -> None:
    bucketvault.backup(new_bucket(here, objects(3)), new_bucket(elsewhere))
    bucketvault.run()
    fill_log(bucketvault, 1, long_log(100_000))

    tab = visit(bucketvault.serve()).tab("/run/1")

    page = tab.page
    hit = page.locator(".log-row.hit:not([hidden])")
    tab.until_rows("it opens at its end", lambda numbers: numbers[-1] == 99_000)
    expect(tab.log_words).to_contain_text("99,000 lines")
    for key, place, number in (("Home", 0, 1), ("G", -1, 99_000), ("g", 0, 1), ("End", -1, 99_000)):
        tab.key(key)
        tab.until_rows(key, lambda numbers, p=place, n=number: numbers[p] == n)  # type: ignore[misc]
    tab.key("Home")
    page.locator(".log-scroller").hover()
    for turns in range(1, 11):
        page.mouse.wheel(0, 240)
        tab.until_rows("the wheel moves ten lines", lambda n, t=turns: n[0] == 1 + 10 * t)  # type: ignore[misc]

    page.get_by_role("button", name="First error").click()
    expect(hit).to_contain_text("the needle")
    expect(hit.locator(".number")).to_have_text("69,301")

    box = page.get_by_role("textbox", name=re.compile("Search the log"))
    tab.key("Home")
    box.fill("c0001")  # upper and lower case are the same
    for key, found in (("Enter", 100), ("Enter", 101), ("Enter", 102), ("Shift+Enter", 101)):
        box.press(key)
        expect(hit).to_contain_text(f"C{found:06}")
    page.get_by_role("button", name="Next match").click()
    expect(hit).to_contain_text("C000102")
    box.fill("is nowhere in it")
    box.press("Enter")
    expect(page.get_by_text("Not found")).to_be_visible()

    progress = page.get_by_role("button", name="Progress", exact=True)
    progress.click()
    expect(tab.log_words).to_contain_text("100,000 lines")
    tab.key("End")
    expect(page.locator(".log-row.k-progress:not([hidden])")).to_have_count(1)
    progress.click()
    expect(tab.log_words).to_contain_text("99,000 lines")
    expect(page.locator(".log-row.k-progress:not([hidden])")).to_have_count(0)
    page.get_by_role("button", name="Errors 1").click()
    tab.until_rows("the error alone, by its number", lambda numbers: numbers == [69_301])
    page.get_by_role("button", name="Changes 98,999").click()
    tab.key("End")
    tab.until_rows("the last change", lambda numbers: numbers[-1] == 99_000)
    assert page.locator(".log-row").count() < 200


# without a mouse


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(60):
        if wanted.count() and wanted.evaluate("it => it === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {wanted}")


def test_the_keyboard_alone_starts_and_stops_a_run(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    set_up(objects(3))
    gate.listing.clear()
    tab = visit(bucketvault.serve()).tab()
    keyboard = tab.page.keyboard

    tab_to(tab.page, tab.run_now())
    keyboard.press("Enter")
    expect(tab.watch()).to_be_visible()
    tab_to(tab.page, tab.watch())
    with tab.page.expect_navigation(url="**/run/1"):
        keyboard.press("Enter")
    expect(tab.verdict).to_contain_text("Checking both buckets")
    tab_to(tab.page, tab.stop)
    keyboard.press("Space")
    confirm = tab.page.get_by_role("button", name="Stop this run")
    expect(confirm).to_be_visible()
    tab_to(tab.page, confirm)
    keyboard.press("Enter")

    expect(tab.verdict).to_contain_text("Stopped by you.", timeout=RUN_MS)
