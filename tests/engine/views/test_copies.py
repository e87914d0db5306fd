"""Sources and their copies, and the buckets that no backup copies."""

import datetime as dt

from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.views import backups, copies
from bucketvault.store.models import Storage, utcnow
from bucketvault.vocabulary import ProviderType
from tests import store_fixtures as make


def proven(at: dt.datetime, **found: int) -> dict[str, object]:
    return Proof(at.isoformat(), **{"source_objects": 2, "present": 2, **found}).to_json()


def test_copies_of_one_source_are_told_together_with_how_many_are_proven_and_where(
    ends: tuple[Storage, Storage],
) -> None:
    source, first = ends
    b2 = make.a_provider("B2", provider_type=ProviderType.BACKBLAZE_B2, region="eu-central-003")
    again = make.a_provider("B2 too", provider_type=ProviderType.BACKBLAZE_B2, region="us-west-004")
    second, third = make.a_storage(b2, "second"), make.a_storage(again, "third")
    lonely = make.a_storage(first.provider, "lonely")
    now = utcnow()
    for number, destination in enumerate((first, second, third)):
        backup = make.a_backup(f"to {number}", source, destination, archive_key=f"key-{number}")
        make.a_run(backup, proof=proven(now - dt.timedelta(hours=number)))
    incomplete = make.a_backup("not whole", lonely, first, destination_path="x", archive_key="x")
    make.a_run(incomplete, proof=proven(now, present=1, missing=1))

    view = copies.view(backups.backups())

    worst, best = view.sources
    assert (worst.source.bucket, len(worst.proven), worst.newest) == ("lonely", 0, None)
    assert best.source.bucket == "photos" and best.newest == now
    assert [row.name for row in best.backups] == ["to 0", "to 1", "to 2"]
    assert (len(best.proven), best.providers) == (3, 2)  # two keys of Backblaze are one service
    assert [name for _, name in view.providers] == ["B2", "B2 too", "Here", "There"]


def test_a_bucket_is_backed_up_if_a_backup_copies_from_it_or_to_it_by_any_key(
    ends: tuple[Storage, Storage],
) -> None:
    make.a_backup("photos", *ends)
    other = make.a_provider("The same service", endpoint="https://here.example")
    listed = ["Zebra", "photos", "alpha", "copies"]

    assert copies.not_backed_up(other.id, listed) == ["alpha", "copies", "Zebra"]
    assert copies.not_backed_up(ends[1].provider_id, listed) == ["alpha", "photos", "Zebra"]
    assert copies.not_backed_up(10**6, listed) == []
