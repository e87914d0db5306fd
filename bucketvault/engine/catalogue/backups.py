"""Creates, changes and deletes Backups; see `providers` for the house rules."""

import contextlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, replace

import peewee as pw

from bucketvault.engine.catalogue import conflicts, rows, storages
from bucketvault.engine.domain.fields import BackupFields, Sheet, ruled_fields
from bucketvault.engine.domain.places import Chosen
from bucketvault.engine.domain.rules import archive_key_rule, typed_path
from bucketvault.engine.domain.times import next_due
from bucketvault.engine.rclone.explain import REASON_TEXTS
from bucketvault.errors import ChangedMeanwhileError, InUseError, InvalidInputError, Problem
from bucketvault.store.database import connection, writing
from bucketvault.store.models import HAS_ENDED, Backup, BackupRun, utcnow
from bucketvault.vocabulary import Reason, RunStatus, Topic, Trigger, UsageType, run_topic

SLUG_LENGTH = 40
KEY_IS_TAKEN = "Another backup keeps its old versions there: leave this out for a new folder."
TIMING = ("schedule", "at", "weekday", "time_zone", "enabled")
ENDS = {
    "source_storage_id": UsageType.SOURCE_ONLY,
    "destination_storage_id": UsageType.DESTINATION_ONLY,
}


@dataclass(frozen=True, slots=True)
class Going:
    """All that a deletion takes along, and the run that forbids it."""

    runs: int
    log_bytes: int
    running_id: int | None


def check(given: BackupFields, backup_id: int | None = None) -> list[Problem]:
    """Return what is wrong with a new Backup, or with these changes to an existing one.

    An end may be `Chosen`, as for `create`; nothing is stored.
    """
    problems: list[Problem] = []
    with contextlib.suppress(_NothingStoredError), writing():
        problems += _checked(given, rows.existing(Backup, backup_id))[1]
        raise _NothingStoredError
    return problems


def create(given: BackupFields, *, with_others: bool = True, archive_key: str | None = None) -> int:
    """Store a new Backup; its id. Raises InvalidInputError with all problems.

    An end may be `Chosen` instead of a Storage's id: its Storage is made with the Backup, or not
    at all. Without `with_others` the caller looks for `conflicts.contradictions` itself, before it
    commits. `archive_key`: the folder of its kept versions, of a Backup that was elsewhere before.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        values, problems = _checked(given, None, with_others=with_others)
        sheet = Sheet(problems)
        if archive_key is not None:
            archive_key = sheet.take("archive_key", archive_key_rule, archive_key, None)
            if Backup.select().where(Backup.archive_key == archive_key).exists():
                sheet.refuse("archive_key", KEY_IS_TAKEN)
        values = rows.accepted((values, sheet.problems))
        archive_key = archive_key or _new_archive_key(values.name)
        row = Backup(archive_key=archive_key, **rows.fields_of(values))
        _plan_from_now(row)
        row.save()
        return int(row.id)


def change(
    backup_id: int,
    given: BackupFields,
    loaded: BackupFields | None = None,
    *,
    with_others: bool = True,
) -> tuple[str, ...]:
    """Change a Backup, from its next run on; the names of the fields that really changed.

    An end may be `Chosen`, as for `create`. The folder of its kept versions stays the same, also
    under a new name. `loaded` is what the change started from: where the row is another by now,
    nothing is written. Without `with_others` the caller looks for `conflicts.contradictions`
    itself, before it commits.
    Raises NotFoundError, ChangedMeanwhileError, InvalidInputError with all problems.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Backup, backup_id)
        if loaded is not None and (others := rows.different(loaded, _input_of(row))):
            raise ChangedMeanwhileError(others)
        values = rows.accepted(_checked(given, row, with_others=with_others))
        changed = rows.take_over(row, rows.fields_of(values))
        if set(changed) & set(TIMING):
            _plan_from_now(row)
        if "ping_url" in changed:
            _ping_from_now(row)
        if "enabled" in changed and not row.enabled:
            cancel_planned(row.id)
        return rows.save(row, changed)


def set_enabled(backup_id: int, enabled: bool) -> bool:
    """Switch the schedule of a Backup on or off; whether a planned run that waited was taken out.

    Raises NotFoundError, InvalidInputError where it could not run as things are now.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Backup, backup_id)
        if row.enabled == enabled:
            return False
        if enabled:
            rows.accepted(conflicts.checked_backup(replace(_input_of(row), enabled=True), row))
        row.enabled = enabled
        _plan_from_now(row)
        row.save()
        return not enabled and cancel_planned(row.id)


def going(backup_id: int) -> Going:
    """Return what would go with a Backup. Raises NotFoundError."""
    with connection():
        rows.get(Backup, backup_id)
        mine = BackupRun.backup == backup_id
        counted = BackupRun.select(pw.fn.COUNT(BackupRun.id), pw.fn.SUM(BackupRun.log_bytes))
        runs, log_bytes = counted.where(mine).scalar(as_tuple=True)
        running = BackupRun.get_or_none(mine, BackupRun.status == RunStatus.RUNNING)
        return Going(runs, log_bytes or 0, None if running is None else running.id)


def delete(backup_id: int) -> int:
    """Delete a Backup with its runs and logs, also one that waits; how many runs went.

    Copy and kept versions stay in the bucket. Raises InUseError while a run is under way,
    NotFoundError.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Backup, backup_id)
        found = going(backup_id)
        if found.running_id is not None:
            raise InUseError(
                f'The backup "{row.name}" is running.', "Stop the run, or wait until it ends."
            )
        row.delete_instance()  # its runs, and their logs, go with it in the database
        return found.runs


def stored(backup_id: int) -> BackupFields:
    """Return input that leaves a Backup as it is: a form's first values."""
    with connection():
        return _input_of(rows.get(Backup, backup_id))


def cancel_planned(backup_id: int) -> bool:
    """End a planned run that waits as stopped by you; False if there is none."""
    with connection():
        waiting = BackupRun.get_or_none(
            BackupRun.backup == backup_id,
            BackupRun.status == RunStatus.PENDING,
            BackupRun.trigger.in_((Trigger.SCHEDULE, Trigger.CATCH_UP)),
        )
        return waiting is not None and cancel_pending(waiting.id)


def cancel_pending(run_id: int) -> bool:
    """End a run that had not started as stopped by you; False if it had."""
    summary, hint = REASON_TEXTS[Reason.STOPPED]
    with writing(run_topic(run_id), Topic.BACKUPS):
        run = BackupRun.get_or_none(BackupRun.id == run_id)
        return run is not None and run.change(
            RunStatus.PENDING,
            status=RunStatus.FAILED,
            reason=Reason.STOPPED,
            finished_at=utcnow(),
            explanation=summary,
            hint=hint,
        )


class _NothingStoredError(Exception):
    """Takes back what a check has written."""


def _checked(
    given: BackupFields, row: Backup | None, *, with_others: bool = True
) -> tuple[BackupFields, list[Problem]]:
    """Return the checked fields and all problems; a chosen bucket has its Storage now."""
    refused: list[Problem] = []
    ends = {name: getattr(given, name) for name in ENDS}
    chosen = {name: end for name, end in ends.items() if isinstance(end, Chosen)}
    is_both = len(chosen) > len({each.at for each in chosen.values()})  # one bucket for both ends
    for name, each in chosen.items():
        try:
            ends[name] = storages.of_chosen(each, None if is_both else ENDS[name])
        except InvalidInputError as error:
            refused += [Problem(name, problem.message) for problem in error.problems]
            ends[name] = None
    given = replace(given, **ends)
    values, problems = conflicts.checked_backup(given, row, with_others=with_others)
    told = {each.field for each in refused}
    return values, [*refused, *(each for each in problems if each.field not in told)]


def _input_of(row: Backup) -> BackupFields:
    values = {name: getattr(row, name) for name in ruled_fields(BackupFields)}
    paths = {name: typed_path(values[name]) for name in ("source_path", "destination_path")}
    return BackupFields(**values | paths)


def _ping_from_now(row: Backup) -> None:
    """Tell another service nothing of runs that ended before it was named."""
    newest = pw.fn.COALESCE(pw.fn.MAX(BackupRun.id), 0)
    runs = BackupRun.select(newest).where(BackupRun.backup == row.id)
    row.pinged_start, row.pinged_end = runs.scalar(), runs.where(HAS_ENDED).scalar()
    row.pinged_at, row.ping_heard, row.ping_answer = None, False, ""


def _plan_from_now(row: Backup) -> None:
    """Planned times count from now on, and what was missed of others is over."""
    now = utcnow()
    row.next_due_at = next_due(row, now) if row.enabled else None
    row.planned_since = now
    row.overdue_since = None


def _new_archive_key(name: str) -> str:
    """Return a name for a Backup's kept versions, for ever: readable, and never used before."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].strip("-") or "backup"
    while True:
        key = f"{slug}-{secrets.token_hex(3)}"
        if not Backup.select().where(Backup.archive_key == key).exists():
            return key
