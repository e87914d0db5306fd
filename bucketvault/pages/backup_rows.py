"""The list of backups: one row of plain values each, drawn by one slot in the browser."""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import events, ui

from bucketvault.engine.overview import BackupRow, RunView
from bucketvault.engine.verdict import Tone, tone_of, tone_of_run
from bucketvault.pages import formatting
from bucketvault.pages.run_words import SHORT_COPY_WORDS
from bucketvault.pages.widgets import CLASSES, MARKS, NAME_CHARACTERS, WORDS, element
from bucketvault.untrusted import clean
from bucketvault.vocabulary import Phase, RunStatus, Schedule

OnRun = Callable[[events.GenericEventArguments], Awaitable[None]]


def in_order(rows: Sequence[BackupRow]) -> list[BackupRow]:
    """What needs somebody first, the rest by name: a row does not jump because it runs."""
    rank = {Tone.BAD: 0, Tone.HELD: 1, Tone.MISS: 2}
    return sorted(rows, key=lambda row: (rank.get(tone_of(row), 9), row.name.casefold(), row.id))


def draw_rows(rows: list[dict[str, Any]], on_run_now: OnRun) -> ui.table:
    """The list as data, drawn by one slot; its texts are text nodes."""
    columns = [
        {
            "name": name,
            "label": label,
            "field": name,
            "align": align,
            "classes": f"c-{name}",
            "headerClasses": f"c-{name}",
        }
        for name, label, align in (
            ("name", "Backup", "left"),
            ("last", "Last result", "left"),
            ("next", "Schedule", "left"),
            ("size", "Size", "right"),
            ("action", "", "right"),
        )
    ]
    with element("section", "card backups", aria_label="All backups"):
        table = ui.table(columns=columns, rows=rows, row_key="id", pagination=0)
        table.props("flat hide-pagination").classes("table")
        table.add_slot("body", ROW)
        table.on("run", on_run_now)
    return table


# Plain rows and cells: each of Quasar's own would be one more component to mount, six a backup.
ROW = """
<tr class="backup" :class="{'has-live': props.row.live}">
  <td class="c-name">
    <div class="line title">
      <i class="glyph" :class="props.row.tone" aria-hidden="true"></i>
      <a class="name clip" :title="props.row.name" :href="props.row.href">{{ props.row.name }}</a>
    </div>
    <div class="way">
      <span class="chip" :title="props.row.source.whole">
        <span class="mark" :class="props.row.source.kind" aria-hidden="true">{{
          props.row.source.mark }}</span>
        <span class="place">{{ props.row.source.place }}</span></span>
      <i class="icon icon-arrow" aria-hidden="true"></i><span class="unseen">is copied to</span>
      <span class="chip" :title="props.row.destination.whole">
        <span class="mark" :class="props.row.destination.kind" aria-hidden="true">{{
          props.row.destination.mark }}</span>
        <span class="place">{{ props.row.destination.place }}</span></span>
    </div>
  </td>
  <td class="c-last">
    <a v-if="props.row.run_href" class="pill" :class="props.row.tone" :href="props.row.run_href"
       :aria-label="props.row.word + ', the last run of ' + props.row.name">{{ props.row.word }}</a>
    <span v-else class="pill" :class="props.row.tone">{{ props.row.word }}</span>
    <div class="t13 ink3 nowrap" :title="props.row.when_exact">{{ props.row.when }}</div>
  </td>
  <td class="c-next">
    <div class="nowrap">{{ props.row.schedule }}</div>
    <div class="t13 ink3 nowrap" :title="props.row.next_exact">{{ props.row.next }}</div>
  </td>
  <td class="c-size nowrap">{{ props.row.size }}</td>
  <td class="c-action"><div class="line">
    <a v-if="props.row.look" class="btn small" :href="props.row.run_href"
       :aria-label="props.row.look + ': ' + props.row.name" :title="props.row.look">
      <i class="icon icon-eye" aria-hidden="true"></i><span>{{ props.row.look }}</span></a>
    <button v-else type="button" class="btn small" title="Run now"
            :aria-label="'Run now: ' + props.row.name"
            @click="$parent.$emit('run', props.row.id)">
      <i class="icon icon-play" aria-hidden="true"></i><span>Run now</span></button>
  </div></td>
</tr>
<tr v-if="props.row.live" class="live"><td colspan="5"><div class="live-line">
  <div class="bar live" :class="{unknown: props.row.live.percent === null}" role="progressbar"
       aria-valuemin="0" aria-valuemax="100" :aria-label="props.row.name"
       :aria-valuenow="props.row.live.percent === null ? undefined : props.row.live.percent">
    <i class="st-run" :style="{width: (props.row.live.percent || 0) + '%'}"></i></div>
  <div class="t13 ink2 nowrap num"><b class="strong ink1">{{ props.row.live.lead }}</b>
    <span class="wide-only">{{ props.row.live.figures }}</span>{{ props.row.live.left }}</div>
</div></td></tr>"""


def table_row(row: BackupRow, now: dt.datetime, zone: ZoneInfo) -> dict[str, Any]:
    """One backup as the list shows it: plain values that travel to the browser."""
    tone = tone_of(row)
    active = row.active_run
    run_shown = active or row.last_run
    when, when_exact = last_words(row, tone, now, zone)
    look = "Review" if tone == Tone.HELD else ""
    when_next, next_exact = next_words(row, now, zone)
    return {
        "id": row.id,
        "name": clean(row.name, limit=NAME_CHARACTERS),
        "href": f"/backups/{row.id:d}",
        "run_href": f"/run/{run_shown.id:d}" if run_shown is not None else "",
        "tone": CLASSES[tone],
        "word": WORDS[tone],
        "when": when,
        "when_exact": when_exact,
        "schedule": schedule_words(row, zone),
        "next": when_next,
        "next_exact": next_exact,
        "size": formatting.size(row.size_bytes) if row.size_bytes is not None else "",
        "look": "Watch" if active is not None else look,
        "live": live_words(active)
        if active is not None and active.status == RunStatus.RUNNING
        else None,
        **{
            side: {
                "mark": MARKS[end.provider_type],
                "kind": MARKS[end.provider_type].lower(),
                "place": clean(end.place, limit=NAME_CHARACTERS),
                "whole": clean(f"{end.provider_name} · {end.place}"),
            }
            for side, end in (("source", row.source), ("destination", row.destination))
        },
    }


def next_words(row: BackupRow, now: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """When it runs next, in short; and the exact time for the hover."""
    if row.unplannable:
        return "cannot be planned", "Its time zone is not known here: edit it, choose another."
    due = row.next_due_at if row.enabled else None
    if due is None:
        return "no next run", ""
    waits = due <= now and row.active_run is not None
    return "after this run" if waits else formatting.until(due, now), formatting.exact(due, zone)


def schedule_words(row: BackupRow, zone: ZoneInfo) -> str:
    """`Daily at 01:30`, `Mondays at 05:00`; with the zone where it is not the server's."""
    day = "Daily"
    if row.schedule == Schedule.WEEKLY:
        day = f"{row.weekday.value.capitalize()}s" if row.weekday is not None else "Weekly"
    elsewhere = f" ({row.time_zone})" if row.time_zone != zone.key else ""
    return f"{day} at {row.at}{elsewhere}"


def last_words(row: BackupRow, tone: Tone, now: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """What stands under the state: when, how long; and the exact time for the hover."""
    active, last = row.active_run, row.last_run
    if active is not None and not active.preview:
        if active.started_at is None:
            return f"queued {formatting.age(active.queued_at, now)}", formatting.exact(
                active.queued_at, zone
            )
        since = (now - active.started_at).total_seconds()
        return f"for {formatting.roughly(since)}", formatting.exact(active.started_at, zone)
    if tone == Tone.MISS:
        if row.last_good_at is None:
            return "no good copy yet", ""
        good = formatting.age(row.last_good_at, now)
        return f"last good {good}", formatting.exact(row.last_good_at, zone)
    if last is None or last.finished_at is None:
        return "", ""
    words = formatting.age(last.finished_at, now)
    if tone == Tone.HELD:
        words += " · nothing touched"
    elif tone == Tone.OFF and tone_of_run(last) in (Tone.BAD, Tone.HELD):
        words = f"last run failed {words}"
    elif tone == Tone.BAD and last.copy_state is not None:
        words += f" · {SHORT_COPY_WORDS.get(last.copy_state.kind, '')}"
    elif last.started_at is not None:
        took = formatting.duration((last.finished_at - last.started_at).total_seconds())
        words += f" · {took}"
    return words, formatting.exact(last.finished_at, zone)


def live_words(view: RunView) -> dict[str, Any]:
    """The moving bar of a running backup: per cent, figures, time left."""
    progress = view.progress
    if view.status == RunStatus.RUNNING and view.phase == Phase.TIDYING:
        return {"percent": 100, "lead": "Tidying up", "figures": "", "left": ""}
    if view.phase in (None, Phase.CHECKING):
        lead = "Preview: checking both buckets" if view.preview else "Checking both buckets"
        figures = ""
        if progress is not None and progress.listed:
            figures = f" · {formatting.many(progress.listed, 'object')} seen"
        return {"percent": None, "lead": lead, "figures": figures, "left": ""}
    if progress is None:
        return {"percent": None, "lead": "Copying: starting", "figures": "", "left": ""}
    if progress.percent is None:
        looked = f" · {formatting.count(progress.checks_done)} checked"
        return {"percent": None, "lead": "Comparing", "figures": looked, "left": ""}
    moved = formatting.size_of(progress.bytes_done, progress.bytes_total)
    left = formatting.time_left(progress.eta_s)
    return {
        "percent": round(progress.percent, 1),
        "lead": formatting.percent(progress.percent),
        "figures": f" · {moved} · {formatting.speed(progress.speed_bytes_s)}",
        "left": f" · {left}" if left else "",
    }
