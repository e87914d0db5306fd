"""Random buckets and changes, by us and by a bare `rclone sync`: the same copy, or ours is right.

A few histories in a usual run; `TESTS_MORE=100` tries so many others.
"""

import itertools
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from bucketvault.engine.rclone.remotes import config_text
from tests.conftest import NewBucket
from tests.support.program import Bucket, Program
from tests.support.servers import MotoServer, clean_environment, rclone_path
from tests.support.truth import Objects, State, account, assert_nothing_is_lost

MORE = int(os.environ.get("TESTS_MORE") or 0)

# A bucket's names may be anything. moto cannot hold a newline, nor copy a name with a semicolon as
# rclone asks for that.
_SIGNS = [*"ab/ .+%&=#?*[]{}\\'\"ü\u2028~:,@!$^`|<>\t\x01\x7f-_()\u202e🎈", "//", "..", "./"]
_ODD = st.lists(st.sampled_from(_SIGNS), min_size=1, max_size=6).map("".join)
_PLAIN = st.sampled_from(["a", "a/b", "a/c", "b", "photos/1.jpg", "photos/2.jpg", "z"])
KEYS = _PLAIN | _ODD
BODIES = st.sampled_from([b"", b"one", b"two", b"three", b"longer than the others"])


@dataclass(frozen=True)
class Change:
    """Changes at the source before a run."""

    put: Objects = field(default_factory=dict)
    in_parts: Objects = field(default_factory=dict)
    remove: frozenset[int] = frozenset()  # of the keys that are there, by their place
    rename: int | None = None


CHANGES = st.builds(
    Change,
    put=st.dictionaries(KEYS, BODIES, max_size=3),
    in_parts=st.dictionaries(_PLAIN, BODIES.filter(bool), max_size=1),
    remove=st.frozensets(st.integers(0, 9), max_size=2),
    rename=st.none() | st.integers(0, 9),
)


@dataclass(frozen=True)
class History:
    """A source, what somebody left at the destination, and the days that follow."""

    mode: str
    source: Objects
    destination: Objects
    days: list[Change]


HISTORIES = st.builds(
    History,
    mode=st.sampled_from(["checksum_and_time", "checksum", "size_only"]),
    source=st.dictionaries(KEYS, BODIES, min_size=1, max_size=6),
    destination=st.just({}) | st.dictionaries(KEYS, BODIES, max_size=3),
    days=st.lists(CHANGES, min_size=2, max_size=3),
)

_BARE = {"checksum_and_time": (), "checksum": ("--checksum",), "size_only": ("--size-only",)}
_numbers = itertools.count(1)
seen: Counter[str] = Counter()  # what was compared, for who asks for more


@pytest.fixture(scope="module", autouse=True)
def counts() -> Iterator[None]:
    """Say what was compared, to who asked for more."""
    yield
    if MORE:
        print(dict(seen))


def happen(change: Change, source: Bucket) -> None:
    there = sorted(source.keys())
    for place in change.remove:
        if place < len(there):
            source.delete(there[place])
    if change.rename is not None and change.rename < len(there):
        body = source.objects().get(there[change.rename])
        if body is not None:
            source.delete(there[change.rename])
            source.put(f"renamed/{there[change.rename]}", body)
    for key, body in change.put.items():
        source.put(key, body)
    for key, body in change.in_parts.items():
        source.put_in_parts(key, body)
    source.put("stays", b"so that the source is never empty")


def bare(folder: Path, mode: str, source: Bucket, destination: Bucket) -> None:
    """Let rclone alone make the destination what the source is."""
    config = folder / "bare.conf"
    config.write_text(config_text({"source": source.remote(), "dest": destination.remote()}))
    names = f"source:{source.name}/", f"dest:{destination.name}/"
    subprocess.run(
        [
            *(rclone_path(), "--config", str(config), "sync", *names, *_BARE[mode]),
            *("--metadata", "--no-unicode-normalization", "--retries", "1"),
        ],
        env=clean_environment(),
        capture_output=True,
        check=False,  # it says so of names that it cannot copy
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.timeout(MORE * 60 or 600)
@settings(
    max_examples=MORE or 2,
    derandomize=not MORE,
    phases=[Phase.generate],  # made smaller, one that failed would take an hour
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(history=HISTORIES)
def test_the_copy_is_what_rclone_alone_would_make_of_it_or_nearer_to_the_source(
    history: History, bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source = new_bucket(moto, history.source)
    ours, theirs = new_bucket(moto, history.destination), new_bucket(moto, history.destination)
    name = bucketvault.backup(
        source, ours, f"Number {next(_numbers)}", comparison_mode=history.mode
    )
    for day, change in enumerate([Change(), *history.days]):
        happen(change, source)
        before = State.of(source, ours)
        run = ended(bucketvault, name)
        bare(bucketvault.folder, history.mode, source, theirs)

        after, other = State.of(source, ours), theirs.objects()
        seen["runs"] += 1
        note(f"day {day}: {run}")
        assert_nothing_is_lost(before, after)
        told = account(bucketvault, run)
        for key in sorted(after.copy.keys() | other.keys() | after.source.keys()):
            at_source, here = after.source.get(key), after.copy.get(key)
            if here != at_source:
                # not as at the source: then rclone has it no nearer, and a run says which it is
                seen["ours is not the source's"] += 1
                assert other.get(key) == here, (key, at_source, here, other.get(key), run)
                if not is_equal_by(history.mode, at_source, here):
                    assert key in told or json.dumps(key)[1:-1] in told, (key, run)
            elif other.get(key) != here:
                seen["only ours is the source's"] += 1


def ended(program: Program, name: str) -> dict:
    """Run it; what would be held because nothing was copied there before is approved."""
    done = program.cli("run", name, "--wait")
    run = program.last_run(name)
    assert run, done
    if run["reason"] == "brake":
        program.cli("run", name, "--approve", "--wait")
        run = program.last_run(name)
    assert run["reason"] not in ("internal", "brake"), run
    return run


def is_equal_by(mode: str, one: bytes | None, other: bytes | None) -> bool:
    """True if a comparison of sizes takes them for the same, and the backup is one of sizes."""
    return mode == "size_only" and one is not None and other is not None and len(one) == len(other)
