"""An object is read whole and as it is stored, or it is not known what its bytes are."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from bucketvault.engine.listing import bucket as asking
from bucketvault.engine.listing import reader
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.reader import Digest, Reader
from tests.conftest import NewBucket
from tests.engine.listing.test_bucket import KEYS, at, error, of
from tests.support.servers import MotoServer, RcloneS3

BYTES = bytes(range(256)) * 4000  # more than one read takes


@contextmanager
def service(*answers: bytes) -> Iterator[str]:
    """A service that gives one raw answer after another, and the last one for ever; its endpoint.

    What lacks an end in itself ends with the connection.
    """
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            self.wfile.write(left.pop(0) if len(left) > 1 else left[0])

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def raw(body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def in_chunks(body: bytes, **headers: str) -> bytes:
    """An answer without a length, as Cloudflare R2 gives for an object that is stored packed."""
    begin = raw(b"", **headers).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return begin + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def read(endpoint: str, *, patience_s: float = 5.0, **options: Any) -> Digest:
    with Reader(at(endpoint), patience_s=patience_s) as reading:
        return reading.digest(b"a.bin", **options)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()  # noqa: S324  an ETag


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST_PAUSE_S", 0.05)


def test_objects_of_a_real_server_are_read_whatever_their_names_are(
    moto: MotoServer, new_bucket: NewBucket
) -> None:
    odd = [*KEYS, "tab\there", "\x01", "trailing/", "?x=1#y", "%2e%2e/%"]
    bucket = new_bucket(moto, {key: key.encode() for key in odd} | {"big": BYTES})

    with Reader(of(moto, bucket.name)) as reading:
        found = {key: reading.digest(key.encode()) for key in odd}
        big = reading.digest(b"big")

    assert {key: each.sha256 for key, each in found.items()} == {
        key: sha256(key.encode()) for key in odd
    }
    assert (big.size, big.sha256, big.etag) == (len(BYTES), sha256(BYTES), md5(BYTES))
    assert big.is_intact and big.modified[10:11] == "T"


def test_requests_are_signed_as_a_server_that_checks_it_wants_them(
    here: RcloneS3, new_bucket: NewBucket
) -> None:
    names = ["a b+c&d=e.txt", "%41", "ü/ä ~.txt"]
    bucket = new_bucket(here, {name: name.encode() for name in names})

    with Reader(of(here, bucket.name)) as reading:
        found = [reading.digest(name.encode()).sha256 for name in names]

    assert found == [sha256(name.encode()) for name in names]


def test_an_object_that_is_gone_is_told_by_its_status(
    moto: MotoServer, new_bucket: NewBucket
) -> None:
    with pytest.raises(ListingError) as told, Reader(of(moto, new_bucket(moto).name)) as reading:
        reading.digest(b"gone")

    assert (told.value.status, told.value.code) == (404, "NoSuchKey")


def test_parts_are_told_as_they_come() -> None:
    seen: list[int] = []

    with service(raw(BYTES)) as endpoint:
        read(endpoint, on_bytes=seen.append)

    assert sum(seen) == len(BYTES) and max(seen) <= reader.CHUNK


@pytest.mark.parametrize(
    "wrong",
    [
        raw(BYTES[:-1], length=len(BYTES)),
        in_chunks(BYTES)[:-9],
        raw(error("SlowDown"), status=503),
        raw(error("InternalError"), status=500),
        b"",
    ],
    ids=["cut off", "cut off between chunks", "busy", "trouble", "hung up"],
)
def test_a_stream_that_breaks_is_begun_again(wrong: bytes) -> None:
    with service(wrong, raw(BYTES)) as endpoint:
        assert read(endpoint).sha256 == sha256(BYTES)


def test_an_object_that_breaks_off_each_time_is_no_object_of_the_bytes_that_came() -> None:
    with (
        service(raw(BYTES[:-1], length=len(BYTES))) as endpoint,
        pytest.raises(ListingError, match="broke off 5 times"),
    ):
        read(endpoint)


def test_a_service_that_stays_away_is_an_error() -> None:
    with (
        service(raw(error("SlowDown"), status=503)) as endpoint,
        pytest.raises(ListingError) as told,
    ):
        read(endpoint, patience_s=0.2)

    assert (told.value.status, told.value.code) == (503, "SlowDown")


def test_an_object_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ANSWER_S", 0.0)
    monkeypatch.setattr(reader, "LEAST_BYTES_A_SECOND", 1e12)

    with (
        service(raw(BYTES)) as endpoint,
        pytest.raises(ListingError, match="did not arrive in time"),
    ):
        read(endpoint)


def test_what_is_stored_packed_is_read_as_it_is_stored() -> None:
    packed = gzip.compress(BYTES)

    with service(in_chunks(packed, Content_Encoding="gzip", ETag=f'"{md5(packed)}"')) as endpoint:
        found = read(endpoint, size=len(packed))

    assert (found.size, found.sha256) == (len(packed), sha256(packed)) and found.is_intact


def test_what_was_packed_on_the_way_only_is_asked_for_as_it_is_stored() -> None:
    packed = gzip.compress(BYTES)

    with service(in_chunks(packed, Content_Encoding="gzip"), raw(BYTES)) as endpoint:
        found = read(endpoint, size=len(BYTES))

    assert (found.size, found.sha256) == (len(BYTES), sha256(BYTES))


@pytest.mark.parametrize(
    ("headers", "is_intact"),
    [
        ({"ETag": f'"{md5(b"as it was")}"'}, True),
        ({"ETag": f'W/"{md5(b"as it was")}"'}, True),
        ({"ETag": f'"{md5(b"other")}"'}, False),
        ({"ETag": f'"{md5(b"other")}-2"'}, None),
        ({"ETag": f'"{md5(b"other")}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({}, None),
    ],
    ids=["intact", "weak", "flipped", "in parts", "encrypted by KMS", "none"],
)
def test_an_etag_tells_whether_the_bytes_are_those_that_were_stored(
    headers: dict[str, str], is_intact: bool | None
) -> None:
    with service(raw(b"as it was", **headers)) as endpoint:
        assert read(endpoint).is_intact is is_intact


def test_the_date_is_told_as_listings_tell_it() -> None:
    date = "Mon, 30 Nov 2026 09:08:07 GMT"

    with service(raw(b"x", Last_Modified=date), raw(b"x")) as endpoint:
        dates = [read(endpoint).modified, read(endpoint).modified]

    assert dates == ["2026-11-30T09:08:07Z", ""]


def test_an_object_that_is_held_down_is_not_one_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0

    def hold(count: int) -> None:
        nonlocal seconds
        seconds += 3600

    monkeypatch.setattr(reader, "time", SimpleNamespace(monotonic=lambda: seconds))
    with service(raw(BYTES)) as endpoint, Reader(at(endpoint)) as one:
        found = one.digest(b"a", hold)

    assert found.size == len(BYTES) and seconds > 3600
