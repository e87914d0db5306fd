"""A run in words: its result, who started it, what its exit code means. Pure; see `page.py`."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyKind
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.reading import Verified
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.state_words import (
    UNTOUCHED,
    describe_copy,
    describe_proof,
    last_good_words,
)
from bucketvault.engine.mail.mail_views import MailNote, Told
from bucketvault.engine.rclone.explain import meaning_of_exit_code
from bucketvault.engine.views.answer import MEETS, Answer, changes, ended_words, held_sentence
from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.live_words import live_words, progress_of
from bucketvault.engine.views.log_text import counted_words
from bucketvault.engine.views.situation import Tone, tone_of_run
from bucketvault.humanize import (
    clock,
    count,
    day_and_time,
    duration,
    many,
    sentences,
    size,
    size_of,
    speed,
    to_the_second,
)
from bucketvault.pages.parts.widgets import Moment, Tile
from bucketvault.pages.parts.words import COMPARING
from bucketvault.pages.run import approval
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Mends, Phase, Reason, RunKind, RunStatus, Side, Trigger

UNKNOWN = "-"  # what is not known yet
KINDS = {RunKind.COPY: "Run", RunKind.PREVIEW: "Preview", RunKind.VERIFY: "Verification"}
FAILED = {
    RunKind.COPY: "Failed",
    RunKind.PREVIEW: "The preview failed",
    RunKind.VERIFY: "The verification failed",
}

BEFORE_RCLONE = frozenset(
    {Reason.BRAKE, Reason.REFUSED, Reason.RCLONE_MISSING, Reason.SOURCE_MISSING}
)
NOT_RCLONES_WORDS = frozenset({Reason.RCLONE_MISSING, Reason.INTERNAL})  # what `detail` holds then
PHASES = {
    Phase.CHECKING: "Checking both buckets",
    Phase.COPYING: "Copying",
    Phase.PROVING: "Proving",
    Phase.TIDYING: "Cleaning up",
}


def result(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> Answer:
    """Return the result of a run that has ended or waits; see `live_sentence` for one that runs."""
    told = _result(page, zone, now)
    return replace(told, detail=sentences(told.detail, late_words(page.run, zone, now)))


def providers_to_mend(page: RunPage) -> tuple[tuple[int, str], ...]:
    """Return ids and names of providers at which what stopped this run is mended.

    Both ends' where it is not known which one it was.
    """
    if page.run.mends != Mends.PROVIDER:
        return ()
    sides = Side if page.run.side is None else (page.run.side,)
    return tuple(dict.fromkeys(page.providers[side] for side in sides if side in page.providers))


def _result(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> Answer:
    view = page.run
    tone, ended = tone_of_run(view), ended_words(view, zone, now)
    if tone == Tone.WAIT and view.waits_for:
        sentence = f'Waiting for the run of "{view.waits_for}" to end.'
        return Answer(tone, sentence, f"{MEETS} This one starts automatically then.")
    if tone == Tone.WAIT:
        return Answer(tone, "Waiting for its turn.", "It starts automatically.")
    if tone == Tone.RUN:
        return Answer(tone, live_words(view), "")
    if tone == Tone.HELD:
        detail = approval.held_detail(page, zone, now)
        return Answer(tone, held_sentence(view), detail, view.warnings)
    if tone == Tone.LOOK:
        sentence = approval.preview_sentence(view.findings)
        detail = sentences(f"{UNTOUCHED}.", ended)
        return Answer(tone, sentence, detail, view.warnings)
    if tone in (Tone.OK, Tone.WARN) and view.kind == RunKind.VERIFY:
        return Answer(tone, view.explanation, ended, view.warnings)
    if tone in (Tone.OK, Tone.WARN):
        done = changes(view)
        sentence = f"Succeeded: {done}." if done else "Succeeded: nothing had changed."
        if tone == Tone.WARN:
            sentence = f"Succeeded, with {many(len(view.warnings), 'warning')}" + (
                f": {done}." if done else "."
            )
        detail = sentences(describe_proof(view.proof), ended)
        return Answer(tone, sentence, detail, view.warnings)
    if tone == Tone.STOP:
        return Answer(tone, "Stopped by you.", sentences(view.hint, ended), view.warnings)
    sentence = view.explanation or "No further details are known. See the log."
    word = FAILED[view.kind]
    if view.reason == Reason.DAMAGED:
        return Answer(tone, sentence, sentences(view.hint, ended), view.warnings)
    return Answer(tone, f"{word}: {sentence}", sentences(view.hint, ended), view.warnings)


def figures(view: RunView, now: dt.datetime) -> tuple[tuple[str, str], ...]:
    """Return what is below the bar of a running run; in one phase always the same names."""
    progress, started = progress_of(view), view.started_at
    running = duration((now - started).total_seconds()) if started is not None else "not yet"
    if view.kind == RunKind.VERIFY:
        read = objects = UNKNOWN
        if progress is not None:
            read = size_of(progress.bytes_done, progress.bytes_total)
            objects = count(progress.objects_done)
        return (("Read on each side", read), ("Objects", objects), ("Running for", running))
    if view.phase in (None, Phase.CHECKING):
        return (("Changed", "nothing yet"), ("Running for", running))
    if view.phase == Phase.PROVING:
        return (("Running for", running),)
    moved = pace = objects = UNKNOWN
    if progress is not None and progress.step not in ("", "copy"):
        objects = counted_words(progress) or UNKNOWN
    elif progress is not None:
        moved = size_of(progress.bytes_done, progress.bytes_total)
        pace = speed(progress.speed_bytes_s) if progress.is_transferring else UNKNOWN
        objects = f"{count(progress.objects_done)} of {count(progress.objects_total)}"
    return (("Transferred", moved), ("Speed", pace), ("Objects", objects), ("Running for", running))


def steps(view: RunView) -> tuple[tuple[Tone, str], ...]:
    """Return the phases, and how far the run is through them."""
    if view.preview:
        return ((Tone.RUN, "Preview"),)
    if view.kind == RunKind.VERIFY:
        return ((Tone.RUN, "Verification"),)
    order = list(PHASES)
    here = order.index(view.phase) if view.phase is not None else 0
    tones = (Tone.OK, Tone.RUN, Tone.WAIT)
    return tuple(
        (tones[(place > here) - (place < here) + 1], PHASES[phase])
        for place, phase in enumerate(order)
    )


def counted(view: RunView, name: str) -> str:
    """Return one count of a run; `≥ 14` where more may have come of it."""
    return f"{at_least(view)}{count(view.counts.get(name, 0))}"


def at_least(view: RunView) -> str:
    """Return a sign before numbers of a run where more may have come of it; else nothing."""
    return "≥ " if view.copy_state is not None and view.copy_state.at_least else ""


def tiles(view: RunView) -> tuple[Tile, ...]:
    """Return the numbers of a run: six of what it did, or four of what it would do.

    None while it has not begun to copy. What it did is no state: only errors carry a colour.
    """
    if approval.shows_plan(view):
        return approval.tiles(view.findings) if view.findings is not None else ()
    if view.kind == RunKind.VERIFY:
        return _read_tiles(view.verified) if view.verified is not None else ()
    if view.phase in (None, Phase.CHECKING):
        return ()
    running = view.status == RunStatus.RUNNING
    get = view.counts.get
    errors, moved = get("errors", 0), f"{at_least(view)}{size(get('bytes', 0), precise=True)}"
    nothing = "none seen" if at_least(view) else "nothing"
    copied = "new object" if get("copied") == 1 else "new objects"
    replaced = "old versions kept" if get("replaced") else nothing
    kept = "kept version" if get("archived") == 1 else "kept versions"
    removed = "at the end" if running else nothing
    if get("deleted"):
        removed = "old versions kept"
    failed = "none so far" if running else "none"
    if view.copy_state is not None and view.copy_state.log_is_cut:
        failed = "none seen"
    if errors:
        failed = "object not copied" if errors == 1 else "objects not copied"
    bad = Tone.BAD if errors else None
    return (
        Tile("new", "Copied", counted(view, "copied"), copied, picks="new"),
        Tile("swap", "Replaced", counted(view, "replaced"), replaced, picks="replaced"),
        Tile("box", "Kept", counted(view, "archived"), kept, picks="kept"),
        Tile("minus", "Removed", counted(view, "deleted"), removed, picks="removed"),
        Tile("bytes", "Transferred", moved, _moved_note(view, nothing), picks="moved"),
        Tile("alert", "Errors", count(errors), failed, bad, picks="errors"),
    )


def _read_tiles(found: Verified) -> tuple[Tile, ...]:
    bad = Tone.BAD if found.wrong else None
    passed = "written since the last run" if found.changed else "nothing"
    refused = "the log names them" if found.refused else "nothing"
    return (
        Tile("bytes", "Read", size(found.bytes, precise=True), "on each side"),
        Tile("check", "Equal", count(found.equal), "identical bytes"),
        Tile(
            "alert",
            "Different",
            count(found.wrong),
            "objects" if bad else "nothing",
            bad,
            picks="errors",
        ),
        Tile("swap", "Skipped", count(found.changed), passed),
        Tile("eye", "Not readable", count(found.refused), refused),
    )


def _moved_note(view: RunView, nothing: str) -> str:
    copying = view.status == RunStatus.RUNNING and view.phase == Phase.COPYING
    if copying and view.progress is not None and view.progress.step in ("", "copy"):
        return f"of {size(view.progress.bytes_total, precise=True)}"
    moved, seconds = view.counts.get("bytes", 0), _seconds(view)
    if not moved:
        return nothing
    return f"at {speed(moved / max(1.0, seconds))}" if seconds is not None else ""


def _seconds(view: RunView) -> float | None:
    if view.started_at is None or view.finished_at is None:
        return None
    return (view.finished_at - view.started_at).total_seconds()


def took(view: RunView) -> str:
    """Return how long a run took that has ended."""
    seconds = _seconds(view)
    return duration(seconds) if seconds is not None else UNKNOWN


def exit_code(view: RunView) -> str:
    """Return the exit code with its meaning, or why there is none."""
    if view.exit_code is not None:
        return meaning_of_exit_code(view.exit_code, None)
    if view.status == RunStatus.PENDING:
        return "none yet: it has not started"
    if view.kind == RunKind.VERIFY:
        return "none: bucketvault reads objects without rclone"
    if view.status == RunStatus.RUNNING:
        return "none yet: it is running"
    if view.phase in (None, Phase.CHECKING) or view.reason in BEFORE_RCLONE:
        return "no exit code: rclone was not started"
    return "no exit code: rclone's end was not recorded"


def detail_title(view: RunView) -> tuple[str, str]:
    """Return the title above a run's `detail`, and what is beside it."""
    if view.reason == Reason.DAMAGED:
        return "How they differ", "as they were read, twice"
    if view.phase in (None, Phase.CHECKING) or view.reason in NOT_RCLONES_WORDS:
        return "In detail", "for troubleshooting"
    return "What rclone said", "the last lines of its output"


def started_by(view: RunView, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say who asked for the run, with the planned time where there was one."""
    planned = ""
    if view.scheduled_for is not None:
        planned = f" (scheduled for {day_and_time(view.scheduled_for, zone, now)})"
    if view.skipped_slots:
        planned += f"; {many(view.skipped_slots, 'earlier scheduled time')} skipped"
    who = {
        Trigger.SCHEDULE: "the schedule",
        Trigger.CATCH_UP: "the schedule, late",
        Trigger.MANUAL: "you, with Run now",
        Trigger.CLI: "you, on the command line",
        Trigger.APPROVED: "you, by approving it",
    }
    told = ""
    if view.trigger == Trigger.MANUAL:
        told = {RunKind.PREVIEW: "you, with Preview", RunKind.VERIFY: "you, with Verify now"}.get(
            view.kind, ""
        )
    elif view.kind == RunKind.VERIFY and view.trigger == Trigger.SCHEDULE:
        told = "the nightly budget, after a good run"
    return (told or who.get(view.trigger, view.trigger.value)) + planned


def late_words(view: RunView, zone: ZoneInfo, now: dt.datetime) -> str:
    """Return `Late: scheduled on Sat 21 Nov, 03:15.`, or an empty text for one in time."""
    if view.trigger != Trigger.CATCH_UP:
        return ""
    parts = ["Late"]
    if view.scheduled_for is not None:
        parts = [f"Late: scheduled {clock(view.scheduled_for, zone, now)}"]
    if view.skipped_slots:
        parts.append(f"{many(view.skipped_slots, 'scheduled time')} skipped")
    return f"{', '.join(parts)}."


def times(page: RunPage) -> tuple[tuple[str, dt.datetime | None], ...]:
    """Return the times that the sentences of a run may name."""
    view = page.run
    ended = ("Ended", view.finished_at), ("Scheduled", view.scheduled_for)
    return (*ended, ("Last good run", page.last_good_at))


def this_run(
    view: RunView, zone: ZoneInfo, now: dt.datetime
) -> tuple[tuple[str, str | Moment], ...]:
    """Say when and by whom, for the card at the foot."""

    def told(at: dt.datetime | None) -> str | Moment:
        return Moment(to_the_second(at, zone), at) if at is not None else "not yet"

    went: list[tuple[str, str]] = []
    if view.finished_at is not None and view.counts.get("purged"):
        went = [("Old kept versions", f"{counted(view, 'purged')} deleted, expired")]
    if view.uploads_ended:
        went.append(
            ("Unfinished uploads", f"{count(view.uploads_ended)} removed, a day old or more")
        )
    return (
        ("Started by", started_by(view, zone, now)),
        ("Queued", told(view.queued_at)),
        ("Started", told(view.started_at)),
        ("Ended", told(view.finished_at)),
        ("Took", took(view)),  # while it runs the top of the page counts: this is drawn once
        ("Exit code", exit_code(view)),
        *went,
    )


def alerts_about(
    notes: Sequence[MailNote], zone: ZoneInfo, now: dt.datetime
) -> tuple[tuple[str, str], ...]:
    """Say in the card at the foot who was told of its end; empty: nothing to tell."""
    return tuple((clean(note.to) or "Email", _told(note, zone, now)) for note in notes)


def _told(note: MailNote, zone: ZoneInfo, now: dt.datetime) -> str:
    at = to_the_second(note.at, zone) if note.at is not None else UNKNOWN
    told = "being sent"
    if note.told is Told.NOBODY:
        told = "None: no alerts were set up when this run ended."
    elif note.told is Told.MAILED:
        told = f"accepted by the {'service' if note.to else 'mail server'}, {at}"
    elif note.told is Told.GIVEN_UP:
        told = f"not delivered, {at}: {note.error}"
    elif note.error:
        again = clock(note.at, zone, now) if note.at is not None else ""
        told = f"not accepted yet, next try {again}: {note.error}"
    return told


def settings_of(settings: RunSpec) -> tuple[tuple[str, str], ...]:
    """Return what was fixed when the run started."""
    ends = (("From", settings.source), ("To", settings.destination))
    limit = settings.bandwidth.describe()
    return (
        *((word, f"{end.provider} · {end.place}") for word, end in ends),
        ("Compares", COMPARING[settings.comparison_mode].compares),
        ("Kept versions", many(settings.retention_days, "day")),
        ("Asks for approval", f"above {settings.shrink_limit_percent} % removed or replaced"),
        *([("Bandwidth", f"at most {limit}")] if limit else ()),
        ("rclone", settings.rclone_version),
    )


@dataclass(frozen=True, slots=True)
class CopyWords:
    """State of the copy after a run that did not succeed; parts where they are known."""

    sentence: str
    proof: str  # what the run's last look found; empty: it made none
    parts: tuple[tuple[Tone, int, str], ...]
    last_good: str


def copy_words(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> CopyWords | None:
    """Describe the copy after a run that failed or was stopped; None: the result says it all."""
    view = page.run
    if view.status != RunStatus.FAILED or view.kind != RunKind.COPY:
        return None
    if tone_of_run(view) == Tone.HELD:
        return None
    state, proof = describe_copy(view.copy_state, zone, now), view.proof
    last_good = last_good_words(page.last_good_at, zone, now)
    found = proof_parts(proof) if proof is not None else ()
    return CopyWords(state, describe_proof(proof), found, last_good)


def proof_parts(proof: Proof) -> tuple[tuple[Tone, int, str], ...]:
    """Return each part of what a look found: its state, how many objects, and that in words."""
    parts = (
        (Tone.OK, proof.present, "at the destination"),
        (Tone.BAD, proof.missing, "not at the destination"),
        (Tone.BAD, proof.different, "different from the source"),
        (Tone.WARN, proof.left, "not removed"),
        (Tone.WARN, proof.cannot_copy, "cannot be copied"),
        (Tone.WAIT, proof.since, "changed since"),
    )
    return tuple((tone, n, f"{count(n)} {words}") for tone, n, words in parts if n)


SHORT_COPY_WORDS = {
    CopyKind.UNTOUCHED: "copy unchanged",
    CopyKind.PARTLY: "copy partly updated",
    CopyKind.UNKNOWN: "copy unknown",
}


def title(view: RunView, zone: ZoneInfo, now: dt.datetime) -> str:
    """Return `Run of Sun 22 Nov, 01:30`: its planned time, else when it was asked for."""
    return f"{KINDS[view.kind]} of {day_and_time(view.scheduled_for or view.queued_at, zone, now)}"
