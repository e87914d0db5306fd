"""Each version that runs replace or remove is kept, and told of when it is all that is left."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from bucketvault.engine.runs.kept_versions import read_stamp
from bucketvault.store.models import utcnow
from tests.conftest import NewBucket
from tests.support.at_time import cli_at
from tests.support.program import Program, until
from tests.support.proxies import RefusingProxy, Rule
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


# ---- tries


class ChangesMeanwhile(RefusingProxy):
    """Refuses one upload, once the other object has arrived and the source has changed it again."""

    meanwhile: Callable[[], None] | None = None

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        uploads = method == "PUT" and "x-amz-copy-source" not in headers
        if self.meanwhile is not None and uploads and path.partition("?")[0].endswith("/y"):
            self.meanwhile()
            self.meanwhile = None
            return Rule("PUT", "y", 403, "AccessDenied")
        return super().refusal(method, path, headers)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["changed", "removed"])
def test_a_version_that_a_second_try_sets_aside_over_the_former_one_is_not_said_to_be_kept(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, then: str
) -> None:
    source = new_bucket(here, {"x": b"first", "y": b"first", "z": b"z"})
    destination = new_bucket(elsewhere)

    def meanwhile() -> None:
        until("x has arrived", lambda: destination.objects("x").get("x") == b"the second")
        if then == "changed":
            source.put("x", b"the third one")
        else:
            source.delete("x")

    with ChangesMeanwhile(elsewhere.endpoint) as proxy:
        bucketvault.backup(
            source, destination, comparison_mode="checksum", destination_endpoint=proxy.endpoint
        )
        bucketvault.run()
        for key in ("x", "y"):
            source.put(key, b"the second")
        proxy.meanwhile = meanwhile

        run = bucketvault.run()

    assert run["status"] == "success" and destination.copy() == source.objects()
    assert list(destination.kept().values()) == [{"x": b"the second", "y": b"first"}]
    (warning,) = run["warnings"]
    assert warning.startswith("1 replaced or removed without a kept version")
    counts = run["counts"]
    assert (counts["replaced"], counts["deleted"]) == ((2, 0) if then == "changed" else (1, 1))
    assert counts["archived"] == 2
