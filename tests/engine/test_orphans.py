"""Kept versions without a backup: found in the bucket, counted, and never touched."""

import shlex
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine.engine import Engine
from bucketvault.engine.events import Live
from bucketvault.engine.orphans import removal
from bucketvault.engine.providers import Providers
from bucketvault.engine.runs.kept_versions import KeptVersionsError
from bucketvault.errors import NotFoundError
from bucketvault.store.models import Backup
from bucketvault.store.secrets import Vault
from tests import store_fixtures as make
from tests.conftest import NewBucket
from tests.support.program import Bucket
from tests.support.servers import RcloneS3, rclone_path

pytestmark = pytest.mark.usefixtures("open_store")
ROOT = ".bucketvault-archive"


@pytest.fixture
def providers(tmp_path: Path, vault: Vault) -> Providers:
    environment = {"BUCKETVAULT_DATA_DIR": str(tmp_path), "BUCKETVAULT_RCLONE": rclone_path()}
    return Providers(load_config(environment), Live(), lambda: vault)


def add(providers: Providers, server: RcloneS3, **given: str) -> int:
    return providers.create(
        make.provider_input(
            **{"endpoint": server.endpoint} | given,
            access_key_id=server.access_key_id,
            secret_access_key=server.secret_access_key,
        ),
        check=False,
    )


def test_only_what_no_backup_here_looks_after_is_told(
    providers: Providers, here: RcloneS3, new_bucket: NewBucket
) -> None:
    bucket: Bucket = new_bucket(here)
    provider = add(providers, here)
    storage = providers.import_bucket(provider, bucket.name, None, check=False)
    other = providers.import_bucket(provider, "elsewhere", None, check=False)
    stays = make.a_backup("Photos", other, storage)
    moved = make.a_backup("Video", storage, other)
    for key, body in {
        f"{stays.archive_key}/20260101T000000Z/a": b"1",
        f"{moved.archive_key}/20260201T000000Z/b": b"22",
        "mail-0a1b2c/20260301T000000Z/c": b"333",
        "mail-0a1b2c/20260401T000000Z/deep/d": b"4444",
        "mail-0a1b2c/RESTORE.txt": b"how",
        "notes/e": b"5",
    }.items():
        bucket.put(f"{ROOT}/{key}", body)
    before = bucket.keys()

    found = providers.left_behind(storage)

    told = [(e.archive_key, e.moved, e.runs, e.objects, e.size_bytes) for e in found.left]
    assert told == [("mail-0a1b2c", "", 2, 2, 7), (moved.archive_key, "Video", 1, 1, 2)]
    oldest, newest = found.left[0].oldest, found.left[0].newest
    assert oldest is not None and newest is not None
    assert (f"{oldest:%Y-%m}", f"{newest:%Y-%m}") == ("2026-03", "2026-04")
    assert (found.foreign, found.not_counted) == (("notes",), 0)
    assert bucket.keys() == before
    assert Backup.select().count() == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another key", "another name"])
def test_a_bucket_that_is_two_storages_has_the_same_backups_by_both(
    providers: Providers, here: RcloneS3, new_bucket: NewBucket, host: str
) -> None:
    bucket = new_bucket(here)
    one = add(providers, here)
    two = add(providers, here, name="Two", endpoint=here.endpoint.replace("127.0.0.1", host))
    storages = [
        providers.import_bucket(provider, bucket.name, None, check=False) for provider in (one, two)
    ]
    source = providers.import_bucket(one, "photos", None, check=False)
    backup = make.a_backup("Photos", source, storages[0])
    bucket.put(f"{ROOT}/{backup.archive_key}/20260101T000000Z/a", b"1")

    found = [providers.left_behind(storage).left for storage in storages]

    assert found == [(), ()]


def test_a_bucket_of_the_same_name_at_another_server_is_another(
    providers: Providers, here: RcloneS3, new_bucket: NewBucket
) -> None:
    bucket = new_bucket(here)
    storage = providers.import_bucket(add(providers, here), bucket.name, None, check=False)
    there = add(providers, here, name="There", endpoint="https://there.example")
    elsewhere = providers.import_bucket(there, bucket.name, None, check=False)
    backup = make.a_backup("Photos", storage, elsewhere)
    bucket.put(f"{ROOT}/{backup.archive_key}/20260101T000000Z/a", b"1")

    (found,) = providers.left_behind(storage).left

    assert (found.archive_key, found.moved, found.objects) == (backup.archive_key, "Photos", 1)


def test_a_bucket_that_is_gone_is_an_error_and_not_an_empty_answer(
    providers: Providers, here: RcloneS3
) -> None:
    storage = providers.import_bucket(add(providers, here), "gone", None, check=False)

    with pytest.raises(KeptVersionsError, match="Could not list the kept versions"):
        providers.left_behind(storage)


def test_the_way_to_remove_them_names_their_folder_alone() -> None:
    assert removal("copies", "mail-0a1b2c") == (
        "rclone --config rclone.conf purge copy:copies/.bucketvault-archive/mail-0a1b2c/"
    )


def test_the_way_to_remove_them_is_one_command_whatever_a_provider_calls_its_bucket() -> None:
    words = shlex.split(removal("it's mine; rm -rf ~ $(id)", "mail-0a1b2c"))

    place = "copy:it's mine; rm -rf ~ $(id)/.bucketvault-archive/mail-0a1b2c/"
    assert words == ["rclone", "--config", "rclone.conf", "purge", place]


def test_the_kept_versions_of_a_backup_are_asked_of_its_destination(
    providers: Providers, tmp_path: Path, vault: Vault, here: RcloneS3, new_bucket: NewBucket
) -> None:
    bucket = new_bucket(here)
    provider = add(providers, here)
    source = providers.import_bucket(provider, "photos", None, check=False)
    destination = providers.import_bucket(provider, bucket.name, None, check=False)
    backup = make.a_backup("Photos", source, destination)
    bucket.put(f"{ROOT}/{backup.archive_key}/20260101T000000Z/a", b"1")
    environment = {"BUCKETVAULT_DATA_DIR": str(tmp_path), "BUCKETVAULT_RCLONE": rclone_path()}
    engine = Engine(load_config(environment), "run")
    engine.vault = vault

    (folder,) = engine.kept_versions(backup.id).folders

    assert (folder.objects, folder.size_bytes) == (1, 1)
    with pytest.raises(NotFoundError, match="This backup no longer exists"):
        engine.kept_versions(99)
