"""Why an end could not be listed, in the words that rclone's own failures have, too."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Self

import pytest

from bucketvault.engine.listing import bucket as bucket_module
from bucketvault.engine.listing.bucket import Bucket, Lister, ListingError
from bucketvault.engine.rclone.errors import is_permanent
from bucketvault.engine.rclone.explain import Explanation, explain_look
from bucketvault.vocabulary import Mends, Reason, Side
from tests.support.proxies import FrozenServer, RefusingProxy, Rule, UntrustedServer
from tests.support.servers import RcloneS3, free_port
from tests.support.specs import run_spec

SPEC = run_spec("photos/2024", "copies", providers=("R2 Main", "Backblaze EU"))


def looked(
    endpoint: str, key: tuple[str, str] = ("id", "secret"), name: str = "photos"
) -> ListingError:
    """Return how a listing failed."""
    lister = Lister(Bucket(endpoint, "us-east-1", name, *key), patience_s=0)
    with pytest.raises(ListingError) as failed:
        list(lister.entries())
    return failed.value


def explained(error: ListingError, end: str = "source") -> Explanation:
    return explain_look(end, error.status, error.code, error.summary, SPEC.source, SPEC.destination)


class Rude(threading.Thread):
    """A server that answers the first request with these bytes, and hangs up."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(daemon=True)
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def run(self) -> None:
        with self._listening, contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self._answer)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self.join()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "ANSWER_S", 0.3)


NO_ANSWER = "R2 Main did not answer, or the connection broke."


def test_an_end_where_nobody_listens_did_not_answer() -> None:
    said = explained(looked(f"http://127.0.0.1:{free_port()}"))

    assert (said.reason, said.summary, said.side) == (
        Reason.UNREACHABLE,
        NO_ANSWER,
        Side.SOURCE,
    )
    assert "refused" in said.detail and said.hint.endswith("run the backup again later.")


def test_an_end_that_keeps_silent_did_not_answer(hasty: None) -> None:
    with FrozenServer() as server:
        assert explained(looked(server.endpoint)).summary == NO_ANSWER


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<ListBucketResult>"],
    ids=["nothing", "half an answer"],
)
def test_an_end_that_hangs_up_did_not_answer(answer: bytes) -> None:
    with Rude(answer) as server:
        assert explained(looked(server.endpoint)).summary == NO_ANSWER


def test_an_end_that_breaks_off_while_the_connection_is_secured_did_not_answer() -> None:
    with Rude(b"") as server:
        error = looked(server.endpoint.replace("http:", "https:"))

    assert explained(error).summary == NO_ANSWER


@pytest.mark.parametrize(
    "said",
    [  # which of them comes is chance, and Python's version
        "SSLEOFError: EOF occurred in violation of protocol (_ssl.c:992)",
        "SSLZeroReturnError: TLS/SSL connection has been closed (EOF) (_ssl.c:992)",
        "SSLEOFError: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF (_ssl.c:1006)",
    ],
)
def test_each_word_for_a_connection_that_broke_off_means_no_answer(said: str) -> None:
    assert explained(ListingError(0, "", said)).summary == NO_ANSWER


def test_an_end_that_speaks_another_language_is_no_s3_service() -> None:
    with Rude(b"SSH-2.0-OpenSSH_9.2\r\n") as server:
        said = explained(looked(server.endpoint))

    assert said.summary == "The endpoint of R2 Main is not an S3 service."
    assert said.mends == Mends.PROVIDER


def test_a_host_that_is_not_known_is_named_as_that() -> None:
    said = explained(looked("http://no-such-host.invalid"))

    assert said.summary == "The host of R2 Main could not be found."


@pytest.mark.parametrize("expired", [False, True], ids=["unknown", "expired"])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(expired: bool) -> None:
    with UntrustedServer(expired=expired) as server:
        said = explained(looked(server.endpoint), "copy")

    assert said.summary == "The certificate of Backblaze EU is not trusted."
    assert said.side == Side.DESTINATION


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    root = tmp_path_factory.mktemp("server")
    (root / "photos").mkdir()
    with RcloneS3(root) as server:
        yield server


@pytest.mark.slow
def test_a_server_without_a_certificate_does_not_speak_https(server: RcloneS3) -> None:
    error = looked(server.endpoint.replace("http:", "https:"))

    assert explained(error).summary == "R2 Main does not use HTTPS at this endpoint."


@pytest.mark.slow
def test_refused_keys_and_a_missing_bucket_have_the_words_of_rclones_failures(
    server: RcloneS3,
) -> None:
    key, secret = server.access_key_id, server.secret_access_key

    said = [
        explained(looked(server.endpoint, ("AKIAUNKNOWN", secret))),
        explained(looked(server.endpoint, (key, "wrong"))),
        explained(looked(server.endpoint, (key, secret), "missing")),
    ]

    assert [(each.reason, each.summary) for each in said] == [
        (Reason.CREDENTIALS, "R2 Main rejected the access key ID (unknown key)."),
        (Reason.CREDENTIALS, "R2 Main rejected the secret access key."),
        (Reason.SOURCE_MISSING, "R2 Main has no bucket photos."),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "summary"),
    [
        (403, "AccessDenied", "The key for R2 Main cannot list photos/2024."),
        (
            403,
            "RequestTimeTooSkewed",
            "The clocks of this machine and R2 Main disagree.",
        ),
        (503, "SlowDown", "R2 Main is limiting requests (SlowDown)."),
        (500, "InternalError", "R2 Main had an internal error."),
        (403, "", "The endpoint of R2 Main is not an S3 service."),
        (404, "", "The endpoint of R2 Main is not an S3 service."),
        (502, "", "R2 Main had an internal error."),
        (200, "", "R2 Main could not list photos/2024: The response is not valid S3."),
        (418, "Teapot", "R2 Main could not list photos/2024: refused by a test."),
    ],
)
def test_what_a_service_answers_has_the_words_of_rclones_failures(
    server: RcloneS3, status: int, code: str, summary: str
) -> None:
    key = server.access_key_id, server.secret_access_key
    with RefusingProxy(server.endpoint, [Rule("GET", "list-type=2", status, code)]) as proxy:
        said = explained(looked(proxy.endpoint, key))

    assert said.summary == summary and said.side == Side.SOURCE


def test_a_look_that_failed_on_this_machine_blames_no_end() -> None:
    full, dead = (
        explain_look("", 0, "", said, SPEC.source, SPEC.destination)
        for said in ("[Errno 28] No space left on device", "The look ended without a result.")
    )

    assert (full.reason, dead.reason) == (Reason.DISK_FULL, Reason.INTERNAL)
    assert full.side is None and dead.detail == "The look ended without a result."


# ---- what another try does not mend


def s3_error(status: int, code: str, operation: str = "PutObject") -> str:
    return (
        f"Failed to copy: operation error S3: {operation}, https response error StatusCode: "
        f"{status}, RequestID: 1, HostID: , api error {code}: no"
    )


@pytest.mark.parametrize(
    "message",
    [
        s3_error(403, "AccessDenied"),
        s3_error(403, "Forbidden", "HeadObject"),
        (
            "--files-from failed to read file: operation error S3: HeadObject, https response "
            "error StatusCode: 403, RequestID: , HostID: , api error Forbidden: Forbidden"
        ),
        s3_error(400, "InvalidRequest"),
        s3_error(400, "KeyTooLongError"),
        s3_error(403, "InvalidObjectState", "CopyObject"),
        s3_error(404, "NoSuchBucket"),
        s3_error(405, "MethodNotAllowed"),
        s3_error(501, "NotImplemented"),
        (
            "Failed to copy: failed to open source object: Object in GLACIER, restore first: "
            'bucket="photos", key="a"'
        ),
    ],
)
def test_a_firm_no_is_permanent(message: str) -> None:
    assert is_permanent(message)


@pytest.mark.parametrize(
    "message",
    [
        s3_error(500, "InternalError"),
        s3_error(503, "SlowDown"),
        s3_error(400, "SlowDown"),
        s3_error(429, "TooManyRequests"),
        s3_error(400, "RequestTimeout"),
        s3_error(408, "Whatever"),
        s3_error(404, "NoSuchKey", "GetObject"),
        s3_error(404, "NotFound", "HeadObject"),
        s3_error(412, "PreconditionFailed", "GetObject"),
        s3_error(400, "BadDigest"),
        s3_error(507, "XMinioStorageFull"),
        "Failed to copy: failed to open source object: dial tcp: connect: connection refused",
        "Failed to copy: corrupted on transfer: sizes differ src 5 vs dst 99",
        "Failed to copy: unexpected EOF",
        'Failed to copy: "StatusCode: 403, api error AccessDenied": connection reset by peer',
        "",
    ],
)
def test_what_another_try_may_mend_is_not(message: str) -> None:
    assert not is_permanent(message)
