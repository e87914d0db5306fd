"""Both ends against each other and the ledger: what differs, and what told so."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing.ledger import CANNOT, Record
from bucketvault.engine.listing.merge import Difference, Merge, Stand, What, Why
from bucketvault.engine.listing.page import Entry
from bucketvault.vocabulary import ComparisonMode

AND_TIME, SIZE, CHECKSUM = (
    ComparisonMode.CHECKSUM_AND_TIME,
    ComparisonMode.SIZE_ONLY,
    ComparisonMode.CHECKSUM,
)
THEN, NOW = "2026-11-22T03:41:00.000Z", "2026-11-23T03:41:00.000Z"
PARTS = "9bb58f26192e4ba00f01e2e7b136bbd8-2"


def md5(content: str) -> str:
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


def thing(content: str = "abc", *, etag: str = "", at: str = THEN) -> Entry:
    return Entry(b"k", len(content), etag or md5(content), at)


def known(source: Entry, copy: Entry) -> Record:
    return Record(b"k", source.size, source.etag, source.modified, copy.etag, copy.modified)


def told(
    source: Entry | None,
    copy: Entry | None,
    before: Record | None = None,
    mode: ComparisonMode = CHECKSUM,
    **more: bool,
) -> tuple[What, Why] | None:
    """Return kind and sign of one key's difference; None: it is there."""
    ends = [[end] if end is not None else [] for end in (source, copy)]
    (found,) = Merge(mode, **more).of(*ends, [before] if before else [])
    return (found.what, found.why) if isinstance(found, Difference) else None


def test_a_key_at_one_end_is_new_lost_or_gone() -> None:
    both = known(thing(), thing())

    assert told(thing(), None) == (What.NEW, Why.ABSENT)
    assert told(thing(), None, both) == (What.LOST, Why.ABSENT)
    assert told(None, thing()) == (What.GONE, Why.ABSENT)
    assert told(None, thing(), both) == (What.GONE, Why.ABSENT)


@pytest.mark.parametrize("mode", ComparisonMode)
def test_another_size_differs_in_every_mode(mode: ComparisonMode) -> None:
    assert told(thing("abcd"), thing(), mode=mode) == (What.CHANGED, Why.SIZE)
    assert told(thing(), thing(), mode=mode) is None


def test_a_change_that_keeps_the_size_is_seen_by_its_hash_but_not_by_size_alone() -> None:
    assert told(thing("abc"), thing("xyz")) == (What.CHANGED, Why.HASH)
    assert told(thing("abc"), thing("xyz"), mode=SIZE) is None


def test_objects_in_parts_are_held_against_the_ledger() -> None:
    before = known(thing(etag=PARTS), thing())
    other = PARTS.replace("-2", "-3")

    assert told(thing(etag=PARTS), thing()) is None
    assert told(thing(etag=PARTS), thing(), before) is None
    assert told(thing(etag=other), thing(), before) == (What.CHANGED, Why.ETAG)
    assert told(thing(etag=PARTS), thing("xyz"), before) == (What.ALTERED, Why.ETAG)


def test_an_object_in_parts_that_was_never_proven_and_is_newer_than_its_copy_differs() -> None:
    assert told(thing(etag=PARTS, at=NOW), thing()) == (What.CHANGED, Why.DATE)
    assert told(thing(etag=PARTS), thing(at=NOW)) is None
    assert told(thing(etag=PARTS, at=NOW), thing(), None, SIZE) is None
    assert told(thing(at=NOW), thing()) is None  # a hash says more


def test_hashes_of_an_encrypted_bucket_are_none() -> None:
    source, copy = thing(etag=md5("of the key")), thing()

    assert told(source, copy) == (What.CHANGED, Why.HASH)
    assert told(source, copy, hashes=False) is None
    assert told(source, copy, known(thing(), copy), hashes=False) == (What.CHANGED, Why.ETAG)


def test_hashes_that_are_equal_are_the_same_content_also_in_an_encrypted_bucket() -> None:
    """Some of its objects may be from before."""
    merge = Merge(CHECKSUM, hashes=False)

    list(merge.of([thing()], [thing()], []))

    assert (merge.totals.same_hash, merge.totals.same_size) == (1, 0)


@pytest.mark.parametrize(
    ("source", "copy", "longest", "why"),
    [
        (thing(), None, (3, 0), None),  # a new one is not kept
        (thing(), None, (2, 9), Why.TOO_LONG),
        (thing("new"), thing(), (9, 3), None),
        (thing("new"), thing(), (9, 2), Why.TOO_LONG_TO_KEEP),
        (None, thing(), (9, 2), Why.TOO_LONG_TO_REMOVE),
        (None, thing(), (2, 9), None),
        (thing(), thing(), (1, 1), None),  # it is there
    ],
)
def test_a_key_that_is_too_long_for_its_place_is_known_before_it_is_copied(
    source: Entry | None, copy: Entry | None, longest: tuple[int, int], why: Why | None
) -> None:
    ends = [[end._replace(key=b"key")] if end else [] for end in (source, copy)]
    merge = Merge(CHECKSUM, longest=longest)

    (found,) = merge.of(*ends, [])

    assert merge.totals.cannot == ({why: 1} if why else {})
    if isinstance(found, Difference):
        assert found.stand is (Stand.CANNOT if why else Stand.TO_DO)


@pytest.mark.parametrize("comes_otherwise", [True, False])
@pytest.mark.parametrize(
    ("copy", "why"),
    [(thing("unpacked"), Why.DELIVERED), (thing("spoiled"), Why.SIZE), (None, None)],
)
def test_what_came_unpacked_is_tried_again_once_anything_about_it_has_changed(
    copy: Entry | None, why: Why | None, comes_otherwise: bool
) -> None:
    stored, unpacked = thing(), thing("unpacked")
    before = known(stored, unpacked)._replace(mark=CANNOT)
    merge = Merge(CHECKSUM, otherwise=lambda theirs: comes_otherwise)

    (found,) = merge.of([stored], [copy] if copy else [], [before])

    assert isinstance(found, Difference)
    given_up = why is Why.DELIVERED and comes_otherwise
    assert found.stand is (Stand.CANNOT if given_up else Stand.TO_DO)


def test_a_copy_changed_behind_our_back_is_told_from_a_changed_source() -> None:
    before = known(thing(), thing())

    assert told(thing(), thing("xyz"), before) == (What.ALTERED, Why.HASH)
    assert told(thing(), thing("longer"), before, SIZE) == (What.ALTERED, Why.SIZE)
    assert told(thing("new"), thing(), before) == (What.CHANGED, Why.HASH)
    assert told(thing("new"), thing("xyz"), before) == (What.CHANGED, Why.HASH)


def test_a_newer_date_counts_in_the_mode_that_looks_at_dates() -> None:
    before = known(thing(), thing(at=NOW))

    assert told(thing(at=NOW), thing(at=NOW), before, AND_TIME) == (What.CHANGED, Why.DATE)
    assert told(thing(at=NOW), thing(at=NOW), before, CHECKSUM) is None
    assert told(thing(), thing(at=NOW), before, AND_TIME) is None
    assert told(thing(at=NOW), thing(), None, AND_TIME) == (What.CHANGED, Why.DATE)


def test_totals_count_what_is_there_and_by_what_it_was_told() -> None:
    source = [
        thing()._replace(key=key, etag=etag)
        for key, etag in ((b"a", md5("abc")), (b"b", PARTS), (b"c", md5("abc")))
    ]
    copy = [thing()._replace(key=key) for key in (b"a", b"b", b"d")]
    merge = Merge(CHECKSUM)

    list(merge.of(source, copy, []))

    totals = merge.totals
    assert (totals.source_objects, totals.source_bytes, totals.copy_objects) == (3, 9, 3)
    assert (totals.present, totals.same_hash, totals.same_size) == (2, 1, 1)
    assert totals.counts == {(Stand.TO_DO, What.NEW): 1, (Stand.TO_DO, What.GONE): 1}
    assert totals.count(Stand.TO_DO) == 2 and totals.count(Stand.TO_DO, What.NEW) == 1
    assert totals.bytes_to_copy == 3


def test_the_day_of_the_last_reading_stays_while_both_ends_stay_as_they_are() -> None:
    before = known(thing(), thing())._replace(read_on="2026-11-01")

    (kept,) = Merge(CHECKSUM).of([thing()], [thing()], [before])
    (written,) = Merge(CHECKSUM).of([thing(at=NOW)], [thing()], [before])

    assert isinstance(kept, Record) and kept.read_on == "2026-11-01"
    assert isinstance(written, Record) and written.read_on == ""


def test_what_the_ledger_knows_of_a_key_stays_until_the_key_is_right() -> None:
    before = known(thing(etag=PARTS), thing())
    changed = [thing(etag=PARTS.replace("-2", "-3"))]

    (difference,) = Merge(CHECKSUM).of(changed, [thing()], [before])
    (lost,) = Merge(CHECKSUM).of(changed, [], [before])
    (gone,) = Merge(CHECKSUM).of([], [thing()], [before])

    assert isinstance(difference, Difference) and difference.before == before
    assert isinstance(lost, Difference) and lost.before == before
    nothing = Record(b"k", 3, "", "", "", "")
    assert isinstance(gone, Difference) and gone.before == nothing
    (back,) = Merge(CHECKSUM).of([thing(etag=PARTS)], [thing()], [nothing])
    assert isinstance(back, Difference) and back.what is What.CHANGED
    (back,) = Merge(CHECKSUM).of([thing(etag=PARTS)], [], [nothing])
    assert isinstance(back, Difference) and back.what is What.NEW


Bucket = dict[bytes, str]
buckets = st.dictionaries(
    st.sampled_from([bytes([97 + n]) for n in range(9)]), st.sampled_from(["", "a", "b", "ab"])
)


@given(source=buckets, copy=buckets, before=buckets)
def test_the_merge_says_what_two_dictionaries_would(
    source: Bucket, copy: Bucket, before: Bucket
) -> None:
    def listed(bucket: Bucket) -> list[Entry]:
        return [thing(bucket[key])._replace(key=key) for key in sorted(bucket)]

    ledger = [known(entry, entry)._replace(key=entry.key) for entry in listed(before)]
    merge = Merge(CHECKSUM)

    found = list(merge.of(listed(source), listed(copy), ledger))

    assert [one.key for one in found] == sorted(source.keys() | copy.keys())
    there = {one.key for one in found if isinstance(one, Record)}
    assert there == {key for key in source if copy.get(key) == source[key]}
    assert merge.totals.present == len(there)
    for one in found:
        if isinstance(one, Difference):
            then, key = before.get(one.key), one.key
            expected = What.CHANGED
            if key not in source:
                expected = What.GONE
            elif key not in copy:
                expected = What.LOST if then is not None else What.NEW
            elif then == source[key]:
                expected = What.ALTERED
            assert one.what == expected
