"""Objects arrive as they are stored, whatever the services make of them on the way."""

import gzip
from dataclasses import dataclass

import pytest

from bucketvault.store.models import Storage
from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.services import B2, R2, Amazon, Answer, Asked, ObjectLock, Quirk, SseKms

pytestmark = pytest.mark.slow

PACKED = gzip.compress(b"hello world, this is a log line\n" * 400, mtime=0)


@dataclass
class Unpacks(Quirk):
    """Decodes on delivery what a client does not accept (rclone#8531); `in_chunks`: these keys."""

    in_chunks: str = ""

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation == "GetObject" and answer.header("content-encoding") == "br":
            answer.body = b"what was packed " * 50
            answer.headers = [p for p in answer.headers if p[0].lower() != "content-encoding"]
            answer.has_length = asked.key != self.in_chunks


def test_what_is_packed_and_what_is_rarely_read_arrives_as_it_is_stored(
    bucketvault: Program, r2: R2, b2: B2, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(r2, {"plain": b"plain"}), new_bucket(b2)
    source.put("whole.gz", PACKED, ContentEncoding="gzip")
    source.put_in_parts("parts.gz", PACKED, ContentEncoding="gzip")
    source.put("rare", b"seldom read", StorageClass="STANDARD_IA")
    bucketvault.backup(source, destination, comparison_mode="checksum")

    first = bucketvault.run()
    copied = destination.copy()
    source.put("rare", b"seldom written", StorageClass="STANDARD_IA")
    source.put_in_parts("parts.gz", PACKED + PACKED, ContentEncoding="gzip")
    source.delete("whole.gz")
    second = bucketvault.run()

    assert (first["status"], second["status"]) == ("success", "success")
    assert copied["whole.gz"] == copied["parts.gz"] == PACKED
    assert destination.copy() == source.objects()
    (kept,) = destination.kept().values()
    assert kept == {"rare": b"seldom read", "whole.gz": PACKED, "parts.gz": PACKED}


def test_the_copy_has_the_class_that_its_backup_says(
    bucketvault: Program, r2: R2, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(r2, {"plain": b"the first"}), new_bucket(r2)
    bucketvault.backup(source, destination, storage_class="STANDARD_IA")

    bucketvault.run()
    source.put("plain", b"the second")
    bucketvault.run()

    told = r2.client().list_objects_v2(Bucket=destination.name)["Contents"]
    objects = [each for each in told if not each["Key"].endswith("RESTORE.txt")]
    assert len(objects) == 2  # and the version that is kept
    assert {each["StorageClass"] for each in objects} == {"STANDARD_IA"}


def test_buckets_with_a_key_of_kms_work_at_both_ends_also_from_one_day_on(
    bucketvault: Program, amazon: Amazon, new_bucket: NewBucket
) -> None:
    """Their ETags look like an MD5 and are none."""
    contents = {name: name.encode() for name in ("changes", "goes", "stays")}
    source, destination = new_bucket(amazon, contents), new_bucket(amazon)
    amazon.quirks.insert(0, SseKms(bucket=destination.name))
    bucketvault.backup(source, destination, comparison_mode="checksum")

    first = bucketvault.run()
    amazon.encrypt_from_now(source.name)
    source.put("changes", b"changed")
    source.put("new", b"new")
    source.delete("goes")
    second = bucketvault.run()
    third = bucketvault.run()

    assert [run["status"] for run in (first, second, third)] == ["success"] * 3
    assert [run["warnings"] for run in (first, second, third)] == [[], [], []]
    assert destination.copy() == source.objects()
    kept = destination.kept().values()  # the second run takes two passes, and each keeps
    assert {key: body for each in kept for key, body in each.items()} == {
        "changes": b"changes",
        "goes": b"goes",
    }
    assert third["proof"]["same_size_only"] == third["proof"]["present"] == 3
    with bucketvault.database():
        known = {row.bucket_name: row.traits for row in Storage.select()}
    assert known == {source.name: {"kms": True}, destination.name: {"kms": True}}


def test_a_key_that_is_too_long_is_named_and_in_nobody_elses_way(
    bucketvault: Program, amazon: Amazon, new_bucket: NewBucket
) -> None:
    kept, fits, too_long = ("k" * 900, "f" * 980, "t" * 1020)
    source = new_bucket(amazon, dict.fromkeys((kept, fits, too_long), b"first"))
    destination = new_bucket(amazon)
    bucketvault.backup(source, destination, destination_path="photos")

    first = bucketvault.run()
    source.put(kept, b"second")
    source.put(fits, b"second")
    source.put("new", b"new")
    second = bucketvault.run()
    source.delete(fits)
    source.delete("new")
    third = bucketvault.run()

    assert [run["status"] for run in (first, second, third)] == ["success"] * 3
    logs = [bucketvault.raw_log(run["id"]) for run in (first, second, third)]
    assert not any(b"KeyTooLong" in log for log in logs)  # nothing was tried in vain
    assert first["warnings"][0].startswith("1 name too long for the destination (1,024 bytes at")
    assert [run["proof"]["causes"] for run in (first, second, third)] == [
        {"too_long": 1},
        {"too_long": 1, "too_long_to_keep": 1},
        {"too_long": 1, "too_long_to_remove": 1},
    ]
    assert second["proof"]["names"]["too_long_to_keep"] == [fits]
    copy = {key.removeprefix("photos/"): body for key, body in destination.copy().items()}
    assert copy == {kept: b"second", fits: b"first"}


def test_a_destination_with_object_lock_takes_objects_that_have_no_hash(
    bucketvault: Program, amazon: Amazon, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(amazon, {"whole": b"first"}), new_bucket(amazon)
    source.put_in_parts("parts", b"first")
    amazon.quirks.insert(0, ObjectLock(bucket=destination.name))
    bucketvault.backup(source, destination, comparison_mode="checksum")

    first = bucketvault.run()
    source.put_in_parts("parts", b"the second")
    source.put("whole", b"the second")
    source.put_in_parts("a//b", b"a name that no list carries")
    before = amazon.operations["PutObject"]
    second = bucketvault.run()

    assert (first["status"], second["status"]) == ("success", "success")
    assert not first["warnings"] and not second["warnings"]
    assert destination.copy() == source.objects()
    (kept,) = destination.kept().values()
    assert kept == {"whole": b"first", "parts": b"first"}
    assert second["proof"]["same_hash"] == 1  # what has a hash still goes whole
    assert amazon.operations["PutObject"] == before + 1
    assert amazon.operations["AbortMultipartUpload"] == 0


def test_what_the_source_unpacks_on_delivery_is_named_and_not_replaced_every_night(
    bucketvault: Program, amazon: Amazon, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(amazon, {"plain": b"plain"}), new_bucket(amazon)
    for name in ("page.br", "chunks.br"):
        source.put_in_parts(name, b"packed", ContentEncoding="br")
    amazon.quirks.insert(0, Unpacks("chunks.br", bucket=source.name))
    bucketvault.backup(source, destination, comparison_mode="checksum")

    first = bucketvault.run()
    kept, before = destination.kept(), len(amazon.seen)
    source.put("plain", b"changed")
    second = bucketvault.run()

    assert (first["status"], second["status"]) == ("failed", "failed")
    assert first["proof"]["causes"] == second["proof"]["causes"] == {"delivered": 2}
    assert second["explanation"].startswith("2 objects are not copied as stored")
    assert ": chunks.br, page.br." in second["explanation"]
    assert not any(".br?" in path for method, path in amazon.seen[before:] if method == "GET")
    assert len(destination.kept()) == len(kept) + 1

    amazon.quirks.clear()  # what decodes is away: both are copied as they are stored
    assert bucketvault.run()["status"] == "success"
    assert destination.copy() == source.objects()
