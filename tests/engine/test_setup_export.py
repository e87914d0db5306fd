"""`export`: what is set up here as a file, which makes the same of an empty installation."""

import getpass
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bucketvault.engine import price_list
from bucketvault.engine import settings as installation
from bucketvault.engine.catalogue import backups, providers, storages
from bucketvault.engine.domain.fields import BackupFields, StorageFields, ruled_fields
from bucketvault.engine.domain.prices import Prices
from bucketvault.engine.domain.rules import InvalidValue, name_rule, path_rule, same_name
from bucketvault.engine.setup import applying, sealed, writing
from bucketvault.engine.setup.tables import SHAPES, TABLES
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.store.database import connection
from bucketvault.store.database import writing as transaction
from bucketvault.store.models import AlertTarget, Backup, BackupRun, Provider, Setting, Storage
from bucketvault.store.secrets import KEY_COLUMNS, Vault
from bucketvault.vocabulary import (
    ComparisonMode,
    RunStatus,
    Schedule,
    StorageClass,
    Weekday,
)
from tests.store_fixtures import ACCOUNT, KEY_ID, SECRET, a_run, provider_input
from tests.test_documents import fenced

pytestmark = pytest.mark.usefixtures("open_store")

PASSPHRASE = "correct horse battery"
TABLES_OF_SETUP = (Backup, Storage, Provider, AlertTarget, Setting)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "N", 2**10)


def clear() -> None:
    """An installation as new."""
    with transaction():
        for table in TABLES_OF_SETUP:
            table.delete().execute()


def everything(vault: Vault) -> dict[str, Any]:
    """All that is set up, by names; secrets in the clear."""
    with connection():
        ends = {row.id: (row.provider.name, row.bucket_name) for row in Storage.select()}
        return {
            "settings": (installation.load(), installation.mail_server(vault)),
            "prices": price_list.load(),
            "providers": {
                row.name: (
                    *(row.provider_type, row.endpoint, row.region),
                    *providers.decrypted_keys(row, vault),
                )
                for row in Provider.select()
            },
            "storages": {ends[row.id]: (row.display_name, row.usage_type) for row in Storage},
            "backups": {
                row.name: [
                    ends[value] if name.endswith("_storage_id") else value
                    for name in (*ruled_fields(BackupFields), "archive_key")
                    for value in [getattr(row, name)]
                ]
                for row in Backup.select()
            },
        }


# ---- any setup there is


def accepted(rule: Callable[[object], str]) -> Callable[[str], bool]:
    """True for what the rule takes."""

    def is_taken(text: str) -> bool:
        try:
            return bool(rule(text))
        except InvalidValue:
            return False

    return is_taken


SIGNS = st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \"'\\#{}[]=.,\u00e9")
NAMES = st.text(SIGNS, min_size=1, max_size=12).filter(accepted(name_rule)).map(name_rule)
PATHS = st.just("") | st.text(SIGNS, min_size=1, max_size=12).filter(accepted(path_rule))
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)
PRICES = st.floats(0, 1000) | st.integers(0, 9)
ADDRESSES = st.sampled_from(
    (
        {"provider_type": "cloudflare_r2", "account_id": ACCOUNT},
        {
            "provider_type": "cloudflare_r2",
            "endpoint": f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com",
        },
        {"provider_type": "backblaze_b2", "region": "eu-central-003"},
        {"provider_type": "backblaze_b2", "endpoint": "https://s3.us-west-004.backblazeb2.com"},
        {"provider_type": "amazon_s3", "region": "eu-central-1"},
        {"provider_type": "amazon_s3", "endpoint": "s3.dualstack.eu-west-1.amazonaws.com"},
        {"provider_type": "amazon_s3", "endpoint": "https://s3.fr-par.scw.cloud"},
        {"provider_type": "amazon_s3", "endpoint": "http://192.168.1.10:9000", "region": "home-1"},
    )
)


@dataclass
class Setup:
    """A whole setup, made by the same functions as the pages use."""

    draw: st.DrawFn
    vault: Vault

    def make(self) -> None:
        """Put it into the database."""
        draw = self.draw
        self._settings()
        for slug in draw(st.sets(st.sampled_from(("r2", "b2", "hetzner")))):
            keys = [n for n in ruled_fields(Prices) if n != "minimum_days"]
            price_list.change(slug, {draw(st.sampled_from(keys)): draw(PRICES)})
        names = draw(st.lists(NAMES, min_size=2, max_size=3, unique_by=same_name))
        ends = [list(self._provider(name)) for name in names]
        for name in draw(st.lists(NAMES, max_size=3, unique_by=same_name)):
            self._backup(name, draw(st.sampled_from(ends[0])), draw(st.sampled_from(ends[1])))

    def _settings(self) -> None:
        hours = st.sampled_from((("", ""), ("08:00", "22:00"), ("22:00", "06:30")))
        given: dict[str, object] = {
            "max_parallel_runs": self.draw(st.integers(1, 16)),
            "log_retention_days": self.draw(st.integers(0, 36500)),
            "bandwidth_mb_s": self.draw(st.sampled_from((0, 20, 1.25, None))),
            **dict(zip(("bandwidth_from", "bandwidth_to"), self.draw(hours), strict=True)),
            "alerts_elsewhere": self.draw(st.booleans()),
            "ping_url": self.draw(st.sampled_from(("", "https://hc-ping.com/1?x=%22"))),
        }
        if self.draw(st.booleans()):
            given |= {"smtp_host": "smtp.example.com", "mail_from": "a@b.de", "mail_to": "c@d.de"}
            given |= {"smtp_security": self.draw(st.sampled_from(["tls", "starttls"]))}
            given |= {"smtp_port": self.draw(st.none() | st.integers(1, 65535))}
            if self.draw(st.booleans()):
                given |= {"smtp_user": self.draw(NAMES), "smtp_password": self.draw(SECRETS)}
        installation.change(given, self.vault)

    def _provider(self, name: str) -> Iterator[int]:
        keys = {column: self.draw(SECRETS.filter(lambda s: "%" not in s)) for column in KEY_COLUMNS}
        address = {"endpoint": "", **self.draw(ADDRESSES)}
        provider = providers.create(provider_input(name=name, **address, **keys), self.vault)
        buckets = st.sampled_from(("photos", "my.copies", "My_Old_Bucket", " b"))
        for bucket in self.draw(st.sets(buckets, min_size=1, max_size=2)):
            shown = self.draw(st.just("") | NAMES)
            yield storages.create(StorageFields(provider, bucket, shown), listed=True)

    def _backup(self, name: str, source: int, destination: int) -> None:
        draw = self.draw
        schedule = draw(st.sampled_from(Schedule))
        wanted = BackupFields(
            name=name,
            source_storage_id=source,
            source_path=draw(PATHS),
            destination_storage_id=destination,
            destination_path=f"{same_name(name).encode().hex()}/{draw(PATHS)}".strip("/"),
            schedule=schedule,
            at=draw(st.times()).strftime("%H:%M"),
            weekday=draw(st.sampled_from(Weekday)) if schedule is Schedule.WEEKLY else None,
            time_zone=draw(st.sampled_from(("Europe/Berlin", "UTC", "Asia/Kolkata"))),
            enabled=draw(st.booleans()),
            retention_days=draw(st.integers(1, 3650)),
            comparison_mode=draw(st.sampled_from(ComparisonMode)),
            shrink_limit_percent=draw(st.integers(0, 100)),
            storage_class=StorageClass.STANDARD,
            verify_gb_per_night=draw(st.integers(0, 100)),
        )
        try:
            backups.create(wanted)
        except InvalidInputError:  # both ends may be one place, by chance: then there is none
            return


@settings(
    max_examples=12,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_an_empty_installation_becomes_the_same_by_an_exported_file(
    vault: Vault, tmp_path: Path, data: st.DataObject
) -> None:
    clear()
    Setup(data.draw, vault).make()
    before, text = everything(vault), writing.setup_text().text
    file = tmp_path / "moving.toml"
    file.write_text(writing.setup_text(vault).text, "utf-8")

    clear()
    applying.apply(file, vault, {})

    assert everything(vault) == before
    assert writing.setup_text().text == text
    assert applying.apply(file, vault, {}) == [applying.UNCHANGED]


# ---- what it says


@pytest.fixture
def example(tmp_path: Path, vault: Vault) -> str:
    """The setup file of the documents, applied."""
    (shown,) = fenced("docs/setup-file.md", "toml")
    for name in ("smtp.secret", "b2.secret"):
        (tmp_path / name).write_text("from-a-file-0123456789abcdef0123\n")
    (tmp_path / "setup.toml").write_text(shown, "utf-8")
    environ = {
        name: f"{name}-0123456789abcdef0123456789abcdef".lower()
        for name in re.findall(r'env = "(\w+)"', shown)
    }
    environ["PHOTOS_PING_URL"] = "https://hc-ping.com/0123456789abcdef0123456789abcdef"
    environ["NTFY_URL"] = "https://example.com/0123456789abcdef0123456789abcdef"
    applying.apply(tmp_path / "setup.toml", vault, environ)
    return shown


def test_the_documents_example_comes_out_again_with_every_key_and_without_a_secret(
    example: str, vault: Vault, tmp_path: Path
) -> None:
    text, variables = writing.setup_text()
    given, written = tomllib.loads(example), tomllib.loads(text)

    def keys(document: dict[str, Any], kind: str) -> set[str]:
        tables = document[kind]
        if SHAPES.get(kind, "").startswith("[prices"):
            tables = [*tables.values()]
        listed = [tables] if isinstance(tables, dict) else tables
        return {key for table in listed for key in table}

    assert written.keys() == TABLES.keys() == given.keys()
    for kind in TABLES:
        assert keys(given, kind) <= keys(written, kind), kind
    assert "0123456789abcdef0123456789abcdef" not in text.replace(ACCOUNT, "")
    assert "hc-ping" not in text
    assert 'access_key_id = {env = "R2_ACCESS_KEY_ID"}' in text
    assert set(variables) == set(re.findall(r'env = "(\w+)"', text))

    file = tmp_path / "moving.toml"
    file.write_text(writing.setup_text(vault).text, "utf-8")
    clear()
    applying.apply(file, vault, {})

    assert writing.setup_text().text == text


def test_variables_have_good_names_whatever_providers_are_called(vault: Vault) -> None:
    for name in ("Home", "home!", "9 lives", "bucketvault", "箱"):
        providers.create(provider_input(name=name), vault)

    variables = writing.setup_text().variables

    assert len({*variables}) == 10
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", each) for each in variables)
    assert not any(each.startswith("BUCKETVAULT") for each in variables)  # those are settings
    assert {"HOME_ACCESS_KEY_ID", "HOME_ACCESS_KEY_ID_2", "S3_9_LIVES_ACCESS_KEY_ID"} <= {
        *variables
    }


# ---- with secrets


def test_an_encrypted_file_opens_with_its_passphrase_alone(vault: Vault, tmp_path: Path) -> None:
    providers.create(provider_input(), vault)
    file = tmp_path / "moving.setup"
    file.write_text(sealed.seal(writing.setup_text(vault).text, PASSPHRASE))
    clear()

    with pytest.raises(BucketvaultError, match="does not open"):
        applying.apply(file, vault, {}, passphrase=lambda: f"{PASSPHRASE}!")
    assert not Provider.select().exists()
    applying.apply(file, vault, {}, passphrase=lambda: PASSPHRASE)

    assert providers.decrypted_keys(Provider.get(), vault) == (KEY_ID, SECRET)
    assert SECRET not in file.read_text() and KEY_ID not in file.read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-10],
        lambda text: text.replace("scrypt-", "scrypt-9"),
        lambda text: text.replace("-8-1.", "-8-2."),
        lambda text: text.replace("-8-1.", f"-8-{10**30}."),
        lambda text: text.replace(".v1.", ".v1.."),
        lambda text: text[:80],
    ],
)
def test_a_damaged_encrypted_file_is_refused(
    change: Callable[[str], str],
) -> None:
    text = sealed.seal("x" * 100, PASSPHRASE)

    with pytest.raises(BucketvaultError, match="Nothing was changed"):
        sealed.opened(change(text), PASSPHRASE)


def test_the_program_of_the_documents_opens_an_encrypted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = fenced("docs/setup-file.md", "python")
    text = '[settings]\nsmtp_user = "Jos\u00e9"\n'
    (tmp_path / "moving.setup").write_text(sealed.seal(text, PASSPHRASE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(getpass, "getpass", lambda: PASSPHRASE)

    exec(shown, {})  # noqa: S102 - our own document

    assert capsys.readouterr().out == f"{text}\n"


# ---- what the file does not name


SHOP = """
[[provider]]
name = "Home"
provider_type = "amazon_s3"
endpoint = "http://127.0.0.1:9000"
access_key_id = "home-key"
secret_access_key = "home-secret-0001"
[[provider]]
name = "Old"
provider_type = "amazon_s3"
endpoint = "http://127.0.0.1:9001"
access_key_id = "old-key"
secret_access_key = "old-secret-0001"
""" + "".join(
    f'[[storage]]\nprovider = "{provider}"\nbucket_name = "{bucket}"\n'
    for provider, bucket in (("Home", "photos"), ("Home", "copies"), ("Old", "spare"))
)


def backup(name: str, provider: str = "Home", bucket: str = "copies", path: str = "") -> str:
    return (
        f'[[backup]]\nname = "{name}"\nschedule = "daily"\nat = "03:15"\n'
        'source = {provider = "Home", bucket = "photos"}\n'
        f'destination = {{provider = "{provider}", bucket = "{bucket}", path = "{path}"}}\n'
    )


@pytest.fixture
def apply(vault: Vault, tmp_path: Path) -> Callable[..., list[str]]:
    def do(text: str, **how: bool) -> list[str]:
        (tmp_path / "setup.toml").write_text(text)
        return applying.apply(tmp_path / "setup.toml", vault, {}, **how)

    return do


SMALLER = SHOP[: SHOP.index('[[provider]]\nname = "Old"')] + "".join(
    f'[[storage]]\nprovider = "Home"\nbucket_name = "{bucket}"\n' for bucket in ("photos", "copies")
)


def test_prune_shows_and_then_deletes_what_the_file_does_not_name(
    apply: Callable[..., list[str]],
) -> None:
    apply(SHOP + backup("Photos", path="a") + backup("Spare", "Old", "spare", "x"))
    a_run(Backup.get(Backup.name == "Spare"), RunStatus.SUCCESS)
    gone = [
        'backup "Spare" and its history of 1 run; its copy and its old versions stay in spare/x',
        'storage "Old/spare"; the bucket stays',
        'provider "Old" and its stored keys',
    ]
    smaller = SMALLER + backup("photos", path="a")

    kept = apply(smaller.replace('photos"\nsch', 'Photos"\nsch'))
    shown = apply(smaller, prune=True, dry_run=True)
    with connection():
        counts = [table.select().count() for table in (Backup, Storage, Provider, BackupRun)]
    done = apply(smaller, prune=True)

    assert kept == [applying.UNCHANGED]
    assert shown == [f"would delete {gone[0]}", 'would change backup "photos": name'] + [
        f"would delete {each}" for each in gone[1:]
    ]
    assert counts == [2, 3, 2, 1]
    assert done == [f"deleted {gone[0]}", 'changed backup "photos": name'] + [
        f"deleted {each}" for each in gone[1:]
    ]
    with connection():
        assert [row.name for row in Backup.select()] == ["photos"]
        assert Storage.select().count() == 2 and not BackupRun.select().exists()
    assert apply(smaller, prune=True) == [applying.UNCHANGED]


def test_a_backup_may_take_the_place_of_one_that_goes(apply: Callable[..., list[str]]) -> None:
    apply(SHOP + backup("Photos"))

    done = apply(SHOP + backup("Pictures"), prune=True)

    assert [line.split(";")[0] for line in done] == [
        'deleted backup "Photos" and its history of 0 runs',
        'created backup "Pictures"',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHOP + backup("Other", path="o"), "is running. Stop the run"),
        (SHOP, "names no backup"),
        (SMALLER + '[[backup]]\nname = "Photos"\n', 'is used by the backups "Photos"'),
    ],
    ids=["runs", "none", "a storage in use"],
)
def test_prune_is_all_or_nothing(text: str, said: str, apply: Callable[..., list[str]]) -> None:
    apply(SHOP + backup("Photos", "Old", "spare"))
    a_run(Backup.get(), RunStatus.RUNNING)

    with pytest.raises(InvalidInputError) as refused:
        apply(text, prune=True)

    assert said in str(refused.value)
    with connection():
        assert [row.name for row in Backup.select()] == ["Photos"]
        assert (Storage.select().count(), Provider.select().count()) == (3, 2)


def test_a_dry_run_of_a_bad_file_says_what_is_wrong(apply: Callable[..., list[str]]) -> None:
    with pytest.raises(InvalidInputError, match="no storage for this bucket"):
        apply(SHOP.replace("photos", "fotos") + backup("Photos"), dry_run=True)


# ---- the folder of old versions


def test_a_new_backup_may_have_the_old_versions_of_one_elsewhere(
    apply: Callable[..., list[str]],
) -> None:
    mine = 'kept_versions = "photos-0a1b2c"\n'
    apply(SHOP + backup("Photos") + mine)
    with connection():
        assert Backup.get().archive_key == "photos-0a1b2c"

    with pytest.raises(InvalidInputError, match="kept_versions: Another backup keeps"):
        apply(SHOP + backup("More", path="m") + mine)
    with pytest.raises(InvalidInputError, match="They are in photos-0a1b2c, and stay there"):
        apply(SHOP + backup("Photos") + mine.replace("0a", "0b"))
    with pytest.raises(InvalidInputError, match="no folder of kept versions"):
        apply(SHOP + backup("More", path="m") + 'kept_versions = "../x"\n')


def test_settings_have_no_field_that_only_a_page_can_set() -> None:
    only_seen = {"has_smtp_password"}

    assert {each.name for each in fields(installation.Settings)} - {
        *TABLES["settings"]
    } == only_seen
