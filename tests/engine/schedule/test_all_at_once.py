"""Very many backups that are due in the same minute: each runs once, two at a time, to its end.

Three hundred with `TESTS_MORE=1`.
"""

import datetime as dt
import os
from itertools import accumulate

import pytest

from bucketvault.store.database import connection
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import RunStatus
from tests.support import setups
from tests.support.at_time import Clock
from tests.support.program import Program, until
from tests.support.servers import RcloneS3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

COUNT = 300 if os.environ.get("TESTS_MORE") else 4
DUE = dt.datetime(2027, 1, 12, 2, 15, tzinfo=dt.UTC)
AT_MOST = 2


def test_all_that_are_due_in_one_minute_run_until_the_last_is_done(
    bucketvault: Program, here: RcloneS3
) -> None:
    source, copy = here.root / "all-at-once", here.root / "all-at-once-copy"
    for number in range(COUNT):
        # every tenth has something to copy
        for end in (source, copy) if number % 10 else (source,):
            (end / f"b{number:03}").mkdir(parents=True)
            (end / f"b{number:03}" / "object.txt").write_text(f"{number}")
    Clock(bucketvault, DUE - dt.timedelta(minutes=1))
    done = bucketvault.apply(set_up(here))
    assert done.code == 0, done
    Clock(bucketvault, DUE - dt.timedelta(seconds=4))

    served = bucketvault.serve()
    until("all are done", lambda: len(ended(bucketvault)) == COUNT, timeout_s=60 + 4 * COUNT)
    served.end()

    runs = ended(bucketvault)
    assert {run.backup_id for run in runs} == set(range(1, COUNT + 1))
    assert {run.scheduled_for for run in runs} == {DUE}
    assert {run.status for run in runs} == {RunStatus.SUCCESS}, {run.explanation for run in runs}
    changes = sorted(
        change for run in runs for change in ((run.started_at, 1), (run.finished_at, -1))
    )
    assert max(accumulate(change for _, change in changes)) <= AT_MOST
    copied = {path.parent.name for path in copy.glob("b*/object.txt")}
    assert copied == {f"b{number:03}" for number in range(COUNT)}


def ended(program: Program) -> list[BackupRun]:
    """Every run that has ended, read past the program."""
    with program.database(), connection():
        return list(BackupRun.select().where(BackupRun.finished_at.is_null(False)))


def set_up(server: RcloneS3) -> str:
    """Return a setup of so many backups, from folders of one bucket to folders of another."""
    ends = ("Here", "all-at-once"), ("Here", "all-at-once-copy")
    return "\n".join(
        [
            setups.provider("Here", server, "all-at-once", "all-at-once-copy"),
            *(setups.backup(f"b{number:03}", "02:15", *ends) for number in range(COUNT)),
        ]
    )
