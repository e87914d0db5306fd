"""`make soak`: the program for an hour, as it lives in bad company. `SOAK_MINUTES` says how long.

Two installations at once, each with a run every twenty seconds (three are due at each minute, and
one of them fails), a mail server that comes and goes, and tabs of a real Chromium that look around:

- `steady` is left alone, with five tabs: its descriptors, threads, memory and database must be flat
  after the first ten minutes;
- `killed` is killed every minute and started again at once, with two tabs, which come back.

At the end every planned time has a run, each failure exactly one mail, the log no traceback, and no
process is left. What was measured is drawn into docs/pictures. Exit code 1: something did not hold.
"""

import contextlib
import dataclasses
import datetime as dt
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.pages.gallery import CHROMIUM_ARGS
from tests.soak.drawing import draw
from tests.soak.installation import Installation, next_minute
from tests.soak.judging import judge
from tests.support.capabilities import chromium
from tests.support.mailbox import Mailbox
from tests.support.program import until
from tests.support.servers import RcloneS3

MINUTES = 60
SAMPLE_S, KILL_S, VISIT_S = 10.0, 60.0, 20.0
MAIL_UP_S, MAIL_DOWN_S = 40.0, 25.0
SETTLE_S = 300.0  # the last runs and mails have so long
TABS = {"steady": 5, "killed": 2}


def main() -> int:
    """Soak, judge and draw; 0 if all of it held."""
    minutes = int(os.environ.get("SOAK_MINUTES") or MINUTES)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        (folder / "s3").mkdir()
        s3 = stack.enter_context(RcloneS3(folder / "s3"))
        both = []
        for name in TABS:
            (folder / name).mkdir()
            both.append(Installation(name, folder / name, s3))
            stack.callback(both[-1].end)
        _soak(both, minutes)
        ok = True
        for each in both:
            course = each.course()
            wrong = judge(course)
            failed = sum(run.status == "failed" for run in course.runs)
            print(
                f"{each.name}: {len(course.runs)} runs for {len(course.planned)} planned times, "
                f"{failed} failed, {len(course.mail_ids)} mails, {each.kills} kills."
            )
            print(*(f"  {line}" for line in wrong or ["All of it held."]), sep="\n")
            ok = ok and not wrong
        if keep := os.environ.get("SOAK_KEEP"):
            _keep(both, Path(keep))
        draw({each.name: each.samples for each in both}, minutes)
    return 0 if ok else 1


def _soak(both: list[Installation], minutes: int) -> None:
    first = next_minute(20)
    for each in both:
        each.set_up(first, minutes)
    killed = both[-1]
    over = threading.Event()
    flapping = [
        threading.Thread(target=_come_and_go, args=(each.mailbox, over), daemon=True)
        for each in both
    ]
    for thread in flapping:
        thread.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        for each in both:
            each.start()
            each.open_tabs(browser, TABS[each.name])
        clock = browser.new_page()  # its waiting lets Playwright hear of the tabs
        began = time.monotonic()

        def kill() -> None:
            killed.kill()
            killed.start()

        def sample() -> None:
            for each in both:
                each.sample(time.monotonic() - began)

        def visit() -> None:
            for each in both:
                each.visit()

        jobs = [(SAMPLE_S, sample), (VISIT_S, visit), (KILL_S, kill)]
        _in_turn(jobs, clock, (first - dt.datetime.now(dt.UTC)).total_seconds() + 60.0 * minutes)
        until("no run is left", lambda: all(each.is_idle() for each in both), timeout_s=SETTLE_S)
        sample()
        clock.wait_for_timeout(3000)
        print(*(f"{each.name}: {each.live_tabs()} tabs are live" for each in both), sep="\n")
        for each in both:
            each.close_tabs()
        browser.close()
    over.set()
    for thread in flapping:
        thread.join()
    for each in both:  # a start tries every mail that waits
        each.stop()
        with each.mailbox.up():
            each.start()
            until("no mail waits", lambda: not each.waiting_mails(), timeout_s=SETTLE_S)  # noqa: B023
            each.stop()


def _in_turn(jobs: list[tuple[float, Callable[[], None]]], clock: Page, for_s: float) -> None:
    """Do each job every so many seconds."""
    began = time.monotonic()
    due = [began + every for every, _ in jobs]
    while time.monotonic() < began + for_s:
        for number, (every, job) in enumerate(jobs):
            if time.monotonic() >= due[number]:
                due[number] += every
                job()
        clock.wait_for_timeout(200)


def _come_and_go(mailbox: Mailbox, over: threading.Event) -> None:
    while not over.is_set():
        with mailbox.up():
            over.wait(MAIL_UP_S)
        over.wait(MAIL_DOWN_S)


def _keep(both: list[Installation], folder: Path) -> None:
    """Leave what was measured, and the logs."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in both:
        told = {
            "samples": [dataclasses.asdict(sample) for sample in each.samples],
            "inside": each.inside(),
        }
        (folder / f"{each.name}.json").write_text(json.dumps(told))
        (folder / f"{each.name}.log").write_bytes(each.log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
