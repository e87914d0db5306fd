"""A made-up backup with all that its page shows. For tests only."""

from dataclasses import replace

from bucketvault.engine.runs.kept_versions import Kept, KeptFolder
from bucketvault.engine.views.backups import BackupPage, BackupRow, RunView
from bucketvault.vocabulary import ComparisonMode, ProviderType
from tests.pages import scenes_verify
from tests.pages.scenes import (
    DAY,
    HOUR,
    empty_run,
    failed_run,
    held_run,
    now,
    preview_run,
    run_view,
    stopped_run,
    warned_run,
)

RESTORE_TEXT = """\
HOW TO RESTORE THIS COPY

Backup:  Postgres dumps
From:    bucket acme-pg-dumps at Amazon Frankfurt
To:      bucket acme-pg-dumps-copy at Backblaze EU

bucketvault made this copy with rclone (https://rclone.org). You need neither bucketvault nor the
server it ran on: rclone 1.75 or newer and a key that may read this bucket are enough.

EVERYTHING, AS IT WAS AFTER THE LAST RUN

  rclone --config rclone.conf copy 'copy:acme-pg-dumps-copy/' restored/ \
--exclude '/.bucketvault-archive/**' --metadata --progress
"""


def backup_page(row: BackupRow, **changes: object) -> BackupPage:
    """A backup with a run of each kind behind it."""
    found = BackupPage(
        row=row,
        comparison_mode=ComparisonMode.CHECKSUM,
        retention_days=30,
        shrink_limit_percent=50,
        archive_key="postgres-dumps-1a2b3c",
        restore_text=RESTORE_TEXT,
        deletes_only_hide=row.destination.provider_type is ProviderType.BACKBLAZE_B2,
        coverage=scenes_verify.COVERAGE if row.last_run is not None else None,
        shown_prefix=f"{row.destination.bucket}/.bucketvault-archive/postgres-dumps-1a2b3c/",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def some_runs(row: BackupRow) -> tuple[RunView, ...]:
    """The runs of `row`, newest first."""
    newest = [view for view in (row.active_run, row.last_run) if view is not None]
    if not newest:
        return ()
    earlier = (
        scenes_verify.verified_run(),
        scenes_verify.damaged_run(),
        preview_run(),
        stopped_run(),
        warned_run(),
        held_run(can_be_approved=False),
        empty_run(),
        run_view(id=3),
        failed_run(),
    )
    older = []
    for number, view in enumerate(earlier, start=1):
        ago = number * DAY
        times = {
            name: value - ago
            for name in ("scheduled_for", "queued_at", "started_at", "finished_at")
            if (value := getattr(view, name)) is not None
        }
        older.append(replace(view, backup_id=row.id, backup_name=row.name, **times))
    return (*newest, *older)


def kept(folders: int = 5, foreign: tuple[str, ...] = ()) -> Kept:
    """So many folders, a day apart; the oldest of five is due to go."""
    made = []
    for number in range(folders):
        replaced = now() - number * DAY - HOUR - (28 * DAY if number == 4 else 0 * DAY)
        made.append(
            KeptFolder(
                # one was named by a clock that was 400 days ahead
                stamp=f"{replaced + (400 * DAY if number == 2 else 0 * DAY):%Y%m%dT%H%M%SZ}",
                is_misplaced=number == 2,
                replaced_at=replaced,
                goes_at=replaced + 30 * DAY,
                objects=4 - number % 3,
                size_bytes=2_100_000_000 - number * 300_000_000 % 2_000_000_000,
            )
        )
    return Kept(tuple(made), foreign)
