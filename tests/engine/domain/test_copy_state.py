"""In what state a run left the copy, from its row alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from bucketvault.engine.domain.copy_state import CopyKind, copy_state
from bucketvault.engine.domain.state_words import describe_copy
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.store.models import COUNT_NAMES
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus, WarningCode


def a_run(status: RunStatus, phase: Phase | None, **columns: Any) -> Any:
    return SimpleNamespace(
        **dict.fromkeys(COUNT_NAMES, 0)
        | {
            "status": status,
            "phase": phase,
            "reason": Reason.RCLONE_ERROR if status == RunStatus.FAILED else None,
            "kind": RunKind.COPY,
            "findings": {},
            "log_lines": 12,
            "exit_code": 1,
            "warnings": [],
        }
        | columns
    )


FOUND = {"new": 100, "replaced": 20, "removed": 5, "destination_objects": 300}
COPYING = Phase.COPYING
UNTOUCHED = "The copy was not touched."
UNKNOWN = "How far the copy was updated is not known. The next good run completes it."
AS_IT_WAS = "No change had arrived yet: the copy is as it was."
ON_ITS_WAY = "No change had arrived yet. What was on its way when rclone was ended may have."
CUT_LOG = [RunWarning(WarningCode.LOG_CUT).to_json()]

FAILED: dict[str, tuple[Phase | None, dict[str, Any], CopyKind, str]] = {
    "stopped while it waited": (None, {"reason": Reason.STOPPED}, CopyKind.UNTOUCHED, UNTOUCHED),
    "failed while it checked": (Phase.CHECKING, {}, CopyKind.UNTOUCHED, UNTOUCHED),
    "held": (
        Phase.CHECKING,
        {"reason": Reason.BRAKE, "findings": FOUND, "log_lines": 25},
        CopyKind.UNTOUCHED,
        UNTOUCHED,
    ),
    "nothing had arrived": (COPYING, {"findings": FOUND}, CopyKind.UNTOUCHED, AS_IT_WAS),
    "no word of rclone": (COPYING, {"log_lines": 0}, CopyKind.UNKNOWN, UNKNOWN),
    "cut short before the first line": (
        COPYING,
        {"reason": Reason.INTERRUPTED, "log_lines": 3},
        CopyKind.UNKNOWN,
        UNKNOWN,
    ),
    "some arrived": (
        COPYING,
        {"findings": FOUND, "copied": 60, "replaced": 10, "archived": 10},
        CopyKind.PARTLY,
        "The copy is partly updated: 70 of 125 changes arrived, nothing removed.",
    ),
    "some were removed": (
        COPYING,
        {"findings": FOUND, "copied": 1, "deleted": 4, "archived": 4},
        CopyKind.PARTLY,
        "The copy is partly updated: 5 of 125 changes arrived, 4 removed.",
    ),
    "more than the checks had seen": (
        COPYING,
        {"findings": FOUND, "copied": 1_260},
        CopyKind.PARTLY,
        "The copy is partly updated: 1,260 changes arrived, nothing removed.",
    ),
    "the checks are not known": (
        COPYING,
        {"copied": 2},
        CopyKind.PARTLY,
        "The copy is partly updated: 2 changes arrived, nothing removed.",
    ),
    "a machine that went down": (
        COPYING,
        {"findings": FOUND, "copied": 9, "reason": Reason.INTERRUPTED},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 9 of 125 changes arrived.",
    ),
    "ended from outside in the middle": (
        COPYING,
        {"findings": FOUND, "copied": 9, "reason": Reason.STOPPED, "exit_code": -2},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 9 of 125 changes arrived.",
    ),
    "ended from outside while it removed": (
        COPYING,
        {"findings": FOUND, "copied": 9, "deleted": 4, "archived": 5, "holes": 1, "exit_code": 130},
        CopyKind.PARTLY,
        (
            "The copy is partly updated: at least 13 of 125 changes arrived, at least 4 removed. "
            "1 object or more may be only among the kept versions until the next good run."
        ),
    ),
    "rclone crashed": (
        COPYING,
        {"findings": FOUND, "copied": 9, "exit_code": 2},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 9 of 125 changes arrived.",
    ),
    "ended from outside at once": (
        COPYING,
        {"findings": FOUND, "reason": Reason.STALLED, "exit_code": 130},
        CopyKind.UNKNOWN,
        ON_ITS_WAY,
    ),
    "rclone did not start": (
        COPYING,
        {"reason": Reason.RCLONE_MISSING, "exit_code": None, "log_lines": 0},
        CopyKind.UNTOUCHED,
        UNTOUCHED,
    ),
    "a full disk swallowed all that arrived": (
        COPYING,
        {"findings": FOUND, "warnings": CUT_LOG},
        CopyKind.UNKNOWN,
        UNKNOWN,
    ),
    "a full disk swallowed some of what arrived": (
        COPYING,
        {"findings": FOUND, "warnings": CUT_LOG, "copied": 9},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 9 of 125 changes arrived.",
    ),
    "one hole": (
        COPYING,
        {"findings": FOUND, "copied": 9, "archived": 1, "holes": 1},
        CopyKind.PARTLY,
        (
            "The copy is partly updated: 9 of 125 changes arrived, nothing removed. "
            "1 object is only among the kept versions until the next good run."
        ),
    ),
    "nothing but holes": (
        COPYING,
        {"findings": FOUND, "archived": 1_200, "holes": 1_200},
        CopyKind.PARTLY,
        (
            "The copy is partly updated: 0 of 125 changes arrived, nothing removed. "
            "1,200 objects are only among the kept versions until the next good run."
        ),
    ),
}


@pytest.mark.parametrize("case", FAILED)
def test_a_failed_run_says_in_what_state_it_left_the_copy(case: str) -> None:
    phase, columns, kind, sentence = FAILED[case]

    state = copy_state(a_run(RunStatus.FAILED, phase, **columns))

    assert state is not None
    assert (state.kind, describe_copy(state)) == (kind, sentence)
    assert state.at_least == ("at least" in sentence or kind == CopyKind.UNKNOWN)


@pytest.mark.parametrize("phase", [COPYING, Phase.TIDYING])
def test_a_good_run_left_a_complete_copy(phase: Phase) -> None:
    state = copy_state(a_run(RunStatus.SUCCESS, phase, copied=3))

    assert state is not None and state.kind == CopyKind.COMPLETE


def test_a_good_run_for_which_rclone_passed_names_over_left_no_complete_copy() -> None:
    numbers = {"n": 1, "not_copied": 1, "copied_again": 0}
    warnings = [RunWarning(WarningCode.PASSED_OVER, numbers).to_json()]

    state = copy_state(a_run(RunStatus.SUCCESS, COPYING, copied=3, warnings=warnings))

    assert state is not None and state.kind == CopyKind.ALMOST
    assert describe_copy(state) == "The copy is complete but for what rclone passed over."


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.FAILED])
def test_a_preview_leaves_the_copy_alone_however_it_ends(status: RunStatus) -> None:
    state = copy_state(a_run(status, Phase.CHECKING, kind=RunKind.PREVIEW, findings=FOUND))

    assert state is not None and (state.kind, describe_copy(state)) == (
        CopyKind.UNTOUCHED,
        UNTOUCHED,
    )


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.RUNNING])
def test_a_run_that_has_not_ended_says_nothing_yet(status: RunStatus) -> None:
    assert copy_state(a_run(status, COPYING, copied=3)) is None
