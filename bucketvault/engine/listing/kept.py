"""`python -I -m bucketvault.engine.listing.kept`: which versions are really kept, by a listing.

A step of a pass, run by its detached runner: what was to be kept and is not there afterwards is
left out of the copy, so that no former version is lost. The job is JSON on stdin.
"""

import datetime as dt
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing import order
from bucketvault.engine.listing.bucket import PATIENCE_S, Bucket, Lister, ListingError
from bucketvault.engine.listing.lists import REPLACED, is_among, write_names
from bucketvault.engine.listing.merge import Difference
from bucketvault.engine.listing.page import Entry, NoListingError
from bucketvault.engine.listing.plan import Plan
from bucketvault.vocabulary import Json


def main() -> int:
    """Write kept.txt and odd-kept.txt, empty where nothing could be seen; 1 unless all is kept."""
    job = json.load(sys.stdin)
    folder = Path(job["folder"])
    write_names((), folder, "kept")
    lister = Lister(Bucket(**job["bucket"]), patience_s=job.get("patience_s", PATIENCE_S))
    wanted = 0

    def replaced() -> Iterator[Difference]:
        nonlocal wanted
        for found in Plan(Path(job["plan"])).differences(*REPLACED):
            if is_among(found, job.get("only", "")):
                wanted += 1
                yield found

    try:
        there = order.sorted_on_disk(lister.entries(job["prefix"]), folder)
        kept = sum(write_names(_kept(replaced(), there), folder, "kept"))
    except (ListingError, NoListingError, OSError) as error:
        _tell("error", f"The kept versions could not be listed: {error}", job, lister.requests)
        return 1
    level = "info" if kept == wanted else "error"
    _tell(level, f"{kept:,} of {wanted:,} old versions are kept.", job, lister.requests)
    return int(kept < wanted)


def _kept(replaced: Iterable[Difference], there: Iterator[Entry]) -> Iterator[bytes]:
    """Yield each key whose kept version has the size that the copy had in the look."""
    kept = next(there, None)
    for found in replaced:
        while kept is not None and kept.key < found.key:
            kept = next(there, None)
        if kept is not None and found.copy is not None and kept[:2] == found.copy[:2]:
            yield found.key


def _tell(level: str, said: str, job: Json, lists: int) -> None:
    line = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "level": level,
        "msg": said,
        "source": "bucketvault",
        "bucketvault": "step",
        "step": "kept",
        "pass": job.get("pass", 0),
        "requests": Use(destination=EndUse(lists=lists)).to_json(),
    }
    sys.stdout.write(json.dumps({name: value for name, value in line.items() if value}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
