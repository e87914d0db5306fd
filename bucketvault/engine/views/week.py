"""The last seven days of every backup, in the plain values of the weekly report."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.reading import Coverage, Verified, coverage_of
from bucketvault.engine.mail.week import BackupWeek, Mark, Need, Runs, Week
from bucketvault.engine.views import backups, money
from bucketvault.engine.views.backups import BackupRow, one_moment
from bucketvault.engine.views.queries import newest
from bucketvault.engine.views.situation import (
    InstallationIssue,
    Tone,
    situation_of,
    tone_of,
    tone_of_status,
    word_of,
)
from bucketvault.humanize import sentences
from bucketvault.store.models import HAS_ENDED, Backup, BackupRun
from bucketvault.vocabulary import RunKind

DAYS = 7
LONGEST_RUN = dt.timedelta(days=30)  # one that ends in the week began after that

_MARKS = {
    **dict.fromkeys((Tone.OK, Tone.LOOK), Mark.GOOD),
    **dict.fromkeys((Tone.BAD, Tone.DAMAGED), Mark.BAD),
    **dict.fromkeys((Tone.WARN, Tone.HELD, Tone.MISS, Tone.OLD), Mark.LOOK),
    **dict.fromkeys((Tone.RUN, Tone.WAIT, Tone.STOP, Tone.OFF, Tone.NONE), Mark.QUIET),
}
_COUNTED = ("bytes", "copied", "replaced", "deleted")
_NAMES = {
    **dict.fromkeys((Tone.OK, Tone.WARN), "succeeded"),
    Tone.BAD: "failed",
    Tone.HELD: "held",
    Tone.STOP: "stopped",
}


def week(now: dt.datetime, zone: ZoneInfo, issues: tuple[InstallationIssue, ...]) -> Week:
    """Return the seven days until `now`; `zone`: for times in sentences."""
    since = now - dt.timedelta(days=DAYS)
    with one_moment():
        rows = backups.backups()
        answer = situation_of(rows, issues)
        runs, sizes, covered = _runs(since, now), _sizes_before(since), _coverages(now)
        told = tuple(
            _backup(row, runs.get(row.id, Runs()), sizes.get(row.id), covered.get(row.id))
            for row in rows
        )
    needs = (
        *(
            Need(each.name, sentences(each.why_words(zone, now), each.copy_words(zone, now)))
            for each in answer.backup_issues
        ),
        *(Need(each.title, each.why) for each in issues if not each.is_hint),
    )
    return Week(
        since=since,
        until=now,
        mark=_MARKS[answer.tone],
        short=answer.short,
        sentence=sentences(answer.sentence, answer.detail),
        needs=needs,
        backups=told,
    )


def _backup(
    row: BackupRow, runs: Runs, size_before: int | None, covered: Coverage | None
) -> BackupWeek:
    tone = tone_of(row)
    spent = money.spent(row.id, DAYS)
    return BackupWeek(
        name=row.name,
        state=word_of(tone, row.last_run),
        mark=_MARKS[tone],
        proof=row.proof,
        runs=runs,
        size=row.size_bytes,
        size_before=None if row.moved else size_before,  # that may be of another source
        coverage=None if row.moved else covered,
        cost=None if spent is None else spent.bill.cost,
    )


def _runs(since: dt.datetime, until: dt.datetime) -> dict[int, Runs]:
    """Return by backup what the runs did that ended in this time."""
    lately = (
        HAS_ENDED
        & BackupRun.finished_at.between(since, until)
        & (BackupRun.created_at >= since - LONGEST_RUN)
    )
    sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
    columns = [getattr(BackupRun, name) for name in _COUNTED]
    copies: Any = BackupRun.select(  # Any: peewee's queries have no types
        BackupRun.backup, BackupRun.status, BackupRun.reason, *columns
    ).where(lately, BackupRun.kind == RunKind.COPY)
    for backup_id, status, reason, *counts in copies.tuples():
        mine = sums[backup_id]
        mine[_NAMES[tone_of_status(status, reason, warned=False)]] += 1
        for name, number in zip(_COUNTED, counts, strict=True):
            mine[name] += number
    read: Any = BackupRun.select(BackupRun.backup, BackupRun.findings).where(
        lately, BackupRun.kind == RunKind.VERIFY
    )
    for backup_id, findings in read.tuples():
        found = Verified.from_json(findings)
        if found is not None:
            sums[backup_id].update(verified=1, verified_bytes=found.bytes)
    return {backup_id: Runs(**mine) for backup_id, mine in sums.items()}


def _sizes_before(since: dt.datetime) -> Mapping[int, int | None]:
    """Return the size of each backup's source as it was measured last before this time."""
    measured = BackupRun.source_bytes.is_null(False) & (BackupRun.finished_at <= since)
    query: Any = Backup.select(Backup.id, newest(BackupRun.source_bytes, measured))  # Any: as above
    return dict(query.tuples())


def _coverages(now: dt.datetime) -> dict[int, Coverage | None]:
    query: Any = Backup.select(Backup.id, Backup.reading)  # Any: as above
    return {number: coverage_of(reading, now.date()) for number, reading in query.tuples()}
