"""The command lines we give rclone, in one place. Each flag has its reason beside it.

Never: --fast-list (loses keys with a leading slash), --delete-excluded (moves the archive into the
archive), --max-delete as a brake (trips half way), --disable copy (--backup-dir needs it), --dump
(prints keys), --ignore-errors.

Decisions: docs/decisions/rclone.md.
"""

from enum import Enum, auto

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.vocabulary import ComparisonMode

STAMP_FORMAT = "%Y%m%dT%H%M%SZ"
RESTORE_NAME = "RESTORE.txt"

# Anchored: only the archive at the top of a bucket or path, not an object of that name below.
EXCLUDE_ARCHIVE = ("--exclude", f"/{ARCHIVE_ROOT}/**")

# Two keys that differ only in how Unicode writes the same letters (NFC, NFD) are two objects to S3.
# To rclone they are one, of which it copies one and says so in a line nobody reads (1.75.2).
EXACT_NAMES = ("--no-unicode-normalization",)

SYNC_FLAGS = (
    *EXCLUDE_ARCHIVE,
    *EXACT_NAMES,
    "--metadata",  # content type, cache control, user metadata travel too
    *("--log-level", "INFO", "--use-json-log", "--stats", "1s", "--stats-one-line"),
    # With rclone's defaults a refused connection takes over ten minutes to be called an error.
    *("--retries", "3", "--low-level-retries", "5", "--contimeout", "15s", "--timeout", "5m"),
    # A server of 1 GB: four objects at a time, small buffers.
    *("--transfers", "4", "--checkers", "16", "--buffer-size", "4M"),
)

# Questions before a run answer soon or not at all.
ASK_FLAGS = (
    *("--retries", "1", "--low-level-retries", "2", "--contimeout", "10s", "--timeout", "30s"),
)

COMPARISON_FLAGS: dict[ComparisonMode, tuple[str, ...]] = {
    ComparisonMode.DEFAULT: (),
    ComparisonMode.SIZE_ONLY: ("--size-only",),
    ComparisonMode.CHECKSUM: ("--checksum",),
}


class Look(Enum):
    """How a dry run compares. The first two list, and ask only for objects without a checksum."""

    LISTED = auto()  # sizes where the backup does, else checksums; those without one by size
    NEWER = auto()  # what was written later than its copy, by the servers' clocks, and may differ
    EXACT = auto()  # as the run itself does: comparing dates asks for each object


def location(side: str, bucket: str, path: str = "") -> str:
    """`side:bucket/path/`, always with the final slash.

    Where both an object `photos` and objects below `photos/` exist, `bucket/photos` copies that
    one object and exits 0.
    """
    inside = f"{path.strip('/')}/" if path.strip("/") else ""
    return f"{side}:{bucket}/{inside}"


def archive(bucket: str, archive_key: str, name: str = "") -> str:
    """Where a backup's kept versions are; `name` is one run's folder, or a file beside them.

    The place of `--backup-dir` and of listings ends with a slash: without it rclone asks for the
    folder as if it were an object, and takes every answer but 404 for a file.
    """
    return f"dest:{bucket}/{ARCHIVE_ROOT}/{archive_key}/{name}"


def sync(spec: RunSpec, stamp: str) -> list[str]:
    """Return the arguments of a run, after `rclone --config FILE`."""
    return [*_between(spec, stamp), *SYNC_FLAGS, *COMPARISON_FLAGS[spec.comparison_mode]]


def dry_run(spec: RunSpec, stamp: str, look: Look = Look.LISTED) -> list[str]:
    """Return those that tell what a run would do: nothing is read, written or removed."""
    by_size = spec.comparison_mode == ComparisonMode.SIZE_ONLY
    flags = {
        Look.LISTED: ("--size-only" if by_size else "--checksum",),
        Look.NEWER: ("--update", "--use-server-modtime"),
        Look.EXACT: COMPARISON_FLAGS[spec.comparison_mode],
    }
    return [
        *_between(spec, stamp),
        "--dry-run",
        *EXCLUDE_ARCHIVE,
        *EXACT_NAMES,
        *flags[look],
        *("--checkers", "16"),
        *ASK_FLAGS,
    ]


def source(spec: RunSpec) -> str:
    """Return where a run reads."""
    return location("source", spec.source.bucket, spec.source.path)


def destination(spec: RunSpec) -> str:
    """Return where a run writes."""
    return location("dest", spec.destination.bucket, spec.destination.path)


def _between(spec: RunSpec, stamp: str) -> list[str]:
    kept = archive(spec.destination.bucket, spec.archive_key, f"{stamp}/")
    return ["sync", source(spec), destination(spec), "--backup-dir", kept]


def size(place: str) -> list[str]:
    """Count what a run would read or find there: `{"count": n, "bytes": n}` on stdout; lists only.

    A missing bucket exits 3; a missing path counts 0, as an empty one does.
    """
    return ["size", place, "--json", *EXCLUDE_ARCHIVE, *ASK_FLAGS]


def destination_answers(bucket: str) -> list[str]:
    """One listing that shows whether the destination's bucket is there and may be read.

    A dry run into a missing bucket exits 0, so it cannot tell.
    """
    return [
        *("lsf", f"dest:{bucket}/{ARCHIVE_ROOT}/"),
        *("--max-depth", "1", "--dirs-only"),
        *ASK_FLAGS,
    ]


def list_archive(bucket: str, archive_key: str) -> list[str]:
    """One listing: the names in a backup's archive, folders with a final slash, a line each."""
    return ["lsf", archive(bucket, archive_key), "--max-depth", "1", *ASK_FLAGS]


def list_kept_versions(bucket: str, archive_key: str) -> list[str]:
    """Every kept version as `size;path`, a line each."""
    return [
        *("lsf", archive(bucket, archive_key), "--recursive", "--files-only"),
        *("--format", "sp", "--separator", ";"),
        *ASK_FLAGS,
    ]


def purge(bucket: str, archive_key: str, stamp: str) -> list[str]:
    """Remove one run's folder of kept versions."""
    return ["purge", archive(bucket, archive_key, f"{stamp}/"), *ASK_FLAGS]


def write_restore_text(bucket: str, archive_key: str) -> list[str]:
    """Write RESTORE.txt from stdin."""
    return ["rcat", archive(bucket, archive_key, RESTORE_NAME), *ASK_FLAGS]
