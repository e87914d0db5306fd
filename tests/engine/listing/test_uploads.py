"""Answers about unfinished uploads, as services give them."""

import datetime as dt
import http.server
import threading
from collections.abc import Iterator

import pytest

from bucketvault.engine.listing.bucket import Bucket, ListingError
from bucketvault.engine.listing.uploads import Upload, Uploads

DATE = "Mon, 30 Nov 2026 12:00:00 GMT"


def listed(*uploads: tuple[str, str, str], more: str = "") -> bytes:
    rows = "".join(
        f"<Upload><Key>{key}</Key><UploadId>{number}</UploadId><Initiated>{at}</Initiated></Upload>"
        for key, number, at in uploads
    )
    cut = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{more}</NextKeyMarker>" if more else ""
    return f"<ListMultipartUploadsResult>{cut}{rows}</ListMultipartUploadsResult>".encode()


class Service(http.server.ThreadingHTTPServer):
    """Gives these answers, one after the other; the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[str] = []


class _Answers(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        told = self.server
        told.asked.append(f"{self.command} {self.path}")
        status, body = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
        self.send_response_only(status)
        self.send_header("Date", DATE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_GET  # noqa: N815  its name


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def uploads(service: Service) -> Uploads:
    endpoint = f"http://127.0.0.1:{service.server_address[1]}"
    return Uploads(Bucket(endpoint, "us-east-1", "bucket", "key", "secret"), patience_s=0.0)


def test_age_is_by_the_services_own_clock_and_odd_times_have_none(service: Service) -> None:
    rows = [("a", "1", "2026-11-29T11:59:00Z"), ("b", "2", "yesterday"), ("c", "3", "2026-11-01")]
    service.answers = [(200, listed(*rows))]

    with uploads(service) as asked:
        found = list(asked.unfinished(""))

    assert [upload.age for upload in found] == [dt.timedelta(days=1, minutes=1), None, None]


def test_a_service_that_ignores_the_prefix_shows_nothing_of_others(service: Service) -> None:
    rows = [(key, key, "2026-11-01T00:00:00Z") for key in ("photos/a+b", "photos2/a", "photos")]
    service.answers = [(200, listed(*rows))]

    with uploads(service) as asked:
        assert [upload.key for upload in asked.unfinished("photos/")] == [b"photos/a+b"]


def test_pages_follow_each_other_and_the_same_one_again_is_the_end(service: Service) -> None:
    first = listed(("a", "1", ""), more="a")
    service.answers = [(200, first), (200, listed(("b", "2", ""), more="a"))]

    with uploads(service) as asked:
        assert [upload.key for upload in asked.unfinished("")] == [b"a", b"b"]

    assert len(service.asked) == 2 and "key-marker=a" in service.asked[1]


@pytest.mark.parametrize("body", [b"<html></html>", b"", b"<!DOCTYPE html><p>", b"<Error/>"])
def test_what_is_no_list_of_uploads_is_an_error(service: Service, body: bytes) -> None:
    service.answers = [(200, body)]

    with uploads(service) as asked, pytest.raises(ListingError):
        list(asked.unfinished(""))


def test_none_at_all_may_be_told_as_an_error(service: Service) -> None:
    service.answers = [(404, b"<Error><Code>NoSuchUpload</Code></Error>")]

    with uploads(service) as asked:
        assert list(asked.unfinished("")) == []
        assert not asked.end(Upload(b"a b", "1/2", None))

    assert service.asked[-1] == "DELETE /bucket/a%20b?uploadId=1%2F2"
