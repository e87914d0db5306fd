"""Rules of a Backup's input, the places it means, what it keeps, what may be deleted."""

import dataclasses
import zoneinfo
from typing import Any

import pytest

from bucketvault.engine.catalogue import backups, conflicts, providers, storages
from bucketvault.engine.domain.places import b2_endpoint
from bucketvault.engine.domain.times import next_due
from bucketvault.errors import InUseError, InvalidInputError, NotFoundError, Problem
from bucketvault.store import run_logs
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Provider, RunLogChunk, Storage, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import ProviderType, RunStatus, UsageType
from tests.store_fixtures import (
    ACCOUNT,
    a_backup,
    a_provider,
    a_run,
    a_storage,
    backup_input,
    fields,
    provider_input,
    storage_input,
)

pytestmark = pytest.mark.usefixtures("open_store")

# ---- field by field

PATHS_TAKEN = {
    "": "",
    "photos": "photos",
    "photos/": "photos",
    "photos/2026": "photos/2026",
    " /photos/\n": "photos",
    "/": "",
    "photos//": "photos",
    "/ leading space/": " leading space",
    ".hidden/..x/x..": ".hidden/..x/x..",
    "mī\u200cnevīsam": "mī\u200cnevīsam",
    "x/.bucketvault-archive": "x/.bucketvault-archive",
    ".bucketvault-archives": ".bucketvault-archives",
    "a" * 1024: "a" * 1024,
    "a" * 1024 + "/": "a" * 1024,
}
PATHS_REFUSED = [
    "photos//2026",
    "..",
    ".",
    "../x",
    "a/../b",
    "a/./b",
    "a/..",
    "a\nb",
    "a\x7fb",
    "a\u202eb",
    ".bucketvault-archive",
    ".bucketvault-archive/",
    ".bucketvault-archive/x",
    "a" * 1025,
    "ä" * 513,
    7,
]


@pytest.mark.parametrize("column", ["source_path", "destination_path"])
@pytest.mark.parametrize(("entered", "stored"), PATHS_TAKEN.items())
def test_a_path_is_stored_without_slashes_at_its_ends(
    column: str, entered: str, stored: str, ends: tuple[Storage, Storage]
) -> None:
    row_id = backups.create(backup_input(*(e.id for e in ends), **{column: entered}))

    with connection():
        assert getattr(Backup.get_by_id(row_id), column) == stored


@pytest.mark.parametrize("column", ["source_path", "destination_path"])
@pytest.mark.parametrize("path", PATHS_REFUSED, ids=repr)
def test_a_path_that_leads_elsewhere_is_refused(
    column: str, path: object, ends: tuple[Storage, Storage]
) -> None:
    problems = backups.check(backup_input(*(e.id for e in ends), **{column: path}))

    assert fields(problems) == {column}


BACKUP_FIELDS_TAKEN = [
    {"at": "00:00"},
    {"at": "23:59"},
    {"schedule": "weekly", "weekday": "sunday"},
    {"weekday": ""},
    {"time_zone": "UTC"},
    {"time_zone": "America/Argentina/Buenos_Aires"},
    {"enabled": False},
    {"retention_days": 1},
    {"retention_days": 3650},
    {"retention_days": 30.0},
    {"retention_days": "30"},
    {"shrink_limit_percent": 0},
    {"shrink_limit_percent": 100},
    {"comparison_mode": "checksum_and_time"},
    {"comparison_mode": "size_only"},
    {"comparison_mode": "checksum"},
]


@pytest.mark.parametrize("given", BACKUP_FIELDS_TAKEN, ids=repr)
def test_a_backup_takes_what_its_fields_may_hold(
    given: dict[str, Any], ends: tuple[Storage, Storage]
) -> None:
    assert backups.check(backup_input(*(e.id for e in ends), **given)) == []


BACKUP_FIELDS_REFUSED = [
    ({"at": ""}, "at"),
    ({"at": "24:00"}, "at"),
    ({"at": "12:60"}, "at"),
    ({"at": "2:30"}, "at"),
    ({"at": "02:30:00"}, "at"),
    ({"at": "0\u0662:30"}, "at"),
    ({"at": 230}, "at"),
    ({"schedule": ""}, "schedule"),
    ({"schedule": "hourly"}, "schedule"),
    ({"schedule": "weekly"}, "weekday"),
    ({"schedule": "weekly", "weekday": ""}, "weekday"),
    ({"schedule": "weekly", "weekday": "sun"}, "weekday"),
    ({"schedule": "daily", "weekday": "sunday"}, "weekday"),
    ({"time_zone": ""}, "time_zone"),
    ({"time_zone": "Berlin"}, "time_zone"),
    ({"time_zone": "europe/berlin"}, "time_zone"),
    ({"time_zone": "../etc/passwd"}, "time_zone"),
    ({"time_zone": "localtime"}, "time_zone"),
    ({"time_zone": "+02:00"}, "time_zone"),
    ({"enabled": "yes"}, "enabled"),
    ({"enabled": 1}, "enabled"),
    ({"enabled": None}, "enabled"),
    ({"retention_days": 0}, "retention_days"),
    ({"retention_days": 3651}, "retention_days"),
    ({"retention_days": 1.5}, "retention_days"),
    ({"retention_days": float("nan")}, "retention_days"),
    ({"retention_days": True}, "retention_days"),
    ({"retention_days": ""}, "retention_days"),
    ({"retention_days": None}, "retention_days"),
    ({"shrink_limit_percent": -1}, "shrink_limit_percent"),
    ({"shrink_limit_percent": 101}, "shrink_limit_percent"),
    ({"shrink_limit_percent": "50%"}, "shrink_limit_percent"),
    ({"comparison_mode": "crc"}, "comparison_mode"),
    ({"comparison_mode": None}, "comparison_mode"),
    ({"source_storage_id": None}, "source_storage_id"),
    ({"source_storage_id": 999}, "source_storage_id"),
    ({"destination_storage_id": "copies"}, "destination_storage_id"),
    ({"destination_storage_id": 999}, "destination_storage_id"),
]


@pytest.mark.parametrize(("given", "field"), BACKUP_FIELDS_REFUSED, ids=repr)
def test_a_backup_says_which_field_is_wrong(
    given: dict[str, Any], field: str, ends: tuple[Storage, Storage]
) -> None:
    ids = {"source": ends[0].id, "destination": ends[1].id}

    problems = backups.check(dataclasses.replace(backup_input(**ids), **given))

    assert fields(problems) == {field}


def test_every_time_zone_there_is_can_be_chosen() -> None:
    from bucketvault.engine.domain.rules import time_zone_names

    assert {"Europe/Berlin", "UTC", "Asia/Kolkata"} <= time_zone_names()
    assert all(zoneinfo.ZoneInfo(name) for name in time_zone_names())


def test_every_message_is_a_sentence(ends: tuple[Storage, Storage]) -> None:
    ids = (ends[0].id, ends[1].id)

    problems = [
        problem
        for given, _ in BACKUP_FIELDS_REFUSED
        for problem in backups.check(dataclasses.replace(backup_input(*ids), **given))
    ]

    assert problems
    for problem in problems:
        assert problem.message[0].isupper()
        assert problem.message[-1] in ".?"


# ---- the places they mean


@pytest.mark.parametrize(
    ("source_path", "destination_path", "good"),
    [
        ("", "", False),
        ("photos", "photos", False),
        ("photos", "photos/", False),
        ("", "copy", False),  # each run would copy the copies
        ("photos", "", False),  # the copy would clear the source
        ("photos/2026", "photos", False),
        ("photos", "photos-copy", True),
        ("photos", "copy/photos", True),
    ],
)
def test_source_and_destination_keep_apart_in_one_bucket(
    source_path: str, destination_path: str, good: bool
) -> None:
    storage = a_storage(a_provider(), "photos")
    given = backup_input(
        storage.id, storage.id, source_path=source_path, destination_path=destination_path
    )

    assert fields(backups.check(given)) == (set() if good else {"destination_path"})


SAME_SERVER = [
    ("amazon_s3", "http://localhost:9000", "", "amazon_s3", "http://127.0.0.1:9000", ""),
    ("amazon_s3", "http://localhost:9000", "", "cloudflare_r2", "https://[::1]:9000", "auto"),
    ("amazon_s3", "https://s3.example", "", "amazon_s3", "https://s3.example:443", "home"),
    ("amazon_s3", "https://S3.Example:443", "", "amazon_s3", "https://s3.example", ""),
    ("amazon_s3", "http://s3.localhost:9000", "", "amazon_s3", "http://127.0.0.1:9000", ""),
    ("amazon_s3", "https://[fd00::7]", "", "amazon_s3", "https://[fd00:0:0::0:7]:443", ""),
    ("amazon_s3", "https://192.168.1.7", "", "amazon_s3", "https://[::ffff:192.168.1.7]", ""),
    ("amazon_s3", "", "eu-central-1", "amazon_s3", "", "us-east-1"),
    ("amazon_s3", "", "cn-north-1", "amazon_s3", "https://s3.cn-north-1.amazonaws.com.cn", ""),
    ("amazon_s3", "", "eu-central-1", "amazon_s3", "https://s3.eu-west-1.amazonaws.com", ""),
    (
        "backblaze_b2",
        "",
        "us-west-004",
        "amazon_s3",
        "https://s3.us-west-004.backblazeb2.com",
        "",
    ),
]
OTHER_SERVER = [
    ("amazon_s3", "", "eu-central-1", "amazon_s3", "", "cn-north-1"),
    ("amazon_s3", "https://[fd00::7]", "", "amazon_s3", "https://[fd00::8]", ""),
    ("amazon_s3", "http://localhost:9000", "", "amazon_s3", "http://localhost:9001", ""),
    ("amazon_s3", "https://s3.example", "", "amazon_s3", "https://s3.example:8443", ""),
    ("amazon_s3", "", "eu-central-1", "backblaze_b2", "", "eu-central-003"),
    (
        "cloudflare_r2",
        f"https://{ACCOUNT}.r2.cloudflarestorage.com",
        "auto",
        "cloudflare_r2",
        f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com",
        "auto",
    ),
]


@pytest.mark.parametrize(
    ("servers", "same"),
    [(servers, True) for servers in SAME_SERVER] + [(servers, False) for servers in OTHER_SERVER],
)
def test_the_same_bucket_in_other_words_is_the_same_bucket(
    servers: tuple[str, str, str, str, str, str], same: bool
) -> None:
    kind, endpoint, region, other_kind, other_endpoint, other_region = servers
    one = a_provider("One", provider_type=ProviderType(kind), endpoint=endpoint, region=region)
    two = a_provider(
        "Two", provider_type=ProviderType(other_kind), endpoint=other_endpoint, region=other_region
    )

    problems = backups.check(backup_input(a_storage(one, "photos").id, a_storage(two, "photos").id))

    assert fields(problems) == ({"destination_path"} if same else set())


@pytest.mark.parametrize(
    ("usage", "as_source", "as_destination"),
    [
        (None, True, True),
        (UsageType.SOURCE_ONLY, True, False),
        (UsageType.DESTINATION_ONLY, False, True),
    ],
)
def test_a_storage_is_only_what_it_may_be(
    usage: UsageType | None, as_source: bool, as_destination: bool
) -> None:
    provider = a_provider()
    limited = a_storage(provider, "limited", usage_type=usage)
    free = a_storage(provider, "free")

    source = fields(backups.check(backup_input(limited.id, free.id)))
    destination = fields(backups.check(backup_input(free.id, limited.id)))

    assert source == (set() if as_source else {"source_storage_id"})
    assert destination == (set() if as_destination else {"destination_storage_id"})


@pytest.mark.parametrize(
    ("path", "enabled", "good"),
    [
        ("photos", True, False),
        ("", True, False),
        ("photos/2026", True, False),
        ("photos-2026", True, True),
        ("photos", False, False),  # a backup that is switched off can still be run by hand
    ],
)
def test_two_backups_never_share_a_destination(
    path: str, enabled: bool, good: bool, ends: tuple[Storage, Storage]
) -> None:
    a_backup("First", *ends, destination_path="photos")
    given = backup_input(*(e.id for e in ends), destination_path=path, enabled=enabled)

    assert fields(backups.check(given)) == (set() if good else {"destination_path"})


def test_a_backup_cannot_be_switched_on_while_another_copies_to_its_place(
    ends: tuple[Storage, Storage],
) -> None:
    a_backup("First", *ends)
    second = a_backup("Second", *ends, enabled=False)
    given = dataclasses.replace(backups.stored(second.id), enabled=True)

    with pytest.raises(InvalidInputError, match='"First"'):
        backups.change(second.id, given)


def test_a_backup_may_copy_on_what_another_one_copied(ends: tuple[Storage, Storage]) -> None:
    a_backup("First", *ends)
    third = a_storage(a_provider("Third", endpoint="https://third.example"), "copies")

    assert backups.check(backup_input(ends[1].id, third.id)) == []


# ---- changes that would break a backup


def test_a_storage_in_use_keeps_a_usage_type_its_backups_can_live_with(
    ends: tuple[Storage, Storage],
) -> None:
    a_backup("Photos", *ends)

    bad = dataclasses.replace(storages.stored(ends[1].id), usage_type="source_only")
    good = dataclasses.replace(bad, usage_type="destination_only")

    assert fields(storages.check(bad, ends[1].id)) == {"usage_type"}
    assert storages.change(ends[1].id, good) == ("usage_type",)


def test_a_change_of_bucket_cannot_make_source_and_destination_one() -> None:
    provider = a_provider()
    source, destination = a_storage(provider, "photos"), a_storage(provider, "copies")
    a_backup("Photos", source, destination)
    other = a_provider("Other words", endpoint="https://s3.eu-west-1.amazonaws.com")
    given = storage_input(other.id, bucket_name="photos")

    with pytest.raises(InvalidInputError, match='"Photos"'):
        storages.change(destination.id, given)


def test_a_change_of_endpoint_cannot_make_source_and_destination_one(vault: Vault) -> None:
    here = a_provider("Here", endpoint="https://here.example")
    there = a_provider("There", endpoint="https://there.example")
    a_backup("Photos", a_storage(here, "photos"), a_storage(there, "photos"))
    given = dataclasses.replace(providers.stored(there.id).given, endpoint="https://here.example")

    with pytest.raises(InvalidInputError, match='"Photos"'):
        providers.change(there.id, given, vault)

    assert [found.backup_name for found in conflicts.contradictions()] == []


# ---- what a backup keeps


def test_the_archive_key_is_made_from_the_name_and_survives_a_rename(
    ends: tuple[Storage, Storage],
) -> None:
    row_id = backups.create(backup_input(*(e.id for e in ends), name="Fotos für Oma!"))
    with connection():
        before = Backup.get_by_id(row_id).archive_key

    changed = backups.change(row_id, dataclasses.replace(backups.stored(row_id), name="Other"))

    assert changed == ("name",)
    with connection():
        assert Backup.get_by_id(row_id).archive_key == before
    slug, _, random = before.rpartition("-")
    assert slug == "fotos-fur-oma"
    assert len(random) == 6


@pytest.mark.parametrize(
    ("name", "slug"),
    [("写真", "backup"), ("x" * 90, "x" * 40), ("../..", "backup"), ("A  b", "a-b")],
)
def test_the_archive_key_is_plain_whatever_the_name(
    name: str, slug: str, ends: tuple[Storage, Storage]
) -> None:
    row_id = backups.create(backup_input(*(e.id for e in ends), name=name))

    with connection():
        assert Backup.get_by_id(row_id).archive_key.rpartition("-")[0] == slug


def test_a_form_filled_from_a_backup_changes_nothing(ends: tuple[Storage, Storage]) -> None:
    given = backup_input(*(e.id for e in ends), schedule="weekly", weekday="monday")
    row_id = backups.create(given)

    assert backups.change(row_id, backups.stored(row_id)) == ()


def test_a_new_time_of_day_plans_anew_and_a_new_name_does_not(
    ends: tuple[Storage, Storage],
) -> None:
    row = a_backup("Photos", *ends, next_due_at=utcnow())
    renamed = dataclasses.replace(backups.stored(row.id), name="Pictures")

    backups.change(row.id, renamed)
    with connection():
        kept = Backup.get_by_id(row.id).next_due_at
    backups.change(row.id, dataclasses.replace(renamed, at="05:00"))
    with connection():
        stored = Backup.get_by_id(row.id)

    assert kept == row.next_due_at
    assert stored.next_due_at == next_due(stored, stored.planned_since)
    assert stored.planned_since > row.planned_since


# ---- deleting


def test_what_nobody_uses_is_deleted(ends: tuple[Storage, Storage]) -> None:
    row = a_backup("Photos", *ends)

    backups.delete(row.id)
    for storage in ends:
        storages.delete(storage.id)
        providers.delete(storage.provider_id)

    with connection():
        assert Provider.select().count() == Storage.select().count() == 0


def test_a_new_row_never_gets_the_number_of_a_deleted_one(vault: Vault) -> None:
    """A page that is open since then would act on the wrong one."""

    def made() -> list[int]:
        provider = providers.create(provider_input(), vault)
        ends = [
            storages.create(storage_input(provider, bucket_name=name))
            for name in ("bucket-a", "bucket-b")
        ]
        return [provider, *ends, backups.create(backup_input(*ends))]

    def deleted(provider: int, source: int, destination: int, backup: int) -> None:
        backups.delete(backup)
        for storage in (destination, source):  # the largest one first: the smaller must not win
            storages.delete(storage)
        providers.delete(provider)

    first = made()
    deleted(*first)
    second = made()
    deleted(*second)
    third = made()

    assert first[0] < second[0] < third[0]
    assert len({*first[1:3], *second[1:3], *third[1:3]}) == 6
    assert first[3] < second[3] < third[3]


def test_a_running_backup_is_not_deleted(ends: tuple[Storage, Storage]) -> None:
    row = a_backup("Photos", *ends)
    a_run(row, RunStatus.RUNNING)

    with pytest.raises(InUseError, match='"Photos" is running'):
        backups.delete(row.id)

    with connection():
        assert Backup.select().count() == 1


def test_a_deleted_backup_takes_its_runs_its_logs_and_a_waiting_run_with_it(
    ends: tuple[Storage, Storage],
) -> None:
    row, other = a_backup("Photos", *ends), a_backup("Other", *ends, enabled=False)
    for run in (a_run(row), a_run(row, RunStatus.PENDING), a_run(other)):
        writer = run_logs.LogWriter(run.id)
        writer.add(b"line\n")
        with writing():
            writer.flush()

    backups.delete(row.id)

    with connection():
        assert BackupRun.select().count() == RunLogChunk.select().count() == 1


def test_what_is_gone_is_not_found(vault: Vault, ends: tuple[Storage, Storage]) -> None:
    calls = [
        lambda: providers.change(99, provider_input(), vault),
        lambda: providers.delete(99),
        lambda: providers.stored(99).given,
        lambda: storages.check(storage_input(1), 99),
        lambda: storages.change(99, storage_input(1)),
        lambda: storages.delete(99),
        lambda: storages.stored(99),
        lambda: backups.change(99, backup_input(1, 2)),
        lambda: backups.delete(99),
        lambda: backups.stored(99),
    ]

    for call in calls:
        with pytest.raises(NotFoundError):
            call()


def test_a_class_that_the_destination_does_not_store_is_refused() -> None:
    source = a_storage(a_provider("Source"), "photos")
    b2 = a_provider(
        "B2", provider_type=ProviderType.BACKBLAZE_B2, endpoint=b2_endpoint("us-west-004")
    )
    given = backup_input(source.id, a_storage(b2, "copies").id, storage_class="STANDARD_IA")

    (problem,) = backups.check(given)

    assert problem == Problem(
        "storage_class", "Backblaze B2 does not have this storage class: choose STANDARD."
    )
