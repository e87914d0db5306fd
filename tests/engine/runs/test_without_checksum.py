"""Objects that were uploaded in parts have no checksum; replacing too many of them is held, too."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import NewBucket
from tests.engine.runs.held import logged
from tests.support.program import Bucket, Program, until
from tests.support.servers import MotoServer, RcloneS3

OLD, NEW = b"clear", b"CRYPT"  # of one size


def put_in_parts(bucket: Bucket, names: set[str], body: bytes, dated: dict[str, str]) -> None:
    client = bucket.server.client()

    def put(name: str) -> None:
        place = {"Bucket": bucket.name, "Key": name}
        upload = client.create_multipart_upload(**place, Metadata=dated)["UploadId"]
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


@pytest.mark.parametrize("mode", ["checksum_and_time", "checksum"])
@pytest.mark.slow
def test_a_bucket_in_parts_that_was_encrypted_overnight_holds_the_run(
    bucketvault: Program, moto: MotoServer, elsewhere: RcloneS3, new_bucket: NewBucket, mode: str
) -> None:
    everything = names(101)
    source, destination = new_bucket(moto), new_bucket(elsewhere)
    put_in_parts(source, everything, OLD, {})
    bucketvault.backup(source, destination, comparison_mode=mode)
    bucketvault.run()
    a_second_later(source)
    put_in_parts(source, everything, NEW, {})

    held = bucketvault.run()
    named = logged(bucketvault, held)
    approved = bucketvault.cli("run", "Photos", "--approve")
    done = bucketvault.last_run()

    assert held["reason"] == "brake" and "101 of 101 objects" in held["explanation"], held
    assert named == {"changed": everything}
    assert (approved.code, done["counts"]["replaced"], done["warnings"]) == (0, 101, []), done
    assert set(destination.copy().values()) == {NEW}
    (kept,) = destination.kept().values()
    assert kept == dict.fromkeys(everything, OLD)
