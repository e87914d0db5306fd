"""A backup in words: is its copy good, how old is it, what was agreed. Pure; see `backup.py`."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyKind
from bucketvault.engine.domain.state_words import BUT_FOR, UNTOUCHED, describe_copy, last_good_words
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.views.backups import BackupPage, RunView
from bucketvault.engine.views.situation import Tone, tone_of, tone_of_run, word_of
from bucketvault.humanize import (
    age,
    clock,
    count,
    day,
    day_and_time,
    duration,
    exact,
    many,
    next_run,
    size,
)
from bucketvault.pages.home.rows import schedule_words
from bucketvault.pages.parts.comparing import COMPARING
from bucketvault.pages.parts.widgets import CLASSES
from bucketvault.pages.run import approval as would_words
from bucketvault.pages.run import words as run_words
from bucketvault.vocabulary import Phase, Trigger

UNPLANNABLE = (
    "Nothing starts this backup: its time zone is not known here. Edit it, choose another."
)
WHO = {
    Trigger.SCHEDULE: "planned",
    Trigger.CATCH_UP: "planned, late",
    Trigger.MANUAL: "you",
    Trigger.CLI: "you, command line",
    Trigger.APPROVED: "you approved it",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands first: is this copy good, and how old? `run_id` is where to look."""

    tone: Tone
    sentence: str
    detail: str
    warnings: tuple[RunWarning, ...] = ()
    run_id: int | None = None
    look: str = "Open last run"
    first: bool = False  # nothing has run yet: what to do now is offered


class Fact(NamedTuple):
    """One thing that was agreed: its name, what it is, and what that means."""

    name: str
    value: str
    note: str


def answer(page: BackupPage, zone: ZoneInfo, now: dt.datetime) -> Answer:
    """Whether the copy is good; see `run_words.live_sentence` while a run is under way."""
    row = page.row
    tone, last, active = tone_of(row), row.last_run, row.active_run
    good = last_good_words(row.last_good_at, zone, now)
    if active is not None and tone in (Tone.WAIT, Tone.RUN):
        if tone == Tone.RUN:
            return Answer(tone, "A run is under way.", good)
        if active.waits_for:
            sentence = f'The next run waits for the run of "{active.waits_for}" to end.'
            return Answer(tone, sentence, _joined(run_words.MEETS, good))
        return Answer(tone, "The next run waits for its turn.", good)
    if last is None:
        planned = ""
        if row.enabled and row.next_due_at is not None:
            planned = f"The first run: {next_run(row.next_due_at, zone, now)}. "
        if row.missed_at is not None:
            passed = f"It was planned {clock(row.missed_at, zone, now)}, and nothing came of it. "
            planned = passed + planned
        if row.unplannable:
            planned = f"{UNPLANNABLE} "
        off = "" if row.enabled else "This backup is switched off. "
        looks = "Preview shows what a run would do; Run now starts one at once."
        return Answer(tone, "There is no copy yet.", f"{off}{planned}{looks}", first=active is None)
    id_, state = last.id, describe_copy(last.copy_state)
    if row.moved and tone in (Tone.WAIT, Tone.OFF):
        off = "" if row.enabled else "This backup is switched off. "
        detail = f"{off}An end was changed after it. The next run asks before it removes anything."
        sentence = "There is no copy between these two places yet."
        return Answer(Tone.WARN, sentence, _joined(good, detail), run_id=id_)
    if tone == Tone.OFF:
        sentence = "Switched off: no run is planned."
        return Answer(tone, sentence, _joined(state, good), last.warnings, id_)
    if tone == Tone.MISS:
        sentence = "Missed: there was no good run since the last planned time."
        if row.unplannable:
            sentence = UNPLANNABLE
        elif row.missed_at is not None:
            planned = clock(row.missed_at, zone, now)
            sentence = f"Missed: a run was planned {planned}, and no good one came since."
        return Answer(tone, sentence, good, run_id=id_)
    if tone == Tone.HELD:
        detail = _joined(f"{UNTOUCHED}: the copy is as it was.", good)
        return Answer(tone, would_words.held_sentence(last), detail, last.warnings, id_, "Review")
    if tone == Tone.STOP:
        sentence = "The last run was stopped by you."
        return Answer(tone, sentence, _joined(state, good), last.warnings, id_)
    if tone == Tone.BAD:
        why = last.explanation or "Nothing more is known: its log may tell."
        detail = _joined(state, good, last.hint)
        return Answer(tone, f"The last run failed: {why}", detail, last.warnings, id_)
    done = run_words.changes(last.counts) or "nothing had changed"
    ended = run_words.ended_words(last, zone, now)
    detail = _joined(f"The last run succeeded: {done}.", ended)
    since = age(last.started_at or last.queued_at, now)
    sentence = f"The copy is complete. It follows the source as it was {since}."
    if tone == Tone.WARN:
        warned = many(len(last.warnings), "warning")
        almost = last.copy_state is not None and last.copy_state.kind == CopyKind.ALMOST
        but = f" {BUT_FOR}" if almost else ""
        sentence = f"The copy is there{but}, as the source was {since}, with {warned}."
    return Answer(tone, sentence, detail, last.warnings, id_)


def facts(page: BackupPage, zone: ZoneInfo, now: dt.datetime) -> tuple[Fact, ...]:
    """When it runs, what it compares, how long versions are kept, when it asks."""
    row = page.row
    due = row.next_due_at if row.enabled else None
    planned = f"next {next_run(due, zone, now)}" if due else "no next run"
    if due is not None and due <= now and row.active_run is not None:
        planned = "next after this run"
    last_day = day(now + dt.timedelta(days=page.retention_days), zone, now)
    compares = COMPARING[page.comparison_mode]
    return (
        Fact("Runs", schedule_words(row, zone), planned),
        Fact("Compares", compares.title, compares.cost),
        Fact("Kept versions", many(page.retention_days, "day"), f"of today, until {last_day}"),
        Fact(
            "Asks you first",
            f"above {page.shrink_limit_percent} %",
            "of the copy removed or replaced by one run",
        ),
    )


def run_row(view: RunView, zone: ZoneInfo, now: dt.datetime) -> dict[str, Any]:
    """One run as the list shows it: plain values that travel to the browser."""
    tone, asked = tone_of_run(view), view.scheduled_for or view.queued_at
    word = word_of(tone, view)
    if tone == Tone.WARN:
        word = f"Succeeded, {many(len(view.warnings), 'warning')}"
    elif view.preview and tone != Tone.LOOK:
        word = f"Preview: {word[0].lower()}{word[1:]}"
    # of a run under way the page shows them elsewhere, where they move
    counted = view.finished_at is not None and view.phase not in (None, Phase.CHECKING)
    who = "you" if view.preview and view.trigger == Trigger.MANUAL else WHO[view.trigger]
    if view.skipped_slots:
        who += f", {count(view.skipped_slots)} skipped"
    return {
        "id": view.id,
        "href": f"/run/{view.id:d}",
        "when": day_and_time(asked, zone, now),
        "exact": exact(asked, zone),
        "tone": CLASSES[tone],
        "word": word,
        "who": who,
        "took": _took(view),
        **{
            name: run_words.counted(view, key) if counted else run_words.UNKNOWN
            for name, key in (("copied", "copied"), ("replaced", "replaced"), ("gone", "deleted"))
        },
        "moved": size(view.counts.get("bytes", 0)) if counted else run_words.UNKNOWN,
    }


def _took(view: RunView) -> str:
    if view.started_at is None or view.finished_at is None:
        return run_words.UNKNOWN
    return duration((view.finished_at - view.started_at).total_seconds())


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
