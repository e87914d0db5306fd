"""After a pass that went well its names are asked for alone; a whole look would say the same."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing import tried
from bucketvault.engine.listing.ledger import Ledger, Record
from bucketvault.engine.listing.look import End, Job, Looked, look
from bucketvault.engine.listing.merge import Difference, Merge, Stand, Tries, What
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.listing.plan import Plan
from bucketvault.vocabulary import ComparisonMode
from tests.conftest import NewBucket
from tests.engine.listing.test_bucket import of
from tests.engine.listing.test_merge import NOW, THEN, md5
from tests.support.program import Bucket
from tests.support.servers import MotoServer

AT = "2026-11-22T03:41:00Z"
FIRST, SECOND = Looked("none"), Looked("used", is_whole=False)


@pytest.fixture
def ends(moto: MotoServer, new_bucket: NewBucket) -> tuple[Bucket, Bucket]:
    """A source with everything that a pass may do, and its copy."""
    plain = {f"p/{number:02}": b"right" for number in range(30)}
    source = new_bucket(moto, plain | {"p/new": b"1", "p/changed": b"22", "p/empty/": b""})
    copy = new_bucket(moto, {"changed": b"x", "gone": b"5"})
    for key, body in plain.items():
        copy.put(key[2:], body)
    return source, copy


def job_of(ends: tuple[Bucket, Bucket], folder: Path, first: Job | None = None) -> Job:
    """A first look, or one after a pass that tried all of its plan."""
    folder.mkdir()
    source, copy = (of(end.server, end.name) for end in ends)
    new = Job(
        *(End(source, "p/"), End(copy), ComparisonMode.CHECKSUM, folder, AT),
        ledger=None,
        new_ledger=folder / "ledger.gz",
        below_path=True,
    )
    if first is None:
        return new
    return replace(new, tried=first.folder, ledger=first.new_ledger, odd_tried=True)


def done(copy: Bucket) -> None:
    """Do all of the plan."""
    copy.put("new", b"1")
    copy.put("changed", b"22")
    copy.delete("gone")


def told(job: Job) -> tuple[object, list[Record], list[Difference]]:
    plan = Plan(job.folder)
    every = [found for stand in Stand for found in plan.differences(stand=stand)]
    return plan.totals(), list(Ledger(job.new_ledger)), every


@pytest.mark.slow
def test_names_that_are_right_are_told_as_a_whole_look_tells_them(
    ends: tuple[Bucket, Bucket], tmp_path: Path
) -> None:
    first = job_of(ends, tmp_path / "first")
    assert replace(look(first), time=None) == FIRST
    done(ends[1])
    few, whole = (job_of(ends, tmp_path / name, first) for name in ("few", "whole"))

    assert replace(look(replace(few, only_tried=True)), time=None) == SECOND
    assert look(whole).is_whole

    assert told(few) == told(whole)
    assert Ledger(few.new_ledger).reading == Ledger(whole.new_ledger).reading
    (marker,) = Plan(few.folder).differences(stand=Stand.CANNOT)
    assert marker.key == b"empty/"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["missing", "changed since", "left", "looks like another", "many"])
def test_whatever_is_not_right_or_not_clear_is_told_by_a_whole_look(
    ends: tuple[Bucket, Bucket], tmp_path: Path, what: str
) -> None:
    source, copy = ends
    if what == "looks like another":  # a service that takes both for one would have lost it
        source.put("p/NEW", b"other")
        copy.put("NEW", b"other")
    first = job_of(ends, tmp_path / "first")
    look(first)
    done(copy)
    if what == "missing":
        copy.delete("new")
    elif what == "changed since":
        source.put("p/changed", b"later")
    elif what == "left":
        copy.put("gone", b"5")
    elif what == "many":  # more begin with that name than are asked for
        for number in range(12):
            copy.put(f"gone-{number:02}", b"x")
    few, whole = (job_of(ends, tmp_path / name, first) for name in ("few", "whole"))

    assert look(replace(few, only_tried=True)).is_whole
    look(whole)

    assert told(few) == told(whole)


KEYS = st.sampled_from([b"a", b"a/b", b"a0", b"b", b"c", b"%09", b"d\n", "é".encode()])


@given(
    st.dictionaries(KEYS, st.sampled_from("xyz")),
    st.dictionaries(KEYS, st.sampled_from("xyz")),
)
def test_counts_and_records_are_those_of_a_whole_look(
    source: dict[bytes, str], copy: dict[bytes, str]
) -> None:
    def listed(bucket: dict[bytes, str], at: str) -> list[Entry]:
        return [Entry(key, 1, md5(bucket[key]), at) for key in sorted(bucket)]

    first = Merge(ComparisonMode.CHECKSUM)
    found = list(first.of(listed(source, THEN), listed(copy, THEN), []))
    plan = [one for one in found if isinstance(one, Difference)]
    known = [one.before if isinstance(one, Difference) else one for one in found]
    ledger = [record for record in known if record is not None]
    keys = {one.key for one in plan}
    after = [
        entry._replace(modified=NOW if entry.key in keys else THEN) for entry in listed(source, "")
    ]

    whole, few = (Merge(ComparisonMode.CHECKSUM, tries=Tries(plan)) for _ in range(2))
    expected = list(whole.of(listed(source, THEN), after, ledger))
    ends = [[one for one in end if one.key in keys] for end in (listed(source, THEN), after)]
    now = list(few.of(*ends, [one for one in ledger if one.key in keys]))

    assert [one for one in now if isinstance(one, Record)] == now
    new = [one for one in plan if one.what is not What.NEW]  # those may look like others
    assert list(tried.records(ledger, plan, now)) == expected or len(new) < len(plan)
    assert tried.totals(first.totals, plan, few.totals) == whole.totals
