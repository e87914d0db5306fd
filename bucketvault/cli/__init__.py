"""The command line: thin over the engine, on the same database as the pages.

With a bucketvault at work on the data folder, `run` asks its queue; else it does the work itself.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from bucketvault.cli import commands
from bucketvault.cli.parser import build
from bucketvault.engine.rclone.runner import settle_process
from bucketvault.errors import (
    AlreadyRunningError,
    BrokenDatabaseError,
    BucketvaultError,
    ConfigError,
    NotFoundError,
)

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_IN_USE = 0, 1, 2, 75
DOCUMENTS = (commands.log, commands.export)  # whose output is what was asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors a person can act on go to stderr, in words."""
    os.umask(0o077)  # first of all: no file is for other users
    settle_process()
    parser = build()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may follow
        import argcomplete

        argcomplete.autocomplete(parser)
    given = parser.parse_args(arguments)
    _settle_output(is_a_document=given.command in DOCUMENTS)
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
        # systemd starts it again after any other code, and only a person can help here
        if given.command is not commands.serve or not isinstance(error, BrokenDatabaseError):
            return _complain(error, EXIT_FAILED)
        code = _complain(error, EXIT_USAGE)
        from bucketvault.engine.alerts import lost

        lost.tell(config, error)  # after it was said: this may take a minute
        return code
    except BrokenPipeError:  # `bucketvault log 7 | head`: only a document may be cut off
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the interpreter's last flush
        return EXIT_OK
    except OSError as error:
        where = error.filename or config.data_dir
        if given.command in DOCUMENTS and error.filename is None:
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


def _settle_output(*, is_a_document: bool) -> None:
    """Make sure that printing never decides how a command ends.

    Odd signs are escaped where a terminal cannot show them; a reader that went away, as in
    `bucketvault run Photos --wait | head -1`, neither ends a command nor changes its exit code.
    Only of a document it is said when it could not be written whole.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as we live
            continue
        stream.reconfigure(errors="backslashreplace")
        if not is_a_document:
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


def _complain(error: BucketvaultError, code: int) -> int:
    for line in (error.summary, error.hint, error.detail):
        if line:
            print(line, file=sys.stderr)
    return code
