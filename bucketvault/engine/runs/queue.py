"""Runs that wait: putting one in, taking the next out, within the limits.

Everybody inserts the same row: the Run now button, the command line, the schedule. The database
keeps at most one pending or running run a backup.

Decisions: docs/decisions/runs.md.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path

import peewee as pw

from bucketvault.engine import settings
from bucketvault.engine.catalogue import backups
from bucketvault.engine.domain.fields import BackupFields, ruled_fields
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.places import Route, in_the_way
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.runs.folder import RunFolder, run_folders
from bucketvault.engine.runs.stamps import next_stamp
from bucketvault.errors import InUseError, NotFoundError
from bucketvault.store import run_logs
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import (
    COUNT_NAMES,
    HAS_ENDED,
    IS_ACTIVE,
    IS_COPY,
    Backup,
    BackupRun,
    Storage,
    utcnow,
)
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus, Topic, Trigger, run_topic

UNDER_WAY = {
    RunKind.COPY: "A run",
    RunKind.PREVIEW: "A preview",
    RunKind.VERIFY: "A verification",
}
APPROVAL_HOLDS = dt.timedelta(hours=24)


def enqueue(
    backup_id: int,
    trigger: Trigger,
    *,
    kind: RunKind = RunKind.COPY,
    approved_limits: dict[str, object] | None = None,
    scheduled_for: dt.datetime | None = None,
    skipped_slots: int = 0,
) -> tuple[int, bool]:
    """The run that will copy `backup_id`, and whether it is new: pressing twice queues once.

    `kind` PREVIEW only looks what a run would do; `approved_limits` are the approved numbers;
    `scheduled_for` is the planned time, after so many earlier ones that nothing was done for.
    Raises NotFoundError when the backup is gone, InUseError when a run of another kind is under
    way.
    """
    with writing(Topic.BACKUPS, Topic.QUEUE):
        if Backup.get_or_none(Backup.id == backup_id) is None:
            raise NotFoundError("This backup no longer exists.")
        active = BackupRun.get_or_none(BackupRun.backup == backup_id, IS_ACTIVE)
        if active is not None and active.kind != kind:
            under_way = UNDER_WAY[active.kind]
            raise InUseError(
                f"{under_way} of this backup is in progress.", "Wait until it ends, or stop it."
            )
        if active is not None:
            return active.id, False
        run = BackupRun.create(
            backup=backup_id,
            trigger=trigger,
            kind=kind,
            approved_limits=approved_limits or {},
            scheduled_for=scheduled_for,
            skipped_slots=skipped_slots,
        )
        return run.id, True


def approve(run_id: int, trigger: Trigger = Trigger.APPROVED) -> int:
    """Queue a run that may do what the held run `run_id` would have done, by name.

    Raises NotFoundError, and InUseError when there is nothing to approve: it was not held, or a
    newer run has ended since, or the backup was changed since.
    """
    with writing(run_topic(run_id), Topic.BACKUPS):
        held = BackupRun.get_or_none(BackupRun.id == run_id)
        if held is None:
            raise NotFoundError("This run no longer exists.")
        newer = BackupRun.select().where(
            BackupRun.backup == held.backup_id,
            BackupRun.id > held.id,
            IS_COPY,
            HAS_ENDED,
        )
        found = Findings.from_json(held.findings)
        if held.reason != Reason.BRAKE or found is None or held.kind != RunKind.COPY:
            raise InUseError("This run was not held for approval.")
        if newer.exists():
            raise InUseError("A newer run has ended since.", "Approve that one, or run again.")
        spec = RunSpec.from_json(held.spec)
        if spec.locations != freeze(held.backup).locations:
            raise InUseError(
                "The backup was changed since.", "Run the backup again, then review that run."
            )
        until = utcnow() + APPROVAL_HOLDS
        limits = {
            "run": held.id,
            "plan": held.uuid,  # of the run that was held, and whose plan was kept
            "removed": found.removed,
            "replaced": found.replaced,
            "until": until.isoformat(),
            "ends": ends_of(spec),
        }
        run, new = enqueue(held.backup_id, trigger, approved_limits=limits)
        if not new:
            raise InUseError("A run of this backup is in progress.", "Wait until it ends.")
        return run


def ends_of(spec: RunSpec) -> list[list[str]]:
    """Return where a run copies from and to, as it comes back from the database."""
    return [list(astuple(each)) for each in spec.locations]


def claim(runs: Path, max_parallel: int) -> tuple[BackupRun, RunFolder, int] | None:
    """Take the next pending run: now RUNNING and checking, with its folder and the folder's lock.

    `runs` is the folder of run folders. None when nothing waits or enough runs. The settings are
    frozen here: later edits of the backup do not touch a run under way, and a run that would meet
    it at its places waits for its end.
    """
    # the commit may be refused, too: so the lock is given back outside of it
    with contextlib.ExitStack() as claiming, writing():
        if BackupRun.select().where(BackupRun.status == RunStatus.RUNNING).count() >= max_parallel:
            return None
        waiting = (
            BackupRun.select()
            .where(BackupRun.status == RunStatus.PENDING)
            .order_by(
                BackupRun.kind == RunKind.VERIFY,  # which may take hours, and changes nothing
                pw.fn.COALESCE(BackupRun.scheduled_for, BackupRun.created_at),
                BackupRun.id,
            )
        )
        # A run that this database does not know, after an older one was put back, may still copy.
        others = run_folders(runs)
        under_way = routes_under_way()
        run = next(
            (
                run
                for run in waiting
                if not any(folder.works_for(run.backup.archive_key) for folder in others)
                and not waits_for(run, under_way)
            ),
            None,
        )
        if run is None:
            return None
        folder = RunFolder(runs, run.uuid)
        folder.remove()  # of an attempt that never got beyond checking
        lock = claiming.enter_context(_taken(folder))
        with writing(run_topic(run.id), Topic.BACKUPS):
            _mark_claimed(run)
        return run, folder, lock


@contextlib.contextmanager
def _taken(folder: RunFolder) -> Iterator[int]:
    """The lock of a folder made for it, which stays held; both go when the claim fails."""
    lock = folder.create()
    try:
        yield lock
    except BaseException:
        os.close(lock)
        folder.remove()
        raise


def routes_under_way() -> list[Route]:
    """The routes of the runs that may write now, with the settings they began with.

    Inside the caller's connection. Those of another kind only read: they keep nobody waiting.
    """
    running = BackupRun.select(BackupRun, Backup).join(Backup)
    running = running.where(BackupRun.status == RunStatus.RUNNING, IS_COPY)
    return [
        _route(run.backup, RunSpec.stored(run.spec) or freeze(run.backup))
        for run in running
        if run.spec
    ]


def waits_for(run: BackupRun, under_way: list[Route]) -> str:
    """The name of the backup whose run has to end before this pending one may start; or empty.

    Inside the caller's connection. Two backups never share a place as they are saved, but one that
    was edited meanwhile still runs between its places of before.
    """
    if run.kind != RunKind.COPY or not under_way:
        return ""
    return in_the_way(_route(run.backup, freeze(run.backup)), under_way)


def _route(backup: Backup, spec: RunSpec) -> Route:
    return Route(backup.id, backup.name, *spec.locations)


def _mark_claimed(run: BackupRun) -> None:
    stamp = next_stamp(run.backup_id)
    now = utcnow()
    run.change(
        RunStatus.PENDING,
        status=RunStatus.RUNNING,
        phase=Phase.CHECKING,
        started_at=now,
        archive_stamp=stamp,
        spec=replace(freeze(run.backup), bandwidth=settings.load().bandwidth).to_json(),
        **_nothing_yet(),
    )
    run_logs.clear(run.id)
    if run.kind == RunKind.COPY:
        Backup.update(last_run_at=now).where(Backup.id == run.backup_id).execute()


def _nothing_yet() -> dict[str, object]:
    """Reset the columns of a previous attempt, which may have used other buckets."""
    counted: dict[str, object] = dict.fromkeys((*COUNT_NAMES, "log_lines", "log_bytes"), 0)
    unknown = dict.fromkeys(("source_objects", "source_bytes", "rclone_pid"))
    nothing: dict[str, object] = {
        name: {} for name in ("findings", "proof", "progress", "requests")
    }
    return counted | unknown | nothing | {"passes": 0}


def request_stop(run_id: int, *, is_told: bool = False) -> None:
    """Write into the run's row that Stop was pressed; its worker sees that.

    With `is_told` that one knows already, and the row is for pages and the next start: a database
    that is busy then loses nothing. Raises NotFoundError. A run that ended already stays as it is.
    """
    try:
        if backups.cancel_pending(run_id):
            return
        with writing(run_topic(run_id), Topic.BACKUPS):
            run = BackupRun.get_or_none(BackupRun.id == run_id)
            if run is None:
                raise NotFoundError("This run no longer exists.")
            run.change(RunStatus.RUNNING, stop_requested_at=utcnow())
    except BusyError:
        if not is_told:
            raise


OWN = ("archive_key", *ruled_fields(BackupFields))  # what a spec may take unchanged


def freeze(backup: Backup) -> RunSpec:
    """Return the settings of a run of `backup` as they are now."""
    return RunSpec(
        source=_end(backup.source_storage, backup.source_path),
        destination=_end(backup.destination_storage, backup.destination_path),
        **{each.name: getattr(backup, each.name) for each in fields(RunSpec) if each.name in OWN},
    )


def _end(storage: Storage, path: str) -> EndSpec:
    provider = storage.provider
    return EndSpec(
        provider=provider.name,
        provider_type=provider.provider_type,
        bucket=storage.bucket_name,
        display_name=storage.display_name,
        path=path,
        provider_id=provider.id,
        endpoint=provider.endpoint,
        region=provider.region,
        traits=Traits.from_json(storage.traits),
    )


def run_under_way(backup_id: int) -> BackupRun | None:
    """The pending or running run of a backup, if there is one."""
    with connection():
        return BackupRun.get_or_none(BackupRun.backup == backup_id, IS_ACTIVE)
