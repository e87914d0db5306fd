"""`runs`: the newest runs of a backup, or of every backup."""

import argparse
import datetime as dt
import functools
import json
from zoneinfo import ZoneInfo

from bucketvault import humanize
from bucketvault.cli.colour import painted
from bucketvault.cli.status import run_to_json, zone_of
from bucketvault.config import Config
from bucketvault.engine import price_list
from bucketvault.engine.folder_lock import who_watches
from bucketvault.engine.views import backups, history
from bucketvault.engine.views.backups import RunView
from bucketvault.engine.views.situation import tone_of_run, word_of
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store


def print_runs(given: argparse.Namespace, config: Config) -> int:
    """List runs, newest first, with their result; returns the exit code."""
    open_store(config)
    watched = functools.partial(who_watches, config)
    rows = [backups.backup_by_name(given.name)] if given.name else backups.backups(watched)
    found = [(row, run) for row in rows for run in history.runs_page(row.id).runs]
    found.sort(key=lambda each: each[1].id, reverse=True)
    if given.json:
        prices = price_list.load()
        told = [{"backup": row.name, **run_to_json(row, run, prices)} for row, run in found]
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return 0
    zone, now = zone_of(rows), utcnow()
    width = max((len(word_of(tone_of_run(run), run)) for _, run in found), default=0)
    for row, run in found:
        print(_line(row.name if not given.name else "", run, zone, now, width))
    print(humanize.times_in(zone) if found else "There are no runs yet.")
    return 0


def _line(name: str, run: RunView, zone: ZoneInfo, now: dt.datetime, width: int) -> str:
    tone = tone_of_run(run)
    when = humanize.day_and_time(run.finished_at or run.started_at or run.queued_at, zone, now)
    took = ""
    if run.started_at is not None and run.finished_at is not None:
        took = humanize.duration((run.finished_at - run.started_at).total_seconds())
    state = painted(word_of(tone, run).ljust(width), tone)
    words = " ".join(part for part in (f"{name}:" if name else "", run.explanation) if part)
    return f"{run.id:>6}  {state}  {when:<22}  {took:>9}  {words}".rstrip()
