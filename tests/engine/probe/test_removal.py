"""Removing what a test wrote, and nothing else, whatever a service answers."""

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

import pytest

from bucketvault.engine.listing.asking import Asker, bucket_at
from bucketvault.engine.listing.bucket import Bucket as BucketToAsk
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.probe import removal
from bucketvault.engine.probe.results import About, Finding, Found
from bucketvault.engine.rclone.remotes import Remote
from tests.support.program import Bucket
from tests.support.services import B2, Answer, Asked, Quirk

FOLDER = ".bucketvault-archive/probe-0123456789ab/"
OURS = f"{FOLDER}written.txt"


@pytest.fixture
def bucket(b2: B2, new_bucket) -> Bucket:
    """One with an object of a test, and one of somebody; both have a hidden version."""
    made = new_bucket(b2)
    b2.client().put_bucket_versioning(
        Bucket=made.name, VersioningConfiguration={"Status": "Enabled"}
    )
    for body in (b"hello", b"hello again"):
        made.put("one.txt", body)
        made.put(OURS, body)
    return made


def place(b2: B2, bucket: Bucket) -> BucketToAsk:
    keys = b2.access_key_id, b2.secret_access_key
    remote = Remote("Here", b2.provider_type, b2.endpoint, b2.region, *keys)
    return bucket_at(remote, bucket.name)


def removed(b2: B2, bucket: Bucket) -> Finding:
    return removal.remove(place(b2, bucket), FOLDER, (), versioned=True)


def versions(b2: B2, bucket: Bucket) -> list[tuple[str, str, int]]:
    """Return key, id and size of each version that is really there."""
    told = b2.client().list_object_versions(Bucket=bucket.name)
    found = told.get("Versions", [])
    return sorted((each["Key"], each["VersionId"], each["Size"]) for each in found)


@dataclass
class NoPrefix(Quirk):
    """Answers with the versions of the whole bucket, whatever folder was asked for."""

    b2: B2 | None = None
    of: Bucket | None = None

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation != "ListObjectVersions":
            return
        assert self.b2 and self.of
        rows = "".join(
            f"<Version><Key>{escape(key)}</Key><VersionId>{version}</VersionId>"
            f"<Size>{size}</Size></Version>"
            for key, version, size in versions(self.b2, self.of)
        )
        answer.body = f"<ListVersionsResult>{rows}</ListVersionsResult>".encode()


def test_a_service_that_ignores_the_folder_loses_no_version_of_somebody(
    b2: B2, bucket: Bucket
) -> None:
    theirs = [each for each in versions(b2, bucket) if each[0] == "one.txt"]
    b2.quirks.insert(0, NoPrefix(b2=b2, of=bucket))

    left = removed(b2, bucket)

    assert len(theirs) == 2
    assert [each for each in versions(b2, bucket) if each[0] == "one.txt"] == theirs
    assert (left.about, left.found) == (About.LEFT, Found.UNKNOWN)
    assert left.text == f"{bucket.name}/{FOLDER}"
    assert bucket.keys() == ["one.txt"], "what is in sight of the test is removed"


def test_nothing_is_deleted_that_is_not_of_a_test(b2: B2, bucket: Bucket) -> None:
    before = versions(b2, bucket)

    with Asker(place(b2, bucket)) as asker:
        for key, version, size in before:
            if key == "one.txt":
                with pytest.raises(ListingError, match="outside"):
                    removal._is_gone(asker, removal._Object(key.encode(), version, size))

    assert len(before) == 4 and versions(b2, bucket) == before


class NoNumbers(Quirk):
    """Tells sizes that are none."""

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation == "ListObjectVersions":
            answer.body = answer.body.replace(b"<Size>", b"<Size>about ")


def test_a_size_that_is_no_number_keeps_no_version_from_being_removed(
    b2: B2, bucket: Bucket
) -> None:
    b2.quirks.insert(0, NoNumbers())

    assert removed(b2, bucket).found is Found.NO
    assert {key for key, *_ in versions(b2, bucket)} == {"one.txt"}


class LongAgo(Quirk):
    """Tells of every object that it was written years ago."""

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation in ("ListObjectsV2", "ListObjectVersions"):
            date = rb"<LastModified>2020-01-02T03:04:05.000Z<"
            answer.body = re.sub(rb"<LastModified>[^<]*<", date, answer.body)


def test_what_a_test_left_that_was_cut_off_is_removed_by_one_an_hour_later(
    b2: B2, bucket: Bucket
) -> None:
    cut = ".bucketvault-archive/probe-ba9876543210/ours/a+b.txt"
    hidden = ".bucketvault-archive/probe-aa9876543210/ours/%41.txt"
    theirs = {
        "one.txt",
        ".bucketvault-archive/probe-ba9876543210.txt",
        ".bucketvault-archive/probe-notes/one.txt",
        ".bucketvault-archive/3f2a/one.txt",
    }
    for key in (cut, hidden, *theirs):
        bucket.put(key, b"hello")
    bucket.delete(hidden)

    assert removed(b2, bucket).found is Found.NO
    assert set(bucket.keys()) == {cut, *theirs}, "another test may be under way"
    assert hidden in {key for key, *_ in versions(b2, bucket)}
    b2.quirks.insert(0, LongAgo())
    assert removed(b2, bucket).found is Found.NO

    assert {key for key, *_ in versions(b2, bucket)} == theirs
