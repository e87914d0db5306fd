"""Creates, changes and deletes Providers, Storages and Backups, and opens a Provider's keys.

What may be entered is in `rules` and `inputs`, what other rows stand against in `checks`. Every
function works in its own connection, or joins the caller's transaction.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bucketvault.engine.catalogue import conflicts
from bucketvault.engine.catalogue.conflicts import check_backup as check_backup
from bucketvault.engine.catalogue.conflicts import check_provider as check_provider
from bucketvault.engine.catalogue.conflicts import check_storage as check_storage
from bucketvault.engine.ciphertexts import KEY_COLUMNS, ready_for_secrets
from bucketvault.engine.domain.fields import BackupInput as BackupInput
from bucketvault.engine.domain.fields import ProviderInput as ProviderInput
from bucketvault.engine.domain.fields import StorageInput as StorageInput
from bucketvault.engine.domain.times import next_due
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs import queue
from bucketvault.errors import (
    ChangedMeanwhileError,
    InUseError,
    InvalidInputError,
    Problem,
    VaultError,
)
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, BaseModel, Provider, Storage, new_id, utcnow
from bucketvault.store.secrets import Vault, place
from bucketvault.vocabulary import RunStatus

USERS_NAMED = 5  # in a refusal; the rest are counted
SLUG_LENGTH = 40
TIMING = ("schedule", "at", "weekday", "time_zone", "enabled")


# ---- providers


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """A Provider as somebody found it, to see later whether it is still the same."""

    given: ProviderInput  # what would leave it as it is
    ciphertexts: tuple[str, ...] = field(repr=False)


def create_provider(given: ProviderInput, vault: Vault) -> int:
    """Store a new Provider with its keys encrypted; its id.

    Raises InvalidInputError with all problems, VaultError when nothing can be encrypted.
    """
    with writing():
        values, problems = conflicts.checked_provider(given, None)
        _refuse(problems)
        ready_for_secrets(vault)
        row = Provider(
            id=new_id(Provider),
            name=values.name,
            provider_type=values.provider_type,
            endpoint=values.endpoint,
            region=values.region,
        )
        for column in KEY_COLUMNS:
            setattr(row, column, _sealed(vault, row, column, getattr(values, column)))
        row.save(force_insert=True)
        return int(row.id)


def change_provider(
    provider_id: int,
    given: ProviderInput,
    vault: Vault,
    *,
    loaded: StoredProvider | None = None,
    with_users: bool = True,
) -> tuple[str, ...]:
    """Change a Provider; keys that are None stay. The names of the fields that really changed.

    `loaded` is what the change started from: where the row is another by now, nothing is written.
    Without `with_users` the caller looks for `checks.contradictions` itself, before it commits.
    Raises NotFoundError, ChangedMeanwhileError, InvalidInputError with all problems, VaultError.
    """
    with writing():
        row = conflicts.get(Provider, provider_id)
        _refuse_other_provider(loaded, _stored(row))
        values, problems = conflicts.checked_provider(given, row, with_users=with_users)
        _refuse(problems)
        changed = _take_over(row, values, ("name", "provider_type", "endpoint", "region"))
        for column in KEY_COLUMNS:
            secret = getattr(values, column)
            if secret is not None and not _holds(vault, row, column, secret):
                setattr(row, column, _sealed(vault, row, column, secret))
                changed.append(column)
        return _save(row, changed)


def delete_provider(provider_id: int) -> None:
    """Delete a Provider and its keys; InUseError while Storages name it, NotFoundError."""
    with writing():
        row = conflicts.get(Provider, provider_id)
        storages = Storage.select(Storage.bucket_name).where(Storage.provider == row)
        users = [storage.bucket_name for storage in storages.order_by(Storage.bucket_name)]
        if users:
            raise InUseError(
                f'The provider "{row.name}" has storages: {_named(users)}.',
                "Delete these storages first.",
            )
        row.delete_instance()


def provider_input(provider_id: int) -> ProviderInput:
    """What would leave a Provider as it is: what a form starts from. Keys are never in it."""
    return stored_provider(provider_id).given


def stored_provider(provider_id: int) -> StoredProvider:
    """A Provider as it is stored now. Raises NotFoundError."""
    with connection():
        return _stored(conflicts.get(Provider, provider_id))


def decrypted_keys(provider: Provider, vault: Vault) -> tuple[str, str]:
    """Access key id and secret in the clear: keep them in memory only. Raises VaultError."""
    access_key_id, secret_access_key = (
        vault.decrypt(getattr(provider, column), place("provider", column, provider.uuid))
        for column in KEY_COLUMNS
    )
    return access_key_id, secret_access_key


def decrypted_remote(provider: Provider, vault: Vault) -> Remote:
    """How rclone reaches a Provider, with its keys in the clear: keep it in memory only.

    Raises VaultError when the keys cannot be decrypted, BucketvaultError when the endpoint may not
    be asked.
    """
    conflicts.refuse_endpoint(provider)
    access_key_id, secret_access_key = decrypted_keys(provider, vault)
    return Remote(
        label=provider.name,
        provider_type=provider.provider_type,
        endpoint=provider.endpoint,
        region=provider.region,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
    )


# ---- storages


def create_storage(given: StorageInput, *, listed: bool = False) -> int:
    """Store a new Storage; its id. Raises InvalidInputError with all problems."""
    with writing():
        values, problems = conflicts.checked_storage(given, None, listed=listed)
        _refuse(problems)
        return int(Storage.create(id=new_id(Storage), **conflicts.fields_of(values)).id)


def change_storage(
    storage_id: int, given: StorageInput, *, listed: bool = False, with_users: bool = True
) -> tuple[str, ...]:
    """Change a Storage; the names of the fields that really changed.

    Without `with_users` the caller looks for `checks.contradictions` itself, before it commits.
    Raises NotFoundError, InvalidInputError with all problems.
    """
    with writing():
        row = conflicts.get(Storage, storage_id)
        values, problems = conflicts.checked_storage(
            given, row, listed=listed, with_users=with_users
        )
        _refuse(problems)
        return _save(row, _take_over(row, values, conflicts.fields_of(values)))


def delete_storage(storage_id: int) -> None:
    """Delete a Storage, not the bucket; InUseError while Backups use it, NotFoundError."""
    with writing():
        row = conflicts.get(Storage, storage_id)
        users = [
            backup.name
            for backup in Backup.select(Backup.name)
            .where((Backup.source_storage == row) | (Backup.destination_storage == row))
            .order_by(Backup.name)
        ]
        if users:
            raise InUseError(
                f'The storage "{row.bucket_name}" is used by the backups {_named(users)}.',
                "Change or delete these backups first.",
            )
        row.delete_instance()


def storage_input(storage_id: int) -> StorageInput:
    """What would leave a Storage as it is: what a form starts from."""
    with connection():
        row = conflicts.get(Storage, storage_id)
        usage = None if row.usage_type is None else str(row.usage_type)
        return StorageInput(row.provider_id, row.bucket_name, row.display_name, usage)


# ---- backups


def create_backup(given: BackupInput, *, with_others: bool = True) -> int:
    """Store a new Backup; its id. Raises InvalidInputError with all problems.

    Without `with_others` the caller looks for `checks.contradictions` itself, before it commits.
    """
    with writing():
        values, problems = conflicts.checked_backup(given, None, with_others=with_others)
        _refuse(problems)
        key = _new_archive_key(values.name)
        row = Backup(id=new_id(Backup), archive_key=key, **conflicts.fields_of(values))
        _plan_anew(row)
        row.save(force_insert=True)
        return int(row.id)


def change_backup(
    backup_id: int,
    given: BackupInput,
    *,
    loaded: BackupInput | None = None,
    with_others: bool = True,
) -> tuple[str, ...]:
    """Change a Backup, from its next run on; the names of the fields that really changed.

    The folder of its kept versions stays the same, also under a new name. `loaded` is what the
    change started from: where the row is another by now, nothing is written. Without `with_others`
    the caller looks for `checks.contradictions` itself, before it commits.
    Raises NotFoundError, ChangedMeanwhileError, InvalidInputError with all problems.
    """
    with writing():
        row = conflicts.get(Backup, backup_id)
        _refuse_changed_since(loaded, _input_of(row))
        values, problems = conflicts.checked_backup(given, row, with_others=with_others)
        _refuse(problems)
        changed = _take_over(row, values, conflicts.fields_of(values))
        if set(changed) & set(TIMING):
            _plan_anew(row)
        if "enabled" in changed and not row.enabled:
            queue.cancel_planned(row.id)
        return _save(row, changed)


def delete_backup(backup_id: int) -> None:
    """Delete a Backup with its runs and logs, and a run that waits; what it copied stays.

    Raises InUseError while a run is under way, NotFoundError.
    """
    with writing():
        row = conflicts.get(Backup, backup_id)
        running = (BackupRun.backup == row) & (BackupRun.status == RunStatus.RUNNING)
        if BackupRun.select().where(running).exists():
            raise InUseError(
                f'The backup "{row.name}" is running.', "Stop the run, or wait for its end."
            )
        row.delete_instance()  # its runs, and their logs, go with it in the database


def backup_input(backup_id: int) -> BackupInput:
    """What would leave a Backup as it is: what a form starts from."""
    with connection():
        return _input_of(conflicts.get(Backup, backup_id))


def set_enabled(backup_id: int, enabled: bool) -> bool:
    """Switch the schedule of a Backup on or off; whether a planned run that waited was taken out.

    Raises NotFoundError, InvalidInputError where it could not run as things are now.
    """
    with writing():
        row = conflicts.get(Backup, backup_id)
        if row.enabled == enabled:
            return False
        if enabled:
            _refuse(conflicts.checked_backup(replace(_input_of(row), enabled=True), row)[1])
        row.enabled = enabled
        _plan_anew(row)
        row.save()
        return not enabled and queue.cancel_planned(row.id)


# ---- how it is done


def _input_of(row: Backup) -> BackupInput:
    return BackupInput(
        name=row.name,
        source_storage_id=row.source_storage_id,
        source_path=row.source_path,
        destination_storage_id=row.destination_storage_id,
        destination_path=row.destination_path,
        schedule=str(row.schedule),
        at=row.at,
        weekday=None if row.weekday is None else str(row.weekday),
        time_zone=row.time_zone,
        enabled=row.enabled,
        retention_days=row.retention_days,
        comparison_mode=str(row.comparison_mode),
        shrink_limit_percent=row.shrink_limit_percent,
    )


def _plan_anew(row: Backup) -> None:
    """Planned times count from now on, and what was missed of others is over."""
    now = utcnow()
    row.next_due_at = next_due(row, now) if row.enabled else None
    row.planned_since = now
    row.overdue_since = None


def _stored(row: Provider) -> StoredProvider:
    region = "" if row.region == "auto" else row.region
    given = ProviderInput(row.name, str(row.provider_type), row.endpoint, region=region)
    return StoredProvider(given, tuple(getattr(row, column) for column in KEY_COLUMNS))


def _refuse_other_provider(loaded: StoredProvider | None, stored: StoredProvider) -> None:
    if loaded is None or loaded == stored:
        return
    names = _different(loaded.given, stored.given)
    keys = zip(KEY_COLUMNS, loaded.ciphertexts, stored.ciphertexts, strict=True)
    raise ChangedMeanwhileError([*names, *(name for name, old, new in keys if old != new)])


def _refuse_changed_since(loaded: BackupInput | None, stored: BackupInput) -> None:
    if loaded is None or loaded == stored:
        return
    raise ChangedMeanwhileError(_different(loaded, stored))


def _different(one: Any, other: Any) -> list[str]:
    """The names of the fields in which two inputs differ."""
    names = (each.name for each in fields(one))
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise InvalidInputError(problems)


def _take_over(row: BaseModel, values: object, names: Iterable[str]) -> list[str]:
    """Set what differs; the names of it."""
    changed = [name for name in names if getattr(row, name) != getattr(values, name)]
    for name in changed:
        setattr(row, name, getattr(values, name))
    return changed


def _save(row: Any, changed: list[str]) -> tuple[str, ...]:
    if changed:
        row.save()
    return tuple(changed)


def _sealed(vault: Vault, row: Provider, column: str, secret: str) -> str:
    return vault.encrypt(secret, place("provider", column, row.uuid))


def _holds(vault: Vault, row: Provider, column: str, secret: str) -> bool:
    """Whether this secret is already stored; one that does not decrypt is to be replaced."""
    try:
        return vault.decrypt(getattr(row, column), place("provider", column, row.uuid)) == secret
    except VaultError:
        return False


def _new_archive_key(name: str) -> str:
    """What names a Backup's kept versions for ever: readable, and never used before."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].strip("-") or "backup"
    while True:
        key = f"{slug}-{secrets.token_hex(3)}"
        if not Backup.select().where(Backup.archive_key == key).exists():
            return key


def _named(users: Sequence[str]) -> str:
    """The first users by name, and how many more there are."""
    shown = ", ".join(f'"{user}"' for user in users[:USERS_NAMED])
    rest = len(users) - USERS_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
