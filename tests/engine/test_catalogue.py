"""What may be entered, what is stored, what may be deleted."""

import dataclasses
import zoneinfo
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine import catalogue, checks
from bucketvault.engine.timetable import next_due
from bucketvault.errors import InUseError, InvalidInputError, NotFoundError, VaultError
from bucketvault.store import runlogs
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Provider, RunLogChunk, Storage, utcnow
from bucketvault.store.vault import Vault
from bucketvault.vocabulary import ProviderType, RunStatus, UsageType
from tests.store_fixtures import (
    ACCOUNT,
    KEY_ID,
    SECRET,
    a_backup,
    a_provider,
    a_run,
    a_storage,
    backup_input,
    provider_input,
    storage_input,
)

pytestmark = pytest.mark.usefixtures("open_store")

TYPES: dict[str, dict[str, Any]] = {
    "cloudflare_r2": {"endpoint": "", "account_id": ACCOUNT},
    "backblaze_b2": {"endpoint": "", "region": "us-west-004"},
    "amazon_s3": {"endpoint": "", "region": "eu-central-1"},
}


def fields(problems: Any) -> set[str]:
    return {problem.field for problem in problems}


def provider_problems(**given: Any) -> set[str]:
    return fields(catalogue.check_provider(provider_input(**given)))


def stored_provider(vault: Vault, **given: Any) -> Provider:
    row_id = catalogue.create_provider(provider_input(**given), vault)
    with connection():
        return Provider.get_by_id(row_id)


@pytest.fixture
def ends() -> tuple[Storage, Storage]:
    """A bucket to copy from and one to copy to, at two providers."""
    source = a_storage(a_provider("Here", endpoint="https://here.example"), "photos")
    destination = a_storage(a_provider("There", endpoint="https://there.example"), "copies")
    return source, destination


# ---- names

NAMES_REFUSED = {
    "empty": "",
    "only spaces": "  \t ",
    "none": None,
    "too long": "x" * 101,
    "control character": "a\x00b",
    "line break": "a\nb",
    "bidi": "a\u202eb",
    "zero-width": "a\u200bb",
    "lone surrogate": "a\ud800",
    "not text": 7,
    "taken": "Local",
    "taken in another case": " lOCAL",
    "taken in other letters of the same kind": "\uff2cocal",
}


@pytest.mark.parametrize("name", NAMES_REFUSED.values(), ids=NAMES_REFUSED)
def test_a_name_that_misleads_is_refused(name: object, ends: tuple[Storage, Storage]) -> None:
    a_provider("Local")
    a_backup("Local", *ends, destination_path="apart")

    provider = provider_problems(name=name)
    given = backup_input(*(e.id for e in ends), name=name, destination_path="mine")
    backup = fields(catalogue.check_backup(given))

    assert provider == {"name"}
    assert backup == {"name"}


@pytest.mark.parametrize("name", ["x", "x" * 100, "Übersee 写真 🎞", "it's <b>", "a/b", "-v"])
def test_any_visible_name_is_taken(name: str, vault: Vault) -> None:
    assert stored_provider(vault, name=f" {name}\n").name == name


def test_a_row_may_keep_its_own_name_in_another_case(vault: Vault) -> None:
    row = stored_provider(vault, name="local")

    changed = catalogue.change_provider(
        row.id, dataclasses.replace(catalogue.provider_input(row.id), name="LOCAL"), vault
    )

    assert changed == ("name",)


# ---- endpoints

ENDPOINTS_TAKEN = {
    "https://s3.example.com": "https://s3.example.com",
    "https://s3.example.com/": "https://s3.example.com",
    " HTTPS://S3.Example.COM ": "https://s3.example.com",
    "https://s3.example.com:9000/": "https://s3.example.com:9000",
    "https://93.184.216.34": "https://93.184.216.34",
    "https://[2001:db8::1]:9000": "https://[2001:db8::1]:9000",
    "https://minio_1.lan": "https://minio_1.lan",
    "http://localhost:9000": "http://localhost:9000",
    "http://127.0.0.1:9000": "http://127.0.0.1:9000",
    "http://[::1]:9000": "http://[::1]:9000",
    "http://10.1.2.3": "http://10.1.2.3",
    "http://192.168.1.10:9000": "http://192.168.1.10:9000",
    "http://[fd12::1]": "http://[fd12::1]",
}


@pytest.mark.parametrize(("entered", "stored"), ENDPOINTS_TAKEN.items())
def test_an_endpoint_is_a_server_and_nothing_more(entered: str, stored: str, vault: Vault) -> None:
    assert stored_provider(vault, endpoint=entered).endpoint == stored


ENDPOINTS_REFUSED = [
    "s3.example.com",
    "ftp://s3.example.com",
    "file:///etc/passwd",
    "https://",
    "https:///path",
    "https://:9000",
    "https://user@s3.example.com",
    "https://user:password@s3.example.com",
    "https://@s3.example.com",
    "https://s3.example.com/bucket",
    "https://s3.example.com//",
    "https://s3.example.com?x=1",
    "https://s3.example.com/?",
    "https://s3.example.com#x",
    "https://s3.example.com:0",
    "https://s3.example.com:70000",
    "https://s3.example.com:port",
    "https://s3 .example.com",
    "https://s3.example.com\nregion = x",
    "https://s3\u200b.example.com",
    "https://s3.example.com\\@evil.example",
    "https://%(region)s",
    "https://exämple.com",
    "https://-a.example",
    "https://a..example",
    "https://169.254.169.254",
    "http://169.254.169.254",
    "https://[fe80::1]",
    "https://[fe80::1%25eth0]",
    "https://[fd00:ec2::254]",
    "https://[::ffff:169.254.169.254]",
    "https://2852039166",
    "https://0xa9fea9fe",
    "https://169.254.43518",
    "https://0.0.0.0",
    "https://[::]",
    "https://224.0.0.1",
    "https://[::1",
    "http://s3.example.com",
    "http://93.184.216.34",
    "http://nas.local:9000",
    9000,
    ["https://s3.example.com"],
]


@pytest.mark.parametrize("endpoint", ENDPOINTS_REFUSED, ids=repr)
def test_an_endpoint_that_is_more_than_a_server_is_refused(endpoint: object) -> None:
    assert provider_problems(endpoint=endpoint) == {"endpoint"}


def test_a_refused_endpoint_is_not_repeated_since_it_may_hold_a_password() -> None:
    given = provider_input(endpoint="https://user:hunter22@s3.example.com")

    (problem,) = catalogue.check_provider(given)

    assert "hunter22" not in problem.message


# ---- region, account, what each service needs

ADDRESSES_TAKEN = [
    ("cloudflare_r2", {"account_id": ACCOUNT}),
    ("cloudflare_r2", {"account_id": ACCOUNT.upper()}),
    ("cloudflare_r2", {"endpoint": f"https://{ACCOUNT}.r2.cloudflarestorage.com"}),
    (
        "cloudflare_r2",
        {"account_id": ACCOUNT, "endpoint": f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com"},
    ),
    ("cloudflare_r2", {"account_id": ACCOUNT, "region": "auto"}),
    ("backblaze_b2", {"region": "us-west-004"}),
    ("backblaze_b2", {"endpoint": "https://s3.us-west-004.backblazeb2.com"}),
    (
        "backblaze_b2",
        {"endpoint": "https://s3.us-west-004.backblazeb2.com", "region": "us-west-004"},
    ),
    ("amazon_s3", {"region": "eu-central-1"}),
    ("amazon_s3", {"endpoint": "https://s3.example.com"}),
    ("amazon_s3", {"endpoint": "https://s3.example.com", "region": "home"}),
]


@pytest.mark.parametrize(("kind", "address"), ADDRESSES_TAKEN)
def test_each_service_takes_what_it_needs(kind: str, address: dict[str, str]) -> None:
    assert provider_problems(provider_type=kind, **{"endpoint": "", **address}) == set()


ADDRESSES_REFUSED = [
    ("cloudflare_r2", {}, "account_id"),
    ("cloudflare_r2", {"account_id": "0123"}, "account_id"),
    ("cloudflare_r2", {"account_id": "g" * 32}, "account_id"),
    ("cloudflare_r2", {"account_id": ACCOUNT, "region": "weur"}, "region"),
    (
        "cloudflare_r2",
        {"account_id": ACCOUNT, "endpoint": "https://other.r2.cloudflarestorage.com"},
        "account_id",
    ),
    ("backblaze_b2", {}, "region"),
    (
        "backblaze_b2",
        {"endpoint": "https://s3.us-west-004.backblazeb2.com", "region": "eu-central-003"},
        "region",
    ),
    ("backblaze_b2", {"region": "us-west-004", "account_id": ACCOUNT}, "account_id"),
    ("amazon_s3", {}, "region"),
    ("amazon_s3", {"region": "EU Central"}, "region"),
    ("amazon_s3", {"region": "eu_central"}, "region"),
    ("amazon_s3", {"region": "x" * 65}, "region"),
    ("amazon_s3", {"region": 1}, "region"),
    ("amazon_s3", {"region": "eu-central-1", "account_id": ACCOUNT}, "account_id"),
    ("dropbox", {"region": "eu-central-1"}, "provider_type"),
    ("", {"region": "eu-central-1"}, "provider_type"),
    (None, {"region": "eu-central-1"}, "provider_type"),
    (1, {"region": "eu-central-1"}, "provider_type"),
]


@pytest.mark.parametrize(("kind", "address", "field"), ADDRESSES_REFUSED)
def test_each_service_says_what_it_lacks(kind: object, address: dict[str, Any], field: str) -> None:
    assert provider_problems(provider_type=kind, **{"endpoint": "", **address}) == {field}


def test_an_account_id_is_stored_as_the_endpoint_it_stands_for(vault: Vault) -> None:
    row = stored_provider(vault, provider_type="cloudflare_r2", endpoint="", account_id=ACCOUNT)

    assert row.endpoint == f"https://{ACCOUNT}.r2.cloudflarestorage.com"
    assert row.region == "auto"


# ---- keys

KEYS_REFUSED = {
    "none": None,
    "empty": "",
    "spaces": "   ",
    "space before": " hunter22",
    "space after": "hunter22 ",
    "line break after": "hunter22\n",
    "line break inside": "hunter22\nregion = x",
    "zero-width": "hunter\u200b22",
    "too long": "x" * 1025,
    "config interpolation": "hunter%(region)s22",
    "not text": 12345678,
}


@pytest.mark.parametrize("column", ["access_key_id", "secret_access_key"])
@pytest.mark.parametrize("key", KEYS_REFUSED.values(), ids=KEYS_REFUSED)
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(column: str, key: object) -> None:
    (problem,) = catalogue.check_provider(provider_input(**{column: key}))

    assert problem.field == column
    assert "hunter" not in problem.message


@pytest.mark.parametrize("key", ["x", "x" * 1024, "a/b+c=", "ü key", '"`{}%s;#'])
def test_keys_come_back_as_they_were_entered(key: str, vault: Vault) -> None:
    row = stored_provider(vault, secret_access_key=key)

    remote = catalogue.decrypted_remote(row, vault)

    assert (remote.access_key_id, remote.secret_access_key) == (KEY_ID, key)
    assert remote.label == "Local"


@pytest.mark.parametrize("column", ["access_key_id", "secret_access_key"])
def test_a_ciphertext_moved_to_another_row_or_column_does_not_open(
    column: str, vault: Vault
) -> None:
    first, second = (stored_provider(vault, name=name) for name in ("First", "Second"))
    second.secret_access_key = getattr(first, column)

    with pytest.raises(VaultError, match="moved"):
        catalogue.decrypted_remote(second, vault)


def test_keys_are_not_in_the_database_file(vault: Vault, open_store: Path) -> None:
    stored_provider(vault)

    contents = b"".join(file.read_bytes() for file in open_store.parent.iterdir())

    assert b"Local" in contents
    assert SECRET.encode() not in contents
    assert KEY_ID.encode() not in contents


def test_keys_do_not_show_when_an_input_is_printed() -> None:
    assert SECRET not in repr(provider_input())


def test_the_first_secret_makes_the_key(vault: Vault) -> None:
    assert not vault.has_key()

    stored_provider(vault)

    assert vault.has_key()


def test_no_new_key_is_made_where_secrets_wait_for_the_old_one(
    vault: Vault, tmp_path: Path
) -> None:
    row = stored_provider(vault)
    vault.key_file.unlink()
    without = Vault(vault.key_file)

    with pytest.raises(VaultError):
        catalogue.create_provider(provider_input(name="Second"), without)
    with pytest.raises(VaultError):
        catalogue.change_provider(row.id, provider_input(secret_access_key="another"), without)
    with pytest.raises(VaultError):
        catalogue.decrypted_remote(row, without)

    assert not vault.key_file.exists()
    with connection():
        assert Provider.select().count() == 1


def test_everything_but_the_keys_may_change_while_the_key_is_missing(vault: Vault) -> None:
    row = stored_provider(vault)
    vault.key_file.unlink()
    given = dataclasses.replace(catalogue.provider_input(row.id), name="Renamed")

    assert catalogue.change_provider(row.id, given, Vault(vault.key_file)) == ("name",)


def test_keys_encrypted_with_a_lost_key_can_be_entered_again(vault: Vault) -> None:
    row = stored_provider(vault)
    vault.key_file.unlink()
    other = Vault(vault.key_file)
    other.create_key()

    changed = catalogue.change_provider(row.id, provider_input(), other)

    assert changed == ("access_key_id", "secret_access_key")
    with connection():
        remote = catalogue.decrypted_remote(Provider.get_by_id(row.id), other)
    assert remote.secret_access_key == SECRET


def test_keys_left_out_of_a_change_stay(vault: Vault) -> None:
    row = stored_provider(vault)
    given = provider_input(access_key_id=None, secret_access_key=None, region="home")

    changed = catalogue.change_provider(row.id, given, vault)

    assert changed == ("region",)
    with connection():
        after = Provider.get_by_id(row.id)
    assert catalogue.decrypted_remote(after, vault).secret_access_key == SECRET


def test_entering_the_same_again_changes_nothing(vault: Vault) -> None:
    row = stored_provider(vault)

    changed = catalogue.change_provider(row.id, provider_input(), vault)

    assert changed == ()
    with connection():
        assert Provider.get_by_id(row.id).updated_at == row.updated_at


def test_all_problems_are_told_at_once_and_nothing_is_written(vault: Vault) -> None:
    given = provider_input(name="", endpoint="x", region="X", secret_access_key="")

    with pytest.raises(InvalidInputError) as caught:
        catalogue.create_provider(given, vault)

    assert fields(caught.value.problems) == {"name", "endpoint", "region", "secret_access_key"}
    with connection():
        assert Provider.select().count() == 0
    assert not vault.has_key()


@pytest.mark.parametrize("kind", TYPES)
def test_a_form_filled_from_a_provider_changes_nothing(kind: str, vault: Vault) -> None:
    row = stored_provider(vault, provider_type=kind, **TYPES[kind])

    assert catalogue.change_provider(row.id, catalogue.provider_input(row.id), vault) == ()


# ---- storages

BUCKETS_TAKEN = ["abc", "a" * 63, "my-bucket.2026", "1abc", "a.b", "1.2.3"]


@pytest.mark.parametrize("name", BUCKETS_TAKEN)
def test_a_typed_bucket_by_the_rules_is_taken(name: str) -> None:
    provider = a_provider()

    row_id = catalogue.create_storage(storage_input(provider.id, bucket_name=f" {name} "))

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

    problems = catalogue.check_storage(storage_input(provider.id, bucket_name=name))

    assert fields(problems) == {"bucket_name"}


@pytest.mark.parametrize("name", ["Old_Bucket", "ab", "192.168.1.1", "a..b", "x" * 200])
def test_a_listed_bucket_is_taken_as_it_is_listed_and_stays_so(name: str) -> None:
    provider = a_provider()

    row_id = catalogue.create_storage(storage_input(provider.id, bucket_name=name), listed=True)

    given = dataclasses.replace(catalogue.storage_input(row_id), display_name="Shown")
    assert catalogue.change_storage(row_id, given) == ("display_name",)


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\nb", "a\u202eb", "..", "x" * 256])
def test_a_listed_bucket_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    provider = a_provider()

    problems = catalogue.check_storage(storage_input(provider.id, bucket_name=name), listed=True)

    assert fields(problems) == {"bucket_name"}


def test_a_bucket_is_a_storage_once_at_each_provider() -> None:
    here, there = a_provider("Here"), a_provider("There")
    first = catalogue.create_storage(storage_input(here.id))

    again = catalogue.check_storage(storage_input(here.id))
    elsewhere = catalogue.check_storage(storage_input(there.id))
    itself = catalogue.check_storage(storage_input(here.id), first)

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

    problems = catalogue.check_storage(storage_input(**{"provider_id": provider.id, **given}))

    assert fields(problems) == {field}


@pytest.mark.parametrize(
    ("entered", "stored"),
    [(None, None), ("", None), ("source_only", "source_only"), (UsageType.SOURCE_ONLY,) * 2],
)
def test_a_usage_type_may_be_left_out(entered: object, stored: str | None) -> None:
    provider = a_provider()

    row_id = catalogue.create_storage(storage_input(provider.id, usage_type=entered))

    with connection():
        assert Storage.get_by_id(row_id).usage_type == stored


# ---- backups, field by field

PATHS_TAKEN = {
    "": "",
    "photos": "photos",
    "photos/": "photos",
    "photos/2026": "photos/2026",
    " leading space": " leading space",
    ".hidden/..x/x..": ".hidden/..x/x..",
    "mī\u200cnevīsam": "mī\u200cnevīsam",
    "x/.bucketvault-archive": "x/.bucketvault-archive",
    ".bucketvault-archives": ".bucketvault-archives",
    "a" * 1024: "a" * 1024,
    "a" * 1024 + "/": "a" * 1024,
}
PATHS_REFUSED = [
    "/",
    "/photos",
    "photos//2026",
    "photos//",
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
    row_id = catalogue.create_backup(backup_input(*(e.id for e in ends), **{column: entered}))

    with connection():
        assert getattr(Backup.get_by_id(row_id), column) == stored


@pytest.mark.parametrize("column", ["source_path", "destination_path"])
@pytest.mark.parametrize("path", PATHS_REFUSED, ids=repr)
def test_a_path_that_leads_elsewhere_is_refused(
    column: str, path: object, ends: tuple[Storage, Storage]
) -> None:
    problems = catalogue.check_backup(backup_input(*(e.id for e in ends), **{column: path}))

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
    {"comparison_mode": "default"},
    {"comparison_mode": "size_only"},
    {"comparison_mode": "checksum"},
]


@pytest.mark.parametrize("given", BACKUP_FIELDS_TAKEN, ids=repr)
def test_a_backup_takes_what_its_fields_may_hold(
    given: dict[str, Any], ends: tuple[Storage, Storage]
) -> None:
    assert catalogue.check_backup(backup_input(*(e.id for e in ends), **given)) == []


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

    problems = catalogue.check_backup(dataclasses.replace(backup_input(**ids), **given))

    assert fields(problems) == {field}


def test_every_time_zone_there_is_can_be_chosen() -> None:
    from bucketvault.engine.rules import time_zone_names

    assert {"Europe/Berlin", "UTC", "Asia/Kolkata"} <= time_zone_names()
    assert all(zoneinfo.ZoneInfo(name) for name in time_zone_names())


def test_every_message_is_a_sentence(ends: tuple[Storage, Storage]) -> None:
    ids = (ends[0].id, ends[1].id)

    problems = [
        problem
        for given, _ in BACKUP_FIELDS_REFUSED
        for problem in catalogue.check_backup(dataclasses.replace(backup_input(*ids), **given))
    ]

    assert problems
    for problem in problems:
        assert problem.message[0].isupper()
        assert problem.message[-1] in ".?"


# ---- backups and the places they mean


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

    assert fields(catalogue.check_backup(given)) == (set() if good else {"destination_path"})


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

    problems = catalogue.check_backup(
        backup_input(a_storage(one, "photos").id, a_storage(two, "photos").id)
    )

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

    source = fields(catalogue.check_backup(backup_input(limited.id, free.id)))
    destination = fields(catalogue.check_backup(backup_input(free.id, limited.id)))

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

    assert fields(catalogue.check_backup(given)) == (set() if good else {"destination_path"})


def test_a_backup_cannot_be_switched_on_while_another_copies_to_its_place(
    ends: tuple[Storage, Storage],
) -> None:
    a_backup("First", *ends)
    second = a_backup("Second", *ends, enabled=False)
    given = dataclasses.replace(catalogue.backup_input(second.id), enabled=True)

    with pytest.raises(InvalidInputError, match='"First"'):
        catalogue.change_backup(second.id, given)


def test_a_backup_may_copy_on_what_another_one_copied(ends: tuple[Storage, Storage]) -> None:
    a_backup("First", *ends)
    third = a_storage(a_provider("Third", endpoint="https://third.example"), "copies")

    assert catalogue.check_backup(backup_input(ends[1].id, third.id)) == []


# ---- changes that would break a backup


def test_a_storage_in_use_keeps_a_usage_type_its_backups_can_live_with(
    ends: tuple[Storage, Storage],
) -> None:
    a_backup("Photos", *ends)

    bad = dataclasses.replace(catalogue.storage_input(ends[1].id), usage_type="source_only")
    good = dataclasses.replace(bad, usage_type="destination_only")

    assert fields(catalogue.check_storage(bad, ends[1].id)) == {"usage_type"}
    assert catalogue.change_storage(ends[1].id, good) == ("usage_type",)


def test_a_change_of_bucket_cannot_make_source_and_destination_one() -> None:
    provider = a_provider()
    source, destination = a_storage(provider, "photos"), a_storage(provider, "copies")
    a_backup("Photos", source, destination)
    other = a_provider("Other words", endpoint="https://s3.eu-west-1.amazonaws.com")
    given = storage_input(other.id, bucket_name="photos")

    with pytest.raises(InvalidInputError, match='"Photos"'):
        catalogue.change_storage(destination.id, given)


def test_a_change_of_endpoint_cannot_make_source_and_destination_one(vault: Vault) -> None:
    here = a_provider("Here", endpoint="https://here.example")
    there = a_provider("There", endpoint="https://there.example")
    a_backup("Photos", a_storage(here, "photos"), a_storage(there, "photos"))
    given = dataclasses.replace(catalogue.provider_input(there.id), endpoint="https://here.example")

    with pytest.raises(InvalidInputError, match='"Photos"'):
        catalogue.change_provider(there.id, given, vault)

    assert [found.backup_name for found in checks.contradictions()] == []


# ---- what a backup keeps


def test_the_archive_key_is_made_from_the_name_and_survives_a_rename(
    ends: tuple[Storage, Storage],
) -> None:
    row_id = catalogue.create_backup(backup_input(*(e.id for e in ends), name="Fotos für Oma!"))
    with connection():
        before = Backup.get_by_id(row_id).archive_key

    changed = catalogue.change_backup(
        row_id, dataclasses.replace(catalogue.backup_input(row_id), name="Other")
    )

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
    row_id = catalogue.create_backup(backup_input(*(e.id for e in ends), name=name))

    with connection():
        assert Backup.get_by_id(row_id).archive_key.rpartition("-")[0] == slug


def test_a_form_filled_from_a_backup_changes_nothing(ends: tuple[Storage, Storage]) -> None:
    given = backup_input(*(e.id for e in ends), schedule="weekly", weekday="monday")
    row_id = catalogue.create_backup(given)

    assert catalogue.change_backup(row_id, catalogue.backup_input(row_id)) == ()


def test_a_new_time_of_day_plans_anew_and_a_new_name_does_not(
    ends: tuple[Storage, Storage],
) -> None:
    row = a_backup("Photos", *ends, next_due_at=utcnow())
    renamed = dataclasses.replace(catalogue.backup_input(row.id), name="Pictures")

    catalogue.change_backup(row.id, renamed)
    with connection():
        kept = Backup.get_by_id(row.id).next_due_at
    catalogue.change_backup(row.id, dataclasses.replace(renamed, at="05:00"))
    with connection():
        stored = Backup.get_by_id(row.id)

    assert kept == row.next_due_at
    assert stored.next_due_at == next_due(stored, stored.planned_since)
    assert stored.planned_since > row.planned_since


# ---- deleting


def test_a_provider_with_storages_is_not_deleted_and_they_are_named() -> None:
    provider = a_provider()
    for number in range(8):
        a_storage(provider, f"bucket-{number}")

    with pytest.raises(InUseError) as caught:
        catalogue.delete_provider(provider.id)

    assert '"bucket-0", "bucket-1", "bucket-2", "bucket-3", "bucket-4" and 3 more' in str(
        caught.value
    )
    assert '"bucket-5"' not in str(caught.value)


@pytest.mark.parametrize("end", [0, 1])
def test_a_storage_with_backups_is_not_deleted_and_they_are_named(
    end: int, ends: tuple[Storage, Storage]
) -> None:
    a_backup("Photos", *ends)

    with pytest.raises(InUseError, match='"Photos"'):
        catalogue.delete_storage(ends[end].id)


def test_what_nobody_uses_is_deleted(ends: tuple[Storage, Storage]) -> None:
    row = a_backup("Photos", *ends)

    catalogue.delete_backup(row.id)
    for storage in ends:
        catalogue.delete_storage(storage.id)
        catalogue.delete_provider(storage.provider_id)

    with connection():
        assert Provider.select().count() == Storage.select().count() == 0


def test_a_running_backup_is_not_deleted(ends: tuple[Storage, Storage]) -> None:
    row = a_backup("Photos", *ends)
    a_run(row, RunStatus.RUNNING)

    with pytest.raises(InUseError, match='"Photos" is running'):
        catalogue.delete_backup(row.id)

    with connection():
        assert Backup.select().count() == 1


def test_a_deleted_backup_takes_its_runs_its_logs_and_a_waiting_run_with_it(
    ends: tuple[Storage, Storage],
) -> None:
    row, other = a_backup("Photos", *ends), a_backup("Other", *ends, enabled=False)
    for run in (a_run(row), a_run(row, RunStatus.PENDING), a_run(other)):
        writer = runlogs.LogWriter(run.id)
        writer.add(b"line\n")
        with writing():
            writer.flush()

    catalogue.delete_backup(row.id)

    with connection():
        assert BackupRun.select().count() == RunLogChunk.select().count() == 1


def test_what_is_gone_is_not_found(vault: Vault, ends: tuple[Storage, Storage]) -> None:
    calls = [
        lambda: catalogue.change_provider(99, provider_input(), vault),
        lambda: catalogue.delete_provider(99),
        lambda: catalogue.provider_input(99),
        lambda: catalogue.check_storage(storage_input(1), 99),
        lambda: catalogue.change_storage(99, storage_input(1)),
        lambda: catalogue.delete_storage(99),
        lambda: catalogue.storage_input(99),
        lambda: catalogue.change_backup(99, backup_input(1, 2)),
        lambda: catalogue.delete_backup(99),
        lambda: catalogue.backup_input(99),
    ]

    for call in calls:
        with pytest.raises(NotFoundError):
            call()
