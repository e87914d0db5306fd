"""Cost of the checks before a run: requests, seconds and memory, against the run itself."""

import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.remotes import Remote, config_text
from bucketvault.vocabulary import ProviderType
from tests.benchmarks._measure import Cost, cores, measure, megabytes
from tests.benchmarks.first_copy import role
from tests.support.program import Bucket, Program
from tests.support.proxies import RefusingProxy
from tests.support.servers import RcloneS3, clean_environment, rclone_path
from tests.support.specs import run_spec

A_FOLDER = 1000  # objects; one listing


def main() -> None:
    """A complete copy, of which nothing has changed: 10,000 and 100,000 objects."""
    memory = "/dev/shm"  # so that the disk is not what is measured
    print(f"({cores()} cores; servers on this machine, which take the same cores)")
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as name:
        folder = Path(name)
        keys = ("AKIABENCHEXAMPLE001", "bench-secret-0001")
        with RcloneS3(folder / "a", *keys) as here, RcloneS3(folder / "b", *keys) as there:
            for count in (10_000, 100_000):
                fill(folder, f"bucket-{count}", count)
                source, copy = Bucket(here, f"bucket-{count}"), Bucket(there, f"bucket-{count}")
                # two HEAD requests an object: only for the smaller one
                modes = ["checksum", *(["default"] if count <= 10_000 else [])]
                compare(f"{count:,} objects", folder, source, copy, modes)


def fill(folder: Path, bucket: str, count: int) -> None:
    """So many small objects in both buckets, the same ones: hard links."""
    for n in range(count):
        name = f"{n // A_FOLDER:03}/{n:06}.txt"
        first, second = (folder / side / bucket / name for side in "ab")
        for file in (first, second):
            file.parent.mkdir(parents=True, exist_ok=True)
        first.write_bytes(b"%08d" % n)
        os.link(first, second)


def compare(title: str, folder: Path, source: Bucket, copy: Bucket, modes: list[str]) -> None:
    """Print the look alone, and runs with it."""
    with ExitStack() as stack:
        doors = [stack.enter_context(RefusingProxy(b.server.endpoint)) for b in (source, copy)]
        look(folder, source, copy, [door.endpoint for door in doors])
        asked = [dict(door.requests) for door in doors]
    alone = look(folder, source, copy, [b.server.endpoint for b in (source, copy)])
    print(f"{title}, nothing changed")
    print(f"  requests of the look: source {asked[0]}, destination {asked[1]}")
    print(f"  the look alone: {in_words(alone, 'rclone')}")
    for mode in modes:
        home = folder / f"home-{source.name}-{mode}"
        home.mkdir()
        program = Program(home)
        program.backup(source, copy, comparison_mode=mode)
        cost = measure(lambda program=program: program.start("run", "Photos", "--wait"), role)
        print(
            f"  a whole run, {mode}: {in_words(cost, 'rclone')}; "
            f"the look is {100 * alone.wall_s / cost.wall_s:.0f} % of its time"
        )


def in_words(cost: Cost, who: str) -> str:
    """Seconds, seconds of CPU and the most memory that `who` took."""
    cpu, peak = cost.cpu_s[who], megabytes(cost.peak_bytes[who])
    return f"{cost.wall_s:.2f} s, {who} {cpu:.2f} s of CPU and {peak}"


def look(folder: Path, source: Bucket, copy: Bucket, endpoints: list[str]) -> Cost:
    """The dry run of the brake, started by itself."""
    sides = {
        side: Remote(
            label=side,
            provider_type=ProviderType.AMAZON_S3,
            endpoint=endpoint,
            region="",
            access_key_id=bucket.server.access_key_id,
            secret_access_key=bucket.server.secret_access_key,
        )
        for side, bucket, endpoint in zip(
            ("source", "dest"), (source, copy), endpoints, strict=True
        )
    }
    config = folder / "rclone.conf"
    config.write_text(config_text(sides))
    arguments = command.dry_run(run_spec(source.name, copy.name), "20260101T000000Z")
    with (folder / "look.log").open("wb") as log:
        return measure(
            lambda: subprocess.Popen(
                [rclone_path(), "--config", str(config), *arguments, "--log-level", "ERROR"],
                stdout=log,
                stderr=log,
                text=True,
                env=clean_environment(),
            ),
            role,
        )
