"""Buckets that are chosen for a Backup become Storages with it, or not at all."""

import dataclasses
from typing import Any

import pytest

from bucketvault.engine.catalogue import backups
from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.domain.places import BucketAt, Chosen
from bucketvault.errors import InvalidInputError
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.vocabulary import UsageType
from tests.store_fixtures import a_provider, a_storage, backup_input, fields

pytestmark = pytest.mark.usefixtures("open_store")


@pytest.fixture
def here() -> Provider:
    return a_provider("Here", endpoint="https://here.example")


def between(here: Provider, source: str, destination: str, **given: Any) -> BackupFields:
    ends = (Chosen(BucketAt(here.id, name), seen=True) for name in (source, destination))
    return backup_input(*ends, **given)


def stored() -> dict[str, UsageType | None]:
    with connection():
        return {row.bucket_name: row.usage_type for row in Storage.select()}


def test_each_is_made_for_its_use_and_is_known_to_be_there(here: Provider) -> None:
    made = backups.create(between(here, "photos", "copies"))

    with connection():
        row = Backup.get_by_id(made)
        ends = row.source_storage, row.destination_storage
        assert [end.bucket_name for end in ends] == ["photos", "copies"]
        assert [end.usage_type for end in ends] == [*UsageType]
        assert all(end.checked_at is not None for end in ends)


def test_one_bucket_for_both_ends_may_be_either(here: Provider) -> None:
    backups.create(between(here, "all", "all", source_path="a", destination_path="b"))

    assert stored() == {"all": None}


def test_one_that_is_a_storage_by_now_stays_as_it_is(here: Provider) -> None:
    a_storage(here, "photos", display_name="Photos of the shop")

    backups.create(between(here, "photos", "copies"))

    assert stored() == {"photos": None, "copies": UsageType.DESTINATION_ONLY}


def test_a_storage_kept_for_the_other_use_is_refused_at_its_field(here: Provider) -> None:
    a_storage(here, "copies", usage_type=UsageType.SOURCE_ONLY)

    problems = backups.check(between(here, "photos", "copies"))

    assert fields(problems) == {"destination_storage_id"}


def test_checking_stores_nothing_and_finds_what_storing_would(here: Provider) -> None:
    assert backups.check(between(here, "photos", "copies")) == []
    same = backups.check(between(here, "photos", "photos"))
    wrong = backups.check(between(here, "Photos!", "copies", at="noon"))

    assert fields(same) == {"destination_path"}
    assert fields(wrong) == {"source_storage_id", "at"}
    assert stored() == {}


def test_what_is_refused_leaves_no_storage_behind(here: Provider) -> None:
    with pytest.raises(InvalidInputError):
        backups.create(between(here, "photos", "copies", name=""))
    with pytest.raises(InvalidInputError):
        backups.create(
            backup_input(Chosen(BucketAt(here.id, "photos")), Chosen(BucketAt(99, "x-x")))
        )

    assert stored() == {}


def test_a_name_that_only_its_provider_would_give_is_taken_from_a_list(here: Provider) -> None:
    odd = Chosen(BucketAt(here.id, "Old_Name"), listed=True, seen=True)
    given = between(here, "photos", "copies")

    backups.create(dataclasses.replace(given, source_storage_id=odd))  # type: ignore[arg-type]

    assert "Old_Name" in stored()


def test_a_change_may_choose_one_too(here: Provider) -> None:
    made = backups.create(between(here, "photos", "copies"))
    other: Any = Chosen(BucketAt(here.id, "elsewhere"))
    given = dataclasses.replace(backups.stored(made), destination_storage_id=other)

    assert backups.change(made, given) == ("destination_storage_id",)
    with connection():
        row = Backup.get_by_id(made).destination_storage
    assert (row.bucket_name, row.checked_at) == ("elsewhere", None)
