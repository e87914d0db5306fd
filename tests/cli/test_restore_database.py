"""The database is lost while its copies are there: nothing begins anew, one command goes back."""

import pytest

from bucketvault.config import Config, load_config
from bucketvault.engine import maintenance
from bucketvault.store.database import connection
from bucketvault.store.database import database as database_of_program
from bucketvault.store.models import utcnow
from tests.conftest import NewBucket
from tests.store.test_restoring import MORE, damage
from tests.support.mailbox import Mailbox
from tests.support.program import Bucket, Program, until
from tests.support.servers import RcloneS3
from tests.support.truth import State, assert_nothing_is_lost


def config_of(program: Program) -> Config:
    return load_config({}, data_dir=str(program.data_dir))


def copy_database(program: Program) -> None:
    with program.database():
        maintenance.copy_database(config_of(program).backups, utcnow())


def lose_database(program: Program) -> None:
    for path in program.data_dir.glob("bucketvault.sqlite3*"):
        path.unlink()


@pytest.fixture
def copied(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> tuple[Program, Bucket, Bucket]:
    """A backup with a run in the copy of the database, and one that came after it."""
    source, destination = new_bucket(here, {"a": b"first", "b": b"b"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination, retention_days=1)
    bucketvault.run()
    copy_database(bucketvault)
    source.put("a", b"second")
    bucketvault.run()
    return bucketvault, source, destination


def test_a_lost_database_is_said_by_every_command_and_put_back_by_one(
    copied: tuple[Program, Bucket, Bucket],
) -> None:
    program, source, destination = copied
    mailbox = Mailbox()
    copies = program.data_dir / "backups"
    lose_database(program)

    for command in ("status", "status --json", "log 1", "run Photos", "apply no.toml", "url"):
        done = program.cli(*command.split())
        assert done.code == 1 and not done.out, (command, done)
        assert (
            "is missing, but this folder was in use: it has 1 copy, ledgers and a key file."
            in done.err
        )
        assert "bucketvault restore-database" in done.err
    assert not (program.data_dir / "bucketvault.sqlite3").exists()
    doctor = program.cli("doctor")
    assert doctor.code == 1 and "restore-database" in doctor.out
    assert program.cli("restore-database", "2020-01-01").code == 2

    before, days = State.of(source, destination), sorted(copies.iterdir())
    done = program.cli("restore-database")

    assert done.code == 0, done
    assert "Everything newer than the copy is lost" in done.out
    assert "No kept version is deleted before" in done.out
    assert sorted(copies.iterdir()) == days
    refused = program.cli("restore-database")
    assert refused.code == 1 and "is intact, so nothing was restored" in refused.err
    source.put("a", b"third")
    run = program.run()
    assert run["status"] == "success" and run["id"] > 1000 and not run["warnings"], run
    after = State.of(source, destination)
    assert_nothing_is_lost(before, after)
    assert {body for (_, key), body in after.kept.items() if key == "a"} == {b"first", b"second"}
    assert mailbox.subjects == []
    assert "Restored on" in program.cli("doctor").out


def test_pages_damaged_at_random_end_no_command_with_a_traceback(
    copied: tuple[Program, Bucket, Bucket],
) -> None:
    program, source, destination = copied
    for number in range(4):  # so that the tables have more than a page
        source.put("a", b"more" * number)
        program.run()
    copy_database(program)
    database = program.data_dir / "bucketvault.sqlite3"
    with program.database(), connection():
        database_of_program.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = database.read_bytes()
    for seed in range(40) if MORE else (19, 25):  # these two are met as rows are fetched
        lose_database(program)
        database.write_bytes(whole)
        damage(database, seed, pages=4)

        for command in ("status", "log 3", "runs Photos", "doctor"):
            done = program.cli(*command.split())
            found = "is damaged" in done.err + done.out
            assert found or (done.code == 0 and command != "doctor"), (seed, command, done)
        assert "is damaged" in program.cli("run", "Photos", "--wait").err
        assert program.cli("restore-database").code == 0
        assert program.run()["status"] == "success"
    assert destination.copy() == source.objects()


def test_serve_ends_for_good_and_mails_once_by_the_newest_copy(bucketvault: Program) -> None:
    mailbox = Mailbox()
    assert bucketvault.apply(mailbox.settings).code == 0
    copy_database(bucketvault)
    database = bucketvault.data_dir / "bucketvault.sqlite3"
    lose_database(bucketvault)
    database.write_bytes(b"")

    with mailbox.up():
        ends = [bucketvault.shell("serve", "--port", "1") for _ in range(2)]

        assert [done.code for done in ends] == [2, 2]  # systemd does not try again
        assert all("it has 1 copy" in done.err for done in ends)
        until("a mail says so", lambda: mailbox.raw)
    assert mailbox.subjects == ["bucketvault is stopped: its database cannot be used"]
    assert bucketvault.cli("restore-database").code == 0


def test_a_server_whose_database_goes_says_so_and_makes_no_other(bucketvault: Program) -> None:
    assert bucketvault.apply("").code == 0
    served = bucketvault.serve()
    copy_database(bucketvault)

    lose_database(bucketvault)

    until("it says so", lambda: served.ask("/healthz").status == 503)
    assert not (bucketvault.data_dir / "bucketvault.sqlite3").exists()
    held = bucketvault.cli("restore-database")
    assert held.code == 75 and "is in use by" in held.err
    served.end()
    assert bucketvault.cli("restore-database").code == 0
