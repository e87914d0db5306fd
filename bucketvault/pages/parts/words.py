"""Words that several pages share: ways to compare, what a storage is for, when a backup runs."""

from typing import NamedTuple
from zoneinfo import ZoneInfo

from bucketvault.engine.views.backups import BackupRow
from bucketvault.vocabulary import ComparisonMode, Schedule, UsageType

BACKUPS_SHOWN = 2  # of those that use a storage, in a list
USAGE_WORDS = {
    None: "either",
    UsageType.SOURCE_ONLY: "copy from",
    UsageType.DESTINATION_ONLY: "copy to",
}

KINDS = {  # of providers, as addresses and people call them
    "cloudflare_r2": "Cloudflare R2",
    "backblaze_b2": "Backblaze B2",
    "amazon_s3": "Amazon S3",
    "s3_compatible": "S3-compatible",
}


class Comparing(NamedTuple):
    """One way to compare, in words."""

    title: str
    note: str  # where it is chosen
    cost: str  # on the backup's page
    compares: str  # on a run's page


COMPARING = {  # in the order in which they are offered
    ComparisonMode.CHECKSUM: Comparing(
        "Checksum",
        "Compares size and checksum: the right choice for almost everyone. An object without a "
        "checksum, "
        "such as one uploaded in parts, counts as changed when its ETag differs.",
        "misses only what changes neither size, checksum nor ETag",
        "checksum",
    ),
    ComparisonMode.CHECKSUM_AND_TIME: Comparing(
        "Checksum and time",
        "Also copies again what was written after it was copied, even if its content is the same. "
        "Replaces more, and keeps more old versions.",
        "copies again what was written since, whatever its content",
        "checksum and modification time",
    ),
    ComparisonMode.SIZE_ONLY: Comparing(
        "Size only",
        "For services without usable checksums. Misses a change that keeps the size.",
        "misses a change that keeps the size",
        "size only",
    ),
}


def schedule_words(row: BackupRow, zone: ZoneInfo) -> str:
    """Return `Daily at 01:30`, `Mondays at 05:00`; with the zone where it is not the server's."""
    day = "Daily"
    if row.schedule == Schedule.WEEKLY:
        day = f"{row.weekday.value.capitalize()}s" if row.weekday is not None else "Weekly"
    elsewhere = f" ({row.time_zone})" if row.time_zone != zone.key else ""
    return f"{day} at {row.at}{elsewhere}"
