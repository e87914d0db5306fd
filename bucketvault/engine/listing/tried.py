"""Check again at the few keys that a pass has tried, and believe the first look about all others.

What changed there meanwhile is missed, as a change right after a whole look is. So this is for a
pass that went well, and tells only that all is right: whatever it cannot say for certain is said by
a whole look.

Decisions: docs/decisions/listing.md.
"""

import heapq
import operator
import threading
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from bucketvault.engine.listing.bucket import Lister
from bucketvault.engine.listing.ledger import Record
from bucketvault.engine.listing.merge import Difference, Stand, Totals
from bucketvault.engine.listing.page import Entry
from bucketvault.errors import BucketvaultError

AT_A_TIME = 4  # questions at one end

_by_key = operator.itemgetter(0)


class UnclearError(BucketvaultError):
    """Only a whole look tells."""


def asked(lister: Lister, prefix: str, keys: Sequence[bytes]) -> list[Entry]:
    """Return the objects of these keys below `prefix` that are there, in key order.

    Raises ListingError, and UnclearError where one listing does not tell.
    """
    found: list[Entry] = []
    errors: list[Exception] = []

    def ask(mine: Lister, share: Sequence[bytes]) -> None:
        try:
            with mine:
                there = (_asked(mine, prefix, key) for key in share if not errors)
                found.extend(entry for entry in there if entry is not None)
        except Exception as error:  # raised in the thread that waits
            errors.append(error)

    threads = [
        threading.Thread(target=ask, args=(lister.another(), keys[n::AT_A_TIME]), daemon=True)
        for n in range(min(AT_A_TIME, len(keys)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sorted(found, key=_by_key)


def _asked(lister: Lister, prefix: str, key: bytes) -> Entry | None:
    """Return one object; the first of all that begin with its name, where the order is S3's."""
    try:
        page = lister.first_page(prefix + key.decode())
    except UnicodeDecodeError as error:
        raise UnclearError("A name is not valid text.") from error
    for entry in page.entries:
        if not entry.key:
            return entry._replace(key=key)
    if page.token is not None:
        raise UnclearError("Too many names begin with this one.")
    return None


def totals(first: Totals, tried: Iterable[Difference], now: Totals) -> Totals:
    """Return the counts of the first look with the tried keys as they are `now`."""
    at_source, at_copy = (
        [end for one in tried if (end := getattr(one, name)) is not None]
        for name in ("source", "copy")
    )
    return replace(
        first,
        source_objects=first.source_objects - len(at_source) + now.source_objects,
        source_bytes=first.source_bytes - sum(end.size for end in at_source) + now.source_bytes,
        copy_objects=first.copy_objects - len(at_copy) + now.copy_objects,
        copy_bytes=first.copy_bytes - sum(end.size for end in at_copy) + now.copy_bytes,
        same_hash=first.same_hash + now.same_hash,
        same_size=first.same_size + now.same_size,
        bytes_to_copy=0,
        counts=Counter({kind: n for kind, n in first.counts.items() if kind[0] != Stand.TO_DO}),
    )


def records(
    known: Iterable[Record], tried: Collection[Difference], now: Iterable[Record]
) -> Iterator[Record]:
    """Yield the ledger of the first look with the tried keys as they are `now`, in key order.

    Raises UnclearError where a new name looks like one that was there: some services take both for
    one, and then the other object is lost.
    """
    keys = {one.key for one in tried}
    new = {_folded(one.key) for one in tried if one.copy is None}
    before = (one for one in known if one.key not in keys)
    for record in heapq.merge(before, now, key=_by_key):
        if new and record.key not in keys and _folded(record.key) in new:
            raise UnclearError("A new name looks like one that was there.")
        yield record


def _folded(key: bytes) -> bytes:
    """Return what is left of a key without all that a service may fold."""
    if not key.isascii():
        text = key.decode("utf-8", "surrogateescape")
        key = unicodedata.normalize("NFKD", text).casefold().encode("utf-8", "surrogateescape")
    return key.lower().translate(None, b"/\\. ")
