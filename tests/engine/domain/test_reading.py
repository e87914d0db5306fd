"""A ledger's knowledge of what was read is told in numbers that fit the day."""

import datetime as dt

from bucketvault.engine.domain.reading import Coverage, Damage, Verified, coverage_of, damage_of

TODAY = dt.date(2026, 11, 30)
READING = {
    "days": {"": [2, 20], "2026-08-12": [1, 50], "2026-09-01": [1, 100], "2026-11-30": [3, 300]},
    "refused": [1, 30],
    "marks": {"damaged": 2, "differs": 1, "unreadable": 1, "cannot": 9},
    "names": {"damaged": ["a", "b"], "differs": ["c"], "unreadable": ["d"]},
}


def test_coverage_counts_what_was_read_in_the_last_ninety_days() -> None:
    assert coverage_of(READING, TODAY) == Coverage(
        objects=8,
        bytes=500,
        recent_bytes=400,
        recent_objects=4,
        unread_objects=3,
        refused=1,
        oldest=dt.date(2026, 8, 12),
    )


def test_nothing_is_known_before_there_is_a_ledger() -> None:
    assert coverage_of({}, TODAY) is None and damage_of({}) is None


def test_damage_is_what_nothing_has_mended_since() -> None:
    assert damage_of(READING) == Damage(in_copy=2, unclear=1, names=("a", "b", "c"))
    assert damage_of({**READING, "marks": {"unreadable": 1}}) is None


def test_what_a_run_has_read_comes_back_from_its_row() -> None:
    found = Verified(objects=3, damaged=1, new=1, found=({"key": "a"},))

    assert Verified.from_json(found.to_json()) == found
    assert Verified.from_json({}) is None
