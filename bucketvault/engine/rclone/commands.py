"""The command lines we give rclone, in one place. Each flag has its reason beside it.

A run copies in passes of a few steps, each over a list of names: `keep` puts what is to be replaced
among the kept versions, `copy` brings it and what is new, `remove` takes away what the source no
longer has. Each is safe by itself, whatever became of the others. `bulk` is a first copy.

Never: --fast-list (loses keys with a leading slash), --delete-excluded (moves the archive into the
archive), --max-delete as a brake (trips half way), --disable copy (--backup-dir needs it), --dump
(prints keys), --ignore-errors without a list of what may go.

Decisions: docs/decisions/rclone.md.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import RunSpec

STAMP_FORMAT = "%Y%m%dT%H%M%SZ"
STAMP_LENGTH = len("20260101T000000Z")
RESTORE_NAME = "RESTORE.txt"

# Anchored: only the archive at the top of a bucket or path, not an object of that name below.
EXCLUDE_ARCHIVE = ("--exclude", f"/{ARCHIVE_ROOT}/**")

# Two keys that differ only in how Unicode writes the same letters (NFC, NFD) are two objects to S3.
# To rclone they are one, of which it copies one and says so in a line nobody reads (1.75.2).
EXACT_NAMES = ("--no-unicode-normalization",)

# Every step of a run.
STEP_FLAGS = (
    *EXACT_NAMES,
    # Content type, cache control, user metadata travel too, also into the kept versions: without it
    # a copy in parts inside the destination, above 4.6 GiB, has only some of them (1.75.2).
    "--metadata",
    *("--log-level", "INFO", "--use-json-log", "--stats", "1s", "--stats-one-line"),
    # One try: another one is another pass, with a look between them and a folder of kept versions
    # of its own. A second try of rclone's would keep what the first one wrote over the version from
    # before. With its defaults a refused connection takes over ten minutes to be called an error.
    *("--retries", "1", "--low-level-retries", "5", "--contimeout", "15s", "--timeout", "5m"),
    # A server of 1 GB: four objects at a time, small buffers.
    *("--transfers", "4", "--checkers", "16", "--buffer-size", "4M"),
)
# Questions answer soon or not at all.
ASK_FLAGS = (
    *("--retries", "1", "--low-level-retries", "2", "--contimeout", "10s", "--timeout", "30s"),
)

# After an upload rclone compares size and hash, and removes an object that is not right: also the
# former version, where the upload was answered and not done (1.75.2). The proof compares both, and
# what is wrong is replaced by the next pass: a copy never has a hole.
# A bucket that is encrypted with a key of KMS has no hash that could be right; that is known after
# the first objects are there, so a first copy never asks either.
IGNORE_HASHES = ("--ignore-checksum",)
IN_PARTS = ("--s3-upload-cutoff", "0")
LEAVE_IT = ("--ignore-size", *IGNORE_HASHES)


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


def keep(spec: RunSpec, stamp: str, *names: str, odd: bool = False) -> list[str]:
    """Copy what is to be replaced into the run's folder of kept versions, inside the destination.

    `names` are files: lists as `--files-from-raw` takes them, or, if `odd`, one filter.
    """
    where = [destination(spec), _kept(spec, stamp)]
    flags = ("--ignore-times", *_no_hashes(spec))
    return ["copy", *where, *_only(names, odd=odd), *flags, *STEP_FLAGS]


def copy(spec: RunSpec, *names: str, odd: bool = False, in_parts: bool = False) -> list[str]:
    """Copy what is new, and what is to be replaced and is kept.

    `in_parts`: each part with its own MD5, for a destination that takes nothing without a hash.
    """
    between = [source(spec), destination(spec)]
    # The plan decides what is copied: rclone would take the same size and date for the same object.
    flags = ("--ignore-times", *LEAVE_IT, *(IN_PARTS if in_parts else ()), *_limit(spec))
    return ["copy", *between, *_only(names, odd=odd), *flags, *STEP_FLAGS]


def remove(spec: RunSpec, stamp: str, *names: str, odd: bool = False) -> list[str]:
    """Move what the source no longer has into the run's folder of kept versions.

    What is at the source again meanwhile is left alone: it comes with the next run. Only here an
    error with one name may not hold up the others: nothing goes that is not in the list.
    """
    between = [source(spec), destination(spec), "--backup-dir", _kept(spec, stamp)]
    careful = ("--ignore-existing", "--ignore-errors", *_no_hashes(spec))
    return ["sync", *between, *_only(names, odd=odd), *careful, *STEP_FLAGS]


def bulk(spec: RunSpec) -> list[str]:
    """Copy all that is not there yet, listed by rclone: for a first copy, or the rest of one."""
    between = [source(spec), destination(spec)]
    flags = ("--ignore-existing", *IGNORE_HASHES, *_limit(spec))
    return ["copy", *between, *EXCLUDE_ARCHIVE, *flags, *STEP_FLAGS]


def _limit(spec: RunSpec) -> tuple[str, ...]:
    """Return the flag that holds a step down: to so many bytes a second in each direction.

    Without the unit `B` rclone counts KiB. It looks at its clock, see `clock`, once a minute.
    """
    limit = spec.bandwidth
    if not limit.bytes_s:
        return ()
    rate = f"{limit.bytes_s}B"
    return "--bwlimit", f"{limit.start},{rate} {limit.end},off" if limit.start else rate


def clock(spec: RunSpec) -> dict[str, str]:
    """Return the environment in which rclone has the clock of its limit; empty where it needs none.

    Go knows only zones that this machine has, and takes others for UTC without a word; as a path
    it reads any file of a zone, also that of Python's own (src/time/zoneinfo_unix.go).
    """
    limit = spec.bandwidth
    if not (limit.bytes_s and limit.start):
        return {}
    package = importlib.util.find_spec("tzdata")
    for folder in (package.submodule_search_locations or ()) if package is not None else ():
        file = Path(folder) / "zoneinfo" / limit.zone
        if file.is_file():
            return {"TZ": str(file)}
    return {"TZ": limit.zone}


def _no_hashes(spec: RunSpec) -> tuple[str, ...]:
    """Return the flag without which a copy inside such a bucket is removed as corrupted."""
    return IGNORE_HASHES if spec.destination.traits.kms else ()


def _only(names: Sequence[str], *, odd: bool) -> list[str]:
    """Limit a step to the names in these files, as seen from the run's folder.

    With `--no-traverse` rclone asks for each name instead of listing folders; it then silently
    leaves out names with a slash at either end, and of `a//b` and `a/b` one (1.75.2): those are odd
    names. A filter carries them, at the price of listing both sides.
    """
    if odd:  # rclone refuses a --backup-dir below the destination that no filter leaves out
        return [*EXCLUDE_ARCHIVE, *(word for name in names for word in ("--filter-from", name))]
    return [*(word for name in names for word in ("--files-from-raw", name)), "--no-traverse"]


def _kept(spec: RunSpec, stamp: str) -> str:
    return archive(spec.destination.bucket, spec.archive_key, f"{stamp}/")


def source(spec: RunSpec) -> str:
    """Return where a run reads."""
    return location("source", spec.source.bucket, spec.source.path)


def destination(spec: RunSpec) -> str:
    """Return where a run writes."""
    return location("dest", spec.destination.bucket, spec.destination.path)


def destination_answers(bucket: str) -> list[str]:
    """One listing that shows whether the destination's bucket is there and may be read."""
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


def write_restore_text(spec: RunSpec) -> list[str]:
    """Write RESTORE.txt from stdin.

    With the flag that leaves out the comparison rclone sends no hash, which Object Lock demands.
    """
    place = archive(spec.destination.bucket, spec.archive_key, RESTORE_NAME)
    has_no_hash = (*IGNORE_HASHES, *IN_PARTS) if spec.destination.traits.kms else ()
    return ["rcat", place, *has_no_hash, *ASK_FLAGS]
