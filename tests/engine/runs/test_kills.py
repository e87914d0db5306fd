"""Whatever is killed in the middle of a run, its end is told as it was."""

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable

import psutil
import pytest

from bucketvault.store.database import connection
from bucketvault.store.models import BackupRun, counts_of
from bucketvault.vocabulary import WarningCode
from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Bucket, Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.slow


@pytest.fixture
def midway(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> tuple[Program, Bucket, Bucket, psutil.Process, psutil.Process]:
    """A run in its middle, its source waiting: program, both buckets, the command, its rclone."""
    source, destination = new_bucket(pausing, objects(60, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    app = psutil.Process(bucketvault.start("run", "Photos", "--wait").pid)
    until("the first are copied", lambda: len(destination.copy_keys()) == pausing.FIRST)
    # looked for only now: the one that checked, before it, is gone
    rclone = until("rclone copies", lambda: next(iter(bucketvault.rclones()), None))
    return bucketvault, source, destination, app, rclone


def runs(program: Program) -> list[dict]:
    """Every run, oldest first, read past the program."""
    with program.database(), connection():
        return [
            {
                "id": run.id,
                "status": run.status,
                "reason": run.reason,
                "exit_code": run.exit_code,
                "finished_at": run.finished_at,
                "counts": counts_of(run),
            }
            for run in BackupRun.select().order_by(BackupRun.id)
        ]


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        process.kill()


def runner_of(rclone: psutil.Process) -> psutil.Process:
    runner = rclone.parent()
    assert runner is not None and any("runner.py" in word for word in runner.cmdline())
    return runner


def test_a_run_goes_on_when_the_program_is_killed_and_its_true_end_is_recorded(midway) -> None:
    program, source, destination, app, rclone = midway
    seen = set()

    kill(app)
    app.wait(10)

    def over() -> bool:
        seen.update(p.pid for p in program.rclones())
        (backup,) = program.status()["backups"]
        active = backup["active_run"]
        assert active is None or active["status"] == "running"
        return not active["on_its_own"]

    told = program.cli("status")
    assert "continues on its own" in told.out
    source.server.thaw()
    until("the run is over", over)
    assert seen == {rclone.pid}
    spool = (program.run_folder() / "rclone.log").read_bytes()
    done = program.cli("run", "Photos", "--wait")
    assert done.code == 0
    (first, second) = runs(program)
    assert (first["status"], first["exit_code"]) == ("success", 0)
    assert first["counts"]["copied"] == 60 and second["counts"]["copied"] == 0
    assert destination.copy() == source.objects()
    assert program.raw_log(first["id"]).startswith(spool)  # and what was found by looking again
    assert spool.endswith(b"}\n") and spool.count(b'"Copied (new)"') == 60


def test_the_next_command_adopts_a_run_that_still_copies(midway) -> None:
    program, source, destination, app, rclone = midway
    kill(app)
    app.wait(10)

    again = program.start("run", "Photos", "--wait")
    assert again.stdout is not None and "Photos: copying" in again.stdout.readline()
    source.server.thaw()

    assert again.wait(60) == 0
    (run,) = runs(program)
    assert run["counts"]["copied"] == 60 and run["exit_code"] == 0
    assert destination.copy() == source.objects() and not rclone.is_running()


def test_a_log_that_was_cut_hides_nothing_that_the_looks_tell(midway) -> None:
    program, source, destination, app, rclone = midway
    kill(app)
    source.server.thaw()
    until("rclone is gone", lambda: not rclone.is_running())
    folder = program.run_folder()
    assert folder is not None
    until("the runner has left its word", (folder / "exit.json").exists)
    spool = folder / "rclone.log"
    os.truncate(spool, spool.read_bytes().index(b'"Copied (new)"'))  # no line of the 60 is left

    again = program.cli("run", "Photos", "--wait")

    assert again.code == 0 and destination.copy() == source.objects()
    with program.database(), connection():
        run = BackupRun.get_by_id(1)  # the one that was killed
        assert run.explanation == "The copy is complete: 60 copied."
        assert (run.copied, run.bytes) == (60, 60 * 4000)
        assert [warning["code"] for warning in run.warnings] == [WarningCode.COUNTED]


VICTIMS: dict[str, tuple[Callable[..., None], str]] = {
    "rclone": (lambda app, rclone: kill(rclone), "killed"),
    "the runner": (lambda app, rclone: kill(runner_of(rclone)), "interrupted"),
    "all three": (lambda app, rclone: kill(app, runner_of(rclone), rclone), "interrupted"),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_whose_worker_was_killed_is_never_green(midway, victim: str) -> None:
    program, source, destination, app, rclone = midway
    strike, reason = VICTIMS[victim]

    strike(app, rclone)
    source.server.thaw()

    until("rclone is gone", lambda: not program.rclones())
    if victim == "all three":
        (backup,) = program.status()["backups"]
        assert backup["active_run"]["ended_unseen"] and program.cli("status").code == 1
        assert "not recorded yet" in program.cli("status").out
    else:
        app.wait(20)
    again = program.cli("run", "Photos", "--wait")
    first, second = runs(program)
    assert (first["status"], first["reason"]) == ("failed", reason), first
    assert first["exit_code"] == (-9 if victim == "rclone" else None)
    assert again.code == 0 and second["status"] == "success"
    assert program.raw_log(first["id"]).count(b'"Copied (new)"') == first["counts"]["copied"] > 0
    assert destination.copy() == source.objects()
    assert not list((program.data_dir / "runs").iterdir())


def test_an_older_database_put_back_in_the_middle_of_a_run_starts_no_second_rclone(
    midway,
) -> None:
    program, source, destination, app, rclone = midway
    kill(app)
    app.wait(10)
    database = program.data_dir / "bucketvault.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as older:
        older.execute("DELETE FROM backup_run")  # as it was before the run
        older.commit()

    again = program.start("run", "Photos", "--wait")
    assert again.stdout is not None and "waiting for its turn" in again.stdout.readline()
    assert [p.pid for p in program.rclones()] == [rclone.pid]
    source.server.thaw()

    assert again.wait(60) == 0
    (run,) = runs(program)
    assert run["counts"]["copied"] == 0 and destination.copy() == source.objects()


def test_a_run_killed_in_its_checks_again_and_again_is_not_tried_for_ever(
    bucketvault: Program, new_bucket: NewBucket, elsewhere: RcloneS3, tmp_path
) -> None:
    with RcloneS3(tmp_path / "own", "AKIAOWNEXAMPLE00003", "own-secret-0003") as own:
        bucketvault.backup(new_bucket(own, objects(3)), new_bucket(elsewhere))
        own.freeze()
        for _ in range(2):
            app = bucketvault.start("run", "Photos", "--wait")
            until("the source is asked", lambda: asks(app))  # noqa: B023 - asked in this turn
            app.kill()
            app.wait()
        own.thaw()

        bucketvault.cli("run", "Photos", "--wait")

    first, second = runs(bucketvault)
    assert (first["status"], first["reason"]) == ("failed", "interrupted")
    assert second["status"] == "success"


def test_ctrl_c_stops_the_run_of_a_command_that_does_the_work(midway) -> None:
    program, _, destination, app, rclone = midway

    os.kill(app.pid, signal.SIGINT)

    assert app.wait(40) == 1
    run = program.last_run()
    assert (run["status"], run["reason"]) == ("failed", "stopped")
    assert not rclone.is_running() and 0 < len(destination.copy_keys()) < 60


def test_sigterm_leaves_the_run_to_itself(midway) -> None:
    program, source, _, app, rclone = midway

    app.terminate()

    assert app.wait(20) == 128 + signal.SIGTERM
    assert rclone.is_running()
    assert program.status()["backups"][0]["active_run"]["on_its_own"] is True
    source.server.thaw()
    assert program.cli("run", "Photos", "--wait").code == 0
    assert runs(program)[0]["status"] == "success"


def test_a_program_killed_while_it_checks_lets_the_run_wait_again(
    bucketvault: Program, new_bucket: NewBucket, elsewhere: RcloneS3, tmp_path
) -> None:
    with RcloneS3(tmp_path / "own", "AKIAOWNEXAMPLE00001", "own-secret-0001") as own:
        source, destination = new_bucket(own, objects(3)), new_bucket(elsewhere)
        bucketvault.backup(source, destination)
        own.freeze()
        app = bucketvault.start("run", "Photos", "--wait")
        until("the source is asked", lambda: asks(app))
        app.kill()
        app.wait()
        own.thaw()

        done = bucketvault.cli("run", "Photos", "--wait")

    (run,) = runs(bucketvault)
    assert done.code == 0 and run["status"] == "success" and run["counts"]["copied"] == 3


LOOK = "bucketvault.engine.listing"


def asks(app) -> bool:
    try:
        return any(LOOK in p.cmdline() for p in psutil.Process(app.pid).children())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # a call that has just ended
        return False


def test_a_look_dies_with_the_program(
    bucketvault: Program, new_bucket: NewBucket, elsewhere: RcloneS3, tmp_path
) -> None:
    with RcloneS3(tmp_path / "own", "AKIAOWNEXAMPLE00002", "own-secret-0002") as own:
        bucketvault.backup(new_bucket(own, objects(3)), new_bucket(elsewhere))
        own.freeze()
        app = bucketvault.start("run", "Photos", "--wait")
        until("the source is asked", lambda: asks(app))
        (helper,) = psutil.Process(app.pid).children()

        app.kill()

        until("the helper is gone", lambda: not helper.is_running())
        own.thaw()


def test_two_commands_at_once_make_one_run(midway) -> None:
    program, source, *_ = midway

    second = program.cli("run", "Photos")
    third = program.start("run", "Photos", "--wait")
    assert third.stdout is not None and "Photos: copying" in third.stdout.readline()
    source.server.thaw()

    assert second.code == 0 and "already in progress" in second.out
    assert third.wait(60) == 0 and len(runs(program)) == 1


def test_the_time_a_run_took_is_not_the_time_until_it_was_found(midway) -> None:
    program, source, _, app, rclone = midway
    kill(app)
    source.server.thaw()
    until("the run is over", lambda: not rclone.is_running())
    ended = time.time()
    until("a while passes", lambda: time.time() > ended + 3)

    program.cli("run", "Photos", "--wait")

    assert runs(program)[0]["finished_at"].timestamp() < ended + 2
