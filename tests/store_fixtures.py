"""A fresh database on the disk for each test, and the things of the field to put in it."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bucketvault.config import DATABASE_NAME
from bucketvault.engine.domain.fields import BackupFields, ProviderFields, StorageFields
from bucketvault.store import database
from bucketvault.store.database import close_database, on_written, open_database, writing
from bucketvault.store.models import Backup, BackupRun, Provider, Storage, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import ProviderType, Reason, RunStatus, Trigger

ACCOUNT = "0123456789abcdef0123456789abcdef"
KEY_ID = "AKIAEXAMPLE000000001"
SECRET = "example-secret-0001"


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh database as a first start leaves it; made once, since each test needs a copy."""
    path = tmp_path_factory.mktemp("new") / DATABASE_NAME
    open_database(path)
    close_database()
    return path


@pytest.fixture
def open_store(
    data_folder: Path, new_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The path of the open database, which does not wait for the disk: no test cuts the power."""
    hasty = dict(database.OF_A_CONNECTION) | {"synchronous": "off"}
    monkeypatch.setattr(database, "OF_A_CONNECTION", tuple(hasty.items()))
    path = data_folder / DATABASE_NAME
    shutil.copy(new_database, path)
    open_database(path)
    yield path
    close_database()


@pytest.fixture
def told(open_store: Path) -> Iterator[list[str]]:
    """The topics of every commit, in the order in which they are told."""
    topics: list[str] = []
    on_written(topics.extend)
    yield topics
    on_written(None)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault that has no key yet."""
    return Vault(tmp_path / "config" / "secret.key")


def provider_input(**given: Any) -> ProviderFields:
    return ProviderFields(
        **{
            "name": "Local",
            "provider_type": "amazon_s3",
            "endpoint": "http://127.0.0.1:9000",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
            **given,
        }
    )


def storage_input(provider_id: object, **given: Any) -> StorageFields:
    return StorageFields(**{"provider_id": provider_id, "bucket_name": "photos", **given})


def backup_input(source: object, destination: object, **given: Any) -> BackupFields:
    return BackupFields(
        **{
            "name": "Photos",
            "source_storage_id": source,
            "source_path": "",
            "destination_storage_id": destination,
            "destination_path": "",
            "schedule": "daily",
            "at": "02:30",
            "weekday": None,
            "time_zone": "Europe/Berlin",
            **given,
        }
    )


def a_provider(name: str = "Local", **given: Any) -> Provider:
    """A stored Provider whose keys nobody will open."""
    fields = {
        "provider_type": ProviderType.AMAZON_S3,
        "access_key_id": "v1.x.x.x",
        "secret_access_key": "v1.x.x.x",
        **given,
    }
    with writing():
        return Provider.create(name=name, **fields)


def a_storage(provider: Provider, bucket_name: str, **given: Any) -> Storage:
    with writing():
        return Storage.create(provider=provider, bucket_name=bucket_name, **given)


def a_backup(name: str, source: Storage, destination: Storage, **given: Any) -> Backup:
    fields = {"at": "02:30", "time_zone": "UTC", "archive_key": f"{name}-key".lower(), **given}
    with writing():
        return Backup.create(
            name=name, source_storage=source, destination_storage=destination, **fields
        )


def a_run(backup: Backup, status: RunStatus = RunStatus.SUCCESS, **given: Any) -> BackupRun:
    """A stored run, with what its status needs."""
    fields: dict[str, Any] = {"trigger": Trigger.SCHEDULE, **given}
    if status in (RunStatus.SUCCESS, RunStatus.FAILED):
        fields.setdefault("finished_at", utcnow())
    if status == RunStatus.FAILED:
        fields.setdefault("reason", Reason.RCLONE_ERROR)
    with writing():
        return BackupRun.create(backup=backup, status=status, **fields)


def at(hour: int, day: int = 1) -> dt.datetime:
    """A time in November 2026, UTC."""
    return dt.datetime(2026, 11, day, hour, tzinfo=dt.UTC)


def fields(problems: Any) -> set[str]:
    """The names of the fields that something is wrong with."""
    return {problem.field for problem in problems}


@pytest.fixture
def ends(open_store: Path) -> tuple[Storage, Storage]:
    """A bucket to copy from and one to copy to, at two providers."""
    source = a_storage(a_provider("Here", endpoint="https://here.example"), "photos")
    destination = a_storage(a_provider("There", endpoint="https://there.example"), "copies")
    return source, destination
