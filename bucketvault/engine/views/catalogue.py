"""Providers and Storages as pages show them: plain values, as many queries for any number."""

import datetime as dt
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from bucketvault.engine.catalogue import providers
from bucketvault.engine.domain.places import b2_endpoint
from bucketvault.engine.domain.services import service_of
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.views.queries import newest
from bucketvault.errors import MovedSecretError, NotFoundError, VaultError
from bucketvault.store.database import connection
from bucketvault.store.models import IS_GOOD, Backup, BackupRun, Provider, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import ProviderType, StorageClass, UsageType

SHOWN_OF_A_KEY = 4
LONG_ENOUGH = 12  # of a shorter access key id, four characters would be too much


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider in the list."""

    id: int
    name: str
    provider_type: ProviderType
    compatible: bool  # any S3-compatible service: `AMAZON_S3` with an endpoint
    address: str  # where it answers: a host, with a port perhaps
    region: str  # empty: it has none, or the address says it
    storages: int
    backups: tuple[str, ...]  # names of those that copy from or to it
    keys_readable: bool  # False: the key file is another, or gone, or see `keys_moved`
    key_end: str  # the last characters of the access key id; empty where that says too much
    changed_at: dt.datetime
    keys_moved: bool = False  # they, or their address, were changed outside this program
    # that a copy to one of its buckets may get
    storage_classes: tuple[StorageClass, ...] = (StorageClass.STANDARD,)


@dataclass(frozen=True, slots=True)
class Use:
    """One end of a backup that a storage is."""

    backup_id: int
    backup_name: str
    copies_from: bool  # else it copies to it
    path: str  # empty: the whole bucket


@dataclass(frozen=True, slots=True)
class StorageRow:
    """One storage in the list."""

    id: int
    provider_id: int
    provider_name: str
    provider_type: ProviderType
    bucket_name: str
    display_name: str
    usage_type: UsageType | None
    uses: tuple[Use, ...]
    # As the last runs saw it: the most that a backup read from it, or all that backups copied to
    # it, without kept versions. None: no run has measured it.
    objects: int | None
    size_bytes: int | None
    # None: its name was typed, or came from a file, and nothing has looked whether it is there
    checked_at: dt.datetime | None
    # that a copy to it may get
    storage_classes: tuple[StorageClass, ...] = (StorageClass.STANDARD,)
    traits: Traits = field(default=Traits())

    @property
    def shown_name(self) -> str:
        """Return the name that people use."""
        return self.display_name or self.bucket_name


def provider_rows(vault: Vault) -> list[ProviderRow]:
    """Every provider by name."""
    with connection():
        storages: dict[int, list[StorageRow]] = defaultdict(list)
        for storage in storage_rows():
            storages[storage.provider_id].append(storage)
        rows = list(Provider.select().order_by(Provider.name))
        return [_provider_row(row, vault, storages[row.id]) for row in rows]


def provider_row(provider_id: int, vault: Vault) -> tuple[ProviderRow, list[StorageRow]]:
    """One provider with its storages by bucket. Raises NotFoundError."""
    with connection():
        row = Provider.get_or_none(Provider.id == provider_id)
        if row is None:
            raise NotFoundError("There is no such provider.", "It may have been deleted.")
        storages = [each for each in storage_rows() if each.provider_id == provider_id]
        return _provider_row(row, vault, storages), storages


def storage_rows() -> list[StorageRow]:
    """Every storage, by provider and bucket."""
    with connection():
        uses, sizes = _uses_and_sizes()
        query: Any = Storage.select(  # Any: peewee's queries have no types
            Storage.id,
            Storage.provider.alias("provider_id"),
            Provider.name.alias("provider_name"),
            Provider.provider_type.alias("provider_type"),
            Storage.bucket_name,
            Storage.display_name,
            Storage.usage_type,
            Storage.checked_at,
            Storage.traits,
            Provider.endpoint.alias("endpoint"),
        ).join(Provider)
        rows = []
        for row in query.order_by(Provider.name, Storage.bucket_name).dicts():
            size_bytes, objects = sizes.get(row["id"], (None, None))
            service = service_of(row["provider_type"], row.pop("endpoint"))
            row |= {"uses": tuple(uses[row["id"]]), "storage_classes": service.storage_classes}
            row["traits"] = Traits.from_json(row["traits"])
            rows.append(StorageRow(**row, objects=objects, size_bytes=size_bytes))
        return rows


def _provider_row(row: Provider, vault: Vault, storages: list[StorageRow]) -> ProviderRow:
    key_id, moved = None, False
    try:
        key_id, _ = providers.decrypted_keys(row, vault)
    except VaultError as error:
        moved = isinstance(error, MovedSecretError)
    names = {use.backup_name for storage in storages for use in storage.uses}
    return ProviderRow(
        id=row.id,
        name=row.name,
        provider_type=row.provider_type,
        compatible=row.provider_type is ProviderType.AMAZON_S3 and bool(row.endpoint),
        address=_address(row),
        region="" if row.region == "auto" else row.region,
        storages=len(storages),
        backups=tuple(sorted(names)),
        keys_readable=key_id is not None,
        keys_moved=moved,
        key_end=key_id[-SHOWN_OF_A_KEY:] if key_id and len(key_id) >= LONG_ENOUGH else "",
        changed_at=row.updated_at,
        storage_classes=service_of(row.provider_type, row.endpoint).storage_classes,
    )


def _address(row: Provider) -> str:
    endpoint = row.endpoint
    if not endpoint and row.provider_type is ProviderType.BACKBLAZE_B2:
        endpoint = b2_endpoint(row.region)
    if not endpoint:
        return f"s3.{row.region}.amazonaws.com"
    return urllib.parse.urlsplit(endpoint).netloc


def _uses_and_sizes() -> tuple[dict[int, list[Use]], dict[int, tuple[int, int]]]:
    """By storage: the backups it is an end of, and the bytes and objects they found in it."""
    uses: dict[int, list[Use]] = defaultdict(list)
    read: dict[int, list[tuple[int, int]]] = defaultdict(list)
    written: dict[int, list[tuple[int, int]]] = defaultdict(list)
    measured = BackupRun.source_bytes.is_null(False) & BackupRun.source_objects.is_null(False)
    good = measured & IS_GOOD
    query: Any = Backup.select(  # Any: peewee's queries have no types
        Backup,
        newest(BackupRun.source_objects, measured).alias("read_objects"),
        newest(BackupRun.source_bytes, measured).alias("read_bytes"),
        newest(BackupRun.source_objects, good).alias("copied_objects"),
        newest(BackupRun.source_bytes, good).alias("copied_bytes"),
    ).order_by(Backup.name)
    for row in query.objects(SimpleNamespace):
        source, destination = row.source_storage, row.destination_storage
        uses[source].append(Use(row.id, row.name, True, row.source_path))
        uses[destination].append(Use(row.id, row.name, False, row.destination_path))
        if row.read_bytes is not None:
            read[source].append((row.read_bytes, row.read_objects))
        if row.copied_bytes is not None:
            written[destination].append((row.copied_bytes, row.copied_objects))
    # two backups may read the same objects; no two may write to the same place
    for storage, found in written.items():
        read[storage].append((sum(size for size, _ in found), sum(count for _, count in found)))
    return uses, {storage: max(found) for storage, found in read.items()}
