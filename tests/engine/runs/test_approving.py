"""A held run goes through once it was approved as shown; a preview only shows it."""

import contextlib
import datetime as dt
import os
import signal
from typing import Any

import psutil
import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.runs import queue
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import RunStatus, Trigger
from tests.conftest import NewBucket
from tests.engine.runs.held import assert_held, is_held, logged
from tests.support.at_time import cli_at
from tests.support.program import Bucket, Program, objects, until
from tests.support.proxies import FrozenServer
from tests.support.servers import RcloneS3

KEYS = sorted(objects(40))


@pytest.fixture
def waiting(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> tuple[Program, Bucket, Bucket]:
    """A backup whose last run is held: 24 of 40 objects are gone at the source."""
    source, destination = new_bucket(here, objects(40)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    for key in KEYS[:24]:
        source.delete(key)
    assert bucketvault.run()["reason"] == "brake"
    return bucketvault, source, destination


@pytest.mark.slow
def test_an_approved_run_is_held_again_when_others_than_were_shown_would_go(waiting) -> None:
    """12 more are few of 40, but most of the 16 that the approval leaves."""
    program, source, destination = waiting
    before = destination.copy()
    for key in KEYS[24:36]:
        source.delete(key)

    run = is_held(
        program, destination, "12 objects more than was approved", "36 of 40", how=("--approve",)
    )
    named = logged(program, run)
    again = program.cli("run", "Photos", "--approve")

    assert named == {"gone": set(KEYS[:36])}
    assert again.code == 0 and destination.copy() == source.objects()
    (kept,) = destination.kept().values()
    assert kept == {key: before[key] for key in KEYS[:36]}


@pytest.mark.slow
def test_an_approval_of_many_is_none_of_fewer_others(waiting) -> None:
    program, source, destination = waiting
    program.backup(source, destination, shrink_limit_percent=30)
    for key in KEYS[:24]:
        source.put(key, objects(40)[key])
    for key in KEYS[24:]:
        source.delete(key)

    is_held(program, destination, "more than was approved", "16 of 40", how=("--approve",))


@pytest.mark.slow
def test_an_approved_run_removes_the_few_others_that_any_run_may(waiting) -> None:
    program, source, destination = waiting
    source.delete(KEYS[24])

    done = program.cli("run", "Photos", "--approve")

    assert done.code == 0 and program.last_run()["counts"]["deleted"] == 25
    assert destination.copy() == source.objects()


@pytest.mark.slow
def test_a_held_plan_that_is_damaged_approves_nothing_and_can_be_asked_for_again(waiting) -> None:
    program, source, destination = waiting
    (names,) = program.data_dir.glob("ledgers/*.held/to_do-gone.gz")
    names.write_bytes(names.read_bytes()[:-9])

    done = program.cli("run", "Photos", "--approve")
    warned, held, *_ = done.err.splitlines()
    untouched = destination.copy_keys()
    again = program.cli("run", "Photos", "--approve")

    assert done.code == 1 and "the approved plan is damaged" in warned
    assert held.startswith("Photos: Held: 24 of 40 objects would be removed.")
    assert len(untouched) == 40
    assert again.code == 0 and destination.copy() == source.objects()


@pytest.mark.slow
def test_after_a_good_run_no_plan_is_kept(waiting) -> None:
    program, _, _ = waiting

    assert program.cli("run", "Photos", "--approve").code == 0

    assert list(program.data_dir.glob("ledgers/*.held")) == []
    assert len(list(program.data_dir.glob("ledgers/*.gz"))) == 1


@pytest.mark.slow
def test_a_command_from_an_older_mail_approves_no_newer_run(waiting) -> None:
    program, source, destination = waiting
    older = program.last_run()["id"]
    for key in KEYS[24:27]:
        source.delete(key)
    newer = program.run()["id"]

    refused = program.cli("run", "Photos", "--approve", str(older))

    assert refused.code == 1 and refused.out == ""
    assert f"Run {older} is not the run of Photos that is held now." in refused.err
    assert f"The held run is {newer}. Held: 27 of 40 objects would be removed.\n" in refused.err
    assert f"bucketvault run Photos --approve {newer}\n" in refused.err
    assert program.last_run()["id"] == newer and len(destination.copy_keys()) == 40

    approved = program.cli("run", "Photos", "--approve")

    first = approved.out.splitlines()[0]
    assert approved.code == 0 and destination.copy() == source.objects()
    assert first.startswith(f"Photos: approving run {newer} of ")
    assert first.endswith(". Held: 27 of 40 objects would be removed.")


@pytest.mark.slow
def test_an_approved_run_goes_through_when_there_is_less_to_do_by_now(waiting) -> None:
    program, source, destination = waiting
    source.put(KEYS[0], objects(40)[KEYS[0]])

    done = program.cli("run", "Photos", "--approve")

    assert done.code == 0 and program.last_run()["counts"]["deleted"] == 23
    assert destination.copy() == source.objects()


@pytest.mark.parametrize(("hours", "code"), [(23.5, 0), (24.5, 1)])
@pytest.mark.slow
def test_an_approval_holds_for_a_day(waiting, hours: float, code: int) -> None:
    program, source, destination = waiting
    with program.database(), connection():
        queue.approve(BackupRun.select().order_by(BackupRun.id.desc()).get().id)

    done = cli_at(program, utcnow() + dt.timedelta(hours=hours), "run", "Photos", "--wait")

    assert done.code == code, done
    assert program.last_run()["trigger"] == "approved"
    if code:
        assert_held(program, done, "24 of 40 objects would be removed")
        assert len(destination.copy_keys()) == 40
    else:
        assert destination.copy() == source.objects()


@pytest.mark.slow
def test_what_was_held_before_the_backup_was_changed_cannot_be_approved(
    waiting, new_bucket: NewBucket
) -> None:
    program, source, destination = waiting
    program.backup(source, new_bucket(destination.server, {"somebody's": b"theirs"}))

    done = program.cli("run", "Photos", "--approve")

    assert done.code == 1 and "was changed since" in done.err
    assert len(destination.copy_keys()) == 40


@pytest.mark.slow
def test_an_approved_run_that_waits_asks_again_when_the_backup_is_changed_meanwhile(
    waiting, new_bucket: NewBucket
) -> None:
    program, source, destination = waiting
    with program.database(), connection():
        queue.approve(BackupRun.select().order_by(BackupRun.id.desc()).get().id)
    theirs = new_bucket(destination.server, {f"theirs-{n}": b"theirs" for n in range(12)})
    program.backup(source, theirs)

    is_held(program, theirs, "12 of 12 objects would be removed", "No run between these two")

    assert program.last_run()["trigger"] == "approved"


@pytest.mark.slow
def test_after_an_end_was_changed_nothing_may_be_removed_until_a_run_has_succeeded(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(30)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    elder = new_bucket(elsewhere, {**objects(30), "one more": b"x"})
    bucketvault.backup(source, elder)

    is_held(bucketvault, elder, "1 of 31 objects would be removed", "No run between these two")
    assert bucketvault.cli("run", "Photos", "--approve").code == 0
    source.delete(min(objects(30)))
    run = bucketvault.run()

    assert run["status"] == "success" and run["counts"]["deleted"] == 1
    assert elder.copy() == source.objects()


def test_what_an_attempt_found_that_went_back_to_the_queue_is_forgotten(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    """Else a source that is empty by now could be approved, with the numbers of before."""
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))
    runs = bucketvault.data_dir / "runs"
    runs.mkdir(exist_ok=True)
    with bucketvault.database(), connection():
        queue.enqueue(Backup.get().id, Trigger.CLI)
        claimed = queue.claim(runs, 1)
        assert claimed is not None
        found = Findings(removed=12, destination_objects=20).to_json()
        again = {"status": RunStatus.PENDING, "phase": None, "requeued": True}
        assert claimed[0].change(RunStatus.RUNNING, findings=found, source_objects=8, **again)
        os.close(claimed[2])

    done = bucketvault.cli("run", "Photos", "--wait")

    assert done.code == 1 and "is empty" in done.err and "--approve" not in done.err
    with bucketvault.database(), connection():
        run = BackupRun.get()
        assert (run.findings, run.source_objects) == ({}, None)


# ---- previews


@pytest.mark.slow
def test_a_preview_touches_nothing_and_is_no_run_as_far_as_results_go(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source = new_bucket(here, objects(3))
    destination = new_bucket(elsewhere, {"somebody's": b"theirs"})
    bucketvault.backup(source, destination)

    done = bucketvault.cli("run", "Photos", "--preview")

    assert done.code == 0, done
    assert "would copy 3, replace 0 and remove 1 objects. Nothing was changed" in done.out
    assert "somebody's  Would be removed" in done.out
    assert destination.objects() == {"somebody's": b"theirs"}
    status = bucketvault.status()["backups"][0]
    assert status["last_run"] is None and status["active_run"] is None
    assert "has not run yet" in bucketvault.cli("status").out
    with bucketvault.database(), connection():
        backup = Backup.get()
        assert backup.last_run_at is None
    # it is no success either: the first run still may not remove anything
    is_held(bucketvault, destination, "1 of 1 objects would be removed", "No run between these two")


@pytest.mark.slow
def test_a_preview_of_a_held_run_leaves_it_to_be_approved(waiting) -> None:
    program, source, destination = waiting
    held_run = program.last_run()

    preview = program.cli("run", "Photos", "--preview")

    assert preview.code == 0 and "remove 24 objects" in preview.out
    assert program.last_run() == held_run
    approved = program.cli("run", "Photos", "--approve")
    assert approved.code == 0 and destination.copy() == source.objects()


@pytest.mark.slow
def test_a_preview_that_cannot_be_made_says_why(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))

    done = bucketvault.cli("run", "Photos", "--preview")

    assert done.code == 1 and "is empty" in done.err
    assert bucketvault.status()["backups"][0]["last_run"] is None


# ---- stopping while it checks


@pytest.mark.slow
def test_a_run_can_be_stopped_while_it_looks(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere, {"old": b"old"})
    with FrozenServer() as frozen:
        bucketvault.backup(source, destination, source_endpoint=frozen.endpoint)
        app = bucketvault.start("run", "Photos", "--wait")
        until("it looks", lambda: helpers(app, "bucketvault.engine.listing"))

        app.send_signal(signal.SIGINT)
        _, err = app.communicate(timeout=20)

    run = bucketvault.last_run()
    assert (app.returncode, run["status"], run["reason"]) == (1, "failed", "stopped")
    assert "Nothing was changed" in err and destination.objects() == {"old": b"old"}


def helpers(app: Any, word: str) -> list[psutil.Process]:
    """The processes that the command looks with, those with `word` in their command line."""
    found = []
    for process in psutil.Process(app.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # ended meanwhile
            if word in " ".join(process.cmdline()):
                found.append(process)
    return found
