"""A plan gives back, in the order of keys, what was written into it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing.merge import Difference, Stand, Totals, What, Why
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.listing.plan import Plan, PlanWriter

THEN = "2026-11-22T03:41:00.000Z"


def difference(key: bytes, what: What = What.NEW, stand: Stand = Stand.TO_DO) -> Difference:
    source = None if what is What.GONE else Entry(key, 3, "e1", THEN, "STANDARD")
    copy = None if what in (What.NEW, What.LOST) else Entry(key, 0, "", THEN)
    return Difference(key, what, Why.SIZE, source, copy, stand=stand)


def write(folder: Path, *found: Difference) -> Plan:
    totals = Totals(source_objects=7)
    with PlanWriter(folder) as plan:
        for one in found:
            totals.add(one)
            plan.add(one)
        plan.finish(totals)
    return Plan(folder)


@given(st.dictionaries(st.binary(), st.tuples(st.sampled_from(What), st.sampled_from(Stand))))
def test_what_was_written_comes_back_by_stand_and_kind(
    tmp_path_factory: pytest.TempPathFactory, kinds: dict[bytes, tuple[What, Stand]]
) -> None:
    found = [difference(key, *kinds[key]) for key in sorted(kinds)]

    plan = write(tmp_path_factory.mktemp("plan"), *found)

    for stand in Stand:
        assert list(plan.differences(stand=stand)) == [one for one in found if one.stand is stand]
    several = What.CHANGED, What.GONE
    assert list(plan.differences(*several)) == [
        one for one in found if one.what in several and one.stand is Stand.TO_DO
    ]


def test_totals_come_back(tmp_path: Path) -> None:
    plan = write(
        tmp_path,
        difference(b"a"),
        difference(b"b", What.CHANGED),
        difference(b"c", What.GONE),
        difference(b"d", What.CHANGED, Stand.CANNOT),
    )

    totals = plan.totals()

    assert (totals.source_objects, totals.bytes_to_copy) == (7, 6)
    assert totals.count(Stand.TO_DO) == 3 and totals.count(Stand.TO_DO, What.NEW, What.GONE) == 2
    assert totals.count(Stand.CANNOT) == 1 and totals.count(Stand.SINCE) == 0


def test_a_plan_is_one_looks_alone(tmp_path: Path) -> None:
    write(tmp_path, difference(b"a"), difference(b"b", What.CHANGED))

    plan = write(tmp_path, difference(b"a"))
    with PlanWriter(tmp_path) as half:
        half.add(difference(b"c"))

    assert [one.key for one in plan.differences()] == [b"c"]
    with pytest.raises(FileNotFoundError):
        plan.totals()


def test_what_totals_count_is_on_the_disk_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().name)
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)

    write(tmp_path, difference(b"a"), difference(b"c", What.GONE))

    assert synced == ["to_do-new.gz", "to_do-gone.gz", "totals.json.new"]
