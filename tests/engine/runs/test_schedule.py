"""The whole program over weeks: `bucketvault serve` at other times, with real runs of rclone."""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Callable

import pytest

from tests.conftest import NewBucket
from tests.support.at_time import Clock
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.slow

NEVER = "2099-01-01T00:00:00.000000Z"


def utc(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, second, tzinfo=dt.UTC)


@pytest.fixture
def query(bucketvault: Program) -> Callable[..., list[tuple]]:
    """Asks the program's database past the program; what it changes is kept."""

    def ask(sql: str, *values: object) -> list[tuple]:
        path = bucketvault.data_dir / "bucketvault.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as database, database:
            return database.execute(sql, values).fetchall()

    return ask


@pytest.fixture
def fired(query: Callable[..., list[tuple]]) -> Callable[[], list[tuple[str, str, int, str]]]:
    """Every run of Photos: its planned time, how it was started, how many were skipped, its end."""

    def runs() -> list[tuple[str, str, int, str]]:
        return query(
            'SELECT substr(scheduled_for, 1, 16), "trigger", skipped_slots, status '
            "FROM backup_run WHERE backup_id = 1 ORDER BY id"
        )

    return runs


def test_the_planned_times_that_really_fire_over_both_changes_of_the_clocks(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    query: Callable[..., list[tuple]],
    fired: Callable[[], list[tuple[str, str, int, str]]],
) -> None:
    clock = Clock(bucketvault, utc(3, 27, 12))
    source, destination = new_bucket(here, objects(3)), new_bucket(elsewhere)
    each = {"time_zone": "Europe/Berlin", "comparison_mode": "size_only"}
    bucketvault.backup(source, destination, destination_path="photos", at="02:30", **each)
    # its next planned time is set right with each beat, after all others: so beats can be seen
    bucketvault.backup(source, destination, "Probe", destination_path="probe", **each)
    query("UPDATE backup SET schedule = 'weekly', weekday = 'wednesday' WHERE id = 2")
    bucketvault.serve()
    expected: list[tuple[str, str, int, str]] = []

    def at(moment: dt.datetime) -> None:
        clock.move_to(moment)
        until("the program follows", clock.is_followed)
        query("UPDATE backup SET next_due_at = ? WHERE id = 2", NEVER)
        looked = "SELECT 1 FROM backup WHERE id = 2 AND next_due_at <> ?"
        until("the scheduler has looked", lambda: query(looked, NEVER))
        until(
            "no run is under way", lambda: all(run[3] in ("success", "failed") for run in fired())
        )

    def fires(moment: dt.datetime, trigger: str = "schedule", skipped: int = 0) -> None:
        at(moment)
        expected.append((f"{moment:%Y-%m-%dT%H:%M}", trigger, skipped, "success"))
        assert fired() == expected, moment

    def is_quiet(moment: dt.datetime) -> None:
        at(moment)
        assert fired() == expected, moment

    is_quiet(utc(3, 28, 0, 30))
    fires(utc(3, 28, 1, 30))
    is_quiet(utc(3, 29, 0, 59, 50))  # 01:59:50 in Berlin: the next second but ten is 03:00
    fires(utc(3, 29, 1, 30))  # 03:30, as there is no 02:30
    is_quiet(utc(3, 29, 23, 30))  # 01:30: `schedule` itself would run here, and again at 02:30
    fires(utc(3, 30, 0, 30))
    is_quiet(utc(3, 30, 1, 30))
    at(utc(10, 23, 12))  # the summer goes by with nobody there: one late run for all of it
    expected.append(("2026-10-23T00:30", "catch_up", 206, "success"))
    fires(utc(10, 24, 0, 30))
    fires(utc(10, 25, 0, 30))  # 02:30, the first
    is_quiet(utc(10, 25, 1, 30))  # 02:30 again
    is_quiet(utc(10, 26, 0, 30))
    fires(utc(10, 26, 1, 30))
    print(*("  ".join(map(str, run)) for run in fired()), sep="\n")


def test_a_run_met_by_the_end_of_the_program_ends_true_and_days_later_one_late_run_follows(
    bucketvault: Program,
    pausing: PausingS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    fired: Callable[[], list[tuple[str, str, int, str]]],
) -> None:
    clock = Clock(bucketvault, utc(11, 1, 12))
    source, destination = new_bucket(pausing, objects(30, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, at="02:30", comparison_mode="size_only")
    served = bucketvault.serve()
    clock.move_to(utc(11, 2, 1, 30))
    until("something is copied", destination.copy_keys)
    rclone = until("rclone copies", lambda: next(iter(bucketvault.rclones()), None))

    code = served.end()  # as the unit does it: the main process alone is told

    assert (code, rclone.is_running()) == (0, True)
    assert fired() == [("2026-11-02T01:30", "schedule", 0, "running")]
    pausing.thaw()
    until("rclone has ended by itself", lambda: not bucketvault.rclones())
    clock.move_to(utc(11, 5, 12))
    bucketvault.serve()
    until("both have ended", lambda: [run[3] for run in fired()] == ["success", "success"])
    assert fired() == [
        ("2026-11-02T01:30", "schedule", 0, "success"),
        ("2026-11-05T01:30", "catch_up", 2, "success"),
    ]
    assert destination.copy() == source.objects()
    told = bucketvault.status()["backups"][0]
    assert (told["next_due_at"], told["overdue"]) == ("2026-11-06T01:30:00Z", False)


def test_thirty_backups_due_in_one_minute_all_run_once(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    query: Callable[..., list[tuple]],
) -> None:
    clock = Clock(bucketvault, utc(11, 1, 12))
    source, destination = new_bucket(here, objects(1)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, destination_path="0", comparison_mode="size_only")
    more = "\n".join(
        f"""
[[backup]]
name = "Backup {n}"
source = {{provider = "Source", bucket = "{source.name}"}}
destination = {{provider = "Destination", bucket = "{destination.name}", path = "{n}"}}
schedule = "daily"
at = "03:15"
comparison_mode = "size_only"
"""
        for n in range(1, 30)
    )
    assert bucketvault.apply(more).code == 0
    bucketvault.serve(BUCKETVAULT_RCLONE="/nowhere/rclone")  # each ends at once

    clock.move_to(utc(11, 2, 2, 15))
    most = 0

    def all_ended() -> bool:
        nonlocal most
        states = [state for (state,) in query("SELECT status FROM backup_run")]
        most = max(most, states.count("running"))
        return len(states) >= 30 and {*states} <= {"success", "failed"}

    until("all have ended", all_ended)

    ran = query("SELECT backup_id, reason, scheduled_for FROM backup_run ORDER BY started_at")
    assert [backup_id for backup_id, *_ in ran] == list(range(1, 31))
    assert {run[1:] for run in ran} == {("rclone_missing", "2026-11-02T02:15:00.000000Z")}
    assert most <= 2


def test_what_is_overdue_is_told_also_when_nobody_serves(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    clock = Clock(bucketvault, utc(11, 1, 12))
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere), at="02:30")
    new = bucketvault.cli("status")

    clock.move_to(utc(11, 3, 7))  # 08:00 in Berlin: yesterday's is missed, today's has time
    late = bucketvault.cli("status")

    assert "02:30, in 13 h. To start it, run `bucketvault serve`." in new.out
    assert "OVERDUE" not in new.out
    assert "OVERDUE: scheduled for Mon 2 Nov, 02:30; no run has succeeded since." in late.out
    assert "Next run: overdue since Mon 2 Nov, 02:30." in late.out
    assert late.code == 1
