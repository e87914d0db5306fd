"""From rclone's write to the browser's screen, at 2,000 lines a second, with 0, 1 and 5 viewers.

A small program replaces rclone where it copies: it writes what rclone would, at that rate,
each line with the time of its writing in the object's name. All else is real: `serve`, the runner,
the follower, the database, Chromium.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from bucketvault.config import DATABASE_NAME
from bucketvault.store import run_logs
from bucketvault.store.database import close_database, open_database
from tests.benchmarks._browsing import cpu_s, resident, signed_in, spread
from tests.benchmarks._measure import cores, megabytes
from tests.support.program import Bucket, Program, Served, objects, until
from tests.support.servers import RcloneS3, rclone_path

LINES_A_SECOND = 2000
SECONDS = 20
VIEWERS = (0, 1, 5)

STAND_IN = """#!{python} -IS
import json, os, sys, time
if "copy" not in sys.argv:
    os.execv({rclone!r}, [{rclone!r}, *sys.argv[1:]])
def say(**entry):
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
    entry = {{"time": f"{{stamp}}.{{now % 10**9:09}}Z", "level": "info", **entry}}
    return json.dumps(entry, separators=(",", ":")) + "\\n"
open({folder!r} + "/started", "w").close()
while not os.path.exists({folder!r} + "/go"):
    time.sleep(0.01)  # between two looks for the sign to begin
began, told, made, total = time.monotonic(), 0, 0, {rate} * {seconds}
while made < total:
    due = min(total, int((time.monotonic() - began) * {rate}))
    lines = [
        say(msg="Copied (new)", size=4096, objectType="*s3.Object", source="operations/copy.go:368",
            object=f"2026/spring/{{time.time_ns() // 1000}}-{{n}}.mov")
        for n in range(made, due)
    ]
    made = due
    if time.monotonic() - began >= told + 1:
        told += 1
        stats = {{"bytes": made * 4096, "totalBytes": total * 4096, "transfers": made,
                 "totalTransfers": total, "speed": 8e6, "eta": 5, "checks": 0, "totalChecks": 0,
                 "errors": 0, "deletes": 0, "renames": 0, "listed": total, "elapsedTime": told}}
        lines.append(say(msg="progress", stats=stats, source="slog/logger.go:256"))
    os.write(2, "".join(lines).encode())
    time.sleep(0.005)  # the lines come at their rate, in small portions
"""
WATCH = r"""() => {
    const seen = window.seen = [];  // [milliseconds since 1970, number of the newest row]
    window.frames_drawn = 0;
    let last = 0;
    const look = () => {
        let newest = 0;
        for (const cell of document.querySelectorAll('.log-row:not([hidden]) .number'))
            newest = Math.max(newest, +cell.textContent.replaceAll(',', ''));
        if (newest > last) seen.push([Date.now(), last = newest]);
    };
    new MutationObserver(look).observe(
        document.querySelector('.log-window'),
        {subtree: true, childList: true, characterData: true, attributes: true});
    const frame = () => { window.frames_drawn += 1; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
}"""
WRITTEN = re.compile(rb'"object":"2026/spring/(\d+)-')


def main() -> None:
    """Three runs of the same program, with more and more viewers."""
    print(f"{LINES_A_SECOND:,} lines/s for {SECONDS} s ({cores()} cores, the browser's share too)")
    with tempfile.TemporaryDirectory() as name, RcloneS3(Path(name) / "servers") as server:
        folder = Path(name)
        server.client().create_bucket(Bucket="source")
        server.client().create_bucket(Bucket="destination")
        for key, body in objects(3).items():
            Bucket(server, "source").put(key, body)
        (folder / "home").mkdir()
        program = Program(folder / "home")
        program.backup(Bucket(server, "source"), Bucket(server, "destination"))
        stand_in = folder / "rclone"
        stand_in.write_text(
            STAND_IN.format(
                python=sys.executable,
                rclone=rclone_path(),
                folder=str(folder),
                rate=LINES_A_SECOND,
                seconds=SECONDS,
            )
        )
        stand_in.chmod(0o700)
        try:
            served = program.serve(BUCKETVAULT_RCLONE=str(stand_in))
            with signed_in(served) as context:
                for run, viewers in enumerate(VIEWERS, 1):
                    watch(served, context, folder, run, viewers)
        finally:
            program.end()


def watch(served: Served, context: BrowserContext, folder: Path, run: int, viewers: int) -> None:
    """One run with so many pages open; print what it cost and how late the lines came."""
    program = served.program
    for file in ("go", "started"):
        (folder / file).unlink(missing_ok=True)
    assert program.cli("run", "Photos").code == 0
    until("the stand-in began", (folder / "started").exists)
    pages = [context.new_page() for _ in range(viewers)]
    for page in pages:
        page.goto(f"run/{run}")
        page.get_by_text("Connected", exact=True).wait_for()
        page.evaluate(WATCH)
    (folder / "go").touch()
    began, cpu = time.monotonic(), cpu_s(served.process.pid)
    most = 0
    while time.monotonic() - began < SECONDS:
        most = max(most, resident(served.process.pid))
        if pages:
            pages[0].wait_for_timeout(500)  # between two samples, while Playwright hears of them
        else:
            time.sleep(0.5)  # between two samples
    took = time.monotonic() - began
    used = cpu_s(served.process.pid) - cpu
    frames = [page.evaluate("window.frames_drawn") / took for page in pages]
    until("the run is over", lambda: program.status()["running"] == 0)
    lags = late(written(program, run), pages)
    for page in pages:
        page.close()
    told = f"{viewers} viewers: app {100 * used / took:.1f} % of a core, {megabytes(most)}"
    if pages:
        told += f"; lag {spread(lags, 'ms')}; {min(frames):.0f} to {max(frames):.0f} frames/s"
    print(told)


def written(program: Program, run: int) -> list[float]:
    """When each shown row was written, in milliseconds since 1970."""
    open_database(program.data_dir / DATABASE_NAME)
    try:
        found = [WRITTEN.search(line) for line, _ in run_logs.lines_and_kinds(run)]
    finally:
        close_database()
    return [int(match[1]) / 1000 for match in found if match]


def late(lines: list[float], pages: list[Page]) -> list[float]:
    """How late each line was on each page: the moment at which it, or a later one, was there."""
    lags = []
    for page in pages:
        before = 0
        for moment, newest in page.evaluate("window.seen"):
            lags += [moment - lines[row] for row in range(before, newest)]
            before = newest
        assert before == len(lines), (before, len(lines))
    return lags


if __name__ == "__main__":
    main()
