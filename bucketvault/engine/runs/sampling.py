"""Ask for the headers of a few objects that a run has copied: what the copy lost of them.

A listing has no headers, and rclone does not say which it read. To ask for each object at both ends
would double the requests of a run; a reading (`listing/reading.py`) sees those of all it reads.

Decisions: docs/decisions/counts.md.
"""

import contextlib
from itertools import islice

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.listing import headers
from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.merge import Stand, What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.requests import SAMPLED
from bucketvault.engine.runs.looking import Looker
from bucketvault.vocabulary import WarningCode

PATIENCE_S = 10.0
_COPIED = (What.NEW, What.LOST, What.CHANGED, What.ALTERED)
_GZIP = {"Accept-Encoding": "gzip"}  # as rclone asks


def lost_headers(looker: Looker) -> list[RunWarning]:
    """Return a warning where a few of the objects to copy have lost headers; counts its requests.

    Blocks for a few requests. Whatever does not answer is left out, and nothing is raised for it.
    """
    keys = _some(Plan(looker.plan_folder(0)))
    asked, names = 0, []
    with contextlib.ExitStack() as stack:
        askers = [
            stack.enter_context(Asker(end.bucket, patience_s=PATIENCE_S)) for end in looker.ends
        ]
        for key in keys:
            with contextlib.suppress(ListingError):
                source, copy = (
                    headers.stored(
                        asker.ask("HEAD", end.prefix.encode() + key, headers=_GZIP).headers
                    )
                    for asker, end in zip(askers, looker.ends, strict=True)
                )
                asked += 1
                if lost := headers.lost(source, copy):
                    names.append(f"{key.decode('utf-8', 'replace')} ({', '.join(lost)})")
        looker.count(Use(*(EndUse(reads=asker.requests) for asker in askers)))
    numbers = {"n": len(names), "asked": asked}
    return [RunWarning(WarningCode.HEADERS, numbers, tuple(names))] if names else []


def _some(plan: Plan) -> list[bytes]:
    """Return a few keys of what was to be copied, from all over it."""
    number = plan.totals().count(Stand.TO_DO, *_COPIED)
    step = max(1, number // SAMPLED)
    found = plan.differences(*_COPIED)
    return [each.key for each in islice(found, 0, step * SAMPLED, step)]
