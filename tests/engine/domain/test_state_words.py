"""Sentences are made of codes and numbers."""

from typing import Any

import pytest

from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.vocabulary import WarningCode

NUMBERS: dict[str, dict[str, Any]] = {
    "passed_over": {"n": 1200, "not_copied": 1, "copied_again": 1},
    "overstepped": {"removed": 1200, "replaced": 3, "found_removed": 1, "found_replaced": 2},
}


@pytest.mark.parametrize("code", WarningCode)
def test_every_warning_has_a_sentence(code: WarningCode) -> None:
    numbers = NUMBERS.get(code, {"n": 1200})

    told = describe_warning(RunWarning(code, numbers, ("{Denied}",)))

    assert told.endswith((".", "{Denied}")) and told[0] not in " ."
    uncounted = ("log_", "lines_", "tidying_", "ledger_")
    assert ("1,200" in told) == (not code.startswith(uncounted))


@pytest.mark.parametrize(
    ("n", "not_copied", "copied_again", "told"),
    [
        (1, 0, 0, "rclone passed over 1 name in listings, of objects or of folders (see the"),
        (2, 0, 0, "rclone passed over 2 names in listings, of objects or of folders (see the"),
        (1, 1, 0, "with // in their names. At the source these are not copied."),
        (1, 0, 1, "names. At the destination they are copied in every run, never removed, and"),
    ],
)
def test_names_passed_over_are_told_with_what_that_means(
    n: int, not_copied: int, copied_again: int, told: str
) -> None:
    numbers = {"n": n, "not_copied": not_copied, "copied_again": copied_again}

    assert told in describe_warning(RunWarning(WarningCode.PASSED_OVER, numbers))
