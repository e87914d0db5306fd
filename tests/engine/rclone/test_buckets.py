"""Asking providers what is there and what a key may: real rclone, real servers, refused rights."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.rclone import buckets as discovery
from bucketvault.engine.rclone.binary import Binary, find_binary
from bucketvault.engine.rclone.buckets import (
    BucketNotFoundError,
    DiscoveryError,
    ListingDeniedError,
    UnknownKeyError,
    UnreachableError,
    WrongSecretError,
    list_buckets,
    look_at_path,
)
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.key_test import Right, RightResult, TrialResult, probe
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.vocabulary import ProviderType
from tests.support.proxies import FrozenServer, RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3, ServerProcess, free_port, rclone_path

LIST_BUCKETS = r"^/(\?x-id=ListBuckets)?$"


@pytest.fixture(scope="module")
def binary() -> Binary:
    return find_binary(rclone_path())


def remote(server: ServerProcess, endpoint: str = "", key: str = "", secret: str = "") -> Remote:
    return Remote(
        "Here",
        ProviderType.AMAZON_S3,
        endpoint or server.endpoint,
        "us-east-1",
        key or server.access_key_id,
        secret or server.secret_access_key,
    )


def outcomes(results: list[RightResult]) -> dict[Right, TrialResult]:
    return {result.right: result.outcome for result in results}


def of(results: list[RightResult], right: Right) -> RightResult:
    return next(result for result in results if result.right is right)


def test_buckets_come_by_name_with_their_date(here: RcloneS3, new_bucket, binary) -> None:
    bucket = new_bucket(here)

    found = list_buckets(binary, remote(here))

    assert [b.name for b in found] == sorted(b.name for b in found)
    mine = next(b for b in found if b.name == bucket.name)
    assert mine.created is not None and mine.created.tzinfo is not None


@pytest.mark.slow
def test_five_thousand_buckets_are_listed(tmp_path: Path, binary) -> None:
    for number in range(5000):
        (tmp_path / f"bucket-{number:04}").mkdir()
    with RcloneS3(tmp_path) as server:
        found = list_buckets(binary, remote(server))

    assert len(found) == 5000 and found[-1].name == "bucket-4999"


def test_what_is_wrong_with_a_key_has_a_class_and_words(here: RcloneS3, binary) -> None:
    with pytest.raises(WrongSecretError) as wrong:
        list_buckets(binary, remote(here, secret="another-secret-0001"))
    with pytest.raises(UnknownKeyError) as unknown:
        list_buckets(binary, remote(here, key="AKIANOBODYKNOWS0001"))

    assert wrong.value.summary == "Here rejected the secret access key."
    assert wrong.value.code == "403 SignatureDoesNotMatch"
    assert "rejected the access key ID" in unknown.value.summary
    told = str(wrong.value) + wrong.value.detail + str(unknown.value) + unknown.value.detail
    assert "another-secret-0001" not in told and "AKIANOBODYKNOWS0001" not in told


def test_a_key_that_may_not_list_buckets_is_told_from_a_bad_one(here: RcloneS3, binary) -> None:
    with (
        RefusingProxy(here.endpoint, [Rule("GET", LIST_BUCKETS, 403, "AccessDenied")]) as proxy,
        pytest.raises(ListingDeniedError) as denied,
    ):
        list_buckets(binary, remote(here, proxy.endpoint))

    assert "may not list buckets" in denied.value.summary


def test_a_provider_that_is_not_there_or_silent_is_unreachable(here: RcloneS3, binary) -> None:
    with pytest.raises(UnreachableError):
        list_buckets(binary, remote(here, f"http://127.0.0.1:{free_port()}"))
    with FrozenServer() as frozen, pytest.raises(UnreachableError) as silent:
        list_buckets(binary, remote(here, frozen.endpoint), timeout_s=1.0)

    assert silent.value.summary == "Here did not answer in 1 seconds."


def test_an_answer_that_makes_no_sense_is_an_error_not_an_empty_list(here, binary) -> None:
    with (
        RefusingProxy(here.endpoint, [Rule("GET", ".", 200, "")]) as proxy,
        pytest.raises(DiscoveryError),
    ):
        list_buckets(binary, remote(here, proxy.endpoint))


def test_a_look_at_a_path_tells_empty_from_full_and_from_absent(here, new_bucket, binary) -> None:
    bucket = new_bucket(here, {"photos/a.jpg": b"1", "photos/b.jpg": b"2"})
    empty = new_bucket(here)
    only_kept = new_bucket(here, {".bucketvault-archive/x/20260101T000000Z/a": b"old"})

    def look(name: str, path: str = "") -> discovery.PathLook:
        return look_at_path(binary, remote(here), name, path)

    assert look(bucket.name) == discovery.PathLook(True, 1, ("photos/",))
    assert look(bucket.name, "photos") == discovery.PathLook(True, 2, ("a.jpg", "b.jpg"))
    assert look(bucket.name, "elsewhere") == discovery.PathLook(False, 0)
    assert look(empty.name) == look(only_kept.name) == discovery.PathLook(False, 0)
    with pytest.raises(BucketNotFoundError):
        look("no-such-bucket")


def test_a_path_is_measured_without_what_is_kept(here, new_bucket, binary) -> None:
    bucket = new_bucket(
        here,
        {"a.jpg": b"12", "deep/er/b.jpg": b"345", ".bucketvault-archive/x/old": b"old"},
    )
    seen: list[int] = []

    def measure(path: str, cancelled: threading.Event | None = None) -> discovery.PathSize:
        event = cancelled or threading.Event()
        return discovery.measure_path(
            binary, remote(here), bucket.name, path, cancelled=event, on_seen=seen.append
        )

    assert measure("") == discovery.PathSize(2, 5)
    assert measure("deep") == discovery.PathSize(1, 3)
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(CancelledError):
        measure("", given_up)


class OnePage(RefusingProxy):
    """Answers the first page of a listing, and none after it."""

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        """Refuses nothing, but a further page never comes."""
        if "continuation-token" in path:
            self.stopping.wait()
        return super().refusal(method, path, headers)


def test_one_page_of_a_large_bucket_is_enough_to_look_and_to_test_reading(
    moto: MotoServer, binary
) -> None:
    client = moto.client()
    client.create_bucket(Bucket="many-objects")
    for number in range(2100):  # a page has 1,000
        client.put_object(Bucket="many-objects", Key=f"{number:05}", Body=b"x")

    with OnePage(moto.endpoint) as proxy:
        found = look_at_path(binary, remote(moto, proxy.endpoint), "many-objects", "")
        asked = [path for _, path in proxy.seen if "list-type=2" in path]
    further_pages = Rule("GET", "continuation-token", 403, "AccessDenied")
    with RefusingProxy(moto.endpoint, [further_pages]) as proxy:
        results = probe(binary, remote(moto, proxy.endpoint), "many-objects", False)

    assert found.anything and found.objects_seen >= 1000 and found.cut
    assert len(asked) == 1
    assert outcomes(results)[Right.READ] == TrialResult.WORKS


@pytest.fixture(params=["here", "moto"])
def server(request: pytest.FixtureRequest) -> ServerProcess:
    found: ServerProcess = request.getfixturevalue(request.param)
    return found


@pytest.mark.slow
def test_a_good_key_may_do_everything_and_nothing_is_left_behind(
    server: ServerProcess, new_bucket, binary
) -> None:
    bucket = new_bucket(server, {"folder/one.txt": b"hello"})

    results = probe(binary, remote(server), bucket.name, True)

    assert [result.right for result in results] == list(Right)
    assert set(outcomes(results).values()) == {TrialResult.WORKS}
    assert of(results, Right.READ).note == "folder/one.txt"
    assert bucket.keys() == ["folder/one.txt"]


def test_nothing_is_written_unless_asked_for(here, new_bucket, binary) -> None:
    bucket = new_bucket(here, {"one.txt": b"hello"})

    with RefusingProxy(here.endpoint) as proxy:
        results = probe(binary, remote(here, proxy.endpoint), bucket.name, False)

    assert set(proxy.requests) <= {"GET", "HEAD"}
    found = outcomes(results)
    assert found[Right.READ] == TrialResult.WORKS and found[Right.WRITE] == TrialResult.NOT_TRIED


Refuse = tuple[Rule, Right]
REFUSALS: dict[str, Callable[[str], Refuse]] = {
    "list buckets": lambda _: (Rule("GET", LIST_BUCKETS, 403, "AccessDenied"), Right.LIST_BUCKETS),
    "list objects": lambda bucket: (
        Rule("GET", rf"{bucket}/?\?", 403, "AccessDenied"),
        Right.LIST_OBJECTS,
    ),
    "read": lambda _: (Rule("GET", r"one\.txt", 403, "AccessDenied"), Right.READ),
    "write": lambda _: (Rule("PUT", ".", 403, "AccessDenied"), Right.WRITE),
    "copy": lambda _: (
        Rule("PUT", ".", 403, "AccessDenied", header="x-amz-copy-source"),
        Right.SET_ASIDE,
    ),
    "delete": lambda _: (Rule("DELETE", ".", 403, "AccessDenied"), Right.DELETE),
}


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_refused_right_is_named_with_the_providers_code(
    refused: str, here: RcloneS3, new_bucket, binary
) -> None:
    bucket = new_bucket(here, {"one.txt": b"hello"})
    rule, right = REFUSALS[refused](bucket.name)

    with RefusingProxy(here.endpoint, [rule]) as proxy:
        results = probe(binary, remote(here, proxy.endpoint), bucket.name, True)

    refused_ones = [r for r in results if r.outcome in (TrialResult.REFUSED, TrialResult.FAILED)]
    assert [(r.right, r.outcome, r.code) for r in refused_ones] == [
        (right, TrialResult.REFUSED, "403 AccessDenied")
    ]
    assert refused_ones[0].note.startswith("The key for Here may not ")
    left = sorted(set(bucket.keys()) - {"one.txt"})
    if right is Right.DELETE:
        assert len(left) == 2 and all(
            f"{bucket.name}/{k}" in refused_ones[0].left_behind for k in left
        )
    else:
        assert not left


def test_what_was_written_goes_also_when_looking_at_it_is_refused(here, new_bucket, binary) -> None:
    bucket = new_bucket(here)

    with RefusingProxy(here.endpoint, [Rule("HEAD", ".", 403, "AccessDenied")]) as proxy:
        results = probe(binary, remote(here, proxy.endpoint), bucket.name, True)

    assert outcomes(results)[Right.WRITE] == TrialResult.FAILED
    assert bucket.keys() == []


def test_after_a_refused_key_nothing_more_is_tried(here, new_bucket, binary) -> None:
    bucket = new_bucket(here)

    results = probe(binary, remote(here, secret="another-secret-0001"), bucket.name, True)

    found = outcomes(results)
    assert found.pop(Right.CONNECT) == TrialResult.WORKS
    assert found.pop(Right.KEYS) == TrialResult.REFUSED
    assert set(found.values()) == {TrialResult.NOT_TRIED}


def test_a_bucket_that_is_not_there_is_not_written_to(here, binary) -> None:
    results = probe(binary, remote(here), "no-such-bucket", True)

    assert outcomes(results)[Right.LIST_OBJECTS] == TrialResult.FAILED
    assert outcomes(results)[Right.WRITE] == TrialResult.NOT_TRIED
    with pytest.raises(BucketNotFoundError):
        look_at_path(binary, remote(here), "no-such-bucket", "")
