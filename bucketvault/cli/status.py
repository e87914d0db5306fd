"""`status`, `doctor`: the commands that look at all of it and change nothing."""

import argparse
import functools
import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault import humanize
from bucketvault.cli.run import EXIT_FAILED, EXIT_OK, approval_command, progress_in_words
from bucketvault.config import Config
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.engine import open_store
from bucketvault.engine.folder_lock import holder, who_watches
from bucketvault.engine.health import installation
from bucketvault.engine.views import backups, status
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import Reason, RunStatus


def add_to(commands: Any) -> None:
    """Add them to the command line; `commands` is what argparse's `add_subparsers` gave."""
    fine = commands.add_parser("status", help="is everything fine?")
    fine.add_argument("--json", action="store_true", help="for scripts")
    fine.set_defaults(command=_status)

    look = commands.add_parser("doctor", help="look at all that it needs; changes nothing")
    look.add_argument("--json", action="store_true", help="for scripts")
    look.set_defaults(command=_doctor)


def _status(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    unwatched = functools.partial(who_watches, config)
    told = status.status(installation.look(config), unwatched=unwatched)
    code = status.status_exit_code(told)
    if given.json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return code
    zone = ZoneInfo(timetable.server_time_zone())
    is_served = holder(config) is not None
    for backup in backups.backups(unwatched=unwatched):
        for line in (
            *backup_in_words(backup, zone),
            *schedule_in_words(backup, zone, is_served=is_served),
        ):
            print(line)
    for problem in told["program"]:
        print(problem)
    if told["pending"] and holder(config) is None:
        print("A run waits, but no bucketvault is at work: bucketvault serve")
    if not told["backups"]:
        print("There is no backup yet. Make one on the pages (bucketvault serve prints the link),")
        print("or from a file: bucketvault apply setup.toml")
    return code


def backup_in_words(backup: backups.BackupRow, zone: ZoneInfo) -> Iterator[str]:
    """What `status` says of one backup: a line on its state, then what needs a look."""
    now = utcnow()
    run = backup.active_run
    if run is not None:
        if run.ended_unseen:
            yield f"{backup.name}: ended while no bucketvault watched; how, is not recorded yet"
            yield "  The next `bucketvault run` or `bucketvault serve` records it."
            return
        alone = " (no bucketvault watches it; it goes on by itself)" if run.on_its_own else ""
        yield f"{progress_in_words(run)}{alone}"
        return
    last = backup.last_run
    if last is None or last.finished_at is None:
        yield f"{backup.name}: has not run yet"
        return
    when = humanize.day_and_time(last.finished_at, zone, now)
    if last.status == RunStatus.SUCCESS:
        state = "succeeded, with warnings" if last.warnings else "good"
        state = "no copy yet, an end was changed since the last good run" if backup.moved else state
        yield f"{backup.name}: {state}, {when}. {last.explanation}"
        yield from (f"  {warning}" for warning in last.warnings)
        return
    stopped = "held" if last.reason == Reason.BRAKE else "FAILED"
    word = "held for your approval" if last.can_be_approved else stopped
    good = backup.last_good_at
    state = last.copy_state.sentence if last.copy_state is not None else ""
    told = f"Last good run: {humanize.day_and_time(good, zone, now) if good else 'never'}."
    yield f"{backup.name}: {word}, {when}. {' '.join(part for part in (state, told) if part)}"
    yield from (f"  {line}" for line in (last.explanation, last.hint) if line)
    if last.can_be_approved:
        yield f"  Approve it: {approval_command(backup.name, last.id)}"


def schedule_in_words(
    backup: backups.BackupRow, zone: ZoneInfo, *, is_served: bool
) -> Iterator[str]:
    """What `status` says of the planned times of a backup: one missed, the next."""
    now, due = utcnow(), backup.next_due_at
    if not backup.enabled:
        yield "  Switched off: no run is planned."
        return
    if backup.unplannable:
        yield "  OVERDUE: nothing starts it, its time zone is not known here. Choose another."
        return
    if backup.missed_at is not None:
        planned = humanize.day_and_time(backup.missed_at, zone, now)
        yield f"  OVERDUE: planned {planned}, and nothing came of it."
    if due is None:
        return
    nobody = "" if is_served else " Nobody starts it: bucketvault serve"
    if due > now:
        yield f"  Next run: {humanize.next_run(due, zone, now)}.{nobody}"
    elif is_served:
        yield f"  Next run: {'after this one' if backup.active_run is not None else 'now'}."
    else:
        planned = humanize.day_and_time(due, zone, now)
        yield f"  Next run: late since {planned}.{nobody}"


def _doctor(given: argparse.Namespace, config: Config) -> int:
    from bucketvault.engine.health import doctor
    from bucketvault.server import address

    def ask() -> tuple[int, str]:
        door = address.noted_door(config)
        return doctor.ask_server(door.port, door.socket)

    found = doctor.examine(config, holder(config), ask)
    print(doctor.as_json(found) if given.json else "\n".join(doctor.in_lines(found)))
    return EXIT_FAILED if doctor.is_bad(found) else EXIT_OK
