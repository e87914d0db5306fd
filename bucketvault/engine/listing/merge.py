"""Hold both ends of a backup against each other and against the ledger, key by key, as they stream.

Pure, in constant memory: three iterators in key order go in, what is to be done comes out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bucketvault.engine.listing.ledger import Record
from bucketvault.engine.listing.page import Entry
from bucketvault.vocabulary import ComparisonMode


class What(StrEnum):
    """A kind of difference between the two ends, of one key."""

    NEW = "new"  # at the source alone, and never proven to be at the copy
    LOST = "lost"  # at the source alone, though the ledger has it: the copy lost it
    CHANGED = "changed"  # at both, and the source is another one than was copied
    ALTERED = "altered"  # at both, and the copy was changed by somebody else
    GONE = "gone"  # at the copy alone


class Why(StrEnum):
    """The sign by which two objects were found to differ."""

    ABSENT = "absent"
    SIZE = "size"
    HASH = "hash"  # both have an MD5
    ETAG = "etag"  # another than the ledger has, of an object that has no MD5 at one end
    DATE = "date"
    BYTES = "bytes"  # both were read


class Stand(StrEnum):
    """How a run stands to a difference."""

    TO_DO = "to_do"
    FAILED = "failed"  # refused for good: another try does not mend it
    CANNOT = "cannot"  # a name that rclone or the service cannot carry
    SINCE = "since"  # the source changed after the first look: comes with the next run
    STRAY = "stray"  # the copy changed meanwhile, of a key that was right at the first look


class Difference(NamedTuple):
    """One key that differs, and both ends as they were listed; None: it is not at that end."""

    key: bytes
    what: What
    why: Why
    source: Entry | None
    copy: Entry | None
    before: Record | None = None  # what the ledger has: to be kept until the key is right again
    stand: Stand = Stand.TO_DO


@dataclass(slots=True)
class Totals:
    """Counts of a whole look; complete once the merge is exhausted."""

    source_objects: int = 0
    source_bytes: int = 0
    copy_objects: int = 0
    copy_bytes: int = 0
    same_hash: int = 0  # the same content, as far as an MD5 tells
    same_size: int = 0  # the same size, and nothing says that they differ: no hash to compare
    bytes_to_copy: int = 0  # of what is to do
    counts: Counter[tuple[Stand, What]] = field(default_factory=Counter)

    def count(self, stand: Stand, *whats: What) -> int:
        """Return how many keys differ so, in the given ways or in any."""
        return sum(self.counts[stand, what] for what in whats or What)

    def add(self, found: Difference) -> None:
        """Count one difference."""
        self.counts[found.stand, found.what] += 1
        if found.stand is Stand.TO_DO and found.source is not None:
            self.bytes_to_copy += found.source.size

    @property
    def present(self) -> int:
        """How many objects of the source are at the copy."""
        return self.same_hash + self.same_size


# The ETag of an object that was uploaded whole and is not encrypted with a key of KMS. One in
# parts has a dash; one of SSE-KMS looks like an MD5 and is none: `hashes` says so of a bucket.
_MD5 = re.compile(r"[0-9a-f]{32}")


def merge(
    source: Iterable[Entry],
    copy: Iterable[Entry],
    ledger: Iterable[Record],
    mode: ComparisonMode,
    totals: Totals,
    *,
    hashes: bool = True,
) -> Iterator[Difference | Record]:
    """Yield, in key order, a Difference for what is to be done and a Record for what is there.

    `totals` counts along. Without `hashes`, ETags of one end are no MD5 (SSE-KMS).
    """
    known = iter(ledger)
    record = next(known, None)
    for key, theirs, ours in _paired(iter(source), iter(copy)):
        while record is not None and record.key < key:
            record = next(known, None)
        before = record if record is not None and record.key == key else None
        if theirs is not None:
            totals.source_objects += 1
            totals.source_bytes += theirs.size
        if ours is not None:
            totals.copy_objects += 1
            totals.copy_bytes += ours.size
        if theirs is None or ours is None:
            what = What.GONE if theirs is None else What.LOST if before else What.NEW
            kept = before if theirs is not None else None
            found: Difference | Record = Difference(key, what, Why.ABSENT, theirs, ours, kept)
        else:
            found = _held_against(theirs, ours, before, mode, totals, hashes)
        if isinstance(found, Difference):
            totals.add(found)
        yield found


def _paired(
    source: Iterator[Entry], copy: Iterator[Entry]
) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    theirs, ours = next(source, None), next(copy, None)
    while theirs is not None or ours is not None:
        if ours is None or (theirs is not None and theirs.key < ours.key):
            assert theirs is not None  # noqa: S101  the loop's condition
            yield theirs.key, theirs, None
            theirs = next(source, None)
        elif theirs is None or ours.key < theirs.key:
            yield ours.key, None, ours
            ours = next(copy, None)
        else:
            yield theirs.key, theirs, ours
            theirs, ours = next(source, None), next(copy, None)


def _held_against(
    theirs: Entry,
    ours: Entry,
    before: Record | None,
    mode: ComparisonMode,
    totals: Totals,
    hashes: bool,
) -> Difference | Record:
    both_md5 = hashes and bool(_MD5.fullmatch(theirs.etag) and _MD5.fullmatch(ours.etag))
    same_hash = both_md5 and theirs.etag == ours.etag
    why = _why(theirs, ours, before, mode, both_md5)
    if why is None:
        if same_hash:
            totals.same_hash += 1
        else:
            totals.same_size += 1
        return Record(
            theirs.key,
            theirs.size,
            theirs.etag,
            theirs.modified,
            ours.etag,
            ours.modified,
            before.read_on if before is not None and _is_as(before, theirs, ours) else "",
        )
    altered = (
        before is not None
        and (before.size, before.source_etag) == (theirs.size, theirs.etag)
        and (ours.size, ours.etag) != (before.size, before.copy_etag)
    )
    what = What.ALTERED if altered else What.CHANGED
    return Difference(theirs.key, what, why, theirs, ours, before)


def _is_as(before: Record, theirs: Entry, ours: Entry) -> bool:
    """True if neither end was written since: its bytes need not be read again for that."""
    return before[1:6] == (theirs.size, theirs.etag, theirs.modified, ours.etag, ours.modified)


def _why(
    theirs: Entry, ours: Entry, before: Record | None, mode: ComparisonMode, both_md5: bool
) -> Why | None:
    """Return what tells, by listings alone, that the copy is not the source's object; else None."""
    if theirs.size != ours.size:
        return Why.SIZE
    if mode is ComparisonMode.SIZE_ONLY:
        return None
    if both_md5:
        if theirs.etag != ours.etag:
            return Why.HASH
    elif before is not None and (before.source_etag, before.copy_etag) != (theirs.etag, ours.etag):
        return Why.ETAG
    if mode is ComparisonMode.DEFAULT:
        known = before.source_modified if before is not None else ours.modified
        if theirs.modified[:19] > known[:19]:  # whole seconds, as every service has them
            return Why.DATE
    return None
