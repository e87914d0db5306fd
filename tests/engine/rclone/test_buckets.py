"""Asking providers what is there and what a key may: real rclone, real servers, refused rights."""

import threading
from typing import Any

import pytest

from bucketvault.engine.rclone import buckets as discovery
from bucketvault.engine.rclone.binary import Binary, find_binary
from bucketvault.engine.rclone.buckets import (
    BucketNotFoundError,
    look_at_path,
)
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.vocabulary import ProviderType
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, ServerProcess, rclone_path

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


def test_one_page_of_a_large_bucket_is_enough_to_look(moto: MotoServer, binary) -> None:
    client = moto.client()
    client.create_bucket(Bucket="many-objects")
    for number in range(2100):  # a page has 1,000
        client.put_object(Bucket="many-objects", Key=f"{number:05}", Body=b"x")

    with OnePage(moto.endpoint) as proxy:
        found = look_at_path(binary, remote(moto, proxy.endpoint), "many-objects", "")
        asked = [path for _, path in proxy.seen if "list-type=2" in path]

    assert found.anything and found.objects_seen >= 1000 and found.cut
    assert len(asked) == 1
