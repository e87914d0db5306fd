"""Count what a run has done by its looks alone: its plan, held against what it found in the end.

For a run whose log lacks lines, as on a full disk. Streams, in constant memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Generic, TypeVar

from bucketvault.engine.listing.ledger import CANNOT, Ledger, Record
from bucketvault.engine.listing.merge import Difference, Stand, What
from bucketvault.engine.listing.plan import Plan

T = TypeVar("T", Difference, Record)  # both begin with their key


@dataclass(frozen=True, slots=True)
class Done:
    """Objects that were to do at the first look, and are done at the last."""

    copied: int = 0
    replaced: int = 0
    removed: int = 0
    bytes: int = 0  # of what was copied and replaced
    unclear: int = 0  # changed at the source since: nobody knows what arrived of them before

    @property
    def changes(self) -> int:
        """All that is known to be done."""
        return self.copied + self.replaced + self.removed


def done_between(first: Plan, last: Plan, proven: Ledger) -> Done:
    """Count what `first` wanted and `last` does not miss; `proven`: what that look found right.

    An object that the source has no more, and the copy never had, is not among them.
    """
    wrong = _Seek(merge(*(last.differences(stand=stand) for stand in Stand), key=_key))
    right = _Seek(iter(proven))
    copied = replaced = removed = size = unclear = 0
    for wanted in first.differences():
        still, record = wrong.at(wanted.key), right.at(wanted.key)
        is_there = record is not None and record.mark != CANNOT
        if still is None and is_there and wanted.source is not None:
            size += wanted.source.size
        if still is not None:
            unclear += still.stand is Stand.SINCE
        elif wanted.what is What.GONE:
            removed += not is_there
        elif wanted.what in (What.NEW, What.LOST):
            copied += is_there
        else:
            replaced += is_there
    return Done(copied, replaced, removed, size, unclear)


def _key(found: Difference) -> bytes:
    return found.key


class _Seek(Generic[T]):
    """Finds keys in a stream in key order; they are asked for in that order."""

    def __init__(self, stream: Iterator[T]) -> None:
        self._stream: Iterator[T] = stream
        self._next: T | None = next(stream, None)

    def at(self, key: bytes) -> T | None:
        """Return what the stream has of this key."""
        while self._next is not None and self._next[0] < key:
            self._next = next(self._stream, None)
        return self._next if self._next is not None and self._next[0] == key else None
