"""`run`, `verify`, `stop`, `enable`, `disable`: runs of a backup, done by a server or by us."""

import argparse
from collections.abc import Callable

from bucketvault import humanize
from bucketvault.cli.log import find_run, print_lines
from bucketvault.cli.parser import NEWEST
from bucketvault.cli.status import schedule_in_words, zone_of
from bucketvault.cli.watching import (
    EXIT_FAILED,
    EXIT_OK,
    Watch,
    approval_command,
    approving_in_words,
    become_engine,
    hold_words,
)
from bucketvault.config import Config
from bucketvault.engine.catalogue import backups as catalogue
from bucketvault.engine.folder_lock import holder
from bucketvault.engine.runs import queue, verifying
from bucketvault.engine.views import backups
from bucketvault.errors import BucketvaultError, InUseError
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import RunKind, Trigger


def run_backup(given: argparse.Namespace, config: Config) -> int:
    """Run a backup, or preview it, or approve a held run of it; returns the exit code."""
    open_store(config)
    backup = backups.backup_by_name(given.name)
    approved = None if given.approve is None else _held(backup, given.approve)
    if approved is not None:  # printed before anything starts: only what was shown is approved
        for line in approving_in_words(approved, utcnow()):
            print(line, flush=True)

    def enqueue() -> tuple[int, bool]:
        if approved is not None:
            return queue.approve(approved.id), True
        kind = RunKind.PREVIEW if given.preview else RunKind.COPY
        return queue.enqueue(backup.id, Trigger.CLI, kind=kind)

    run_id, code = _started(config, backup, enqueue, wait=given.wait or given.preview)
    if given.preview and code == EXIT_OK:
        print_lines(run_id, zone_of([backup]), 0)
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
            said = "queued" if new else "already in progress"
            print(
                f"{backup.name}: {said}, run {run_id}. Follow it: bucketvault log {run_id} --follow"
            )
            return run_id, EXIT_OK
        print("No bucketvault server is running, so this command does the work and waits.")
    return run_id, Watch(config, run_id, engine).to_the_end()


def verify_backup(given: argparse.Namespace, config: Config) -> int:
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
            f"The held run is {held.id}. {hold_words(held)}",
            f"Approve it: {approval_command(backup.name, held.id)}",
        )
    return held


def stop_run(given: argparse.Namespace, config: Config) -> int:
    """Stop a run and wait until it has ended; returns the exit code."""
    open_store(config)
    run = backups.run(find_run(given.run))
    if not run.status.is_active:
        print(f"{run.backup_name} is not running; run {run.id} has ended.")
        return EXIT_OK
    queue.request_stop(run.id)  # of one that waits this is its end
    # where no server is at work, it ends this run, and starts no other
    Watch(config, run.id, None, starts=False).to_the_end()
    return EXIT_FAILED if backups.run(run.id).status.is_active else EXIT_OK


def switch(given: argparse.Namespace, config: Config, *, on: bool) -> int:
    """Turn a backup's schedule on or off; returns the exit code."""
    open_store(config)
    backup = backups.backup_by_name(given.name)
    waiting = catalogue.set_enabled(backup.id, on)
    print(f"{backup.name}: the schedule is {'on' if on else 'off'}.")
    if waiting:
        print("A scheduled run was removed from the queue.")
    backup, is_served = backups.backup_by_name(given.name), holder(config) is not None
    zone = zone_of([backup])
    for line in schedule_in_words(backup, zone, is_served=is_served):
        print(line)
    if on:
        print(humanize.times_in(zone))
    return EXIT_OK
