"""A bucket is listed whole, or it is not known what is in it; a service may be away for a while."""

import datetime as dt
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bucketvault.engine.listing import bucket as asking
from bucketvault.engine.listing.bucket import Bucket, Lister, ListingError
from tests.conftest import NewBucket
from tests.engine.listing.test_page import HTML, answer, row
from tests.support.servers import MotoServer, RcloneS3, ServerProcess, free_port

ODD = ["a b+c&d=e.txt", "%41", "ü/ä", "a//b", "/slash", "dot/./x", "dot/../y", "a\u202eb"]
KEYS = [*ODD, "z" * 900]

Script = Callable[[str, int], tuple[int, bytes]]


def at(endpoint: str, name: str = "photos", region: str = "us-east-1") -> Bucket:
    return Bucket(endpoint, region, name, "AKIAEXAMPLE000000001", "example-secret-0001")


def of(server: ServerProcess, name: str) -> Bucket:
    return Bucket(
        server.endpoint, "us-east-1", name, server.access_key_id, server.secret_access_key
    )


@contextmanager
def service(script: Script) -> Iterator[str]:
    """A service that answers as `script(path, number of the request)` says; its endpoint."""
    asked = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal asked
            asked += 1
            status, body = script(self.path, asked)
            if status == 0:  # it breaks off
                self.close_connection = True
                self.wfile.write(body)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Last-Modified", "Sun, 22 Nov 2026 03:41:00 GMT")  # as in `row`
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>Said so.</Message></Error>".encode()


def listed(endpoint: str, *, patience_s: float = 5.0) -> list[bytes]:
    return [entry.key for entry in Lister(at(endpoint), patience_s=patience_s).entries()]


def test_what_a_real_server_holds_is_listed_as_it_is(
    moto: MotoServer, new_bucket: NewBucket
) -> None:
    bucket = new_bucket(moto, {key: key.encode() for key in KEYS})

    found = list(Lister(of(moto, bucket.name)).entries())

    assert [entry.key for entry in found] == sorted(key.encode() for key in KEYS)
    assert [entry.size for entry in found] == [len(entry.key) for entry in found]


def test_a_folder_of_many_pages_is_listed_by_keys_below_it(
    here: RcloneS3, new_bucket: NewBucket
) -> None:
    names = [f"{number:04}.jpg" for number in range(2_345)]
    contents = {f"photos/{name}": b"x" for name in names} | {"elsewhere.txt": b"y"}
    bucket = new_bucket(here, contents)
    pages: list[int] = []
    lister = Lister(of(here, bucket.name))

    found = [entry.key.decode() for entry in lister.entries("photos/", pages.append)]

    assert found == names
    assert pages == [1000, 1000, 345] and lister.requests == 3


@pytest.mark.parametrize("harm", ["bucket", "key"])
def test_a_refusal_is_told_by_its_status_and_code(
    here: RcloneS3, new_bucket: NewBucket, harm: str
) -> None:
    good = of(here, new_bucket(here).name)
    name = "not-there" if harm == "bucket" else good.name
    secret = "wrong" if harm == "key" else good.secret_access_key
    wrong = Bucket(good.endpoint, good.region, name, good.access_key_id, secret)

    with pytest.raises(ListingError) as told:
        list(Lister(wrong).entries())

    expected = {"bucket": (404, "NoSuchBucket"), "key": (403, "SignatureDoesNotMatch")}
    assert (told.value.status, told.value.code) == expected[harm]


@pytest.mark.parametrize(
    "wrong",
    {
        "busy": (503, error("SlowDown")),
        "trouble": (500, error("InternalError")),
        "too many": (429, b""),
        "slow": (400, error("RequestTimeout")),
        "gateway": (502, HTML.encode()),
        "a page of the web": (200, HTML.encode()),
        "nothing": (200, b""),
        "an error with a good status": (200, error("InternalError")),
        "cut off": (0, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + answer(row("a"))[:90]),
        "hung up": (0, b""),
    }.values(),
    ids=str,
)
def test_a_service_that_stumbles_is_asked_again(wrong: tuple[int, bytes]) -> None:
    with service(lambda _, number: wrong if number == 1 else (200, answer(row("a")))) as endpoint:
        assert listed(endpoint) == [b"a"]


def test_answers_that_break_off_are_trouble_of_the_network_however_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "LONGEST_PAUSE_S", 0.05)
    cut = (0, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + answer(row("a"))[:90])

    with service(lambda _, number: cut if number < 6 else (200, answer(row("a")))) as endpoint:
        assert listed(endpoint) == [b"a"]


def test_a_service_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST_PAUSE_S", 0.1)
    port = free_port()
    found: list[list[bytes]] = []
    waiting = threading.Thread(target=lambda: found.append(listed(f"http://127.0.0.1:{port}")))
    waiting.start()
    time.sleep(0.5)  # it is away for so long: that is what is tried

    with ThreadingHTTPServer(("127.0.0.1", port), _Empty) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        waiting.join(10)
        server.shutdown()
        serving.join()

    assert found == [[]]


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer())

    def log_message(self, *words: object) -> None:
        pass


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST_PAUSE_S", 0.05)

    with pytest.raises(ListingError) as told, service(lambda *_: (503, error("SlowDown"))) as there:
        listed(there, patience_s=0.3)

    assert (told.value.status, told.value.code) == (503, "SlowDown")


def test_an_answer_that_stays_no_listing_is_an_error_and_never_an_empty_bucket() -> None:
    asked: list[str] = []

    def script(path: str, number: int) -> tuple[int, bytes]:
        asked.append(path)
        return 200, HTML.encode()

    with pytest.raises(ListingError, match="not valid S3"), service(script) as endpoint:
        listed(endpoint)

    assert len(asked) == asking.ODD_ANSWERS


def test_a_listing_without_end_is_an_error_the_second_time_the_same_page_comes() -> None:
    end = "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"

    with (
        pytest.raises(ListingError, match="never ends"),
        service(lambda *_: (200, answer(row("a"), end=end))) as endpoint,
    ):
        listed(endpoint)


def test_an_answer_without_end_is_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST_ANSWER_BYTES", 10_000)

    with (
        pytest.raises(ListingError, match="longer than a page"),
        service(lambda *_: (200, b" " * 20_000)) as endpoint,
    ):
        listed(endpoint)


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_S", 0.2)

    class Dripping(_Empty):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return
                time.sleep(0.05)  # slower than whole answers may be, quicker than one read may

    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        with pytest.raises(ListingError, match="did not end in time"):
            listed(f"http://127.0.0.1:{server.server_address[1]}", patience_s=0.1)
        server.shutdown()
        serving.join()


def test_pages_come_over_one_connection_each_asked_for_once() -> None:
    def script(path: str, number: int) -> tuple[int, bytes]:
        end = f"<IsTruncated>{'true' if number < 4 else 'false'}</IsTruncated>"
        end += f"<NextContinuationToken>{number}</NextContinuationToken>"
        return 200, answer(row(f"key-{number}"), end=end)

    with service(script) as endpoint:
        lister = Lister(at(endpoint))
        found = [entry.key for entry in lister.entries()]

    assert found == [b"key-1", b"key-2", b"key-3", b"key-4"] and lister.requests == 4


def test_a_redirect_is_not_followed_and_its_words_are_told() -> None:
    with (
        pytest.raises(ListingError) as told,
        service(lambda *_: (301, error("PermanentRedirect"))) as endpoint,
    ):
        listed(endpoint)

    assert (told.value.status, told.value.code) == (301, "PermanentRedirect")


def test_a_bucket_in_another_region_of_amazon_is_asked_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    other = error("PermanentRedirect").replace(b"</Error>", b"<Region>eu-west-3</Region></Error>")

    with service(
        lambda _, number: (301, other) if number == 1 else (200, answer(row("a")))
    ) as endpoint:
        connect = asking._connect

        def to_the_test(wanted: str, answer_s: float) -> object:
            asked.append(wanted)
            return connect(endpoint, answer_s)

        monkeypatch.setattr(asking, "_connect", to_the_test)
        assert listed("https://s3.eu-central-1.amazonaws.com") == [b"a"]

    assert asked == ["https://s3.eu-central-1.amazonaws.com", "https://s3.eu-west-3.amazonaws.com"]


def test_two_regions_of_amazon_that_name_each_other_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def named(path: str, number: int) -> tuple[int, bytes]:
        if number > 10:  # else it goes on for ever
            return 200, answer(row("a"))
        region = f"<Region>eu-west-{1 + number % 2}</Region></Error>".encode()
        return 301, error("PermanentRedirect").replace(b"</Error>", region)

    with pytest.raises(ListingError) as told, service(named) as endpoint:
        connect = asking._connect
        monkeypatch.setattr(
            asking, "_connect", lambda wanted, answer_s: connect(endpoint, answer_s)
        )
        listed("https://s3.eu-central-1.amazonaws.com")

    assert told.value.status == 301


def test_keys_are_in_no_text_of_a_bucket() -> None:
    assert "example-secret" not in repr(at("https://s3.example"))


@pytest.mark.parametrize("host_style", [False, True], ids=["path", "host"])
@pytest.mark.parametrize("key", ["", "a//b/%41 \u00fc"])
def test_a_request_is_signed_as_amazons_own_library_signs_it(host_style: bool, key: str) -> None:
    """Some services take nothing but the bucket in the host."""
    bucket = replace(at("http://s3.example.com:9000"), host_style=host_style)
    begin = "http://photos.s3.example.com:9000" if host_style else f"{bucket.endpoint}/photos"
    query = {} if key else {"prefix": "a b/", "list-type": "2"}
    inside = f"/{urllib.parse.quote(key)}" if key or host_style else ""
    url = f"{begin}{inside}" + ("?list-type=2&prefix=a%20b%2F" if query else "")
    request = AWSRequest("GET", url)
    keys = Credentials(bucket.access_key_id, bucket.secret_access_key)
    S3SigV4Auth(keys, "s3", bucket.region).add_auth(request)
    at_once = dt.datetime.strptime(f"{request.context['timestamp']}+0000", "%Y%m%dT%H%M%SZ%z")

    path, headers = asking.signed(bucket, query, at_once, key.encode())

    assert f"{bucket.server}{path}" == url
    assert headers["authorization"] == request.headers["Authorization"]
