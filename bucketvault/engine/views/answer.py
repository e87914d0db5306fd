"""The first lines of the page of a backup: is the copy good, how old is it; and words of runs."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyKind
from bucketvault.engine.domain.reading_words import describe_damage, what_next
from bucketvault.engine.domain.state_words import (
    BUT_FOR,
    describe_copy,
    describe_findings,
    last_good_words,
    proven_words,
    untouched_words,
)
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.engine.views.situation import (
    NOTHING_KNOWN,
    PROVE,
    UNPLANNABLE,
    Tone,
    old_days,
    tone_of,
)
from bucketvault.humanize import age, clock, count, duration, many, next_run, sentences

# for a backup that was edited while it runs: its page names other places by now
MEETS = "That run started with settings that write to a bucket or folder of this backup."


@dataclass(frozen=True, slots=True)
class Answer:
    """The first lines of the page of a backup or a run; `run_id` is where to look next."""

    tone: Tone
    sentence: str
    detail: str
    warnings: tuple[RunWarning, ...] = ()
    run_id: int | None = None
    look: str = "Open last run"
    first: bool = False  # nothing has run yet: what to do now is offered


def answer_of(row: BackupRow, zone: ZoneInfo, now: dt.datetime) -> Answer:
    """Return whether the copy of a backup is good, and how old it is."""
    tone, last, active = tone_of(row), row.last_run, row.active_run
    good = last_good_words(row.last_good_at, zone, now)
    proven = proven_words(row.proof, zone, now) if row.proof is not None else ""
    if active is not None and tone in (Tone.WAIT, Tone.RUN):
        if tone == Tone.RUN:
            return Answer(tone, "A run is in progress.", sentences(good, proven))
        if active.waits_for:
            sentence = f'The next run waits for the run of "{active.waits_for}" to end.'
            return Answer(tone, sentence, sentences(MEETS, good))
        return Answer(tone, "The next run waits for its turn.", sentences(good, proven))
    off = "" if row.enabled else "This backup is paused. "
    if last is None:
        planned = off
        if row.missed_at is not None:
            planned = f"It was scheduled {clock(row.missed_at, zone, now)}, but did not run. "
        if row.enabled and row.next_due_at is not None:
            planned += f"The first run: {next_run(row.next_due_at, zone, now)}. "
        if row.unplannable:
            planned = f"{UNPLANNABLE} "
        detail = f"{planned}Preview shows what a run would do; Run now starts one at once."
        return Answer(tone, "There is no copy yet.", detail, first=active is None)
    id_, warnings = last.id, last.warnings
    if row.moved and tone in (Tone.WAIT, Tone.OFF):
        asks = "The next run asks before removing anything."
        detail = f"{off}Its source or destination was changed since. {asks}"
        sentence = "There is no copy between these two places yet."
        return Answer(Tone.WARN, sentence, sentences(good, detail), run_id=id_)
    if tone == Tone.MISS:
        sentence = "Missed: no run has succeeded since the last scheduled time."
        if row.unplannable:
            sentence = UNPLANNABLE
        elif row.missed_at is not None:
            planned = clock(row.missed_at, zone, now)
            sentence = f"Missed: a run was scheduled {planned}, and none has succeeded since."
        return Answer(tone, sentence, sentences(good, proven), run_id=id_)
    if tone == Tone.HELD:
        untouched = untouched_words(last.copy_state, row.last_good_at, zone, now)
        detail = sentences(untouched, proven)
        return Answer(tone, held_sentence(last), detail, warnings, id_, "Review")
    detail = sentences(describe_copy(last.copy_state, zone, now), good, proven)
    if tone == Tone.DAMAGED and row.damage is not None:
        found = describe_damage(row.damage)
        return Answer(tone, found, what_next(row.damage), warnings, row.damage_run_id, "View run")
    if tone == Tone.OLD:
        sentence = f"The copy has not been proven for more than {old_days(row)}."
        return Answer(tone, sentence, sentences(PROVE, detail), warnings, id_)
    if tone == Tone.OFF:
        return Answer(tone, "Paused: no run is scheduled.", detail, warnings, id_)
    if tone == Tone.STOP:
        return Answer(tone, "The last run was stopped by you.", detail, warnings, id_)
    if tone == Tone.BAD:
        sentence = f"The last run failed: {last.explanation or NOTHING_KNOWN}"
        return Answer(tone, sentence, sentences(detail, last.hint), warnings, id_)
    done = changes(last) or "nothing had changed"
    ended = ended_words(last, zone, now)
    detail = sentences(f"The last run succeeded: {done}.", ended, proven)
    since = age(last.started_at or last.queued_at, now)
    sentence = f"The copy is complete and matches the source as of {since}."
    if tone == Tone.WARN:
        warned = many(len(warnings), "warning")
        almost = last.copy_state is not None and last.copy_state.kind == CopyKind.ALMOST
        but = f" {BUT_FOR}" if almost else ""
        sentence = f"The copy is complete{but}, as of {since}, with {warned}."
    return Answer(tone, sentence, detail, warnings, id_)


def held_sentence(view: RunView) -> str:
    """`Held for your approval: 625 of 1,037 objects would be removed, 9 replaced.`"""
    if view.findings is not None:
        return f"Held for your approval: {describe_findings(view.findings)}"
    return f"Held: {view.cause[:1].lower()}{view.cause[1:]}"


def changes(view: RunView) -> str:
    """`14 copied, 2 replaced, 2 removed`; empty when nothing changed, for all that is known."""
    names, counts = (
        (("copied", "copied"), ("replaced", "replaced"), ("deleted", "removed")),
        view.counts,
    )
    parts = [f"{count(counts[key])} {word}" for key, word in names if counts.get(key)]
    if view.copy_state is None or not view.copy_state.at_least:
        return ", ".join(parts)
    return f"at least {', '.join(parts)}" if parts else "how much it changed is not known"


def ended_words(view: RunView, zone: ZoneInfo, now: dt.datetime) -> str:
    """`Ended at 01:42, after 12 min 4 s.`; empty while it runs."""
    if view.finished_at is None:
        return ""
    ended = f"Ended {clock(view.finished_at, zone, now)}"
    if view.started_at is None:
        return f"{ended}, before it had started."
    seconds = (view.finished_at - view.started_at).total_seconds()
    return f"{ended}, {'in' if seconds < 1 else 'after'} {duration(seconds)}."  # in under 1 s
