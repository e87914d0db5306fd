"""A backup between services as they answer, from its first copy to its restore.

With `TESTS_MORE=1`: every service to every other and to itself, Amazon with other buckets too.
In a usual run from B2 to Amazon; `tests/test_real_services.py` walks the other two ways.
"""

import itertools
import os
from pathlib import Path

import pytest

from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.services import ObjectLock, SseKms, StandIn
from tests.support.services.walk import Walk

MORE = bool(os.environ.get("TESTS_MORE"))
ALL_PAIRS = [
    *itertools.product(("r2", "b2", "amazon"), repeat=2),
    *(("amazon with kms", "b2"), ("b2", "amazon with kms"), ("r2", "amazon with a lock")),
]
QUIRKS = {"kms": SseKms, "a lock": ObjectLock}  # of one bucket

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("source", "destination"), ALL_PAIRS if MORE else [("b2", "amazon")])
def test_a_backup_between_services_is_right_from_its_first_copy_to_its_restore(
    bucketvault: Program,
    r2: StandIn,
    b2: StandIn,
    amazon: StandIn,
    new_bucket: NewBucket,
    tmp_path: Path,
    source: str,
    destination: str,
) -> None:
    services = {"r2": r2, "b2": b2, "amazon": amazon}
    ends = []
    for end in (source, destination):
        name, _, kind = end.partition(" with ")
        ends.append(new_bucket(services[name]))
        if kind:
            services[name].quirks.append(QUIRKS[kind](bucket=ends[-1].name))
    home = tmp_path / "a new machine"
    home.mkdir()

    Walk(bucketvault, *ends, home).go()
