"""Creates, changes and deletes Providers, and opens their keys.

Rules of input are in `domain`, conflicts with other rows in `conflicts`. Every function
works in its own connection, or joins the caller's transaction.
"""

from dataclasses import dataclass, field

from bucketvault.engine.catalogue import conflicts, rows
from bucketvault.engine.catalogue.conflicts import key_goes_to
from bucketvault.engine.domain.fields import ProviderFields
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import (
    ChangedMeanwhileError,
    InUseError,
    MovedSecretError,
    Problem,
    VaultError,
)
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Provider, Storage
from bucketvault.store.secrets import KEY_COLUMNS, Vault, place, ready_for_secrets
from bucketvault.vocabulary import Topic


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """A Provider as it was read, to see later whether it is still the same."""

    given: ProviderFields  # what would leave it as it is
    ciphertexts: tuple[str, ...] = field(repr=False)


def check(given: ProviderFields, provider_id: int | None = None) -> list[Problem]:
    """Return what is wrong with a new Provider, or with these changes to an existing one."""
    with connection():
        return conflicts.checked_provider(given, rows.existing(Provider, provider_id))[1]


def create(given: ProviderFields, vault: Vault) -> int:
    """Store a new Provider with its keys encrypted; its id.

    Raises InvalidInputError with all problems, VaultError when nothing can be encrypted.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        values = rows.accepted(conflicts.checked_provider(given, None))
        ready_for_secrets(vault)
        row = Provider(**_in_the_clear(values))
        for column in KEY_COLUMNS:
            setattr(row, column, _sealed(vault, row, column, getattr(values, column)))
        row.save()
        return int(row.id)


def change(
    provider_id: int,
    given: ProviderFields,
    vault: Vault,
    *,
    loaded: StoredProvider | None = None,
    with_users: bool = True,
) -> tuple[str, ...]:
    """Change a Provider; keys that are None stay. The names of the fields that really changed.

    `loaded` is what the change started from: where the row is another by now, nothing is written.
    Without `with_users` the caller looks for `conflicts.contradictions` itself, before it commits.
    Raises NotFoundError, ChangedMeanwhileError, InvalidInputError with all problems, VaultError.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Provider, provider_id)
        _refuse_other_provider(loaded, _stored(row))
        values = rows.accepted(conflicts.checked_provider(given, row, with_users=with_users))
        changed = rows.take_over(row, _in_the_clear(values))
        if {"provider_type", "endpoint", "region"} & {*changed}:  # other buckets of the same names
            Storage.update(traits={}).where(Storage.provider == row).execute()
        for column in KEY_COLUMNS:
            secret = getattr(values, column)
            if secret is not None and not _holds(vault, row, column, secret):
                setattr(row, column, _sealed(vault, row, column, secret))
                changed.append(column)
        return rows.save(row, changed)


def delete(provider_id: int) -> None:
    """Delete a Provider and its keys; InUseError while Storages name it, NotFoundError."""
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Provider, provider_id)
        storages = Storage.select(Storage.bucket_name).where(Storage.provider == row)
        users = [storage.bucket_name for storage in storages.order_by(Storage.bucket_name)]
        if users:
            raise InUseError(
                f'The provider "{row.name}" has storages: {rows.named(users)}.',
                "Delete these storages first.",
            )
        row.delete_instance()


def stored(provider_id: int) -> StoredProvider:
    """A Provider as it is stored now. Raises NotFoundError."""
    with connection():
        return _stored(rows.get(Provider, provider_id))


def place_of_key(provider: Provider, column: str, values: ProviderFields | None = None) -> str:
    """Return the associated data of a key: its row, and where it is sent to.

    `values`: what the provider is to become.
    """
    return place("provider", column, provider.uuid, key_goes_to(values or provider))


def opened_key(
    provider: Provider, column: str, vault: Vault, values: ProviderFields | None = None
) -> str:
    """Return one key in the clear, for the address of `values`: keep it in memory only.

    Raises VaultError; MovedSecretError when it was entered for another address.
    """
    try:
        return vault.decrypt(getattr(provider, column), place_of_key(provider, column, values))
    except MovedSecretError as error:
        raise MovedSecretError(
            f'The stored key of the provider "{provider.name}" cannot be read: the key, or the '
            "address it was entered for, was changed outside bucketvault.",
            "Check the provider's address, then enter both keys again.",
        ) from error


def decrypted_keys(provider: Provider, vault: Vault) -> tuple[str, str]:
    """Access key id and secret in the clear: keep them in memory only. Raises VaultError."""
    access_key_id, secret_access_key = (
        opened_key(provider, column, vault) for column in KEY_COLUMNS
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


def _in_the_clear(values: ProviderFields) -> dict[str, str]:
    return {name: getattr(values, name) for name in ("name", "provider_type", "endpoint", "region")}


def _stored(row: Provider) -> StoredProvider:
    region = "" if row.region == "auto" else row.region
    given = ProviderFields(row.name, row.provider_type, row.endpoint, region=region)
    return StoredProvider(given, tuple(getattr(row, column) for column in KEY_COLUMNS))


def _refuse_other_provider(loaded: StoredProvider | None, stored: StoredProvider) -> None:
    if loaded is None or loaded == stored:
        return
    names = rows.different(loaded.given, stored.given)
    keys = zip(KEY_COLUMNS, loaded.ciphertexts, stored.ciphertexts, strict=True)
    raise ChangedMeanwhileError([*names, *(name for name, old, new in keys if old != new)])


def _sealed(vault: Vault, row: Provider, column: str, secret: str) -> str:
    return vault.encrypt(secret, place_of_key(row, column))


def _holds(vault: Vault, row: Provider, column: str, secret: str) -> bool:
    """True if this secret is already stored; one that does not decrypt is to be replaced."""
    try:
        return opened_key(row, column, vault) == secret
    except VaultError:
        return False
