"""The settings of a run as its row has them: another version of the program may have written it."""

from typing import Any

import pytest

from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.spec import RunSpec, SpecError, stored_locations

END = {
    "provider": "There",
    "provider_type": "amazon_s3",
    "bucket": "copies",
    "endpoint": "https://x",
}
SPEC: dict[str, Any] = {
    "source": END,
    "destination": END | {"path": "photos"},
    "comparison_mode": "checksum",
    "retention_days": 30,
    "shrink_limit_percent": 50,
    "archive_key": "k",
}


def test_what_another_version_had_besides_is_left_out() -> None:
    spec = RunSpec.from_json(SPEC | {"later": 1, "source": END | {"later": [2]}})

    assert spec == RunSpec.from_json(SPEC) == RunSpec.from_json(spec.to_json())
    assert spec.destination.place == "copies/photos" and spec.verify_gb_per_night == 0
    assert Proof.from_json({"at": "2026-11-22T03:41:00Z", "later": 1}) == Proof(
        at="2026-11-22T03:41:00Z"
    )


@pytest.mark.parametrize(
    "spec",
    [
        *({name: SPEC[name] for name in SPEC if name != missing} for missing in SPEC),
        SPEC | {"source": {"bucket": "copies"}},
        SPEC | {"source": None},
        SPEC | {"comparison_mode": "by taste"},
        {},
    ],
)
def test_what_is_needed_and_missing_is_an_error_for_runs_and_nothing_for_pages(
    spec: dict[str, Any],
) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        RunSpec.from_json(spec)
    assert RunSpec.stored(spec) is None
    assert stored_locations("[1, 2]") is None
