"""Public reports of what services did to other programs, each as a run of ours meets it."""

import gzip
import os
from dataclasses import dataclass

import pytest

from bucketvault.store.models import BackupRun
from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.services import (
    B2,
    R2,
    Amazon,
    Answer,
    Asked,
    Cap,
    Elsewhere,
    GzipInChunks,
    OnlyBelow,
    Quirk,
    refused,
)
from tests.support.wrong_answers import Lie, unpacked

pytestmark = pytest.mark.slow

MORE = bool(os.environ.get("TESTS_MORE"))
PACKED = gzip.compress(b"hello world, this is a log line\n" * 400, mtime=0)


def test_an_object_that_is_unpacked_on_the_way_is_named_by_every_run_until_it_is_right(
    bucketvault: Program, r2: R2, b2: B2, new_bucket: NewBucket
) -> None:
    """rclone#8137: the copy was a truncated fragment, and both runs were green."""
    source, destination = new_bucket(r2, {"plain": b"plain"}), new_bucket(b2)
    source.put_in_parts("log.gz", PACKED, ContentEncoding="gzip")
    r2.quirks = [quirk for quirk in r2.quirks if not isinstance(quirk, GzipInChunks)]
    r2.lies = [Lie("GET", r"/log\.gz", answer=unpacked)]
    bucketvault.backup(source, destination, comparison_mode="checksum")

    for _ in range(2):
        run = bucketvault.run()

        assert (run["status"], run["copy_code"] != "complete") == ("failed", True), run
        assert "log.gz" in run["explanation"], run


def test_cold_objects_are_named_at_either_end_and_are_in_nobody_elses_way(
    bucketvault: Program, amazon: Amazon, new_bucket: NewBucket
) -> None:
    """A restored one made the copy cold, and then every run failed."""
    contents = dict.fromkeys(("goes", "cold", "cooled"), b"first")
    source, destination = new_bucket(amazon, contents), new_bucket(amazon)
    amazon.archive(source.name, "cold")
    bucketvault.backup(source, destination, comparison_mode="checksum")

    first = bucketvault.run()
    amazon.thaw(source.name, "cold")
    amazon.archive(destination.name, "cooled")
    source.put("cooled", b"second")
    source.delete("goes")
    second = bucketvault.run()

    assert first["status"] == second["status"] == "failed"
    for run, name in ((first, "cold"), (second, "cooled")):
        assert name in run["explanation"] and "in cold storage" in run["explanation"], run
    assert set(destination.copy_keys()) == {"cold", "cooled"}
    listed = amazon.client().list_objects_v2(Bucket=destination.name)["Contents"]
    classes = {entry["Key"]: entry["StorageClass"] for entry in listed}
    assert (classes["cold"], classes["cooled"]) == ("STANDARD", "GLACIER")


def test_a_key_limited_to_a_prefix_is_told_the_place_that_it_may_not_list(
    bucketvault: Program, b2: B2, new_bucket: NewBucket
) -> None:
    """B2_Command_Line_Tool#556, cyberduck#14103."""
    source, destination = new_bucket(b2, {"a": b"a"}), new_bucket(b2)
    b2.quirks.insert(0, OnlyBelow("backups/", bucket=destination.name))
    bucketvault.backup(source, destination, destination_path="backups/photos")

    bucketvault.run()
    source.put("a", b"b")
    run = bucketvault.run()

    assert run["status"] == "failed"
    assert f"{destination.name}/.bucketvault-archive/" in run["explanation"], run
    assert destination.copy() == {"backups/photos/a": b"a"}


def test_the_region_that_a_service_names_is_kept_for_a_button(
    bucketvault: Program, amazon: Amazon, b2: B2, new_bucket: NewBucket
) -> None:
    """One that is asked by an endpoint of its own: at Amazon's, a run goes to the region itself."""
    source, destination = new_bucket(amazon, {"a": b"a"}), new_bucket(b2)
    amazon.quirks.insert(0, Elsewhere("us-west-2", bucket=source.name))
    bucketvault.backup(source, destination)

    run = bucketvault.run()

    assert run["explanation"] == "Wrong region. Source expects us-west-2.", run
    with bucketvault.database():
        stored = BackupRun.get()
    assert (stored.region, stored.mends, stored.side) == ("us-west-2", "provider", "source")


@dataclass
class Trouble(Quirk):
    """Copies inside the service fail, as they do when it is in trouble."""

    status: int = 500
    code: str = "InternalError"

    def refuses(self, asked: Asked) -> Answer | None:
        if asked.operation != "CopyObject":
            return None
        return refused(self.status, self.code, "We encountered an internal error.")


OUTAGE, FULL = "had an internal error.", "is full, or has reached its storage limit."
TROUBLES = [  # the first alone takes seconds: the others are asked again and again, in three passes
    (Cap("storage"), FULL),
    (Trouble(), OUTAGE),
    (Trouble(status=200), OUTAGE),
    (Trouble(503, "SlowDown"), "is limiting requests (SlowDown)."),
]


@pytest.mark.parametrize(("quirk", "words"), TROUBLES if MORE else TROUBLES[:1])
@pytest.mark.timeout(900)
def test_a_service_in_trouble_is_not_called_full_and_a_full_one_is(
    bucketvault: Program, b2: B2, new_bucket: NewBucket, quirk: Quirk, words: str
) -> None:
    """aws-sdk-go-v2#3189: the SDK appends "retry quota exceeded" once it has no tries left."""
    names = [f"{number}.txt" for number in range(4)]  # as many as rclone takes at a time
    source, destination = new_bucket(b2, dict.fromkeys(names, b"first")), new_bucket(b2)
    bucketvault.backup(source, destination, comparison_mode="checksum")
    assert bucketvault.run()["status"] == "success"
    for name in names:
        source.put(name, b"second")
    b2.quirks.insert(0, quirk)

    run = bucketvault.run()

    assert run["status"] == "failed"
    assert words in run["explanation"], run
    assert [each for each in (OUTAGE, FULL) if each in run["explanation"]] in ([words], [])
    assert destination.copy() == dict.fromkeys(names, b"first"), "what could not be kept stays"
