"""A run's outcome from its last look, its log and how its last pass ended."""

import json
from pathlib import Path

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.runs import outcome
from bucketvault.engine.runs.counting import CUT, Counted
from bucketvault.engine.runs.folder import ExitRecord
from bucketvault.engine.runs.follower import Follower
from bucketvault.errors import KilledError
from bucketvault.sanitize import Redactor
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import Reason, RunStatus, Side, WarningCode
from tests.support.specs import run_spec

SPEC = run_spec("photos", "copies", providers=("R2", "Backblaze"))
WHOLE = Proof("2026-11-30T03:00:00+00:00", 3, 30, present=3, same_hash=3)
REFUSED = (
    "Failed to copy: operation error S3: PutObject, https response error StatusCode: 403, "
    "RequestID: x, HostID: , api error {}: no"
)
LOG_TELLS = Counted()
pytestmark = pytest.mark.usefixtures("open_store")


def record(code: int | None, *, stopped: bool = False, error: str = "") -> ExitRecord:
    """How a pass ended."""
    return ExitRecord(
        exit_code=code,
        stopped=stopped,
        cut_short=False,
        log_whole=True,
        error=error,
        error_number=13 if error else None,
        elapsed_s=1.0,
        log_bytes=1,
        ended_at=1.0,
        peak_memory_bytes=1,
        oom_kills=0,
        steps=(("copy", code or 0),),
    )


def proven(
    folder: Path,
    proof: Proof,
    code: int | None,
    *errors: str,
    causes: dict[str, str] | None = None,
    counts: Counted = LOG_TELLS,
) -> outcome.RunOutcome:
    """Return the outcome of a run whose rclone logged these errors, and whose last look is this."""
    follower = Follower(1, folder / "rclone.log", Redactor())
    follower.transcript.feed(
        json.dumps({"level": "error", "msg": line}).encode() for line in errors
    )
    return outcome.proven(
        proof,
        Findings(altered=2),
        causes or {},
        follower,
        record(code),
        SPEC,
        counts,
        ledger_was_damaged=True,
    )


def test_a_look_that_finds_nothing_left_is_a_success_whatever_a_pass_said(tmp_path: Path) -> None:
    told = proven(tmp_path, WHOLE, 1, REFUSED.format("AccessDenied"))

    assert told.status == RunStatus.SUCCESS and told.columns["exit_code"] == 0
    assert told.columns["proof"]["present"] == 3 and told.columns["checked"] == 3


def test_what_a_look_misses_after_a_good_exit_code_is_incomplete_and_named(tmp_path: Path) -> None:
    missing = Proof("now", 3, 30, present=2, missing=1, names={"missing": ["a//b"]})

    told = proven(tmp_path, missing, 0)

    assert (told.status, told.reason) == (RunStatus.FAILED, Reason.INCOMPLETE)
    assert "a//b" in told.explanation and told.hint


def test_what_rclone_says_explains_what_is_missing(tmp_path: Path) -> None:
    missing = Proof("now", 3, 30, present=2, missing=1, names={"missing": ["a"]})
    refused = REFUSED.format("SignatureDoesNotMatch")

    told = proven(tmp_path, missing, 1, refused, causes={"a": "refused"})

    assert told.reason == Reason.CREDENTIALS and refused in told.detail
    assert told.explanation.startswith("1 object") and "signature of some" in told.explanation
    assert told.columns["mends"] is None  # the look listed both ends with the same keys


def test_a_copy_that_was_changed_or_cannot_be_whole_is_a_warning(tmp_path: Path) -> None:
    odd = Proof("now", 4, 30, 3, 3, cannot_copy=1, names={"cannot_copy": ["empty/"]})

    told = proven(tmp_path, odd, 0)

    codes = {WarningCode(each["code"]): each for each in told.columns["warnings"]}
    assert told.status == RunStatus.SUCCESS
    assert set(codes) == {
        WarningCode.CANNOT_COPY,
        WarningCode.ALTERED,
        WarningCode.LEDGER_LOST,
    }
    assert codes[WarningCode.CANNOT_COPY]["names"] == ["empty/"]


@pytest.mark.parametrize(
    ("requested", "stalled", "reason"),
    [
        (True, False, Reason.STOPPED),
        (False, True, Reason.STALLED),
        (False, False, Reason.INTERRUPTED),
    ],
)
def test_a_pass_that_was_told_to_end_is_not_judged_by_its_exit_code(
    tmp_path: Path, requested: bool, stalled: bool, reason: Reason
) -> None:
    follower = Follower(1, tmp_path / "rclone.log", Redactor())

    told = outcome.cut_short(
        record(0, stopped=True),
        follower,
        stop_requested=requested,
        stalled=stalled,
        touched=True,
    )

    assert told is not None and told.reason == reason


def test_a_pass_that_came_to_its_end_is_left_to_the_look(tmp_path: Path) -> None:
    follower = Follower(1, tmp_path / "rclone.log", Redactor())
    ends = {"stop_requested": True, "stalled": True, "touched": True}

    assert outcome.cut_short(record(1), follower, **ends) is None


@pytest.mark.parametrize("touched", [True, False])
def test_an_rclone_that_cannot_be_started_says_whether_anything_was_touched(
    tmp_path: Path, touched: bool
) -> None:
    follower = Follower(1, tmp_path / "rclone.log", Redactor())
    failed = record(None, error="[Errno 13] Permission denied")

    told = outcome.cut_short(failed, follower, stop_requested=False, stalled=False, touched=touched)

    assert told is not None and told.reason == Reason.RCLONE_MISSING
    assert ("passes" in told.columns) is not touched


def test_a_last_look_that_fails_says_that_the_copy_could_not_be_checked(tmp_path: Path) -> None:
    follower = Follower(1, tmp_path / "rclone.log", Redactor())
    denied = outcome.RunFailedError(
        Reason.CREDENTIALS, "The key for R2 cannot list photos.", "Do.", side=Side.SOURCE
    )

    told = outcome.unproven(denied, 0, follower)

    assert told.reason == Reason.CREDENTIALS and told.columns["side"] == Side.SOURCE
    assert told.explanation.endswith("The key for R2 cannot list photos.")
    assert "untouched" not in told.columns


@pytest.mark.parametrize(("ran_out", "reason"), [(True, "no_memory"), (False, "killed")])
def test_a_killed_process_is_short_of_memory_only_if_the_system_says_so(
    ran_out: bool, reason: str
) -> None:
    assert outcome.ended_by(KilledError("rclone", memory_ran_out=ran_out)).reason == reason


CUT_LOGS = {
    "nothing was seen, and nothing is known": (
        Counted(warnings=(CUT,)),
        "The copy is complete. How much this run changed is not known.",
    ),
    "more may have come": (
        Counted({"copied": 2, "replaced": 9}, (CUT,)),
        "The copy is complete: at least 2 copied, 9 replaced.",
    ),
    "both looks tell": (
        Counted({"replaced": 30}, (RunWarning(WarningCode.COUNTED),)),
        "The copy is complete: 30 replaced.",
    ),
    "whole": (LOG_TELLS, "Nothing had changed: the copy was already complete."),
}


@pytest.mark.parametrize("log", CUT_LOGS)
def test_no_sentence_says_more_than_a_cut_log_and_the_looks_tell(tmp_path: Path, log: str) -> None:
    counts, sentence = CUT_LOGS[log]

    told = proven(tmp_path, WHOLE, 0, counts=counts)

    assert told.explanation == sentence
    before = BackupRun(warnings=[CUT.to_json()])  # as an earlier pass left the row
    kept = [each["code"] for each in outcome.with_cut_log(told, before).columns["warnings"]]
    of_the_log = [
        WarningCode(code) for code in kept if code in (WarningCode.LOG_CUT, WarningCode.COUNTED)
    ]
    assert len(of_the_log) == 1  # once, also where an earlier pass had lost lines
