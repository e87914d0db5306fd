"""Look at both ends, in a process of its own."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bucketvault.engine.domain.usage import Use
from bucketvault.engine.listing.bucket import PATIENCE_S, Bucket
from bucketvault.engine.listing.process import StoppedError, converse
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ComparisonMode, Json

GRACE_S = 1.0  # for one that is stopped, to say what it has asked

__all__ = ["End", "Job", "LookFailedError", "Looked", "StoppedError", "look"]


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
    all_errored: bool = False  # more were named than can be kept in mind: all that was tried
    odd_tried: bool = False  # a pass tried the odd names, without an error
    again: bool = False  # this is after a second pass, or a third
    only_tried: bool = False  # the tried keys alone, where that tells that all is right
    below_path: bool = False  # one end has a path
    hashes: bool = True  # False: ETags of one end are no MD5
    kept_below: str = ""  # the folder of this run's kept versions, in the copy's bucket
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True)
class Looked:
    """A look that was made. `ledger`: what became of it, `used`, `damaged` or `none`."""

    ledger: str
    is_whole: bool = True  # False: of `only_tried`; all others are as the first look found them
    time: float | None = None  # now, by the copy's service, seconds since 1970; None: not told


class LookFailedError(BucketvaultError):
    """One end could not be looked at; `status`, `code` and `region` as in `ListingError`."""

    def __init__(self, end: str, status: int, code: str, said: str, region: str = "") -> None:
        super().__init__(said)
        self.region = region
        self.end, self.status, self.code = end, status, code  # end: source, copy, or empty


def told_of(last: Json) -> tuple[str, int, str, str, str]:
    """Return the parts of a failure that a process told in its last line."""
    return last["failed"], last["status"], last["code"], last["said"], last.get("region", "")


def look(
    job: Job,
    *,
    cancelled: threading.Event | None = None,
    on_seen: Callable[[int, int], None] = lambda source, copy: None,
    on_read: Callable[[int, int], None] = lambda objects, size: None,
    on_requests: Callable[[Use], None] = lambda use: None,
) -> Looked:
    """Look at both ends and write the plan.

    In this thread, twice a second, `on_seen` gets the objects seen at each end; `on_read`, where
    bytes must be read, the objects and bytes that were. At its end, a bad one too, `on_requests`
    gets the requests that it took. Raises LookFailedError, StoppedError soon after `cancelled` is
    set. The process is gone when this returns or raises, and dies when this program does.
    """

    def on_line(line: Json) -> None:
        if "seen" in line:
            on_seen(*line["seen"])
            if any(line["read"]):
                on_read(*line["read"])
        if "requests" in line:
            on_requests(Use.from_json(line["requests"]))

    last = converse(
        "bucketvault.engine.listing", asdict(job), on_line, cancelled=cancelled, grace_s=GRACE_S
    )
    if "done" in last:
        return Looked(last["ledger"], last["whole"], last.get("time"))
    if cancelled is not None and cancelled.is_set():
        raise StoppedError("Stopped before it finished.")
    if "failed" in last:
        raise LookFailedError(*told_of(last))
    raise LookFailedError("", 0, "", "Reading both buckets ended without a result.")
