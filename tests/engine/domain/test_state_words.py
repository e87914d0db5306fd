"""Sentences are made of codes and numbers."""

import pytest

from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.vocabulary import WarningCode


@pytest.mark.parametrize("code", WarningCode)
def test_every_warning_has_a_sentence(code: WarningCode) -> None:
    told = describe_warning(RunWarning(code, {"n": 1200}, ("{Denied}",)))

    assert told.endswith((".", "{Denied}")) and told[0] not in " ."
    uncounted = ("log_", "tidying_", "ledger_", "uploads_refused")
    assert ("1,200" in told) == (not code.startswith(uncounted))
