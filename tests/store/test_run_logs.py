"""Run logs: the same bytes come out, and any row, search and size equals the naive answer."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bucketvault.store import run_logs
from bucketvault.store.database import connection, writing
from bucketvault.store.models import BackupRun, RunLogChunk
from bucketvault.store.run_logs import CHUNK_BYTES, LogSize, LogWriter, is_progress
from bucketvault.vocabulary import ALL_LINES, SHOWN_LINES, LineKind
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

PROGRESS = b'{"time":"2026-11-22T02:30:00Z","level":"info","msg":"","stats":{"bytes":5}}'
OBJECT = json.dumps({"time": "x", "level": "info", "msg": "Copied", "object": 'a"stats":{"b'})

# Lines as rclone writes them, and anything else that may come out of a process.
one_line = st.one_of(
    st.just(PROGRESS),
    st.just(OBJECT.encode()),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"", b"\x00", b"ERROR: needle", b"NeeDLE", b"\xff\xfeneedle"]),
    st.integers(1, 3).map(lambda n: b"x" * (CHUNK_BYTES // n)),
)
logs = st.lists(one_line, max_size=60)
fixture_is_fine = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


class RawText:
    """Text as rclone wrote it; upper and lower case are the same."""

    def __init__(self, text: str) -> None:
        self._sought = text.encode().lower()

    def may_hold(self, data: bytes, kinds: bytes) -> bool:
        """True if the text is anywhere in `data`."""
        return bool(self._sought) and self._sought in data.lower()

    def holds(self, line: bytes, kind: LineKind) -> bool:
        """True if the text is in the line."""
        return self._sought in line.lower()


@pytest.fixture
def run(open_store: object) -> BackupRun:
    provider = a_provider()
    backup = a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))
    return a_run(backup)


def write(run_id: int, lines: list[bytes], *, ended: bool = True, flush_every: int = 7) -> bytes:
    """Store these lines again, the last one without its newline unless it `ended`; the raw log."""
    with writing():
        run_logs.clear(run_id)
    writer = LogWriter(run_id)
    raw = b""
    for number, line in enumerate(lines, 1):
        whole = line if number == len(lines) and line and not ended else line + b"\n"
        raw += whole
        writer.add(whole)
        if number % flush_every == 0:
            flush(writer)
    flush(writer)
    return raw


def flush(writer: LogWriter) -> bool:
    with writing():
        changed = writer.flush()
    writer.stored()
    return changed


def chunks(run_id: int) -> list[RunLogChunk]:
    with connection():
        return list(
            RunLogChunk.select().where(RunLogChunk.run_id == run_id).order_by(RunLogChunk.seq)
        )


def which(progress: bool) -> frozenset[LineKind]:
    return ALL_LINES if progress else SHOWN_LINES


def shown(lines: list[bytes], *, progress: bool) -> list[bytes]:
    return [line for line in lines if progress or not is_progress(line)]


def naive_find(lines: list[bytes], needle: str, start: int, *, backwards: bool) -> int | None:
    hits = [n for n, line in enumerate(lines) if needle.encode().lower() in line.lower()]
    if backwards:
        return next((n for n in reversed(hits) if n < start), None)
    return next((n for n in hits if n >= start), None)


# ---- the same as the naive answer, for any log


@pytest.mark.slow  # takes seconds
@given(lines=logs, ended=st.booleans(), flush_every=st.integers(1, 20))
@fixture_is_fine
def test_any_bytes_that_go_in_come_out(
    run: BackupRun, lines: list[bytes], ended: bool, flush_every: int
) -> None:
    raw = write(run.id, lines, ended=ended, flush_every=flush_every)

    assert b"".join(run_logs.raw(run.id)) == raw
    assert [line for line, _ in run_logs.lines_and_kinds(run.id)] == lines


@given(lines=logs, progress=st.booleans(), start=st.integers(-3, 70), count=st.integers(-1, 70))
@fixture_is_fine
def test_rows_are_those_of_a_plain_split(
    run: BackupRun, lines: list[bytes], progress: bool, start: int, count: int
) -> None:
    write(run.id, lines)
    expected = list(enumerate(shown(lines, progress=progress)))

    rows = run_logs.rows(run.id, start, count, wanted=which(progress))

    first = max(start, 0)
    assert [(row.number, row.line) for row in rows] == expected[first : first + max(count, 0)]


@given(
    lines=logs,
    needle=st.sampled_from(["needle", "NEEDLE", "e", "x", "stats", "\x00", "absent", ""]),
    start=st.integers(-3, 70),
    backwards=st.booleans(),
    progress=st.booleans(),
)
@fixture_is_fine
def test_find_gives_what_a_plain_search_gives(
    run: BackupRun, lines: list[bytes], needle: str, start: int, backwards: bool, progress: bool
) -> None:
    write(run.id, lines)
    seen = shown(lines, progress=progress)

    found = run_logs.find(
        run.id, RawText(needle), start, backwards=backwards, wanted=which(progress)
    )

    expected = naive_find(seen, needle, start, backwards=backwards) if needle else None
    assert found == expected


@pytest.mark.slow  # takes seconds
@given(lines=logs)
@fixture_is_fine
def test_the_size_counts_lines_rows_and_bytes(run: BackupRun, lines: list[bytes]) -> None:
    raw = write(run.id, lines)

    size = run_logs.size(run.id)

    assert size == LogSize(len(lines), len(shown(lines, progress=False)), len(raw) if raw else 0)


# ---- where chunks meet


@pytest.fixture
def long_log(run: BackupRun) -> Iterator[list[bytes]]:
    """Some chunks; among them one of progress lines only, which holds no shown row."""
    lines = [b"line %06d %s" % (n, b"." * (n * 37 % 61)) for n in range(3000)]
    lines[1000:1000] = [PROGRESS] * (3 * CHUNK_BYTES // len(PROGRESS))
    write(run.id, lines, flush_every=500)
    yield lines


def test_chunks_are_cut_on_line_ends_near_their_size(run: BackupRun, long_log: list[bytes]) -> None:
    rows = chunks(run.id)

    assert len(rows) > 4
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert all(CHUNK_BYTES <= row.raw_bytes < CHUNK_BYTES + 200 for row in rows[:-1])
    assert [row.first_line for row in rows[1:]] == [
        row.first_line + row.line_count for row in rows[:-1]
    ]
    assert [row.first_shown for row in rows[1:]] == [
        row.first_shown + row.shown_count for row in rows[:-1]
    ]
    assert any(row.shown_count == 0 for row in rows)


@pytest.mark.parametrize("progress", [False, True])
def test_rows_go_on_across_every_border(
    run: BackupRun, long_log: list[bytes], progress: bool
) -> None:
    expected = list(enumerate(shown(long_log, progress=progress)))

    for chunk in chunks(run.id):
        border = chunk.first_line if progress else chunk.first_shown
        for start in range(max(border - 2, 0), border + 2):
            rows = run_logs.rows(run.id, start, 4, wanted=which(progress))
            assert [(row.number, row.line) for row in rows] == expected[start : start + 4]


@pytest.mark.slow  # takes seconds
@pytest.mark.parametrize("progress", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_find_goes_on_across_every_border(
    run: BackupRun, long_log: list[bytes], progress: bool, backwards: bool
) -> None:
    seen = shown(long_log, progress=progress)

    for chunk in chunks(run.id):
        border = chunk.first_line if progress else chunk.first_shown
        for start in (border - 1, border, border + 1):
            for needle in ("line 000000", "line 002999", "line 0010", "LINE"):
                found = run_logs.find(
                    run.id, RawText(needle), start, backwards=backwards, wanted=which(progress)
                )
                assert found == naive_find(seen, needle, start, backwards=backwards)


@pytest.mark.parametrize("most", [1000, 7])
@pytest.mark.parametrize("within_s", [60.0, 0.0])
def test_matches_come_a_part_at_a_time_and_are_all_found(
    run: BackupRun, long_log: list[bytes], most: int, within_s: float
) -> None:
    looks, found, start, done = 0, [], 990, False

    while not done:
        part = run_logs.matches(
            run.id, RawText("LINE 0010"), start, SHOWN_LINES, most=most, within_s=within_s
        )
        assert len(part.rows) <= most and (part.done or part.next > start)
        looks, start, done = looks + 1, part.next, part.done
        found += part.rows

    assert found == [*range(1000, 1100)]
    assert start == 3000
    assert looks > 1 or (most, within_s) == (1000, 60.0)


@pytest.mark.parametrize("progress", [False, True])
def test_rows_are_read_by_their_numbers(
    run: BackupRun, long_log: list[bytes], opened: list[int], progress: bool
) -> None:
    seen = shown(long_log, progress=progress)
    numbers = [2999, 0, 1, 1000, 999, 2999, len(seen) - 1, len(seen), 9**9]

    rows = run_logs.rows_at(run.id, numbers, which(progress))

    there = [number for number in sorted(set(numbers)) if number < len(seen)]
    assert [(row.number, row.line) for row in rows] == [(number, seen[number]) for number in there]
    assert len(opened) <= 2 * (len(there) + 1)  # lines and their kinds


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of every chunk that is unpacked."""
    found: list[int] = []
    unpack = run_logs.zlib.decompress

    def noted(data: bytes) -> bytes:
        found.append(len(data))
        return unpack(data)

    monkeypatch.setattr(run_logs.zlib, "decompress", noted)
    return found


def test_a_page_is_read_without_the_hours_of_progress_behind_it(
    run: BackupRun, long_log: list[bytes], opened: list[int]
) -> None:
    rows = run_logs.rows(run.id, 990, 10)

    assert rows[-1].number == 999  # the last before the progress lines
    assert len(opened) == 2  # its lines, and what they tell


def test_a_page_that_begins_with_a_chunk_reads_only_that_one(
    run: BackupRun, long_log: list[bytes], opened: list[int]
) -> None:
    border = chunks(run.id)[1].first_line

    run_logs.rows(run.id, border, 10, ALL_LINES)

    assert len(opened) == 2  # its lines, and what they tell


def test_a_line_longer_than_a_chunk_is_a_chunk(run: BackupRun) -> None:
    lines = [b"before", b"x" * (3 * CHUNK_BYTES), b"after"]

    write(run.id, lines)

    assert [row.line for row in run_logs.rows(run.id, 0, 9)] == lines


# ---- while it grows


def test_a_log_is_read_while_it_grows(run: BackupRun) -> None:
    writer = LogWriter(run.id)
    for number in range(5):
        writer.add(b"line %d\n" % number)
        flush(writer)

        rows = run_logs.rows(run.id, 0, 100)

        assert [row.line for row in rows] == [b"line %d" % n for n in range(number + 1)]
        with connection():
            stored = BackupRun.get_by_id(run.id)
        assert (stored.log_lines, stored.log_bytes) == (number + 1, 7 * (number + 1))
    assert len(chunks(run.id)) == 1


def test_nothing_new_is_not_written(run: BackupRun) -> None:
    writer = LogWriter(run.id)

    assert not flush(writer)
    writer.add(b"line\n")
    assert flush(writer)
    assert not flush(writer)


def test_what_a_failed_commit_lost_is_written_by_the_next(run: BackupRun) -> None:
    writer = LogWriter(run.id)
    lines = [b"%06d" % number + b"x" * 1000 for number in range(200)]
    for line in lines:
        writer.add(line + b"\n")

    with pytest.raises(OSError, match="disk full"), writing():
        writer.flush()
        raise OSError("disk full")
    assert run_logs.size(run.id) == LogSize(0, 0, 0)
    flush(writer)

    assert [line for line, _ in run_logs.lines_and_kinds(run.id)] == lines


def test_a_cleared_log_is_empty_and_only_that_one(run: BackupRun) -> None:
    other = a_run(run.backup)
    write(run.id, [b"one"])
    write(other.id, [b"two"])

    with writing():
        run_logs.clear(run.id)

    assert [line for line, _ in run_logs.lines_and_kinds(run.id)] == []
    assert run_logs.rows(run.id, 0, 10) == []
    assert run_logs.find(run.id, RawText("one"), 0) is None
    assert [line for line, _ in run_logs.lines_and_kinds(other.id)] == [b"two"]


# ---- progress lines


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        (PROGRESS, True),
        (PROGRESS + b"\n", True),
        (OBJECT.encode(), False),
        (b'{"level":"info","stats":{}}', False),
        (b'"stats":{', False),
        (b"", False),
    ],
)
def test_only_rclones_own_stats_lines_are_progress(line: bytes, progress: bool) -> None:
    assert is_progress(line) is progress
