"""The command line: thin over the engine, on the same database as the pages.

With a bucketvault at work on the data folder, `run` asks its queue; else it does the work itself.
"""

import argparse
import contextlib
import functools
import io
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO
from zoneinfo import ZoneInfo

from bucketvault import __version__, access_commands, programlog
from bucketvault.config import Config, load_config
from bucketvault.engine import installation, overview, settings, setup, status, timetable
from bucketvault.engine.engine import open_store
from bucketvault.engine.holder import holder, who_watches
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.runner import settle_process
from bucketvault.errors import (
    AlreadyRunningError,
    BucketvaultError,
    ConfigError,
    InUseError,
    NotFoundError,
)
from bucketvault.pages import formatting
from bucketvault.store import runlogs
from bucketvault.store.database import SqliteError, in_words
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import Reason, RunStatus, Trigger
from bucketvault.watching import (
    ENDED,
    EXIT_FAILED,
    EXIT_OK,
    LOOK_S,
    Watch,
    approval_command,
    become_engine,
    progress_in_words,
)

EXIT_USAGE, EXIT_IN_USE = 2, 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors a person can act on go to stderr, in words."""
    os.umask(0o077)  # first of all: nothing we make is for others
    settle_process()
    given = _parser().parse_args(arguments)
    _settle_output(cut_off_is_fine=given.command is _log)
    try:
        config = load_config(
            os.environ,
            data_dir=given.data_dir,
            port=given.port,
            host=given.host,
            socket=given.socket,
            allowed_hosts=given.allowed_hosts,
        )
        programlog.set_up(config.log_level or given.log_level)
        command: Callable[[argparse.Namespace, Config], int] = given.command
        return command(given, config)
    except ConfigError as error:
        return _complain(error, EXIT_USAGE)
    except AlreadyRunningError as error:
        return _complain(error, EXIT_IN_USE)
    except BucketvaultError as error:
        return _complain(error, EXIT_USAGE if isinstance(error, NotFoundError) else EXIT_FAILED)
    except SqliteError as error:
        return _complain(in_words(error, config.database), EXIT_FAILED)
    except BrokenPipeError:  # `bucketvault log 7 | head`: only a log may be cut off
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the interpreter's last flush
        return EXIT_OK
    except OSError as error:
        where = error.filename or config.data_dir
        if given.command is _log and error.filename is None:
            where = "the output"
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it still holds what would fail again
        print(f"{error.strerror or error}: {where}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def _settle_output(*, cut_off_is_fine: bool) -> None:
    """Make sure that printing never decides how a command ends.

    Odd signs are escaped where a terminal cannot show them; a reader that went away, as in
    `bucketvault run Photos --wait | head -1`, neither ends a command nor changes its exit code.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as we live
            continue
        stream.reconfigure(errors="backslashreplace")
        if not cut_off_is_fine:
            setattr(sys, name, _Deaf(stream))


class _Deaf(io.TextIOBase):
    """A stream that goes on to nowhere when its reader has gone or its disk is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            # what it still holds would fail again as the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def buffer(self) -> BinaryIO:
        """The bytes below, for what is no text."""
        return self._stream.buffer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bucketvault",
        description="Bucket-to-bucket backups: rclone copies, bucketvault watches and tells.",
    )
    # `serve` says more in its log: nobody else tells its story
    parser.set_defaults(log_level="warning", port="", host="", socket="", allowed_hosts=())
    parser.add_argument("--version", action="version", version=f"bucketvault {__version__}")
    parser.add_argument(
        "--data-dir",
        default="",
        metavar="DIR",
        help="where database and runs are kept; ~/.local/share/bucketvault unless you name another",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the pages and look after every run")
    serve.add_argument("--port", default="", help="on 127.0.0.1; 8484 unless you name another")
    serve.add_argument("--host", default="", help=argparse.SUPPRESS)  # to say what to do instead
    serve.add_argument(
        "--socket",
        default="",
        metavar="PATH",
        help="on a Unix socket instead, in a folder of mode 0700: reached through ssh -L only",
    )
    serve.add_argument(
        "--allowed-host",
        dest="allowed_hosts",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="a further name, besides localhost, by which browsers may reach it",
    )
    serve.set_defaults(command=_serve, log_level="info")

    access_commands.add_to(commands)

    apply = commands.add_parser("apply", help="create and change by name what a TOML file says")
    apply.add_argument("file", type=Path, metavar="setup.toml")
    apply.set_defaults(command=_apply)

    run = commands.add_parser("run", help="run a backup now")
    run.add_argument("name", metavar="NAME")
    run.add_argument("--wait", action="store_true", help="wait for its end; exit 0 or 1")
    how = run.add_mutually_exclusive_group()
    how.add_argument(
        "--preview", action="store_true", help="only say what a run would do, object by object"
    )
    how.add_argument(
        "--approve", action="store_true", help="let the run that is held do what it would, once"
    )
    run.set_defaults(command=_run)

    status = commands.add_parser("status", help="is everything fine?")
    status.add_argument("--json", action="store_true", help="for scripts")
    status.set_defaults(command=_status)

    doctor = commands.add_parser("doctor", help="look at all that it needs; changes nothing")
    doctor.add_argument("--json", action="store_true", help="for scripts")
    doctor.set_defaults(command=_doctor)

    log = commands.add_parser("log", help="the log of a run")
    log.add_argument("run", metavar="RUN", help="a run's number, or a backup's name: its newest")
    log.add_argument("--follow", action="store_true", help="go on until the run ends")
    log.add_argument("--raw", action="store_true", help="byte for byte as rclone wrote it")
    log.set_defaults(command=_log)

    demo = commands.add_parser("demo", help="see it work: two local S3 servers, a first backup")
    demo.add_argument("--once", action="store_true", help="print the result and end; exit 0 or 1")
    demo.set_defaults(command=_demo)
    return parser


def _complain(error: BucketvaultError, code: int) -> int:
    for line in (error.summary, error.hint, error.detail):
        if line:
            print(line, file=sys.stderr)
    return code


# serve


def _serve(given: argparse.Namespace, config: Config) -> int:
    from bucketvault.serving import serve  # brings the web server along

    return serve(config)


# apply


def _apply(given: argparse.Namespace, config: Config) -> int:
    for line in setup.apply(given.file, open_store(config), os.environ):
        print(line)
    return EXIT_OK


# run


def _run(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    backup = overview.backup_by_name(given.name)
    engine = become_engine(config)
    try:
        run_id, new = _queued(given, backup)
    except BucketvaultError:
        if engine is not None:
            engine.stop()
        raise
    if engine is None and not (given.wait or given.preview):
        said = "queued" if new else "under way already"
        print(f"{backup.name}: {said}, run {run_id}. See it: bucketvault log {run_id} --follow")
        return EXIT_OK
    if engine is not None:
        engine.wake()
        if not (given.wait or given.preview):
            print("No bucketvault is serving, so this command does the work itself and waits.")
    code = Watch(config, run_id, engine).to_the_end()
    if given.preview and code == EXIT_OK:
        _print_log(run_id, ZoneInfo(timetable.server_time_zone()), 0)
    return code


def _queued(given: argparse.Namespace, backup: overview.BackupRow) -> tuple[int, bool]:
    """The run that does what was asked for, and whether it is new."""
    if not given.approve:
        return queue.enqueue(backup.id, Trigger.CLI, preview=given.preview)
    held = backup.last_run
    if held is None or not held.can_be_approved:
        raise InUseError(f"No run of {backup.name} is held for your approval.")
    return queue.approve(held.id), True


# status


def _status(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    unwatched = functools.partial(who_watches, config)
    told = status.status(installation.look(config), unwatched=unwatched)
    code = status.status_exit_code(told)
    if given.json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return code
    zone = ZoneInfo(timetable.server_time_zone())
    is_served = holder(config) is not None
    for backup in overview.backups(unwatched=unwatched):
        for line in (
            *backup_in_words(backup, zone),
            *schedule_in_words(backup, zone, is_served=is_served),
        ):
            print(line)
    for problem in told["program"]:
        print(problem)
    if told["pending"] and holder(config) is None:
        print("A run waits, but no bucketvault is at work: bucketvault serve")
    if not told["backups"]:
        print("There is no backup yet. Make one on the pages (bucketvault serve prints the link),")
        print("or from a file: bucketvault apply setup.toml")
    return code


def backup_in_words(backup: overview.BackupRow, zone: ZoneInfo) -> Iterator[str]:
    """What `status` says of one backup: a line on its state, then what needs a look."""
    now = utcnow()
    run = backup.active_run
    if run is not None:
        if run.ended_unseen:
            yield f"{backup.name}: ended while no bucketvault watched; how, is not recorded yet"
            yield "  The next `bucketvault run` or `bucketvault serve` records it."
            return
        alone = " (no bucketvault watches it; it goes on by itself)" if run.on_its_own else ""
        yield f"{progress_in_words(run)}{alone}"
        return
    last = backup.last_run
    if last is None or last.finished_at is None:
        yield f"{backup.name}: has not run yet"
        return
    when = formatting.day_and_time(last.finished_at, zone, now)
    if last.status == RunStatus.SUCCESS:
        state = "succeeded, with warnings" if last.warnings else "good"
        state = "no copy yet, an end was changed since the last good run" if backup.moved else state
        yield f"{backup.name}: {state}, {when}. {last.explanation}"
        yield from (f"  {warning}" for warning in last.warnings)
        return
    stopped = "held" if last.reason == Reason.BRAKE else "FAILED"
    word = "held for your approval" if last.can_be_approved else stopped
    good = backup.last_good_at
    state = last.copy_state.sentence if last.copy_state is not None else ""
    told = f"Last good run: {formatting.day_and_time(good, zone, now) if good else 'never'}."
    yield f"{backup.name}: {word}, {when}. {' '.join(part for part in (state, told) if part)}"
    yield from (f"  {line}" for line in (last.explanation, last.hint) if line)
    if last.can_be_approved:
        yield f"  Approve it: {approval_command(backup.name)}"


def schedule_in_words(
    backup: overview.BackupRow, zone: ZoneInfo, *, is_served: bool
) -> Iterator[str]:
    """What `status` says of the planned times of a backup: one missed, the next."""
    now, due = utcnow(), backup.next_due_at
    if not backup.enabled:
        yield "  Switched off: no run is planned."
        return
    if backup.unplannable:
        yield "  OVERDUE: nothing starts it, its time zone is not known here. Choose another."
        return
    if backup.missed_at is not None:
        planned = formatting.day_and_time(backup.missed_at, zone, now)
        yield f"  OVERDUE: planned {planned}, and nothing came of it."
    if due is None:
        return
    nobody = "" if is_served else " Nobody starts it: bucketvault serve"
    if due > now:
        yield f"  Next run: {formatting.next_run(due, zone, now)}.{nobody}"
    elif is_served:
        yield f"  Next run: {'after this one' if backup.active_run is not None else 'now'}."
    else:
        planned = formatting.day_and_time(due, zone, now)
        yield f"  Next run: late since {planned}.{nobody}"


# doctor


def _doctor(given: argparse.Namespace, config: Config) -> int:
    from bucketvault import address
    from bucketvault.engine import doctor

    def ask() -> tuple[int, str]:
        door = address.noted_door(config)
        return doctor.ask_server(door.port, door.socket)

    found = doctor.examine(config, holder(config), ask)
    print(doctor.as_json(found) if given.json else "\n".join(doctor.in_lines(found)))
    return EXIT_FAILED if doctor.is_bad(found) else EXIT_OK


# log


def _log(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    run_id = _find_run(given.run)
    out = sys.stdout.buffer
    zone = ZoneInfo(timetable.server_time_zone())
    shown = 0
    while True:
        run = overview.run(run_id, functools.partial(who_watches, config))
        ended = run.status in ENDED or run.ended_unseen  # asked first: the rest is read below
        if run.log_removed_at is not None:
            days, now = settings.load().log_retention_days, utcnow()
            print(formatting.removed_log(run.log_removed_at, days, zone, now), file=sys.stderr)
            return EXIT_OK
        shown = _raw_from(run_id, shown) if given.raw else _print_log(run_id, zone, shown)
        out.flush()
        if ended and not shown:
            print("This log has no lines.", file=sys.stderr)
        if ended or not given.follow:
            return EXIT_OK
        time.sleep(LOOK_S)  # between two looks; another process writes


def _print_log(run_id: int, zone: ZoneInfo, start: int) -> int:
    """Write the log as people read it, from row `start` on; returns where it ends now."""
    while rows := runlogs.rows(run_id, start, 1000):
        for row in rows:
            line = formatting.describe_log_line(row.line, zone, row.kind).as_line()
            sys.stdout.buffer.write(line.encode() + b"\n")
        start = rows[-1].number + 1
    return start


def _raw_from(run_id: int, start: int) -> int:
    """Write the raw log from byte `start` on; returns where it ends now."""
    for data in runlogs.raw_from(run_id, start):
        sys.stdout.buffer.write(data)
        start += len(data)
    return start


def _find_run(name: str) -> int:
    """The run called by its number, or the newest of the backup of that name."""
    no_run: NotFoundError | None = None
    if name.isdecimal() and len(name) < 19:  # more digits the database does not take
        try:
            return overview.run(int(name)).id
        except NotFoundError as error:
            no_run = error
    try:
        backup = overview.backup_by_name(name)
    except NotFoundError as error:
        raise no_run or error from None
    run = backup.active_run or backup.last_run
    if run is None:
        raise NotFoundError(
            f"{backup.name} has not run yet.", f"bucketvault run {shlex.quote(name)}"
        )
    return run.id


# demo


def _demo(given: argparse.Namespace, config: Config) -> int:
    from bucketvault.demo import demo  # only this command needs it

    return demo(config, once=given.once)
