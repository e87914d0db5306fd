"""The home page of 500 backups with 200,000 runs: the server's time, and until it is painted."""

import datetime as dt
import json
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import BrowserContext

from bucketvault.config import DATABASE_NAME, load_config
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.engine import Engine
from bucketvault.engine.shared import LASTS_S
from bucketvault.pages.home.rows import in_order, list_row
from bucketvault.store.database import close_database, open_database, writing
from bucketvault.store.models import Backup, BackupRun, Provider, Storage
from tests.benchmarks._browsing import signed_in, spread
from tests.benchmarks._measure import cores
from tests.support.program import Program, Served

BACKUPS = 500
RUNS = 200_000
TIMES = 20
PAINTED = "document.querySelectorAll('.b-row').length > 500"
DAY = dt.timedelta(days=1)


def main() -> None:
    """Fill a database, then ask for the page: the engine alone, over HTTP, in Chromium."""
    print(f"({cores()} cores; {BACKUPS} backups, {RUNS} runs)")
    with tempfile.TemporaryDirectory() as name:
        program = Program(Path(name) / "home")
        program.data_dir.mkdir(parents=True)
        fill(program.data_dir / DATABASE_NAME)
        by_the_engine(program.data_dir)
        try:
            in_the_browser(program.serve())
        finally:
            program.end()


def fill(path: Path) -> None:
    """A year and more of good nights, with a failure now and then."""
    open_database(path)
    dice = random.Random(1)
    now = dt.datetime.now(dt.UTC)
    with writing():
        provider = Provider.create(
            name="Backblaze EU",
            provider_type="backblaze_b2",
            region="eu-central-003",
            access_key_id="v1.x.x.x",
            secret_access_key="v1.x.x.x",
        )
        for number in range(BACKUPS):
            source, copy = (
                Storage.create(provider=provider, bucket_name=f"{end}-{number:03}")
                for end in ("bucket", "copy")
            )
            Backup.create(
                name=f"Backup {number:03}",
                source_storage=source,
                destination_storage=copy,
                at=f"{number % 24:02}:30",
                time_zone="Europe/Berlin",
                archive_key=f"backup-{number}",
                planned_since=now - 400 * DAY,
                next_due_at=now + dice.random() * DAY,
            )
        for runs in in_portions(all_runs(dice, now), 500):
            BackupRun.insert_many(runs).execute()
    close_database()


def all_runs(dice: random.Random, now: dt.datetime) -> Iterator[dict[str, Any]]:
    """The runs, oldest first."""
    spec = {"source": {"bucket": "x" * 200}, "destination": {"bucket": "x" * 800}}
    for back in range(RUNS // BACKUPS, 0, -1):
        for number in range(BACKUPS):
            start = now - back * DAY + dice.random() * DAY / 2
            failed = dice.random() < 0.02
            yield {
                "uuid": str(uuid.UUID(int=dice.getrandbits(128))),
                "backup": number + 1,
                "status": "failed" if failed else "success",
                "reason": "rclone_error" if failed else None,
                "trigger": "schedule",
                "phase": "copying" if failed else "tidying",
                "proof": {} if failed else proof(start),
                "scheduled_for": start,
                "created_at": start,
                "updated_at": start,
                "started_at": start,
                "finished_at": start + dt.timedelta(minutes=12),
                "explanation": "Its storage cap is reached." if failed else "",
                "spec": spec,
                "source_objects": 218,
                "source_bytes": 96_100_000_000,
            }


def proof(start: dt.datetime) -> dict[str, Any]:
    return Proof(
        at=start.isoformat(), source_objects=218, present=218, same_hash=205, same_size_only=13
    ).to_json()


def in_portions(runs: Iterator[dict[str, Any]], length: int) -> Iterator[list[dict[str, Any]]]:
    portion: list[dict[str, Any]] = []
    for run in runs:
        portion.append(run)
        if len(portion) == length:
            yield portion
            portion = []
    if portion:
        yield portion


def by_the_engine(folder: Path) -> None:
    """The page's questions and their answers, without a server around it."""
    engine = Engine(load_config({}, data_dir=str(folder)), "benchmark")
    engine.start()
    try:
        zone, now = ZoneInfo("Europe/Berlin"), dt.datetime.now(dt.UTC)

        def rows() -> object:
            home = engine.home()
            made = [list_row(row, home.days[row.id], now, zone) for row in home.rows]
            assert len(in_order(home.rows)) == BACKUPS
            return made

        print(f"engine, first look: {milliseconds(engine.home):.0f} ms")
        for what, act in (
            ("engine, after a change", engine.home),
            ("engine and rows for the browser, after a change", rows),
            ("the answer in the frame of other pages, after a change", engine.answer),
        ):
            print(f"{what}: {spread([after_a_change(act) for _ in range(TIMES)], 'ms')}")
        print(f"rows as JSON: {len(json.dumps(rows())) / 1000:.0f} kB")
    finally:
        engine.stop()


def after_a_change(act: Callable[[], object]) -> float:
    """Milliseconds; without a change, several pages would share what one of them asked for."""
    with writing():
        Backup.update(updated_at=dt.datetime.now(dt.UTC)).where(Backup.id == 1).execute()
    return milliseconds(act)


def milliseconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def in_the_browser(served: Served) -> None:
    """The whole page over HTTP, and until every row is in the page and a frame is drawn."""
    with signed_in(served) as context:
        page = context.new_page()
        page.goto("./")
        answered = []
        for _ in range(TIMES):
            page.wait_for_timeout(1000 * LASTS_S)  # as for a reader who comes after a while
            answered.append(milliseconds(lambda: context.request.get("/")))
        print(f"HTTP answer: {spread(answered, 'ms')}, {len(context.request.get('/').body())} B")
        print(f"painted: {spread([painted(context) for _ in range(TIMES)], 'ms')}")
        search = page.get_by_label("Search backups")
        typed = []
        for number in range(5):
            started = time.perf_counter()
            search.fill(f"{number}37")
            page.wait_for_function("document.querySelectorAll('.b-row').length === 2")
            typed.append((time.perf_counter() - started) * 1000)
        print(f"search: {statistics.median(typed):.0f} ms")


def painted(context: BrowserContext) -> float:
    """Milliseconds from the navigation to a frame with all rows, by the page's own clock."""
    page = context.new_page()
    page.wait_for_timeout(1000 * LASTS_S)
    page.add_init_script(
        f"""window.painted = new Promise(done => {{
            const look = () => {PAINTED}
                ? requestAnimationFrame(() => setTimeout(() => done(performance.now())))
                : setTimeout(look, 5);
            look();
        }});"""
    )
    page.goto("./")
    took: float = page.evaluate("window.painted")
    page.close()
    return took
