"""First copy, nothing changed, ten changed: runs against bare rclone, side by side in one run.

100,000 objects of 1 to 4 KiB in 2,000 folders on SeaweedFS, checksum mode. Three rounds, in which
bare rclone and bucketvault alternate; the best of each counts.
"""

import datetime as dt
import json
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil

from bucketvault.engine.rclone.remotes import config_text
from tests.benchmarks._measure import Cost, cores, measure
from tests.benchmarks._seaweed import SeaweedFS
from tests.benchmarks.first_copy import role
from tests.support.program import Bucket, Program
from tests.support.servers import clean_environment, rclone_path

OBJECTS = int(os.environ.get("BENCHMARK_OBJECTS", "100000"))
FIRST = OBJECTS // 5  # for first copies, each of which takes minutes
IN_A_FOLDER = 50
CHANGED = 10
ROUNDS = 3
QUICK = ("--metadata", "--transfers", "32", "--checkers", "32")
HAND = (
    "--metadata",
    "--transfers",
    "4",
    "--checkers",
    "16",
    "--exclude",
    "/.bucketvault-archive/**",
)


def main() -> None:
    """First copies of a fifth of the objects; then let nothing and little change in all of them.

    BENCHMARK_FOLDER keeps the server's files for another time.
    """
    memory = "/dev/shm"  # so that the disk is not what is measured
    print(f"({OBJECTS:,} objects, {cores()} cores; the server takes the same cores)", flush=True)
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as name:
        folder = Path(name)
        kept = os.environ.get("BENCHMARK_FOLDER")
        with SeaweedFS(Path(kept) if kept else folder / "weed") as server:
            fifth, whole = (fill(folder, server, count) for count in (FIRST, OBJECTS))
            Rows(folder, fifth).first_copy()
            rows = Rows(folder, whole, copied(folder, whole))
            rows.compare("unchanged", lambda _: None)
            rows.compare("ten changed", rows.change)


def fill(folder: Path, server: SeaweedFS, count: int) -> Bucket:
    """Make a source: rclone loads it from a folder, which goes away again."""
    source = Bucket(server, f"source-{count}")
    if source.is_there():
        return source
    chance, files = random.Random(1), folder / "files"
    for n in range(count):
        path = files / name_of(n)
        if n % IN_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(chance.randbytes(1024 + chance.randrange(3072)))
    new(source)
    hand(folder, ["copy", str(files), f"source:{source.name}", *QUICK], source, source)
    shutil.rmtree(files)
    return source


def copied(folder: Path, source: Bucket) -> Bucket:
    """Make a whole copy of a source, which both bring up to date in turn."""
    copy = Bucket(source.server, f"by-hand-{source.name}")
    if not copy.is_there():
        new(copy)
        hand(folder, ["copy", f"source:{source.name}", f"dest:{copy.name}", *QUICK], source, copy)
    return copy


def name_of(n: int) -> str:
    """Return a key."""
    return f"photos/{n // IN_A_FOLDER:05}/image-{n:06}.jpg"


def new(bucket: Bucket) -> Bucket:
    """Make it, empty."""
    bucket.server.client().create_bucket(Bucket=bucket.name)
    return bucket


class Rows:
    """The measurements between one source and its copies."""

    def __init__(self, folder: Path, source: Bucket, copy: Bucket | None = None) -> None:
        self._folder, self._source = folder, source
        self._server: SeaweedFS = source.server  # type: ignore[assignment]
        self._copy = copy or source
        self._changed = time.time_ns()
        if copy is not None:
            self._backup()
            assert self._program.run()["status"] == "success"

    def first_copy(self) -> None:
        """Alternate: by hand, ours, by hand, ours, into empty buckets."""
        rounds: dict[str, list[Round]] = {"rclone": [], "bucketvault": []}
        for number in (1, 2):
            for who, made in rounds.items():
                self._copy = new(Bucket(self._server, f"{who}-{number}"))
                if who == "bucketvault":
                    self._backup()
                made.append(self._round(who))
                hand(self._folder, ["purge", f"dest:{self._copy.name}"], self._copy, self._copy)
        tell(f"first copy of {FIRST:,}", rounds)

    def _backup(self) -> None:
        """Set up a program of its own, with this backup."""
        home = self._folder / f"home-{self._copy.name}"
        home.mkdir()
        self._program = Program(home)
        self._program.backup(self._source, self._copy, comparison_mode="checksum")

    def compare(self, title: str, before: Callable[[int], None]) -> None:
        """Alternate bare rclone and a run; `before` comes before each round."""
        rounds: dict[str, list[Round]] = {"rclone": [], "bucketvault": []}
        for number in range(ROUNDS):
            for who, made in rounds.items():
                before(number)
                made.append(self._round(who))
        tell(title, rounds)

    def change(self, number: int) -> None:
        """Write ten objects of the source anew."""
        for n in range(number, OBJECTS, OBJECTS // CHANGED):
            self._changed += 1
            self._source.put(name_of(n), b"changed %d " % self._changed * 100)

    def _round(self, who: str) -> "Round":
        begun = [self._server.requests(bucket.name) for bucket in (self._source, self._copy)]
        server = psutil.Process(self._server.pid)
        begun_s = sum(server.cpu_times()[:2])
        cost = measure(self._by_hand if who == "rclone" else self._ours, role)
        ended = [self._server.requests(bucket.name) for bucket in (self._source, self._copy)]
        asked = [after - before for before, after in zip(begun, ended, strict=True)]
        served_s = sum(server.cpu_times()[:2]) - begun_s
        if who == "rclone":
            return Round(cost, asked, served_s)
        return Round(cost, asked, served_s, self._proving_s(), self._run_s())

    def _by_hand(self) -> "subprocess.Popen[str]":
        copy = f"dest:{self._copy.name}"
        kept = f"{copy}/.bucketvault-archive/by-hand/{time.time_ns()}/"
        arguments = ["sync", f"source:{self._source.name}", copy, "--checksum"]
        arguments += ["--backup-dir", kept, *HAND]
        return start_by_hand(self._folder, arguments, self._source, self._copy)

    def _ours(self) -> "subprocess.Popen[str]":
        return self._program.start("run", "Photos", "--wait")

    def _run_s(self) -> float:
        """Return how long the newest run took by itself, without the start of a command."""
        columns = "SELECT started_at, finished_at FROM backup_run ORDER BY id DESC LIMIT 1"
        with closing(sqlite3.connect(self._program.data_dir / "bucketvault.sqlite3")) as stored:
            began, ended = map(dt.datetime.fromisoformat, stored.execute(columns).fetchone())
        return (ended - began).total_seconds()

    def _proving_s(self) -> float:
        """Return how long the newest run looked after its last pass; 0 without one."""
        lines = map(json.loads, self._program.raw_log(self._program.last_run()["id"]).splitlines())
        copied = proven = None
        for line in lines:
            if line.get("step") == "prove":
                proven = dt.datetime.fromisoformat(line["time"])
            elif proven is None and "bucketvault" not in line:
                copied = dt.datetime.fromisoformat(line["time"])
        return (proven - copied).total_seconds() if proven and copied else 0.0


class Round:
    """One measurement: its cost, what was asked at either end, the server's CPU.

    Of ours also the seconds of the proof, and of the run itself.
    """

    def __init__(
        self,
        cost: Cost,
        asked: list[Counter[str]],
        served_s: float,
        proof_s: float = 0.0,
        run_s: float = 0.0,
    ) -> None:
        self.cost, self.asked, self.served_s = cost, asked, served_s
        self.proof_s, self.run_s = proof_s, run_s
        self.cpu_s = sum(cost.cpu_s.values())


def tell(title: str, rounds: dict[str, list[Round]]) -> None:
    """Print the rounds of both, and how ours compare."""
    print(title)
    for who, made in rounds.items():
        for one in made:
            peak = ", ".join(
                f"{name} {one.cost.cpu_s.get(name, 0):.2f} s, {size / 1e6:.0f} MB"
                for name, size in sorted(one.cost.peak_bytes.items())
            )
            print(
                f"  {who:12} {one.cost.wall_s:7.2f} s, {one.cpu_s:7.2f} s of CPU; {peak};"
                f" server {one.served_s:.2f} s; asked:"
                f" source {dict(one.asked[0])}, copy {dict(one.asked[1])}"
            )
    wall, cpu = (
        {who: min(map(by, made)) for who, made in rounds.items()} for by in (wall_s, cpu_s)
    )
    ours = rounds["bucketvault"]
    without = min(one.cost.wall_s - one.proof_s for one in ours)
    alone = min(one.run_s for one in ours)
    print(
        f"  wall {wall['bucketvault'] / wall['rclone']:.2f} x rclone's,"
        f" without the proof {without / wall['rclone']:.2f} x,"
        f" without the command {alone / wall['rclone']:.2f} x;"
        f" CPU {cpu['bucketvault'] / cpu['rclone']:.2f} x",
        flush=True,
    )


def wall_s(one: Round) -> float:
    """Return its wall time."""
    return one.cost.wall_s


def cpu_s(one: Round) -> float:
    """Return its CPU time, children included."""
    return one.cpu_s


def start_by_hand(
    folder: Path, arguments: list[str], source: Bucket, copy: Bucket
) -> "subprocess.Popen[str]":
    """Start an rclone of our own."""
    config = folder / "rclone.conf"
    config.write_text(config_text({"source": source.remote(), "dest": copy.remote()}), "utf-8")
    with (folder / "by-hand.log").open("wb") as log:
        return subprocess.Popen(
            [rclone_path(), "--config", str(config), *arguments],
            stdout=log,
            stderr=log,
            text=True,
            env=clean_environment(),
        )


def hand(folder: Path, arguments: list[str], source: Bucket, copy: Bucket) -> None:
    """Run an rclone of our own to its end."""
    process = start_by_hand(folder, arguments, source, copy)
    assert process.wait() == 0, (folder / "by-hand.log").read_text("utf-8")[-2000:]
