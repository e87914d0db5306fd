"""The proof of a run in exact words: what is at the destination, and what is not."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.state_words import (
    describe_findings,
    describe_gap,
    describe_proof,
    describe_warning,
    proven_words,
)
from bucketvault.engine.domain.times import proof_is_old
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.vocabulary import Schedule, WarningCode

ZONE = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 13, 5, tzinfo=dt.UTC)
AT = "2026-11-12T02:41:00+00:00"
HASH = "with the same content hash"
SIZE = "of the same size only (uploaded in parts or encrypted: no hash to compare)"


def proof(present: int = 12_345, size_only: int = 45, **numbers: object) -> Proof:
    total = {"source_objects": 12_345, "same_hash": present - size_only}
    more = {"at": AT, "present": present, "same_size_only": size_only, **total, **numbers}
    return Proof(**more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            proof(),
            f"12,345 of 12,345 objects are at the destination; 12,300 {HASH}, 45 {SIZE}.",
        ),
        (proof(size_only=0), f"12,345 of 12,345 objects are at the destination, {HASH}."),
        (proof(size_only=12_345), f"12,345 of 12,345 objects are at the destination, {SIZE}."),
        (
            proof(1, 0, source_objects=1),
            f"1 of 1 object is at the destination, {HASH}.",
        ),
        (proof(0, 0, missing=12_345), "0 of 12,345 objects are at the destination."),
        (
            proof(12_338, 0, since=7),
            (
                f"12,338 of 12,345 objects are at the destination, {HASH}. "
                "7 objects changed since; the next run copies them."
            ),
        ),
        (
            proof(12_344, 0, since=1),
            (
                f"12,344 of 12,345 objects are at the destination, {HASH}. "
                "1 object changed since; the next run copies it."
            ),
        ),
    ],
)
def test_a_proof_counts_what_is_there_and_how_equal_it_is(found: Proof, told: str) -> None:
    assert describe_proof(found) == told


def test_what_is_not_there_is_named() -> None:
    names = {"missing": ["a//b", "c//d"], "different": ["e"], "left": ["f", "g", "h"]}
    found = proof(12_342, 0, missing=2, different=1, left=3, names=names)

    assert describe_gap(found) == (
        "2 objects are not at the destination: a//b, c//d. "
        "1 object differs from the source: e. "
        "3 objects could not be removed from the destination: f, g, h."
    )
    assert describe_gap(proof()) == ""


def test_of_many_names_the_first_are_told_and_the_rest_is_counted() -> None:
    keys = [f"k{number}" for number in range(10)]

    told = describe_gap(proof(0, 0, missing=1_204, names={"missing": keys}))

    assert told == ("1,204 objects are not at the destination: k0, k1, k2, k3, k4 and 1,199 more.")


def test_a_key_with_hidden_signs_is_made_visible_and_cut() -> None:
    keys = ["a\nb\u202egnp", "x" * 2_000]

    told = describe_gap(proof(0, 0, missing=2, names={"missing": keys}))

    assert told.isprintable() and "\\x0a" in told
    assert len(told) < 300


def test_names_that_cannot_be_copied_are_a_warning() -> None:
    warning = RunWarning(WarningCode.CANNOT_COPY, {"n": 3}, ("photos/", "a//b"))

    assert describe_warning(warning) == "3 names cannot be copied: photos/, a//b and 1 more."
    assert describe_warning(RunWarning(WarningCode.CANNOT_COPY, {"n": 1})) == (
        "1 name cannot be copied."
    )


@pytest.mark.parametrize(
    ("at", "when"),
    [
        ("2026-11-13T02:41:00+00:00", "today 03:41"),
        (AT, "yesterday 03:41"),
        ("2026-11-11T02:41:00+00:00", "Wed 11 Nov, 03:41"),
    ],
)
def test_a_backup_says_when_it_was_last_proven(at: str, when: str) -> None:
    told = proven_words(proof(size_only=0, at=at), ZONE, NOW)

    assert told == f"Last proven: {when}, 12,345 of 12,345 objects, {HASH}."


@pytest.mark.parametrize(
    ("schedule", "hours", "is_old"),
    [
        (Schedule.DAILY, 47, False),
        (Schedule.DAILY, 49, True),
        (Schedule.WEEKLY, 13 * 24, False),
        (Schedule.WEEKLY, 14 * 24 + 1, True),
        (Schedule.DAILY, -48, False),  # the clock was wrong then
    ],
)
def test_a_proof_is_old_after_two_periods(schedule: Schedule, hours: int, is_old: bool) -> None:
    assert proof_is_old(schedule, NOW - dt.timedelta(hours=hours), NOW) == is_old


def test_what_another_program_changed_is_told_among_what_a_run_would_do() -> None:
    found = Findings(replaced=9, removed=6, destination_objects=40, altered=3)

    assert describe_findings(found) == (
        "6 of 40 objects would be removed, 9 replaced "
        "(3 of them changed in the copy by another program)."
    )
