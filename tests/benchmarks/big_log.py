"""Opening and moving in a log of a million lines, beside one of a thousand."""

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from bucketvault.config import DATABASE_NAME
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.store import run_logs
from bucketvault.store.database import close_database, open_database, writing
from tests.benchmarks._browsing import resident, signed_in
from tests.benchmarks._measure import cores, megabytes
from tests.support.program import Bucket, Program, Served, objects
from tests.support.servers import RcloneS3

SIZES = {1: 1_000, 2: 1_000_000}  # of the log of each run
FLUSH_EVERY = 50_000
TRIES = 5

# Looked at in every frame: the moment at which the last line is painted, none still on its way.
PAINTED = """
const number = row => +row.querySelector('.number').textContent.replaceAll(',', '');
window.rows = () => [...document.querySelectorAll('.log-row')].filter(row => !row.hidden);
window.there = wanted => {
    const rows = window.rows();
    return rows.length > 0 && rows.every(row => !row.classList.contains('k-absent'))
        && wanted(number(rows[0]), number(rows.at(-1)));
};
window.until = (wanted) => new Promise(done => {
    const look = () => wanted() ? requestAnimationFrame(() => done(performance.now()))
                                : requestAnimationFrame(look);
    look();
});
window.opened = window.until(
    () => document.querySelector('.log-scroller') && window.there((first, last) => last >= LAST));
"""
JUMP = """async ([key, first, last]) => {
    const scroller = document.querySelector('.log-scroller');
    const began = performance.now();
    if (key === 'middle') scroller.scrollTop = (scroller.scrollHeight - scroller.clientHeight) / 2;
    else scroller.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
    return await window.until(() => window.there((a, b) => a >= first && b <= last)) - began;
}"""
SEARCH = """async ([sought, said]) => {
    const box = document.querySelector('.log-card input');
    box.value = sought;
    box.dispatchEvent(new Event('input', {bubbles: true}));
    const began = performance.now();
    box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
    const words = document.querySelector('.find [role=status]');
    return await window.until(() => said.includes(words.textContent)) - began;
}"""


def main() -> None:
    """Two runs with logs of different length; the same questions to both."""
    with tempfile.TemporaryDirectory() as name, RcloneS3(Path(name) / "servers") as server:
        source, destination = Bucket(server, "source"), Bucket(server, "destination")
        for bucket in (source, destination):
            server.client().create_bucket(Bucket=bucket.name)
        for key, body in objects(3).items():
            source.put(key, body)
        home = Path(name) / "home"
        home.mkdir()
        program = Program(home)
        program.backup(source, destination)
        for run, size in SIZES.items():
            program.run()
            fill(program, run, size)
        try:
            served = program.serve()
            with signed_in(served) as context:
                open_page(context, 1, SIZES[1]).close()  # so that the first to come is not colder
                for run, size in SIZES.items():
                    look(served, context, run, size)
        finally:
            program.end()


def lines(count: int) -> Iterator[bytes]:
    """Lines as rclone writes them; the last but ten names a needle."""
    for number in range(count):
        entry: dict[str, Any] = {"time": "2026-11-22T00:30:00.123456789Z", "level": "info"}
        name = "needle" if number == count - 10 else f"A{number // 1000:03}_C{number:07}"
        entry |= {"msg": "Copied (new)", "size": 1_000_000 + number}
        entry |= {"object": f"2026/spring/raw/{name}.mov", "objectType": "*s3.Object"}
        yield json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def fill(program: Program, run: int, size: int) -> None:
    """Put a long log in place of a run's own, while the program does not run."""
    open_database(program.data_dir / DATABASE_NAME)
    try:
        with writing():
            run_logs.clear(run)
        writer, transcript = run_logs.LogWriter(run), Transcript()
        for number, line in enumerate(lines(size), 1):
            writer.add(line, *transcript.feed([line]))
            if number % FLUSH_EVERY == 0 or number == size:
                with writing():
                    writer.flush()
                writer.stored()
    finally:
        close_database()


def open_page(context: BrowserContext, run: int, size: int) -> Page:
    """A new tab at the run, once its last lines are painted."""
    page = context.new_page()
    page.add_init_script(PAINTED.replace("LAST", str(size)))
    page.goto(f"run/{run}")
    page.evaluate("window.opened")
    return page


def look(served: Served, context: BrowserContext, run: int, size: int) -> None:
    """Open the log, move in it, search it; print how long each took, and the memory."""
    before = resident(served.process.pid)
    opened = []
    for _ in range(TRIES):
        page = open_page(context, run, size)
        opened.append(page.evaluate("window.opened"))
        page.close()
    page = open_page(context, run, size)
    everything = 10 * size
    jumps: dict[str, list[float]] = {"Home": [], "middle": [], "End": []}
    for _ in range(TRIES):
        for key, first, last in (
            ("Home", 1, 100),
            ("middle", size // 3, size * 2 // 3),
            ("End", size - 100, everything),
        ):
            jumps[key].append(page.evaluate(JUMP, [key, first, last]))
    page.evaluate(JUMP, ["Home", 1, 100])
    hit = page.evaluate(SEARCH, ["needle", ["1 of 1"]])
    miss = page.evaluate(SEARCH, ["is nowhere in it", ["Not found"]])
    many = page.evaluate(SEARCH, ["spring", ["991 of 1,000", "10,000+ matches"]])
    page.evaluate("window.gc && window.gc()")
    heap = page.evaluate("performance.memory.usedJSHeapSize")
    rows = page.locator(".log-row").count()
    grown = resident(served.process.pid) - before
    moved = ", ".join(
        f"{key} {statistics.median(took):.0f} (the slowest {max(took):.0f})"
        for key, took in jumps.items()
    )
    print(
        f"{size:,} lines ({cores()} cores): navigation to last lines painted, ms:"
        f" {', '.join(f'{took:.0f}' for took in opened)}; jumps, ms: {moved};"
        f" search to the count of one near the end {hit:.0f} ms, for nothing {miss:.0f} ms,"
        f" for what is in every line {many:.0f} ms;"
        f" app memory +{megabytes(grown)} to {megabytes(before + grown)};"
        f" JS heap {megabytes(heap)}, {rows} row elements"
    )
    page.close()


if __name__ == "__main__":
    main()
