"""A look at a path, and a count: real servers, refused rights, and what is no folder."""

import threading

import pytest

from bucketvault.engine.probe.contents import PathLook, PathSize, look_at_path, measure_path
from bucketvault.engine.rclone.buckets import (
    BucketNotFoundError,
    DeniedError,
    DiscoveryError,
    UnreachableError,
)
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.vocabulary import ProviderType
from tests.engine.listing.test_bucket import service
from tests.engine.listing.test_page import HTML, answer, row
from tests.support.proxies import FrozenServer, RefusingProxy, Rule
from tests.support.servers import ServerProcess, free_port

XHTML = b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>Hello</body></html>'


def remote(server: ServerProcess, endpoint: str = "", key: str = "", secret: str = "") -> Remote:
    return Remote(
        "Here",
        ProviderType.AMAZON_S3,
        endpoint or server.endpoint,
        "us-east-1",
        key or server.access_key_id,
        secret or server.secret_access_key,
    )


def test_a_look_at_a_path_tells_empty_from_full_and_from_absent(here, new_bucket) -> None:
    bucket = new_bucket(here, {"photos/a.jpg": b"1", "photos/b.jpg": b"2"})
    empty = new_bucket(here)
    only_kept = new_bucket(here, {".bucketvault-archive/x/20260101T000000Z/a": b"old"})

    def look(name: str, path: str = "") -> PathLook:
        return look_at_path(remote(here), name, path)

    assert look(bucket.name) == PathLook(True, 1, ("photos/",))
    assert look(bucket.name, "photos") == PathLook(True, 2, ("a.jpg", "b.jpg"))
    assert look(bucket.name, "elsewhere") == PathLook(False, 0)
    assert look(empty.name) == look(only_kept.name) == PathLook(False, 0)
    with pytest.raises(BucketNotFoundError):
        look("no-such-bucket")


def test_a_path_is_measured_without_what_is_kept(here, new_bucket) -> None:
    bucket = new_bucket(
        here,
        {"a.jpg": b"12", "deep/er/b.jpg": b"345", ".bucketvault-archive/x/old": b"old"},
    )
    seen: list[int] = []

    def measure(path: str, cancelled: threading.Event | None = None) -> PathSize:
        event = cancelled or threading.Event()
        return measure_path(remote(here), bucket.name, path, cancelled=event, on_seen=seen.append)

    assert measure("") == PathSize(2, 5)
    assert measure("deep") == PathSize(1, 3)
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(CancelledError):
        measure("", given_up)


MORE = "<IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken>"


def test_one_page_of_a_large_bucket_is_enough_to_look(here) -> None:
    asked: list[str] = []
    page = answer(*(row(f"{number:04}") for number in range(1000)), end=MORE)

    def answered(path: str, number: int) -> tuple[int, bytes]:
        asked.append(path)
        return 200, page

    with service(answered) as endpoint:
        found = look_at_path(remote(here, endpoint), "photos", "")

    assert found == PathLook(True, 1000, ("0000", "0001", "0002"), cut=True)
    assert len(asked) == 1


def test_an_empty_page_that_another_one_follows_is_no_empty_bucket(here) -> None:
    pages = (answer(end=MORE), answer(row("a")))

    with service(lambda path, number: (200, pages["continuation" in path])) as endpoint:
        assert look_at_path(remote(here, endpoint), "photos", "") == PathLook(True, 1, ("a",))


def count(where: Remote, timeout_s: float = 1.0) -> PathSize:
    return measure_path(
        where,
        "photos",
        "2024",
        cancelled=threading.Event(),
        on_seen=lambda number: None,
        timeout_s=timeout_s,
    )


@pytest.mark.parametrize("page", [HTML.encode(), XHTML], ids=["html", "xhtml"])
def test_a_web_page_with_status_200_is_no_empty_folder(here, page: bytes) -> None:
    with service(lambda path, number: (200, page)) as endpoint:
        with pytest.raises(UnreachableError) as looked:
            look_at_path(remote(here, endpoint), "photos", "2024")
        with pytest.raises(DiscoveryError):
            count(remote(here, endpoint))

    assert looked.value.summary == "The endpoint of Here is not an S3 service."


def test_a_place_that_cannot_be_counted_says_why(here, new_bucket) -> None:
    with RefusingProxy(here.endpoint, [Rule("GET", "list-type=2", 403, "AccessDenied")]) as proxy:
        for ask in (count, lambda where: look_at_path(where, "photos", "")):
            with pytest.raises(DeniedError) as denied:
                ask(remote(here, proxy.endpoint))
            assert "cannot list photos" in denied.value.summary
    with pytest.raises(UnreachableError):
        count(remote(here, f"http://127.0.0.1:{free_port()}"))
    with FrozenServer() as frozen, pytest.raises(UnreachableError):
        look_at_path(remote(here, frozen.endpoint), "photos", "", timeout_s=1.0)
