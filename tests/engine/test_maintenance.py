"""Old logs go and their room comes back; a day gets a copy of the database, seven are kept."""

import contextlib
import datetime as dt
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.config import Config, load_config
from bucketvault.engine import maintenance, settings
from bucketvault.engine.views.backups import run_page
from bucketvault.errors import DatabaseError
from bucketvault.store import run_logs
from bucketvault.store.database import close_database, connection, database, open_database, writing
from bucketvault.store.models import Backup, BackupRun
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import RunKind, RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def config(open_store: Path) -> Config:
    return load_config({}, data_dir=str(open_store.parent))


@pytest.fixture
def backup(open_store: Path) -> Backup:
    return new_backup("Photos")


def new_backup(name: str) -> Backup:
    provider = a_provider(name)
    return a_backup(name, a_storage(provider, "photos"), a_storage(provider, "copies"))


def logged(backup: Backup, days_ago: float, *, size: int = 200, **given: object) -> BackupRun:
    """A run that ended so long ago, with a log of lines that do not compress."""
    run = a_run(backup, finished_at=NOW - days_ago * DAY, **given)
    writer = run_logs.LogWriter(run.id)
    while writer.bytes < size:
        writer.add(os.urandom(100).hex().encode() + b"\n")
    with writing():
        writer.flush()
    return run


def with_log(*runs: BackupRun) -> list[bool]:
    return [run_logs.size(run.id).lines > 0 for run in runs]


def copies(config: Config) -> list[str]:
    return sorted(path.name for path in config.backups.iterdir())


def test_what_is_known_of_a_deleted_backups_objects_goes_each_day(
    config: Config, backup: Backup
) -> None:
    config.make_folders()
    for name in (f"{backup.archive_key}.0.gz", "deleted-0a1b2c.0.gz", "deleted-0a1b2c.held"):
        (config.ledgers / name).write_bytes(b"names")

    maintenance.work(config, NOW)

    assert [path.name for path in config.ledgers.iterdir()] == [f"{backup.archive_key}.0.gz"]


# ---- logs


def test_logs_older_than_they_are_kept_go_and_the_run_says_so(
    config: Config, backup: Backup
) -> None:
    failed = logged(backup, 91, status=RunStatus.FAILED, detail="AccessDenied: no")
    young, newest = logged(backup, 89), logged(backup, 2)

    maintenance.work(config, NOW)

    page = run_page(failed.id)
    assert with_log(failed, young, newest) == [False, True, True]
    assert (page.run.log_removed_at, page.log_retention_days) == (NOW, 90)
    assert page.run.detail == "AccessDenied: no" and page.run.log_lines == failed_lines(failed)
    assert run_page(young.id).run.log_removed_at is None


def failed_lines(run: BackupRun) -> int:
    with connection():
        return int(BackupRun.get_by_id(run.id).log_lines)


def test_the_newest_log_of_each_backup_stays_however_old(config: Config, backup: Backup) -> None:
    other = new_backup("Dumps")
    old, newest = logged(backup, 400), logged(backup, 300)
    a_run(backup, finished_at=NOW - 200 * DAY)  # it never came to a log
    preview = logged(backup, 150, kind=RunKind.PREVIEW)
    only = logged(other, 500)

    maintenance.work(config, NOW)

    assert with_log(old, newest, preview, only) == [False, True, True, True]


def test_a_clock_that_is_years_ahead_for_hours_costs_no_log(config: Config, backup: Backup) -> None:
    logs = [logged(backup, days) for days in (80, 30, 1)]
    ahead = NOW + 4000 * DAY
    a_run(backup, finished_at=ahead)  # the schedule makes up for all these days at once

    maintenance.work(config, ahead)
    soon = with_log(*logs)
    maintenance.remove_old_logs(ahead + 13 * DAY / 24, 90)

    assert soon == [True, True, True]
    assert with_log(*logs) == [False, False, True]  # it has gone on for half a day: so it is true


def test_nought_days_keep_every_log(config: Config, backup: Backup) -> None:
    settings.change({"log_retention_days": 0}, Vault(config.key_file))
    runs = [logged(backup, days) for days in (3000, 2000, 1)]

    maintenance.work(config, NOW)

    assert with_log(*runs) == [True, True, True]


@pytest.mark.slow  # takes seconds
def test_a_log_that_goes_gives_its_room_back_to_the_disk(
    config: Config, backup: Backup, open_store: Path
) -> None:
    for _ in range(8):
        logged(backup, 100, size=4_000_000)
    logged(backup, 1)
    maintenance.write_log_back()
    before = open_store.stat().st_size

    maintenance.work(config, NOW)

    assert before > 15_000_000 > 1_000_000 > open_store.stat().st_size


def test_others_write_while_old_logs_go(config: Config, backup: Backup) -> None:
    for _ in range(6):
        logged(backup, 100, size=1_000_000)
    logged(backup, 1)
    working = threading.Thread(target=maintenance.work, args=(config, NOW))
    wrote = 0

    working.start()
    while working.is_alive():
        with writing():
            Backup.update(retention_days=31).where(Backup.id == backup.id).execute()
        wrote += 1
        working.join(0.01)

    assert wrote > 3 and copies(config)


# ---- copies


def test_a_day_gets_one_whole_copy_that_only_its_owner_can_read(
    config: Config, backup: Backup
) -> None:
    did = [maintenance.work(config, NOW + hour * dt.timedelta(hours=1)) for hour in (0, 1, 13)]

    (name,) = copies(config)
    with contextlib.closing(sqlite3.connect(config.backups / name)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT name FROM backup").fetchone() == ("Photos",)
    assert did == [True, False, False] and name == "bucketvault-2026-11-22.sqlite3"
    assert stat.S_IMODE(config.backups.stat().st_mode) == 0o700
    assert stat.S_IMODE((config.backups / name).stat().st_mode) == 0o600


def test_seven_copies_are_kept_and_nothing_else_there_is_touched(config: Config) -> None:
    config.backups.mkdir(mode=0o700)
    (config.backups / "before-0005_mail.sqlite3").write_text("of an upgrade")
    (config.backups / "bucketvault-2026-11-11.sqlite3.unfinished").write_text("cut short")

    for day in range(10):
        maintenance.work(config, NOW + day * DAY)

    assert copies(config) == [
        "before-0005_mail.sqlite3",
        *(f"bucketvault-2026-{day}.sqlite3" for day in ("11-25", "11-26", "11-27", "11-28")),
        *(f"bucketvault-2026-{day}.sqlite3" for day in ("11-29", "11-30", "12-01")),
    ]


def test_a_clock_that_was_wrong_costs_no_copy_of_a_true_day(config: Config) -> None:
    for day in (*range(-4, 0), *range(40, 47)):  # it ran forty days ahead for a week
        maintenance.work(config, NOW + day * DAY)

    for day in range(3):
        maintenance.work(config, NOW + day * DAY)

    kept = maintenance.newest_copy(config.backups, NOW + 2 * DAY)
    assert kept is not None and kept.day == (NOW + 2 * DAY).date()
    assert {f"bucketvault-2026-11-{22 + day}.sqlite3" for day in range(3)} <= set(copies(config))


def test_a_damaged_database_pushes_no_good_copy_out(config: Config, open_store: Path) -> None:
    backup = new_backup("Photos")
    logged(backup, 1, size=400_000)
    for day in range(7):
        maintenance.work(config, NOW + day * DAY)
    good = copies(config)
    close_database()
    with open(open_store, "r+b") as file:
        file.seek(open_store.stat().st_size - 60_000)
        file.write(os.urandom(30_000))
    open_database(open_store)

    with pytest.raises(DatabaseError):
        maintenance.work(config, NOW + 7 * DAY)

    assert copies(config) == good


def test_a_restored_copy_works(config: Config, backup: Backup, open_store: Path) -> None:
    maintenance.work(config, NOW)
    close_database()

    for path in open_store.parent.glob("bucketvault.sqlite3*"):
        path.unlink()
    shutil.copy(config.backups / copies(config)[0], open_store)
    open_database(open_store, check=True)

    with connection():
        assert Backup.get().name == "Photos"
        assert database.execute_sql("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute_sql("PRAGMA auto_vacuum").fetchone() == (2,)


@pytest.mark.mounts
def test_without_room_no_copy_is_begun_and_old_logs_go_all_the_same(
    config: Config, backup: Backup, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=True)
    old, _ = logged(backup, 100), logged(backup, 1)

    try:
        with pytest.raises(maintenance.NoRoomError, match="not enough space"):
            maintenance.work(replace(config, data_dir=small), NOW)
        assert not list((small / "backups").iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert with_log(old) == [False]
