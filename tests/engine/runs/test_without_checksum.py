"""Objects that were uploaded in parts have no checksum; replacing too many of them is held, too."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.rclone.commands import Look
from bucketvault.engine.runs.preflight import Size
from tests.conftest import NewBucket
from tests.engine.runs.held import logged
from tests.engine.runs.test_brake import STAMP, preflight
from tests.support.program import Bucket, Program, until
from tests.support.proxies import RefusingProxy
from tests.support.servers import MotoServer, RcloneS3

OLD, NEW = b"clear", b"CRYPT"  # of one size
WRITTEN = {"mtime": "1700000000.0"}  # as rclone notes it


def put_in_parts(
    bucket: Bucket, names: set[str], body: bytes, dated: dict[str, str], **options: str
) -> None:
    client = bucket.server.client()

    def put(name: str) -> None:
        place = {"Bucket": bucket.name, "Key": name}
        begun = client.create_multipart_upload(**place, Metadata=dated, **options)
        upload = begun["UploadId"]
        part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=body)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)

    with ThreadPoolExecutor(4) as several:
        list(several.map(put, names))


def a_second_later(bucket: Bucket) -> None:
    """Wait until the server dates what is written now later than what was there before."""
    client = bucket.server.client()

    def date_of_now() -> object:
        bucket.put("clock", b"")
        return client.head_object(Bucket=bucket.name, Key="clock")["LastModified"]

    before = date_of_now()
    until("the server's clock has moved on", lambda: date_of_now() != before)
    bucket.delete("clock")


def names(number: int) -> set[str]:
    return {f"disk-{n}.img" for n in range(number)}


def copied_then_written(source: Bucket, copy: Bucket) -> None:
    put_in_parts(copy, names(5), OLD, WRITTEN)
    a_second_later(copy)
    put_in_parts(source, names(5), NEW, {})


def copied_then_written_with_its_date(source: Bucket, copy: Bucket) -> None:
    put_in_parts(copy, names(5), OLD, WRITTEN)
    a_second_later(copy)
    put_in_parts(source, names(5), OLD, WRITTEN)


def written_then_copied(source: Bucket, copy: Bucket) -> None:
    put_in_parts(source, names(5), OLD, {})
    a_second_later(source)
    put_in_parts(copy, names(5), OLD, WRITTEN)


@pytest.mark.parametrize(
    ("happened", "heavy_from", "mode", "replaced", "look", "listings"),
    [
        (copied_then_written, 3, "default", 5, Look.EXACT, 3),
        (copied_then_written, 6, "default", 0, Look.LISTED, 1),  # too few to hold the run
        (copied_then_written, 3, "checksum", 0, Look.LISTED, 1),  # and it will not replace them
        (copied_then_written, 3, "size_only", 0, Look.LISTED, 1),
        # by their dates the run will call them equal: the clock at the copy is behind
        (copied_then_written_with_its_date, 3, "default", 0, Look.EXACT, 3),
        (written_then_copied, 3, "default", 0, Look.LISTED, 2),
    ],
)
def test_the_checks_see_what_a_run_that_compares_dates_will_replace(
    moto: MotoServer,
    new_bucket: NewBucket,
    happened: Callable[[Bucket, Bucket], None],
    heavy_from: int,
    mode: str,
    replaced: int,
    look: Look,
    listings: int,
) -> None:
    source, destination = new_bucket(moto), new_bucket(moto)
    happened(source, destination)

    def is_heavy(found: Findings) -> bool:
        return found.replaced >= heavy_from

    with RefusingProxy(moto.endpoint) as proxy:
        checks = preflight(source, destination, mode, endpoint=proxy.endpoint)
        found = checks.changes(STAMP, Size(5, 25), is_heavy, is_first=False)

        listed = [path for _, path in proxy.seen if "list-type=2" in path]
    assert found == (Findings(replaced=replaced, destination_objects=5), look)
    assert len(listed) == listings


@pytest.mark.slow
def test_a_bucket_in_parts_that_was_encrypted_overnight_holds_the_run(
    bucketvault: Program, moto: MotoServer, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    everything = names(101)
    source, destination = new_bucket(moto), new_bucket(elsewhere)
    put_in_parts(source, everything, OLD, {})
    bucketvault.backup(source, destination, comparison_mode="default")
    bucketvault.run()
    a_second_later(source)
    put_in_parts(source, everything, NEW, {})

    held = bucketvault.run()
    named = logged(bucketvault, held)
    approved = bucketvault.cli("run", "Photos", "--approve")
    done = bucketvault.last_run()

    assert held["reason"] == "brake" and "101 of 101 objects" in held["explanation"], held
    assert named["move"] == everything
    assert (approved.code, done["counts"]["replaced"], done["warnings"]) == (0, 101, []), done
    assert set(destination.copy().values()) == {NEW}
    (kept,) = destination.kept().values()
    assert kept == dict.fromkeys(everything, OLD)
