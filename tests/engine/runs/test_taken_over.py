"""Runs that a program left in a narrow moment: the next one tells the truth about them."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.domain.copy_state import CopyKind, copy_state
from bucketvault.engine.events import Live
from bucketvault.engine.rclone import runner
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.runs.outcome import RunOutcome
from bucketvault.engine.runs.row import RunContext, RunRow
from bucketvault.engine.runs.worker import Worker
from bucketvault.store.database import connection, writing
from bucketvault.store.models import BackupRun, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Phase, Reason, RunStatus, Trigger, WarningCode
from tests.store_fixtures import a_backup


@pytest.fixture
def context(tmp_path: Path, vault: Vault) -> RunContext:
    shared: dict[str, Any] = {"vault": vault, "rclone": "", "live": Live(), "stall_s": 600.0}
    folders = {"runs": tmp_path / "runs", "ledgers": tmp_path / "ledgers"}
    return RunContext(ending=threading.Event(), **folders, **shared)


@pytest.fixture
def claimed(context: RunContext, ends: tuple[Storage, Storage]) -> BackupRun:
    """A run that a program has claimed, and left. Its keys do not decrypt: it does not go far."""
    queue.enqueue(a_backup("Photos", *ends).id, Trigger.MANUAL)
    return claim(context)


def claim(context: RunContext) -> BackupRun:
    taken = queue.claim(context.runs, 1)
    assert taken is not None
    run, _, lock = taken
    os.close(lock)
    return run


def left(run: BackupRun, **columns: object) -> BackupRun:
    with writing():
        assert run.change(RunStatus.RUNNING, **columns)
    return run


def adopted(context: RunContext, run: BackupRun) -> BackupRun:
    """The run after the next program looked after it."""
    Worker(context, BackupRun.get_by_id(run.id), RunFolder(context.runs, run.uuid), None).work()
    with connection():
        return BackupRun.get_by_id(run.id)


def ended(folder: Path, *, number: int) -> None:
    """Leave what a pass that came to its end leaves."""
    (folder / runner.SPEC).write_text(json.dumps({"pass": number}))
    end = {"exit_code": 0, "stopped": False, "steps": [["copy", 0]]}
    (folder / runner.EXIT).write_text(json.dumps(end))


def test_a_first_pass_that_was_noted_and_not_begun_has_touched_nothing(
    context: RunContext, claimed: BackupRun
) -> None:
    once = adopted(context, left(claimed, phase=Phase.COPYING, passes=1))
    assert (once.status, once.passes, once.requeued) == (RunStatus.PENDING, 0, True)

    twice = adopted(context, left(claim(context), phase=Phase.COPYING, passes=1))

    assert (twice.reason, twice.phase) == (Reason.INTERRUPTED, Phase.CHECKING)
    state = copy_state(twice)
    assert state is not None and state.kind is CopyKind.UNTOUCHED


def test_a_later_pass_that_was_noted_and_not_begun_does_not_count(
    context: RunContext, claimed: BackupRun
) -> None:
    ended(context.runs / claimed.uuid, number=1)

    run = adopted(context, left(claimed, phase=Phase.COPYING, passes=2))

    assert (run.reason, run.passes, run.phase) == (Reason.CREDENTIALS, 1, Phase.COPYING)


def test_a_pass_that_was_begun_counts_although_a_restored_row_does_not_know_it(
    context: RunContext, claimed: BackupRun
) -> None:
    ended(context.runs / claimed.uuid, number=2)

    run = adopted(context, left(claimed, phase=Phase.CHECKING, passes=0))

    assert (run.reason, run.passes, run.phase) == (Reason.CREDENTIALS, 2, Phase.COPYING)


@pytest.mark.parametrize("passes", [0, 1])
def test_a_run_that_was_proven_is_good_although_its_clean_up_was_cut(
    context: RunContext, claimed: BackupRun, passes: int
) -> None:
    proof = {"at": "2026-11-22T03:41:00+00:00", "source_objects": 3, "present": 3, "same_hash": 3}
    warning = {"code": WarningCode.LEDGER_LOST, "names": []}
    given = {"passes": passes, "proof": proof, "warnings": [warning], "checked": 3, "copied": 2}

    run = adopted(context, left(claimed, phase=Phase.TIDYING, exit_code=0, **given))

    assert (run.status, run.requeued, run.passes) == (RunStatus.SUCCESS, False, passes)
    assert (run.proof, run.copied, run.checked) == (proof, 2, 3)
    codes = [each["code"] for each in run.warnings]
    assert codes == [WarningCode.LEDGER_LOST, WarningCode.TIDYING_CUT]
    assert run.explanation == "The copy is complete: 2 copied."


def test_settings_that_cannot_be_read_end_the_run_and_not_the_program(
    context: RunContext, claimed: BackupRun
) -> None:
    left(claimed, phase=Phase.COPYING, passes=1, spec={"of": "another version"})
    folder = context.runs / claimed.uuid
    (folder / runner.SPEC).write_text(json.dumps({"pass": 1}))
    (folder / runner.EXIT).write_text(json.dumps({"exit_code": 0, "steps": [["copy", 0]]}))

    run = adopted(context, claimed)

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.REFUSED)
    assert run.explanation == "The settings of this run cannot be read."


def test_an_end_that_cannot_be_written_ends_the_run_as_a_fault_of_ours(
    context: RunContext, claimed: BackupRun
) -> None:
    half = RunOutcome(RunStatus.SUCCESS, "half a sign: \udc80")

    RunRow(claimed, context.ending).finish(half)

    run = BackupRun.get_by_id(claimed.id)
    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.INTERNAL)
    assert run.detail == "UnicodeEncodeError"
