"""The detached runner: what it starts and leaves behind, with another program as rclone."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bucketvault.engine.domain.copy_state import CopyKind, copy_state
from bucketvault.engine.events import Live
from bucketvault.engine.rclone import runner
from bucketvault.engine.runs import outcome, queue
from bucketvault.engine.runs.folder import RunFolder, reap
from bucketvault.engine.runs.row import RunContext
from bucketvault.engine.runs.worker import Worker
from bucketvault.store.database import connection, writing
from bucketvault.store.models import BackupRun, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Phase, Reason, RunStatus, Trigger
from tests.store_fixtures import a_backup
from tests.support.passes import rclone_step, stand_in, start
from tests.support.program import until


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs", "a run")


def test_rclone_gets_the_places_it_was_meant_to_whatever_they_are_called(
    folder: RunFolder, tmp_path: Path
) -> None:
    places = [f"source:photos/{runner.CONFIG_MARK}", f"dest:{runner.CONFIG_MARK}/copies"]
    says_its_arguments = stand_in(tmp_path / "rclone", 'printf "%s\\n" "$@"; cat "$2"')

    start(folder, says_its_arguments, rclone_step("sync", *places))
    until("nobody works on it any more", folder.is_free)

    words = folder.spool.read_text("utf-8").splitlines()
    assert words[3:] == ["sync", *places, "the configuration"]
    reap()


# ---- ends of runs whose rclone never started


@pytest.fixture
def context(tmp_path: Path, vault: Vault) -> RunContext:
    ending = threading.Event()
    runs = tmp_path / "runs"
    return RunContext(
        runs, runs.parent / "ledgers", vault, rclone="", live=Live(), ending=ending, stall_s=600.0
    )


@pytest.fixture
def begun(context: RunContext, ends: tuple[Storage, Storage]) -> BackupRun:
    """A run that has just gone on to copying, as a program left it that was killed then."""
    queue.enqueue(a_backup("Photos", *ends).id, Trigger.MANUAL)
    return begins_to_copy(context)


def begins_to_copy(context: RunContext) -> BackupRun:
    claimed = queue.claim(context.runs, 1)
    assert claimed is not None
    run, folder, lock = claimed
    with writing():
        assert run.change(RunStatus.RUNNING, phase=Phase.COPYING)
    (folder.path / runner.SPEC).write_text("{}", "utf-8")
    no_configuration = subprocess.DEVNULL  # what a pipe is whose writer died
    subprocess.run(
        [sys.executable, "-I", "-S", runner.__file__, str(folder.path), str(lock)],
        stdin=no_configuration,
        pass_fds=(lock,),
        check=True,
    )
    os.close(lock)
    return run


def adopted(context: RunContext, run: BackupRun) -> BackupRun:
    """The run after the next program looked after it."""
    Worker(context, run, RunFolder(context.runs, run.uuid), None).work()
    with connection():
        return BackupRun.get_by_id(run.id)


def test_a_run_whose_program_was_killed_as_rclone_was_to_be_started_waits_again_once(
    context: RunContext, begun: BackupRun
) -> None:
    once = adopted(context, begun)
    assert (once.status, once.phase, once.requeued) == (RunStatus.PENDING, None, True)

    twice = adopted(context, begins_to_copy(context))

    assert (twice.status, twice.reason) == (RunStatus.FAILED, Reason.INTERRUPTED)
    assert twice.hint == "Nothing was changed. Run the backup again."
    assert left_untouched(twice)


def test_a_run_that_was_stopped_as_rclone_was_to_be_started_is_told_as_stopped(
    context: RunContext, begun: BackupRun
) -> None:
    queue.request_stop(begun.id)

    run = adopted(context, begun)

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.STOPPED) and left_untouched(run)


def left_untouched(run: BackupRun) -> bool:
    state = copy_state(run)
    return state is not None and state.kind == CopyKind.UNTOUCHED


NOT_STARTED = {
    errno.ENOENT: (Reason.RCLONE_MISSING, "rclone is missing or too old."),
    errno.EACCES: (Reason.RCLONE_MISSING, "rclone is missing or too old."),
    errno.ENOEXEC: (Reason.RCLONE_MISSING, "rclone is missing or too old."),
    errno.EAGAIN: (
        Reason.INTERRUPTED,
        "This machine could not start another process: Resource temporarily unavailable.",
    ),
    errno.ENOMEM: (
        Reason.NO_MEMORY,
        "This machine could not start another process: Cannot allocate memory.",
    ),
    errno.ENOSPC: (Reason.DISK_FULL, "The disk of this machine is full."),
    errno.ETXTBSY: (
        Reason.RCLONE_ERROR,
        "rclone could not be started: Text file busy: '/usr/bin/rclone'.",
    ),
}


@pytest.mark.parametrize("number", NOT_STARTED, ids=errno.errorcode.get)
def test_a_run_whose_rclone_could_not_be_started_says_why_and_touched_nothing(
    context: RunContext, begun: BackupRun, number: int
) -> None:
    of_a_file = () if number in (errno.EAGAIN, errno.ENOMEM) else ("/usr/bin/rclone",)
    error = OSError(number, os.strerror(number), *of_a_file)
    left = {"exit_code": None, "error": str(error), "errno": number, "ended_at": time.time()}
    exit_file = context.runs / begun.uuid / runner.EXIT
    exit_file.write_text(json.dumps(left), "utf-8")

    run = adopted(context, begun)

    assert (run.reason, run.explanation) == NOT_STARTED[number]
    assert run.exit_code is None and left_untouched(run)


@pytest.mark.parametrize(
    ("content", "number"),
    [(None, errno.ENOENT), ("no program", errno.ENOEXEC)],
    ids=["missing", "no program"],
)
def test_the_runner_tells_the_systems_own_number_of_why_rclone_did_not_start(
    folder: RunFolder, tmp_path: Path, content: str | None, number: int
) -> None:
    rclone = tmp_path / "rclone"
    if content is not None:
        rclone.write_text(content, "utf-8")
        rclone.chmod(0o700)

    start(folder, rclone, rclone_step())
    until("nobody works on it any more", folder.is_free)

    record = folder.exit_record()
    assert record is not None and record.exit_code is None
    assert record.error_number == number and str(rclone) in record.error
    reap()


def test_a_disk_that_was_full_while_a_run_checked_is_no_fault_of_ours() -> None:
    full = outcome.internal(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)))
    other = outcome.internal(OSError(errno.EIO, os.strerror(errno.EIO)))

    assert (full.reason, other.reason) == (Reason.DISK_FULL, Reason.INTERNAL)
