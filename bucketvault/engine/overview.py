"""What pages and the command line show, as plain frozen values: no table leaves the engine."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from bucketvault.engine.rclone.transcript import Progress
from bucketvault.vocabulary import (
    ComparisonMode,
    Phase,
    ProviderType,
    Reason,
    RunStatus,
    Schedule,
    Trigger,
    Weekday,
)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a Backup: a bucket and perhaps a path in it."""

    provider_name: str
    provider_type: ProviderType
    bucket_name: str
    display_name: str  # empty: it is shown as bucket and provider
    path: str  # empty: the whole bucket; else without slashes at its ends

    @property
    def place(self) -> str:
        """Bucket and path as people write them."""
        return f"{self.bucket_name}/{self.path}" if self.path else self.bucket_name


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as it stands now. Times are UTC."""

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
    explanation: str
    hint: str
    detail: str
    warnings: tuple[str, ...]
    counts: Mapping[str, int]  # names and order of store.models.COUNT_NAMES
    source_objects: int | None
    source_bytes: int | None
    progress: Progress | None  # None before rclone's first stats line
    log_lines: int
    log_bytes: int
    on_its_own: bool  # it runs, and no bucketvault watches it


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What was frozen when a run was claimed ("settings of this run")."""

    source: End
    destination: End
    comparison_mode: ComparisonMode
    retention_days: int
    shrink_limit_percent: int
    rclone_version: str
    arguments: tuple[str, ...]  # rclone's, without secrets


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that the page of one run shows. Settings are None until the run was claimed."""

    run: RunView
    settings: RunSettings | None
    last_good_at: dt.datetime | None  # end of the newest successful run before this one
    previous_id: int | None
    next_id: int | None


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One backup in the list."""

    id: int
    name: str
    enabled: bool
    source: End
    destination: End
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
