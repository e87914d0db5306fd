"""A first copy through bucketvault against the same rclone command by hand, in one run."""

import random
import subprocess
import tempfile
from pathlib import Path

from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.remotes import Remote, config_text
from bucketvault.vocabulary import ProviderType
from tests.benchmarks._measure import Cost, cores, measure, print_cost
from tests.support.program import Bucket, Program
from tests.support.servers import RcloneS3, clean_environment, rclone_path
from tests.support.specs import run_spec

GIB = 1024**3


def main() -> None:
    """20,000 small objects, then 1 GiB in two; each by hand, through bucketvault, by hand again."""
    memory = "/dev/shm"  # so that the disk is not what is measured
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as name:
        folder = Path(name)
        keys = ("AKIABENCHEXAMPLE001", "bench-secret-0001")
        with RcloneS3(folder / "a", *keys) as here, RcloneS3(folder / "b", *keys) as there:
            small = fill(folder / "a" / "small", {f"{n % 200}/{n}.txt": 100 for n in range(20_000)})
            large = fill(folder / "a" / "large", {"one.bin": GIB // 2, "two.bin": GIB // 2})
            for title, source in (("20,000 small objects", small), ("1 GiB in two", large)):
                compare(title, folder, Bucket(here, source), there)


def fill(bucket: Path, sizes: dict[str, int]) -> str:
    """A bucket's folder with random objects; returns the bucket's name."""
    chance = random.Random(1)
    for key, size in sizes.items():
        path = bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for begin in range(0, size, 1 << 24):
                file.write(chance.randbytes(min(1 << 24, size - begin)))
    return bucket.name


def compare(title: str, folder: Path, source: Bucket, there: RcloneS3) -> None:
    """Print both costs and their ratios; by hand before and after, because disks warm up."""
    first = by_hand(folder, source, fresh(there, f"{source.name}-1"))
    ours = through_bucketvault(folder, source, fresh(there, f"{source.name}-2"))
    second = by_hand(folder, source, fresh(there, f"{source.name}-3"))
    print(f"{title} ({cores()} cores)")
    print_cost("  by hand, before", first)
    print_cost("  bucketvault    ", ours)
    print_cost("  by hand, after ", second)
    hand_s = min(first.wall_s, second.wall_s)
    hand_cpu_s = min(first.cpu_s["rclone"], second.cpu_s["rclone"])
    own = ours.cpu_s.get("bucketvault", 0.0) + ours.cpu_s.get("runner", 0.0)
    print(
        f"  wall: {ours.wall_s / hand_s:.2f} x the faster one by hand; "
        f"our CPU: {100 * own / hand_cpu_s:.1f} % of rclone's by hand"
    )


def fresh(server: RcloneS3, name: str) -> Bucket:
    """An empty bucket."""
    server.client().create_bucket(Bucket=name)
    return Bucket(server, name)


def role(line: str) -> str:
    """Who a process is, by its command line."""
    if "runner.py" in line:
        return "runner"
    if "bucketvault.engine.listing" in line:
        return "look"
    return "bucketvault" if "-m bucketvault" in line else "rclone"


def by_hand(folder: Path, source: Bucket, destination: Bucket) -> Cost:
    """The same command a run uses, started by itself."""

    def remote(bucket: Bucket) -> Remote:
        server = bucket.server
        return Remote(
            label="x",
            provider_type=ProviderType.AMAZON_S3,
            endpoint=server.endpoint,
            region="",
            access_key_id=server.access_key_id,
            secret_access_key=server.secret_access_key,
        )

    config = folder / "rclone.conf"
    config.write_text(config_text({"source": remote(source), "dest": remote(destination)}))
    arguments = command.bulk(run_spec(source.name, destination.name))
    with (folder / "by-hand.log").open("wb") as log:
        return measure(
            lambda: subprocess.Popen(
                [rclone_path(), "--config", str(config), *arguments],
                stdout=log,
                stderr=log,
                text=True,
                env=clean_environment(),
            ),
            role,
        )


def through_bucketvault(folder: Path, source: Bucket, destination: Bucket) -> Cost:
    """`bucketvault run --wait` on a fresh data folder."""
    home = folder / f"home-{destination.name}"
    home.mkdir()
    program = Program(home)
    program.backup(source, destination, comparison_mode="checksum")
    cost = measure(lambda: program.start("run", "Photos", "--wait"), role)
    assert destination.copy_keys(), "nothing was copied"
    return cost
