"""Which buckets a key may see: real servers, refused rights, and what is no account."""

from pathlib import Path

import pytest

from bucketvault.engine.probe.account import check_bucket, list_buckets
from bucketvault.engine.rclone.buckets import (
    BucketNotFoundError,
    ListingDeniedError,
    UnknownKeyError,
    UnreachableError,
    WrongSecretError,
)
from tests.engine.listing.test_bucket import service
from tests.engine.listing.test_page import HTML
from tests.engine.probe.test_contents import XHTML, remote
from tests.support.proxies import FrozenServer, RefusingProxy, Rule
from tests.support.servers import RcloneS3, free_port

LIST_BUCKETS = r"^/(\?x-id=ListBuckets)?$"


def test_buckets_come_by_name_with_their_date(here: RcloneS3, new_bucket) -> None:
    bucket = new_bucket(here)

    found = list_buckets(remote(here))

    assert [b.name for b in found] == sorted(b.name for b in found)
    mine = next(b for b in found if b.name == bucket.name)
    assert mine.created is not None and mine.created.tzinfo is not None


@pytest.mark.slow
def test_five_thousand_buckets_are_listed(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"bucket-{number:04}").mkdir()
    with RcloneS3(tmp_path) as server:
        found = list_buckets(remote(server))

    assert len(found) == 5000 and found[-1].name == "bucket-4999"


def test_what_is_wrong_with_a_key_has_a_class_and_words(here: RcloneS3) -> None:
    with pytest.raises(WrongSecretError) as wrong:
        list_buckets(remote(here, secret="another-secret-0001"))
    with pytest.raises(UnknownKeyError) as unknown:
        list_buckets(remote(here, key="AKIANOBODYKNOWS0001"))

    assert wrong.value.summary == "Here rejected the secret access key."
    assert wrong.value.code == "403 SignatureDoesNotMatch"
    assert "rejected the access key ID" in unknown.value.summary
    told = str(wrong.value) + wrong.value.detail + str(unknown.value) + unknown.value.detail
    assert "another-secret-0001" not in told and "AKIANOBODYKNOWS0001" not in told


def test_a_key_that_may_not_list_buckets_is_told_from_a_bad_one(here: RcloneS3) -> None:
    with (
        RefusingProxy(here.endpoint, [Rule("GET", LIST_BUCKETS, 403, "AccessDenied")]) as proxy,
        pytest.raises(ListingDeniedError) as denied,
    ):
        list_buckets(remote(here, proxy.endpoint))

    assert "cannot list buckets" in denied.value.summary


def test_a_provider_that_is_not_there_or_silent_is_unreachable(here: RcloneS3) -> None:
    with pytest.raises(UnreachableError):
        list_buckets(remote(here, f"http://127.0.0.1:{free_port()}"))
    with FrozenServer() as frozen, pytest.raises(UnreachableError) as silent:
        list_buckets(remote(here, frozen.endpoint), timeout_s=1.0)

    assert silent.value.summary == "Here did not answer, or the connection broke."


@pytest.mark.parametrize("page", [HTML.encode(), XHTML], ids=["html", "xhtml"])
def test_a_web_page_with_status_200_is_no_account_and_no_bucket(
    here: RcloneS3, page: bytes
) -> None:
    with service(lambda path, number: (200, page)) as endpoint:
        with pytest.raises(UnreachableError) as account:
            list_buckets(remote(here, endpoint))
        with pytest.raises(UnreachableError):
            check_bucket(remote(here, endpoint), "photos")

    assert account.value.summary == "The endpoint of Here is not an S3 service."


def test_a_bucket_is_there_or_is_not(here: RcloneS3, new_bucket) -> None:
    check_bucket(remote(here), new_bucket(here).name)
    with pytest.raises(BucketNotFoundError):
        check_bucket(remote(here), "no-such-bucket")
