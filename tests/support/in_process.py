"""A command of the program in the tests' own process: what an interpreter takes to start is saved.

The same `cli.main` with the same arguments, settings, output and exit code; rclone and its runner
stay processes of their own. What is killed, sent a signal or watched from outside needs a process:
`Program.start`, `Program.shell`.
"""

import contextlib
import io
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from unittest.mock import patch

from bucketvault import cli
from bucketvault.store.database import close_database


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a command with this environment; its exit code, and what it wrote to stdout and stderr.

    The database of this process is closed afterwards, whatever had opened it.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with (
        _surroundings(environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = cli.main(arguments)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            close_database()
    return code, *(stream.buffer.getvalue().decode() for stream in _flushed(out, err))


def _flushed(*streams: io.TextIOWrapper) -> Iterator[io.TextIOWrapper]:
    for stream in streams:
        stream.flush()
        yield stream


@contextlib.contextmanager
def _surroundings(environment: Mapping[str, str]) -> Iterator[None]:
    """Let this process have that environment, and put back what a command settles once for all."""
    root, ours = logging.getLogger(), logging.getLogger("bucketvault")
    handlers, levels, umask = root.handlers[:], (root.level, ours.level), os.umask(0o077)
    with patch.dict(os.environ, environment, clear=True):
        time.tzset()
        try:
            yield
        finally:
            root.handlers[:] = handlers
            root.setLevel(levels[0])
            ours.setLevel(levels[1])
            os.umask(umask)
    time.tzset()
