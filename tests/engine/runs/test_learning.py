"""Keeping for the next runs what a run finds out about a bucket."""

import pytest

from bucketvault.engine.runs.learning import locked
from bucketvault.engine.runs.queue import freeze
from bucketvault.store.models import Provider, Storage
from tests.store_fixtures import a_backup, a_provider, a_storage

NEEDS_A_HASH = (
    "operation error S3: PutObject, https response error StatusCode: 400, RequestID: 1, HostID: 2, "
    "api error InvalidRequest: Content-MD5 OR x-amz-checksum- HTTP header is required for Put "
    "Object requests with Object Lock parameters"
)


@pytest.mark.parametrize("moved", [{}, {"endpoint": "https://elsewhere.example"}, {"region": "b"}])
def test_a_lock_that_a_run_met_is_kept_unless_the_provider_is_elsewhere_by_now(
    moved: dict[str, str], open_store: object
) -> None:
    provider = a_provider()
    backup = a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))
    spec = freeze(backup)
    if moved:
        Provider.update(moved).where(Provider.id == provider.id).execute()

    after, _ = locked(spec, {"one.txt": NEEDS_A_HASH})

    assert after.destination.traits.object_lock is True, "this run knows it all the same"
    traits = Storage.get(Storage.bucket_name == "copies").traits
    assert traits.get("object_lock") is (None if moved else True)
