"""Kept versions that no backup looks after any more: of deleted backups, and of moved ones.

They are only shown: whether anybody else needs them, another bucketvault above all, cannot be
known here.
"""

import datetime as dt
import shlex
from dataclasses import dataclass

from bucketvault.config import Config
from bucketvault.engine.catalogue import providers, rows
from bucketvault.engine.domain.places import server_of
from bucketvault.engine.domain.rules import ARCHIVE_KEY
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.runs.kept_versions import KeptVersions, asked_without_a_run
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.store.secrets import Vault

MOST_COUNTED = 20  # each is a listing of its own


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The kept versions of one backup that is deleted, or that copies elsewhere now."""

    archive_key: str  # the name of their folder, made from the backup's
    moved: str  # the backup's name where it still is, and copies elsewhere; empty: deleted
    runs: int  # that put something aside
    objects: int
    size_bytes: int
    oldest: dt.datetime | None  # UTC; when the first of them were replaced or removed
    newest: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """Kept versions found in one bucket."""

    bucket_name: str
    left: tuple[LeftBehind, ...]  # the largest first
    foreign: tuple[str, ...]  # names there that no bucketvault made
    not_counted: int  # more of them than were looked into


def left_behind(config: Config, vault: Vault, storage_id: int) -> Found:
    """Ask a storage's provider for kept versions without a backup; a listing for each of them.

    Raises NotFoundError, RcloneMissingError, VaultError, KeptVersionsError.
    """
    with connection():
        storage = rows.get(Storage, storage_id)
        remote = providers.decrypted_remote(storage.provider, vault)
        bucket = storage.bucket_name
        place = _place(storage)
        backups = list(
            Backup.select(Backup, Storage, Provider)
            .join(Storage, on=Backup.destination_storage)
            .join(Provider)
        )
        named = {backup.archive_key: backup.name for backup in backups}
        # by what is meant: one bucket may be two storages, by two keys or two names of its server
        here = {each.archive_key for each in backups if _place(each.destination_storage) == place}
    binary = find_binary(config.rclone)
    with asked_without_a_run():
        names = KeptVersions(binary, remote, bucket, "").all_in_bucket()
        ours = [name for name in names if name in named or ARCHIVE_KEY.fullmatch(name)]
        without = [key for key in ours if key not in here]
        left = []
        for key in without[:MOST_COUNTED]:
            folders = KeptVersions(binary, remote, bucket, key).kept(0).folders
            left.append(
                LeftBehind(
                    archive_key=key,
                    moved=named.get(key, ""),
                    runs=len(folders),
                    objects=sum(folder.objects for folder in folders),
                    size_bytes=sum(folder.size_bytes for folder in folders),
                    oldest=min((folder.replaced_at for folder in folders), default=None),
                    newest=max((folder.replaced_at for folder in folders), default=None),
                )
            )
    left.sort(key=lambda each: (-each.size_bytes, each.archive_key))
    foreign = tuple(name for name in names if name not in ours)
    return Found(bucket, tuple(left), foreign, max(0, len(without) - MOST_COUNTED))


def _place(storage: Storage) -> tuple[str, str]:
    provider = storage.provider
    server = server_of(provider.provider_type, provider.endpoint, provider.region)
    return server, storage.bucket_name


def removal(bucket: str, archive_key: str) -> str:
    """Return the command that removes them, with an rclone.conf as RESTORE.txt tells it."""
    place = command.archive(bucket, archive_key).replace("dest:", "copy:", 1)
    return f"rclone --config rclone.conf purge {shlex.quote(place)}"
