"""From Run now to rclone's start, with all checks; the start of `serve`, and what it costs idle."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.remotes import Remote, config_text
from bucketvault.vocabulary import ProviderType
from tests.benchmarks._browsing import cpu_s, resident, signed_in
from tests.benchmarks._measure import cores, megabytes
from tests.support.program import Bucket, Program, Served, objects, until
from tests.support.servers import RcloneS3, clean_environment, rclone_path
from tests.support.specs import run_spec

TIMES = 10
STARTS = 5
IDLE_S = 20

# Notes when the copying rclone begins, and becomes it: two milliseconds more than rclone alone.
NOTING = """#!/bin/sh
case " $* " in *" --dry-run "*) ;; *" sync "*) date +%s%N >> {file} ;; esac
exec {rclone} "$@"
"""


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
        with served_by(folder, source, destination) as (served, started):
            idle(served)
            press(served, started, checks_by_hand(folder, source, destination))


@contextmanager
def served_by(folder: Path, source: Bucket, destination: Bucket) -> Iterator[tuple[Served, Path]]:
    """A server with one backup, whose rclone notes its start in the second."""
    (folder / "home").mkdir()
    program = Program(folder / "home")
    program.backup(source, destination, comparison_mode="checksum")
    started, noting = folder / "started", folder / "rclone"
    started.touch()
    noting.write_text(NOTING.format(file=started, rclone=rclone_path()))
    noting.chmod(0o700)
    try:
        yield program.serve(BUCKETVAULT_RCLONE=str(noting)), started
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


def press(served: Served, started: Path, by_hand_s: float) -> None:
    """Press Run now on the home page, ten times, each after the last run's end."""
    took = []
    with signed_in(served) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_text("Connected", exact=True).wait_for()
        button = page.get_by_role("button", name="Run now: Photos")
        for number in range(1, TIMES + 1):
            button.wait_for()
            pressed_ms = button.evaluate("it => { const now = Date.now(); it.click(); return now }")
            until("rclone started", lambda n=number: len(noted(started)) >= n)
            took.append((noted(started)[-1] / 1e6 - pressed_ms) / 1000)
            page.get_by_role("link", name="Watch: Photos").wait_for()
    p50 = statistics.median(took)
    print(
        f"Run now to rclone started, 100 objects, s: p50 {p50:.2f}, max {max(took):.2f}"
        f" ({', '.join(f'{t:.2f}' for t in took)}); the same three questions by hand"
        f" {by_hand_s:.2f} s: {p50 / by_hand_s:.2f} x"
    )


def noted(started: Path) -> list[int]:
    return [int(line) for line in started.read_text().splitlines()]


def remote_of(bucket: Bucket) -> Remote:
    """How rclone gets at a bucket."""
    server = bucket.server
    return Remote(
        label="x",
        provider_type=ProviderType.AMAZON_S3,
        endpoint=server.endpoint,
        region="",
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


def checks_by_hand(folder: Path, source: Bucket, destination: Bucket) -> float:
    """Seconds that the checks' own three rclone commands take one after another; best of five."""
    config = folder / "rclone.conf"
    remotes = {"source": remote_of(source), "dest": remote_of(destination)}
    config.write_text(config_text(remotes))
    spec = run_spec(source.name, destination.name)
    questions = (
        command.destination_answers(destination.name),
        command.size(command.source(spec)),
        command.dry_run(spec, "20260101T000000Z"),
    )
    took = []
    for _ in range(5):
        began = time.monotonic()
        for arguments in questions:
            subprocess.run(
                [rclone_path(), "--config", str(config), *arguments],
                env=clean_environment(),
                capture_output=True,
                check=False,  # there is no archive yet: exit 3
            )
        took.append(time.monotonic() - began)
    return min(took)


if __name__ == "__main__":
    main()
