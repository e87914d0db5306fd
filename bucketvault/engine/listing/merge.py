"""Hold both ends of a backup against each other and against the ledger, key by key, as they stream.

Pure, in constant memory: iterators in key order go in, what differs and what is right come out. A
second look also knows what its run has tried, and says how the run stands to each difference.

Decisions: docs/decisions/listing.md.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bucketvault.engine.listing.ledger import CANNOT, DAMAGED, Record
from bucketvault.engine.listing.order import paired
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.rclone.names import is_odd, never_fits
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
    # Of what nothing can copy or remove:
    TOO_LONG = "too_long"  # its key does not fit at the copy
    TOO_LONG_TO_KEEP = "too_long_to_keep"  # nor below the folder of kept versions: not replaced
    TOO_LONG_TO_REMOVE = "too_long_to_remove"  # the same, of one that the source has no more

    DELIVERED = "delivered"  # the source gives other bytes than it lists: decoded on the way

    @property
    def is_final(self) -> bool:
        """True if nothing can copy or remove such a key."""
        return self is Why.DELIVERED or self.value.startswith(Why.TOO_LONG)


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
    before: Record | None = None  # what the ledger is to say until the key is right
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
    cannot: Counter[Why] = field(default_factory=Counter)  # by the causes that are final

    def count(self, stand: Stand, *whats: What) -> int:
        """Return how many keys differ so, in the given ways or in any."""
        return sum(self.counts[stand, what] for what in whats or What)

    def add(self, found: Difference) -> None:
        """Count one difference."""
        self.counts[found.stand, found.what] += 1
        if found.why.is_final:
            self.cannot[found.why] += 1
        if found.stand is Stand.TO_DO and found.source is not None:
            self.bytes_to_copy += found.source.size

    @property
    def present(self) -> int:
        """How many objects of the source are at the copy."""
        return self.same_hash + self.same_size


# The ETag of an object that was uploaded whole and is not encrypted with a key of KMS. One in
# parts has a dash; one of SSE-KMS looks like an MD5 and is none: `hashes` says so of a bucket. Two
# that are equal are the same content even there: nothing but an MD5 is at two services.
MD5 = re.compile(r"[0-9a-f]{32}")


CAUSES = tuple(why for why in Why if why.is_final)
LONGEST_KEY = 1024  # bytes (docs.aws.amazon.com: "Naming Amazon S3 objects"; R2 and B2 the same)


@dataclass(frozen=True, slots=True)
class Tries:
    """Names that a run has tried before this look, by key."""

    plan: Iterable[Difference]  # what was to do at the first look, by key
    failed: AbstractSet[bytes] = frozenset()  # refused for good
    errored: AbstractSet[bytes] | None = frozenset()  # named in any error; None: all in the plan
    odd: bool = False  # names that a list cannot carry were tried, without an error
    again: bool = False  # this is after a second pass, or a third

    def erred(self, key: bytes, then: Difference | None) -> bool:
        """True if an error named this key, which was `then` to do."""
        named = then is not None if self.errored is None else key in self.errored
        return named or key in self.failed


# Reads both ends of a key: True if their bytes are the same, None if the source changed meanwhile.
Read = Callable[[Entry, Entry], bool | None]
# Reads an object of the source: True if it does not come in the length that is listed.
Otherwise = Callable[[Entry], bool]
# Asks for a key that the copy does not list: True if it has such an object all the same.
Answers = Callable[[Entry], bool]


class Merge:
    """Holds both ends against each other; `totals` counts along.

    `longest`: the bytes that a key may have at the copy, and to be kept. Without `hashes`, ETags
    of one end are no MD5 (SSE-KMS). `tries` makes it a second look, in which `read` is asked about
    keys that an error named and that are right by their size alone, `otherwise` about those that
    came out of a pass with other bytes, and `answers` about those that are missing although two
    passes copied them without an error.
    """

    def __init__(
        self,
        mode: ComparisonMode,
        *,
        hashes: bool = True,
        longest: tuple[int, int] = (LONGEST_KEY, LONGEST_KEY),
        below_path: bool = False,
        tries: Tries | None = None,
        read: Read = lambda theirs, ours: True,
        otherwise: Otherwise = lambda theirs: False,
        answers: Answers = lambda theirs: False,
        today: str = "",
    ) -> None:
        self.totals = Totals()
        self._mode = mode
        self._hashes = hashes
        self._longest_new, self._longest_kept = longest
        self._short = min(longest)  # no key of so many bytes is too long for anything
        self._below_path = below_path
        self._tries = tries
        self._read = read
        self._otherwise = otherwise
        self._answers = answers
        self._today = today
        self._decodes: bool | None = None  # None: not tried

    def of(
        self, source: Iterable[Entry], copy: Iterable[Entry], ledger: Iterable[Record]
    ) -> Iterator[Difference | Record]:
        """Yield, in key order, a Difference for what differs and a Record for what is there."""
        totals = self.totals
        known, tried = iter(ledger), iter(self._tries.plan if self._tries else ())
        record, attempt = next(known, None), next(tried, None)
        for key, theirs, ours in paired(iter(source), iter(copy)):
            while record is not None and record.key < key:
                record = next(known, None)
            while attempt is not None and attempt.key < key:
                attempt = next(tried, None)
            before = record if record is not None and record.key == key else None
            then = attempt if attempt is not None and attempt.key == key else None
            if theirs is not None:
                totals.source_objects += 1
                totals.source_bytes += theirs.size
            if ours is not None:
                totals.copy_objects += 1
                totals.copy_bytes += ours.size
            if theirs is not None and ours is not None:
                found = self._held_against(theirs, ours, before, then)
            else:
                found = self._alone(key, theirs, ours, before, then)
            if isinstance(found, Difference):
                totals.add(found)
            yield found

    def _alone(
        self,
        key: bytes,
        theirs: Entry | None,
        ours: Entry | None,
        before: Record | None,
        then: Difference | None,
    ) -> Difference:
        was_there = before is not None and before.mark != CANNOT and before.copy_modified
        what = What.GONE if theirs is None else What.LOST if was_there else What.NEW
        return self._judged(key, what, Why.ABSENT, theirs, ours, before, then)

    def _held_against(
        self, theirs: Entry, ours: Entry, before: Record | None, then: Difference | None
    ) -> Difference | Record:
        may_differ = self._hashes or theirs.etag == ours.etag
        both_md5 = may_differ and bool(MD5.fullmatch(theirs.etag) and MD5.fullmatch(ours.etag))
        known = _known(before)
        why = self._why(theirs, ours, known, then, both_md5)
        if why is Why.SIZE and self._comes_otherwise(theirs, ours, then):
            why = Why.DELIVERED
        if why is not None:
            what = _what(theirs, ours, known, then, why)
            return self._judged(theirs.key, what, why, theirs, ours, before, then)
        if both_md5 and theirs.etag == ours.etag:
            self.totals.same_hash += 1
        elif self._tries and self._tries.erred(theirs.key, then):
            return self._suspected(theirs, ours, known, then)
        else:
            self.totals.same_size += 1
        as_before = known is not None and _is_as(known, theirs, ours)
        return Record(
            theirs.key,
            theirs.size,
            theirs.etag,
            theirs.modified,
            ours.etag,
            ours.modified,
            known.read_on if known is not None and as_before else "",
            known.mark if known is not None and as_before else "",
        )

    def _comes_otherwise(self, theirs: Entry, ours: Entry, then: Difference | None) -> bool:
        """Return whether a pass copied what the source delivers, and that is not what it lists."""
        if then is None or not _is_same(then.source, theirs) or _is_same(then.copy, ours):
            return False
        return self._otherwise(theirs)

    def _still_come_otherwise(self, theirs: Entry) -> bool:
        """Return whether the first object that has come otherwise still does, for all of them."""
        if self._decodes is None:
            self._decodes = self._otherwise(theirs)
        return self._decodes

    def _suspected(
        self, theirs: Entry, ours: Entry, known: Record | None, then: Difference | None
    ) -> Difference | Record:
        """Believe no size where an error named the key: rclone takes the same size for right."""
        same = self._read(theirs, ours)
        record = Record(*theirs[:4], *ours[2:4], self._today)
        if same:
            self.totals.same_size += 1
            return record
        found = Difference(theirs.key, What.CHANGED, Why.BYTES, theirs, ours)
        if same is None:
            return found._replace(stand=Stand.SINCE, before=known or _unproven(ours))
        if self._comes_otherwise(theirs, ours, then):
            before = _marked(theirs.key, theirs, ours)
            return found._replace(why=Why.DELIVERED, stand=Stand.CANNOT, before=before)
        stand = Stand.FAILED if self._tries and theirs.key in self._tries.failed else Stand.TO_DO
        # the next run must not believe the size either
        return found._replace(stand=stand, before=record._replace(mark=DAMAGED))

    def _why(
        self,
        theirs: Entry,
        ours: Entry,
        before: Record | None,
        then: Difference | None,
        both_md5: bool,
    ) -> Why | None:
        """Return what tells, without reading, that the copy is not the source's object."""
        if before is not None and before.mark == DAMAGED and _is_copy(before, ours):
            return Why.BYTES
        if theirs.size != ours.size:
            return Why.SIZE
        if self._mode is ComparisonMode.SIZE_ONLY:
            return None
        if both_md5:
            if theirs.etag != ours.etag:
                return Why.HASH
            erred = then is not None and self._tries and self._tries.erred(theirs.key, then)
            if erred and then is not None and _is_same(then.copy, ours):
                return then.why
        elif then is not None:
            if not _is_same(then.source, theirs):
                return Why.ETAG
            if _is_same(then.copy, ours):  # nobody has written it since
                return then.why
        elif before is not None and before[2:5:2] != (theirs.etag, ours.etag):
            return Why.ETAG
        # Without a hash and never proven: what is newer at the source is not what was copied once.
        unknown = before is None and then is None and not both_md5
        if self._mode is ComparisonMode.CHECKSUM_AND_TIME or unknown:
            if then is not None and then.source is not None:
                known = then.source.modified
            else:
                known = (before and before.source_modified) or ours.modified
            if theirs.modified[:19] > known[:19]:  # whole seconds, as every service has them
                return Why.DATE
        return None

    def _judged(
        self,
        key: bytes,
        what: What,
        why: Why,
        source: Entry | None,
        copy: Entry | None,
        before: Record | None,
        then: Difference | None,
    ) -> Difference:
        """Return a difference with its stand, and with what the ledger is to say of it."""
        marked = before is not None and before.mark == CANNOT
        if len(key) > self._short:
            why = self._too_long(key, what) or why
        never = self._never_fits(key, source, copy)
        # a name that anything can carry is tried once more when somebody has changed the copy
        marks = 4 if never or is_odd(key) else 6
        if marked and before is not None and before[:marks] == _marked(key, source, copy)[:marks]:
            # of names that anything can carry, only such objects have a mark and are at both ends
            if why.is_final or marks == 4 or source is None or copy is None:
                never = True
            elif self._still_come_otherwise(source):
                why = Why.DELIVERED
        if why.is_final or never:
            stand = Stand.CANNOT
        elif self._tries is None:
            stand = Stand.TO_DO
        else:
            stand = self._stand(key, what, source, before, then, self._tries)
        if stand is Stand.CANNOT:
            before = _marked(key, source, copy)
        elif source is None:
            before = None  # what it was is over
        else:
            before = _known(before)
        if before is None and copy is not None:
            before = _unproven(copy)
        return Difference(key, what, why, source, copy, before, stand)

    def _too_long(self, key: bytes, what: What) -> Why | None:
        """Return why a long key cannot be copied, replaced or removed; None: it can."""
        if what in (What.NEW, What.LOST):
            return Why.TOO_LONG if len(key) > self._longest_new else None
        if len(key) <= self._longest_kept:
            return None
        return Why.TOO_LONG_TO_REMOVE if what is What.GONE else Why.TOO_LONG_TO_KEEP

    def _never_fits(self, key: bytes, source: Entry | None, copy: Entry | None) -> bool:
        if key and not key.endswith(b"/") and not (self._below_path and b"//" in key):
            return False
        return any(
            end is not None and never_fits(key, end.size, below_path=self._below_path)
            for end in (source, copy)
        )

    def _stand(
        self,
        key: bytes,
        what: What,
        source: Entry | None,
        before: Record | None,
        then: Difference | None,
        tries: Tries,
    ) -> Stand:
        if then is None:
            as_it_was = before is not None and source is not None and before[:4] == source[:4]
            return Stand.STRAY if as_it_was else Stand.SINCE
        if key in tries.failed and then.source is not None and source is not None:
            return Stand.FAILED  # also where it changed since: one that always does must be named
        if not _is_same(then.source, source):
            return Stand.SINCE
        if key in tries.failed:
            return Stand.FAILED
        if tries.odd and is_odd(key):
            return Stand.CANNOT
        # never proven to be there, tried twice without an error, and stored under another name
        if what is What.NEW and source is not None and tries.again and not tries.erred(key, then):
            return Stand.CANNOT if self._answers(source) else Stand.TO_DO
        return Stand.TO_DO


def _what(
    theirs: Entry, ours: Entry, before: Record | None, then: Difference | None, why: Why
) -> What:
    """Tell a copy that somebody else changed from a changed source, and from what this run did."""
    if why is Why.BYTES:
        return What.ALTERED
    if before is None or (then is not None and then.what is not What.ALTERED):
        return What.CHANGED
    was = (before.size, before.source_etag), (before.size, before.copy_etag)
    now = (theirs.size, theirs.etag), (ours.size, ours.etag)
    return What.ALTERED if was[0] == now[0] and was[1] != now[1] else What.CHANGED


def _is_same(then: Entry | None, now: Entry | None) -> bool:
    """True if nobody has written this end since: not even the same again."""
    return then == now or (then is not None and now is not None and then[:4] == now[:4])


def _is_as(before: Record, theirs: Entry, ours: Entry) -> bool:
    """True if neither end was written since: its bytes need not be read again for that."""
    return before[1:6] == (theirs.size, theirs.etag, theirs.modified, ours.etag, ours.modified)


def _is_copy(before: Record, ours: Entry) -> bool:
    return (before.size, before.copy_etag, before.copy_modified) == ours[1:4]


def _unproven(copy: Entry | Record) -> Record:
    """Return the record of a copy that differed, of which no source is like.

    Once the source has an object of the same size and nothing to compare, that one is copied.
    """
    return Record(copy.key, copy.size, "", "", "", "")


def _known(before: Record | None) -> Record | None:
    """Return what is known of both ends: of what cannot be copied, that the copy was no such."""
    if before is None or before.mark != CANNOT:
        return before
    return _unproven(before) if before.copy_modified else None


def _marked(key: bytes, source: Entry | None, copy: Entry | None) -> Record:
    """Return the record of what nothing can copy or remove; what is not there is empty."""
    size = source.size if source else copy.size if copy else 0
    at_source = source[2:4] if source else ("", "")
    at_copy = copy[2:4] if copy else ("", "")
    return Record(key, size, *at_source, *at_copy, mark=CANNOT)
