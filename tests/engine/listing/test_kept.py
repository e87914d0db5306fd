"""Kept versions are told by a listing of the destination, in a process of its own."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.listing.bucket import Bucket
from bucketvault.engine.listing.merge import Difference, What, Why
from bucketvault.engine.listing.page import Entry
from tests.conftest import NewBucket
from tests.engine.listing.test_bucket import at, error, of, service
from tests.engine.listing.test_page import HTML, answer, row
from tests.engine.listing.test_plan import THEN, write
from tests.support.servers import MotoServer

pytestmark = pytest.mark.slow

FOLDER = ".bucketvault-archive/photos-1/20261130T100000Z/"


def replaced(key: str, size: int, what: What = What.CHANGED) -> Difference:
    source, copy = (Entry(key.encode(), n, "e", THEN) for n in (9, size))
    return Difference(key.encode(), what, Why.SIZE, source, copy)


def look(bucket: Bucket, folder: Path, *found: Difference) -> tuple[int, dict[str, Any]]:
    """Do the step; return its exit code and what it said."""
    plan = folder / "plan"
    plan.mkdir()
    write(plan, *found)
    job = {"bucket": asdict(bucket), "prefix": FOLDER, "plan": str(plan), "folder": str(folder)}
    done = subprocess.run(
        [sys.executable, "-I", "-m", "bucketvault.engine.listing.kept"],
        input=json.dumps(job | {"patience_s": 0.5}).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout)


def lists(folder: Path) -> list[str]:
    return [(folder / name).read_text("utf-8") for name in ("kept.txt", "odd-kept.txt")]


def test_what_is_there_with_the_size_of_the_copy_is_kept(
    moto: MotoServer, new_bucket: NewBucket, tmp_path: Path
) -> None:
    there = {"a": b"1", "b": b"22", "c//d": b"1", "z": b"1", "ü": b"1"}
    bucket = new_bucket(moto, {FOLDER + key: body for key, body in there.items()})
    found = [
        replaced("a", 1),
        replaced("b", 1),
        replaced("c", 1),
        replaced("c//d", 1, What.ALTERED),
        Difference(b"z", What.NEW, Why.ABSENT, Entry(b"z", 1, "e", THEN), None),
        replaced("ü", 1),
    ]

    code, said = look(of(moto, bucket.name), tmp_path, *found)

    assert code == 1  # not all of them
    assert lists(tmp_path) == ["a\nü\n", "+ /c/\n+ /c//d{}\n- **\n"]
    assert said["msg"] == "3 of 5 old versions are kept." and said["level"] == "error"
    assert (said["bucketvault"], said["step"]) == ("step", "kept")


def test_an_order_that_is_not_that_of_bytes_does_not_matter(tmp_path: Path) -> None:
    page = answer(*(row(FOLDER + name) for name in ("a", "a/x", "a!")), prefix=FOLDER)

    with service(lambda *_: (200, page)) as endpoint:
        found = [replaced(name, 3) for name in ("a", "a!", "a/x")]
        code, said = look(at(endpoint), tmp_path, *found)

    assert (code, said["level"]) == (0, "info")
    assert lists(tmp_path) == ["a\na!\na/x\n", "- **\n"]


@pytest.mark.parametrize("harm", [(200, HTML.encode()), (403, error("AccessDenied"))])
def test_nothing_counts_as_kept_where_the_folder_could_not_be_listed(
    harm: tuple[int, bytes], tmp_path: Path
) -> None:
    with service(lambda *_: harm) as endpoint:
        code, said = look(at(endpoint), tmp_path, replaced("a", 3))

    assert code == 1 and said["level"] == "error"
    assert lists(tmp_path) == ["", "- **\n"]
