"""From state to tone, sentence and next step: of a run, of a backup, and of everything at once.

"All good" is said only when all of it is known: every backup that is switched on has succeeded,
without a warning, and none is overdue; the scheduler beats, rclone can be used, the disk has room
and mail arrives.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyState
from bucketvault.engine.domain.reading_words import describe_damage, what_next
from bucketvault.engine.domain.state_words import (
    UNTOUCHED,
    describe_copy,
)
from bucketvault.engine.domain.times import proof_lasts
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.humanize import clock, count, many, sentences
from bucketvault.vocabulary import Reason, RunKind, RunStatus


class Tone(StrEnum):
    """The state a row, a run or the whole is in: a word, a shape and a colour each."""

    OK = "ok"
    WARN = "warn"  # succeeded, with warnings
    BAD = "bad"  # failed
    HELD = "held"  # waits for approval
    MISS = "miss"  # overdue
    RUN = "run"
    STOP = "stop"  # stopped by the person
    WAIT = "wait"
    OFF = "off"
    NONE = "none"  # never run
    LOOK = "look"  # a preview: it only looked
    DAMAGED = "damaged"  # good, and bytes were read since that are not the same at both ends
    OLD = "old"  # good, or stopped, and not proven for too long


TONE_WORDS = {
    Tone.OK: "Succeeded",
    Tone.WARN: "Succeeded, with warnings",
    Tone.BAD: "Failed",
    Tone.HELD: "Held for your approval",
    Tone.MISS: "Missed",
    Tone.RUN: "Running",
    Tone.STOP: "Stopped by you",
    Tone.WAIT: "Waiting",
    Tone.OFF: "Paused",
    Tone.NONE: "Never run",
    Tone.LOOK: "Preview",
    Tone.DAMAGED: "Damaged objects",
    Tone.OLD: "Last proof is old",
}
UNPLANNABLE = (
    "This backup cannot be scheduled: its time zone is unknown on this machine. Edit it and "
    "choose another."
)
NOTHING_KNOWN = "No further details are known. See its log."
PROVE = "Start a run: it compares every object on both sides."


class Part(StrEnum):
    """One thing that every backup rests on; a page knows where each is mended."""

    RCLONE = "rclone"
    SCHEDULER = "scheduler"
    DISK = "disk"
    KEY = "key"
    MAIL = "mail"
    LOST_MAIL = "lost mail"
    HEARTBEAT = "heartbeat"
    PAGES = "pages"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class InstallationIssue:
    """One thing of the program that needs a person.

    `is_bad`: copies are not made meanwhile. Not `is_known`: it may be in order.
    """

    part: Part
    title: str  # a few words, such as "Alerts are off"
    why: str  # a sentence: what that means
    is_bad: bool
    is_known: bool = True

    @property
    def is_hint(self) -> bool:
        """True if it may stay as it is: no copy is worse for it."""
        return self.part is Part.MAIL and self.is_known


@dataclass(frozen=True, slots=True)
class BackupIssue:
    """One backup that waits for a person: `why` is a sentence, `run_id` where to look.

    `copy`: in what state a failed run left the copy; None where that says nothing new.
    """

    tone: Tone
    backup_id: int
    name: str
    why: str
    run_id: int | None
    word: str = ""  # of its state
    at: dt.datetime | None = None  # when the run ended; of a missed one: when it was planned
    last_good_at: dt.datetime | None = None
    copy: CopyState | None = None

    def why_words(self, zone: ZoneInfo, now: dt.datetime) -> str:
        """Return why it needs a person, with the time: `Failed at 01:42: ...`."""
        when = clock(self.at, zone, now) if self.at is not None else ""
        if self.tone == Tone.MISS:
            return f"Scheduled {when}. {self.why}" if when else self.why
        word = f"{self.word} {when}" if self.tone == Tone.BAD else self.word
        return f"{word}: {self.why}"

    def copy_words(self, zone: ZoneInfo, now: dt.datetime) -> str:
        """Return in what state its run left the copy, and when the last good one was."""
        if self.tone == Tone.MISS:
            return ""
        copy = describe_copy(self.copy, zone, now)
        if self.last_good_at is None:
            return sentences(copy, "No run has succeeded yet.")
        return sentences(copy, f"Last good run {clock(self.last_good_at, zone, now)}.")


@dataclass(frozen=True, slots=True)
class Situation:
    """The answer: a state, a sentence, what is behind it, and who needs a person."""

    tone: Tone
    sentence: str
    detail: str = ""
    short: str = ""  # for a corner of the screen: "All good"
    backup_issues: tuple[BackupIssue, ...] = ()
    installation_issues: tuple[InstallationIssue, ...] = ()
    running: int = 0


def tone_of_status(status: RunStatus, reason: Reason | None, *, warned: bool) -> Tone:
    """Return the state of one run that copies, from the columns that tell it."""
    if status == RunStatus.PENDING:
        return Tone.WAIT
    if status == RunStatus.RUNNING:
        return Tone.RUN
    if status == RunStatus.SUCCESS:
        return Tone.WARN if warned else Tone.OK
    if reason == Reason.BRAKE:
        return Tone.HELD
    return Tone.STOP if reason == Reason.STOPPED else Tone.BAD


def tone_of_run(run: RunView) -> Tone:
    """Return the state of one run."""
    if run.kind == RunKind.PREVIEW and run.status == RunStatus.SUCCESS:
        return Tone.LOOK
    return tone_of_status(run.status, run.reason, warned=bool(run.warnings))


def word_of(tone: Tone, run: RunView | None) -> str:
    """Return the word for a state; `run`, the newest, tells whether an approval can be given."""
    if tone == Tone.HELD and run is not None and not run.can_be_approved:
        return "Held"
    return TONE_WORDS[tone]


def tone_of(row: BackupRow) -> Tone:
    """Return the state of a backup: what it does, else what is wrong, else its last result.

    A preview or a verification under way changes nothing: what needs a person still does.
    """
    if row.active_run is not None and row.active_run.kind == RunKind.COPY:
        return tone_of_run(row.active_run)
    if not row.enabled:
        return Tone.OFF
    last = _last_tone(row)
    if row.overdue and last not in (Tone.BAD, Tone.HELD):
        return Tone.MISS
    if row.moved and last in (Tone.OK, Tone.WARN):
        return Tone.WAIT
    if row.damage is not None and last in (Tone.OK, Tone.WARN, Tone.STOP):
        return Tone.DAMAGED
    return Tone.OLD if row.proof_is_old and last in (Tone.OK, Tone.WARN, Tone.STOP) else last


def situation_of(
    rows: Sequence[BackupRow], installation_issues: tuple[InstallationIssue, ...]
) -> Situation:
    """Return the answer for all of it. Switched off backups count only while they run."""
    told = _of_backups(rows)
    bad = [issue for issue in installation_issues if issue.is_bad]
    serious = [issue for issue in installation_issues if not issue.is_hint]
    if bad:
        count = len(told.backup_issues) + len(bad)
        told = replace(told, tone=Tone.BAD, short=f"{count} need{'s' * (count == 1)} attention")
        if not told.backup_issues:  # else the backups' own sentence says more
            sentence = f"{bad[0].title}." if count == 1 else f"{count} things need attention."
            told = replace(told, sentence=sentence, detail=sentences(told.sentence, told.detail))
    elif told.tone == Tone.OK and serious:
        sentence = sentences(told.sentence, f"{serious[0].title}.")
        told = replace(told, tone=Tone.WARN, sentence=sentence, short=serious[0].title)
    elif told.tone == Tone.OK:
        told = replace(told, sentence=f"All good. {told.sentence}", short="All good")
    return replace(told, installation_issues=installation_issues)


def _of_backups(rows: Sequence[BackupRow]) -> Situation:
    running = [row.name for row in rows if tone_of(row) == Tone.RUN]
    copying = _copying(running)
    on = [row for row in rows if row.enabled]
    issues = tuple(sorted((issue for row in on if (issue := _issue(row))), key=_urgency))
    if not rows:
        detail = "Choose a source and a destination, then start the first run."
        told = Situation(Tone.NONE, "Nothing is backed up yet.", detail, "Not set up yet")
    elif not on:
        detail = sentences("No backup runs until you resume it.", copying)
        told = Situation(Tone.OFF, "All backups are paused.", detail, "Paused")
    elif issues:
        tone, sentence, short = _needing(issues, len(on))
        told = Situation(tone, sentence, sentences(_others(on, issues), copying), short, issues)
    else:
        told = _without_needs(on, copying)
    return replace(told, running=len(running))


def _issue(row: BackupRow) -> BackupIssue | None:
    tone, last = tone_of(row), row.last_run
    copy, at = None, row.missed_at
    if tone == Tone.MISS:
        why = "No run has succeeded since the last scheduled time."
        if last is not None and tone_of_run(last) == Tone.STOP:
            why = "The last run was stopped by you. No run has succeeded since the scheduled time."
        if row.unplannable:
            why = (
                "It cannot be scheduled: its time zone is unknown on this machine. Edit it and "
                "choose another."
            )
        elif row.last_good_at is None:
            why = "The scheduled time has passed, and there is no copy yet."
    elif tone in (Tone.BAD, Tone.HELD) and last is not None:
        why, at = last.explanation or NOTHING_KNOWN, last.finished_at
        if tone == Tone.BAD:
            copy = last.copy_state
        elif last.copy_state is not None and last.copy_state.since is not None:
            why, copy = last.cause, last.copy_state
        else:  # the word is before it
            why = f"{last.cause} {UNTOUCHED}."
    elif tone == Tone.DAMAGED and row.damage is not None:
        why = sentences(describe_damage(row.damage), what_next(row.damage))
    else:
        return None
    run_id, word = last.id if last is not None else None, word_of(tone, last)
    run_id = row.damage_run_id if tone == Tone.DAMAGED else run_id
    return BackupIssue(tone, row.id, row.name, why, run_id, word, at, row.last_good_at, copy)


def _urgency(issue: BackupIssue) -> tuple[int, str]:
    return (Tone.BAD, Tone.DAMAGED, Tone.HELD, Tone.MISS).index(issue.tone), issue.name.casefold()


def _needing(issues: tuple[BackupIssue, ...], total: int) -> tuple[Tone, str, str]:
    tones = {issue.tone for issue in issues}
    tone = tones.pop() if len(tones) == 1 else Tone.BAD
    if len(issues) == 1:
        return tone, _headline(issues[0]), "1 needs attention"
    if len(issues) == total:
        return tone, f"All {total} backups need attention.", f"{total} need attention"
    return (
        tone,
        f"{len(issues)} of {total} backups need attention.",
        f"{len(issues)} need attention",
    )


def _headline(issue: BackupIssue) -> str:
    """Return what is wrong with the only backup that needs attention."""
    match issue.tone:
        case Tone.HELD:
            return f"{issue.name} is held for your approval."
        case Tone.MISS:
            return f"{issue.name} is overdue."
        case Tone.DAMAGED:
            return f"{issue.name} has damaged objects."
    return f"{issue.name} failed: {issue.why}"


def _others(on: Sequence[BackupRow], issues: tuple[BackupIssue, ...]) -> str:
    waiting = {issue.backup_id for issue in issues}
    others = [row for row in on if row.id not in waiting]
    good = [row for row in others if _last_tone(row) in (Tone.OK, Tone.WARN) and not row.moved]
    if not good:
        return ""
    if len(good) == 1:
        return "The other one has a good copy." if len(others) == 1 else "One has a good copy."
    return f"{'The other ' if len(good) == len(others) else ''}{len(good)} have a good copy."


def _last_tone(row: BackupRow) -> Tone:
    return tone_of_run(row.last_run) if row.last_run is not None else Tone.NONE


def _without_needs(on: Sequence[BackupRow], copying: str) -> Situation:
    last = [(row.name, _last_tone(row)) for row in on]
    empty = [row.name for row in on if row.last_good_at is None or row.moved]
    failed = [name for name, tone in last if tone in (Tone.BAD, Tone.HELD)]
    stopped = [name for name, tone in last if tone == Tone.STOP]
    old = [row for row in on if tone_of(row) == Tone.OLD]
    warned = len([name for name, tone in last if tone == Tone.WARN])
    busy = Tone.RUN if copying else Tone.WAIT
    if failed:  # and each of them is under way again, or it would need a person
        verb = "is" if len(failed) == 1 else "are"
        sentence = f"{_named(failed)} failed last time and {verb} being retried."
        return Situation(busy, sentence, copying, "Trying again")
    if empty:
        verb = "has" if len(empty) == 1 else "have"
        return Situation(busy, f"{_named(empty)} {verb} no copy yet.", copying, "No copy yet")
    if old:
        detail = sentences(PROVE, copying)
        return Situation(Tone.OLD, _not_proven(old), detail, "Last proof is old")
    if stopped:
        verb = "was" if len(stopped) == 1 else "were"
        detail = sentences("The copy is older than it should be.", copying)
        return Situation(Tone.STOP, f"{_named(stopped)} {verb} stopped by you.", detail, "Stopped")
    if warned:
        runs = "The last run has a warning" if warned == 1 else f"{warned} last runs have warnings"
        return Situation(Tone.WARN, f"Every copy is complete. {runs}.", copying, "With warnings")
    who = "All backups are" if len(on) > 1 else f"{on[0].name} is"
    return Situation(Tone.OK, f"{who} up to date.", sentences(_proven(on), copying))


def _not_proven(old: Sequence[BackupRow]) -> str:
    if len(old) > 1:
        return f"{_named([row.name for row in old])} have not been proven for too long."
    return f"{old[0].name} has not been proven for more than {old_days(old[0])}."


def old_days(row: BackupRow) -> str:
    """Return how long the proof of a backup lasts: `2 days`."""
    return many(proof_lasts(row.schedule).days, "day")


def _proven(on: Sequence[BackupRow]) -> str:
    """`12,345 of 12,345 objects are at their destinations.`; empty while one was never proven."""
    proofs = [row.proof for row in on if row.proof is not None]
    if len(proofs) < len(on):
        return ""
    total = sum(proof.source_objects for proof in proofs)
    present = sum(proof.present for proof in proofs)
    where = "its destination" if total == 1 else "their destinations"
    if len(on) == 1:
        where = "the destination"
    return f"{count(present)} of {many(total, 'object')} {_be(total)} at {where}."


def _be(number: int) -> str:
    return "is" if number == 1 else "are"


def _named(names: list[str]) -> str:
    return " and ".join(names) if len(names) <= 2 else f"{len(names)} backups"


def _copying(names: list[str]) -> str:
    if not names:
        return ""
    return f"{names[0]} runs now." if len(names) == 1 else f"{len(names)} backups run now."
