"""The command line: thin over the engine, on the same database as the pages.

With a bucketvault at work on the data folder, `run` asks its queue; else it does the work itself.
Each command brings along what it needs, so that help and a wrong word are answered at once.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bucketvault import __version__
from bucketvault.engine.rclone.runner import settle_process
from bucketvault.errors import (
    AlreadyRunningError,
    BucketvaultError,
    ConfigError,
    NotFoundError,
)

if TYPE_CHECKING:
    from bucketvault.config import Config

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_IN_USE = 0, 1, 2, 75
NEWEST = 0  # no run has this number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors a person can act on go to stderr, in words."""
    os.umask(0o077)  # first of all: no file is for other users
    settle_process()
    given = _parser().parse_args(arguments)
    _settle_output(cut_off_is_fine=given.command is _log)
    from bucketvault import logging_setup
    from bucketvault.config import load_config

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
    except Exception as error:
        from bucketvault.store.database import SqliteError, describe_sqlite_error

        if not isinstance(error, SqliteError):
            raise
        return _complain(describe_sqlite_error(error, config.database), EXIT_FAILED)


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

    url = commands.add_parser("url", help="print the link that opens the pages")
    url.add_argument("--new", action="store_true", help="every session and every other link ends")
    url.set_defaults(command=_url)

    word = commands.add_parser("password", help="set a password that opens the pages too")
    word.add_argument("--remove", action="store_true", help="only the link opens again")
    word.set_defaults(command=_password)

    rotate = commands.add_parser(
        "rotate-key",
        help="encrypt every stored key with a new key",
        description="Encrypt every stored key with a new key. The old one is put aside, in a file "
        "beside the key file: older copies of the database need it, and so do other data folders "
        "with the same key file. Where it is needed, add its line at the end of the key file.",
    )
    rotate.add_argument(
        "--new-key-file",
        action="store_true",
        help="the key file is lost: make another; every provider's keys must be entered again",
    )
    rotate.set_defaults(command=_rotate_key)

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

    for name, command, words in (
        ("status", _status, "is everything fine?"),
        ("doctor", _doctor, "look at all that it needs; changes nothing"),
    ):
        whole = commands.add_parser(name, help=words)
        whole.add_argument("--json", action="store_true", help="for scripts")
        whole.set_defaults(command=command)

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


def _serve(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.server.process import serve

    return serve(config)


def _url(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.access import url

    return url(given, config)


def _password(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.access import set_password

    return set_password(given, config)


def _rotate_key(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.access import rotate_key

    return rotate_key(given, config)


def _apply(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.engine import setup
    from bucketvault.store.opening import open_store

    for line in setup.apply(given.file, open_store(config), os.environ):
        print(line)
    return EXIT_OK


def _run(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.run import run

    return run(given, config)


def _verify(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.run import verify

    return verify(given, config)


def _status(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.status import print_status

    return print_status(given, config)


def _doctor(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.doctor import examine

    return examine(given, config)


def _log(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.log import log

    return log(given, config)


def _demo(given: argparse.Namespace, config: "Config") -> int:
    from bucketvault.cli.demo import demo

    return demo(config, once=given.once)
