"""`run`, `verify`: a run of a backup, queued for the server or done by this command itself."""

import argparse
from collections.abc import Callable
from zoneinfo import ZoneInfo

from bucketvault.cli import NEWEST
from bucketvault.cli.log import print_log
from bucketvault.cli.watching import (
    EXIT_OK,
    Watch,
    approval_command,
    approving_in_words,
    become_engine,
    hold_words,
)
from bucketvault.config import Config
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.runs import queue, verifying
from bucketvault.engine.views import backups
from bucketvault.errors import BucketvaultError, InUseError
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import RunKind, Trigger


def run(given: argparse.Namespace, config: Config) -> int:
    """Run a backup, or preview it, or approve a held run of it; returns the exit code."""
    open_store(config)
    backup = backups.backup_by_name(given.name)
    approved = None if given.approve is None else _held(backup, given.approve)
    if approved is not None:  # printed before anything starts: only what was shown is approved
        zone = ZoneInfo(timetable.server_time_zone())
        for line in approving_in_words(approved, zone, utcnow()):
            print(line, flush=True)

    def enqueue() -> tuple[int, bool]:
        if approved is not None:
            return queue.approve(approved.id), True
        kind = RunKind.PREVIEW if given.preview else RunKind.COPY
        return queue.enqueue(backup.id, Trigger.CLI, kind=kind)

    run_id, code = _started(config, backup, enqueue, wait=given.wait or given.preview)
    if given.preview and code == EXIT_OK:
        print_log(run_id, ZoneInfo(timetable.server_time_zone()), 0)
    return code


def _started(
    config: Config,
    backup: backups.BackupRow,
    enqueue: Callable[[], tuple[int, bool]],
    *,
    wait: bool,
) -> tuple[int, int]:
    """Queue a run, and watch it where that was asked for or nobody else does the work.

    Return its number and the exit code.
    """
    engine = become_engine(config)
    try:
        run_id, new = enqueue()
    except BucketvaultError:
        if engine is not None:
            engine.stop()
        raise
    if not wait:
        if engine is None:
            said = "queued" if new else "under way already"
            print(f"{backup.name}: {said}, run {run_id}. See it: bucketvault log {run_id} --follow")
            return run_id, EXIT_OK
        print("No bucketvault is serving, so this command does the work itself and waits.")
    return run_id, Watch(config, run_id, engine).to_the_end()


def verify(given: argparse.Namespace, config: Config) -> int:
    """Read all of a backup at both ends; returns the exit code."""
    open_store(config)
    backup = backups.backup_by_name(given.name)

    def enqueue() -> tuple[int, bool]:
        return verifying.enqueue(config.ledgers, backup.id, Trigger.CLI)

    return _started(config, backup, enqueue, wait=given.wait)[1]


def _held(backup: backups.BackupRow, number: int) -> backups.RunView:
    """Return the held run of this number, or the newest. Raises InUseError: it is not held now."""
    held = backup.last_run
    if held is None or not held.can_be_approved:
        raise InUseError(f"No run of {backup.name} is held for your approval.")
    if number not in (NEWEST, held.id):
        raise InUseError(
            f"Run {number} is not the run of {backup.name} that is held now. Nothing was started.",
            f"That is run {held.id}. {hold_words(held)}",
            f"Approve it: {approval_command(backup.name, held.id)}",
        )
    return held
