"""Words for what a run would do: a held run, and a preview. Pure; drawn by `page.py`."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.state_words import (
    NO_RUN_BEFORE,
    altered_words,
    lost_words,
    more_words,
    untouched_words,
)
from bucketvault.engine.runs.queue import APPROVAL_HOLDS
from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.situation import Tone, tone_of_run
from bucketvault.humanize import count, day, day_and_time, many
from bucketvault.pages.parts.widgets import Tile
from bucketvault.vocabulary import HoldReason


def shows_plan(view: RunView) -> bool:
    """True if a run's log tells what would change, and not what did."""
    return view.preview or (tone_of_run(view) == Tone.HELD and view.findings is not None)


def tiles(found: Findings) -> tuple[Tile, ...]:
    """Return the numbers; what would be taken away comes first."""
    removed, replaced, new = map(count, (found.removed, found.replaced, found.new))
    changed = f"{count(found.altered)} changed in the copy" if found.altered else ""
    lost = f"{count(found.lost)} missing from the copy" if found.lost else ""
    return (
        Tile("minus", "Would be removed", removed, "gone at the source", picks="removed"),
        Tile(
            "swap",
            "Would be replaced",
            replaced,
            changed or "changed at the source",
            picks="replaced",
        ),
        Tile("new", "Would be copied", new, lost or "new at the source", picks="new"),
        Tile("bytes", "In the copy now", count(found.destination_objects), "objects"),
    )


def held_detail(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say why that is too much, and that the copy is as it was."""
    view = page.run
    why = view.hint
    if view.findings is not None:
        why = _share(page, view.findings)
    if view.hold_reason == HoldReason.FIRST:
        why = NO_RUN_BEFORE
    if view.hold_reason == HoldReason.MORE:
        why = f"{more_words(view.findings or Findings())}."
    copy = untouched_words(view.copy_state, page.last_good_at, zone, now, is_that=page.untouched)
    return f"{why} {copy}".strip()


def _share(page: RunPage, found: Findings) -> str:
    limit = page.settings.shrink_limit_percent if page.settings is not None else None
    if limit is None or not found.destination_objects:
        return ""
    share = 100 * (found.removed + found.replaced) / found.destination_objects
    if share <= limit:
        return ""
    words = f"{int(share)}" if int(share) > limit else f"{share:.1f}"
    return f"That is {words} % of the copy; this backup asks for approval above {limit} %."


def preview_sentence(found: Findings | None) -> str:
    """Return `A run now would copy 3 new, replace 9 and remove 625 objects.`"""
    if found is None:
        return "What a run would do now is unknown."
    if not found.changes:
        return "A run now would change nothing: the copy matches the source."
    return (
        f"A run now would copy {count(found.new)}"
        f"{lost_words(found) or ' new'}, replace {count(found.replaced)}{altered_words(found)} "
        f"and remove {many(found.removed, 'object')}."
    )


@dataclass(frozen=True, slots=True)
class Approval:
    """Words for what a person approves, before and while they are asked."""

    terms: tuple[str, ...]  # beside the button
    question: str
    answers: tuple[str, ...]  # below the question


def approval(page: RunPage, name: str, zone: ZoneInfo, now: dt.datetime) -> Approval:
    """Return the words around Approve for a held run with findings; nothing in them is cleaned."""
    found = page.run.findings or Findings()
    place = page.settings.destination.place if page.settings is not None else "the copy"
    until = day_and_time(now + APPROVAL_HOLDS, zone, now)
    kept = ""
    if page.settings is not None:
        last_day = day(now + dt.timedelta(days=page.settings.retention_days), zone, now)
        days = many(page.settings.retention_days, "day")
        kept = f"What is removed or replaced is kept as old versions for {days}, until {last_day}."
    numbers = (("remove", found.removed), ("replace", found.replaced))
    nouns = (("removal", found.removed), ("replacement", found.replaced))
    noun = "object" if found.removed + found.replaced == 1 else "objects"
    asked = " and ".join(f"{verb} {count(number)}" for verb, number in numbers if number)
    question = f"{asked.capitalize()} {noun} in {place}?"
    done = " and ".join(f"{verb}s {count(number)}" for verb, number in numbers if number)
    more = ""
    if found.new:
        more = f" and copies {many(found.new, 'object' if found.lost else 'new object')}"
    of_all = f"of {many(found.destination_objects, 'object')} in the copy"
    then = f"The next run of {name} {done} {of_all}{more}. The source is not changed."
    which = "these " + " and ".join(f"{noun}s" for noun, number in nouns if number)
    if found.removed + found.replaced == 1:
        which = "this removal" if found.removed else "this replacement"
    allows = f"Your approval covers {which}, by name, for one run that starts within 24 hours"
    others = "If that run finds others, beyond this backup's limit, it is held again."
    return Approval(
        terms=tuple(filter(None, (f"{allows}. {others}", kept))),
        question=question,
        answers=tuple(filter(None, (then, kept, f"{allows}, until {until}. {others}"))),
    )
