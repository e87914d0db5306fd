"""Start one of this room's own processes, hand it a job, and read what it says.

Keys go to it through a pipe: never in an argument, the environment or on the disk.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from bucketvault.engine.rclone import tether
from bucketvault.engine.rclone.binary import clean_environment
from bucketvault.engine.rclone.errors import is_about_memory
from bucketvault.engine.rclone.runner import oom_kills
from bucketvault.errors import BucketvaultError, KilledError, NoMemoryError
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Json

POLL_S = 0.1
READ_BYTES = 64 * 1024
SAID_LIMIT = 1000  # of what it wrote to stderr: a traceback ends with its error
ENDS_S = 5.0  # between the end of its output and its own


def environment() -> dict[str, str]:
    """Return what such a process gets: one heap for all threads, which else keep 5 MB more."""
    return clean_environment(os.sep) | {"MALLOC_ARENA_MAX": "1"}  # glibc: mallopt(3)


class StoppedError(BucketvaultError):
    """The process was stopped before its end."""


def converse(
    module: str,
    job: Json,
    on_line: Callable[[Json], None],
    *,
    cancelled: threading.Event | None = None,
    grace_s: float = 0.0,
) -> Json:
    """Do a job in a process of its own and return its last line; empty where it said nothing.

    `on_line` gets every line as it comes, in this thread. Once `cancelled` is set the process is
    asked to end, and may take so long to do so; then StoppedError is raised. Raises NoMemoryError
    where it had too little memory to come to its end, KilledError where it was killed. It is gone
    when this returns or raises, and dies when this program does.
    """
    killed_before = oom_kills()
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
            *(sys.executable, "-I", "-m", module),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=os.sep,
        start_new_session=True,  # Ctrl-C in a terminal is for us
    )
    with process:
        try:
            assert process.stdin is not None  # noqa: S101  a pipe, as asked for above
            with contextlib.suppress(BrokenPipeError):  # it ended already, and may say why
                process.stdin.write(json.dumps(job, default=str).encode())
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            last, said = _read(process, on_line, cancelled, grace_s)
            if not {"done", "failed"} & last.keys():
                _see_how_it_ended(process, said, killed_before)
            return last
        finally:
            process.kill()


def _see_how_it_ended(process: "subprocess.Popen[bytes]", said: str, killed_before: int) -> None:
    """Raise KilledError or NoMemoryError if a process ended so before it told what came of it."""
    try:
        code = process.wait(ENDS_S)
    except subprocess.TimeoutExpired:
        return
    if code == -signal.SIGKILL:
        ran_out = oom_kills() > killed_before
        raise KilledError("The process that reads the buckets", memory_ran_out=ran_out)
    if code and is_about_memory(said):
        raise NoMemoryError("reading the buckets could not continue", clean(said))


def _read(
    process: "subprocess.Popen[bytes]",
    on_line: Callable[[Json], None],
    cancelled: threading.Event | None,
    grace_s: float,
) -> tuple[Json, str]:
    """Return the last line, and the last words on stderr."""
    last: Json = {}
    half, until, said = b"", 0.0, b""
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None  # noqa: S101  as above
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(POLL_S):
                data = os.read(key.fd, READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    said = (said + data)[-SAID_LIMIT:]
                else:
                    *lines, half = (half + data).split(b"\n")
                    for line in lines:
                        last = json.loads(line)
                        on_line(last)
            if cancelled is not None and cancelled.is_set() and not until:
                process.terminate()
                until = time.monotonic() + grace_s
            if until and time.monotonic() >= until:
                raise StoppedError("Stopped before it finished.")
    return last, said.decode(errors="replace")
