"""A run's outcome from its exit file and its log together."""

import json
from pathlib import Path

import pytest

from bucketvault.engine.runs import outcome
from bucketvault.engine.runs.folder import ExitRecord
from bucketvault.engine.runs.follower import Follower
from bucketvault.sanitize import Redactor
from bucketvault.vocabulary import Mends, Reason, Side
from tests.support.specs import run_spec

SPEC = run_spec("photos", "copies", providers=("R2", "Backblaze"))
REFUSED = (
    "error reading destination root directory: operation error S3: ListObjectsV2, https response "
    "error StatusCode: 403, RequestID: x, HostID: , api error AccessDenied: Access Denied"
)


def ended(folder: Path, *lines: str, stopped: bool) -> outcome.RunOutcome:
    """Return the outcome of a run whose rclone logged these errors and ended with 1."""
    follower = Follower(1, folder / "rclone.log", Redactor(()))
    follower.transcript.feed(json.dumps({"level": "error", "msg": line}).encode() for line in lines)
    record = ExitRecord(
        exit_code=1,
        stopped=stopped,
        cut_short=False,
        log_whole=True,
        error="",
        error_number=None,
        elapsed_s=1.0,
        log_bytes=1,
        ended_at=0.0,
        peak_memory_bytes=1,
    )
    return outcome.of_exit(
        record,
        follower,
        SPEC,
        stop_requested=False,
        stalled=False,
        expected=None,
        overstepped=False,
        missed=0,
    )


@pytest.mark.usefixtures("open_store")
def test_a_destination_that_cannot_be_listed_is_explained_by_rclone_where_it_ended_by_itself(
    tmp_path: Path,
) -> None:
    tries = [line for n in (1, 2, 3) for line in (REFUSED, f"Attempt {n}/3 failed: {REFUSED}")]

    told = ended(tmp_path, *tries, stopped=False)

    assert told.reason == Reason.CREDENTIALS and not told.columns["warnings"]
    assert told.explanation == "The key for Backblaze may not list copies."
    assert (told.columns["side"], told.columns["mends"]) == (Side.DESTINATION, None)


@pytest.mark.usefixtures("open_store")
def test_a_key_that_is_wrong_is_mended_at_the_provider_that_refused_it(tmp_path: Path) -> None:
    wrong = REFUSED.replace("AccessDenied", "SignatureDoesNotMatch")

    told = ended(tmp_path, wrong, stopped=False)

    assert (told.columns["side"], told.columns["mends"]) == (Side.DESTINATION, Mends.PROVIDER)


@pytest.mark.usefixtures("open_store")
def test_a_run_that_we_stop_because_the_destination_was_not_listed_says_so(tmp_path: Path) -> None:
    told = ended(tmp_path, REFUSED, stopped=True)

    assert told.explanation.startswith("Backblaze could not list copies. The run was stopped, so")
    assert REFUSED in told.detail
