"""`bucketvault doctor`: each thing that can be bad is made bad, and is named with what to do."""

import contextlib
import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.config import Config, load_config
from bucketvault.engine import maintenance, settings
from bucketvault.engine.catalogue import providers
from bucketvault.engine.health import doctor
from bucketvault.engine.health.readings import Reading
from bucketvault.engine.views.situation import Tone
from bucketvault.store.copies import copy_of_day
from bucketvault.store.database import close_database, connection, database, writing
from bucketvault.store.models import Backup, Mail, Provider, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import MailKind
from tests.store_fixtures import SECRET, a_backup, a_run, a_storage, provider_input
from tests.support.program import Program, Result, until

DAY = dt.timedelta(days=1)


@pytest.fixture
def private() -> Iterator[None]:
    """As the program itself begins: nothing it makes is for others."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def config(private: None, open_store: Path, tmp_path: Path) -> Config:
    """A data folder with a provider, a backup that is planned, and a copy of the database."""
    open_store.chmod(0o600)
    key_file = tmp_path / "config" / "secret.key"
    made = load_config(
        {"BUCKETVAULT_KEY_FILE": str(key_file)}, data_dir=str(open_store.parent), port="1"
    )
    made.make_folders()
    provider = providers.create(provider_input(), Vault(key_file))
    backup = a_backup("Photos", a_storage(row(provider), "a"), a_storage(row(provider), "b"))
    a_run(backup)
    maintenance.copy_database(made.backups, utcnow())
    return made


def row(provider: object) -> Provider:
    with connection():
        return Provider.get()


def found(
    config: Config,
    holder: str | None = "`bucketvault serve`, process 7",
    answer: tuple[int, str] = (200, "ok\n"),
) -> dict[str, Reading]:
    close_database()
    return {reading.name: reading for reading in doctor.examine(config, holder, lambda: answer)}


def the_only_bad(told: dict[str, Reading]) -> Reading:
    (bad,) = [reading for reading in told.values() if reading.tone is Tone.BAD]
    return bad


def test_what_is_good_is_said_to_be_good(config: Config) -> None:
    told = found(config)

    tones = {name: reading.tone for name, reading in told.items()}
    assert {name for name, tone in tones.items() if tone is not Tone.OK} == {
        *("Mail", "Alerts", "Heartbeat", "Pages")
    }
    assert "decrypts 2 stored secrets" in told["Key file"].words
    assert "1 backup scheduled" in told["Scheduler"].words


def test_where_nothing_was_started_yet_nothing_is_bad_and_nothing_is_made(tmp_path: Path) -> None:
    key = {"BUCKETVAULT_KEY_FILE": str(tmp_path / "key")}
    config = load_config(key, data_dir=str(tmp_path / "data"))

    told = found(config, holder=None)

    assert not doctor.is_bad(list(told.values())) and not list(tmp_path.iterdir())


def other_readers(config: Config) -> None:
    config.database.chmod(0o644)


def an_open_key(config: Config) -> None:
    config.key_file.chmod(0o640)


def a_lost_key(config: Config) -> None:
    config.key_file.unlink()


def another_key(config: Config) -> None:
    config.key_file.unlink()
    Vault(config.key_file).create_key()


def no_key_in_it(config: Config) -> None:
    config.key_file.write_text("not a key\n")


def an_emptied_key(config: Config) -> None:
    config.key_file.write_text("")


def a_missing_database(config: Config) -> None:
    close_database()
    for path in config.data_dir.glob("bucketvault.sqlite3*"):
        path.unlink()


def a_database_of_a_newer_program(config: Config) -> None:
    with writing():
        database.execute_sql(
            "INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2030-01-01')"
        )


def old_copies_only(config: Config) -> None:
    (copy,) = config.backups.glob("bucketvault-*")
    copy.rename(config.backups / "bucketvault-2026-01-01.sqlite3")
    os.utime(config.backups / "bucketvault-2026-01-01.sqlite3", (1767225600, 1767225600))


def a_moved_address(config: Config) -> None:
    with writing():
        Provider.update(endpoint="https://evil.example").execute()


def no_copy_for_days(config: Config) -> None:
    for copy in config.backups.iterdir():
        copy.unlink()
    with writing():
        Provider.update(created_at=utcnow() - 3 * DAY).execute()


def a_copy_that_holds_less(config: Config) -> None:
    with writing():
        Backup.delete().execute()
    maintenance.copy_database(config.backups, utcnow() + DAY)
    for day in (-DAY, 0 * DAY):  # both a day earlier: one of a day to come does not count
        was = copy_of_day(config.backups, utcnow() + day + DAY)
        was.rename(copy_of_day(config.backups, utcnow() + day))


def a_mail(config: Config, **given: object) -> None:
    mail = {"smtp_host": "m.example", "mail_from": "a@b.example", "mail_to": "c@d.example"}
    settings.change(mail, Vault(config.key_file))
    with writing():
        Mail.create(kind=MailKind.FAILED, message_id="1@here", subject="s", body="b", **given)


def mails_given_up(config: Config) -> None:
    a_mail(config, next_attempt_at=None, dead_at=utcnow())


BADNESS: list[tuple[Callable[[Config], None], str, str, str]] = [
    (other_readers, "Who may read", "other users", "chmod -R go="),
    (an_open_key, "Who may read", "secret.key can be read", "chmod -R go="),
    (a_lost_key, "Key file", "is missing", "Put it back"),
    (another_key, "Key file", '2 secrets cannot be decrypted (the provider "Local")', "Put the"),
    (a_moved_address, "Key file", "was changed outside bucketvault", "Check that address"),
    (no_key_in_it, "Key file", "does not contain a key", "Put your copy of it back."),
    (an_emptied_key, "Key file", "is empty", "Put your copy of it back."),
    (a_missing_database, "Database", "is missing", "Restore the newest copy"),
    (a_database_of_a_newer_program, "Database", "9999_later", "newer"),
    (old_copies_only, "Copy of the database", "lost", "free space"),
    (no_copy_for_days, "Copy of the database", "lost", "free space"),
    (a_copy_that_holds_less, "Copy of the database", "1 backup and 1 run", "restore-database"),
    (mails_given_up, "Mail", "could not be delivered", "Try again"),
]


@pytest.mark.parametrize(
    ("make", "name", "words", "todo"), BADNESS, ids=[case[0].__name__ for case in BADNESS]
)
def test_what_is_bad_is_named_alone_with_what_to_do(
    make: Callable[[Config], None], name: str, words: str, todo: str, config: Config
) -> None:
    make(config)

    bad = the_only_bad(found(config))

    assert bad.name == name
    assert words in f"{bad.value} {bad.words}" and todo in bad.todo


def test_a_mail_server_that_wants_a_sign_in_is_not_good(config: Config) -> None:
    refused = "530 5.7.57 Client not authenticated to send mail."
    a_mail(config, last_error=refused, attempts=1)

    told = found(config)["Mail"]

    assert told.tone is Tone.WARN and refused in told.words and "Settings" in told.todo
    assert told.issue is not None and refused in told.issue.why


def test_a_damaged_database_is_told_and_the_rest_is_looked_at_all_the_same(config: Config) -> None:
    close_database()
    with open(config.database, "r+b") as file:
        file.truncate(config.database.stat().st_size // 2)
    before = config.database.read_bytes()

    told = found(config)

    assert told["Database"].tone is Tone.BAD and "is damaged" in told["Database"].words
    assert str(config.backups) in told["Database"].todo
    assert told["rclone"].tone is told["Copy of the database"].tone is Tone.OK
    assert config.database.read_bytes() == before


def test_what_is_no_database_at_all_is_told(config: Config) -> None:
    close_database()
    config.database.write_bytes(b"a text" * 1000)

    assert "is damaged" in found(config)["Database"].words


def test_a_missing_rclone_is_told(config: Config) -> None:
    bad = the_only_bad(found(replace(config, rclone="/nowhere/rclone")))

    assert bad.name == "rclone" and "/nowhere/rclone" in bad.words and "BUCKETVAULT" in bad.todo


def test_it_says_by_its_bytes_which_rclone_it_is(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = found(config)["rclone"]
    other = tmp_path / "venv" / "bin" / "rclone"
    other.parent.mkdir(parents=True)
    other.write_text("#!/bin/sh\necho rclone v1.75.2\n")
    other.chmod(0o755)
    named = found(replace(config, rclone=str(other)))["rclone"]
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    swapped = found(config)["rclone"]

    assert installed.tone is Tone.OK and "is the one that bucketvault installs" in installed.words
    assert named.tone is Tone.OK and "is not a build that bucketvault knows" in named.words
    assert swapped.tone is Tone.WARN and "Install the packages again" in swapped.todo
    assert "is not the one that bucketvault was installed with" in swapped.words
    for told in (installed, named, swapped):
        assert "SHA-256 " in told.words and told.value == "1.75.2"


@pytest.mark.parametrize(
    ("holder", "answer", "value"),
    [
        (None, (200, "ok"), "not running"),
        ("`bucketvault serve`, process 7", (503, "the scheduler has stalled\n"), "stalled"),
    ],
)
def test_a_scheduler_that_starts_nothing_is_told(
    holder: str | None, answer: tuple[int, str], value: str, config: Config
) -> None:
    bad = the_only_bad(found(config, holder, answer))

    assert (bad.name, bad.value) == ("Scheduler", value)


def test_a_clock_that_went_back_is_told(config: Config) -> None:
    with writing():
        database.execute_sql(
            "UPDATE backup_run SET finished_at = ?",
            (f"{utcnow() + 40.5 * DAY:%Y-%m-%dT%H:%M:%S.000000Z}",),
        )

    clock = found(config)["Clock"]

    assert clock.tone is Tone.WARN and "40 d in the future" in clock.words


def test_a_database_from_before_an_upgrade_waits_for_the_start(config: Config) -> None:
    with writing():
        database.execute_sql("DELETE FROM schema_migration WHERE name LIKE '0001%'")

    told = found(config)["Database"]

    assert told.tone is Tone.WARN and "1 schema change" in told.words


@pytest.mark.mounts
def test_a_disk_without_room_is_told(config: Config, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(small)], check=True)
    try:
        close_database()
        shutil.copytree(config.data_dir, small / "data")

        bad = the_only_bad(found(replace(config, data_dir=small / "data")))
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert bad.name == "Disk of the data folder" and "Free some space" in bad.todo


def test_a_file_system_of_a_network_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "REMOTE", {doctor._file_system(config.data_dir)})

    bad = the_only_bad(found(config))

    assert bad.name == "Data folder" and "network file system" in bad.words


def asked(bucketvault: Program) -> Result | None:
    """Return what doctor says once a server has answered it."""
    said = bucketvault.shell("doctor")
    return said if "✓ good  Scheduler" in said.out else None


@pytest.mark.slow
@pytest.mark.parametrize("on", ["port", "socket"])
def test_the_real_command_asks_the_running_server_and_keeps_its_secrets(
    on: str, bucketvault: Program, tmp_path: Path
) -> None:
    setup = f"""
[[provider]]
name = "Local"
provider_type = "amazon_s3"
endpoint = "http://127.0.0.1:9"
access_key_id = "AKIAEXAMPLE000000001"
secret_access_key = "{SECRET}"
"""
    assert bucketvault.apply(setup).code == 0
    place = ("--socket", str(tmp_path / "own" / "bv.sock"))
    process = bucketvault.start("serve", *place) if on == "socket" else bucketvault.serve().process

    good = until("it answers", lambda: asked(bucketvault))
    told = json.loads(bucketvault.shell("doctor", "--json").out)
    process.terminate()
    process.wait()
    key = bucketvault.key_file.read_text().strip()
    bucketvault.key_file.chmod(0o644)
    bad = bucketvault.shell("doctor")

    states = {check["name"]: check["state"] for check in told["checks"]}
    assert good.code == 0
    assert told["good"] is True and states["Key file"] == "good" and states["Mail"] == "look"
    assert bad.code == 1 and "✗ BAD   Who may read" in bad.out and "chmod" in bad.out
    assert "not running" in bad.out
    for output in (good.out, good.err, bad.out, bad.err):
        assert SECRET not in output and key not in output


@pytest.mark.slow
def test_it_changes_nothing_also_next_to_a_server_that_was_killed(bucketvault: Program) -> None:
    served = bucketvault.serve()
    served.process.kill()
    served.process.wait()
    until("nobody holds the folder", lambda: served.process.poll() is not None)

    def content() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in bucketvault.data_dir.rglob("*")
            if path.is_file() and not path.name.endswith("-shm")  # SQLite's, in memory
        }

    before = content()
    bucketvault.shell("doctor")

    assert content() == before
    with contextlib.closing(sqlite3.connect(bucketvault.data_dir / "bucketvault.sqlite3")) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
