"""A look at both ends of up to a million keys, flat and in folders, without and with latency.

The servers only list, and make their pages before they are asked: what is measured is who asks.
Beside each, what bare rclone takes to compare the same two, changing nothing.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bucketvault.engine.listing.bucket import Bucket
from bucketvault.engine.listing.look import End, Job
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.listing.process import environment
from bucketvault.vocabulary import ComparisonMode
from tests.benchmarks._measure import cores, measure
from tests.benchmarks.look import start_by_hand
from tests.support import program
from tests.support.list_only import ListOnly

COUNTS = (10_000, 100_000, 1_000_000)
CHANGED = 10
COMPARE = ("--checksum", "--dry-run", "--transfers", "4", "--checkers", "16")


def main() -> None:
    """One line each: seconds, seconds of CPU, peak memory, requests at each end."""
    print(f"({cores()} cores; servers on this machine, which take the same cores)")
    for count in COUNTS:
        for folders in (0, count // 1000):
            for delay_ms in (0, 50):
                print(f"{count:9,} keys {line(count, folders, delay_ms)}", flush=True)


def line(count: int, folders: int, delay_ms: int) -> str:
    """Look once at two servers, and let rclone do so."""
    with (
        ListOnly(count, folders, delay_ms=delay_ms) as source,
        ListOnly(count, folders, changed=CHANGED, delay_ms=delay_ms) as copy,
        tempfile.TemporaryDirectory() as name,
    ):
        ends = [
            End(Bucket(s.endpoint, "us-east-1", "bucket", s.access_key_id, s.secret_access_key))
            for s in (source, copy)
        ]
        folder = Path(name)
        mode = ComparisonMode.CHECKSUM
        job = Job(*ends, mode, folder, "2026-01-02T03:04:05Z", None, folder / "ledger.gz")
        ours, said = measured(lambda: started(job), source, copy)
        totals = Plan(folder).totals()
        assert totals.present + CHANGED == count == totals.source_objects == totals.copy_objects
        by_hand = ["sync", "source:bucket", "dest:bucket", *COMPARE]
        buckets = (program.Bucket(source, "bucket"), program.Bucket(copy, "bucket"))
        theirs, told = measured(lambda: start_by_hand(folder, by_hand, *buckets), source, copy)
    return (
        f"in {folders:5,} folders, {delay_ms:2} ms: {said}; rclone {told};"
        f" wall {ours / theirs:.2f} x rclone's"
    )


def measured(start: Callable[[], "subprocess.Popen[str]"], *servers: ListOnly) -> tuple[float, str]:
    """Return the seconds that a process took, and its figures in words."""
    asked_before = [server.requests() for server in servers]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = measure(start, lambda _: "it")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = [server.requests() - old for server, old in zip(servers, asked_before, strict=True)]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cost.wall_s, (
        f"{cost.wall_s:6.2f} s, {cpu_s:6.2f} s of CPU, {cost.peak_bytes['it'] / 1e6:4.0f} MB,"
        f" {asked[0]} and {asked[1]} requests"
    )


def started(job: Job) -> "subprocess.Popen[str]":
    """Start the process that looks, without the tether."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "bucketvault.engine.listing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment(),
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(job), default=str))
    process.stdin.close()
    return process
