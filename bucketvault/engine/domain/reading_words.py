"""Words for what reading both ends found: pages, mails, log and command line. Pure."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from bucketvault.engine.domain.reading import RECENT_DAYS, Coverage, Damage, Verified
from bucketvault.humanize import count, many, percent, sentences, size
from bucketvault.sanitize import clean

NAMED = 5
KEY_CHARACTERS = 120
NOTHING_PROVEN = "No run has proven a copy yet, so there is nothing to read."
RUN_FIRST = "Run the backup first."
FORGOTTEN = "The record of what was proven is damaged."
RUN_AGAIN = "Run the backup to create a new one."


def describe_verified(found: Verified) -> str:
    """`Read 1,234 objects, 5.6 GB: all equal.`, or what differs."""
    read = f"Read {many(found.objects, 'object')}, {size(found.bytes)}"
    if found.wrong:
        told = f"{_differ(found.wrong)}: {_names(found)}. {read} on each side."
    elif found.objects:
        told = f"{read} on each side: all equal."
    else:
        told = "Nothing was read." if found.changed else "Nothing was left to read."
    if found.changed:
        verb = "was" if found.changed == 1 else "were"
        since = f"{count(found.changed)} {verb} written since the last proven run and not compared."
        return f"{told} {since}"
    return told


def what_next(damage: Damage) -> str:
    """Say who mends what differs."""
    return sentences(
        "The next run replaces what is damaged in the copy." if damage.in_copy else "",
        "bucketvault never writes to the source: check it there, and restore a good version "
        "from the copy or from the kept versions."
        if damage.at_source
        else "",
        "Where it is unclear which side is right, compare both. Delete the object in the copy if "
        "it is the bad one; the next run copies it again."
        if damage.unclear
        else "",
    )


def describe_damage(damage: Damage) -> str:
    """`2 objects are damaged in the copy: a, b. The next run replaces them.`"""
    parts = [
        f"{many(number, 'object')} {'is' if number == 1 else 'are'} {where}"
        for number, where in (
            (damage.in_copy, "damaged in the copy"),
            (damage.at_source, "damaged at the source"),
            (damage.unclear, "different in source and copy"),
        )
        if number
    ]
    named = ", ".join(clean(name, limit=KEY_CHARACTERS) for name in damage.names[:NAMED])
    more = ", …" if damage.objects > min(NAMED, len(damage.names)) else ""
    return f"{', '.join(parts)}: {named}{more}."


_MARKS = {
    "damaged": "Damaged in the copy",
    "source_damaged": "Damaged at the source",
    "differs": "Source and copy differ, and it is unclear which is right",
}


def describe_found(found: Mapping[str, Any]) -> str:  # Any: JSON of a finding
    """Say how one object differs, with both hashes and dates; without its key."""
    mark, *ends = found_lines(found)
    return f"{mark}: {'; '.join(ends)}"


def block(found: Mapping[str, Any]) -> str:  # Any: as above
    """Return the same with its key, a line for each end."""
    mark, *ends = found_lines(found)
    return "\n".join([f"{found['key']}: {mark}", *(f"  {end}" for end in ends)])


def found_lines(found: Mapping[str, Any]) -> tuple[str, str, str]:  # Any: as above
    """Return the same in lines: what is wrong, and each end."""
    ends = _end("source", found["source"]), _end("copy", found["copy"])
    return _MARKS[found["mark"]], *ends


def _end(name: str, end: Mapping[str, Any]) -> str:  # Any: as above
    written = str(end["modified"]).replace("T", " ")[:16]
    when = f" of {written} UTC" if written else ""
    return f"{name} SHA-256 {end['sha256']}, {end['size']:,} bytes{when}"


def coverage_words(coverage: Coverage) -> tuple[str, str]:
    """Return how much was read lately, in few words, and what was not."""
    if not coverage.objects:
        return "Nothing to read", "the copy is empty"
    if coverage.recent_objects == coverage.objects:
        return "100 %", f"every byte, in the last {RECENT_DAYS} days"
    share = coverage.recent_bytes / coverage.bytes if coverage.bytes else 0.0
    lately = f"of all bytes in the last {RECENT_DAYS} days"
    return percent(min(99.0, 100 * share)), f"{lately}{_unread(coverage)}"


def _unread(coverage: Coverage) -> str:
    never = coverage.unread_objects - coverage.refused
    parts = []
    if never:
        parts.append(f"{count(never)} never read")
    elif coverage.oldest is not None:
        parts.append(f"oldest read on {_day(coverage.oldest)}")
    if coverage.refused:
        parts.append(f"{count(coverage.refused)} could not be read")
    return "".join(f"; {part}" for part in parts)


def _day(day: dt.date) -> str:
    return f"{day.day} {day:%B %Y}"


def _differ(number: int) -> str:
    return "1 object differs" if number == 1 else f"{count(number)} objects differ"


def _names(found: Verified) -> str:
    named = [clean(str(each["key"]), limit=KEY_CHARACTERS) for each in found.found[:NAMED]]
    more = ", …" if found.wrong > len(named) else ""
    return ", ".join(named) + more
