"""Short calls of rclone that ask something: listings, sizes. The copying is `runner.py`.

The configuration goes through a memfd: never on disk, in an argument or in the environment.
"""

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from bucketvault.engine.rclone import remotes, tether
from bucketvault.engine.rclone.binary import Binary, clean_environment
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.errors import BucketvaultError, RcloneMissingError
from bucketvault.sanitize import Redactor

POLL_S = 0.1
READ_BYTES = 256 * 1024
STOP_GRACE_S = 5.0
STALL_S = 60.0  # a question that moves nothing for so long is given up
# An answer without end would fill the memory. Names of two million objects are less.
LONGEST_ANSWER_BYTES = 256 * 1024 * 1024
LONGEST_LINE_BYTES = 1024 * 1024


class CancelledError(BucketvaultError):
    """Stop was pressed while rclone was being asked."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a call of rclone ended. `exit_code` is negative when a signal ended it."""

    exit_code: int
    stdout: bytes
    transcript: Transcript
    stalled: bool = False  # it was ended, because nothing moved any more


def call(
    binary: Binary,
    arguments: Sequence[str],
    sides: Mapping[str, remotes.Remote],
    *,
    log_level: str = "NOTICE",
    stall_s: float = STALL_S,
    cancelled: threading.Event | None = None,
    keep_open: Iterable[int] = (),
    stdin: bytes = b"",
    on_log: Callable[[bytes], None] | None = None,
) -> Done:
    """Ask rclone something; blocks until it is done, or for `stall_s` after the last movement.

    `sides` are the remotes by name; descriptors in `keep_open` are held by rclone too (the run's
    lock). Its JSON log is read while it comes: `on_log` gets the bytes, in this thread, and
    `Done.transcript` has read it all. Raises CancelledError soon after `cancelled` is set,
    RcloneMissingError when its answer does not end, BucketvaultError where an endpoint leads to a
    link-local address. rclone is gone when this returns or raises, and dies when we do.
    """
    config = os.memfd_create("rclone-config")
    try:
        os.write(config, remotes.config_to_start(sides).encode())
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *(binary.path, "--config", f"/proc/self/fd/{config}", *arguments),
                *("--use-json-log", "--log-level", log_level),
                *("--stats", "1s", "--stats-one-line", "--stats-log-level", "ERROR"),
            ],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(os.sep),
            cwd=os.sep,
            pass_fds=(config, *keep_open),
            start_new_session=True,  # Ctrl-C in a terminal is for us
        )
    finally:
        os.close(config)
    with process:
        try:
            redactor = Redactor(
                secret
                for remote in sides.values()
                for secret in (remote.access_key_id, remote.secret_access_key)
            )
            conversation = _Conversation(process, stdin, redactor, on_log)
            stalled = conversation.until_the_end(stall_s, cancelled)
        finally:
            if process.poll() is None:
                _end(process)
    return Done(
        process.returncode,
        bytes(conversation.stdout),
        conversation.transcript,
        stalled,
    )


class _Conversation:
    """Reads both outputs of one call while they come."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stdin: bytes,
        redactor: Redactor,
        on_log: Callable[[bytes], None] | None,
    ) -> None:
        self._redactor = redactor
        self.stdout = bytearray()
        self.transcript = Transcript()
        self._process = process
        self._on_log = on_log
        self._half = b""
        self._moved_at = time.monotonic()
        if process.stdin is not None:
            # less than a pipe holds (64 KiB): it cannot block before rclone reads
            process.stdin.write(stdin)
            process.stdin.close()

    def until_the_end(self, stall_s: float, cancelled: threading.Event | None) -> bool:
        """Read until both outputs are closed; True when it had to be ended for moving nothing."""
        stalled = False
        with selectors.DefaultSelector() as selector:
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(POLL_S):
                    if not self._read(key.fileobj):  # type: ignore[arg-type]  # our own pipes
                        selector.unregister(key.fileobj)
                if cancelled is not None and cancelled.is_set():
                    raise CancelledError("Stopped while both buckets were checked.")
                if not stalled and time.monotonic() - self._moved_at > stall_s:
                    stalled = True
                    self._process.send_signal(signal.SIGINT)
                if stalled and time.monotonic() - self._moved_at > stall_s + STOP_GRACE_S:
                    self._process.kill()
        if self._half:
            self._lines(self._half)
        self.stdout = bytearray(self._redactor.raw(bytes(self.stdout)))
        self._process.wait()
        return stalled

    def _read(self, pipe: IO[bytes]) -> bool:
        data = os.read(pipe.fileno(), READ_BYTES)
        if pipe is self._process.stdout:
            if data:
                self._moved_at = time.monotonic()
            self.stdout += data
            if len(self.stdout) > LONGEST_ANSWER_BYTES:
                raise RcloneMissingError(
                    "The output of rclone does not end.",
                    "Check which rclone is used: `rclone version`.",
                )
            return bool(data)
        whole, newline, self._half = (self._half + data).rpartition(b"\n")
        if newline:
            self._lines(whole + newline)
        if len(self._half) > LONGEST_LINE_BYTES:
            self._lines(self._half)
            self._half = b""
        return bool(data)

    def _lines(self, data: bytes) -> None:
        # a provider's error may repeat a key id, a broken rclone its configuration
        data = self._redactor.raw(data)
        if self._on_log is not None:
            self._on_log(data)
        before = self.transcript.progress
        self.transcript.feed(data.split(b"\n"))
        after = self.transcript.progress
        if after is None or after is before:
            return
        if before is None or before.movement != after.movement:
            self._moved_at = time.monotonic()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
