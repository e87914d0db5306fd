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


class Comparing(NamedTuple):
    """One way to compare, in words."""

    title: str
    note: str  # where it is chosen
    cost: str  # on the backup's page
    compares: str  # on a run's page


COMPARING = {  # in the order in which they are offered
    ComparisonMode.CHECKSUM: Comparing(
        "Checksum",
        "Compares sizes and checksums from the listings: right for almost everybody. By size alone "
        "where an object has no checksum, such as one that another program uploaded in parts.",
        "listings only, no request per object",
        "checksum",
    ),
    ComparisonMode.SIZE_ONLY: Comparing(
        "Size only",
        "Quickest; misses a change that keeps the size.",
        "listings only; misses a change that keeps the size",
        "size only",
    ),
    ComparisonMode.DEFAULT: Comparing(
        "Size and time",
        "Asks for each object at both ends, in every run. Slow and costly for many objects.",
        "asks for each object, twice",
        "size and modification time",
    ),
}


def schedule_words(row: BackupRow, zone: ZoneInfo) -> str:
    """Return `Daily at 01:30`, `Mondays at 05:00`; with the zone where it is not the server's."""
    day = "Daily"
    if row.schedule == Schedule.WEEKLY:
        day = f"{row.weekday.value.capitalize()}s" if row.weekday is not None else "Weekly"
    elsewhere = f" ({row.time_zone})" if row.time_zone != zone.key else ""
    return f"{day} at {row.at}{elsewhere}"
