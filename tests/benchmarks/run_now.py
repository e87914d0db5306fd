"""From Run now to the proof of an unchanged copy; the start of `serve`, and what it costs idle."""

import datetime as dt
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bucketvault.config import DATABASE_NAME
from tests.benchmarks._browsing import cpu_s, resident, signed_in
from tests.benchmarks._measure import cores, megabytes
from tests.support.program import Bucket, Program, Served, objects, until
from tests.support.servers import RcloneS3

TIMES = 10
STARTS = 5
IDLE_S = 20


def main() -> None:
    """100 objects at a local server; first the start, then idle, then ten runs."""
    print(f"({cores()} cores)")
    with tempfile.TemporaryDirectory() as name, RcloneS3(Path(name) / "servers") as server:
        folder = Path(name)
        source, destination = Bucket(server, "source"), Bucket(server, "destination")
        for bucket in (source, destination):
            server.client().create_bucket(Bucket=bucket.name)
        for key, body in objects(100).items():
            source.put(key, body)
        starts(folder)
        program = Program(folder / "home")
        try:
            (folder / "home").mkdir()
            program.backup(source, destination, comparison_mode="checksum")
            program.run()
            served = program.serve()
            idle(served)
            press(served, program.data_dir / DATABASE_NAME)
        finally:
            program.end()


def starts(folder: Path) -> None:
    """How long `serve` needs to its first answer; the first time it makes its database too."""
    (folder / "starts").mkdir()
    program = Program(folder / "starts")
    took = []
    for _ in range(STARTS):
        began = time.monotonic()
        served = program.serve()
        took.append(time.monotonic() - began)
        served.end()
    program.end()
    print(f"start of serve to its first answer, s: {', '.join(f'{t:.2f}' for t in took)}")


def idle(served: Served) -> None:
    """Cost while nothing happens and no page is open."""
    pid = served.process.pid
    time.sleep(2)  # what a start costs is not what idling costs
    before = cpu_s(pid)
    time.sleep(IDLE_S)  # what is measured is that nothing happens for so long
    share = 100 * (cpu_s(pid) - before) / IDLE_S
    print(f"idle for {IDLE_S} s: {share:.2f} % of a core, {megabytes(resident(pid))} resident")


def press(served: Served, database: Path) -> None:
    """Press Run now on the home page, ten times, each after the last run's end."""
    took = []
    with signed_in(served) as context:
        page = context.new_page()
        page.goto("./")
        page.get_by_text("Connected", exact=True).wait_for()
        button = page.get_by_role("button", name="Run now: Photos")
        for number in range(1, TIMES + 1):
            button.wait_for()
            pressed_ms = button.evaluate("it => { const now = Date.now(); it.click(); return now }")
            until("it ended", lambda n=number: len(ends(database)) > n)
            took.append(max(ends(database)).timestamp() - pressed_ms / 1000)
    print(
        f"Run now to its end, 100 objects unchanged, s: p50 {statistics.median(took):.2f}, "
        f"max {max(took):.2f} ({', '.join(f'{t:.2f}' for t in took)})"
    )


def ends(database: Path) -> list[dt.datetime]:
    """Return when each run ended that has."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as reading:
        rows = reading.execute("SELECT finished_at FROM backup_run WHERE finished_at IS NOT NULL")
        return [dt.datetime.fromisoformat(row[0]) for row in rows]


if __name__ == "__main__":
    main()
