"""A backup in words: is its copy good, how old is it, what was agreed. Pure; see `page.py`."""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bucketvault.engine.views.backups import BackupPage, BackupRow, RunView
from bucketvault.engine.views.situation import Tone, tone_of_run, word_of
from bucketvault.humanize import (
    count,
    day,
    day_and_time,
    exact,
    many,
    next_run,
    size,
)
from bucketvault.pages.parts.widgets import CLASSES, stamp
from bucketvault.pages.parts.words import COMPARING, schedule_words
from bucketvault.pages.run.words import UNKNOWN, at_least, counted, took
from bucketvault.vocabulary import Phase, Reason, RunKind, Trigger

WHO = {
    Trigger.SCHEDULE: "schedule",
    Trigger.CATCH_UP: "schedule, late",
    Trigger.MANUAL: "you",
    Trigger.CLI: "you, command line",
    Trigger.APPROVED: "you approved it",
}


READ = {Tone.OK: "Verified", Tone.WARN: "Verified in part"}


Times = tuple[tuple[str, dt.datetime | None], ...]


class Fact(NamedTuple):
    """One thing that was agreed: its name, what it is, and what that means."""

    name: str
    value: str
    note: str
    times: Times = ()  # that the note names


def times(row: BackupRow) -> Times:
    """Return the times that the answer for a backup may name."""
    last, proof = row.last_run, row.proof
    return (
        ("Ended", last.finished_at if last is not None else None),
        ("Last good run", row.last_good_at),
        ("Proven", proof.when if proof is not None else None),
        ("Scheduled", row.missed_at),
        ("Next run", row.next_due_at if row.enabled else None),
    )


def facts(page: BackupPage, zone: ZoneInfo, now: dt.datetime) -> tuple[Fact, ...]:
    """Say when it runs, what it compares, how long versions are kept, when it asks."""
    row = page.row
    due = row.next_due_at if row.enabled else None
    planned = f"next {next_run(due, zone, now)}" if due else "no next run"
    if due is not None and due <= now and row.active_run is not None:
        planned = "next after this run"
    last_day = day(now + dt.timedelta(days=page.retention_days), zone, now)
    limited = "of the copy removed or replaced by one run"
    compares = COMPARING[page.comparison_mode]
    return (
        Fact("Runs", schedule_words(row, zone), planned, (("Next run", due),)),
        Fact("Compares", compares.title, compares.cost),
        Fact("Kept versions", many(page.retention_days, "day"), f"of today, until {last_day}"),
        Fact("Asks for approval", f"above {page.shrink_limit_percent} %", limited),
    )


def run_row(view: RunView, zone: ZoneInfo, now: dt.datetime) -> dict[str, object]:
    """Return one run as the list shows it: plain values that travel to the browser."""
    tone, asked = tone_of_run(view), view.scheduled_for or view.queued_at
    word = word_of(tone, view)
    if tone == Tone.WARN and view.kind != RunKind.VERIFY:
        word = f"Succeeded, {many(len(view.warnings), 'warning')}"
    elif view.kind == RunKind.VERIFY:
        word = READ.get(tone, f"Verification: {word[0].lower()}{word[1:]}")
        word = "Objects differ" if view.reason == Reason.DAMAGED else word
    elif view.preview and tone != Tone.LOOK:
        word = f"Preview: {word[0].lower()}{word[1:]}"
    # of a run under way the page shows them elsewhere, where they move
    known = view.finished_at is not None and view.phase not in (None, Phase.CHECKING)
    who = "you" if view.preview and view.trigger == Trigger.MANUAL else WHO[view.trigger]
    if view.kind == RunKind.VERIFY and view.trigger == Trigger.SCHEDULE:
        who = "nightly"
    if view.skipped_slots:
        who += f", {count(view.skipped_slots)} skipped"
    return {
        "id": view.id,
        "href": f"/run/{view.id:d}",
        "when": day_and_time(asked, zone, now),
        "exact": exact(asked, zone),
        "at": stamp(asked),
        "tone": CLASSES[tone],
        "word": word,
        "who": who,
        "took": took(view),
        "copied": counted(view, "copied") if known else UNKNOWN,
        "replaced": counted(view, "replaced") if known else UNKNOWN,
        "gone": counted(view, "deleted") if known else UNKNOWN,
        "moved": f"{at_least(view)}{size(view.counts.get('bytes', 0))}" if known else UNKNOWN,
    }
