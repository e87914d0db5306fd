"""What `bucketvault status --json` prints, for scripts and monitors: keys are only ever added."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from bucketvault.engine.health.installation import Installation, wants
from bucketvault.engine.views.backups import RunView, Unwatched, backups, watched
from bucketvault.vocabulary import RunStatus

EXIT_GOOD, EXIT_BAD, EXIT_WARNINGS = 0, 1, 3


def status(installation: Installation, unwatched: Unwatched = watched) -> dict[str, Any]:
    """What `bucketvault status --json` prints: plain values, times as text in UTC."""
    rows = backups(unwatched)
    active = [row.active_run.status for row in rows if row.active_run is not None]
    return {
        "backups": [
            {
                "name": row.name,
                "enabled": row.enabled,
                "overdue": row.overdue,
                "moved": row.moved,
                "next_due_at": _time(row.next_due_at),
                "last_good_at": _time(row.last_good_at),
                "last_run": _ended_run_in_status(row.last_run),
                "active_run": _active_run_in_status(row.active_run),
            }
            for row in rows
        ],
        "running": active.count(RunStatus.RUNNING),
        "pending": active.count(RunStatus.PENDING),
        "program": problems(installation),
    }


def problems(installation: Installation) -> list[str]:
    """What the program itself needs, a sentence or two each; only what is known to be wrong."""
    return [f"{want.title}. {want.why}" for want in wants(installation) if want.is_known]


def status_exit_code(status: Mapping[str, Any]) -> int:
    """0 for all good, 1 for something failed, held or overdue, 3 for good with warnings.

    A backup that is switched off does not count; nor does what the program itself needs, such
    as mail: this is the answer about the copies.
    """
    concerned = [backup for backup in status["backups"] if backup["enabled"]]
    last_runs = [backup["last_run"] for backup in concerned if backup["last_run"] is not None]
    if any(backup["overdue"] for backup in concerned):
        return EXIT_BAD
    active = [backup["active_run"] for backup in concerned if backup["active_run"] is not None]
    if any(run["ended_unseen"] for run in active):  # how it ended is not known yet
        return EXIT_BAD
    if any(run["status"] == RunStatus.FAILED for run in last_runs):
        return EXIT_BAD
    if any(run["warnings"] for run in last_runs) or any(each["moved"] for each in concerned):
        return EXIT_WARNINGS
    return EXIT_GOOD


def _ended_run_in_status(run: RunView | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "id": run.id,
        "status": run.status.value,
        "reason": run.reason.value if run.reason is not None else None,
        "trigger": run.trigger.value,
        "scheduled_for": _time(run.scheduled_for),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "exit_code": run.exit_code,
        "explanation": run.explanation,
        "copy_state": run.copy_state.sentence if run.copy_state is not None else "",
        "warnings": list(run.warnings),
        "counts": dict(run.counts),
        "counts_at_least": run.copy_state is not None and run.copy_state.at_least,
    }


def _active_run_in_status(run: RunView | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "id": run.id,
        "status": run.status.value,
        "phase": run.phase.value if run.phase is not None else None,
        "trigger": run.trigger.value,
        "queued_at": _time(run.queued_at),
        "started_at": _time(run.started_at),
        "stop_requested_at": _time(run.stop_requested_at),
        "on_its_own": run.on_its_own,
        "ended_unseen": run.ended_unseen,
        "waits_for": run.waits_for,
    }


def _time(moment: dt.datetime | None) -> str | None:
    """Such as `2026-11-22T02:30:00Z`."""
    return None if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
