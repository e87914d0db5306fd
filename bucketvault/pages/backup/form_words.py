"""Words of a backup's form: when it runs, what it costs, what can be brought back. Pure."""

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bucketvault.engine.domain import rules
from bucketvault.engine.domain.fields import BackupFields, checked, ruled_fields
from bucketvault.engine.domain.findings import FEWEST_REMOVED
from bucketvault.engine.domain.times import next_due
from bucketvault.engine.probe.contents import PathLook, PathSize
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import count, day, day_and_time, exact, many, size, until
from bucketvault.pages.parts.form import Difference
from bucketvault.pages.parts.widgets import NAME_CHARACTERS
from bucketvault.pages.parts.words import COMPARING
from bucketvault.sanitize import clean
from bucketvault.vocabulary import (
    ComparisonMode,
    ProviderType,
    Schedule,
    StorageClass,
    Weekday,
)

# A listing gives 1,000 objects at most. A run that finds nothing to do lists both ends once; two
# short listings see what is kept.
LISTED_AT_ONCE = 1000
SHORT_LISTINGS = 2
RUNS_A_MONTH = {Schedule.DAILY: 365 / 12, Schedule.WEEKLY: 365 / 84}

SCHEDULES = {Schedule.DAILY.value: "Daily", Schedule.WEEKLY.value: "Weekly"}
DAYS = {weekday.value: weekday.value.capitalize() for weekday in Weekday}
PING_EXAMPLE = "https://hc-ping.com/…"
PING_HINT = (
    "Told when a run of this backup starts, succeeds or fails: a check of Healthchecks, or a push "
    "URL of Uptime Kuma."
)
LABELS = {name: each.label for name, each in ruled_fields(BackupFields).items()}
TIMING = ("schedule", "at", "weekday", "time_zone")
HIDES = (
    "deleting only hides an object: you pay for it until a lifecycle rule deletes it (“Keep only "
    "the last version”)"
)
ENDS = ("source_storage_id", "source_path", "destination_storage_id", "destination_path")


def new_backup(time_zone: str) -> BackupFields:
    """First values of a new backup."""
    return BackupFields(schedule=Schedule.DAILY, at="03:15", time_zone=time_zone)


# ------------------------------------------------------------------ what is there


def source_words(look: PathLook | None, measured: PathSize | None) -> tuple[Tone, str]:
    """Say what a look at the source saw, or what counting it found."""
    if measured is not None and measured.objects:
        found = f"{many(measured.objects, 'object')}, {size(measured.size_bytes)} there."
        return Tone.OK, found
    if measured is not None or (look is not None and not look.anything):
        return Tone.WARN, "Empty: a run would stop without changing anything."
    assert look is not None  # noqa: S101  one of both is known
    return Tone.OK, f"There {_seen(look)}."


def destination_words(look: PathLook, *, is_own_copy: bool) -> tuple[Tone, str]:
    """Say what a look at the destination saw. `is_own_copy`: this backup copies there already."""
    if not look.anything:
        return Tone.OK, "Empty: ready for a first copy."
    if is_own_copy:
        return Tone.OK, f"There {_seen(look)}: the copy."
    verb = "is" if look.objects_seen == 1 and not look.cut else "are"
    number = f"More than {count(look.objects_seen)}" if look.cut else count(look.objects_seen)
    things = "object or folder" if look.objects_seen == 1 else "objects and folders"
    there = f"{number} {things} {verb} there already{_named(look)}."
    return Tone.WARN, f"{there} The first run would ask for approval before it removes any."


def _seen(look: PathLook) -> str:
    if look.cut:
        return f"are more than {count(look.objects_seen)} objects and folders"
    verb = "is" if look.objects_seen == 1 else "are"
    return f"{verb} {many(look.objects_seen, 'object or folder', 'objects and folders')}" + (
        _named(look)
    )


def _named(look: PathLook) -> str:
    names = ", ".join(clean(name, limit=60) for name in look.names)
    more = ", …" if look.objects_seen > len(look.names) else ""
    return f" ({names}{more})" if names else ""


def looks_swapped(source: PathLook | None, destination: PathLook | None) -> bool:
    """True if the two ends seem to be the wrong way round."""
    if source is None or destination is None:
        return False
    return destination.anything and not source.anything


# ------------------------------------------------------------------ storage class

CLASSES = {
    StorageClass.STANDARD: "Standard",
    StorageClass.STANDARD_IA: "Infrequent access",
    StorageClass.ONEZONE_IA: "Infrequent access, one zone",
    StorageClass.INTELLIGENT_TIERING: "Intelligent tiering",
    StorageClass.GLACIER_IR: "Glacier, instant retrieval",
}


def classes_offered(row: StorageRow | None, chosen: object) -> dict[str, str]:
    """Return the storage classes a copy to this storage may get, and the chosen one."""
    known = (StorageClass.STANDARD,) if row is None else row.storage_classes
    return {
        each.value: f"{name} ({each})"
        for each, name in CLASSES.items()
        if each in known or each == chosen
    }


def class_words(chosen: object) -> str:
    """Say what a storage class means for new objects."""
    if chosen == StorageClass.STANDARD:
        return "For new objects and old versions. The class at the source is not copied."
    return (
        "For new objects and old versions. Cheaper to store, but reading, early deletion and "
        "small objects cost extra: old versions are deleted after the retention below."
    )


# ------------------------------------------------------------------ when


def clock_typed(typed: str) -> str:
    """Return `3:15` and `0315` as `03:15`; anything else as it was typed."""
    found = re.fullmatch(r"([0-9]{1,2})[:.]?([0-9]{2})", typed.strip())
    return f"{int(found[1]):02}:{found[2]}" if found else typed


class NextRun(NamedTuple):
    """One planned time: in words, and with nothing left to guess."""

    words: str
    exact: str


def next_runs(given: BackupFields, now: dt.datetime) -> tuple[NextRun, ...]:
    """Return the next three planned times, on the clocks of its zone; none while one is wrong."""
    values, problems = checked(given)
    if any(problem.field in TIMING for problem in problems):
        return ()
    zone, after = ZoneInfo(values.time_zone), now
    found: list[NextRun] = []
    for _ in range(3):
        after = next_due(values, after)
        away = until(after, now)
        words = day_and_time(after, zone, now)
        found.append(NextRun(f"{words}, {away}" if not found else words, exact(after, zone)))
    return tuple(found)


# ------------------------------------------------------------------ what it costs


def requests_a_month(schedule: Schedule, objects: int) -> int:
    """Return how many requests a month's runs make when nothing has changed."""
    pages = max(1, math.ceil(objects / LISTED_AT_ONCE))
    return round((2 * pages + SHORT_LISTINGS) * RUNS_A_MONTH[schedule])


def requests_note(schedule: Schedule, objects: int | None) -> str:
    """Say the same in words; where nobody knows how many objects, what it depends on."""
    each = "Each changed object adds about 6, and a run with changes lists both buckets twice."
    if objects is None:
        return (
            f"A run sends each bucket one request per 1,000 objects. {each} Count the source above "
            "to get a monthly estimate."
        )
    number = count(_roughly(requests_a_month(schedule, objects)))
    return (
        f"About {number} requests a month for {many(objects, 'object')} while nothing changes, "
        f"for both buckets together. {each}"
    )


def _roughly(number: int) -> int:
    """Two digits that count; the rest would claim too much."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return round(number / step) * step


# ------------------------------------------------------------------ if something is deleted


def retention_words(typed: str, zone: ZoneInfo, now: dt.datetime) -> str:
    """Until when a deletion of today can be undone; empty where the number is none."""
    days = _number(typed)
    if days is None or not 1 <= days <= rules.LONGEST_RETENTION_DAYS:
        return ""
    last = day(now + dt.timedelta(days=days), zone, now)
    return f"An object deleted today can be restored until {last}."


def limit_words(typed: str) -> str:
    """Say when a run asks first; empty where the number is none."""
    percent = _number(typed)
    if percent is None or not 0 <= percent <= 100:
        return ""
    if percent == 100:
        return "Only an empty source, and removals on a first run, need approval."
    share = "more than half" if percent == 50 else f"more than {percent} %"
    return (
        f"A run that would remove or replace {share} of the copy is held for your approval. "
        f"Fewer than {FEWEST_REMOVED} never need approval, except on a first run. "
        "An empty source always stops the run."
    )


def reading_words(typed: str, schedule: str, measured: PathSize | None) -> str:
    """Say what reading each night means and costs; empty where the number is none."""
    budget = _number(typed)
    if budget is None or budget > rules.MOST_GB_A_NIGHT:
        return ""
    if not budget:
        return (
            "0: only when you press Verify now. A run compares listings; reading finds objects "
            "that were damaged in a bucket later."
        )
    a_night = budget * rules.GB
    if measured is not None:
        a_night = min(a_night, measured.size_bytes)
    a_month = size(a_night * RUNS_A_MONTH[Schedule(schedule)])
    then = "each night" if schedule == Schedule.DAILY else "each week"
    took = ""
    if measured is not None and measured.size_bytes > a_night:
        took = f" All of it once in {many(math.ceil(measured.size_bytes / a_night), 'such run')}."
    return (
        f"After a good run {then}, starting with what was not read for the longest time. About "
        f"{a_month} a month "
        f"leave each of the two providers, who may charge for it.{took}"
    )


def _number(typed: str) -> int | None:
    typed = typed.strip()
    return int(typed) if re.fullmatch(r"[0-9]{1,9}", typed) else None


# ------------------------------------------------------------------ in words


def sentence(given: BackupFields) -> str:
    """Say what the backup will do."""
    when = "Whenever you press Run now"
    if given.enabled:
        days = DAYS.get(str(given.weekday), "week")
        often = "day" if given.schedule == Schedule.DAILY else days
        wrong = any(problem.field == "at" for problem in checked(given)[1])
        when = f"Every {often}" if wrong else f"Every {often} at {given.at}"
    kept = _number(str(given.retention_days))
    stays = f" Replaced and removed objects are kept for {many(kept, 'day')}." if kept else ""
    return f"{clean(when, limit=80)}, all that is new or changed is copied.{stays}"


def consequences(
    given: BackupFields,
    stored: BackupFields | None,  # None: a new backup
    destination: StorageRow | None,
    measured: PathSize | None,
) -> list[tuple[str, str]]:
    """Return what it means, line by line."""
    lines = [_first_run(given, stored, measured)]
    if stored is None:
        lines.append(("Later runs", "only what changed"))
    lines.append(("Source", "is only read, never written"))
    if destination and destination.provider_type is ProviderType.BACKBLAZE_B2:
        lines.append(("On Backblaze", HIDES))
    return lines


def _first_run(
    given: BackupFields, stored: BackupFields | None, measured: PathSize | None
) -> tuple[str, str]:
    if stored is None:
        if measured is None:
            return "First run", "all data passes through this server"
        volume = size(measured.size_bytes)
        return "First run", f"{volume} pass through this server"
    if any(getattr(stored, name) != getattr(given, name) for name in ENDS):
        words = "asks before removing anything, because source or destination changed"
        return "The next run", words
    return "Takes effect", "from the next run; a run in progress keeps its settings"


# ------------------------------------------------------------------ two tabs


def differences(
    names: Sequence[str],
    stored: BackupFields,
    here: BackupFields,
    buckets: Mapping[object, str],  # what people call an end's, by its value
) -> list[Difference]:
    """Say for each field that was changed meanwhile what is stored now and what the form holds."""
    return [
        Difference(
            LABELS[name],
            _shown(name, getattr(stored, name), buckets),
            _shown(name, getattr(here, name), buckets),
        )
        for name in LABELS
        if name in names
    ]


def _shown(name: str, value: object, buckets: Mapping[object, str]) -> str:
    if name.endswith("_storage_id"):
        return buckets.get(value, "none")
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "comparison_mode":
        return COMPARING[ComparisonMode(str(value))].title
    if name == "storage_class":
        return CLASSES[StorageClass(str(value))]
    if name.endswith("_path"):
        return clean(str(value), limit=NAME_CHARACTERS) or "the whole bucket"
    return clean(str(value or "none"), limit=NAME_CHARACTERS)
