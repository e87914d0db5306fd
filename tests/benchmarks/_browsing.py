"""Chromium at a served bucketvault, and what the app costs meanwhile: what the benchmarks share."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil
from playwright.sync_api import BrowserContext, sync_playwright

from tests.pages.gallery import CHROMIUM_ARGS
from tests.support.capabilities import chromium
from tests.support.program import Served

MORE_ARGUMENTS = ["--enable-precise-memory-info", "--js-flags=--expose-gc"]


@contextmanager
def signed_in(served: Served) -> Iterator[BrowserContext]:
    """A browser of its own that has opened the link."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=[*CHROMIUM_ARGS, *MORE_ARGUMENTS]
        )
        context = browser.new_context(
            base_url=f"{served.home}/", viewport={"width": 1440, "height": 900}
        )
        page = context.new_page()
        page.goto(served.link)
        page.get_by_role("heading", name="Backups").wait_for()
        page.close()
        try:
            yield context
        finally:
            browser.close()


def cpu_s(pid: int) -> float:
    """Seconds of CPU a process has used, without its children."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    return int(psutil.Process(pid).memory_info().rss)


def spread(values: Sequence[float], unit: str) -> str:
    """`p50 12, p95 30, max 41 ms`."""
    if not values:
        return "nothing measured"
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"p50 {statistics.median(ordered):.0f}, p95 {p95:.0f}, max {ordered[-1]:.0f} {unit}"
