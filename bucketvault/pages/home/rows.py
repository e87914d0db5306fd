"""The list of backups: one row of plain values each, drawn in the browser (backuplist.js)."""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from zoneinfo import ZoneInfo

from nicegui import events, ui

from bucketvault import humanize
from bucketvault.engine.domain import state_words
from bucketvault.engine.domain.copy_state import CopyKind
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.domain.times import zone_of
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.live_words import MOST_PASSES, doing, how_far, progress_of
from bucketvault.engine.views.situation import Tone, tone_of, tone_of_run, word_of
from bucketvault.pages.parts import assets
from bucketvault.pages.parts.strip import draw_legend, letters, sizes_in_short, summary
from bucketvault.pages.parts.widgets import CLASSES, MARKS, NAME_CHARACTERS, element, stamp
from bucketvault.pages.parts.words import schedule_words
from bucketvault.pages.run.words import SHORT_COPY_WORDS
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Phase, RunKind, RunStatus

OnEvent = Callable[[events.GenericEventArguments], Awaitable[None]]

GROUPS = {  # as the list filters by them
    Tone.BAD: "need",
    Tone.HELD: "need",
    Tone.MISS: "need",
    Tone.DAMAGED: "need",
    Tone.RUN: "run",
    Tone.WAIT: "run",
    Tone.OK: "good",
    Tone.WARN: "good",
    Tone.OLD: "good",
    Tone.OFF: "off",
}


def in_order(rows: Sequence[BackupRow]) -> list[BackupRow]:
    """Sort what needs a person first, the rest by name: a row does not jump because it runs."""
    rank = {Tone.BAD: 0, Tone.DAMAGED: 1, Tone.HELD: 2, Tone.MISS: 3}
    return sorted(rows, key=lambda row: (rank.get(tone_of(row), 9), row.name.casefold(), row.id))


class BackupList(ui.element, component=assets.folder() / "backuplist.js"):
    """The list as data, drawn in the browser; search, sort and filter happen there."""

    def __init__(self, rows: list[dict[str, object]], on_run: OnEvent, on_enable: OnEvent) -> None:
        super().__init__()
        self.rows = rows
        self._props["home"] = assets.own("")
        self._props["rows"] = rows
        self.on("run", on_run)
        self.on("enable", on_enable)
        with self, element("footer"):
            draw_legend()

    def change(self, rows: list[dict[str, object]]) -> None:
        """Show other rows; only those that changed are sent."""
        before = {row["id"]: row for row in self.rows}
        changed = [row for row in rows if row != before.get(row["id"])]
        order = [row["id"] for row in rows]
        moved = order != [row["id"] for row in self.rows]
        if changed or moved:
            self.run_method("change", changed, order if moved else None)
        self.rows = rows


def list_row(
    row: BackupRow, days: Days | None, now: dt.datetime, server: ZoneInfo
) -> dict[str, object]:
    """Return one backup as the list shows it: plain values that travel to the browser.

    Times are in its own zone, which is named where it is not the server's.
    """
    zone, tone = zone_of(row.time_zone, server), tone_of(row)
    days = days or Days((), (), now.astimezone(zone).date())
    active = row.active_run
    run_shown = active or row.last_run
    when, when_at, when_exact = last_words(row, tone, now, zone)
    look = "Review" if tone == Tone.HELD else ""
    when_next, next_exact = next_words(row, now, zone)
    return {
        "id": row.id,
        "name": clean(row.name, limit=NAME_CHARACTERS),
        "run": run_shown.id if run_shown is not None else 0,
        "tone": CLASSES[tone],
        "word": word_of(tone, row.last_run),
        "group": GROUPS.get(tone, ""),
        "when": when,
        "when_at": stamp(when_at) if when_at is not None else None,
        "when_exact": when_exact,
        "schedule": schedule_words(row, server),
        "next": when_next,
        "next_at": stamp(row.next_due_at) if next_exact and row.next_due_at else None,
        "next_exact": next_exact,
        "size": humanize.size(row.size_bytes) if row.size_bytes is not None else "",
        "days": letters(days.tones),
        "last": days.last.isoformat(),
        "summary": summary(days.tones, days.last),
        "sizes": sizes_in_short(days.sizes),
        "zone": zone.key,
        "on": row.enabled,
        "look": "Progress" if active is not None else look,
        "live": live_words(active)
        if active is not None and active.status == RunStatus.RUNNING
        else None,
        "by": {  # to sort by
            "last": _seconds((run_shown.finished_at or run_shown.queued_at) if run_shown else None),
            "next": _seconds(row.next_due_at if row.enabled else None),
            "size": row.size_bytes,
        },
        "source": _end(row.source),
        "destination": _end(row.destination),
    }


def next_words(row: BackupRow, now: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """Say when it runs next, in short; and the exact time for the hover."""
    if row.unplannable:
        return (
            "cannot be scheduled",
            "Its time zone is unknown on this machine. Edit it and choose another.",
        )
    due = row.next_due_at if row.enabled else None
    if due is None:
        return "no next run", ""
    waits = due <= now and row.active_run is not None
    return "after this run" if waits else humanize.until(due, now), humanize.exact(due, zone)


def _end(end: EndSpec) -> dict[str, str]:
    return {
        "mark": MARKS[end.provider_type],
        "place": clean(end.place, limit=NAME_CHARACTERS),
        "whole": clean(f"{end.provider} · {end.place}"),
    }


def _seconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def last_words(
    row: BackupRow, tone: Tone, now: dt.datetime, zone: ZoneInfo
) -> tuple[str, dt.datetime | None, str]:
    """Say when it ran and how long, to go under the state; which time that is, for the hover."""
    active, last = row.active_run, row.last_run
    if active is not None and active.kind == RunKind.COPY:
        if active.started_at is None:
            queued = humanize.exact(active.queued_at, zone)
            if active.waits_for:
                other = clean(active.waits_for, limit=NAME_CHARACTERS)
                queued += f'; waits for the run of "{other}" to end'
            return f"queued {humanize.age(active.queued_at, now)}", active.queued_at, queued
        since = (now - active.started_at).total_seconds()
        started = humanize.exact(active.started_at, zone)
        return f"for {humanize.roughly(since)}", active.started_at, started
    if tone == Tone.MISS:
        if row.last_good_at is None:
            return "no good copy yet", None, ""
        good = humanize.age(row.last_good_at, now)
        return f"last good {good}", row.last_good_at, humanize.exact(row.last_good_at, zone)
    if last is None or last.finished_at is None:
        return "", None, ""
    words = humanize.age(last.finished_at, now)
    partly = last.copy_state is not None and last.copy_state.kind == CopyKind.PARTLY
    if tone == Tone.OLD and row.proof is not None and row.proof.when is not None:
        words = f"last proven {humanize.age(row.proof.when, now)}"
    elif tone == Tone.HELD and not partly:
        words += " · nothing changed"
    elif tone == Tone.WAIT and row.moved:
        words = f"source or destination changed since the run {words}"
    elif tone == Tone.OFF and tone_of_run(last) in (Tone.BAD, Tone.HELD):
        words = f"last run failed {words}"
    elif tone in (Tone.BAD, Tone.HELD) and last.copy_state is not None:
        words += f" · {SHORT_COPY_WORDS.get(last.copy_state.kind, '')}"
    elif last.started_at is not None:
        took = humanize.duration((last.finished_at - last.started_at).total_seconds())
        words += f" · {took}"
    ended = humanize.exact(last.finished_at, zone)
    if tone in (Tone.BAD, Tone.HELD):
        good_at = row.last_good_at
        last_good = humanize.exact(good_at, zone) if good_at is not None else "none"
        ended += f"; last good run: {last_good}"
    if row.proof is not None:
        ended += f". {state_words.proven_words(row.proof, zone, now)}"
    return words, last.finished_at, ended


def live_words(view: RunView) -> dict[str, object]:
    """Return the moving bar of a running backup: per cent, figures, time left."""
    progress = progress_of(view)
    lead = f"Preview: {doing(view)[:1].lower()}{doing(view)[1:]}" if view.preview else doing(view)
    if view.phase == Phase.TIDYING:
        return {"percent": 100, "lead": lead, "figures": "", "left": ""}
    if progress is None or progress.percent is None:
        far = how_far(view)
        return {"percent": None, "lead": lead, "figures": f" · {far}" if far else "", "left": ""}
    share = round(progress.percent, 1)
    if progress.step not in ("", "copy"):
        return {"percent": share, "lead": lead, "figures": f" · {how_far(view)}", "left": ""}
    figures = f" · {humanize.size_of(progress.bytes_done, progress.bytes_total)}"
    figures += f" · pass {view.passes} of {MOST_PASSES}" if view.passes > 1 else ""
    left = ""
    if progress.is_transferring:
        figures += f" · {humanize.speed(progress.speed_bytes_s)}"
        left = humanize.time_left(progress.eta_s)
    return {
        "percent": share,
        "lead": humanize.percent(progress.percent),
        "figures": figures,
        "left": f" · {left}" if left else "",
    }
