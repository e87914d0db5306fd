"""The demo as a person runs it."""

import mimetypes
from pathlib import Path

import pytest

from bucketvault.demo import buckets
from tests.support.program import Bucket, Program
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.slow


def test_the_demo_copies_every_object_keeps_what_changed_and_leaves_nothing_running(
    bucketvault: Program,
) -> None:
    for name in ("BUCKETVAULT_DATA_DIR", "BUCKETVAULT_KEY_FILE"):
        del bucketvault.environment[name]

    done = bucketvault.shell("demo", "--once")

    assert done.code == 0, done
    assert "280 copied" in done.out and "5 copied, 3 replaced, 4 removed" in done.out
    servers = bucketvault.folder / ".cache" / "bucketvault" / "demo" / "servers"
    bucketvault.data_dir = servers.parent / "data"
    assert not bucketvault.processes("rclone")
    source = files(servers / "here" / "holiday-photos")
    with RcloneS3(servers / "elsewhere") as server:
        bucket = Bucket(server, "holiday-photos-copy")
        assert bucket.copy() == source
        for key in source:
            head = server.client().head_object(Bucket=bucket.name, Key=key)
            guessed, _ = mimetypes.guess_type(key)
            assert head["ContentType"].partition(";")[0] == guessed, key
        assert [len(kept) for kept in bucket.kept().values()] == [7]


def test_the_run_that_the_first_visitor_watches_lasts_half_a_minute() -> None:
    kilobytes_s = int(buckets.WATCHABLE.removesuffix("k"))

    assert 25 < buckets.ROLL * buckets.ROLL_BYTES / (1024 * kilobytes_s) < 35


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(bucketvault: Program) -> None:
    mine = bucketvault.folder / ".cache" / "bucketvault" / "demo"
    mine.mkdir(parents=True)
    (mine / "precious.txt").write_text("mine")

    done = bucketvault.shell("demo", "--once")

    assert done.code == 1 and "leaves it alone" in done.err
    assert (mine / "precious.txt").read_text() == "mine"
