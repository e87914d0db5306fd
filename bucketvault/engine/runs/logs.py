"""Reading a run's log; one from before kinds were kept gets them when it is first opened."""

from collections.abc import Callable
from typing import TypeVar

from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.store import run_logs
from bucketvault.store.database import writing
from bucketvault.store.log_index import KindsMissingError
from bucketvault.store.run_logs import LogRow as LogRow
from bucketvault.vocabulary import Kinds

Value = TypeVar("Value")


def counts(run_id: int) -> tuple[int, ...]:
    """How many lines of each kind there are, by LineKind."""
    return _with_kinds(run_id, lambda: run_logs.counts(run_id))


def rows(run_id: int, start: int, count: int, wanted: Kinds) -> list[run_logs.LogRow]:
    """Up to `count` rows of the wanted kinds from row `start` on."""
    return _with_kinds(run_id, lambda: run_logs.rows(run_id, start, count, wanted))


def find(
    run_id: int, sought: run_logs.Sought, start: int, backwards: bool, wanted: Kinds
) -> int | None:
    """The next row of the wanted kinds (or the one before) that holds what is sought."""
    return _with_kinds(
        run_id, lambda: run_logs.find(run_id, sought, start, backwards=backwards, wanted=wanted)
    )


def _with_kinds(run_id: int, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except KindsMissingError:
        kinds = Transcript().feed(line for line, _ in run_logs.lines_and_kinds(run_id))
        with writing():
            run_logs.set_kinds(run_id, kinds)
        return read()
