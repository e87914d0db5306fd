"""Read bytes at both ends and compare them, in a process of its own."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.listing.bucket import PATIENCE_S
from bucketvault.engine.listing.look import End, LookFailedError, told_of
from bucketvault.engine.listing.process import StoppedError, converse
from bucketvault.vocabulary import Json

GRACE_S = 30.0  # to write down what was read: a million keys take ten seconds


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A reading. `new_ledger` takes what was known, and what was found."""

    source: End
    copy: End
    ledger: Path
    new_ledger: Path
    budget: int | None  # bytes at each end; None: everything
    today: str  # ISO 8601
    since: str = ""  # without a budget: what was read since this day is not read again
    patience_s: float = PATIENCE_S
    limit: Bandwidth = field(default=Bandwidth())  # of what comes from both ends together


@dataclass(frozen=True, slots=True)
class Counts:
    """The result of a reading, in objects, and in bytes at each end."""

    objects: int = 0  # read at both ends
    bytes: int = 0
    equal: int = 0
    changed: int = 0  # written or removed since they were proven: not compared
    refused: int = 0
    damaged: int = 0
    source_damaged: int = 0
    differs: int = 0
    headers: int = 0  # of the equal ones: something beside the bytes is another in the copy


class ReadFailedError(LookFailedError):
    """A reading could not go on; what was read until then is in the new ledger, and counted."""

    def __init__(self, last: Json) -> None:
        super().__init__(*told_of(last))
        self.counts = Counts(**last.get("counts", {}))


def read(
    job: ReadJob,
    on_line: Callable[[Json], None],
    *,
    cancelled: threading.Event | None = None,
) -> Counts:
    """Read what the job says, and return what came of it.

    `on_line` gets, in this thread, `{"read": {"objects", "bytes", "total"}}` twice a second and
    `{"finding": ...}`, `{"refused": ...}`, `{"headers": ...}`, `{"passing": key}` as they come;
    the last one has the `requests` that it took. After `cancelled` it ends soon,
    and what was read counts. Raises ReadFailedError, whose `end` is `ledger` where there is none;
    StoppedError where it did not end by itself.
    """
    last = converse(
        "bucketvault.engine.listing.reading",
        asdict(job),
        on_line,
        cancelled=cancelled,
        grace_s=GRACE_S,
    )
    if "done" in last:
        return Counts(**last["done"])
    if "failed" not in last and cancelled is not None and cancelled.is_set():
        raise StoppedError("Stopped before anything was read.")
    if "failed" not in last:
        last = {
            "failed": "",
            "status": 0,
            "code": "",
            "said": "The reading ended without a result.",
        }
    raise ReadFailedError(last)
