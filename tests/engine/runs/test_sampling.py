"""Headers are compared of a few objects, from all over what a run has copied."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bucketvault.engine.domain.usage import Use
from bucketvault.engine.listing.bucket import Bucket
from bucketvault.engine.listing.look import End
from bucketvault.engine.listing.merge import Difference, Totals, What, Why
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.listing.plan import Plan, PlanWriter
from bucketvault.engine.runs.sampling import _some, lost_headers
from bucketvault.engine.runs.tidying import Tidying
from bucketvault.errors import BucketvaultError
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import WarningCode
from tests.engine.runs.plans import difference, write_plan


@pytest.mark.parametrize(
    ("number", "chosen"),
    [
        (0, []),
        (1, [0]),
        (9, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (19, [0, 1, 3, 5, 7, 9, 11, 13, 15, 17]),
        (1000, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]),
    ],
)
def test_a_few_are_chosen_from_all_over(tmp_path: Path, number: int, chosen: list[int]) -> None:
    totals = Totals()
    with PlanWriter(tmp_path) as writer:
        for n in range(number):
            key = b"%06d" % n
            what = What.NEW if n % 2 else What.CHANGED
            found = Difference(key, what, Why.ABSENT, Entry(key, 1, "e", "2026"), None)
            totals.add(found)
            writer.add(found)
        gone = Difference(b"gone", What.GONE, Why.ABSENT, None, Entry(b"gone", 1, "e", "2026"))
        totals.add(gone)
        writer.add(gone)
        writer.finish(totals)

    assert [int(key) for key in _some(Plan(tmp_path))] == chosen


@contextmanager
def objects(stored: dict[str, str], etags: dict[str, str]) -> Iterator[End]:
    """An end that answers each HEAD with these headers, and ETag e1 where it has no other."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            etag = etags.get(self.path.rpartition("/")[2], "e1")
            for name, value in {"ETag": f'"{etag}"', **stored}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield End(
                Bucket(f"http://127.0.0.1:{server.server_port}", "us-east-1", "b", "id", "key")
            )
        finally:
            server.shutdown()
            thread.join()


class Looked:
    """A run that has looked: two objects were to be copied."""

    def __init__(self, folder: Path, *ends: End) -> None:
        self.folder, self.ends, self.use = folder, ends, Use()
        write_plan(folder, [difference("kept", What.NEW), difference("replaced", What.NEW)])

    def plan_folder(self, number: int) -> Path:
        return self.folder

    def count(self, use: Use) -> None:
        self.use.add(use)


def test_an_object_that_was_replaced_since_is_not_held_against_its_copy(tmp_path: Path) -> None:
    with objects({"Expires": "0"}, {"replaced": "e9"}) as source, objects({}, {}) as copy:
        looker: Any = Looked(tmp_path, source, copy)
        (warning,) = lost_headers(looker, threading.Event())

    assert warning.numbers == {"n": 1, "asked": 1} and warning.names == ("kept (expires)",)


def test_stop_ends_the_questions(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    with objects({"Expires": "0"}, {}) as source, objects({}, {}) as copy:
        looker: Any = Looked(tmp_path, source, copy)
        assert lost_headers(looker, stopped) == []

    assert looker.use == Use()


def test_a_fault_in_the_sample_does_not_keep_old_versions_and_uploads_from_the_clean_up(
    tmp_path: Path,
) -> None:
    def reached() -> Any:
        raise BucketvaultError("The clean-up has begun.")

    looker: Any = SimpleNamespace(plan_folder=lambda _: tmp_path / "missing", take_use=Use)
    nothing: Any = None
    tidying = Tidying(
        nothing,
        reached,
        BackupRun(id=1),
        looker,
        stopped=threading.Event(),
        keep_open=(),
        on_log=lambda line: None,
    )

    (warning,) = tidying.do()

    assert warning.code == WarningCode.TIDYING_REFUSED
