"""A look at both ends, in a process of its own, against real servers: plan, ledger, failures."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing.ledger import DAMAGED, Ledger, Record
from bucketvault.engine.listing.look import End, Job, Looked, LookFailedError, StoppedError, look
from bucketvault.engine.listing.merge import Difference, Stand, Totals, What, Why
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.listing.plan import Plan, PlanWriter
from bucketvault.errors import KilledError
from bucketvault.vocabulary import ComparisonMode, Side
from tests.conftest import NewBucket
from tests.engine.listing.test_bucket import at, error, of, service
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

    looked = look(job, on_seen=lambda *counts: seen.append(counts))

    assert looked == Looked("none", time=looked.time)
    assert planned(job) == {What.NEW: [b"new"], What.CHANGED: [b"other"], What.GONE: [b"gone"]}
    totals = Plan(job.folder).totals()
    assert (totals.source_objects, totals.copy_objects, totals.same_hash) == (3, 3, 1)
    proven = [(one.key, one.size) for one in Ledger(job.new_ledger) if one.copy_modified]
    assert proven == [(b"same", 2)]
    assert seen and seen[-1] == (3, 3)  # what is kept is not looked at


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

    assert look(job).ledger == "used"

    assert planned(job) == {What.LOST: [b"b"]}
    assert [one.key for one in Ledger(job.new_ledger)] == [b"a", b"b"]
    tmp.write_bytes(b"damaged")
    assert look(job).ledger == "damaged"
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
    counted: list[Use] = []
    with (
        service(lambda *_: (200, answer(row("a")))) as good,
        service(lambda *_: (200, HTML.encode())) as bad,
    ):
        ends = [End(at(good)), End(at(bad))]
        job = new_job(*(ends if end == "copy" else reversed(ends)))
        with pytest.raises(LookFailedError, match="not valid S3") as told:
            look(job, on_requests=counted.append)

    assert (told.value.end, told.value.status) == (end, 200)
    bad_end = Side.SOURCE if end == "source" else Side.DESTINATION
    assert [use.of(bad_end).lists for use in counted] == [3], "asked again, and counted"
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
    counted: list[Use] = []
    nobody = f"http://127.0.0.1:{free_port()}"
    asked, over = threading.Event(), threading.Event()
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"

    def first_page_alone(path: str, number: int) -> tuple[int, bytes]:
        if "continuation" in path:
            asked.set()
            over.wait(10)
        return 200, answer(row("a"), end=more)

    def run() -> None:
        try:
            look(job, cancelled=stop, on_requests=counted.append)
        except StoppedError as error:
            outcome.append(error)

    with service(first_page_alone) as endpoint:
        job = new_job(End(at(endpoint)), End(at(nobody)), patience_s=60.0)
        running = threading.Thread(target=run)
        running.start()
        child = _lister()
        outside = json.dumps([child.cmdline(), child.environ()])
        assert asked.wait(10)
        stop.set()
        running.join(10)
        over.set()

    assert len(outcome) == 1 and not child.is_running()
    assert "example-secret" not in outside and "AKIA" not in outside
    assert counted == [Use(EndUse(lists=2))], "also the one that nobody answered"


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
        except KilledError as error:
            outcome.append(error)

    running = threading.Thread(target=run)
    running.start()
    _lister().kill()
    running.join(10)

    assert "was killed (signal 9, possibly out of memory)" in str(outcome[0])


def test_a_record_is_what_both_ends_said(new_job: NewJob) -> None:
    with service(lambda *_: (200, answer(row("a")))) as endpoint:
        job = new_job(End(at(endpoint)), End(at(endpoint)))
        look(job)

    date = "2026-11-22T03:41:00.000Z"
    assert list(Ledger(job.new_ledger)) == [Record(b"a", 3, "abc", date, "abc", date)]


def keys_in(path: Path, *keys: str) -> Path:
    path.write_text("".join(f"{key}\n" for key in keys), "utf-8")
    return path


def test_a_second_look_reads_what_an_error_named_and_names_what_is_not_right(
    here: RcloneS3, moto: MotoServer, new_bucket: NewBucket, new_job: NewJob, tmp_path: Path
) -> None:
    source = new_bucket(here, {"good": b"11", "rubbish": b"22", "refused": b"33", "quiet": b"44"})
    copy = new_bucket(moto)
    ends = End(of(here, source.name)), End(of(moto, copy.name))
    first = tmp_path / "look-0"
    first.mkdir()
    job = new_job(*ends, hashes=False, folder=first)
    look(job)
    for key, body in {"good": b"11", "rubbish": b"xx", "quiet": b"44"}.items():
        copy.put_in_parts(key, body)
    copy.put("later", b"5")
    source.put("since", b"6")
    named = {
        "tried": first,
        "ledger": job.new_ledger.rename(tmp_path / "ledger"),
        "failed": keys_in(tmp_path / "failed", "refused"),
        "errored": keys_in(tmp_path / "errored", "good", "refused", "rubbish"),
    }
    read: list[tuple[int, int]] = []

    second = new_job(*ends, hashes=False, **named)
    look(second, on_read=lambda *counts: read.append(counts))

    plan = Plan(second.folder)
    by_stand = {stand: [one[:3] for one in plan.differences(stand=stand)] for stand in Stand}
    assert by_stand == {
        Stand.TO_DO: [(b"rubbish", What.CHANGED, Why.BYTES)],
        Stand.FAILED: [(b"refused", What.NEW, Why.ABSENT)],
        Stand.CANNOT: [],
        Stand.SINCE: [(b"later", What.GONE, Why.ABSENT), (b"since", What.NEW, Why.ABSENT)],
        Stand.STRAY: [],
    }
    assert plan.totals().same_size == 2
    assert read[-1] == (2, 8)
    ledger = {one.key: (one.read_on, one.mark) for one in Ledger(second.new_ledger)}
    today = second.at[:10]
    assert ledger[b"good"] == (today, "") and ledger[b"rubbish"] == (today, DAMAGED)
    assert ledger[b"quiet"] == ("", "")
    third = new_job(*ends, hashes=False, ledger=second.new_ledger.rename(tmp_path / "next"))
    look(third)
    found = [one[:3] for one in Plan(third.folder).differences(What.ALTERED)]
    assert found == [(b"rubbish", What.ALTERED, Why.BYTES)]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (((200, b"abc"), (200, b"abc")), None),
        (((200, b"abc"), (200, b"xyz")), (What.CHANGED, Stand.TO_DO)),
        (((404, error("NoSuchKey")), (200, b"abc")), (What.CHANGED, Stand.SINCE)),
        (((403, error("InvalidObjectState")), (200, b"abc")), (What.CHANGED, Stand.TO_DO)),
        (((200, b"abc"), (404, error("NoSuchKey"))), (What.CHANGED, Stand.TO_DO)),
        (((503, error("SlowDown")), (200, b"abc")), "source"),
        (((200, b"abc"), (503, error("SlowDown"))), "copy"),
    ],
)
def test_what_cannot_be_read_is_not_right_and_a_service_that_is_away_ends_the_look(
    answers: tuple[tuple[int, bytes], ...],
    expected: tuple[What, Stand] | str | None,
    new_job: NewJob,
    tmp_path: Path,
) -> None:
    def at_one_end(answer_of_object: tuple[int, bytes]) -> Callable[[str, int], tuple[int, bytes]]:
        page = answer(row("k", etag="&quot;" + "0" * 32 + "-2&quot;"))
        return lambda path, _: (200, page) if "list-type" in path else answer_of_object

    first = tmp_path / "look-0"
    first.mkdir()
    entry = Entry(b"k", 3, "0" * 32 + "-2", "2026-11-22T03:41:00.000Z")
    with PlanWriter(first) as plan:
        plan.add(Difference(b"k", What.NEW, Why.ABSENT, entry, None))
        plan.finish(Totals())

    with service(at_one_end(answers[0])) as one, service(at_one_end(answers[1])) as other:
        errored = keys_in(tmp_path / "errored", "k")
        ends = End(at(one)), End(at(other))
        job = new_job(*ends, tried=first, errored=errored, ledger=None, patience_s=0.5)
        if isinstance(expected, str):
            with pytest.raises(LookFailedError) as told:
                look(job)
            assert told.value.end == expected
            return
        look(job)

    found = [one[1::5] for stand in Stand for one in Plan(job.folder).differences(stand=stand)]
    assert found == ([expected] if expected else [])


def test_a_first_plan_that_is_not_whole_fails_the_second_look(
    new_job: NewJob, tmp_path: Path
) -> None:
    with (
        service(lambda *_: (200, answer(row("a")))) as endpoint,
        pytest.raises(LookFailedError) as told,
    ):
        look(new_job(End(at(endpoint)), End(at(endpoint)), tried=tmp_path / "nothing"))

    assert told.value.end == ""


def test_the_marker_of_the_folder_that_is_looked_at_is_not_in_it(
    moto: MotoServer, new_bucket: NewBucket, new_job: NewJob
) -> None:
    source = new_bucket(moto, {"p/": b"", "p/a": b"1", "p/b/": b""})
    copy = new_bucket(moto, {"a": b"1"})
    job = new_job(End(of(moto, source.name), "p/"), End(of(moto, copy.name)), below_path=True)

    look(job)

    assert Plan(job.folder).totals().source_objects == 2
    found = [one.key for one in Plan(job.folder).differences(stand=Stand.CANNOT)]
    assert found == [b"b/"] and planned(job) == {}
