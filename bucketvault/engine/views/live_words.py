"""How far a run in progress is, in words, for pages and the command line. Pure."""

import datetime as dt
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.times import zone_of
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.views.backups import RunView
from bucketvault.engine.views.log_text import counted_words, transfer_words
from bucketvault.errors import TimingError
from bucketvault.humanize import percent, time_left
from bucketvault.vocabulary import Phase, RunKind

MOST_PASSES = 3
# What a run does in a step of a phase. Progress of another step is of the phase before.
_DOING = {
    Phase.CHECKING: {"look": "Looking", "read": "Reading both sides"},
    Phase.COPYING: {
        "": "Copying",
        "keep": "Keeping old versions",
        "kept": "Checking kept versions",
        "copy": "Copying",
        "remove": "Removing",
    },
    Phase.PROVING: {"look": "Proving", "prove": "Proving", "read": "Reading objects again"},
}
_PHASES = {
    Phase.CHECKING: "Checking both buckets",
    Phase.COPYING: "Copying",
    Phase.PROVING: "Proving the copy",
    Phase.TIDYING: "Cleaning up",
}
_STOPPING = {
    Phase.CHECKING: "nothing is copied",
    Phase.COPYING: "waiting for rclone to end",  # seconds: it cleans up uploads it has begun
    Phase.PROVING: "copied objects stay; the next run proves them",
    Phase.TIDYING: "the next run finishes the clean-up",
}
DAY_S = 24 * 3600
_MOVES_BYTES = ("", "copy", "read")


def progress_of(view: RunView) -> Progress | None:
    """Return the progress of the step that a run is at; None where there is none."""
    progress, phase = view.progress, view.phase or Phase.CHECKING
    return progress if progress is not None and progress.step in _DOING.get(phase, ()) else None


def doing(view: RunView) -> str:
    """`Keeping old versions`, `Copying, pass 2 of 3`."""
    phase, progress = view.phase or Phase.CHECKING, progress_of(view)
    told = _PHASES[phase] if progress is None else _DOING[phase][progress.step]
    if view.kind == RunKind.VERIFY:
        told = "Reading both sides"
    return told + pass_words(view)


def pass_words(view: RunView) -> str:
    """`, pass 2 of 3`; empty for the first one."""
    is_copying = view.phase in (Phase.COPYING, Phase.PROVING)
    return f", pass {view.passes} of {MOST_PASSES}" if is_copying and view.passes > 1 else ""


def how_far(view: RunView) -> str:
    """`62 %, 41.2 of 66.4 GB, 84 MB/s, about 5 min left`, or what is counted; empty: not known."""
    progress = progress_of(view)
    if progress is None:
        return ""
    return (transfer_words if progress.step in _MOVES_BYTES else counted_words)(progress)


def limit_words(view: RunView, now: dt.datetime) -> str:
    """`Limited to 20 MB/s until 22:00`; empty while nothing holds it down, nor will soon."""
    progress, limit = progress_of(view), view.bandwidth
    if progress is None or not limit.bytes_s or view.stop_requested_at is not None:
        return ""
    is_copying = view.phase == Phase.COPYING and progress.step in ("", "copy")
    if not (is_copying or view.kind == RunKind.VERIFY):
        return ""
    told = f"Limited to {limit.rate}"
    try:
        change = limit.changes_at(now)
    except TimingError:
        return told
    if change is None:
        return told
    when = f"{change.astimezone(zone_of(view.time_zone, ZoneInfo(limit.zone))):%H:%M}"
    if limit.at(now):
        return f"{told} until {when}"
    left_s = progress.eta_s
    is_soon = left_s is None or now + dt.timedelta(seconds=min(left_s, DAY_S)) > change
    return f"{told} from {when}" if is_soon else ""


def live_words(view: RunView) -> str:
    """`Copying, pass 2 of 3: 62 %, about 5 min left`; figures beside it have the rest."""
    if view.stop_requested_at is not None:
        if view.kind == RunKind.VERIFY:
            return "Stopping: what was read is recorded"
        return f"Stopping: {_STOPPING[view.phase or Phase.CHECKING]}"
    progress = progress_of(view)
    far = how_far(view)
    if progress is not None and progress.step in ("", "copy") and progress.percent is not None:
        left = time_left(progress.eta_s) if progress.is_transferring else ""
        far = ", ".join(filter(None, (percent(progress.percent), left)))
    return f"{doing(view)}: {far}" if far else doing(view)
