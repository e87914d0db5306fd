"""The runs a backup has had: page by page, by result, and as numbers for plots."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import peewee as pw

from bucketvault.engine.views.backups import RunView, one_moment, run_view
from bucketvault.engine.views.situation import Tone
from bucketvault.store.models import HAS_ENDED, IS_COPY, Backup, BackupRun
from bucketvault.vocabulary import Reason, RunKind, RunStatus

ON_A_PAGE = 25
MEASURED = 90


@dataclass(frozen=True, slots=True)
class RunsPage:
    """Some runs of one backup, newest first."""

    runs: tuple[RunView, ...]
    older: bool  # whether there are more behind them
    total: int  # of the runs looked for
    since: dt.datetime | None  # UTC; when the first of all runs was asked for


@dataclass(frozen=True, slots=True)
class Measure:
    """One run that ended, in numbers. Previews and runs that never copied have none."""

    run_id: int
    started_at: dt.datetime
    took_s: float
    moved_bytes: int
    source_bytes: int | None
    succeeded: bool


def runs_page(backup_id: int, tone: Tone | None = None, before: int | None = None) -> RunsPage:
    """The newest runs of a backup that are older than the run `before`: a page of them.

    By id and not by number of page: what is new meanwhile moves nobody's page.
    """
    with one_moment():
        backup = Backup.get_or_none(Backup.id == backup_id)
        if backup is None:
            return RunsPage((), older=False, total=0, since=None)
        mine = BackupRun.select().where(BackupRun.backup == backup_id).order_by(BackupRun.id.desc())
        wanted = mine if tone is None else mine.where(_CONDITIONS[tone])
        here = wanted if before is None else wanted.where(BackupRun.id < before)
        rows = list(here.limit(ON_A_PAGE + 1))
        last_ended = mine.where(BackupRun.finished_at.is_null(False), IS_COPY).first()
        first = mine.order_by(BackupRun.id).first()
        return RunsPage(
            runs=tuple(run_view(row, backup, newest=row == last_ended) for row in rows[:ON_A_PAGE]),
            older=len(rows) > ON_A_PAGE,
            total=wanted.count(),
            since=None if first is None else first.created_at,
        )


def measures(backup_id: int) -> tuple[Measure, ...]:
    """The last runs that copied or tried to, oldest first."""
    with one_moment():
        found = BackupRun.select().where(
            BackupRun.backup == backup_id,
            HAS_ENDED,
            IS_COPY,
            BackupRun.started_at.is_null(False),
            BackupRun.finished_at.is_null(False),
            BackupRun.source_bytes.is_null(False),
        )
        newest: list[Any] = list(found.order_by(BackupRun.id.desc()).limit(MEASURED))  # Any: rows
        return tuple(
            Measure(
                run_id=run.id,
                started_at=run.started_at,
                took_s=max(0.0, (run.finished_at - run.started_at).total_seconds()),
                moved_bytes=run.bytes,
                source_bytes=run.source_bytes,
                succeeded=run.status == RunStatus.SUCCESS,
            )
            for run in reversed(newest)
        )


_IS_NO_PREVIEW = BackupRun.kind != RunKind.PREVIEW
_SUCCEEDED = (BackupRun.status == RunStatus.SUCCESS) & _IS_NO_PREVIEW


def _ended(reason: Any) -> Any:  # Any: peewee's conditions have no types
    return (BackupRun.status == RunStatus.FAILED) & reason & _IS_NO_PREVIEW


_NO_WARNINGS = pw.SQL("'[]'")  # as stored: a Python list would become a list of values
_OTHER = BackupRun.reason.is_null() | BackupRun.reason.not_in([Reason.BRAKE, Reason.STOPPED])
_CONDITIONS: dict[Tone, Any] = {  # by the tone that `tone_of_run` gives; Any: as above
    Tone.OK: _SUCCEEDED & (BackupRun.warnings == _NO_WARNINGS),
    Tone.WARN: _SUCCEEDED & (BackupRun.warnings != _NO_WARNINGS),
    Tone.BAD: _ended(_OTHER),
    Tone.HELD: _ended(BackupRun.reason == Reason.BRAKE),
    Tone.STOP: _ended(BackupRun.reason == Reason.STOPPED),
    Tone.LOOK: ~_IS_NO_PREVIEW,  # and one that failed
}
