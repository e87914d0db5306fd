"""A copy of the database that is put back: nothing is lost, said twice, or deleted too early."""

import argparse
import contextlib
import datetime as dt
import itertools
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine

from bucketvault.cli import restore_database
from bucketvault.config import Config, load_config
from bucketvault.engine import maintenance
from bucketvault.errors import BrokenDatabaseError, ConfigError
from bucketvault.store import copies, restoring
from bucketvault.store.copies import SelfBackup, newest_first, refuse_to_begin_anew
from bucketvault.store.database import close_database, connection, database, open_database, writing
from bucketvault.store.models import Backup, BackupRun, Mail, Session, utcnow
from bucketvault.vocabulary import MailKind, Phase, Reason, RunStatus
from tests.store.test_database import Migrate, add_migration
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

__all__ = ["add_migration"]  # a fixture

MORE = bool(os.environ.get("TESTS_MORE"))
NOW = utcnow().replace(microsecond=0)
LATER = "20261130T010000Z"


@pytest.fixture
def config(open_store: Path) -> Config:
    key_file = open_store.parent.parent / "secret.key"
    made = load_config({"BUCKETVAULT_KEY_FILE": str(key_file)}, data_dir=str(open_store.parent))
    made.make_folders()
    return made


@pytest.fixture
def backup(config: Config) -> Backup:
    return new_backup("Photos")


def new_backup(name: str) -> Backup:
    provider = a_provider(name)
    return a_backup(name, a_storage(provider, "photos"), a_storage(provider, "copies"))


def a_mail(name: str, **given: object) -> Mail:
    row = {"kind": MailKind.FAILED, "message_id": f"<{name}@x>", "subject": name, "body": "b"}
    sent = {"sent_at": NOW, "next_attempt_at": None} if given.pop("sent", False) else {}
    with writing():
        return Mail.create(**row, **sent, **given)


def copied(config: Config) -> SelfBackup:
    maintenance.copy_database(config.backups, NOW)
    return newest_first(config.backups, NOW.date())[0]


def damage(path: Path, seed: int, pages: int = 3) -> None:
    """Overwrite some pages of a closed database, after its first."""
    chance, size = random.Random(seed), 4096
    with path.open("r+b") as file:
        for _ in range(pages):
            file.seek(chance.randrange(size, max(size + 1, path.stat().st_size - size), size))
            file.write(chance.randbytes(chance.choice((16, 512, size))))


def put_back(config: Config, copy: SelfBackup) -> restoring.PutBack:
    close_database()
    made = restoring.put_back(config.database, copy, set())
    open_database(config.database, check=True)
    return made


def test_a_readable_database_gives_what_is_newer_than_the_copy(
    config: Config, backup: Backup
) -> None:
    failed = a_run(backup, status=RunStatus.FAILED, reason=Reason.INTERRUPTED)
    a_mail("waited", run=failed.id, backup=backup.id)
    with writing():
        Session.create(token_hash="0" * 64)  # signed out since
    copy = copied(config)
    with writing():
        Mail.update(sent_at=NOW, next_attempt_at=None).execute()
        Backup.update(retention_days=365).execute()
    good = a_run(backup, log_lines=7, archive_stamp="20361122T031500Z", phase="tidying")
    a_mail("newer", run=good.id, backup=backup.id, sent=True)
    new_backup("Dumps")

    made = put_back(config, copy)

    assert (made.tells_all, made.runs, made.mails, made.not_known) == (True, 1, 0, 0)
    assert (made.missing, made.changed, made.backups) == (("Dumps",), ("Photos",), ("Photos",))
    assert made.aside is not None and (made.aside / config.database.name).exists()
    with connection():
        runs = {run.id: run.log_lines for run in BackupRun.select()}
        mails = {mail.subject: (mail.run_id, mail.sent_at) for mail in Mail.select()}
        assert runs == {failed.id: 0, good.id: 0}  # the same numbers, without logs
        assert mails == {"waited": (failed.id, NOW), "newer": (good.id, NOW)}
        assert not Session.select().exists()
        (row,) = Backup.select()
        assert row.retention_days == 30 and row.next_due_at is None
        assert row.stamp_floor == "20361122T031500Z" and row.planned_since >= NOW
    restored = restoring.lately_restored(utcnow())
    assert restored is not None and restored.day == copy.day.isoformat()
    assert restoring.lately_restored(utcnow() + dt.timedelta(days=8)) is None


def test_of_a_lost_database_nothing_is_made_up_and_no_number_comes_again(
    config: Config, backup: Backup
) -> None:
    a_run(backup)
    going = a_run(backup, status=RunStatus.RUNNING, finished_at=None)
    a_mail("waited", backup=backup.id)
    copy = copied(config)
    close_database()
    config.database.unlink()

    made = put_back(config, copy)

    assert (made.tells_all, made.aside, made.mails, made.not_known) == (False, None, 1, 1)
    with connection():
        ended = BackupRun.get_by_id(going.id)
        assert (ended.status, ended.reason) == (RunStatus.FAILED, Reason.INTERRUPTED)
        mail = Mail.get()
        assert mail.dead_at is not None and mail.next_attempt_at is None and mail.last_error
    assert a_run(backup).id > going.id + 900  # links in mails name the ones that are lost


def test_a_run_that_still_copies_is_left_to_whoever_looks_after_it(
    config: Config, backup: Backup
) -> None:
    going = a_run(backup, status=RunStatus.RUNNING, finished_at=None)
    copy = copied(config)
    close_database()

    made = restoring.put_back(config.database, copy, {going.uuid})

    open_database(config.database)
    with connection():
        assert BackupRun.get().status == RunStatus.RUNNING and made.not_known == 0


def test_a_run_that_still_copies_keeps_what_the_former_database_knows_of_it(
    config: Config, backup: Backup
) -> None:
    begun = {"phase": Phase.CHECKING, "archive_stamp": "20261130T000000Z"}
    going = a_run(backup, status=RunStatus.RUNNING, finished_at=None, **begun)
    copy = copied(config)
    with writing():
        going.change(RunStatus.RUNNING, phase=Phase.COPYING, passes=1, archive_stamp=LATER)
    close_database()

    made = restoring.put_back(config.database, copy, {going.uuid})

    open_database(config.database)
    with connection():
        run = BackupRun.get()
    assert (run.id, run.status, run.phase) == (going.id, RunStatus.RUNNING, Phase.COPYING)
    assert (run.passes, run.archive_stamp) == (1, LATER)
    assert (made.runs, made.not_known) == (0, 0)


@pytest.mark.parametrize("lost", [False, True])
def test_no_number_comes_again_where_the_copy_had_none(config: Config, lost: bool) -> None:
    copy = copied(config)
    for name in ("Photos", "Dumps", "Mails"):
        run = a_run(new_backup(name))
    with writing():
        Backup.delete().execute()
    close_database()
    if lost:
        config.database.unlink()

    put_back(config, copy)

    backup = new_backup("Photos")
    next_one = 1001 if lost else 4
    assert (backup.id, a_run(backup).id) == (next_one, next_one if lost else run.id + 1)


def test_an_older_copy_that_is_put_back_makes_no_copy_of_itself(
    config: Config, backup: Backup, add_migration: Migrate
) -> None:
    copy = copied(config)
    add_migration("db.execute_sql('CREATE TABLE later (id INTEGER PRIMARY KEY)')")

    put_back(config, copy)

    assert list(config.backups.iterdir()) == [copy.path]


class StoppedError(Exception):
    """The machine stopped."""


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the machine stop once, before the step of this number that changes a folder."""

    def stop_at(number: int) -> None:
        steps = itertools.count(1)
        for name in ("mkdir", "rename", "replace", "rmdir"):
            step = getattr(Path, name)

            def stopping(*given: Any, step: Any = step, **named: Any) -> Any:
                if next(steps) == number:
                    raise StoppedError
                return step(*given, **named)

            monkeypatch.setattr(Path, name, stopping)

    return stop_at


@pytest.mark.parametrize("step", range(1, 7))
def test_a_stop_at_any_step_of_a_restore_loses_nothing(
    config: Config, backup: Backup, stop_at: Callable[[int], None], step: int
) -> None:
    copy = copied(config)
    with connection():  # its end would write the log back
        a_run(backup)
        files = config.data_dir.glob(f"{config.database.name}*")
        former = {path: path.read_bytes() for path in files}
    close_database()
    for path, held in former.items():  # with the run in the log, as after a kill
        path.write_bytes(held)
    assert len(former) == 3

    stop_at(step)
    with contextlib.suppress(StoppedError):
        restoring.put_back(config.database, copy, set())
    close_database()
    made = put_back(config, copy)

    with connection():
        assert BackupRun.select().count() == 1
    assert made.aside is not None and made.tells_all
    kept = [folder for folder in config.data_dir.glob("aside*") if folder.is_dir()]
    (whole,) = (each for each in kept if (each / f"{config.database.name}-wal").exists())
    assert (whole / config.database.name).exists() and config.data_dir / "aside" not in kept


def test_two_restores_in_a_second_keep_both_former_databases(
    config: Config, backup: Backup
) -> None:
    copy = copied(config)

    with time_machine.travel(NOW, tick=False):
        first, second = put_back(config, copy).aside, put_back(config, copy).aside

    assert first is not None and second is not None and first != second
    assert (first / config.database.name).exists() and (second / config.database.name).exists()


@pytest.mark.root
def test_another_users_folder_is_refused_before_anything_is_put_back(
    config: Config, backup: Backup
) -> None:
    copied(config)
    close_database()
    config.database.unlink()
    os.chown(config.data_dir, 12345, 12345)

    with pytest.raises(ConfigError, match="belongs to the user 12345"):
        restore_database.restore(argparse.Namespace(day=None), config)

    assert not config.database.exists()


def test_a_damaged_copy_changes_nothing(config: Config, backup: Backup) -> None:
    copy = copied(config)
    query = "SELECT rootpage FROM sqlite_master WHERE name = 'run_log_chunk'"
    with connection():
        (page,) = database.execute_sql(query).fetchone()
    close_database()
    with copy.path.open("r+b") as file:  # of logs, which nothing reads as it is restored
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    before = config.database.read_bytes()

    with pytest.raises(BrokenDatabaseError, match="is damaged"):
        restoring.put_back(config.database, copy, set())

    assert config.database.read_bytes() == before
    assert not list(config.data_dir.glob("*.new*")) + list(config.data_dir.glob("aside-*"))


@pytest.mark.parametrize("seed", range(60 if MORE else 4))
def test_pages_damaged_at_random_are_found_or_harmless_and_the_copy_comes_back(
    config: Config, backup: Backup, seed: int
) -> None:
    for _ in range(40):
        a_run(backup, explanation="x" * 300)
    copy = copied(config)
    lost = a_run(backup)
    close_database()
    damage(config.database, seed)

    with contextlib.suppress(BrokenDatabaseError):  # or it was harmless, such as a free page
        open_database(config.database, check=True)
        with connection():
            assert BackupRun.select().count() == 41
    made = put_back(config, copy)

    with connection():
        found = {run.id for run in BackupRun.select()}
    assert len(found) - 40 == made.runs <= 1 and found - {lost.id} == set(range(1, 41))
    assert made.aside is not None and made.aside.is_dir()


TRACES = {
    "copies": lambda config: copied(config),
    "ledgers": lambda config: (config.ledgers / "photos.0.gz").touch(),
    "runs": lambda config: (config.runs / "0").mkdir(),
    "a password": lambda config: config.password.touch(),
    "a key file": lambda config: config.key_file.touch(),
}


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("left", [None, b""])
def test_a_folder_that_was_in_use_never_begins_anew(
    config: Config, backup: Backup, trace: str, left: bytes | None
) -> None:
    TRACES[trace](config)
    close_database()
    config.database.unlink()
    if left is not None:
        config.database.write_bytes(left)

    with pytest.raises(BrokenDatabaseError, match="is empty" if left is not None else "is missing"):
        refuse_to_begin_anew(config)

    assert config.database.exists() == (left is not None)


def test_copies_that_cannot_be_read_hide_no_lost_database(tmp_path: Path) -> None:
    empty = load_config({}, data_dir=str(tmp_path))
    empty.backups.symlink_to("x" * 300)  # refused to root, too: the name is too long

    with pytest.raises(BrokenDatabaseError, match=r"is missing, and .*backups cannot be read: "):
        refuse_to_begin_anew(empty)


def test_a_new_folder_begins_also_with_the_key_file_of_another(config: Config) -> None:
    close_database()
    config.key_file.touch()
    other = load_config(
        {"BUCKETVAULT_KEY_FILE": str(config.key_file)}, data_dir=f"{config.data_dir}-other"
    )

    refuse_to_begin_anew(other)  # raises nothing
    shutil.rmtree(config.backups, ignore_errors=True)


def test_a_copy_that_holds_far_less_rotates_none_out_that_holds_more(
    config: Config, backup: Backup
) -> None:
    for _ in range(copies.FEW_RUNS):
        a_run(backup)
    day = dt.timedelta(days=1)
    for number in range(7):
        maintenance.copy_database(config.backups, NOW + number * day)
    rich = {copy.path.name for copy in copies.daily_copies(config.backups, NOW.date() + 7 * day)}
    with writing():
        Backup.delete().execute()

    for number in range(7, 17):
        maintenance.copy_database(config.backups, NOW + number * day)

    left = {copy.path.name for copy in copies.daily_copies(config.backups, NOW.date() + 20 * day)}
    assert rich < left and len(left) == 14
    assert len(copies.richer_copies(config.backups, NOW.date() + 20 * day)) == 7


def test_nothing_makes_an_empty_database_where_one_was(config: Config, backup: Backup) -> None:
    close_database()
    for path in config.data_dir.glob(f"{config.database.name}*"):
        path.unlink()

    with pytest.raises(Exception, match="it is missing"), connection():
        Backup.get()
    with pytest.raises(BrokenDatabaseError):
        restoring.check(config.database)

    assert not config.database.exists()
