"""Count what lies at one end, by our own strict listing, in a process of its own.

Reading a million keys takes a core for seconds, and pages are drawn meanwhile. The process is
`python -I -m bucketvault.engine.listing.counting`, with a job on stdin.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from bucketvault.engine.listing.bucket import Bucket, Lister, ListingError
from bucketvault.engine.listing.look import End, LookFailedError, told_of
from bucketvault.engine.listing.process import converse
from bucketvault.vocabulary import Json

TELL_EVERY_S = 0.5


def count(
    end: End,
    on_seen: Callable[[int], None],
    *,
    patience_s: float,
    cancelled: threading.Event | None = None,
) -> tuple[int, int]:
    """Return how many objects a look would see at an end, and their bytes.

    `on_seen` gets the objects listed so far, in this thread. Raises LookFailedError, also after
    `patience_s` without an answer, and StoppedError soon after `cancelled` is set.
    """

    def on_line(line: Json) -> None:
        if "objects" in line:
            on_seen(line["objects"])

    job = {"end": asdict(end), "patience_s": patience_s}
    last = converse("bucketvault.engine.listing.counting", job, on_line, cancelled=cancelled)
    if "done" in last:
        return last["objects"], last["bytes"]
    if "failed" in last:
        raise LookFailedError(*told_of(last))
    raise LookFailedError("source", 0, "", "The count ended without a result.")


def main() -> int:
    """Do the job on stdin; what came of it is the last line."""
    job = json.load(sys.stdin)
    end = End(**job["end"] | {"bucket": Bucket(**job["end"]["bucket"])})
    left_out, told_at = end.leave_out.encode(), time.monotonic()
    objects = size = 0
    try:
        lister = Lister(end.bucket, patience_s=job["patience_s"])
        for entry in lister.entries(end.prefix):
            is_own_marker = not (entry.key or entry.size)
            if is_own_marker or (left_out and entry.key.startswith(left_out)):
                continue
            objects += 1
            size += entry.size
            if time.monotonic() > told_at:
                told_at = time.monotonic() + TELL_EVERY_S
                _tell({"objects": objects})
    except ListingError as error:
        _tell({"failed": "source", **error.parts})
        return 1
    _tell({"done": True, "objects": objects, "bytes": size})
    return 0


def _tell(what: Json) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
