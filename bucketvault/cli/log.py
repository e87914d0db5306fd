"""`log`: the log of a run, to its end if that is asked for."""

import argparse
import functools
import shlex
import sys
import time
from zoneinfo import ZoneInfo

from bucketvault.cli.watching import EXIT_OK, LOOK_S, zone_of_run
from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.folder_lock import who_watches
from bucketvault.engine.views import backups, log_text
from bucketvault.errors import NotFoundError
from bucketvault.humanize import times_in
from bucketvault.store import run_logs
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store


def print_log(given: argparse.Namespace, config: Config) -> int:
    """Print the log of a run, as people read it or as rclone wrote it."""
    open_store(config)
    run_id = find_run(given.run)
    out = sys.stdout.buffer
    zone = zone_of_run(backups.run(run_id))
    shown = 0
    if not given.raw and sys.stderr.isatty():  # for a person; scripts get the lines alone
        print(times_in(zone), file=sys.stderr)
    while True:
        run = backups.run(run_id, functools.partial(who_watches, config))
        ended = not run.status.is_active or run.ended_unseen  # asked first: the rest is read below
        if run.log_removed_at is not None:
            days, now = settings.load().log_retention_days, utcnow()
            print(log_text.removed_log(run.log_removed_at, days, zone, now), file=sys.stderr)
            return EXIT_OK
        if given.raw:
            for data in run_logs.raw_from(run_id, shown):
                out.write(data)
                shown += len(data)
        else:
            shown = print_lines(run_id, zone, shown)
        out.flush()
        if ended and not shown:
            print("This log has no lines.", file=sys.stderr)
        if ended or not given.follow:
            return EXIT_OK
        time.sleep(LOOK_S)  # between two looks; another process writes


def print_lines(run_id: int, zone: ZoneInfo, start: int) -> int:
    """Write the log as people read it, from row `start` on; returns where it ends now."""
    while rows := run_logs.rows(run_id, start, 1000):
        for row in rows:
            line = log_text.describe_log_line(row.line, zone, row.kind).as_line()
            sys.stdout.buffer.write(line.encode() + b"\n")
        start = rows[-1].number + 1
    return start


def find_run(name: str) -> int:
    """Return the run called by its number, or the newest of the backup of that name."""
    no_run: NotFoundError | None = None
    if name.isdecimal() and len(name) < 19:  # more digits the database does not take
        try:
            return backups.run(int(name)).id
        except NotFoundError as error:
            no_run = error
    try:
        backup = backups.backup_by_name(name)
    except NotFoundError as error:
        raise no_run or error from None
    run = backup.active_run or backup.last_run
    if run is None:
        raise NotFoundError(
            f"{backup.name} has not run yet.", f"bucketvault run {shlex.quote(name)}"
        )
    return run.id
