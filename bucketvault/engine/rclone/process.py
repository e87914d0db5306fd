"""Short calls of rclone that ask something: listings, sizes. The copying is `runs/runner.py`.

The configuration goes through a memfd: never on disk, in an argument or in the environment.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bucketvault.engine.rclone import remotes, tether
from bucketvault.engine.rclone.binary import Binary, clean_environment
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.errors import BucketvaultError

POLL_S = 0.1
STOP_GRACE_S = 5.0


class CancelledError(BucketvaultError):
    """Somebody pressed Stop while rclone was being asked."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a call of rclone ended. `exit_code` is negative when a signal ended it."""

    exit_code: int
    stdout: bytes
    transcript: Transcript
    timed_out: bool = False


def call(
    binary: Binary,
    arguments: Sequence[str],
    sides: Mapping[str, remotes.Remote],
    *,
    timeout_s: float,
    cancelled: threading.Event | None = None,
    keep_open: Iterable[int] = (),
) -> Done:
    """Ask rclone something; blocks for at most about `timeout_s`.

    `sides` are the remotes by name; descriptors in `keep_open` are held by rclone too (the run's
    lock). It logs JSON to stderr, which `Done.transcript` has read. Raises CancelledError as soon
    as `cancelled` is set. rclone is gone when this returns or raises, and dies when we do.
    """
    config = os.memfd_create("rclone-config")
    try:
        os.write(config, remotes.config_text(sides).encode())
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *(binary.path, "--config", f"/proc/self/fd/{config}", *arguments),
                *("--use-json-log", "--log-level", "NOTICE"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(os.sep),
            cwd=Path.home().anchor,
            pass_fds=(config, *keep_open),
            start_new_session=True,  # Ctrl-C in a terminal is for us
        )
    finally:
        os.close(config)
    deadline = time.monotonic() + timeout_s
    with process:
        try:
            while True:
                try:
                    stdout, stderr = process.communicate(timeout=POLL_S)
                    timed_out = False
                    break
                except subprocess.TimeoutExpired:
                    if cancelled is not None and cancelled.is_set():
                        raise CancelledError("Stopped while both buckets were checked.") from None
                    if time.monotonic() > deadline:
                        stdout, stderr = _end(process)
                        timed_out = True
                        break
        finally:
            if process.poll() is None:
                _end(process)
    transcript = Transcript()
    transcript.feed(stderr.splitlines())
    return Done(process.returncode, stdout, transcript, timed_out)


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()
