"""Headers are compared of a few objects, from all over what a run has copied."""

from pathlib import Path

import pytest

from bucketvault.engine.listing.merge import Difference, Totals, What, Why
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.listing.plan import Plan, PlanWriter
from bucketvault.engine.runs.sampling import _some


@pytest.mark.parametrize(
    ("number", "chosen"),
    [
        (0, []),
        (1, [0]),
        (9, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (19, [0, 1, 3, 5, 7, 9, 11, 13, 15, 17]),
        (1000, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]),
    ],
)
def test_a_few_are_chosen_from_all_over(tmp_path: Path, number: int, chosen: list[int]) -> None:
    totals = Totals()
    with PlanWriter(tmp_path) as writer:
        for n in range(number):
            key = b"%06d" % n
            what = What.NEW if n % 2 else What.CHANGED
            found = Difference(key, what, Why.ABSENT, Entry(key, 1, "e", "2026"), None)
            totals.add(found)
            writer.add(found)
        gone = Difference(b"gone", What.GONE, Why.ABSENT, None, Entry(b"gone", 1, "e", "2026"))
        totals.add(gone)
        writer.add(gone)
        writer.finish(totals)

    assert [int(key) for key in _some(Plan(tmp_path))] == chosen
