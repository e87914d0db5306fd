"""`status`: is everything fine?

What `--json` prints is for scripts and monitors: keys are only ever added.
"""

import argparse
import datetime as dt
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from zoneinfo import ZoneInfo

from bucketvault import humanize
from bucketvault.cli.colour import painted
from bucketvault.cli.watching import approval_command, progress_in_words
from bucketvault.config import Config
from bucketvault.engine import price_list
from bucketvault.engine.domain import state_words
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.domain.prices import Prices
from bucketvault.engine.domain.reading_words import describe_damage, what_next
from bucketvault.engine.domain.times import proof_lasts
from bucketvault.engine.folder_lock import holder, who_watches
from bucketvault.engine.health import checks
from bucketvault.engine.views import backups, money
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.engine.views.situation import InstallationIssue, tone_of
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import Json, Reason, RunStatus

ACTIVE_RUN = (
    "id status phase trigger queued_at started_at stop_requested_at on_its_own ended_unseen "
    "waits_for"
)
EXIT_GOOD, EXIT_BAD, EXIT_WARNINGS = 0, 1, 3


def print_status(given: argparse.Namespace, config: Config) -> int:
    """Say whether all backups are well; returns the exit code."""
    open_store(config)
    rows = backups.backups(functools.partial(who_watches, config))
    told = status(rows, checks.installation_issues(config))
    code = status_exit_code(told)
    if given.json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return code
    zone, is_served = zone_of(rows), holder(config) is not None
    for backup in rows:
        print(*_backup_in_words(backup, zone), sep="\n")
        for line in schedule_in_words(backup, zone, is_served=is_served):
            print(line)
    if rows:
        print(humanize.times_in(zone))
    for problem in told["program"]:
        print(problem)
    if told["pending"] and not is_served:
        print("A run is waiting, but no bucketvault is running. Start it: bucketvault serve")
    if not told["backups"]:
        print(
            "There are no backups yet. Create one on the pages (bucketvault serve prints the link),"
        )
        print("or from a file: bucketvault apply setup.toml")
    return code


def zone_of(rows: Sequence[BackupRow]) -> ZoneInfo:
    """Return the zone in which a command tells times: that of all `rows`, else the server's."""
    server, names = ZoneInfo(timetable.server_time_zone()), {row.time_zone for row in rows}
    return timetable.zone_of(names.pop(), server) if len(names) == 1 else server


def status(rows: Sequence[BackupRow], issues: tuple[InstallationIssue, ...]) -> Json:
    """Return what `bucketvault status --json` prints: plain values, times as text in UTC."""
    active = [row.active_run.status for row in rows if row.active_run is not None]
    prices = price_list.load()
    return {
        "backups": [
            _plain(row, "name enabled overdue moved next_due_at last_good_at proof_is_old")
            | {
                "proof": row.proof.to_json() if row.proof is not None else None,
                "damage": asdict(row.damage) if row.damage is not None else None,
                "last_run": run_to_json(row, row.last_run, prices) if row.last_run else None,
                "active_run": _plain(row.active_run, ACTIVE_RUN) if row.active_run else None,
            }
            for row in rows
        ],
        "running": active.count(RunStatus.RUNNING),
        "pending": active.count(RunStatus.PENDING),
        "program": [f"{issue.title}. {issue.why}" for issue in issues if issue.is_known],
    }


def status_exit_code(status: Json) -> int:
    """Return 0 for all good, 1 for something failed, held, overdue or damaged, 3 for warnings.

    A backup that is switched off does not count; nor does what the program itself needs, such
    as mail: this is the answer about the copies.
    """
    concerned = [backup for backup in status["backups"] if backup["enabled"]]
    last_runs = [backup["last_run"] for backup in concerned if backup["last_run"] is not None]
    active = [backup["active_run"] for backup in concerned if backup["active_run"] is not None]
    if (
        any(backup["overdue"] or backup["damage"] for backup in concerned)
        or any(run["ended_unseen"] for run in active)  # how it ended is not known yet
        or any(run["status"] == RunStatus.FAILED for run in last_runs)
    ):
        return EXIT_BAD
    if any(run["warnings"] for run in last_runs) or any(
        each["moved"] or each["proof_is_old"] for each in concerned
    ):
        return EXIT_WARNINGS
    return EXIT_GOOD


def run_to_json(row: BackupRow, run: RunView, prices: Mapping[str, Prices]) -> Json:
    """Return a run as plain values, times as text in UTC."""
    names = "id status reason trigger scheduled_for started_at finished_at exit_code explanation"
    state, zone = run.copy_state, ZoneInfo(timetable.server_time_zone())
    since = state.since if state is not None else None
    return _plain(run, names) | {
        "copy_state": state_words.describe_copy(state, zone, utcnow()),
        "copy_code": state.kind if state is not None else None,
        "copy_partly_since": _time(since) if since is not None else None,
        "proof": run.proof.to_json() if run.proof is not None else None,
        "warnings": [state_words.describe_warning(each) for each in run.warnings],
        "counts": dict(run.counts),
        "counts_at_least": state is not None and state.at_least,
        "log_is_cut": state is not None and state.log_is_cut,
        "uploads_ended": run.uploads_ended,
        **money.to_json(run, row, prices),
    }


def _plain(row: BackupRow | RunView, names: str) -> Json:
    """Return these fields by name, as JSON has them."""
    values = {name: getattr(row, name) for name in names.split()}
    for name, value in values.items():
        if isinstance(value, dt.datetime):
            values[name] = _time(value)
    return values


def _time(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _backup_in_words(backup: BackupRow, zone: ZoneInfo) -> Iterator[str]:
    """Describe one backup for `status`: a line on its state, then what needs a look."""
    now = utcnow()
    run = backup.active_run
    if run is not None:
        if run.ended_unseen:
            yield f"{backup.name}: ended while no bucketvault was running; result not recorded yet"
            yield "  The next `bucketvault run` or `bucketvault serve` records it."
            return
        alone = " (continues on its own; no bucketvault is watching)" if run.on_its_own else ""
        yield f"{progress_in_words(run)}{alone}"
        return
    last = backup.last_run
    if last is None or last.finished_at is None:
        yield f"{backup.name}: has not run yet"
        return
    when = humanize.day_and_time(last.finished_at, zone, now)
    if last.status == RunStatus.SUCCESS:
        state = "succeeded, with warnings" if last.warnings else "good"
        if backup.proof_is_old:
            state = f"not proven for more than {proof_lasts(backup.schedule).days} days"
        state = "DAMAGED objects" if backup.damage is not None else state
        state = (
            "no copy yet, because source or destination changed since the last good run"
            if backup.moved
            else state
        )
        yield f"{backup.name}: {painted(state, tone_of(backup))}, {when}. {last.explanation}"
        yield from _proof_in_words(backup, last, zone, now)
        yield from _damage_in_words(backup)
        yield from (f"  {state_words.describe_warning(each)}" for each in last.warnings)
        return
    words = {Reason.BRAKE: "held", Reason.STOPPED: "STOPPED", None: "FAILED"}
    word = "held for your approval" if last.can_be_approved else words.get(last.reason, "FAILED")
    good = backup.last_good_at
    state = state_words.describe_copy(last.copy_state, zone, now)
    told = f"Last good run: {humanize.day_and_time(good, zone, now) if good else 'never'}."
    said = " ".join(part for part in (state, told) if part)
    yield f"{backup.name}: {painted(word, tone_of(backup))}, {when}. {said}"
    yield from (f"  {line}" for line in (last.explanation, last.hint) if line)
    yield from _proof_in_words(backup, last, zone, now)
    yield from _damage_in_words(backup)
    if last.can_be_approved:
        yield f"  Approve it: {approval_command(backup.name, last.id)}"


def _proof_in_words(
    backup: BackupRow, last: RunView, zone: ZoneInfo, now: dt.datetime
) -> Iterator[str]:
    """Say what the last look at both ends found: that of the last run, else of an earlier one."""
    if backup.proof is None:
        return
    if backup.proof == last.proof:
        yield f"  {state_words.describe_proof(last.proof)}"
    else:
        yield f"  {state_words.proven_words(backup.proof, zone, now)}"


def _damage_in_words(backup: BackupRow) -> Iterator[str]:
    if backup.damage is not None:
        yield f"  {describe_damage(backup.damage)} {what_next(backup.damage)}"


def schedule_in_words(backup: BackupRow, zone: ZoneInfo, *, is_served: bool) -> Iterator[str]:
    """Describe the planned times of a backup: one missed, the next."""
    now, due = utcnow(), backup.next_due_at
    if not backup.enabled:
        yield "  Paused: no run is scheduled."
        return
    if backup.unplannable:
        yield "  OVERDUE: its time zone is unknown here, so nothing is scheduled. Choose another."
        return
    if backup.missed_at is not None:
        planned = humanize.day_and_time(backup.missed_at, zone, now)
        yield f"  OVERDUE: scheduled for {planned}; no run has succeeded since."
    if due is None:
        return
    nobody = "" if is_served else " To start it, run `bucketvault serve`."
    if due > now:
        yield f"  Next run: {humanize.next_run(due, zone, now)}.{nobody}"
    elif is_served:
        yield f"  Next run: {'after this one' if backup.active_run is not None else 'now'}."
    else:
        planned = humanize.day_and_time(due, zone, now)
        yield f"  Next run: overdue since {planned}.{nobody}"
