"""Counts of a run by its looks, where its log tells of less."""

from pathlib import Path

import pytest

from bucketvault.engine.listing.ledger import writing
from bucketvault.engine.listing.merge import Stand, What
from bucketvault.engine.rclone.tally import Tally
from bucketvault.engine.runs.counting import CUT, Counted, counted
from bucketvault.engine.runs.looking import LEDGER
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import WarningCode
from tests.engine.runs.plans import difference, found_of, write_plan
from tests.engine.runs.test_outcome import record


def counts(folder: Path, code: int, *, cut: bool = False, since: bool = False) -> Counted:
    """Two objects were to be removed, and are gone, or one changed since; the log tells none."""
    gone = [difference("a", What.GONE), difference("b", What.GONE)]
    first = write_plan(folder / "look-0", gone)
    left = [difference("b", What.CHANGED, stand=Stand.SINCE)] if since else []
    last = write_plan(folder / "look-1", left)
    with writing(last.folder / LEDGER, "2026-11-30T03:00:00+00:00"):
        pass
    noted = [CUT.to_json()] if cut else []
    run = BackupRun(id=1, warnings=noted, findings=found_of(first, 9).to_json())
    return counted(run, Tally(), record(code), last)


@pytest.mark.parametrize(
    ("code", "cut", "since", "kept", "warned"),
    [
        (0, False, False, 0, [WarningCode.LOG_SHORT]),
        (0, True, False, 2, [WarningCode.COUNTED]),
        (-9, False, False, 2, []),
        (-9, False, True, 1, [WarningCode.LOG_CUT]),
        (0, True, True, 1, [WarningCode.LOG_CUT]),
    ],
)
def test_only_a_log_that_lacks_lines_lets_more_count_as_kept_than_it_names(
    tmp_path: Path, code: int, cut: bool, since: bool, kept: int, warned: list[WarningCode]
) -> None:
    told = counts(tmp_path, code, cut=cut, since=since)

    assert told.columns["archived"] == kept
    assert [warning.code for warning in told.warnings] == warned
