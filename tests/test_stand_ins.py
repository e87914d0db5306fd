"""The stand-ins answer as their sources say, each rule to a client as anyone has it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bucketvault.engine.listing.bucket import Bucket as Place
from bucketvault.engine.listing.bucket import Lister, ListingError
from tests.conftest import NewBucket
from tests.support.program import Bucket
from tests.support.services import (
    B2,
    R2,
    Amazon,
    Busy,
    Cap,
    Elsewhere,
    ObjectLock,
    ObjectToken,
    OnlyBelow,
    Quirk,
    SseKms,
    StandIn,
)

pytestmark = pytest.mark.slow

Ask = Callable[[Any, str], object]


def put(**more: Any) -> Ask:
    return lambda client, bucket: client.put_object(
        **{"Bucket": bucket, "Key": "a", "Body": b"a", **more}
    )


def get(client: Any, bucket: str) -> object:
    return client.get_object(Bucket=bucket, Key="there")


def buckets(client: Any, bucket: str) -> object:
    return client.list_buckets()


def listed(client: Any, bucket: str) -> object:
    return client.list_objects_v2(Bucket=bucket)


def copied(client: Any, bucket: str) -> object:
    return client.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/there")


def tags(client: Any, bucket: str) -> object:
    return client.get_object_tagging(Bucket=bucket, Key="there")


NO = (501, "NotImplemented")
DENIED = (403, "AccessDenied")


@pytest.mark.parametrize(
    ("name", "quirk", "ask", "answer"),
    [
        ("r2", None, put(ACL="private"), NO),
        ("r2", None, put(Tagging="a=b"), NO),
        ("r2", None, tags, NO),
        ("r2", None, put(StorageClass="GLACIER"), NO),
        ("r2", None, put(StorageClass="STANDARD_IA"), None),
        ("r2", ObjectToken(), buckets, DENIED),
        ("b2", None, put(StorageClass="STANDARD_IA"), NO),
        ("b2", None, put(ChecksumAlgorithm="CRC32"), (400, "InvalidArgument")),
        ("b2", Cap("storage"), put(), DENIED),
        ("b2", Cap("storage"), get, None),
        ("b2", Cap("download"), get, DENIED),
        ("b2", Cap("transactions"), listed, DENIED),
        ("b2", OnlyBelow("backups/"), listed, DENIED),
        ("b2", OnlyBelow("backups/"), put(Key="backups/a"), None),
        ("b2", Busy(every=1), get, (503, "ServiceUnavailable")),
        ("amazon", ObjectLock(), put(), (400, "InvalidRequest")),
        ("amazon", ObjectLock(), put(ContentMD5="DMF1ucDxtqgxw5niaXcmYQ=="), None),
        ("amazon", None, put(Key="k" * 1024), None),
        ("amazon", None, put(Key="k" * 1025), (400, "KeyTooLongError")),
        ("amazon", None, put(Metadata={"m": "v" * 2047}), None),
        ("amazon", None, put(Metadata={"m": "v" * 2048}), (400, "MetadataTooLarge")),
    ],
)
def test_each_rule_is_answered_as_its_source_says(
    request: pytest.FixtureRequest,
    new_bucket: NewBucket,
    name: str,
    quirk: Quirk | None,
    ask: Ask,
    answer: tuple[int, str] | None,
) -> None:
    service: StandIn = request.getfixturevalue(name)
    bucket = new_bucket(service, {"there": b"there"})
    if quirk is not None:
        service.quirks.insert(0, quirk)

    assert answered(service.guest(), ask, bucket) == answer


def answered(client: Any, ask: Ask, bucket: Bucket) -> tuple[int, str] | None:
    """Status and code of a refusal; None: it was done."""
    try:
        ask(client, bucket.name)
    except ClientError as error:
        told = error.response
        return told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]
    return None


def test_what_is_archived_is_neither_read_nor_copied_until_it_is_restored(
    amazon: Amazon, new_bucket: NewBucket
) -> None:
    bucket = new_bucket(amazon, {"there": b"there"})
    amazon.archive(bucket.name, "there")
    client = amazon.guest()

    assert answered(client, get, bucket) == (403, "InvalidObjectState")
    assert answered(client, copied, bucket) == (403, "ObjectNotInActiveTierError")
    amazon.thaw(bucket.name, "there")
    assert answered(client, get, bucket) is None


def test_amazon_names_the_region_of_a_bucket_that_is_elsewhere(
    amazon: Amazon, new_bucket: NewBucket
) -> None:
    name = new_bucket(amazon).name
    amazon.quirks.insert(0, Elsewhere("us-west-2", bucket=name))
    keys = amazon.access_key_id, amazon.secret_access_key

    for signed_for, answer in (
        ("us-east-1", (400, "AuthorizationHeaderMalformed", "eu-central-1")),
        ("eu-central-1", (301, "PermanentRedirect", "us-west-2")),
    ):
        with pytest.raises(ListingError) as refused:  # boto3 would follow by itself
            list(Lister(Place(amazon.endpoint, signed_for, name, *keys)).entries())
        assert (refused.value.status, refused.value.code, refused.value.region) == answer


@pytest.mark.parametrize(
    ("name", "region", "answer"),
    [
        ("r2", "auto", None),
        ("r2", "us-east-1", None),
        ("r2", "eu-central-1", (400, "InvalidRegionName")),
        ("b2", "us-east-1", (403, "SignatureDoesNotMatch")),
    ],
)
def test_a_signature_for_another_region_is_refused(
    request: pytest.FixtureRequest,
    new_bucket: NewBucket,
    name: str,
    region: str,
    answer: tuple[int, str] | None,
) -> None:
    service: StandIn = request.getfixturevalue(name)
    bucket = new_bucket(service, {"there": b"there"})

    assert answered(service.guest(region), get, bucket) == answer


def test_b2_hides_what_is_deleted_or_replaced(b2: B2, new_bucket: NewBucket) -> None:
    bucket = new_bucket(b2, {"there": b"there"})
    client = b2.guest()

    client.put_object(Bucket=bucket.name, Key="there", Body=b"again")
    client.delete_object(Bucket=bucket.name, Key="there")

    assert (bucket.keys(), b2.hidden(bucket.name)) == ([], 2)


def test_r2_sends_packed_objects_without_a_length_and_counts_what_costs(
    r2: R2, new_bucket: NewBucket
) -> None:
    bucket = new_bucket(r2)
    bucket.put("there", b"packed", ContentEncoding="gzip")

    got = r2.guest().get_object(Bucket=bucket.name, Key="there")

    assert "content-length" not in got["ResponseMetadata"]["HTTPHeaders"]
    assert got["Body"].read() == b"packed"
    r2.guest().delete_object(Bucket=bucket.name, Key="there")
    assert r2.classes == {"B": 1, "free": 1}


def test_kms_has_etags_that_are_no_md5_and_says_so(amazon: Amazon, new_bucket: NewBucket) -> None:
    bucket = new_bucket(amazon, {"there": b"there"})
    (real,) = bucket.marks().values()
    amazon.quirks.append(SseKms(bucket=bucket.name))
    client = amazon.guest()

    head = client.head_object(Bucket=bucket.name, Key="there")
    (entry,) = client.list_objects_v2(Bucket=bucket.name)["Contents"]

    assert head["ETag"] == entry["ETag"] and real not in head["ETag"]
    assert head["ServerSideEncryption"] == "aws:kms"
