"""The command lines we give rclone, in one place. Each flag has its reason beside it.

Never: --fast-list (loses keys with a leading slash), --delete-excluded (moves the archive into the
archive), --max-delete as a brake (trips half way), --disable copy (--backup-dir needs it), --dump
(prints keys), --ignore-errors.
"""

from collections.abc import Sequence

from bucketvault.vocabulary import ComparisonMode

ARCHIVE_ROOT = ".bucketvault-archive"
STAMP_FORMAT = "%Y%m%dT%H%M%SZ"

# Anchored: only the archive at the top of a bucket or path, not an object of that name below.
EXCLUDE_ARCHIVE = ("--exclude", f"/{ARCHIVE_ROOT}/**")

SYNC_FLAGS = (
    *EXCLUDE_ARCHIVE,
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


def location(side: str, bucket: str, path: str = "") -> str:
    """`side:bucket/path/`, always with the final slash.

    Where both an object `photos` and objects below `photos/` exist, `bucket/photos` copies that
    one object and exits 0.
    """
    inside = f"{path.strip('/')}/" if path.strip("/") else ""
    return f"{side}:{bucket}/{inside}"


def archive_folder(archive_key: str, stamp: str) -> str:
    """Where, in the destination's bucket, a run keeps what it replaces and removes."""
    return f"{ARCHIVE_ROOT}/{archive_key}/{stamp}"


def sync(
    source: str,
    destination: str,
    *,
    destination_bucket: str,
    archive_key: str,
    stamp: str,
    comparison_mode: ComparisonMode,
) -> list[str]:
    """The arguments of a run, after `rclone --config FILE`; `source` and `destination` as from
    `location`."""
    return [
        "sync",
        source,
        destination,
        "--backup-dir",
        f"dest:{destination_bucket}/{archive_folder(archive_key, stamp)}/",
        *SYNC_FLAGS,
        *COMPARISON_FLAGS[comparison_mode],
    ]


def source_size(source: str) -> Sequence[str]:
    """Count what the run would read: `{"count": n, "bytes": n}` on stdout; listings only.

    A missing bucket exits 3; a missing path counts 0, as an empty one does.
    """
    return ["size", source, "--json", *EXCLUDE_ARCHIVE, *ASK_FLAGS]


def destination_answers(bucket: str) -> Sequence[str]:
    """One listing that shows whether the destination's bucket is there and may be read.

    A dry run into a missing bucket exits 0, so it cannot tell.
    """
    return [
        "lsf",
        f"dest:{bucket}/{ARCHIVE_ROOT}/",
        *("--max-depth", "1", "--dirs-only"),
        *ASK_FLAGS,
    ]
