"""In what state a run left the copy, from its row alone."""

import datetime as dt
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

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
            "proof": {},
        }
        | columns
    )


FOUND = {"new": 100, "replaced": 20, "removed": 5, "destination_objects": 300}
GOOD = {"at": "2026-11-12T02:41:00+00:00", "source_objects": 9, "present": 9, "same_hash": 9}
BAD = GOOD | {"present": 5, "same_hash": 5, "missing": 2, "different": 1, "left": 3}
COPYING = Phase.COPYING
UNTOUCHED = "The copy was not changed."
UNKNOWN = "It is not known how far the copy was updated. The next successful run completes it."
CUT_LOG = [RunWarning(WarningCode.LOG_CUT).to_json()]
COUNTED = [RunWarning(WarningCode.COUNTED).to_json()]
ZONE, NOW = ZoneInfo("Europe/Berlin"), dt.datetime(2026, 11, 12, 5, tzinfo=dt.UTC)

FAILED: dict[str, tuple[Phase | None, dict[str, Any], CopyKind, str]] = {
    "stopped while it waited": (None, {"reason": Reason.STOPPED}, CopyKind.UNTOUCHED, UNTOUCHED),
    "failed while it checked": (Phase.CHECKING, {}, CopyKind.UNTOUCHED, UNTOUCHED),
    "held": (
        Phase.CHECKING,
        {"reason": Reason.BRAKE, "findings": FOUND, "log_lines": 25},
        CopyKind.UNTOUCHED,
        UNTOUCHED,
    ),
    "nothing was seen to arrive": (COPYING, {"findings": FOUND}, CopyKind.UNKNOWN, UNKNOWN),
    "only old versions were kept": (COPYING, {"archived": 3}, CopyKind.UNKNOWN, UNKNOWN),
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
    "more than the first look had seen": (
        COPYING,
        {"findings": FOUND, "copied": 1_260},
        CopyKind.PARTLY,
        "The copy is partly updated: 1,260 changes arrived, nothing removed.",
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
        {"findings": FOUND, "copied": 9, "deleted": 4, "archived": 5, "exit_code": 130},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 13 of 125 changes arrived, at least 4 removed.",
    ),
    "rclone crashed": (
        COPYING,
        {"findings": FOUND, "copied": 9, "exit_code": 2},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 9 of 125 changes arrived.",
    ),
    "rclone did not start": (
        COPYING,
        {"reason": Reason.RCLONE_MISSING, "exit_code": None, "log_lines": 0},
        CopyKind.UNTOUCHED,
        UNTOUCHED,
    ),
    "a full disk swallowed some of what arrived": (
        COPYING,
        {"findings": FOUND, "warnings": CUT_LOG, "copied": 9},
        CopyKind.PARTLY,
        "The copy is partly updated: at least 9 of 125 changes arrived.",
    ),
    "both looks counted what a cut log does not tell": (
        COPYING,
        {"findings": FOUND, "warnings": COUNTED, "copied": 9, "exit_code": -9},
        CopyKind.PARTLY,
        "The copy is partly updated: 9 of 125 changes arrived, nothing removed.",
    ),
    "its proof says what is not there": (
        Phase.PROVING,
        {"findings": FOUND, "copied": 9, "exit_code": 0, "proof": BAD},
        CopyKind.PARTLY,
        (
            "The copy is partly updated. Objects: 2 missing, 1 different from the source, "
            "3 still to be removed."
        ),
    ),
    "nothing arrived, says its proof": (
        Phase.PROVING,
        {"proof": GOOD | {"present": 0, "same_hash": 0, "missing": 1_204}},
        CopyKind.PARTLY,
        "The copy is partly updated. Objects: 1,204 missing.",
    ),
    "it was proven before": (
        Phase.TIDYING,
        {"proof": GOOD, "reason": Reason.STOPPED},
        CopyKind.COMPLETE,
        "The copy is complete.",
    ),
}


@pytest.mark.parametrize("case", FAILED)
def test_a_failed_run_says_in_what_state_it_left_the_copy(case: str) -> None:
    phase, columns, kind, sentence = FAILED[case]

    state = copy_state(a_run(RunStatus.FAILED, phase, **columns))

    assert state is not None
    assert (state.kind, describe_copy(state, ZONE, NOW)) == (kind, sentence)
    assert "at least" not in sentence or state.at_least


def test_a_run_that_changed_nothing_says_since_when_the_copy_is_partly_updated() -> None:
    since = dt.datetime(2026, 11, 12, 3, 6, tzinfo=dt.UTC)

    state = copy_state(a_run(RunStatus.FAILED, Phase.CHECKING), since)

    assert state is not None
    assert (state.kind, state.since) == (CopyKind.PARTLY, since)
    assert describe_copy(state, ZONE, NOW) == (
        "This run changed nothing; the copy has been partly updated since Thu 12 Nov, 04:06."
    )


def test_a_run_that_changed_the_copy_speaks_of_what_it_did() -> None:
    since = dt.datetime(2026, 11, 12, 3, 6, tzinfo=dt.UTC)

    state = copy_state(a_run(RunStatus.FAILED, COPYING, copied=9), since)

    assert state is not None and (state.since, state.arrived) == (None, 9)


@pytest.mark.parametrize("phase", [COPYING, Phase.TIDYING])
def test_a_good_run_left_a_complete_copy(phase: Phase) -> None:
    state = copy_state(a_run(RunStatus.SUCCESS, phase, copied=3))

    assert state is not None and state.kind == CopyKind.COMPLETE


def test_a_good_run_with_names_that_cannot_be_copied_left_an_almost_complete_copy() -> None:
    proof = GOOD | {"source_objects": 10, "cannot_copy": 1}

    state = copy_state(a_run(RunStatus.SUCCESS, COPYING, copied=3, proof=proof))

    assert state is not None and state.kind == CopyKind.ALMOST
    told = describe_copy(state, ZONE, NOW)
    assert told == "The copy is complete except for names that cannot be copied."


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.FAILED])
def test_a_preview_leaves_the_copy_alone_however_it_ends(status: RunStatus) -> None:
    state = copy_state(a_run(status, Phase.CHECKING, kind=RunKind.PREVIEW, findings=FOUND))

    assert state is not None and (state.kind, describe_copy(state, ZONE, NOW)) == (
        CopyKind.UNTOUCHED,
        UNTOUCHED,
    )


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.RUNNING])
def test_a_run_that_has_not_ended_says_nothing_yet(status: RunStatus) -> None:
    assert copy_state(a_run(status, COPYING, copied=3)) is None
