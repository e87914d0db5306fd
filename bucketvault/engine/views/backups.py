"""Views for pages and the command line: plain frozen values; no table leaves the engine."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import partial
from types import SimpleNamespace
from typing import Any

import peewee as pw

from bucketvault.engine import price_list, settings
from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.domain.copy_state import CopyState, copy_state
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.places import Route, in_the_way
from bucketvault.engine.domain.prices import Prices
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.reading import Coverage, Damage, Verified, coverage_of, damage_of
from bucketvault.engine.domain.rules import ARCHIVE_ROOT, did_you_mean, same_name
from bucketvault.engine.domain.spec import EndSpec, RunSpec, stored_locations
from bucketvault.engine.domain.state_words import describe_end
from bucketvault.engine.domain.times import missed_at, proof_is_old
from bucketvault.engine.domain.warnings import RunWarning, warnings_of
from bucketvault.engine.mail import states
from bucketvault.engine.mail.mail_views import MailNote
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.runs import queue, stamps
from bucketvault.engine.runs.last_good import is_copy_of
from bucketvault.engine.runs.restore_text import restore_text
from bucketvault.engine.views.queries import backup_query, storage_ends
from bucketvault.errors import NotFoundError, TimingError
from bucketvault.store.database import connection, database
from bucketvault.store.models import (
    IS_ACTIVE,
    IS_COPY,
    LISTED,
    Backup,
    BackupRun,
    Provider,
    counts_of,
    utcnow,
)
from bucketvault.vocabulary import (
    ComparisonMode,
    HoldReason,
    Mends,
    Phase,
    ProviderType,
    Reason,
    RunKind,
    RunStatus,
    Schedule,
    Side,
    Trigger,
    Weekday,
)


class Watched(Enum):
    """Supervision of a run that is said to be under way, by a bucketvault."""

    YES = "yes"
    ON_ITS_OWN = "on its own"  # rclone copies, nobody watches
    OVER = "over"  # it has ended; the next `run` or `serve` records how


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as it is now. Times are UTC."""

    id: int
    backup_id: int
    backup_name: str
    status: RunStatus
    reason: Reason | None
    trigger: Trigger
    phase: Phase | None
    scheduled_for: dt.datetime | None
    skipped_slots: int
    queued_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    stop_requested_at: dt.datetime | None
    exit_code: int | None
    explanation: str  # a whole sentence
    hint: str
    detail: str
    warnings: tuple[RunWarning, ...]
    counts: Mapping[str, int]  # names and order of store.models.COUNT_NAMES
    source_objects: int | None
    source_bytes: int | None
    progress: Progress | None  # None before rclone's first stats line
    log_lines: int
    log_bytes: int
    on_its_own: bool  # it runs, and no bucketvault watches it
    ended_unseen: bool = False  # it is over, and the next bucketvault will record how
    kind: RunKind = RunKind.COPY
    cause: str = ""  # the same beside a word that it is held, without that nothing was touched
    hold_reason: HoldReason | None = None
    side: Side | None = None  # which end failed; None: not known
    mends: Mends | None = None  # where what failed is mended; None: at no page of bucketvault
    region: str = ""  # the right one, where a service refused and named it
    findings: Findings | None = None  # what its checks found would change; None before they did
    verified: Verified | None = None  # what one that reads has found
    can_be_approved: bool = False  # it is held, and nothing newer has happened
    copy_state: CopyState | None = None  # how it left the copy; None before its end
    proof: Proof | None = None  # of its last look; None: it made none
    passes: int = 0  # begun so far
    log_removed_at: dt.datetime | None = None  # by housekeeping, for its age
    waits_for: str = ""  # the backup whose run has to end before this one may start
    requests: Mapping[str, Any] = field(default_factory=dict)  # of `domain.usage.Use.to_json`
    uploads_ended: int = 0  # unfinished ones at the destination that it removed
    bandwidth: Bandwidth = field(default=Bandwidth())  # while it runs: its limit
    time_zone: str = ""  # of its backup, in which its times are told

    @property
    def preview(self) -> bool:
        """True if it only looks at what a run would do."""
        return self.kind == RunKind.PREVIEW

    def at_rest(self) -> "RunView":
        """Return it without what moves with each line of its log."""
        still: dict[str, Any] = {"progress": None, "log_lines": 0, "log_bytes": 0}
        return replace(self, counts={}, requests={}, **still)


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that the page of one run shows. Settings are None until the run was claimed."""

    run: RunView
    settings: RunSpec | None
    last_good_at: dt.datetime | None  # end of the newest successful run before this one
    previous_id: int | None
    next_id: int | None
    log_retention_days: int = 0  # as it is set now; 0: for ever
    alerts: tuple[MailNote, ...] = ()  # who was told of its end; empty: nothing to tell
    # ids and names of the providers of its ends, as they are called now; those that are left
    providers: Mapping[Side, tuple[int, str]] = field(default_factory=dict)
    untouched: bool = False  # nothing has touched the copy since the last good run
    prices: Mapping[str, Prices] = field(default_factory=dict)  # by the slug of a service


@dataclass(frozen=True, slots=True)
class BackupPage:
    """One backup. Its runs are in `history`, its kept versions at the provider."""

    row: "BackupRow"
    comparison_mode: ComparisonMode
    retention_days: int
    shrink_limit_percent: int
    archive_key: str
    restore_text: str  # how to bring the copy back without us
    deletes_only_hide: bool  # Backblaze B2: older versions cost until a lifecycle rule ends them
    shown_prefix: str  # where the kept versions are, for people
    coverage: Coverage | None = None  # how much of the copy was read; None: nothing is proven
    verify_gb_per_night: int = 0


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One backup in the list."""

    id: int
    name: str
    enabled: bool
    source: EndSpec
    destination: EndSpec
    schedule: Schedule
    at: str  # HH:MM in `time_zone`
    weekday: Weekday | None
    time_zone: str
    next_due_at: dt.datetime | None
    overdue: bool
    active_run: RunView | None  # pending or running
    last_run: RunView | None  # the newest that ended
    last_good_at: dt.datetime | None
    size_bytes: int | None  # of the source, at the last run that measured it
    missed_at: dt.datetime | None = None  # the planned time that makes it overdue
    unplannable: bool = False  # its time zone or time of day is none: nothing starts it
    moved: bool = False  # an end was changed since the last good run: there is no copy there yet
    proof: Proof | None = None  # the newest of all its runs
    proof_is_old: bool = False  # two runs should have made another one since
    damage: Damage | None = None  # what reading found, and nothing has mended since
    damage_run_id: int | None = None  # the newest run that found some


# Whether a running run is watched by no bucketvault. Its folder's lock tells; that belongs to the
# runs package, so the caller supplies the answer.
Supervision = Callable[[BackupRun], Watched]


def watched(run: BackupRun) -> Watched:
    """Say of every run that it is looked after; callers that know better supply a better one."""
    return Watched.YES


def backups(supervision: Supervision = watched) -> list[BackupRow]:
    """Every backup by name, with its newest runs; as many queries for one as for a thousand."""
    with one_moment():
        return _rows(supervision=supervision)


def backup_by_name(name: str) -> BackupRow:
    """The backup called `name`, in whatever case. Raises NotFoundError, with names like it."""
    with one_moment():
        known = {row.name: row.id for row in Backup.select(Backup.id, Backup.name)}
        same = [spelling for spelling in known if same_name(spelling) == same_name(name.strip())]
        if not same:
            raise NotFoundError(
                f'There is no backup "{name}".',
                did_you_mean(name, known).strip() or "`bucketvault status` names them all.",
            )
        return _rows(Backup.id == known[same[0]])[0]


def backup_row(backup_id: int) -> BackupRow | None:
    """One backup as the list shows it; None when it is gone."""
    with one_moment():
        return next(iter(_rows(Backup.id == backup_id)), None)


def backup_page(backup_id: int) -> BackupPage:
    """All that the page of one backup shows. Raises NotFoundError."""
    with one_moment():
        row = backup_row(backup_id)
        if row is None:
            raise NotFoundError("This backup no longer exists.")
        backup = Backup.get_by_id(backup_id)
        return BackupPage(
            row=row,
            comparison_mode=backup.comparison_mode,
            retention_days=backup.retention_days,
            shrink_limit_percent=backup.shrink_limit_percent,
            archive_key=backup.archive_key,
            restore_text=restore_text(queue.freeze(backup), backup.name, stamps.noted(backup_id)),
            coverage=None if row.moved else coverage_of(backup.reading, utcnow().date()),
            verify_gb_per_night=backup.verify_gb_per_night,
            deletes_only_hide=row.destination.provider_type is ProviderType.BACKBLAZE_B2,
            shown_prefix=f"{row.destination.bucket}/{ARCHIVE_ROOT}/{backup.archive_key}/",
        )


def run(run_id: int, supervision: Supervision = watched) -> RunView:
    """Return one run as it is now. Raises NotFoundError."""
    with connection():
        row = _run_row(run_id)
        return run_view(row, row.backup, supervision=supervision, waits_for=_waits_for(row))


def time_zone_of(run_id: int) -> str:
    """Return the name of the time zone of a run's backup; empty when the run is gone."""
    with connection():
        query = Backup.select(Backup.time_zone).join(BackupRun).where(BackupRun.id == run_id)
        return query.scalar() or ""


def run_page(run_id: int) -> RunPage:
    """All that the page of one run shows. Raises NotFoundError."""
    with one_moment():
        row = _run_row(run_id)
        ids = BackupRun.select(BackupRun.id).where(BackupRun.backup == row.backup_id)
        after = ids.where(BackupRun.id > run_id).order_by(BackupRun.id)
        before = ids.where(BackupRun.id < run_id).order_by(BackupRun.id.desc())
        good = BackupRun.newest_good(row.backup_id, before=run_id)
        newer = after.where(IS_COPY).exists()
        return RunPage(
            run=run_view(
                row,
                row.backup,
                newest=not newer,
                waits_for=_waits_for(row),
                partly_since=BackupRun.partly_since(row.backup_id, run_id),
            ),
            settings=RunSpec.stored(row.spec),
            last_good_at=good.finished_at if good is not None else None,
            previous_id=before.limit(1).scalar(),
            next_id=after.limit(1).scalar(),
            log_retention_days=settings.load().log_retention_days,
            alerts=states.notes_of(row),
            providers=_providers_of(row),
            untouched=good is not None and is_copy_of(good, row),
            prices=price_list.load(),
        )


# ---- from rows to values; inside the caller's connection


@contextmanager
def one_moment() -> Iterator[None]:
    """A connection in which all queries see the same state, whatever is written meanwhile."""
    with connection(), database.atomic():
        yield


def _providers_of(run: BackupRun) -> dict[Side, tuple[int, str]]:
    spec = RunSpec.stored(run.spec)
    ids = {side: getattr(spec, side).provider_id for side in Side if spec is not None}
    names = {one.id: one.name for one in Provider.select().where(Provider.id.in_([*ids.values()]))}
    return {side: (number, names[number]) for side, number in ids.items() if number in names}


def _rows(
    which: pw.Expression | None = None, *, supervision: Supervision = watched
) -> list[BackupRow]:
    found = list(backup_query(which))
    ends, now = storage_ends(), utcnow()
    active = {run.backup_id: run for run in BackupRun.select().where(IS_ACTIVE)}
    last_ids = [backup.last_id for backup in found if backup.last_id is not None]
    ended: Any = BackupRun.select(*LISTED).where(BackupRun.id.in_(last_ids))  # Any: as below
    last_runs = {run.id: run for run in ended.objects(SimpleNamespace)}
    is_any_waiting = any(run.status == RunStatus.PENDING for run in active.values())
    under_way = queue.routes_under_way() if is_any_waiting else []
    rows = []
    for backup in found:
        run, last = active.get(backup.id), last_runs.get(backup.last_id)
        source = replace(ends[backup.source_storage], path=backup.source_path)
        destination = replace(ends[backup.destination_storage], path=backup.destination_path)
        locations = source.location, destination.location
        good_at = BackupRun.finished_at.python_value(backup.good_at)
        good_at_locations = stored_locations(backup.good_spec) if backup.good_spec else None
        missed, unplannable, waits_for = None, False, ""
        if run is not None and run.status == RunStatus.PENDING and run.kind == RunKind.COPY:
            waits_for = in_the_way(Route(backup.id, backup.name, *locations), under_way)
        try:
            if backup.enabled:
                missed = missed_at(backup, run, last, good_at, now)
        except TimingError:
            unplannable = True
        view = partial(run_view, backup=backup, supervision=supervision)
        partly_since = BackupRun.started_at.python_value(backup.partly_since)
        proof = Proof.from_json(BackupRun.proof.python_value(backup.proof) or {})
        moved = good_at_locations not in (None, locations)
        proven_at = proof.when if proof is not None else None
        damage = None if moved else damage_of(backup.reading)
        row = _stored(_BACKUP_COLUMNS, backup) | {
            "source": source,
            "destination": destination,
            "next_due_at": None if unplannable else backup.next_due_at,
            "overdue": missed is not None or unplannable,
            "missed_at": missed,
            "unplannable": unplannable,
            "active_run": view(run, waits_for=waits_for) if run is not None else None,
            "last_run": view(last, partly_since=partly_since) if last is not None else None,
            "last_good_at": good_at,
            "size_bytes": backup.size,
            "moved": moved,
            "proof": proof,
            "damage": damage,
            "damage_run_id": BackupRun.newest_damage(backup.id) if damage else None,
            "proof_is_old": proven_at is not None and proof_is_old(backup.schedule, proven_at, now),
        }
        rows.append(BackupRow(**row))
    return sorted(rows, key=lambda row: (same_name(row.name), row.id))


def _run_row(run_id: int) -> BackupRun:
    query = BackupRun.select(BackupRun, Backup).join(Backup).where(BackupRun.id == run_id)
    row: BackupRun | None = query.get_or_none()
    if row is None:
        raise NotFoundError(f"There is no run {run_id}.", "Its backup may have been deleted.")
    return row


def _waits_for(run: BackupRun) -> str:
    is_waiting = run.status == RunStatus.PENDING
    return queue.waits_for(run, queue.routes_under_way()) if is_waiting else ""


# The fields of a view that its row has by the same names
_BACKUP_COLUMNS = {each.name for each in fields(BackupRow)} & Backup._meta.fields.keys()  # noqa: SLF001
_RUN_COLUMNS = {each.name for each in fields(RunView)} & BackupRun._meta.fields.keys()  # noqa: SLF001


def _stored(columns: Iterable[str], row: Any) -> dict[str, Any]:  # Any: columns of every type
    return {name: getattr(row, name) for name in columns}


def run_view(
    run: Any,  # Any: a row, or a plain object with its columns
    backup: Any,  # the same
    *,
    supervision: Supervision = watched,
    newest: bool = True,
    waits_for: str = "",
    partly_since: dt.datetime | None = None,
) -> RunView:
    reads = run.kind == RunKind.VERIFY
    findings = None if reads else Findings.from_json(run.findings)
    seen = supervision(run) if run.status == RunStatus.RUNNING else Watched.YES
    spec = RunSpec.stored(run.spec) if run.status == RunStatus.RUNNING else None
    told = _stored(_RUN_COLUMNS, run) | {
        "backup_id": backup.id,
        "backup_name": backup.name,
        "time_zone": backup.time_zone,
        "queued_at": run.created_at,
        "explanation": describe_end(run),
        "cause": run.explanation,
        "warnings": warnings_of(run),
        "counts": counts_of(run),
        "progress": Progress.from_json(run.progress) if run.progress else None,
        "findings": findings,
        "verified": Verified.from_json(run.findings) if reads else None,
        "can_be_approved": run.reason == Reason.BRAKE and findings is not None and newest,
        "copy_state": copy_state(run, partly_since),
        "proof": Proof.from_json(run.proof),
        "on_its_own": seen is Watched.ON_ITS_OWN,
        "ended_unseen": seen is Watched.OVER,
        "waits_for": waits_for,
        "bandwidth": spec.bandwidth if spec is not None else Bandwidth(),
    }
    return RunView(**told)
