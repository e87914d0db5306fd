"""`apply`: what a file makes of the database, and what it says of a bad one."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.engine import price_list
from bucketvault.engine.catalogue import providers
from bucketvault.engine.domain.prices import PRICES
from bucketvault.engine.setup import applying
from bucketvault.errors import InvalidInputError
from bucketvault.store.database import connection, database
from bucketvault.store.models import Backup, BackupRun, Provider, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import (
    ComparisonMode,
    Reason,
    RunStatus,
    Schedule,
    Trigger,
    UsageType,
    Weekday,
)
from tests.store_fixtures import ACCOUNT, KEY_ID, SECRET, a_run

pytestmark = pytest.mark.usefixtures("open_store")

PROVIDERS = f"""
[[provider]]
name = "R2 main"
provider_type = "cloudflare_r2"
account_id = "{ACCOUNT}"
access_key_id = {{env = "KEY_ID"}}
secret_access_key = {{file = "secrets/r2"}}

[[provider]]
name = "NAS"
provider_type = "amazon_s3"
endpoint = "http://192.168.1.10:9000"
region = ""
access_key_id = "nas-key"
secret_access_key = "nas-secret-0001"
"""
STORAGES = """
[[storage]]
provider = "R2 main"
bucket_name = "photos"

[[storage]]
provider = "NAS"
bucket_name = "copies"
display_name = "The box in the cellar"
usage_type = "destination_only"
"""
BACKUP = """
[[backup]]
name = "Photos"
source = {provider = "R2 main", bucket = "photos"}
destination = {provider = "NAS", bucket = "copies", path = "photos/"}
schedule = "weekly"
weekday = "sunday"
at = "02:30"
time_zone = "Europe/Berlin"
"""
WHOLE = PROVIDERS + STORAGES + BACKUP
ENVIRONMENT = {"KEY_ID": KEY_ID, "TZ": "Asia/Kolkata"}

Apply = Callable[..., list[str]]


@pytest.fixture
def apply(tmp_path: Path, vault: Vault) -> Apply:
    """Writes the text as `setup.toml` and applies it."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "r2").write_text(f"{SECRET}\n")

    def do(text: str, environ: dict[str, str] = ENVIRONMENT) -> list[str]:
        path = tmp_path / "setup.toml"
        path.write_text(text)
        return applying.apply(path, vault, environ)

    return do


@pytest.fixture
def problems(apply: Apply) -> Callable[..., dict[str, str]]:
    """Applies a bad text and gives what was said, by place."""

    def do(text: str, environ: dict[str, str] = ENVIRONMENT) -> dict[str, str]:
        with pytest.raises(InvalidInputError) as caught:
            apply(text, environ)
        assert len({p.field for p in caught.value.problems}) == len(caught.value.problems)
        return {problem.field: problem.message for problem in caught.value.problems}

    return do


def everything() -> list[tuple[object, ...]]:
    """All that is stored, to see whether anything changed."""
    with connection():
        return [
            row
            for table in ("provider", "storage", "backup")
            for row in database.execute_sql(f"SELECT * FROM {table}").fetchall()  # noqa: S608
        ]


def backup(name: str = "Photos") -> Backup:
    with connection():
        return Backup.get(Backup.name == name)


def test_a_file_creates_what_it_names(apply: Apply, vault: Vault) -> None:
    lines = apply(WHOLE)

    assert lines == [
        'created provider "R2 main"',
        'created provider "NAS"',
        'created storage "R2 main/photos"',
        'created storage "NAS/copies"',
        'created backup "Photos"',
    ]
    with connection():
        remote = providers.decrypted_remote(Provider.get(Provider.name == "R2 main"), vault)
        copies = Storage.get(Storage.bucket_name == "copies")
    assert (remote.access_key_id, remote.secret_access_key) == (KEY_ID, SECRET)
    assert remote.endpoint == f"https://{ACCOUNT}.r2.cloudflarestorage.com"
    assert copies.usage_type is UsageType.DESTINATION_ONLY
    row = backup()
    assert (row.schedule, row.weekday, row.at) == (Schedule.WEEKLY, Weekday.SUNDAY, "02:30")
    assert (row.source_path, row.destination_path) == ("", "photos")
    assert (row.enabled, row.retention_days, row.shrink_limit_percent) == (True, 30, 50)
    assert row.comparison_mode is ComparisonMode.CHECKSUM, "as in the form of a new backup"


def test_the_order_of_the_tables_does_not_matter(apply: Apply) -> None:
    assert len(apply(BACKUP + STORAGES + PROVIDERS)) == 5


def test_applied_twice_nothing_changes_and_it_says_so(apply: Apply) -> None:
    apply(WHOLE)
    before = everything()

    lines = apply(WHOLE)

    assert lines == ["unchanged"]
    assert everything() == before


def test_a_pasted_address_is_put_right_and_told_once(apply: Apply) -> None:
    pasted = PROVIDERS.replace(
        "http://192.168.1.10:9000", "https://pics.hel1.your-objectstorage.com/"
    )

    told = apply(pasted)

    endpoint = "https://hel1.your-objectstorage.com"
    note = f'provider "NAS": Saved as {endpoint}. pics is a bucket: choose it in the backup.'
    assert told == ['created provider "R2 main"', 'created provider "NAS"', note]
    with connection():
        assert Provider.get(Provider.name == "NAS").endpoint == endpoint
    assert apply(pasted) == [applying.UNCHANGED]


def test_a_folder_whose_name_has_blanks_around_it_stays_it(apply: Apply) -> None:
    odd = WHOLE.replace('path = "photos/"', 'path = "/ photos /"')
    apply(odd)

    assert apply(odd) == [applying.UNCHANGED]
    assert apply('[[backup]]\nname = "Photos"\nat = "03:00"') == ['changed backup "Photos": at']
    with connection():
        assert Backup.get().destination_path == " photos "


def test_a_change_is_named_by_its_fields(apply: Apply) -> None:
    apply(WHOLE)

    lines = apply(
        WHOLE.replace("02:30", "04:00").replace("photos/", "pictures")
        + "retention_days = 90\nenabled = false\n"
    )

    assert lines == ['changed backup "Photos": destination, at, enabled, retention_days']
    assert backup().destination_path == "pictures"


def test_prices_of_a_contract_replace_those_of_the_table(apply: Apply) -> None:
    assert price_list.load() == PRICES
    own = "[prices.b2]\nstorage_per_gb_month = 0.005\n[prices.hetzner]\ntraffic_per_gb = 0\n"

    told = apply(own)

    assert told == [
        'changed prices "b2": storage_per_gb_month',
        'changed prices "hetzner": traffic_per_gb',
    ]
    prices = price_list.load()
    assert prices["b2"] == replace(
        PRICES["b2"], storage_per_gb_month=0.005, note="", changed=("storage_per_gb_month",)
    )
    assert (prices["hetzner"].traffic_per_gb, prices["hetzner"].reads_per_million) == (0.0, None)
    assert apply(own) == ["unchanged"]


def test_what_a_file_switches_off_does_not_run_though_it_waited(apply: Apply) -> None:
    apply(WHOLE)
    planned = a_run(backup(), RunStatus.PENDING, trigger=Trigger.CATCH_UP)

    apply(WHOLE + "enabled = false\n")

    with connection():
        assert BackupRun.get_by_id(planned.id).reason == Reason.STOPPED
    assert backup().next_due_at is None


def test_a_changed_secret_is_named_and_not_shown(apply: Apply) -> None:
    apply(WHOLE)

    lines = apply(WHOLE.replace("nas-secret-0001", "nas-secret-0002"))

    assert lines == ['changed provider "NAS": secret_access_key']


def test_what_the_file_leaves_out_stays_and_nothing_is_deleted(apply: Apply) -> None:
    apply(WHOLE + 'retention_days = 90\ncomparison_mode = "size_only"\n')

    lines = apply('[[backup]]\nname = "photos"\nat = "05:00"\nretention_days = ""\n')

    assert lines == ['changed backup "photos": name, at']
    row = backup("photos")
    assert (row.retention_days, row.comparison_mode, row.weekday) == (90, "size_only", "sunday")
    with connection():
        assert Provider.select().count() == Storage.select().count() == 2


def test_an_address_is_taken_as_a_whole(apply: Apply) -> None:
    apply(PROVIDERS)

    text = '[[provider]]\nname = "NAS"\nprovider_type = "amazon_s3"\nregion = "eu-central-1"\n'
    with pytest.raises(InvalidInputError, match="access_key_id: Enter it again"):
        apply(text)
    lines = apply(f'{text}access_key_id = "AKIA1"\nsecret_access_key = "nas-secret-0001"\n')

    keys = "access_key_id, secret_access_key"
    assert lines == [f'changed provider "NAS": endpoint, region, {keys}']


def test_a_weekly_backup_becomes_daily_without_a_word_on_its_weekday(apply: Apply) -> None:
    apply(WHOLE)

    lines = apply('[[backup]]\nname = "Photos"\nschedule = "daily"\n')

    assert lines == ['changed backup "Photos": schedule, weekday']


def test_a_time_zone_left_out_is_the_servers(apply: Apply) -> None:
    apply(WHOLE.replace('time_zone = "Europe/Berlin"', ""))

    assert backup().time_zone == "Asia/Kolkata"


def test_names_may_stand_in_the_database_already(apply: Apply) -> None:
    apply(PROVIDERS)
    apply(STORAGES)

    assert apply(BACKUP.replace("R2 main", "r2 MAIN")) == ['created backup "Photos"']


def test_two_backups_may_change_places(apply: Apply) -> None:
    two = WHOLE + BACKUP.replace('"Photos"', '"More"').replace("photos/", "more")
    apply(two)

    lines = apply(
        two.replace('path = "photos/"', 'path = "x"')
        .replace('path = "more"', 'path = "photos"')
        .replace('path = "x"', 'path = "more"')
    )

    assert lines == [
        'changed backup "Photos": destination',
        'changed backup "More": destination',
    ]


# ---- bad files


@pytest.mark.parametrize(
    ("addition", "place", "said"),
    [
        ("retentoin_days = 3\n", 'backup "Photos": retentoin_days', '"retention_days"'),
        ("[settings]\nstall_minuets = 3\n", "settings: stall_minuets", '"stall_minutes"'),
        ("[settings]\nstall_minutes = 0\n", "settings: stall_minutes", "whole number"),
        ("[[settings]]\nstall_minutes = 3\n", "settings", "one pair of brackets"),
        ("[[backups]]\nname = 'x'\n", "backups", '"backup"'),
        ("[storage2]\n", "storage2", '"storage"'),
        ('retention_days = "3"\n', 'backup "Photos": retention_days', "whole number"),
        ("retention_days = 3.5\n", 'backup "Photos": retention_days', "whole number"),
        ("retention_days = true\n", 'backup "Photos": retention_days', "whole number"),
        ("retention_days = 0\n", 'backup "Photos": retention_days', "from 1 to 3650"),
        ('enabled = "no"\n', 'backup "Photos": enabled', "true or false"),
        ("enabled = 0\n", 'backup "Photos": enabled', "true or false"),
        ("comparison_mode = 1\n", 'backup "Photos": comparison_mode', "text in quotes"),
        ('comparison_mode = "sizeonly"\n', 'backup "Photos": comparison_mode', '"size_only"'),
        ("[[storage]]\nprovider = 'NAS'\n", "storage number 3: bucket_name", "bucket's name"),
        (
            "[[storage]]\nprovider = 'NAZ'\nbucket_name = 'abc'\n",
            'storage "NAZ/abc": provider',
            '"NAS"',
        ),
        ("[[storage]]\nbucket_name = 'abc'\n", "storage number 3: provider", "Name the provider"),
        (BACKUP, 'backup "Photos": name', "twice"),
        (
            "[[storage]]\nprovider = 'r2 MAIN'\nbucket_name = 'photos'\n",
            'storage "r2 MAIN/photos": bucket_name',
            "twice",
        ),
        ("[prices]\nr2 = 0.01\n", "prices", "[prices.r2]"),
        ("[prices.wasaby]\n", "prices", '"wasabi"'),
        (
            "[prices.r2]\nreads_per_milion = 1\n",
            'prices "r2": reads_per_milion',
            '"reads_per_million"',
        ),
        ("[prices.r2]\ntraffic_per_gb = -1\n", 'prices "r2": traffic_per_gb', "0 to 1000"),
        ("[prices.r2]\ntraffic_per_gb = '1'\n", 'prices "r2": traffic_per_gb', "US dollars"),
        ("[prices.r2]\nminimum_days = 1.5\n", 'prices "r2": minimum_days', "whole number"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(
    addition: str, place: str, said: str, problems: Callable[..., dict[str, str]]
) -> None:
    found = problems(WHOLE + addition)

    assert list(found) == [place]
    assert said in found[place]
    assert everything() == []


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ('at = "02:30"', "at = 02:30:00", 'backup "Photos": at', '"02:30"'),
        ('at = "02:30"', "", 'backup "Photos": at', "HH:MM"),
        ('bucket = "photos"', 'bucket = "fotos"', 'backup "Photos": source.bucket', '"photos"'),
        ('"R2 main", bucket', '"R3 main", bucket', 'backup "Photos": source.provider', '"R2 main"'),
        ('path = "photos/"', "path = 1", 'backup "Photos": destination.path', "text"),
        ('path = "photos/"', 'path = ".."', 'backup "Photos": destination.path', ".."),
        (
            'source = {provider = "R2 main", bucket = "photos"}',
            'source = "photos"',
            'backup "Photos": source',
            "table",
        ),
        (
            'source = {provider = "R2 main", bucket = "photos"}',
            'source = {provider = "NAS", bucket = "copies"}',
            'backup "Photos": source.bucket',
            "destination only",
        ),
        ('name = "NAS"', "", "provider number 2: name", "name"),
        ("[[storage]]", "[[stroage]]", "stroage", '"storage"'),
        ('{env = "KEY_ID"}', '{env = "NO_KEY"}', 'provider "R2 main": access_key_id', "NO_KEY"),
        ('{env = "KEY_ID"}', '{var = "KEY_ID"}', 'provider "R2 main": access_key_id', "{env ="),
        ('{env = "KEY_ID"}', "12345678", 'provider "R2 main": access_key_id', "{env ="),
        ('"nas-key"', '""', 'provider "NAS": access_key_id', "key"),
        ('"secrets/r2"', '"secrets/b2"', 'provider "R2 main": secret_access_key', "secrets/b2"),
        ('"secrets/r2"', '"secrets"', 'provider "R2 main": secret_access_key', "secrets"),
        ('"secrets/r2"', '"a\\u0000b"', 'provider "R2 main": secret_access_key', "text"),
    ],
)
def test_a_mistake_in_the_file_is_told_once_it_matters(
    old: str, new: str, place: str, said: str, problems: Callable[..., dict[str, str]]
) -> None:
    assert old in WHOLE

    found = problems(WHOLE.replace(old, new))

    assert said in found[place]
    assert everything() == []


def test_a_bucket_without_a_storage_says_which_table_to_add(
    problems: Callable[..., dict[str, str]],
) -> None:
    found = problems(PROVIDERS + BACKUP)

    assert list(found) == ['backup "Photos": source.bucket', 'backup "Photos": destination.bucket']
    assert "[[storage]]" in found['backup "Photos": source.bucket']


def test_a_provider_refused_in_the_file_is_not_also_said_to_be_missing(
    problems: Callable[..., dict[str, str]],
) -> None:
    found = problems(WHOLE.replace("cloudflare_r2", "cloudflare"))

    assert list(found) == ['provider "R2 main": provider_type']


def test_all_problems_of_the_file_are_told_at_once(
    problems: Callable[..., dict[str, str]],
) -> None:
    text = (
        WHOLE.replace(ACCOUNT, "x")
        .replace('"copies"\ndisplay', '"Copies"\ndisplay')
        .replace("02:30", "2.30")
        .replace("Europe/Berlin", "Berlin")
        + "[other]\n"
    )

    assert set(problems(text)) == {
        'provider "R2 main": account_id',
        'storage "NAS/Copies": bucket_name',
        'backup "Photos": at',
        'backup "Photos": time_zone',
        "other",
    }


def test_no_problem_shows_a_secret(problems: Callable[..., dict[str, str]]) -> None:
    text = PROVIDERS.replace('"nas-secret-0001"', '["hunter22"]').replace(
        '"http://192', '"http://me:hunter22@192'
    )

    found = problems(text.replace("access_key_id", "acces_key_id") + 'hunter = "hunter22"\n')

    assert len(found) > 4
    assert not any("hunter22" in message for message in found.values())


def test_a_change_that_breaks_a_backup_outside_the_file_is_refused(
    apply: Apply, problems: Callable[..., dict[str, str]]
) -> None:
    apply(WHOLE)
    before = everything()

    found = problems(STORAGES.replace("destination_only", "source_only"))

    assert list(found) == ['backup "Photos": destination.bucket']
    assert everything() == before


def test_two_backups_of_a_file_never_share_a_destination(
    problems: Callable[..., dict[str, str]],
) -> None:
    found = problems(WHOLE + BACKUP.replace('"Photos"', '"More"'))

    assert set(found) == {'backup "Photos": destination.path', 'backup "More": destination.path'}


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"[[provider]]\nname = \n", "line 2"),
        (b"\xff\xfe", "UTF-8"),
        (b"a = " + b"[" * 100_000, "TOML"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    contents: bytes | None, said: str, tmp_path: Path, vault: Vault
) -> None:
    path = tmp_path / "setup.toml"
    if contents is not None:
        path.write_bytes(contents)

    with pytest.raises(InvalidInputError) as caught:
        applying.apply(path, vault, {})

    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "setup.toml"
    path.write_bytes(b"\xef\xbb\xbf# nothing yet\n")

    assert applying.apply(path, vault, {}) == ["unchanged"]


def test_a_hundred_backups_are_applied_and_a_second_time_nothing_changes(apply: Apply) -> None:
    text = PROVIDERS + STORAGES
    for number in range(100):
        text += BACKUP.replace('"Photos"', f'"Photos {number}"').replace(
            "photos/", f"photos-{number}"
        )

    apply(text)

    assert apply(text) == ["unchanged"]


# ---- files that are none


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda path: path.write_bytes(b"x" * 64_001), "larger than 64,000 bytes"),
    ],
    ids=["a device", "a pipe", "a folder", "too large"],
)
def test_a_secret_is_read_from_a_file_and_from_nothing_that_never_ends(
    apply: Apply, tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / "secret")

    with pytest.raises(InvalidInputError) as caught:
        apply(PROVIDERS.replace("secrets/r2", str(tmp_path / "secret")))

    assert why in str(caught.value)


def test_a_setup_file_without_an_end_is_not_read_to_it(vault: Vault) -> None:
    with pytest.raises(InvalidInputError, match="larger than 10,000,000 bytes"):
        applying.apply(Path("/dev/zero"), vault, {})
