"""Lines of a run's log that name what a plan would do, and what a last look found not right.

They stream: a plan may name a million objects.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Event

from bucketvault.engine.listing.merge import CAUSES, Difference, Stand, What, Why
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.names import is_odd
from bucketvault.store.models import utcnow

CHUNK_BYTES = 256 * 1024
Append = Callable[[bytes], None]

_REPLACED = (What.CHANGED, What.ALTERED)
_NEW = (What.NEW, What.LOST)
_WHY = {
    Why.SIZE: "different size",
    Why.HASH: "different content",
    Why.ETAG: "different content",
    Why.DATE: "newer at the source",
    Why.BYTES: "different bytes",
    **dict.fromkeys(CAUSES, "nothing can copy or remove it"),
}
_WOULD = {
    What.GONE: "Would be removed",
    What.NEW: "Would be copied",
    What.LOST: "Would be copied again: missing from the copy",
}
_WOULD_REPLACE = {why: f"Would be replaced: {words}" for why, words in _WHY.items()}
_ALTERED = "Would be replaced: changed in the copy, not by bucketvault"
_DAMAGED = "Would be replaced: damaged in the copy"
_PROOF_WHAT = {
    What.NEW: "missing",
    What.LOST: "missing",
    What.CHANGED: "different",
    What.ALTERED: "different",
    What.GONE: "left",
}
_NOT_RIGHT = {
    What.NEW: "Not at the destination",
    What.LOST: "Not at the destination",
    What.GONE: "Still at the destination, though gone at the source",
}
_DIFFERS = {why: f"Differs at the destination: {words}" for why, words in _WHY.items()}
_SINCE = {
    what: f"{verb} at the source since the run began: left to the next run"
    for what, verb in zip(What, ("New", "New", "Changed", "Changed", "Removed"), strict=True)
}
_NO_MARKER = "Cannot be {}: the marker of an empty folder"
_NO_NAME = "Cannot be {}: its name"
_CAUSES = {
    Why.DELIVERED: "Not copied as stored: the source delivers a different size than it lists",
    Why.TOO_LONG: "Cannot be copied: its name is too long for the destination",
    Why.TOO_LONG_TO_KEEP: "Cannot be replaced: its name is too long to keep the old version",
    Why.TOO_LONG_TO_REMOVE: "Cannot be removed: its name is too long to keep the old version",
}
_FOLDED = "Cannot be copied: the service stores it under another name"
# All that these lines say of an object, but for rclone's words.
SENTENCES = frozenset(
    (
        *(*_WOULD.values(), *_WOULD_REPLACE.values(), _ALTERED, _DAMAGED),
        *(*_NOT_RIGHT.values(), *_DIFFERS.values(), *_SINCE.values()),
        *_CAUSES.values(),
        *(each.format(verb) for each in (_NO_MARKER, _NO_NAME) for verb in ("copied", "removed")),
        _FOLDED,
    )
)


def plan_lines(plan: Plan) -> Iterator[bytes]:
    """Yield a line for each object of a plan: what would go first, what cannot be copied last."""
    time = _now()
    for whats in ((What.GONE,), _REPLACED, _NEW):
        for found in plan.differences(*whats):
            yield _line(time, "notice", "plan", found.what, _would(found), found)
    for found in plan.differences(stand=Stand.CANNOT):
        yield _line(time, "notice", "plan", "cannot", _cannot(found), found)


def proof_lines(plan: Plan, causes: Mapping[str, str]) -> Iterator[bytes]:
    """Yield a line for each object that a last look found not right: what is missing first.

    `causes`: why rclone could not copy some names, in its words.
    """
    time = _now()
    for whats in (_NEW, _REPLACED, (What.GONE,)):
        for stand in (Stand.TO_DO, Stand.STRAY, Stand.FAILED):
            for found in plan.differences(*whats, stand=stand):
                what = "failed" if stand is Stand.FAILED else _PROOF_WHAT[found.what]
                cause = causes.get(_name(found))
                told = _not_right(found) + (f": {cause}" if cause else "")
                yield _line(time, "error", "proof", what, told, found)
    for found in plan.differences(stand=Stand.CANNOT):
        yield _line(time, "notice", "proof", "cannot", _cannot(found), found)
    for found in plan.differences(stand=Stand.SINCE):
        yield _line(time, "info", "proof", "since", _SINCE[found.what], found)


def write_plan(plan: Plan, append: Append, stopped: Event) -> None:
    """Append the lines of a plan to a log. Raises CancelledError soon after `stopped` is set."""
    _write(plan_lines(plan), append, stopped)
    if stopped.is_set():
        raise CancelledError("Stopped before anything was copied.")


def write_proof(plan: Plan, append: Append, causes: Mapping[str, str], stopped: Event) -> None:
    """Append the lines of a last look to a log; ends early once `stopped` is set.

    See `proof_lines`.
    """
    _write(proof_lines(plan, causes), append, stopped)


def _write(lines: Iterable[bytes], append: Append, stopped: Event) -> None:
    part = bytearray()
    for line in lines:
        part += line
        if len(part) >= CHUNK_BYTES:
            append(bytes(part))
            part.clear()
            if stopped.is_set():
                return
    if part:
        append(bytes(part))


def _would(found: Difference) -> str:
    if found.what is What.CHANGED:
        return _WOULD_REPLACE[found.why]
    if found.what is What.ALTERED:
        return _DAMAGED if found.why is Why.BYTES else _ALTERED
    return _WOULD[found.what]


def _not_right(found: Difference) -> str:
    return _NOT_RIGHT.get(found.what) or _DIFFERS[found.why]


def _cannot(found: Difference) -> str:
    if found.why.is_final:
        return _CAUSES[found.why]
    end = found.source or found.copy
    is_marker = found.key.endswith(b"/") and end is not None and not end.size
    verb = "removed" if found.what is What.GONE else "copied"
    if not is_odd(found.key) and verb == "copied":
        return _FOLDED  # it was copied, twice: see `merge.Answers`
    return (_NO_MARKER if is_marker else _NO_NAME).format(verb)


def _line(time: str, level: str, about: str, what: str, told: str, found: Difference) -> bytes:
    entry: dict[str, object] = {
        "time": time,
        "level": level,
        "msg": told,
        "object": _name(found),
        "source": "bucketvault",
        "bucketvault": about,
        "what": what,
        "why": found.why,
    }
    end = found.source or found.copy
    if end is not None:
        entry["size"] = end.size
    if found.source is not None and found.copy is not None:
        entry["copy_size"] = found.copy.size
    return (
        json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        + b"\n"
    )


def _name(found: Difference) -> str:
    return found.key.decode("utf-8", "replace")


def _now() -> str:
    return utcnow().isoformat(timespec="seconds")
