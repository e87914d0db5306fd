"""The command line: thin over the engine, on the same database as the pages.

With a bucketvault at work on the data folder, `run` asks its queue; else it does the work itself.
"""

import argparse
import contextlib
import functools
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from bucketvault import __version__, logging_setup
from bucketvault.cli import access as access_commands
from bucketvault.cli import status as status_commands
from bucketvault.cli.run import (
    EXIT_FAILED,
    EXIT_OK,
    LOOK_S,
    Watch,
    approval_command,
    approving_in_words,
    become_engine,
    hold_words,
)
from bucketvault.config import Config, load_config
from bucketvault.engine import settings, setup
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.engine import open_store
from bucketvault.engine.folder_lock import who_watches
from bucketvault.engine.rclone.runner import settle_process
from bucketvault.engine.runs import queue, verifying
from bucketvault.engine.views import backups, log_text
from bucketvault.errors import (
    AlreadyRunningError,
    BucketvaultError,
    ConfigError,
    InUseError,
    NotFoundError,
)
from bucketvault.store import run_logs
from bucketvault.store.database import SqliteError, describe_sqlite_error
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import RunKind, Trigger

EXIT_USAGE, EXIT_IN_USE = 2, 75
NEWEST = 0  # no run has this number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors a person can act on go to stderr, in words."""
    os.umask(0o077)  # first of all: no file is for other users
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
        logging_setup.set_up(config.log_level or given.log_level)
        code: int = given.command(given, config)
        return code
    except (ConfigError, NotFoundError) as error:
        return _complain(error, EXIT_USAGE)
    except AlreadyRunningError as error:
        return _complain(error, EXIT_IN_USE)
    except BucketvaultError as error:
        return _complain(error, EXIT_FAILED)
    except SqliteError as error:
        return _complain(describe_sqlite_error(error, config.database), EXIT_FAILED)
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
        if stream is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as we live
            continue
        stream.reconfigure(errors="backslashreplace")
        if not cut_off_is_fine:
            setattr(sys, name, _Deaf(stream))


class _Deaf:
    """A stream that drops its text when its reader has gone or its disk is full."""

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

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bucketvault",
        description="Bucket-to-bucket backups: rclone copies, bucketvault watches and tells.",
    )
    # `serve` logs more: it has no other output
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
        "--approve",
        nargs="?",
        type=_run_number,
        const=NEWEST,
        metavar="RUN",
        help="approve the removals and replacements of this held run, by name, for one run "
        "within 24 hours; without a number, of the newest",
    )
    run.set_defaults(command=_run)

    verify = commands.add_parser(
        "verify", help="read all of a backup at both ends, and compare the bytes"
    )
    verify.add_argument("name", metavar="NAME")
    verify.add_argument("--wait", action="store_true", help="wait for its end; exit 0 or 1")
    verify.set_defaults(command=_verify)

    status_commands.add_to(commands)

    log = commands.add_parser("log", help="the log of a run")
    log.add_argument("run", metavar="RUN", help="a run's number, or a backup's name: its newest")
    log.add_argument("--follow", action="store_true", help="go on until the run ends")
    log.add_argument("--raw", action="store_true", help="byte for byte as rclone wrote it")
    log.set_defaults(command=_log)

    demo = commands.add_parser("demo", help="see it work: two local S3 servers, a first backup")
    demo.add_argument("--once", action="store_true", help="print the result and end; exit 0 or 1")
    demo.set_defaults(command=_demo)
    return parser


def _run_number(word: str) -> int:
    if not word.isdecimal() or int(word) == NEWEST:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not the number of a run; the name goes first: NAME --approve 17"
        )
    return int(word)


def _complain(error: BucketvaultError, code: int) -> int:
    for line in (error.summary, error.hint, error.detail):
        if line:
            print(line, file=sys.stderr)
    return code


def _serve(given: argparse.Namespace, config: Config) -> int:
    from bucketvault.server.process import serve  # brings the web server along

    return serve(config)


def _apply(given: argparse.Namespace, config: Config) -> int:
    for line in setup.apply(given.file, open_store(config), os.environ):
        print(line)
    return EXIT_OK


def _run(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    backup = backups.backup_by_name(given.name)
    approved = None if given.approve is None else _held(backup, given.approve)
    if approved is not None:  # printed before anything starts: only what was shown is approved
        zone = ZoneInfo(timetable.server_time_zone())
        for line in approving_in_words(approved, zone, utcnow()):
            print(line, flush=True)

    def enqueue() -> tuple[int, bool]:
        if approved is not None:
            return queue.approve(approved.id), True
        kind = RunKind.PREVIEW if given.preview else RunKind.COPY
        return queue.enqueue(backup.id, Trigger.CLI, kind=kind)

    run_id, code = _started(config, backup, enqueue, wait=given.wait or given.preview)
    if given.preview and code == EXIT_OK:
        _print_log(run_id, ZoneInfo(timetable.server_time_zone()), 0)
    return code


def _started(
    config: Config,
    backup: backups.BackupRow,
    enqueue: Callable[[], tuple[int, bool]],
    *,
    wait: bool,
) -> tuple[int, int]:
    """Queue a run, and watch it where that was asked for or nobody else does the work.

    Return its number and the exit code.
    """
    engine = become_engine(config)
    try:
        run_id, new = enqueue()
    except BucketvaultError:
        if engine is not None:
            engine.stop()
        raise
    if not wait:
        if engine is None:
            said = "queued" if new else "under way already"
            print(f"{backup.name}: {said}, run {run_id}. See it: bucketvault log {run_id} --follow")
            return run_id, EXIT_OK
        print("No bucketvault is serving, so this command does the work itself and waits.")
    return run_id, Watch(config, run_id, engine).to_the_end()


def _verify(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    backup = backups.backup_by_name(given.name)

    def enqueue() -> tuple[int, bool]:
        return verifying.enqueue(config.ledgers, backup.id, Trigger.CLI)

    return _started(config, backup, enqueue, wait=given.wait)[1]


def _held(backup: backups.BackupRow, number: int) -> backups.RunView:
    """Return the held run of this number, or the newest. Raises InUseError: it is not held now."""
    held = backup.last_run
    if held is None or not held.can_be_approved:
        raise InUseError(f"No run of {backup.name} is held for your approval.")
    if number not in (NEWEST, held.id):
        raise InUseError(
            f"Run {number} is not the run of {backup.name} that is held now. Nothing was started.",
            f"That is run {held.id}. {hold_words(held)}",
            f"Approve it: {approval_command(backup.name, held.id)}",
        )
    return held


def _log(given: argparse.Namespace, config: Config) -> int:
    open_store(config)
    run_id = _find_run(given.run)
    out = sys.stdout.buffer
    zone = ZoneInfo(timetable.server_time_zone())
    shown = 0
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
            shown = _print_log(run_id, zone, shown)
        out.flush()
        if ended and not shown:
            print("This log has no lines.", file=sys.stderr)
        if ended or not given.follow:
            return EXIT_OK
        time.sleep(LOOK_S)  # between two looks; another process writes


def _print_log(run_id: int, zone: ZoneInfo, start: int) -> int:
    """Write the log as people read it, from row `start` on; returns where it ends now."""
    while rows := run_logs.rows(run_id, start, 1000):
        for row in rows:
            line = log_text.describe_log_line(row.line, zone, row.kind).as_line()
            sys.stdout.buffer.write(line.encode() + b"\n")
        start = rows[-1].number + 1
    return start


def _find_run(name: str) -> int:
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


def _demo(given: argparse.Namespace, config: Config) -> int:
    from bucketvault.cli.demo import demo  # only this command needs it

    return demo(config, once=given.once)
