"""A backup between services as they answer, from its first copy to its restore.

One pair in a usual run, and R2 to B2 in `tests/test_real_services.py`; `TESTS_MORE=1` takes every
service to every other and to itself.
"""

import itertools
import os
from pathlib import Path

import pytest

from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.services import StandIn
from tests.support.services.walk import Walk

PAIRS = [("amazon", "r2")]
if os.environ.get("TESTS_MORE"):
    PAIRS = list(itertools.product(("r2", "b2", "amazon"), repeat=2))

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("source", "destination"), PAIRS)
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
    ends = (new_bucket(services[end]) for end in (source, destination))
    home = tmp_path / "a new machine"
    home.mkdir()

    Walk(bucketvault, *ends, home).go()
