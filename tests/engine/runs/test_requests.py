"""The requests made for a person: to whom, and what they carry to whom else."""

import http.server
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from bucketvault.vocabulary import ProviderType
from tests.conftest import NewBucket
from tests.support.program import Bucket, Program, objects
from tests.support.servers import RcloneS3

KEYS = ("AKIAREDIRECTED000001", "redirected-secret-0001")
EMPTY = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
)


class Keys:
    """A backup's settings for a server whose keys it is given."""

    provider_type, region = ProviderType.AMAZON_S3, ""
    access_key_id, secret_access_key = KEYS


class _Answers(http.server.BaseHTTPRequestHandler):
    """A server that notes each request whole, and answers as its server says."""

    server: "Noting"

    def answer(self) -> None:
        told = self.server
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)
            self.rfile.readline()
        told.requests.append((self.command, f"{self.path}\n{self.headers}", body))
        is_listing = self.command == "GET" and "list-type" in self.path
        if told.leads_to and not (told.lists and is_listing):
            self.send_response(307)
            self.send_header("Location", told.leads_to + self.path)
            answer = b""
        elif is_listing:
            self.send_response(200)
            answer = EMPTY
        else:
            self.send_response(200 if self.command == "PUT" else 404)
            answer = b""
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


for _method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
    setattr(_Answers, f"do_{_method}", _Answers.answer)


class Noting(http.server.ThreadingHTTPServer):
    """Notes what it is asked; with `leads_to`, sends all there, but listings where it `lists`."""

    daemon_threads = True

    def __init__(self, leads_to: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.requests: list[tuple[str, str, bytes]] = []
        self.leads_to, self.lists = leads_to, False
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def port(self) -> int:
        return self.server_address[1]


@pytest.fixture
def led_away() -> Iterator[tuple[Noting, Noting]]:
    """A server that sends everybody to another one, under another name; and that other one."""
    with Noting() as other, Noting(f"http://localhost:{other.port()}") as first:
        yield first, other
        first.shutdown()
        other.shutdown()


@pytest.mark.parametrize("lists", [False, True])
def test_a_redirect_carries_neither_credentials_nor_data_to_another_server(
    bucketvault: Program,
    here: RcloneS3,
    new_bucket: NewBucket,
    led_away: tuple[Noting, Noting],
    *,
    lists: bool,
) -> None:
    first, other = led_away
    first.lists = lists
    source, destination = new_bucket(here, objects(3)), Bucket(Keys(), "copy")
    endpoint = f"http://127.0.0.1:{first.port()}"
    bucketvault.backup(source, destination, destination_endpoint=endpoint)

    run = bucketvault.run()

    assert run["status"] == "failed" and "Wrong region or endpoint" in run["explanation"]
    assert any(KEYS[0] in told for _, told, _ in first.requests)  # signed, as it should be
    assert ("PUT" in {method for method, _, _ in first.requests}) == lists
    # a look goes nowhere else; rclone 1.75.2 does, without a signature and with no upload
    assert {method for method, _, _ in other.requests} <= ({"GET", "HEAD"} if lists else set())
    for _, told, body in other.requests:
        assert "authorization" not in told.lower() and not body
        assert not any(key in told for key in KEYS)


@pytest.mark.parametrize("endpoint", ["http://169.254.169.254", "https://a:b@s3.example.com"])
def test_an_endpoint_that_got_into_the_database_past_the_rules_is_not_asked(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, endpoint: str
) -> None:
    bucketvault.backup(new_bucket(here, objects(1)), new_bucket(elsewhere))
    change(bucketvault, "UPDATE provider SET endpoint = ? WHERE name = 'Destination'", endpoint)

    run = bucketvault.run()

    assert (run["status"], run["reason"]) == ("failed", "refused")
    assert '"Destination" was not contacted' in run["explanation"]
    assert "a:b" not in str(run)


def test_keys_go_nowhere_when_another_program_changed_the_address_beside_them(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    """Whoever may write the database, and has no key, would have uploads signed for a listener."""
    with Noting() as thief:
        bucketvault.backup(new_bucket(here, objects(1)), new_bucket(elsewhere))
        there = f"http://127.0.0.1:{thief.port()}"
        change(bucketvault, "UPDATE provider SET endpoint = ? WHERE name = 'Destination'", there)

        run = bucketvault.run()
        status, doctor = bucketvault.cli("status"), bucketvault.cli("doctor")

        thief.shutdown()

    words = "was changed outside bucketvault"
    assert (run["status"], run["reason"]) == ("failed", "credentials")
    assert '"Destination" cannot be read' in run["explanation"] and words in run["explanation"]
    assert status.code == 1 and words in status.out
    assert doctor.code == 1 and words in " ".join(doctor.out.split())
    assert thief.requests == []


def test_a_path_that_got_into_the_database_past_the_rules_is_not_copied(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    destination = new_bucket(elsewhere, {"kept.txt": b"kept"})
    bucketvault.backup(new_bucket(here, objects(1)), destination)
    change(bucketvault, "UPDATE backup SET source_path = ?", "../other")

    run = bucketvault.run()

    assert (run["status"], run["reason"]) == ("failed", "refused")
    assert destination.copy() == {"kept.txt": b"kept"}


def change(program: Program, query: str, value: str) -> None:
    with closing(sqlite3.connect(program.data_dir / "bucketvault.sqlite3")) as plain, plain:
        plain.execute(query, (value,))
