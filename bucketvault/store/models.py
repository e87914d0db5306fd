"""The tables as classes. Constraints live in the migrations, in the database itself.

All times are aware datetimes in UTC. A change of a run's state names the state it expects, so a
worker, the Stop button and recovery cannot all end one run.

Decisions: docs/decisions/store.md.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import peewee as pw

from bucketvault.store.database import database
from bucketvault.vocabulary import (
    ComparisonMode,
    HoldReason,
    Json,
    MailKind,
    Mends,
    Phase,
    ProviderType,
    Reason,
    RunKind,
    RunStatus,
    Schedule,
    Side,
    StorageClass,
    Trigger,
    UsageType,
    Weekday,
)


def utcnow() -> dt.datetime:
    """Now, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


class UtcField(pw.Field):
    """An aware datetime, kept as text in UTC with microseconds: it sorts as it reads."""

    field_type = "TEXT"

    def db_value(self, value: dt.datetime | None) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def python_value(self, value: str | None) -> dt.datetime | None:
        return None if value is None else dt.datetime.fromisoformat(value)


class WordField(pw.TextField):
    """One of the words of an enumeration, kept as its text."""

    def __init__(self, words: type[StrEnum], **options: object) -> None:
        self.words = words
        super().__init__(**options)

    def db_value(self, value: str | None) -> str | None:
        return None if value is None else str(self.words(value))

    def python_value(self, value: str | None) -> StrEnum | None:
        return None if value is None else self.words(value)


class JsonField(pw.TextField):
    """A JSON value, kept as text."""

    def db_value(self, value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def python_value(self, value: str | None) -> object:
        if value == "{}":  # by far the most frequent ones
            return {}
        if value == "[]":
            return []
        return None if value is None else json.loads(value)


def _new_uuid() -> str:
    return str(uuid.uuid4())


class BaseModel(pw.Model):
    """A row that knows when it was made and last changed (UTC)."""

    id = pw.AutoField()
    created_at: pw.Field[dt.datetime] = UtcField(default=utcnow)
    updated_at: pw.Field[dt.datetime] = UtcField(default=utcnow)

    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def update(cls, *args: Any, **fields: Any) -> Any:  # as peewee's, which has no types
        """Peewee's update, which also notes the time."""
        fields.setdefault("updated_at", utcnow())
        return super().update(*args, **fields)

    def save(self, *args: Any, **options: Any) -> Any:  # the same
        """Peewee's save, which also notes the time."""
        self.updated_at = utcnow()
        return super().save(*args, **options)


class Provider(BaseModel):
    """A service and how to reach it. Keys are ciphertexts bound to this row (see `vault`)."""

    uuid = pw.TextField(default=_new_uuid, unique=True)
    name = pw.TextField(unique=True)
    provider_type: pw.Field[ProviderType] = WordField(ProviderType)
    endpoint = pw.TextField(default="")
    region = pw.TextField(default="")
    access_key_id = pw.TextField()
    secret_access_key = pw.TextField()


class Storage(BaseModel):
    """A bucket at a Provider. `usage_type` None: it may be either end of a Backup."""

    provider = pw.ForeignKeyField(Provider, backref="storages", on_delete="RESTRICT")
    provider_id: int
    bucket_name = pw.TextField()
    display_name = pw.TextField(default="")
    usage_type: pw.Field[UsageType | None] = WordField(UsageType, null=True)
    checked_at: pw.Field[dt.datetime | None] = UtcField(null=True)  # the bucket was seen
    traits: pw.Field[Json] = JsonField(default=dict)  # engine/domain/traits.py


class Backup(BaseModel):
    """A copy from one Storage and path to another, and its schedule."""

    name = pw.TextField(unique=True)
    source_storage = pw.ForeignKeyField(Storage, backref="+", on_delete="RESTRICT")
    source_storage_id: int
    source_path = pw.TextField(default="")
    destination_storage = pw.ForeignKeyField(Storage, backref="+", on_delete="RESTRICT")
    destination_storage_id: int
    destination_path = pw.TextField(default="")
    schedule: pw.Field[Schedule] = WordField(Schedule, default=Schedule.DAILY)
    at = pw.TextField()  # HH:MM on the clocks of `time_zone`
    weekday: pw.Field[Weekday | None] = WordField(Weekday, null=True)
    time_zone = pw.TextField()  # IANA name
    enabled = pw.BooleanField(default=True)
    retention_days = pw.IntegerField(default=30)
    comparison_mode: pw.Field[ComparisonMode] = WordField(
        ComparisonMode, default=ComparisonMode.CHECKSUM
    )
    storage_class: pw.Field[StorageClass] = WordField(StorageClass, default=StorageClass.STANDARD)
    shrink_limit_percent = pw.IntegerField(default=50)
    verify_gb_per_night = pw.IntegerField(default=0)  # read at each end; 0: only when asked
    # how much of the copy was read, and what that found: the last line of its ledger
    reading: pw.Field[Json] = JsonField(default=dict)
    ping_url = pw.TextField(default="")  # told of its runs (engine/alerts/run_pings.py)
    pinged_start = pw.IntegerField(default=0)  # the newest run whose start was told
    pinged_end = pw.IntegerField(default=0)  # the newest run whose end was heard
    pinged_at: pw.Field[dt.datetime | None] = UtcField(null=True)  # of an end, the last time
    ping_heard = pw.BooleanField(default=False)
    ping_answer = pw.TextField(default="")
    archive_key = pw.TextField(unique=True)
    # its key may not list or end unfinished uploads, and people were told so
    uploads_refused = pw.BooleanField(default=False)
    restore_text_hash = pw.TextField(default="")  # of the RESTORE.txt last written
    # the first planned time that nothing was done for yet; None: switched off, or to be worked out
    next_due_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    planned_since: pw.Field[dt.datetime] = UtcField(default=utcnow)  # earlier ones do not count
    # names of kept versions are later: runs that this database does not know may have used it
    stamp_floor = pw.TextField(null=True)
    # of the newest run that left pending
    last_run_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    # the planned time without a good copy that people were told of; None: no such episode
    overdue_since: pw.Field[dt.datetime | None] = UtcField(null=True)


class BackupRun(BaseModel):
    """One execution of a Backup, kept after it ends."""

    uuid = pw.TextField(default=_new_uuid, unique=True)
    backup = pw.ForeignKeyField(Backup, backref="runs", on_delete="CASCADE")
    backup_id: int
    status: pw.Field[RunStatus] = WordField(RunStatus, default=RunStatus.PENDING)
    reason: pw.Field[Reason | None] = WordField(Reason, null=True)  # why it failed
    hold_reason: pw.Field[HoldReason | None] = WordField(HoldReason, null=True)
    side: pw.Field[Side | None] = WordField(Side, null=True)  # which end failed; None: not known
    mends: pw.Field[Mends | None] = WordField(Mends, null=True)  # where; None: at no page here
    region = pw.TextField(default="")  # the right one, where a service refused and named it
    untouched = pw.BooleanField(default=False)  # it says that it touched nothing
    trigger: pw.Field[Trigger] = WordField(Trigger)
    phase: pw.Field[Phase | None] = WordField(Phase, null=True)  # while running, and where it ended
    archive_stamp = pw.TextField(null=True)  # names this run's folder of kept versions
    # when it was made, by the destination's clock, where that name tells another time
    kept_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    scheduled_for: pw.Field[dt.datetime | None] = UtcField(null=True)  # the slot that asked for it
    kind: pw.Field[RunKind] = WordField(RunKind, default=RunKind.COPY)
    skipped_slots = pw.IntegerField(default=0)
    started_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    finished_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    stop_requested_at: pw.Field[dt.datetime | None] = UtcField(null=True)  # Stop was pressed
    requeued = pw.BooleanField(default=False)  # went back to pending once, after a crash
    exit_code = pw.IntegerField(null=True)  # rclone's; negative: ended by that signal
    rclone_pid = pw.IntegerField(null=True)  # for the health page only
    spec: pw.Field[Json] = JsonField(default=dict)  # frozen at claim; no secrets
    # What it would change (engine/domain/findings.py), or has read (Verified).
    findings: pw.Field[Json] = JsonField(default=dict)
    # What was approved before: {"run", "plan", "removed", "replaced", "until", "ends"}, of the held
    # run and its plan (engine/runs/ledgers.py); empty where nothing was.
    approved_limits: pw.Field[Json] = JsonField(default=dict)
    passes = pw.IntegerField(default=0)  # begun so far: each keeps, copies and removes once
    proof: pw.Field[Json] = JsonField(default=dict)  # of its last look (engine/domain/proof.py)
    progress: pw.Field[Json] = JsonField(default=dict)  # the latest stats of rclone
    checked = pw.IntegerField(default=0)
    copied = pw.IntegerField(default=0)
    replaced = pw.IntegerField(default=0)
    archived = pw.IntegerField(default=0)
    deleted = pw.IntegerField(default=0)
    purged = pw.IntegerField(default=0)
    errors = pw.IntegerField(default=0)
    bytes = pw.IntegerField(default=0)
    requests: pw.Field[Json] = JsonField(default=dict)  # to both ends (engine/domain/usage.py)
    uploads_ended = pw.IntegerField(default=0)  # unfinished ones of ours that were removed
    source_objects = pw.IntegerField(null=True)
    source_bytes = pw.IntegerField(null=True)
    warnings: pw.Field[list[Json]] = JsonField(default=list)  # engine/domain/warnings.py
    explanation = pw.TextField(default="")  # for people: what happened
    hint = pw.TextField(default="")  # for people: what to do next
    detail = pw.TextField(default="")  # rclone's own last words
    log_lines = pw.IntegerField(default=0)
    log_bytes = pw.IntegerField(default=0)
    log_removed_at: pw.Field[dt.datetime | None] = UtcField(null=True)  # by housekeeping, for age

    class Meta:
        table_name = "backup_run"

    def change(self, expected: RunStatus, **fields: object) -> bool:
        """Change this run if it still is `expected`; False when something else moved it first.

        The instance takes over the new values only when the row did.
        """
        cls = type(self)
        query = cls.update(**fields).where(cls.id == self.id, cls.status == expected)
        changed = query.execute()
        if changed:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(changed)

    def finish(self, status: RunStatus, **fields: object) -> bool:
        """End a running run; False when something else ended it first (Stop, recovery)."""
        ended = {"finished_at": utcnow(), "rclone_pid": None, **fields}
        return self.change(RunStatus.RUNNING, status=status, **ended)

    @classmethod
    def newest_good(cls, backup_id: int, before: int | None = None) -> BackupRun | None:
        """Return the newest good run of a backup, or the newest before the run `before`."""
        query = cls.select().where(cls.backup == backup_id, IS_GOOD).order_by(cls.id.desc())
        earlier = query if before is None else query.where(cls.id < before)
        found: BackupRun | None = earlier.first()
        return found

    @classmethod
    def partly_since(cls, backup_id: int, before: int) -> dt.datetime | None:
        """Return the start of the first run that changed the copy and did not complete it.

        Of the runs of a backup before the run `before`, and to the same place, since the newest
        that completed the copy; None where that one was the last to change it.
        """
        mine = cls.backup == backup_id
        query = first_partly(mine & (cls.id < before), mine & (cls.id <= before))
        found: dt.datetime | None = query.scalar()
        return found

    @classmethod
    def newest_damage(cls, backup_id: int) -> int | None:
        """Return the newest run of a backup that found bytes which differ."""
        query = cls.select(cls.id).where(cls.backup == backup_id, cls.reason == Reason.DAMAGED)
        found: int | None = query.order_by(cls.id.desc()).limit(1).scalar()
        return found


# Conditions, and the same of a status: `RunStatus.is_active`.
IS_ACTIVE = BackupRun.status.in_([each for each in RunStatus if each.is_active])
HAS_ENDED = BackupRun.status.in_([each for each in RunStatus if not each.is_active])
IS_COPY = BackupRun.kind == RunKind.COPY
IS_GOOD = (BackupRun.status == RunStatus.SUCCESS) & IS_COPY
# Tidying only follows a proof that all is there; a run that ended before it may have left anything.
COMPLETED_THE_COPY = (
    HAS_ENDED
    & IS_COPY
    & ((BackupRun.status == RunStatus.SUCCESS) | (BackupRun.phase == Phase.TIDYING))
)
LEFT_IT_PARTLY = (
    (BackupRun.status == RunStatus.FAILED)
    & IS_COPY
    & BackupRun.phase.in_((Phase.COPYING, Phase.PROVING))
    & (BackupRun.reason.is_null() | (BackupRun.reason != Reason.RCLONE_MISSING))
)


# Where a run copied to, as one value (engine/domain/spec.py).
_PLACE = ("provider_type", "endpoint", "region", "bucket", "path")
_DESTINATION = pw.fn.json_extract(
    BackupRun.spec, *(f"$.{Side.DESTINATION}.{name}" for name in _PLACE)
)


def first_partly(which: Any, of: Any) -> Any:  # Any: conditions and a query, untyped in peewee
    """Return the query for the start of what `BackupRun.partly_since` seeks, among these runs.

    Those that copied to where the newest begun run of `of` did: that may be elsewhere now. It reads
    along the index on (backup, id), from the newest run that completed the copy on.
    """
    begun = BackupRun.select(_DESTINATION).where(of, IS_COPY, BackupRun.started_at.is_null(False))
    here = which & (begun.order_by(BackupRun.id.desc()).limit(1) == _DESTINATION)
    complete = BackupRun.select(BackupRun.id).where(here, COMPLETED_THE_COPY)
    complete = complete.order_by(BackupRun.id.desc()).limit(1)
    return (
        BackupRun.select(BackupRun.started_at)
        .where(here, LEFT_IT_PARTLY, BackupRun.id > pw.fn.COALESCE(complete, 0))
        .order_by(BackupRun.id)
        .limit(1)
    )


class RunLogChunk(pw.Model):
    """About 64 KiB of a run's raw log, compressed; `store/run_logs.py` reads and writes them."""

    run_id = pw.IntegerField()
    seq = pw.IntegerField()
    first_line = pw.IntegerField()
    line_count = pw.IntegerField()
    first_shown = pw.IntegerField()
    shown_count = pw.IntegerField()
    raw_bytes = pw.IntegerField()
    data = pw.BlobField()
    kinds = pw.BlobField()  # compressed; a LineKind a byte and line

    class Meta:
        database = database
        table_name = "run_log_chunk"
        primary_key = pw.CompositeKey("run_id", "seq")


class Session(BaseModel):
    """A browser that has signed in. Its secret is in that browser only; here is the hash."""

    IDLE_S = 30 * 24 * 3600.0  # one that was not seen for so long has ended

    token_hash = pw.TextField(unique=True)  # SHA-256, in hexadecimal digits
    last_seen_at: pw.Field[dt.datetime] = UtcField(default=utcnow)  # to within a few minutes


class SignInLink(BaseModel):
    """A link that signs in once. Its token is with whoever asked for it; here is the hash."""

    token_hash = pw.TextField(unique=True)  # SHA-256, in hexadecimal digits


class AlertTarget(BaseModel):
    """Where alerts go besides email. Its URL is a ciphertext bound to this row (see `vault`)."""

    uuid = pw.TextField(unique=True, default=_new_uuid)
    name = pw.TextField(unique=True)
    shown = pw.TextField()  # kind and host, such as `ntfy, ntfy.example.com`: nothing secret
    url = pw.TextField()
    events: pw.Field[list[str]] = JsonField(default=list)  # words of AlertEvent
    tried_at: pw.Field[dt.datetime | None] = UtcField(null=True)  # alert or test, the last one
    heard = pw.BooleanField(default=False)  # the service took it
    answer = pw.TextField(default="")  # its own words, cleaned


class Mail(BaseModel):
    """An alert, whole: it waits (`next_attempt_at`), was taken by the service, or is given up.

    `target` None: an email.
    """

    run = pw.ForeignKeyField(BackupRun, backref="+", null=True, on_delete="SET NULL")
    run_id: int | None
    backup = pw.ForeignKeyField(Backup, backref="+", null=True, on_delete="SET NULL")
    backup_id: int | None
    target = pw.ForeignKeyField(AlertTarget, backref="+", null=True, on_delete="CASCADE")
    target_id: int | None
    kind: pw.Field[MailKind] = WordField(MailKind)
    message_id = pw.TextField(unique=True)  # the same at every attempt
    subject = pw.TextField()
    body = pw.TextField()
    html = pw.TextField(default="")  # the same for programs that show it; empty: plain text alone
    about: pw.Field[Json] = JsonField(default=dict)  # of a target: for programs that read it
    attempts = pw.IntegerField(default=0)
    next_attempt_at: pw.Field[dt.datetime | None] = UtcField(null=True, default=utcnow)
    sent_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    dead_at: pw.Field[dt.datetime | None] = UtcField(null=True)
    dismissed_at: pw.Field[dt.datetime | None] = UtcField(null=True)  # given up, and seen
    last_error = pw.TextField(default="")

    @classmethod
    def needs_attention(cls) -> pw.Expression:
        """Return the condition for those that were given up, and nobody has looked at."""
        return cls.dead_at.is_null(False) & cls.dismissed_at.is_null()


class Setting(BaseModel):
    """One setting of the installation; `engine/settings.py` knows which there are."""

    key = pw.TextField(primary_key=True)
    value = pw.TextField()


COUNT_NAMES = ("checked", "copied", "replaced", "archived", "deleted", "purged", "errors",
               "bytes")  # fmt: skip


def counts_of(run: BackupRun) -> Mapping[str, int]:
    """The run's counts by name, in the order in which they are told."""
    return {name: getattr(run, name) for name in COUNT_NAMES}


# What a list tells of an ended run; the rest is large, or nobody's business there.
_UNLISTED = {
    "approved_limits",
    "archive_stamp",
    "kept_at",
    "rclone_pid",
    "requeued",
    "spec",
    "uuid",
}
LISTED = [
    column
    for name, column in BackupRun._meta.fields.items()  # noqa: SLF001 - peewee's own way to them
    if name not in _UNLISTED
]
