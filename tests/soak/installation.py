"""One installation of a soak: backups that are due every minute, a server, its mail, five tabs."""

import datetime as dt
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, Error, Page

from tests.soak.judging import Course, Run, Sample
from tests.support import setups
from tests.support.mailbox import Mailbox
from tests.support.program import Program, Served, until
from tests.support.servers import RcloneS3, free_port

ROOT = Path(__file__).parents[2]
A_MINUTE = ("changed", "again", "missing")  # backups that are due each minute: one fails
OBJECTS = 20


class Installation:
    """A data folder with `minutes` times three backups, at one S3 server that others may share."""

    def __init__(self, name: str, folder: Path, s3: RcloneS3) -> None:
        self.name = name
        self.program = Program(folder)
        self.program.environment |= {"BUCKETVAULT_LOG_LEVEL": "info", "PYTHONPATH": str(ROOT)}
        self.mailbox = Mailbox()
        self.samples: list[Sample] = []
        self.planned: list[tuple[str, dt.datetime]] = []
        self.kills = 0
        self._s3 = s3
        self._port = free_port()
        self._starts = 0
        self._served: Served | None = None
        self._context: BrowserContext | None = None
        self._tabs: list[Page] = []
        self._visits = 0
        self.log = folder / "log.txt"
        self.told = folder / "inside.jsonl"  # see `inside`

    def set_up(self, first: dt.datetime, minutes: int) -> None:
        """Have three backups due at each of so many minutes, from `first` on."""
        source, copy = (self._s3.root / f"{self.name}-{end}" for end in ("source", "copy"))
        copy.mkdir()
        tables = [
            self.mailbox.settings,
            setups.provider("Here", self._s3, source.name, copy.name, "not-there"),
        ]
        for minute in range(minutes):
            at = first + dt.timedelta(minutes=minute)
            for kind in A_MINUTE:
                name = f"{kind}-{minute:03}"
                for number in range(OBJECTS if kind != "missing" else 0):
                    file = source / name / f"object-{number:03}.txt"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(f"{name} {number}".encode() * 50)
                bucket = "not-there" if kind == "missing" else source.name
                ends = ("Here", bucket), ("Here", copy.name)
                tables.append(setups.backup(name, f"{at:%H:%M}", *ends))
                self.planned.append((name, at))
        done = self.program.apply("\n".join(tables))
        assert done.code == 0, done

    # the server

    def start(self) -> None:
        """Start the server at its port, and return once it answers."""
        self._starts += 1
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.soak.inside", str(self.told)),
                    *("serve", "--port", str(self._port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
                env=self.program.environment,
                cwd=self.program.folder,
                start_new_session=True,
            )
        self._served = served = Served(self.program, process, self._port)

        def answers() -> bool:
            assert process.poll() is None, self.log.read_text()[-2000:]
            try:
                return served.ask("/healthz").status == 200
            except OSError:
                return False

        until("the server answers", answers)

    def kill(self) -> None:
        """End the server as a crash would."""
        assert self._served is not None
        self._served.process.kill()
        self._served.process.wait()
        self.kills += 1

    def stop(self) -> None:
        """End the server as systemd would."""
        if self._served is not None and self._served.process.poll() is None:
            self._served.end()

    def sample(self, at_s: float) -> None:
        """Look at the server from outside."""
        assert self._served is not None
        process = psutil.Process(self._served.process.pid)
        database = self.program.data_dir / "bucketvault.sqlite3"
        files = (database, database.with_name(f"{database.name}-wal"))
        self.samples.append(
            Sample(
                at_s,
                self._starts,
                process.num_fds(),
                process.num_threads(),
                process.memory_info().rss,
                sum(file.stat().st_size for file in files if file.exists()),
            )
        )

    # its tabs

    def open_tabs(self, browser: Browser, count: int) -> None:
        """Sign in and open so many tabs."""
        assert self._served is not None
        self._context = browser.new_context(viewport={"width": 1440, "height": 900})
        for _ in range(count):
            self._tabs.append(self._context.new_page())
        self._tabs[0].goto(self._served.link)
        for _ in range(count):
            self.visit()

    def visit(self) -> None:
        """Have the next tab go to the next page, as somebody who looks around."""
        assert self._served is not None
        newest = self._newest()
        paths = ("/", "/health", "/settings", "/providers", "/backups/1", f"/runs/{newest}")
        path = paths[self._visits % len(paths)]
        tab = self._tabs[self._visits % len(self._tabs)]
        self._visits += 1
        try:
            tab.goto(f"{self._served.home}{path}", timeout=15_000)
        except Error as error:  # the server was killed in that moment
            print(f"{self.name}: {path}: {error.message.splitlines()[0]}")

    def close_tabs(self) -> None:
        """Close the browser's windows."""
        if self._context is not None:
            self._context.close()

    def live_tabs(self) -> int:
        """Return how many tabs show a page of bucketvault that is connected."""
        alive = 0
        for tab in self._tabs:
            try:
                alive += bool(tab.evaluate("() => !!window.socket && window.socket.connected"))
            except Error:
                continue
        return alive

    # what came of it

    def _rows(self, query: str) -> list[tuple[str, ...]]:
        file = self.program.data_dir / "bucketvault.sqlite3"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as database:
            return list(database.execute(query))

    def _newest(self) -> int:
        return int(self._rows("SELECT coalesce(max(id), 1) FROM backup_run")[0][0])

    def is_idle(self) -> bool:
        """True if no run waits or is under way."""
        active = "SELECT 1 FROM backup_run WHERE status IN ('pending', 'running')"
        return not self._rows(active)

    def waiting_mails(self) -> int:
        """Return how many mails the server has not taken yet."""
        query = "SELECT count(*) FROM mail WHERE next_attempt_at IS NOT NULL"
        return int(self._rows(query)[0][0])

    def course(self) -> Course:
        """Return all that was seen."""
        query = (
            "SELECT backup.name, backup_run.uuid, status, coalesce(reason, ''), scheduled_for "
            "FROM backup_run JOIN backup ON backup.id = backup_run.backup_id"
        )
        runs = [
            Run(name, uuid, status, reason, _moment(at))
            for name, uuid, status, reason, at in self._rows(query)
        ]
        return Course(
            self.samples,
            self.planned,
            runs,
            self.mailbox.ids,
            self.log.read_text("utf-8", "replace"),
            self.kills,
            self._left(),
        )

    def _left(self) -> Sequence[str]:
        return [
            " ".join(process.cmdline())[:200]
            for word in ("runner.py", "rclone", "bucketvault")
            for process in self.program.processes(word)
        ]

    def inside(self) -> list[dict[str, float]]:
        """Return what the program told of itself."""
        if not self.told.exists():
            return []
        return [json.loads(line) for line in self.told.read_text().splitlines()]

    def end(self) -> None:
        """End all it began."""
        self.stop()
        self.program.end()


def _moment(text: str | None) -> dt.datetime | None:
    if not text:
        return None
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def next_minute(after_s: float) -> dt.datetime:
    """Return the first whole minute that is so far ahead."""
    ahead = dt.datetime.fromtimestamp(time.time() + after_s, dt.UTC)
    return ahead.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
