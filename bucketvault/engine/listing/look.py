"""Start a look at both ends in a process of its own, and read what it says.

Keys go to it through a pipe: never in an argument, the environment or on the disk.
"""

import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bucketvault.engine.listing.bucket import PATIENCE_S, Bucket
from bucketvault.engine.rclone import tether
from bucketvault.engine.rclone.binary import clean_environment
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ComparisonMode, Json

POLL_S = 0.1
LONGEST_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class End:
    """One end: a bucket, the folder in it (`photos/`, or empty), and what below is left out."""

    bucket: Bucket
    prefix: str = ""
    leave_out: str = ""  # a folder below `prefix`, such as that of the kept versions


@dataclass(frozen=True, slots=True)
class Job:
    """A look. `folder` takes the plan and temporary files, `new_ledger` what was found right."""

    source: End
    copy: End
    mode: ComparisonMode
    folder: Path
    at: str  # ISO 8601, UTC: when the look began
    ledger: Path | None
    new_ledger: Path
    tried: Path | None = None  # the folder of the run's first plan: this is a second look
    failed: Path | None = None  # keys that were refused for good, `ledger.quoted`, a line each
    errored: Path | None = None  # keys that an error named, likewise; both in byte order
    odd_tried: bool = False  # a pass tried the odd names, without an error
    below_path: bool = False  # one end has a path
    hashes: bool = True  # False: ETags of one end are no MD5
    patience_s: float = PATIENCE_S


class LookFailedError(BucketvaultError):
    """One end could not be looked at; `status` and `code` as in `ListingError`."""

    def __init__(self, end: str, status: int, code: str, said: str) -> None:
        super().__init__(said)
        self.end, self.status, self.code = end, status, code  # end: source, copy, or empty


class StoppedError(BucketvaultError):
    """The look was stopped before its end."""


def look(
    job: Job,
    *,
    cancelled: threading.Event | None = None,
    on_seen: Callable[[int, int], None] = lambda source, copy: None,
) -> str:
    """Look at both ends and write the plan; return what became of the ledger.

    That is `used`, `damaged` or `none`. `on_seen` gets the objects seen at each end, twice a
    second, in this thread. Raises LookFailedError, StoppedError soon after `cancelled` is set. The
    process is gone when this returns or raises, and dies when this program does.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
            *(sys.executable, "-I", "-m", "bucketvault.engine.listing"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(os.sep),
        cwd=os.sep,
        start_new_session=True,  # Ctrl-C in a terminal is for us
    )
    with process:
        try:
            assert process.stdin is not None  # noqa: S101  a pipe, as asked for above
            process.stdin.write(json.dumps(asdict(job), default=str).encode())
            process.stdin.close()
            last = _read(process, cancelled, on_seen)
        except BrokenPipeError:
            last = {}
        finally:
            process.kill()
    if "done" in last:
        return str(last["ledger"])
    if "failed" in last:
        raise LookFailedError(last["failed"], last["status"], last["code"], last["said"])
    raise LookFailedError("", 0, "", "The look at both buckets ended without a word.")


def _read(
    process: "subprocess.Popen[bytes]",
    cancelled: threading.Event | None,
    on_seen: Callable[[int, int], None],
) -> Json:  # JSON of our own process
    """Return its last line; the lines before say how far it is."""
    last: Json = {}
    half = b""
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None  # noqa: S101  as above
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(POLL_S):
                data = os.read(key.fd, LONGEST_LINE_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    *lines, half = (half + data).split(b"\n")
                    for line in lines:
                        last = json.loads(line)
                        if "seen" in last:
                            on_seen(*last["seen"])
            if cancelled is not None and cancelled.is_set():
                raise StoppedError("Stopped while both buckets were looked at.")
    return last
