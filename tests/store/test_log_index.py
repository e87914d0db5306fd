"""Filters: the same rows as a naive walk over all lines, whatever the log, while it grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.store import log_index, run_logs
from bucketvault.store.database import writing
from bucketvault.store.models import BackupRun
from bucketvault.store.run_logs import CHUNK_BYTES, LogWriter
from bucketvault.vocabulary import ALL_LINES, SHOWN_LINES, Kinds, LineKind
from tests.store.test_run_logs import PROGRESS, RawText, fixture_is_fine, flush, run  # noqa: F401

Line = tuple[bytes, LineKind]
lines_of_kinds = st.tuples(
    st.sampled_from([b"one", b"needle", b"x" * (CHUNK_BYTES // 3), PROGRESS]),
    st.sampled_from(list(LineKind)),
).map(lambda line: (line[0], LineKind.PROGRESS) if line[0] == PROGRESS else line)
logs = st.lists(
    lines_of_kinds.filter(lambda line: line[0] != PROGRESS or line[1] == 10), max_size=60
)
choices = st.one_of(
    st.frozensets(st.sampled_from(list(LineKind))), st.just(ALL_LINES), st.just(SHOWN_LINES)
)


def naive(lines: list[Line], wanted: Kinds) -> list[tuple[int, bytes, LineKind, int, int]]:
    """Every wanted row: its number, what it is, and its numbers among all and among shown lines."""
    found, shown = [], 0
    for number, (line, kind) in enumerate(lines):
        if kind in wanted:
            found.append((len(found), line, kind, number, shown))
        shown += kind is not LineKind.PROGRESS
    return found


def as_stored(lines: list[Line]) -> list[Line]:
    """A line is progress when it looks so, and only then."""
    return [
        (line, LineKind.INFO if kind is LineKind.PROGRESS and line != PROGRESS else kind)
        for line, kind in lines
    ]


def write(run_id: int, lines: list[Line], writer: LogWriter | None = None) -> LogWriter:
    if writer is None:
        with writing():
            run_logs.clear(run_id)
        writer = LogWriter(run_id)
    for line, kind in lines:
        writer.add(line + b"\n", kind)
    flush(writer)
    return writer


@pytest.mark.slow  # takes seconds
@given(lines=logs, wanted=choices, start=st.integers(-3, 70), count=st.integers(-1, 70))
@fixture_is_fine
def test_rows_of_a_filter_are_those_of_a_naive_walk(
    run: BackupRun,  # noqa: F811
    lines: list[Line],
    wanted: Kinds,
    start: int,
    count: int,
) -> None:
    write(run.id, lines)
    expected = naive(as_stored(lines), wanted)

    rows = run_logs.rows(run.id, start, count, wanted)

    first = max(start, 0)
    assert [
        (row.number, row.line, row.kind, row.line_number, row.shown_number) for row in rows
    ] == expected[first : first + max(count, 0)]


@pytest.mark.slow  # takes seconds
@given(lines=logs, wanted=choices, start=st.integers(0, 70), backwards=st.booleans())
@fixture_is_fine
def test_a_search_within_a_filter_finds_what_a_naive_walk_finds(
    run: BackupRun,  # noqa: F811
    lines: list[Line],
    wanted: Kinds,
    start: int,
    backwards: bool,
) -> None:
    write(run.id, lines)
    hits = [row[0] for row in naive(as_stored(lines), wanted) if b"needle" in row[1]]
    before, after = [n for n in hits if n < start], [n for n in hits if n >= start]

    found = run_logs.find(run.id, RawText("NEEDLE"), start, backwards=backwards, wanted=wanted)

    assert found == ((before[-1:] or [None])[0] if backwards else (after or [None])[0])


@pytest.mark.slow  # takes seconds
@given(parts=st.lists(logs, max_size=6), wanted=choices)
@fixture_is_fine
def test_a_filter_goes_on_while_the_log_grows(
    run: BackupRun,  # noqa: F811
    parts: list[list[Line]],
    wanted: Kinds,
) -> None:
    writer = write(run.id, [])
    so_far: list[Line] = []

    for part in parts:
        write(run.id, part, writer)
        so_far += as_stored(part)

        counts = run_logs.counts(run.id)
        expected = naive(so_far, wanted)
        assert counts == tuple(sum(kind == told for _, told in so_far) for kind in LineKind)
        assert sum(counts[kind] for kind in wanted) == len(expected)
        assert [row.line_number for row in run_logs.rows(run.id, 0, 999, wanted)] == [
            row[3] for row in expected
        ]


def test_a_log_that_is_read_anew_is_counted_anew(run: BackupRun) -> None:  # noqa: F811
    write(run.id, [(b"one", LineKind.ERROR)] * 5)
    assert run_logs.counts(run.id)[LineKind.ERROR] == 5

    write(run.id, [(b"one", LineKind.NEW)] * 7)

    assert run_logs.counts(run.id)[LineKind.ERROR] == 0
    assert len(run_logs.rows(run.id, 0, 99, frozenset({LineKind.NEW}))) == 7


def test_chunks_without_a_wanted_line_are_not_read(
    run: BackupRun,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [(b"x" * 1000, LineKind.NEW)] * 1000
    lines[700] = (b"bad", LineKind.ERROR)
    write(run.id, lines)
    run_logs.counts(run.id)
    read: list[int] = []
    numbered = run_logs._numbered
    monkeypatch.setattr(
        run_logs, "_numbered", lambda each, *rest: read.append(each.seq) or numbered(each, *rest)
    )

    (row,) = run_logs.rows(run.id, 0, 10, frozenset({LineKind.ERROR}))

    assert (row.line, row.line_number, len(read)) == (b"bad", 700, 1)


def test_only_the_logs_looked_at_last_are_remembered(run: BackupRun) -> None:  # noqa: F811
    for run_id in range(run.id, run.id + 3 * log_index.MOST_INDEXES):
        run_logs.counts(run_id)

    assert len(log_index._indexes) == log_index.MOST_INDEXES
