"""20,000 small objects through `serve`, watched in Chromium, against the same rclone by hand."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, cast

from playwright.sync_api import Page

from tests.benchmarks._browsing import cpu_s, signed_in
from tests.benchmarks._measure import Cost, cores, measure, print_cost
from tests.benchmarks.first_copy import by_hand, fill, fresh, role
from tests.support.program import Bucket, Program, Served
from tests.support.servers import RcloneS3

OBJECTS = 20_000


class WatchedRun:
    """A run on an open page, in the form in which `measure` watches a process: until it ended."""

    def __init__(self, served: Served, page: Page) -> None:
        self.pid = served.process.pid
        self.returncode: int | None = None
        self._page = page

    def poll(self) -> int | None:
        """0 once the page says that the run succeeded."""
        state = self._page.locator("section.verdict").first.get_attribute("class") or ""
        if "st-ok" in state:
            self.returncode = 0
        assert "st-bad" not in state and "st-held" not in state, self._page.content()
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        return "", ""


def main() -> None:
    """By hand, watched, by hand again."""
    memory = "/dev/shm"  # so that the disk is not what is measured
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as name:
        folder = Path(name)
        keys = ("AKIABENCHEXAMPLE001", "bench-secret-0001")
        with RcloneS3(folder / "a", *keys) as here, RcloneS3(folder / "b", *keys) as there:
            sizes = {f"{n % 200}/{n}.txt": 100 for n in range(OBJECTS)}
            source = Bucket(here, fill(folder / "a" / "small", sizes))
            first = by_hand(folder, source, fresh(there, "small-1"))
            ours, alone_s = watched(folder, source, fresh(there, "small-2"))
            second = by_hand(folder, source, fresh(there, "small-3"))
    print(f"{OBJECTS:,} small objects ({cores()} cores, the browser's share too)")
    print_cost("  by hand, before       ", first)
    print_cost("  serve, page open      ", ours)
    print_cost("  by hand, after        ", second)
    hand_s = min(first.wall_s, second.wall_s)
    hand_cpu_s = min(first.cpu_s["rclone"], second.cpu_s["rclone"])
    own = ours.cpu_s.get("bucketvault", 0.0) + ours.cpu_s.get("runner", 0.0)
    print(
        f"  wall: {ours.wall_s / hand_s:.2f} x the faster one by hand from Run now to the end,"
        f" {alone_s / hand_s:.2f} x for rclone alone;"
        f" our CPU: {100 * own / hand_cpu_s:.1f} % of rclone's by hand"
    )


def watched(folder: Path, source: Bucket, destination: Bucket) -> tuple[Cost, float]:
    """One run with its page open; its cost, and how long its rclone took by its own clock."""
    (folder / "home").mkdir()
    program = Program(folder / "home")
    program.backup(source, destination, comparison_mode="checksum")
    try:
        served = program.serve()
        with signed_in(served) as context:
            page = context.new_page()
            page.goto("./")
            page.get_by_text("Connected", exact=True).wait_for()
            before = cpu_s(served.process.pid)

            def start() -> "subprocess.Popen[str]":
                page.get_by_role("button", name="Run now: Photos").click()
                with page.expect_navigation(url="**/run/1"):
                    page.get_by_role("link", name="Watch: Photos").click()
                return cast(Any, WatchedRun(served, page))

            cost = measure(start, role)
            cost.cpu_s["bucketvault"] -= before
        lines = program.raw_log(1).splitlines()
        assert len(destination.copy_keys()) == OBJECTS
    finally:
        program.end()
    return cost, elapsed(lines)


def elapsed(lines: list[bytes]) -> float:
    """Seconds by rclone's own clock, from its last word on how far it is."""
    found = [re.search(rb'"elapsedTime":([\d.]+)', line) for line in lines]
    return max((float(match[1]) for match in found if match), default=0.0)


if __name__ == "__main__":
    main()
