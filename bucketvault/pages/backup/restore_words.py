"""Words of the card that finds what to restore. Pure; see `restore.py`."""

import datetime as dt
from zoneinfo import ZoneInfo

from bucketvault.engine.runs.restore_script import Script
from bucketvault.engine.runs.restoring import MATCHES_SHOWN, Cut, Found, History, Match
from bucketvault.humanize import age, day, day_and_time, many, size
from bucketvault.pages.parts.widgets import NAME_CHARACTERS
from bucketvault.sanitize import clean

INTRODUCTION = (
    "Find an object or a folder in the copy and its old versions, pick a day, and get the "
    "commands. They need only rclone and a key that can read the bucket."
)
RUN_ENDED = "A run has finished since. Search again to see what it changed."
KEY_NOTE = (
    "bucketvault does not show keys. Use the one you entered for the provider, or a new one that "
    "can read this bucket."
)
SCRIPT_NOTE = (
    "It creates the folder “restored”, overwrites and deletes nothing, and says at the end whether "
    "everything was restored. To restore to another bucket, replace restored with new:BUCKET and "
    "add a section [new] to rclone.conf."
)
TEXT_NOTE = (
    "The copy is plain objects under their own names. rclone and a key that can read the bucket "
    "are enough. Each good run also saves this text as:"
)


def nothing_found(sought: str) -> str:
    """Say that nothing has this in its name."""
    return f"No name in the copy or its old versions contains “{sought}”."


def more_found(found: Found) -> str:
    """Say how much is not listed; empty where all is."""
    if max(found.folders, found.objects) <= MATCHES_SHOWN:
        return ""
    whole = f"{many(found.folders, 'folder')} and {many(found.objects, 'object')}"
    return f"{whole} found; the first {MATCHES_SHOWN} of each are listed. Type more of the name."


def name_of(key: bytes) -> str:
    """Return a name as it is shown."""
    return clean(key.decode("utf-8", "replace"), limit=NAME_CHARACTERS)


def title_of(match: Match | None) -> str:
    """Name what was chosen."""
    return "The whole backup" if match is None else name_of(match.key)


def match_row(
    number: int, match: Match, deleted_at: dt.datetime | None, zone: ZoneInfo, now: dt.datetime
) -> dict[str, object]:
    """Return one thing that was found: plain values that travel to the browser."""
    parts = ["Folder" if match.is_folder else "Object"]
    if match.size is not None:
        objects = f"{many(match.objects, 'object')}, " if match.is_folder else ""
        parts.append(f"in the copy now: {objects}{size(match.size, precise=True)}")
    elif deleted_at is not None and not match.is_folder:
        seen = f"seen {age(deleted_at, now)}, {day(deleted_at, zone, now)}"
        parts.append(f"deleted at the source: {seen}")
    else:
        parts.append("not in the copy now")
    if match.old_versions:
        parts.append(many(match.old_versions, "old version"))
    return {"id": number, "name": name_of(match.key), "note": " · ".join(parts)}


def version_lines(history: History, match: Match, zone: ZoneInfo, now: dt.datetime) -> list[str]:
    """Return the states of an object over time, newest first."""
    lines = ["Not in the copy now."]
    if match.size is not None:
        lines = [f"In the copy now: {size(match.size, precise=True)}"]
    for version in reversed(match.versions):
        at, goes = history.passes[version.number].at, history.goes_at(version.number)
        what = "Deleted at the source, removed" if version.removed else "Replaced"
        until = "until the next good run" if goes <= now else f"until {day(goes, zone, now)}"
        lines.append(
            f"{what} by the run of {day_and_time(at, zone, now)}: "
            f"{size(version.size, precise=True)}, kept {until}"
        )
    return lines


def not_there(when: str) -> str:
    """Say that an object was not in the copy."""
    return f"It was not in the copy after the run that ended {when}. Pick another day."


def reach_words(history: History, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say how far back days are complete, and why no further."""
    reach = history.reach
    run = f"run {reach.run_id}" if reach.run_id else "a run"
    if reach.at is not None:
        run = f"{run} of {day_and_time(reach.at, zone, now)}"
    why = {
        Cut.FIRST: "",
        Cut.MOVED: f"Until {run} this backup copied between other buckets.",
        Cut.NAMES: f"There is no list of the objects that {run} added.",
        Cut.VERSIONS: f"{many(reach.missing, 'old version')} that {run} kept "
        f"{'is' if reach.missing == 1 else 'are'} no longer in the bucket.",
        Cut.STRANGE: "Runs that are not in this installation's history also changed the copy. "
        "RESTORE.txt explains how to restore their old versions.",
        Cut.MANY: "Older ones are not listed.",
    }[reach.cut]
    if not history.days:
        left = "RESTORE.txt explains how to restore what is left."
        return f"No day can be restored exactly. {why} {left}"
    complete = "Each run listed is complete: none of its old versions has expired."
    if not why:
        return complete
    return f"{complete} Earlier ones are not offered. {why}"


def script_notes(script: Script, history: History) -> list[str]:
    """Return what has to be known of a script before it is run."""
    notes = []
    if script.singly:
        notes.append(
            f"{many(script.singly, 'object')} with names that a list or a folder cannot contain "
            f"{'is' if script.singly == 1 else 'are'} restored one by one, as numbered files in "
            "“restored.singly”; NAMES.txt there lists their names."
        )
    if history.cannot:
        notes.append(
            f"{many(history.cannot, 'name')} could not be copied, so "
            f"{'it is' if history.cannot == 1 else 'they are'} not in it."
        )
    return notes
