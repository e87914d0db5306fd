"""A look at both ends, in a process of its own, against real servers: plan, ledger, failures."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bucketvault.engine.listing.ledger import Ledger, Record
from bucketvault.engine.listing.look import End, Job, LookFailedError, StoppedError, look
from bucketvault.engine.listing.merge import What
from bucketvault.engine.listing.plan import Plan
from bucketvault.vocabulary import ComparisonMode
from tests.conftest import NewBucket
from tests.engine.listing.test_bucket import at, of, service
from tests.engine.listing.test_page import HTML, answer, row
from tests.support.program import until
from tests.support.servers import MotoServer, RcloneS3, free_port

pytestmark = pytest.mark.slow

NewJob = Callable[..., Job]


@pytest.fixture
def new_job(tmp_path: Path) -> NewJob:
    """Makes a job whose plan, ledger and new ledger are in the test's folder."""

    def make(source: End, copy: End, **more: object) -> Job:
        given = {
            "mode": ComparisonMode.CHECKSUM,
            "folder": tmp_path,
            "at": "2026-11-22T03:41:00Z",
            "ledger": tmp_path / "ledger",
            "new_ledger": tmp_path / "new",
            "patience_s": 2.0,
            **more,
        }
        return Job(source, copy, **given)  # type: ignore[arg-type]

    return make


def planned(job: Job) -> dict[What, list[bytes]]:
    plan = Plan(job.folder)
    return {what: keys for what in What if (keys := [one.key for one in plan.differences(what)])}


def test_a_look_writes_a_plan_by_kind_and_a_ledger_of_what_is_there(
    here: RcloneS3, moto: MotoServer, new_bucket: NewBucket, new_job: NewJob
) -> None:
    source = new_bucket(here, {"p/new": b"1", "p/same": b"22", "p/other": b"333", "x": b"4"})
    kept = {".bucketvault-archive/k/1/p": b"kept"}
    copy = new_bucket(moto, {"same": b"22", "other": b"xxx", "gone": b"5", **kept})
    ends = End(of(here, source.name), "p/"), End(of(moto, copy.name), "", ".bucketvault-archive/")
    job = new_job(*ends)
    seen: list[tuple[int, int]] = []

    became = look(job, on_seen=lambda *counts: seen.append(counts))

    assert became == "none"
    assert planned(job) == {What.NEW: [b"new"], What.CHANGED: [b"other"], What.GONE: [b"gone"]}
    totals = Plan(job.folder).totals()
    assert (totals.source_objects, totals.copy_objects, totals.same_hash) == (3, 3, 1)
    assert [(one.key, one.size) for one in Ledger(job.new_ledger)] == [(b"same", 2)]
    assert seen and seen[-1] == (3, 4)


def test_what_the_ledger_knew_tells_what_was_lost_at_the_copy(
    moto: MotoServer, new_bucket: NewBucket, new_job: NewJob
) -> None:
    source, copy = (
        new_bucket(moto, {"a": b"1", "b": b"2"}),
        new_bucket(moto, {"a": b"1", "b": b"2"}),
    )
    job = new_job(End(of(moto, source.name)), End(of(moto, copy.name)))
    look(job)
    job.new_ledger.replace(tmp := job.folder / "ledger")
    copy.delete("b")

    assert look(job) == "used"

    assert planned(job) == {What.LOST: [b"b"]}
    assert [one.key for one in Ledger(job.new_ledger)] == [b"a", b"b"]
    tmp.write_bytes(b"damaged")
    assert look(job) == "damaged"
    assert planned(job) == {What.NEW: [b"b"]}


def test_a_server_that_lists_in_another_order_is_sorted_on_disk(new_job: NewJob) -> None:
    names = ["a", "a/x", "a!"]

    with service(lambda *_: (200, answer(*map(row, names)))) as endpoint:
        job = new_job(End(at(endpoint)), End(at(endpoint)))
        look(job)

    assert [one.key for one in Ledger(job.new_ledger)] == sorted(map(str.encode, names))
    assert Plan(job.folder).totals().source_objects == 3


@pytest.mark.parametrize("end", ["source", "copy"])
def test_the_end_that_could_not_be_looked_at_is_named_and_there_is_no_plan(
    end: str, new_job: NewJob
) -> None:
    with (
        service(lambda *_: (200, answer(row("a")))) as good,
        service(lambda *_: (200, HTML.encode())) as bad,
    ):
        ends = [End(at(good)), End(at(bad))]
        job = new_job(*(ends if end == "copy" else reversed(ends)))
        with pytest.raises(LookFailedError, match="not what S3 sends") as told:
            look(job)

    assert (told.value.end, told.value.status) == (end, 200)
    assert not (job.folder / "totals.json").exists() and not job.new_ledger.exists()


def test_a_full_disk_is_no_fault_of_an_end(new_job: NewJob, tmp_path: Path) -> None:
    (tmp_path / "new.new").mkdir()  # where the ledger is written: nothing can be

    with (
        service(lambda *_: (200, answer(row("a")))) as endpoint,
        pytest.raises(LookFailedError) as told,
    ):
        look(new_job(End(at(endpoint)), End(at(endpoint))))

    assert told.value.end == ""


def test_stop_ends_it_at_once_and_no_key_is_seen_from_outside(new_job: NewJob) -> None:
    stop, outcome = threading.Event(), list[BaseException]()
    nobody = f"http://127.0.0.1:{free_port()}"
    job = new_job(End(at(nobody)), End(at(nobody)), patience_s=60.0)

    def run() -> None:
        try:
            look(job, cancelled=stop)
        except StoppedError as error:
            outcome.append(error)

    running = threading.Thread(target=run)
    running.start()
    child = _lister()
    outside = json.dumps([child.cmdline(), child.environ()])
    stop.set()
    running.join(10)

    assert len(outcome) == 1 and not child.is_running()
    assert "example-secret" not in outside and "AKIA" not in outside


def _lister() -> psutil.Process:
    """The process that looks, once it is there and no longer the tether."""

    def found() -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process().children()
            if child.cmdline()[1:] == ["-I", "-m", "bucketvault.engine.listing"]
        ]

    until("the process is there", lambda: bool(found()))
    return found()[0]


def test_a_look_that_is_killed_leaves_no_plan(new_job: NewJob) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    job = new_job(End(at(nobody)), End(at(nobody)), patience_s=60.0)
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            look(job)
        except LookFailedError as error:
            outcome.append(error)

    running = threading.Thread(target=run)
    running.start()
    _lister().kill()
    running.join(10)

    assert "without a word" in str(outcome[0])


def test_a_record_is_what_both_ends_said(new_job: NewJob) -> None:
    with service(lambda *_: (200, answer(row("a")))) as endpoint:
        job = new_job(End(at(endpoint)), End(at(endpoint)))
        look(job)

    date = "2026-11-22T03:41:00.000Z"
    assert list(Ledger(job.new_ledger)) == [Record(b"a", 3, "abc", date, "abc", date)]
