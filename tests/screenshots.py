"""The pictures in the documents: `python -m tests.screenshots [FOLDER]`, docs/pictures by default.

The pages are the real ones, over the gallery's made-up engine, always in the same night: the same
names, sizes, states and times each time. A page that meets an error ends this with 1.
"""

import datetime as dt
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import time_machine
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bucketvault.engine.overview import BackupRow
from tests.pages import fake_engine, sample_logs, scenes
from tests.pages.gallery import CHROMIUM, CHROMIUM_ARGS, serving

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
NIGHT = dt.datetime(2026, 11, 22, 1, 14, 5, tzinfo=dt.UTC)  # 02:14 in Berlin
PAGES = {"home": "/", "run-live": "/run/1", "run-failed": "/run/2"}
DESK = {"viewport": {"width": 1280, "height": 820}}
WAYS: dict[str, dict[str, Any]] = {
    "light": {**DESK, "color_scheme": "light"},
    "dark": {**DESK, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
TALLEST = {"light": 1120, "dark": 1120, "phone": 1700}  # a picture ends there


def main() -> None:
    """Take every picture anew."""
    with time_machine.travel(NIGHT.timestamp(), tick=True):
        take_all()


def take_all() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    engine = fake_engine.FakeEngine()
    engine.rows = one_failed_among_good_ones()
    engine.logs[1] = log_of_the_live_run()
    with serving(engine) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        for way, options in WAYS.items():
            for name, path in PAGES.items():
                file = folder / f"{name}-{way}.png"
                with tab(browser, address + path, options) as page:
                    take(page, file, TALLEST[way])
                print(file, f"{file.stat().st_size // 1000} kB")
        browser.close()


def one_failed_among_good_ones() -> list[BackupRow]:
    """The sample's backups: one failed in the night, one runs now."""
    rows = scenes.good_rows()
    failed = scenes.failed_run()
    rows[3] = scenes.backup_row(4, last_run=failed, last_good_at=scenes.now() - scenes.DAY)
    return [replace(row, next_due_at=row.next_due_at and next_due(row)) for row in rows]


def next_due(row: BackupRow) -> dt.datetime:
    """When a backup of the sample runs next, by its own schedule."""
    here = scenes.now().astimezone(scenes.ZONE)
    due = here.replace(hour=int(row.at[:2]), minute=int(row.at[3:]), second=0, microsecond=0)
    while due <= here or (row.weekday is not None and due.weekday() != 0):  # weekly ones: Mondays
        due += scenes.DAY
    return due


def log_of_the_live_run() -> list[bytes]:
    """A line for each object that its tiles count, up to the ones on their way now."""
    chance, lines = random.Random(1), []
    for number in range(1204):
        folder, place = ("winter", number) if number < 990 else ("spring", number - 990)
        name = f"2026/{folder}/raw/A{place // 100 + 1:03}_C{place % 100:03}.mov"
        second = 22 * 60 + number  # after 01:30
        size = chance.randrange(8, 90) * 10**6
        lines.append(sample_logs.log_line(second, object=name, size=size))
    return lines


@contextmanager
def tab(browser: Browser, address: str, options: dict[str, Any]) -> Iterator[Page]:
    """A tab at that page, once it is connected and all of its log's rows are there."""
    wrong: list[str] = []
    context = browser.new_context(**options)
    page = context.new_page()
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    expect(page.locator(".only-on").first).to_be_attached()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".log-row.k-absent:not([hidden])")).to_have_count(0)
    yield page
    context.close()
    if wrong:
        sys.exit(f"{address}: {wrong}")


def take(page: Page, file: Path, tallest: int) -> None:
    """The whole page, down to `tallest` pixels; the window grows, so that nothing in it scrolls."""
    size = page.viewport_size or {"width": 0, "height": 0}
    whole = page.evaluate("document.querySelector('.page').getBoundingClientRect().bottom + 24")
    height = min(tallest, max(size["height"], int(whole)))
    page.set_viewport_size({"width": size["width"], "height": height})
    page.wait_for_timeout(300)  # what moves into place is there
    page.screenshot(path=str(file), animations="disabled")


if __name__ == "__main__":
    main()
