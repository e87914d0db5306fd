"""Bytes of both ends are read and compared, the longest unread first; what differs is judged."""

import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing import ledger
from bucketvault.engine.listing.ledger import Ledger, Reading, Record, writing
from bucketvault.engine.listing.look import End, Job, look
from bucketvault.engine.listing.process import StoppedError
from bucketvault.engine.listing.reader import Digest, part_sizes
from bucketvault.engine.listing.reading import Choice, judge
from bucketvault.engine.listing.verify import Counts, ReadFailedError, ReadJob, read
from bucketvault.vocabulary import ComparisonMode
from tests.conftest import NewBucket
from tests.engine.listing.test_bucket import at, of
from tests.support.program import until
from tests.support.proxies import FrozenServer, RefusingProxy, Rule
from tests.support.servers import MotoServer, free_port

AT = "2026-11-22T03:41:00Z"
TODAY = "2026-11-30"


# ---- what is chosen


def record(key: str, size: int, read_on: str = "", mark: str = "") -> Record:
    return Record(key.encode(), size, "e", AT, "e", AT, read_on, mark)


def chosen(
    records: list[Record], budget: int | None, today: str = TODAY, since: str = ""
) -> list[str]:
    known = Reading()
    for one in records:
        known.add(one)
    choice = Choice(known, budget, today, since)
    found = [one for one in records if choice.takes(one)]
    assert sum(one.size for one in found) <= choice.bytes
    return [one.key.decode() for one in found]


def test_what_has_waited_longest_is_read_first_and_what_was_never_read_before_it() -> None:
    records = [
        record("a", 10, "2026-11-03"),
        record("b", 10),
        record("c", 10, "2026-11-01"),
        record("d", 10, "2026-11-02"),
        record("e", 10),
    ]

    assert chosen(records, 20) == ["b", "e"]
    assert chosen(records, 30) == ["b", "c", "e"]
    assert chosen(records, 45) == ["b", "c", "d", "e"]


def test_a_day_too_many_for_the_budget_is_begun_in_the_order_of_keys() -> None:
    records = [record("a", 10), record("b", 10, "2026-11-01"), record("c", 10), record("d", 10)]

    assert chosen(records, 25) == ["a", "c"]


def test_without_a_budget_everything_is_read_but_what_is_not_at_the_copy() -> None:
    records = [
        record("a", 10, TODAY),
        record("b", 10, "2026-11-01", ledger.UNREADABLE),
        record("c", 0, "", ledger.CANNOT),
        record("d", 10, TODAY, ledger.DAMAGED),
    ]

    assert chosen(records, None) == ["a", "b", "d"]


def test_one_that_was_cut_short_goes_on_with_what_was_not_read_since() -> None:
    records = [
        record("a", 10, "2026-11-29"),
        record("b", 10, "2026-11-20"),
        record("c", 10),
        record("d", 10, "2026-11-30", ledger.UNREADABLE),
    ]

    assert chosen(records, None, since="2026-11-28") == ["b", "c"]


def test_with_a_budget_nothing_is_read_twice_a_day_nor_what_was_refused() -> None:
    records = [record("a", 10, TODAY), record("b", 10, "2026-11-01", ledger.UNREADABLE)]

    assert chosen(records, 100) == []


def test_one_object_larger_than_the_budget_is_read_alone() -> None:
    records = [record("a", 10, "2026-11-02"), record("b", 500, "2026-11-01")]

    assert chosen(records, 100) == ["b"]
    assert chosen([record("a", 10), record("b", 500)], 100) == ["a"]


@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=30),
    budget=st.integers(30, 200),
)
def test_night_after_night_everything_is_read_once_and_within_the_budget(
    sizes: list[int], budget: int
) -> None:
    records = [record(f"{number:03}", size) for number, size in enumerate(sizes)]
    times = Counter[str]()
    for night in range(1, len(sizes) + 1):
        today = f"2027-01-{night:02}"
        if not any(not one.read_on for one in records):
            break
        found = set(chosen(records, budget, today))
        assert sum(one.size for one in records if one.key.decode() in found) <= budget
        first_round = [one for one in records if one.key.decode() in found and not one.read_on]
        assert first_round, "a night without anything new"
        times.update(one.key.decode() for one in first_round)
        records = [
            one._replace(read_on=today) if one.key.decode() in found else one for one in records
        ]

    assert set(times.values()) == {1} and len(times) == len(sizes)


# ---- which end is right


def digest(is_intact: bool | None) -> Digest:
    return Digest(1, "0", "e", AT, is_intact)


@pytest.mark.parametrize(
    ("source", "copy", "mark"),
    [
        (True, False, ledger.DAMAGED),
        (True, None, ledger.DAMAGED),
        (None, False, ledger.DAMAGED),
        (True, True, ledger.DAMAGED),  # the copy of something else
        (False, True, ledger.SOURCE_DAMAGED),
        (False, None, ledger.SOURCE_DAMAGED),
        (False, False, ledger.SOURCE_DAMAGED),  # nothing good to copy from
        (None, None, ledger.DIFFERS),
        (None, True, ledger.DIFFERS),
    ],
)
def test_an_end_is_wrong_whose_bytes_are_not_those_of_its_etag(
    source: bool | None, copy: bool | None, mark: str
) -> None:
    assert judge(digest(source), digest(copy)) == mark


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (3, 12 * MIB, [5 * MIB, 4 * MIB]),
        (2, 12 * MIB, [8 * MIB, 10 * MIB, 6 * MIB]),
        (9_999, 9_999 * 37 * MIB - 5, [37 * MIB]),
        (1, 12 * MIB, [15 * MIB, 16 * MIB, 20 * MIB, 25 * MIB]),
        (40, 12 * MIB, []),
    ],
)
def test_the_parts_of_an_upload_are_guessed_from_their_number(
    count: int, size: int, expected: list[int]
) -> None:
    assert part_sizes(f"{'0' * 32}-{count}", size) == expected


# ---- at real servers

NewRead = Callable[..., ReadJob]


@pytest.fixture
def proxy(moto: MotoServer) -> Iterator[RefusingProxy]:
    with RefusingProxy(moto.endpoint) as proxy:
        yield proxy


@pytest.fixture
def proven(
    moto: MotoServer, proxy: RefusingProxy, new_bucket: NewBucket, tmp_path: Path
) -> Callable[..., ReadJob]:
    """Makes a source and the same copy, with a ledger; returns the job of reading them."""

    def make(contents: dict[str, bytes], **more: Any) -> ReadJob:
        ends = []
        for name in ("source", "copy"):
            bucket = new_bucket(moto, {f"{name}/{key}": body for key, body in contents.items()})
            here = of(moto, bucket.name)
            asked = type(here)(proxy.endpoint, *list(_fields(here))[1:])
            ends.append(End(asked, f"{name}/"))
        plan = tmp_path / "plan"
        plan.mkdir()
        path = tmp_path / "ledger.gz"
        look(Job(*ends, ComparisonMode.CHECKSUM, plan, AT, ledger=None, new_ledger=path))
        given = {"budget": None, "today": TODAY, "patience_s": 5.0, **more}
        return ReadJob(*ends, ledger=path, new_ledger=tmp_path / "new.gz", **given)

    return make


def _fields(bucket: Any) -> Iterator[str]:
    return (getattr(bucket, name) for name in bucket.__slots__)


def done(job: ReadJob) -> tuple[Counts, list[dict[str, Any]]]:
    lines: list[dict[str, Any]] = []
    return read(job, lines.append), lines


def findings(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["finding"]["key"]: line["finding"]["mark"] for line in lines if "finding" in line}


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.slow
def test_what_is_equal_at_both_ends_was_read_today(proven: NewRead) -> None:
    job = proven({"a": b"1", "b/ü": b"22" * 500_000, "empty": b""})

    counts, lines = done(job)

    assert counts == Counts(objects=3, bytes=1_000_001, equal=3)
    assert {one.key: one.read_on for one in Ledger(job.new_ledger)} == dict.fromkeys(
        [b"a", "b/ü".encode(), b"empty"], TODAY
    )
    assert Ledger(job.new_ledger).at == Ledger(job.ledger).at
    assert [line for line in lines if "read" in line][-1] == {
        "read": {"objects": 3, "bytes": 1_000_001, "total": 1_000_001}
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "mark"), [("copy", ledger.DAMAGED), ("source", ledger.SOURCE_DAMAGED)]
)
def test_a_flipped_byte_is_found_and_the_end_named_that_is_wrong(
    proven: NewRead, proxy: RefusingProxy, end: str, mark: str
) -> None:
    job = proven({"a": b"1", "b": b"as it was"})
    proxy.flips = f"{end}/b"

    counts, lines = done(job)
    again, lines_again = done(job.__class__(**_again(job)))

    found = next(line["finding"] for line in lines if "finding" in line)
    assert (found["key"], found["mark"], found["is_new"]) == ("b", mark, True)
    assert found["source" if end == "copy" else "copy"]["sha256"] == sha256(b"as it was")
    assert found[end]["sha256"] == sha256(b"`s it was")
    assert (counts.objects, counts.equal, getattr(counts, mark)) == (2, 1, 1)
    assert [(one.mark, one.read_on) for one in Ledger(job.new_ledger)][1] == (mark, TODAY)
    assert again == counts
    assert [line["finding"]["is_new"] for line in lines_again if "finding" in line] == [False]


def _again(job: ReadJob) -> dict[str, Any]:
    job.new_ledger.replace(job.ledger)
    return {name: getattr(job, name) for name in job.__slots__}


@pytest.mark.slow
def test_a_difference_that_is_none_the_second_time_is_told_and_no_finding(
    proven: NewRead, proxy: RefusingProxy
) -> None:
    job = proven({"b": b"as it was"})
    proxy.flips, proxy.flip_times = "copy/b", 1

    counts, lines = done(job)

    assert counts == Counts(objects=1, bytes=9, equal=1)
    assert {"passing": "b"} in lines and not findings(lines)


@pytest.mark.slow
def test_what_changed_since_the_ledger_was_written_is_no_finding(
    proven: NewRead, moto: MotoServer
) -> None:
    job = proven({"a": b"1", "b": b"2", "c": b"3", "d": b"4"})
    client = moto.client()
    client.put_object(Bucket=job.source.bucket.name, Key="source/a", Body=b"X")
    client.put_object(Bucket=job.copy.bucket.name, Key="copy/b", Body=b"X")
    client.delete_object(Bucket=job.copy.bucket.name, Key="copy/c")

    counts, lines = done(job)

    assert counts == Counts(objects=1, bytes=1, equal=1, changed=3)
    assert not findings(lines)
    assert [one.read_on for one in Ledger(job.new_ledger)] == ["", "", "", TODAY]


@pytest.mark.slow
def test_an_object_in_parts_is_judged_by_the_etag_of_its_parts(
    moto: MotoServer, proxy: RefusingProxy, new_bucket: NewBucket, tmp_path: Path
) -> None:
    body = bytes(range(256)) * (6 * 1024 * 4 + 4)  # over one part of 5 MiB
    buckets = [new_bucket(moto), new_bucket(moto)]
    for bucket in buckets:
        _put_in_parts(moto.client(), bucket.name, "big", body)
    ends = [End(type(of(moto, each.name))(proxy.endpoint, *list(_fields(of(moto, each.name)))[1:]))
            for each in buckets]  # fmt: skip
    path = tmp_path / "ledger.gz"
    look(Job(*ends, ComparisonMode.CHECKSUM, tmp_path, AT, ledger=None, new_ledger=path))
    proxy.flips = f"{buckets[1].name}/big"

    job = ReadJob(*ends, path, tmp_path / "new.gz", budget=None, today=TODAY)
    _, lines = done(job)

    assert findings(lines) == {"big": ledger.DAMAGED}


def _put_in_parts(client: Any, bucket: str, key: str, body: bytes) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts = []
    for number, begin in enumerate(range(0, len(body), 5 * MIB), start=1):
        part = body[begin : begin + 5 * MIB]
        put = client.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part
        )
        parts.append({"PartNumber": number, "ETag": put["ETag"]})
    client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )


@pytest.mark.slow
def test_an_object_that_is_refused_is_named_and_the_others_are_read(
    proven: NewRead, proxy: RefusingProxy
) -> None:
    job = proven({"a": b"1", "b": b"2", "c": b"3"})
    proxy.rules.append(Rule("GET", "source/b", 403, "InvalidObjectState"))

    counts, lines = done(job)

    assert counts == Counts(objects=2, bytes=2, equal=2, refused=1)
    said = {"key": "b", "end": "source", "said": "refused by a test"}
    assert {"refused": said} in lines
    assert [one.mark for one in Ledger(job.new_ledger)] == ["", ledger.UNREADABLE, ""]


@pytest.mark.slow
@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "NoSuchBucket"])
def test_an_end_that_refuses_everything_is_a_failure_of_that_end(
    proven: NewRead, proxy: RefusingProxy, code: str
) -> None:
    job = proven({f"{number:03}": b"1" for number in range(40)})
    status = 404 if code == "NoSuchBucket" else 403
    proxy.rules.append(Rule("GET", "copy/", status, code))

    with pytest.raises(ReadFailedError) as told:
        done(job)

    assert (told.value.end, told.value.status, told.value.code) == ("copy", status, code)
    assert told.value.counts.objects == 0


@pytest.mark.slow
def test_what_was_read_before_an_end_went_away_counts(
    proven: NewRead, proxy: RefusingProxy
) -> None:
    job = proven({f"{number:03}": b"1" for number in range(40)}, patience_s=0.2)
    proxy.rules.append(Rule("GET", "copy/", 503, "SlowDown", skip=20))

    with pytest.raises(ReadFailedError) as told:
        done(job)

    assert (told.value.end, told.value.status) == ("copy", 503)
    days = Counter(one.read_on for one in Ledger(job.new_ledger))
    assert days[TODAY] == told.value.counts.objects > 0 and days[""] > 0


@pytest.mark.slow
def test_stop_ends_it_and_what_was_read_until_then_counts(
    proven: NewRead, proxy: RefusingProxy
) -> None:
    job = proven({f"{number:03}": b"1" for number in range(30)}, patience_s=60.0)
    proxy.rules.append(Rule("GET", "source/", 503, "SlowDown", skip=10))
    stop = threading.Event()

    def on_line(line: dict[str, Any]) -> None:
        if line.get("read", {}).get("objects"):
            stop.set()

    counts = read(job, on_line, cancelled=stop)

    days = Counter(one.read_on for one in Ledger(job.new_ledger))
    assert days[TODAY] == counts.objects > 0 and days[""] > 0


@pytest.mark.slow
def test_stop_at_any_time_leaves_no_process_and_no_key_is_seen_from_outside(
    proven: NewRead, tmp_path: Path
) -> None:
    job = proven({"a": b"1"}, patience_s=60.0)
    nobody = f"http://127.0.0.1:{free_port()}"
    away = ReadJob(End(at(nobody)), End(at(nobody)), job.ledger, job.new_ledger, None, TODAY)
    stop = threading.Event()
    failed: list[Exception] = []

    def run() -> None:
        try:
            read(away, lambda line: None, cancelled=stop)
        except StoppedError:  # it had not begun
            pass
        except Exception as error:  # of a thread
            failed.append(error)

    running = threading.Thread(target=run)
    running.start()
    child = until("the process reads", _reading_process)
    outside = json.dumps([child.cmdline(), child.environ()])
    stop.set()
    running.join(10)

    assert not running.is_alive() and not failed
    assert not child.is_running()
    assert "example-secret" not in outside


def _reading_process() -> psutil.Process | None:
    for child in psutil.Process().children(recursive=True):
        if "bucketvault.engine.listing.reading" in child.cmdline():
            return child
    return None


@pytest.mark.slow
def test_a_ledger_that_is_damaged_or_missing_is_said(proven: NewRead) -> None:
    job = proven({"a": b"1"})
    job.ledger.write_bytes(b"damaged")

    with pytest.raises(ReadFailedError) as told:
        done(job)
    job.ledger.unlink()
    with pytest.raises(ReadFailedError) as missing:
        done(job)

    assert [told.value.end, missing.value.end] == ["ledger", "ledger"]


@pytest.mark.slow
def test_a_large_ledger_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    peaks = [_peak(tmp_path, count) for count in (20_000, 200_000)]

    assert peaks[1] < peaks[0] * 1.2


def _peak(folder: Path, count: int) -> int:
    """Memory of a reading whose first object never comes, so that all it may wait for waits."""
    path = folder / f"{count}.gz"
    with writing(path, AT) as new:
        for number in range(count):
            new.add(record(f"photos/2026/IMG_{number:09}.jpg", 1000, "2026-11-01"))
    stop, peak = threading.Event(), 0
    with FrozenServer() as nobody:
        ends = End(at(nobody.endpoint)), End(at(nobody.endpoint))
        job = ReadJob(*ends, path, folder / "new.gz", budget=1, today=TODAY)
        given = {"on_line": lambda _: stop.set(), "cancelled": stop}  # told once it waits
        running = threading.Thread(target=read, args=(job,), kwargs=given)
        running.start()
        child = until("the process reads", _reading_process)
        while running.is_alive():
            with contextlib.suppress(psutil.Error):
                peak = max(peak, child.memory_info().rss)
            running.join(0.02)
    assert Ledger(job.new_ledger).count == count
    return peak
