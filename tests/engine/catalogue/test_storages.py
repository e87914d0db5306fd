"""Rules of a Storage's input, what is stored, what may be deleted."""

import dataclasses
from typing import Any

import pytest

from bucketvault.engine.catalogue import storages
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.runs.queue import freeze
from bucketvault.errors import InUseError
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, Storage
from bucketvault.vocabulary import UsageType
from tests.store_fixtures import (
    a_backup,
    a_provider,
    a_storage,
    fields,
    storage_input,
)

pytestmark = pytest.mark.usefixtures("open_store")

BUCKETS_TAKEN = ["abc", "a" * 63, "my-bucket.2026", "1abc", "a.b", "1.2.3"]


@pytest.mark.parametrize("name", BUCKETS_TAKEN)
def test_a_typed_bucket_by_the_rules_is_taken(name: str) -> None:
    provider = a_provider()

    row_id = storages.create(storage_input(provider.id, bucket_name=f" {name} "))

    with connection():
        assert Storage.get_by_id(row_id).bucket_name == name


BUCKETS_REFUSED = [
    "",
    " ",
    "ab",
    "a" * 64,
    "Photos",
    "my_bucket",
    "my bucket",
    "-abc",
    "abc-",
    ".abc",
    "abc.",
    "a..b",
    "192.168.1.1",
    "übung",
    "a/b",
    "abc\n\ndef",
    None,
    5,
]


@pytest.mark.parametrize("name", BUCKETS_REFUSED, ids=repr)
def test_a_typed_bucket_against_the_rules_is_refused(name: object) -> None:
    provider = a_provider()

    problems = storages.check(storage_input(provider.id, bucket_name=name))

    assert fields(problems) == {"bucket_name"}


@pytest.mark.parametrize("name", ["Old_Bucket", "ab", "192.168.1.1", "a..b", "x" * 200])
def test_a_listed_bucket_is_taken_as_it_is_listed_and_stays_so(name: str) -> None:
    provider = a_provider()

    row_id = storages.create(storage_input(provider.id, bucket_name=name), listed=True)

    given = dataclasses.replace(storages.stored(row_id), display_name="Shown")
    assert storages.change(row_id, given) == ("display_name",)


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\nb", "a\u202eb", "..", "x" * 256])
def test_a_listed_bucket_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    provider = a_provider()

    problems = storages.check(storage_input(provider.id, bucket_name=name), listed=True)

    assert fields(problems) == {"bucket_name"}


def test_a_bucket_is_a_storage_once_at_each_provider() -> None:
    here, there = a_provider("Here"), a_provider("There")
    first = storages.create(storage_input(here.id))

    again = storages.check(storage_input(here.id))
    elsewhere = storages.check(storage_input(there.id))
    itself = storages.check(storage_input(here.id), first)

    assert fields(again) == {"bucket_name"}
    assert elsewhere == itself == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"usage_type": "both"}, "usage_type"),
        ({"usage_type": 1}, "usage_type"),
        ({"display_name": "x" * 101}, "display_name"),
        ({"display_name": "a\u202eb"}, "display_name"),
        ({"provider_id": None}, "provider_id"),
        ({"provider_id": "Local"}, "provider_id"),
        ({"provider_id": True}, "provider_id"),
        ({"provider_id": 999}, "provider_id"),
    ],
)
def test_a_storage_says_which_field_is_wrong(given: dict[str, Any], field: str) -> None:
    provider = a_provider()

    problems = storages.check(storage_input(**{"provider_id": provider.id, **given}))

    assert fields(problems) == {field}


@pytest.mark.parametrize(
    ("entered", "stored"),
    [(None, None), ("", None), ("source_only", "source_only"), (UsageType.SOURCE_ONLY,) * 2],
)
def test_a_usage_type_may_be_left_out(entered: object, stored: str | None) -> None:
    provider = a_provider()

    row_id = storages.create(storage_input(provider.id, usage_type=entered))

    with connection():
        assert Storage.get_by_id(row_id).usage_type == stored


# ---- deleting


@pytest.mark.parametrize("end", [0, 1])
def test_a_storage_with_backups_is_not_deleted_and_they_are_named(
    end: int, ends: tuple[Storage, Storage]
) -> None:
    a_backup("Photos", *ends)

    with pytest.raises(InUseError, match='"Photos"'):
        storages.delete(ends[end].id)


def test_what_a_bucket_does_is_learned_and_frozen_for_a_run() -> None:
    source = a_storage(a_provider(), "photos")
    destination = a_storage(a_provider("Other"), "copies")
    backup = a_backup("Photos", source, destination)

    storages.learn(source.provider_id, source.bucket_name, Traits(kms=False, versioning=True))
    storages.learn(source.provider_id, source.bucket_name, Traits(kms=True))
    storages.learn(source.provider_id, "gone", Traits(kms=True))

    with connection():
        spec = freeze(Backup.get_by_id(backup.id))
    assert spec.source.traits == Traits(kms=True, versioning=True)
    assert spec.destination.traits == Traits()
    assert RunSpec.from_json(spec.to_json()) == spec
