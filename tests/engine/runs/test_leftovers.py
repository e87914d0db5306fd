"""Uploads that were never completed: those of this backup go after a day, all others stay."""

from typing import Any

import pytest

from bucketvault.engine.runs.tidying import is_ours
from bucketvault.store.models import Backup
from tests.conftest import NewBucket
from tests.support.program import Bucket, Program
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3
from tests.support.specs import run_spec

KEPT = ".bucketvault-archive/"


@pytest.mark.parametrize(
    ("destination", "key", "ours"),
    [
        ("copies", "a", True),
        ("copies", f"{KEPT}photos-1/20261130T100000Z/a", True),
        ("copies", f"{KEPT}photos-10/20261130T100000Z/a", False),
        ("copies", f"{KEPT}a", False),
        ("copies/photos", "photos/a", True),
        ("copies/photos", f"{KEPT}photos-1/20261130T100000Z/a", True),
        ("copies/photos", "photos", False),
        ("copies/photos", "photos2/a", False),
        ("copies/photos", "a", False),
    ],
)
def test_whose_an_upload_is_tells_its_key(destination: str, key: str, ours: bool) -> None:
    assert is_ours(key.encode(), run_spec("photos", destination)) is ours


def begin_upload(bucket: Bucket, key: str) -> None:
    """Leave the first part of an upload behind, as a killed rclone does."""
    client, place = bucket.server.client(), {"Bucket": bucket.name, "Key": key}
    upload = client.create_multipart_upload(**place)["UploadId"]
    client.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"a part")


def unfinished(bucket: Bucket) -> set[str]:
    found = bucket.server.client().list_multipart_uploads(Bucket=bucket.name)
    return {upload["Key"] for upload in found.get("Uploads", ())}


def archive_key(program: Program) -> str:
    with program.database():
        return str(Backup.get().archive_key)


def warned(run: dict[str, Any]) -> bool:
    return any("Unfinished uploads cannot be removed" in warning for warning in run["warnings"])


def test_only_old_ones_of_this_backups_copy_and_kept_versions_are_ended(
    bucketvault: Program, here: RcloneS3, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"a": b"1"}), new_bucket(moto)
    bucketvault.backup(source, destination, destination_path="photos")
    bucketvault.run()
    mine = {"photos/half a+b", f"{KEPT}{archive_key(bucketvault)}/20261130T100000Z/half"}
    others = {"photos2/half", "photos", "x/photos/half", f"{KEPT}other-1/half", f"{KEPT}half"}
    for key in mine | others:  # moto says of each that it was begun in 2010
        begin_upload(destination, key)

    run = bucketvault.run()

    assert unfinished(destination) == others
    assert run["uploads_ended"] == 2 and run["warnings"] == []
    log = bucketvault.raw_log(run["id"])
    assert b'"photos/half a+b"' in log
    assert b"Cleaned up: 2 unfinished uploads removed" in log


def test_young_ones_stay_and_a_key_that_may_not_is_told_once(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"a": b"1"}), new_bucket(elsewhere)
    begin_upload(destination, "half")  # a moment ago, by the server's own clock
    with RefusingProxy(elsewhere.endpoint) as proxy:
        bucketvault.backup(source, destination, destination_endpoint=proxy.endpoint)

        run = bucketvault.run()

        assert unfinished(destination) == {"half"}
        assert run["uploads_ended"] == 0 and not run["warnings"]

        proxy.rules = [Rule("GET", r"\?.*uploads=", 403, "AccessDenied")]
        assert [warned(bucketvault.run()) for _ in range(2)] == [True, False]
