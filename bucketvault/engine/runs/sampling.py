"""Ask for the headers of a few objects that a run has copied: what the copy lost of them.

A listing has no headers, and rclone does not say which it read. To ask for each object at both ends
would double the requests of a run; a reading (`listing/reading.py`) sees those of all it reads.

Decisions: docs/decisions/counts.md.
"""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.listing import headers
from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.look import End
from bucketvault.engine.listing.merge import Stand, What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.requests import SAMPLED
from bucketvault.engine.runs.looking import Looker
from bucketvault.vocabulary import WarningCode

PATIENCE_S = 10.0
_COPIED = (What.NEW, What.LOST, What.CHANGED, What.ALTERED)
_GZIP = {"Accept-Encoding": "gzip"}  # as rclone asks


def lost_headers(looker: Looker, stopped: threading.Event) -> list[RunWarning]:
    """Return a warning where a few of the objects to copy have lost headers; counts its requests.

    Blocks for a few requests, or until `stopped` is set. What does not answer is left out, and what
    was replaced at the source since; nothing is raised for it.
    """
    planned = _some(Plan(looker.plan_folder(0)))
    if not planned:
        return []
    with ThreadPoolExecutor(len(looker.ends)) as pool:
        source, copy = pool.map(partial(_stored, list(planned), stopped), looker.ends)
    looker.count(Use(source.use, copy.use))
    compared = [
        key
        for key, etag in planned.items()
        if key in source.found and key in copy.found
        if not etag or source.found[key].etag in ("", etag)
    ]
    names = [
        f"{key.decode('utf-8', 'replace')} ({', '.join(lost)})"
        for key in compared
        if (lost := headers.lost(source.found[key].stored, copy.found[key].stored))
    ]
    numbers = {"n": len(names), "asked": len(compared)}
    return [RunWarning(WarningCode.HEADERS, numbers, tuple(names))] if names else []


class _Found(NamedTuple):
    """One object: its ETag, empty where that was not told, and what is stored with it."""

    etag: str
    stored: dict[str, str]


class _End(NamedTuple):
    """Answers of one end, by key, and the requests that they took."""

    found: dict[bytes, _Found]
    use: EndUse


def _stored(keys: list[bytes], stopped: threading.Event, end: End) -> _End:
    def halt() -> None:
        if stopped.is_set():
            raise CancelledError("Stopped while headers were compared.")

    found = {}
    stopping = contextlib.suppress(CancelledError)
    with Asker(end.bucket, halt, patience_s=PATIENCE_S) as asker, stopping:
        for key in keys:
            with contextlib.suppress(ListingError):
                answer = asker.ask("HEAD", end.prefix.encode() + key, headers=_GZIP)
                etag = answer.headers.get("ETag", "").removeprefix("W/").strip('"')
                found[key] = _Found(etag, headers.stored(answer.headers))
    return _End(found, EndUse(reads=asker.requests))


def _some(plan: Plan) -> dict[bytes, str]:
    """Return a few keys of what was to be copied, from all over it, with the source's ETags."""
    number = plan.totals().count(Stand.TO_DO, *_COPIED)
    wanted = {each * number // SAMPLED for each in range(SAMPLED)}
    return {
        each.key: each.source.etag if each.source else ""
        for n, each in enumerate(plan.differences(*_COPIED))
        if n in wanted
    }
