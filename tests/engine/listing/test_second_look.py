"""A second look: how a run stands to what differs after it tried, key by key."""

from collections.abc import Iterable

import pytest

from bucketvault.engine.listing.ledger import CANNOT, DAMAGED, Record
from bucketvault.engine.listing.merge import (
    Answers,
    Difference,
    Merge,
    Read,
    Stand,
    Tries,
    What,
    Why,
)
from bucketvault.engine.listing.page import Entry
from bucketvault.vocabulary import ComparisonMode
from tests.engine.listing.test_merge import AND_TIME, CHECKSUM, NOW, PARTS, SIZE, THEN, known, md5

LATER = "2026-11-24T03:41:00.000Z"
OTHER = PARTS.replace("-2", "-3")
KEY = b"k"


def thing(content: str = "abc", *, etag: str = "", at: str = THEN, key: bytes = KEY) -> Entry:
    return Entry(key, len(content), etag or md5(content), at)


def judged(
    source: Entry | None,
    copy: Entry | None,
    *,
    tried: Difference | None = None,
    before: Record | None = None,
    mode: ComparisonMode = CHECKSUM,
    failed: bool = False,
    errored: bool = False,
    odd: bool = False,
    first: bool = False,
    below_path: bool = False,
    read: Read = lambda source, copy: True,
    answers: Answers | None = None,
) -> Difference | Record:
    """Return what a look after a pass says of one key."""
    ends = [[end] if end is not None else [] for end in (source, copy)]
    key = (source or copy or thing()).key
    names = [frozenset([key]) if named else frozenset[bytes]() for named in (failed, errored)]
    tries = None if first else Tries([tried] if tried else [], *names, odd, answers is not None)
    more = {"answers": answers} if answers else {}
    merge = Merge(mode, below_path=below_path, tries=tries, read=read, **more, today="2026-11-30")
    (found,) = merge.of(*ends, [before] if before else [])
    return found


def stand(found: Difference | Record) -> tuple[What, Stand] | None:
    """Return how it differs and how the run stands to it; None: it is right."""
    return (found.what, found.stand) if isinstance(found, Difference) else None


def planned(source: Entry | None, copy: Entry | None, before: Record | None = None) -> Difference:
    """Return what a first look said of one key that differed."""
    found = judged(source, copy, before=before, first=True)
    assert isinstance(found, Difference)
    return found._replace(before=None)


def test_what_was_copied_is_right_by_its_hash_or_because_it_was_written_since() -> None:
    assert stand(judged(thing(), thing(), tried=planned(thing(), None))) is None
    parts = thing(etag=PARTS)
    assert stand(judged(parts, thing(etag=OTHER), tried=planned(parts, None))) is None
    before = known(thing(etag=OTHER), thing(etag="0" * 32))
    replaced = planned(parts, thing(etag="0" * 32), before)
    assert replaced.why is Why.ETAG
    written = thing(etag=OTHER, at=NOW)
    assert stand(judged(parts, written, tried=replaced, before=before)) is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, Stand.TO_DO),
        ({"failed": True}, Stand.FAILED),
        ({"odd": True}, Stand.TO_DO),
    ],
)
def test_what_was_not_done_is_to_do_again_or_failed(more: dict[str, bool], expected: Stand) -> None:
    source, copy = thing(), thing("xyz")
    missing, different, left = planned(source, None), planned(source, copy), planned(None, copy)

    assert stand(judged(source, None, tried=missing, **more)) == (What.NEW, expected)
    assert stand(judged(source, copy, tried=different, **more)) == (What.CHANGED, expected)
    assert stand(judged(None, copy, tried=left, **more)) == (What.GONE, expected)


def test_a_copy_without_a_hash_that_nobody_wrote_since_is_not_done() -> None:
    source, copy = thing(etag=PARTS), thing()
    before = known(thing(etag=OTHER), copy)

    found = judged(source, copy, tried=planned(source, copy, before), before=before)

    assert stand(found) == (What.CHANGED, Stand.TO_DO)
    assert isinstance(found, Difference) and found.why is Why.ETAG and found.before == before


def test_what_two_passes_copied_and_no_listing_has_is_stored_under_another_name() -> None:
    missing = planned(thing(), None)

    def again(answered: bool, **more: bool) -> Difference:
        found = judged(thing(), None, tried=missing, answers=lambda _: answered, **more)
        assert isinstance(found, Difference)
        return found

    folded = again(True)
    assert folded.stand is Stand.CANNOT and folded.before is not None
    assert folded.before.mark == CANNOT
    assert again(False).stand is Stand.TO_DO  # removed by somebody, or never stored: it is lost
    assert again(True, errored=True).stand is Stand.TO_DO
    assert again(True, failed=True).stand is Stand.FAILED
    # so it stays, until the source has another object of that name
    assert stand(judged(thing(), None, before=folded.before, first=True)) == (
        What.NEW,
        Stand.CANNOT,
    )
    changed = judged(thing("new"), None, before=folded.before, first=True)
    assert stand(changed) == (What.NEW, Stand.TO_DO)
    assert stand(judged(thing(), thing(), before=folded.before, first=True)) is None


def test_what_the_copy_had_once_is_lost_whatever_the_service_answers() -> None:
    before = known(thing(), thing())
    lost = planned(thing(), None, before)

    found = judged(thing(), None, tried=lost, before=before, answers=lambda _: True)

    assert stand(found) == (What.LOST, Stand.TO_DO)


@pytest.mark.parametrize("is_tried", [True, False])
def test_after_too_many_errors_all_that_was_tried_is_read_before_it_is_right(
    is_tried: bool,
) -> None:
    parts, copy = thing(etag=PARTS), thing(etag=OTHER, at=LATER)
    tries = Tries([planned(parts, None)] if is_tried else [], errored=None)
    read: list[bytes] = []

    def equal(theirs: Entry, _: Entry) -> bool:
        read.append(theirs.key)
        return True

    (found,) = Merge(CHECKSUM, tries=tries, read=equal).of([parts], [copy], [known(parts, copy)])

    assert isinstance(found, Record) and read == [KEY] * is_tried


def test_what_changed_at_the_source_comes_with_the_next_run() -> None:
    source, copy = thing(), thing("xyz")
    for tried in (planned(source, copy), planned(source, None), None):
        found = judged(thing("new", at=NOW), copy, tried=tried)
        assert stand(found) == (What.CHANGED, Stand.SINCE)
    for tried in (planned(source, None), None):
        assert stand(judged(thing("new"), None, tried=tried)) == (What.NEW, Stand.SINCE)
        assert stand(judged(None, copy, tried=tried)) == (What.GONE, Stand.SINCE)
    came_back = judged(thing(), None, tried=planned(None, copy))
    assert stand(came_back) == (What.NEW, Stand.SINCE)


def test_what_was_refused_for_good_is_named_also_where_it_changed_since() -> None:
    changed, copy = thing("new", at=NOW), thing("xyz")

    missing = judged(changed, None, tried=planned(thing(), None), failed=True)
    assert stand(missing) == (What.NEW, Stand.FAILED)
    stale = judged(changed, copy, tried=planned(thing(), copy), failed=True)
    assert stand(stale) == (What.CHANGED, Stand.FAILED)
    gone = judged(None, copy, tried=planned(thing(), copy), failed=True)
    assert stand(gone) == (What.GONE, Stand.SINCE)
    back = judged(changed, copy, tried=planned(None, copy), failed=True)
    assert stand(back) == (What.CHANGED, Stand.SINCE)


@pytest.mark.parametrize("mode", [CHECKSUM, AND_TIME])
def test_an_object_without_a_hash_that_changed_since_is_copied_by_the_next_run(
    mode: ComparisonMode,
) -> None:
    first, second = thing(etag=PARTS), thing(etag=OTHER, at=NOW)
    copied_from_the_first = thing(at=LATER)

    found = judged(second, copied_from_the_first, tried=planned(first, None), mode=mode)

    assert stand(found) == (What.CHANGED, Stand.SINCE)
    assert isinstance(found, Difference) and found.before is not None
    next_run = judged(second, copied_from_the_first, before=found.before, first=True, mode=mode)
    assert stand(next_run) == (What.CHANGED, Stand.TO_DO)


def test_a_copy_that_changes_while_a_run_is_under_way_is_a_stray() -> None:
    right = known(thing(), thing())

    assert stand(judged(thing(), thing("xyz"), before=right)) == (What.ALTERED, Stand.STRAY)
    assert stand(judged(thing(), None, before=right)) == (What.LOST, Stand.STRAY)
    assert stand(judged(thing(at=NOW), None, before=right)) == (What.LOST, Stand.SINCE)
    assert stand(judged(thing("new"), thing("xyz"), before=right)) == (What.CHANGED, Stand.SINCE)


def test_what_we_wrote_is_not_called_altered() -> None:
    before = known(thing(), thing())
    lost, altered = planned(thing(), None, before), planned(thing(), thing("xyz"), before)

    assert stand(judged(thing(), thing("rub"), tried=lost, before=before)) == (
        What.CHANGED,
        Stand.TO_DO,
    )
    assert stand(judged(thing(), thing("xyz"), tried=altered, before=before)) == (
        What.ALTERED,
        Stand.TO_DO,
    )


def test_by_size_alone_a_tried_object_is_right() -> None:
    tried = planned(thing("longer"), thing("xyz"))

    assert stand(judged(thing("longer"), thing("fonger"), tried=tried, mode=SIZE)) is None
    assert stand(judged(thing("longer"), thing("xyz"), tried=tried, mode=SIZE)) is not None


def test_by_dates_an_object_that_was_just_copied_is_right() -> None:
    source, before = thing(at=NOW), known(thing(), thing())
    tried = judged(source, thing(), before=before, mode=AND_TIME, first=True)
    assert isinstance(tried, Difference) and tried.why is Why.DATE

    def again(source: Entry, copy: Entry, *, errored: bool = False) -> tuple[What, Stand] | None:
        return stand(
            judged(source, copy, tried=tried, before=before, mode=AND_TIME, errored=errored)
        )

    assert again(source, thing(at=LATER)) is None
    assert again(source, thing(at=LATER), errored=True) is None
    assert again(source, thing(), errored=True) == (What.CHANGED, Stand.TO_DO)
    assert again(thing(at=LATER), thing(at=LATER)) == (What.CHANGED, Stand.SINCE)


# ---- what nothing can carry


@pytest.mark.parametrize("first", [True, False])
def test_the_marker_of_an_empty_folder_cannot_be_copied_or_removed(first: bool) -> None:
    marker = thing("", key=b"photos/")

    copied, removed = judged(marker, None, first=first), judged(None, marker, first=first)

    assert stand(copied) == (What.NEW, Stand.CANNOT)
    assert stand(removed) == (What.GONE, Stand.CANNOT)
    assert stand(judged(thing("x", key=b"photos/"), None, first=True)) == (What.NEW, Stand.TO_DO)


def test_below_a_path_two_slashes_cannot_be_copied() -> None:
    name = thing(key=b"a//b")

    assert stand(judged(name, None, first=True, below_path=True)) == (What.NEW, Stand.CANNOT)
    assert stand(judged(name, None, first=True)) == (What.NEW, Stand.TO_DO)


def test_an_odd_name_that_was_tried_and_is_not_there_is_not_tried_again_until_it_changes() -> None:
    name = thing(key=b"a//b")
    tried = planned(name, None)

    assert stand(judged(name, None, tried=tried)) == (What.NEW, Stand.TO_DO)
    assert stand(judged(name, None, tried=tried, odd=True, failed=True)) == (
        What.NEW,
        Stand.FAILED,
    )
    found = judged(name, None, tried=tried, odd=True)
    assert stand(found) == (What.NEW, Stand.CANNOT)
    assert isinstance(found, Difference)
    mark = found.before
    assert mark == Record(b"a//b", 3, name.etag, THEN, "", "", mark=CANNOT)
    for first in (True, False):
        again = judged(name, None, before=mark, first=first)
        assert stand(again) == (What.NEW, Stand.CANNOT)
        assert isinstance(again, Difference) and again.before == mark
    other = thing(key=b"a//b", at=NOW)
    changed = judged(other, None, before=mark, first=True)
    assert stand(changed) == (What.NEW, Stand.TO_DO)
    assert isinstance(changed, Difference) and changed.before is None
    assert stand(judged(name, thing(key=b"a//b"), before=mark, first=True)) is None


def test_a_name_that_cannot_be_replaced_is_not_right_when_its_source_changes() -> None:
    source, copy = thing(key=b"a//b", etag=PARTS), thing("xy", key=b"a//b")
    found = judged(source, copy, tried=planned(source, copy), odd=True)
    assert stand(found) == (What.CHANGED, Stand.CANNOT) and isinstance(found, Difference)

    changed = thing("uv", key=b"a//b", etag=OTHER)
    next_run = judged(changed, copy, before=found.before, first=True)

    assert stand(next_run) == (What.CHANGED, Stand.TO_DO)


def test_what_cannot_be_removed_is_not_tried_again_either() -> None:
    name = thing(key=b"a//b")
    found = judged(None, name, tried=planned(None, name), odd=True)

    assert stand(found) == (What.GONE, Stand.CANNOT)
    assert isinstance(found, Difference) and found.before is not None
    assert stand(judged(None, name, before=found.before, first=True)) == (What.GONE, Stand.CANNOT)
    back = judged(name, None, before=found.before, first=True)
    assert stand(back) == (What.NEW, Stand.TO_DO)


# ---- bytes


def test_a_damaged_copy_differs_until_it_is_written_again() -> None:
    damaged = known(thing(), thing())._replace(mark=DAMAGED, read_on="2026-11-01")
    for source in (thing(), thing(at=NOW)):
        found = judged(source, thing(), before=damaged, first=True)
        assert isinstance(found, Difference) and found.why is Why.BYTES
        assert stand(found) == (What.ALTERED, Stand.TO_DO) and found.before == damaged
    tried = planned(thing(), thing(), damaged)

    assert stand(judged(thing(), thing(), tried=tried, before=damaged)) == (
        What.ALTERED,
        Stand.TO_DO,
    )
    mended = judged(thing(), thing(at=NOW), tried=tried, before=damaged)
    assert isinstance(mended, Record) and mended.mark == ""


def test_other_marks_stay_while_both_ends_stay_as_they_are() -> None:
    before = known(thing(), thing())._replace(mark="differs", read_on="2026-11-01")

    same, written = (judged(thing(at=at), thing(), before=before, first=True) for at in (THEN, NOW))

    assert isinstance(same, Record) and same == before
    assert isinstance(written, Record) and (written.mark, written.read_on) == ("", "")


def reads(*answers: bool | None) -> tuple[Read, list[bytes]]:
    """Return a reader that gives these answers, and the keys it was asked for."""
    asked: list[bytes] = []
    given = iter(answers)

    def read(source: Entry, copy: Entry) -> bool | None:
        asked.append(source.key)
        return next(given)

    return read, asked


@pytest.mark.parametrize("mode", ComparisonMode)
@pytest.mark.parametrize("named", ["errored", "failed"])
def test_what_an_error_named_is_read_before_its_size_is_believed(
    named: str, mode: ComparisonMode
) -> None:
    source, copy = thing(etag=PARTS), thing("rub", at=NOW)
    tried = planned(source, None)
    read, asked = reads(True, False, None)
    more = {named: True}

    right = judged(source, copy, tried=tried, mode=mode, read=read, **more)
    wrong = judged(source, copy, tried=tried, mode=mode, read=read, **more)
    since = judged(source, copy, tried=tried, mode=mode, read=read, **more)

    assert isinstance(right, Record) and (right.read_on, right.mark) == ("2026-11-30", "")
    refused = Stand.FAILED if named == "failed" else Stand.TO_DO
    assert isinstance(wrong, Difference) and wrong.why is Why.BYTES
    assert stand(wrong) == (What.CHANGED, refused)
    assert stand(since) == (What.CHANGED, Stand.SINCE)
    assert asked == [KEY] * 3
    next_run = judged(source, copy, before=wrong.before, mode=mode, first=True)
    assert stand(next_run) == (What.ALTERED, Stand.TO_DO)


def test_what_has_the_same_hash_is_not_read() -> None:
    read, asked = reads()

    found = judged(thing(), thing(), tried=planned(thing(), None), errored=True, read=read)

    assert stand(found) is None and not asked


def test_totals_add_up() -> None:
    def keys(*names: str) -> Iterable[Entry]:
        return [thing(key=name.encode()) for name in names]

    tries = Tries(
        [planned(thing(key=b"b"), None), planned(thing(key=b"f"), None)], frozenset([b"f"])
    )
    merge = Merge(CHECKSUM, tries=tries)
    marker = [thing("", key=b"z/")]

    list(merge.of([*keys("a", "b", "c", "f"), *marker], keys("a", "g"), []))

    totals = merge.totals
    at_source = (What.NEW, What.LOST, What.CHANGED, What.ALTERED)
    counted = {one: totals.count(one, *at_source) for one in Stand}
    assert counted == {
        Stand.TO_DO: 1,
        Stand.FAILED: 1,
        Stand.SINCE: 1,
        Stand.CANNOT: 1,
        Stand.STRAY: 0,
    }
    assert totals.count(Stand.SINCE, What.GONE) == 1
    assert totals.source_objects == totals.present + sum(counted.values()) == 5
    assert totals.bytes_to_copy == 3
