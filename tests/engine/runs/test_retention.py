"""Kept versions are deleted when they expire: exactly these, and never more."""

import datetime as dt
import errno
import json
import signal
import sqlite3
import threading
from typing import Any, NamedTuple

import pytest

from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.engine.runs import kept_versions
from bucketvault.engine.runs.kept_versions import KeptVersions, KeptVersionsError
from bucketvault.store import database
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Provider, Setting, Storage, utcnow
from bucketvault.store.restoring import RESTORED
from tests.conftest import NewBucket
from tests.support.at_time import cli_at
from tests.support.gate import PausingS3
from tests.support.program import Bucket, Program, objects, until
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3, rclone_path

OLD = [f"2025010{n}T031500Z" for n in range(1, 4)]


def place(destination: Bucket) -> str:
    """Where the one backup's kept versions are; its RESTORE.txt tells."""
    (text,) = [k for k in destination.keys(".bucketvault-archive/") if k.endswith("/RESTORE.txt")]
    return text.removesuffix("RESTORE.txt")


class Planted(NamedTuple):
    """A backup that has run, with kept versions of all ages and foreign names among them."""

    program: Program
    source: Bucket
    destination: Bucket
    go: dict[str, bytes]  # what the next good run must let go, and what it must leave
    stay: dict[str, bytes]

    def left(self) -> dict[str, bytes]:
        """All kept versions beside the copy now."""
        return self.destination.objects(".bucketvault-archive/")


@pytest.fixture
def planted(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> Planted:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, retention_days=30)
    bucketvault.run()
    ours = place(destination)
    young = (utcnow() - dt.timedelta(days=29, hours=20)).strftime(STAMP_FORMAT)
    barely = (utcnow() - dt.timedelta(days=30, minutes=1)).strftime(STAMP_FORMAT)
    go = {f"{ours}{name}/{key}": b"old" for name in (*OLD, barely) for key in ("x", "deep/y z.txt")}
    stay = {
        f"{ours}{young}/x": b"young",
        f"{ours}20251301T000000Z/x": b"no month",
        f"{ours}20250101T000000Z-notes/x": b"no stamp",
        f"{ours}notes/20250101T000000Z/x": b"foreign",
        f"{ours}notes.txt": b"foreign",
        f"{ours}20240101T000000Z": b"a file, no folder",
        ".bucketvault-archive/another-1/20250101T000000Z/x": b"of another backup",
        ".bucketvault-archive/20250101T000000Z/x": b"of nobody",
    }
    for key, body in (go | stay).items():
        destination.put(key, body)
    return Planted(bucketvault, source, destination, go, stay)


def test_exactly_what_is_ours_and_old_goes_after_a_good_run(planted: Planted) -> None:
    program, source, destination, go, stay = planted
    restore_text = place(destination) + "RESTORE.txt"
    # An object of 2020 that is replaced now is a minute old as a kept version.
    changed = min(source.keys())
    former = destination.objects()[changed]
    source.put(changed, b"new", Metadata={"mtime": "1577836800"})

    run = program.run()

    left = planted.left()
    del left[restore_text]
    (kept,) = [key for key in left if key.endswith(changed) and key not in stay]
    assert left.pop(kept) == former
    assert left == stay
    assert run["counts"]["purged"] == len(go) and run["warnings"] == []
    # purging is told apart from the run's own work
    assert run["counts"]["archived"] == 1 and run["counts"]["deleted"] == 0
    told = [json.loads(line) for line in program.raw_log(run["id"]).splitlines()]
    assert sum(line["msg"] == "Deleted" for line in told) == len(go)
    assert destination.copy() == source.objects()


@pytest.mark.slow
def test_a_clock_that_is_years_ahead_for_hours_costs_no_kept_version(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"a": b"one"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination, retention_days=30)
    begun, ahead = utcnow() - dt.timedelta(days=20), utcnow() + dt.timedelta(days=4000)
    moments = [begun, begun + dt.timedelta(days=1), ahead, ahead + dt.timedelta(hours=1)]

    for number, moment in enumerate(moments):
        source.put("a", b"v" * (number + 1))
        done = cli_at(bucketvault, moment, "run", "Photos", "--wait")
        assert done.code == 0, done
    kept = destination.kept()
    source.put("a", b"the last")
    cli_at(bucketvault, ahead + dt.timedelta(hours=14), "run", "Photos", "--wait")

    assert [body["a"] for _, body in sorted(kept.items())] == [b"v", b"vv", b"vvv"]
    # it has gone on for half a day: so it is true
    assert [body["a"] for _, body in sorted(destination.kept().items())] == [b"vv", b"vvv", b"vvvv"]


@pytest.mark.slow
def test_a_run_that_fails_or_is_held_lets_nothing_go(planted: Planted) -> None:
    program, source, destination = planted.program, planted.source, planted.destination
    before = destination.objects()
    for key in objects(5):
        source.delete(key)

    assert program.run()["reason"] == "brake"
    program.backup(source, destination, source_secret="wrong-secret-0001")
    assert program.run()["reason"] == "credentials"

    assert destination.objects() == before


@pytest.mark.slow
def test_a_run_that_fails_in_the_middle_lets_nothing_go(planted: Planted) -> None:
    program, source, destination, go, stay = planted
    with RefusingProxy(source.server.endpoint) as proxy:
        program.backup(source, destination, source_endpoint=proxy.endpoint)
        source.put("unreadable.txt", b"x")
        proxy.rules = [Rule("GET", r"/unreadable", 403, "AccessDenied")]

        run = program.run()

    assert run["status"] == "failed" and run["counts"]["purged"] == 0
    assert (go | stay).items() <= planted.left().items()


@pytest.mark.slow
def test_after_the_database_was_restored_nothing_goes_for_a_week(planted: Planted) -> None:
    program, before = planted.program, planted.left()
    restored = {"at": utcnow().isoformat(), "day": "2026-11-22"}
    with program.database(), writing():
        Setting.create(key=RESTORED, value=json.dumps(restored))

    program.run()
    soon = planted.left()
    cli_at(program, utcnow() + dt.timedelta(days=8), "run", "Photos", "--wait")

    assert soon == before and not planted.go.keys() & planted.left().keys()


@pytest.mark.slow
def test_a_backup_that_is_switched_off_lets_nothing_go(planted: Planted) -> None:
    program, source, destination, go, stay = planted
    program.backup(source, destination, enabled=False)

    run = program.run()

    assert run["status"] == "success" and run["counts"]["purged"] == 0
    assert (go | stay).items() <= planted.left().items()


@pytest.mark.parametrize("what", ["the listing", "the delete"])
@pytest.mark.slow
def test_a_destination_that_does_not_let_old_versions_go_is_a_warning(
    planted: Planted, what: str
) -> None:
    program, source, destination, go, stay = planted
    with RefusingProxy(destination.server.endpoint) as proxy:
        program.backup(source, destination, destination_endpoint=proxy.endpoint)
        signs = "no \x9b2J\x9b31m \u202etxt"  # what clears a terminal, and turns a line around
        if what == "the delete":
            proxy.rules = [Rule("DELETE", r"", 403, "AccessDenied", signs)]
        else:
            key = place(destination).split("/")[1]
            proxy.rules = [Rule("GET", rf"prefix=[^&]*{key}", 403, "AccessDenied", signs)]
        source.put("new.txt", b"new")

        run = program.run()

    assert run["status"] == "success" and run["counts"]["purged"] == 0, run
    (warning,) = run["warnings"]
    assert (
        "at Destination: " in warning
        and "/.bucketvault-archive/." in warning
        and "copy itself is not affected" in warning
    )
    assert r"AccessDenied: no \x9b2J\x9b31m \u202etxt" in warning
    told = program.cli("status")
    assert told.code == 3 and warning in told.out
    assert (go | stay).items() <= planted.left().items()
    assert destination.copy() == source.objects()


@pytest.mark.slow
def test_restore_text_is_written_also_where_nothing_may_be_deleted(planted: Planted) -> None:
    program, source, destination = planted.program, planted.source, planted.destination
    destination.delete(place(destination) + "RESTORE.txt")
    with RefusingProxy(destination.server.endpoint) as proxy:
        program.backup(source, destination, destination_endpoint=proxy.endpoint)
        proxy.rules = [Rule("DELETE", r"", 403, "AccessDenied")]

        run = program.run()

    assert run["status"] == "success" and run["warnings"]
    assert place(destination)


@pytest.mark.slow
def test_a_folder_that_may_not_go_does_not_keep_the_others(planted: Planted) -> None:
    program, source, destination, go, stay = planted
    with RefusingProxy(destination.server.endpoint) as proxy:
        program.backup(source, destination, destination_endpoint=proxy.endpoint)
        # as a bucket with object lock answers for some objects
        proxy.rules = [Rule("DELETE", OLD[0], 403, "AccessDenied")]

        run = program.run()

    left = planted.left()
    locked = {key: body for key, body in go.items() if OLD[0] in key}
    assert run["status"] == "success" and len(run["warnings"]) == 1
    assert run["counts"]["purged"] == len(go) - len(locked)
    assert go.items() & left.items() == locked.items() and stay.items() <= left.items()


def tidy(program: Program, destination: Bucket, **replaced: Any) -> None:
    """Tidy after the newest run, past the program, with its database open."""
    run = BackupRun.select().order_by(BackupRun.id.desc()).get()
    kept_versions.tidy(
        find_binary(),
        destination.remote(),
        run,
        **{
            "stopped": threading.Event(),
            "keep_open": (),
            "on_log": lambda data: None,
            **replaced,
        },
    )


@pytest.mark.slow
def test_whoever_keeps_more_while_a_run_is_under_way_loses_nothing_to_it(planted: Planted) -> None:
    program, destination, go = planted.program, planted.destination, planted.go

    with program.database(), connection():
        with writing():
            Backup.update(retention_days=3650).execute()
        tidy(program, destination)

    assert go.items() <= planted.left().items()


@pytest.mark.slow
def test_a_full_disk_while_tidying_is_no_fault_of_the_run(planted: Planted) -> None:
    program, destination = planted.program, planted.destination

    def full(data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        program.database(),
        connection(),
        pytest.raises(KeptVersionsError, match="copy itself is not affected") as said,
    ):
        tidy(program, destination, on_log=full)

    assert "No space left" in said.value.detail


@pytest.mark.slow
def test_a_database_held_by_somebody_else_only_delays_what_is_noted_of_tidying(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, destination, go = planted.program, planted.destination, planted.go
    destination.delete(place(destination) + "RESTORE.txt")
    hasty = dict(database.OF_A_CONNECTION) | {"busy_timeout": 50}
    monkeypatch.setattr(database, "OF_A_CONNECTION", tuple(hasty.items()))
    other = sqlite3.connect(program.data_dir / "bucketvault.sqlite3", isolation_level=None)

    with program.database(), connection():
        other.execute("BEGIN IMMEDIATE")
        tidy(program, destination)
    other.close()

    assert place(destination)
    assert not go.keys() & set(destination.keys(".bucketvault-archive/"))


@pytest.mark.slow
def test_a_program_killed_while_it_tidies_ends_the_run_as_good_and_lets_the_rest_go(
    planted: Planted,
) -> None:
    program, source, destination, go, stay = planted
    source.put("new.txt", b"new")
    slow = program.folder / "rclone-that-hangs-at-the-second-purge"
    again = program.folder / "purged-once"
    hang = f'if [ "$3" = purge ]; then [ -e {again} ] && exec sleep 100; touch {again}; fi'
    slow.write_text(f'#!/bin/bash\n{hang}\nexec {rclone_path()} "$@"\n')
    slow.chmod(0o755)
    app = program.start("run", "Photos", "--wait", BUCKETVAULT_RCLONE=str(slow))
    until("one folder is gone", lambda: not destination.keys(place(destination) + OLD[0]))
    until("it is at the next", lambda: program.status()["backups"][0]["active_run"])
    app.send_signal(signal.SIGKILL)
    app.wait()
    active = program.status()["backups"][0]["active_run"]
    assert active["phase"] == "tidying"
    assert destination.keys(place(destination) + OLD[1])

    done = program.cli("run", "Photos", "--wait")

    assert done.code == 0, done
    first, rest = all_runs(program)[1:]
    assert (first["status"], first["exit_code"], first["copied"]) == ("success", 0, 1)
    assert [each["code"] for each in first["warnings"]] == ["tidying_cut"]
    assert first["purged"] + rest["purged"] == len(go)
    left = planted.left()
    assert not go.keys() & left.keys() and stay.items() <= left.items()


def all_runs(program: Program) -> list[dict[str, Any]]:
    """Every run, oldest first, read past the program."""
    with program.database(), connection():
        return list(BackupRun.select().order_by(BackupRun.id).dicts())


def test_a_folder_goes_also_beside_an_object_of_its_very_name(
    moto: MotoServer, new_bucket: NewBucket
) -> None:
    ours = ".bucketvault-archive/photos-1"
    stay = {f"{ours}/{OLD[0]}": b"an object", f"{ours}/{OLD[1]}/x": b"kept", f"{ours}/y": b"y"}
    destination = new_bucket(moto, stay | {f"{ours}/{OLD[0]}/../x": b"old"})

    KeptVersions(find_binary(), destination.remote(), destination.name, "photos-1").purge(OLD[0])

    assert destination.objects() == stay


@pytest.mark.slow
@pytest.mark.parametrize("what", ["changed", "deleted"])
def test_kept_versions_of_a_provider_that_was_changed_under_way_are_left_alone(
    bucketvault: Program,
    pausing: PausingS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    what: str,
) -> None:
    source, destination = new_bucket(pausing, objects(10, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    command = bucketvault.start("run", "Photos", "--wait")
    until("the first are copied", lambda: len(destination.copy_keys()) == pausing.FIRST)
    with RefusingProxy(elsewhere.endpoint) as proxy:
        if what == "changed":  # with its key entered again, as another address asks for
            bucketvault.backup(source, destination, destination_endpoint=proxy.endpoint)
        else:
            with bucketvault.database(), connection(), writing():
                Backup.update(destination_storage=1).execute()
                Storage.delete().where(Storage.id == 2).execute()
                Provider.delete().where(Provider.name == "Destination").execute()

        pausing.thaw()
        command.communicate(timeout=60)

    run = bucketvault.last_run()
    assert run["status"] == "success", run
    assert "changed or deleted after this run began" in run["warnings"][0]
    assert proxy.seen == []
    assert destination.copy() == source.objects()


# ---- what is shown of them


@pytest.mark.slow
def test_kept_versions_are_told_by_folder_with_foreign_names_apart(planted: Planted) -> None:
    destination, go, stay = planted.destination, planted.go, planted.stay
    key = place(destination).split("/")[1]

    kept = KeptVersions(find_binary(), destination.remote(), destination.name, key).kept(30)

    ours = place(destination)
    planted_folders = {name.removeprefix(ours).split("/")[0] for name in go} | {
        next(name for name in stay if stay[name] == b"young").removeprefix(ours).split("/")[0]
    }
    assert [folder.stamp for folder in kept.folders] == sorted(planted_folders, reverse=True)
    oldest = kept.folders[-1]
    assert (oldest.stamp, oldest.objects, oldest.size_bytes) == (OLD[0], 2, 6)
    assert oldest.goes_at - oldest.replaced_at == dt.timedelta(days=30)
    assert kept.foreign == (
        "20240101T000000Z",
        "20250101T000000Z-notes",
        "20251301T000000Z",
        "notes",
        "notes.txt",
    )
