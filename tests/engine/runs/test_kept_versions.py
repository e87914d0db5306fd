"""Each version that runs replace or remove is kept, and told of when it is all that is left."""

import datetime as dt
import re

import pytest

from bucketvault.engine.runs.kept_versions import read_stamp
from bucketvault.store.models import utcnow
from tests.conftest import NewBucket
from tests.support.at_time import cli_at
from tests.support.program import Program
from tests.support.servers import RcloneS3


def test_two_changes_of_an_object_on_one_day_keep_both_former_versions(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"a/note.txt": b"first"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    for body in (b"second", b"the third"):
        source.put("a/note.txt", body)
        bucketvault.run()

    source.put("other.txt", b"so that the source is not empty")
    source.delete("a/note.txt")
    bucketvault.run()

    kept = destination.kept()
    assert [kept[name]["a/note.txt"] for name in sorted(kept)] == [
        b"first",
        b"second",
        b"the third",
    ]
    assert all(read_stamp(name) is not None for name in kept) and len(kept) == 3


@pytest.mark.slow
def test_two_runs_within_a_second_never_share_a_folder(
    bucketvault: Program, new_bucket: NewBucket, here: RcloneS3, elsewhere: RcloneS3
) -> None:
    """The clock went back: the next stamp is later all the same."""
    source, destination = new_bucket(here, {"a": b"1"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    moment = utcnow() - dt.timedelta(days=1)
    for n, hours in enumerate((0, 0, -5)):
        source.put("a", b"version %d" % n)
        done = cli_at(bucketvault, moment + dt.timedelta(hours=hours), "run", "Photos", "--wait")
        assert done.code == 0, done

    kept = destination.kept()
    assert [body["a"] for _, body in sorted(kept.items())] == [b"version 0", b"version 1"]


@pytest.mark.slow
def test_kept_versions_are_never_copied_from_a_source_nor_put_into_themselves(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    theirs = {".bucketvault-archive/another-1/20260101T000000Z/x": b"of a backup to this source"}
    inner = {"sub/.bucketvault-archive/y": b"only the name is like it"}
    source = new_bucket(here, {"a": b"a", "b": b"b"} | inner | theirs)
    destination = new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    assert destination.copy() == {"a": b"a", "b": b"b"} | inner

    for body in (b"aa", b"aaa"):
        source.put("a", body)
        run = bucketvault.run()
        assert (run["counts"]["replaced"], run["counts"]["deleted"]) == (1, 0)

    assert destination.copy() == {"a": b"aaa", "b": b"b"} | inner
    assert sorted(v for folder in destination.kept().values() for v in folder.items()) == [
        ("a", b"a"),
        ("a", b"aa"),
    ]


@pytest.mark.slow
def test_after_one_run_by_a_clock_ahead_names_tell_the_time_and_restores_find_their_order(
    bucketvault: Program, new_bucket: NewBucket, here: RcloneS3, elsewhere: RcloneS3
) -> None:
    source, destination = new_bucket(here, {"a": b"1"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination, retention_days=5)
    begun = utcnow() - dt.timedelta(seconds=1)
    bucketvault.run()
    source.put("a", b"2")
    ahead = cli_at(bucketvault, begun + dt.timedelta(days=400), "run", "Photos", "--wait")
    assert ahead.code == 0, ahead
    (wrong,) = destination.kept()

    for body in (b"3", b"4"):
        source.put("a", body)
        run = bucketvault.run()

    names = sorted(destination.kept(), key=lambda name: (name == wrong, name))
    assert [destination.kept()[name]["a"] for name in names] == [b"2", b"3", b"1"]
    soon = utcnow() + dt.timedelta(seconds=12)  # runs within seconds are named three apart
    assert all(begun <= read_stamp(name) <= soon for name in names[:2])
    (warning,) = run["warnings"]
    told = re.search(rf"{wrong} \(made ([0-9TZ]+)\)", warning)
    assert told is not None and "RESTORE.txt" in warning
    assert begun <= (read_stamp(told[1]) or begun) + dt.timedelta(seconds=2) < utcnow()
    archive = destination.objects(".bucketvault-archive/")
    (text,) = [body.decode() for key, body in archive.items() if key.endswith("RESTORE.txt")]
    assert f"{wrong}  made {told[1]}" in text and "FOLDERS WITH A WRONG NAME" in text
    # what that folder holds expires by its real time
    cli_at(bucketvault, begun + dt.timedelta(days=7), "run", "Photos", "--wait")
    assert wrong not in destination.kept()
