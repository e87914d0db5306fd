"""Rules of a Provider's input and what is stored of it, its keys above all."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.catalogue import backups, providers
from bucketvault.errors import (
    BucketvaultError,
    InUseError,
    InvalidInputError,
    MovedSecretError,
    VaultError,
)
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Provider, Storage
from bucketvault.store.secrets import Vault
from tests.store_fixtures import (
    ACCOUNT,
    KEY_ID,
    SECRET,
    a_backup,
    a_provider,
    a_storage,
    backup_input,
    fields,
    provider_input,
)

pytestmark = pytest.mark.usefixtures("open_store")

TYPES: dict[str, dict[str, Any]] = {
    "cloudflare_r2": {"endpoint": "", "account_id": ACCOUNT},
    "backblaze_b2": {"endpoint": "", "region": "us-west-004"},
    "amazon_s3": {"endpoint": "", "region": "eu-central-1"},
}


def provider_problems(**given: Any) -> set[str]:
    return fields(providers.check(provider_input(**given)))


def stored_provider(vault: Vault, **given: Any) -> Provider:
    row_id = providers.create(provider_input(**given), vault)
    with connection():
        return Provider.get_by_id(row_id)


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
    "soft hyphen": "pho\u00adtos",
    "Hangul filler": "\u3164",
    "variation selector": "photos\ufe0f",
    "tag": "photos\U000e0041",
    "empty Braille": "photos\u2800",
    "not text": 7,
    "taken": "Local",
    "taken in another case": " lOCAL",
    "taken in other letters of the same kind": "\uff2cocal",
    "taken with other blanks": "Two\u2003 words",
}


@pytest.mark.parametrize("name", NAMES_REFUSED.values(), ids=NAMES_REFUSED)
def test_a_name_that_misleads_is_refused(name: object, ends: tuple[Storage, Storage]) -> None:
    for taken in ("Local", "Two words"):
        a_provider(taken)
        a_backup(taken, *ends, destination_path=f"apart from {taken}")

    provider = provider_problems(name=name)
    given = backup_input(*(e.id for e in ends), name=name, destination_path="mine")
    backup = fields(backups.check(given))

    assert provider == {"name"}
    assert backup == {"name"}


@pytest.mark.parametrize("name", ["x", "x" * 100, "Übersee 写真 🎞", "it's <b>", "a/b", "-v"])
def test_any_visible_name_is_taken(name: str, vault: Vault) -> None:
    assert stored_provider(vault, name=f" {name}\n").name == name


def test_a_row_may_keep_its_own_name_in_another_case(vault: Vault) -> None:
    row = stored_provider(vault, name="local")

    changed = providers.change(
        row.id, dataclasses.replace(providers.stored(row.id).given, name="LOCAL"), vault
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
    "https://[fd20:ce::254]",
    "https://100.100.100.200",
    "https://168.63.129.16",
    "https://[::ffff:169.254.169.254]",
    "https://[::169.254.169.254]",
    "https://[64:ff9b::a9fe:a9fe]",
    "https://[2002:a9fe:a9fe::1]",
    "https://0251.0376.0251.0376",
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

    (problem,) = providers.check(given)

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
    "space inside a line": "hunter22 \n x",
    "line break inside": "hunter22\nregion = x",
    "zero-width": "hunter\u200b22",
    "too long": "x" * 1025,
    "config interpolation": "hunter%(region)s22",
    "not text": 12345678,
}


@pytest.mark.parametrize("column", ["access_key_id", "secret_access_key"])
@pytest.mark.parametrize("key", KEYS_REFUSED.values(), ids=KEYS_REFUSED)
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(column: str, key: object) -> None:
    (problem,) = providers.check(provider_input(**{column: key}))

    assert problem.field == column
    assert "hunter" not in problem.message


def test_blanks_around_a_pasted_key_are_left_out(vault: Vault) -> None:
    row = stored_provider(vault, secret_access_key="\u00a0/hunter+22/ \r\n")

    assert providers.decrypted_remote(row, vault).secret_access_key == "/hunter+22/"


@pytest.mark.parametrize("key", ["x", "x" * 1024, "a/b+c=", "ü key", '"`{}%s;#'])
def test_keys_come_back_as_they_were_entered(key: str, vault: Vault) -> None:
    row = stored_provider(vault, secret_access_key=key)

    remote = providers.decrypted_remote(row, vault)

    assert (remote.access_key_id, remote.secret_access_key) == (KEY_ID, key)
    assert remote.label == "Local"


@pytest.mark.parametrize("column", ["access_key_id", "secret_access_key"])
def test_a_ciphertext_moved_to_another_row_or_column_does_not_open(
    column: str, vault: Vault
) -> None:
    first, second = (stored_provider(vault, name=name) for name in ("First", "Second"))
    second.secret_access_key = getattr(first, column)

    with pytest.raises(MovedSecretError, match='"Second" cannot be read'):
        providers.decrypted_remote(second, vault)


@pytest.mark.parametrize(
    ("of", "moved"),
    [
        ({}, {"endpoint": "https://evil.example"}),
        ({}, {"endpoint": "http://127.0.0.1:9001"}),
        ({}, {"endpoint": "https://127.0.0.1:9000"}),
        ({}, {"endpoint": ""}),
        (TYPES["amazon_s3"], {"endpoint": "https://s3.eu-central-1.amazonaws.com"}),
        (TYPES["amazon_s3"], {"region": "cn-north-1"}),
        (TYPES["amazon_s3"], {"provider_type": "backblaze_b2"}),
        (TYPES["cloudflare_r2"] | {"provider_type": "cloudflare_r2"}, {"endpoint": "https://e.x"}),
    ],
)
def test_keys_are_not_read_for_an_address_that_another_program_wrote(
    of: dict[str, Any], moved: dict[str, str], vault: Vault
) -> None:
    row = stored_provider(vault, **of)
    with writing():
        Provider.update(**moved).execute()
    with connection():
        row = Provider.get_by_id(row.id)

    with pytest.raises(MovedSecretError, match="changed outside bucketvault") as caught:
        providers.decrypted_keys(row, vault)

    assert '"Local"' in caught.value.summary and "enter both keys again" in caught.value.hint


def test_a_region_that_would_be_another_host_is_not_asked(vault: Vault) -> None:
    stored_provider(vault, **TYPES["amazon_s3"])
    with writing():
        Provider.update(region="x.evil.example/").execute()
    with connection():
        row = Provider.get()

    with pytest.raises(BucketvaultError, match="was not contacted"):
        providers.decrypted_remote(row, vault)


def test_an_envelope_for_the_row_alone_is_told_not_to_be_readable(vault: Vault) -> None:
    """As a program from before addresses counted wrote it."""
    row = stored_provider(vault)
    row.access_key_id = vault.encrypt(KEY_ID, f"provider|access_key_id|{row.uuid}")

    with pytest.raises(MovedSecretError):
        providers.decrypted_keys(row, vault)


@pytest.mark.parametrize(
    ("of", "to", "asked"),
    [
        ({}, {"endpoint": "https://other.example"}, {"access_key_id", "secret_access_key"}),
        (
            TYPES["amazon_s3"],
            {"endpoint": "https://other.example"},
            {"access_key_id", "secret_access_key"},
        ),
        ({}, {"endpoint": "https://other.example", "access_key_id": KEY_ID}, {"secret_access_key"}),
        (TYPES["amazon_s3"], {"region": "us-east-1"}, set()),  # Amazon's, like the other one
    ],
)
def test_a_new_address_asks_for_the_keys_again(
    of: dict[str, Any], to: dict[str, Any], asked: set[str], vault: Vault
) -> None:
    """Whoever has a session must not have the keys sent to a server of theirs."""
    row = stored_provider(vault, **of)
    given = dataclasses.replace(providers.stored(row.id).given, **to)

    assert fields(providers.check(given, row.id)) == asked
    entered = dataclasses.replace(given, access_key_id=KEY_ID, secret_access_key=SECRET)
    providers.change(row.id, entered, vault)

    with connection():
        after = Provider.get_by_id(row.id)
    assert providers.decrypted_keys(after, vault) == (KEY_ID, SECRET)


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
        providers.create(provider_input(name="Second"), without)
    with pytest.raises(VaultError):
        providers.change(row.id, provider_input(secret_access_key="another"), without)
    with pytest.raises(VaultError):
        providers.decrypted_remote(row, without)

    assert not vault.key_file.exists()
    with connection():
        assert Provider.select().count() == 1


def test_everything_but_the_keys_may_change_while_the_key_is_missing(vault: Vault) -> None:
    row = stored_provider(vault)
    vault.key_file.unlink()
    given = dataclasses.replace(providers.stored(row.id).given, name="Renamed")

    assert providers.change(row.id, given, Vault(vault.key_file)) == ("name",)


def test_keys_encrypted_with_a_lost_key_can_be_entered_again(vault: Vault) -> None:
    row = stored_provider(vault)
    vault.key_file.unlink()
    other = Vault(vault.key_file)
    other.create_key()

    changed = providers.change(row.id, provider_input(), other)

    assert changed == ("access_key_id", "secret_access_key")
    with connection():
        remote = providers.decrypted_remote(Provider.get_by_id(row.id), other)
    assert remote.secret_access_key == SECRET


def test_keys_left_out_of_a_change_stay(vault: Vault) -> None:
    row = stored_provider(vault)
    given = provider_input(access_key_id=None, secret_access_key=None, region="home")

    changed = providers.change(row.id, given, vault)

    assert changed == ("region",)
    with connection():
        after = Provider.get_by_id(row.id)
    assert providers.decrypted_remote(after, vault).secret_access_key == SECRET


def test_entering_the_same_again_changes_nothing(vault: Vault) -> None:
    row = stored_provider(vault)

    changed = providers.change(row.id, provider_input(), vault)

    assert changed == ()
    with connection():
        assert Provider.get_by_id(row.id).updated_at == row.updated_at


def test_all_problems_are_told_at_once_and_nothing_is_written(vault: Vault) -> None:
    given = provider_input(name="", endpoint="x", region="a b", secret_access_key="")

    with pytest.raises(InvalidInputError) as caught:
        providers.create(given, vault)

    assert fields(caught.value.problems) == {"name", "endpoint", "region", "secret_access_key"}
    with connection():
        assert Provider.select().count() == 0
    assert not vault.has_key()


@pytest.mark.parametrize("kind", TYPES)
def test_a_form_filled_from_a_provider_changes_nothing(kind: str, vault: Vault) -> None:
    row = stored_provider(vault, provider_type=kind, **TYPES[kind])

    assert providers.change(row.id, providers.stored(row.id).given, vault) == ()


# ---- deleting


def test_a_provider_with_storages_is_not_deleted_and_they_are_named() -> None:
    provider = a_provider()
    for number in range(8):
        a_storage(provider, f"bucket-{number}")

    with pytest.raises(InUseError) as caught:
        providers.delete(provider.id)

    assert '"bucket-0", "bucket-1", "bucket-2", "bucket-3", "bucket-4" and 3 more' in str(
        caught.value
    )
    assert '"bucket-5"' not in str(caught.value)
