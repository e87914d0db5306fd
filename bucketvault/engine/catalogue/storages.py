"""Creates, changes and deletes Storages; see `providers` for the house rules."""

from dataclasses import replace

from bucketvault.engine.catalogue import conflicts, rows
from bucketvault.engine.domain.fields import StorageFields
from bucketvault.engine.domain.places import Chosen
from bucketvault.engine.domain.traits import Traits
from bucketvault.errors import InUseError, Problem
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, Storage, utcnow
from bucketvault.vocabulary import Topic, UsageType


def check(
    given: StorageFields, storage_id: int | None = None, *, listed: bool = False
) -> list[Problem]:
    """Return what is wrong with a new Storage, or with these changes to an existing one.

    `listed`: the provider itself named the bucket, so the name need not follow today's rules.
    """
    with connection():
        row = rows.existing(Storage, storage_id)
        return conflicts.checked_storage(given, row, listed=listed)[1]


def create(given: StorageFields, *, listed: bool = False, seen: bool = False) -> int:
    """Store a new Storage; its id. `seen`: the bucket is there, by its provider's own word.

    Raises InvalidInputError with all problems.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        values = rows.accepted(conflicts.checked_storage(given, None, listed=listed))
        seen_at = utcnow() if seen else None
        return int(Storage.create(**rows.fields_of(values), checked_at=seen_at).id)


def of_chosen(chosen: Chosen, usage: UsageType | None) -> int:
    """Return the id of a bucket's Storage; without one yet, make it for `usage` alone.

    Raises InvalidInputError.
    """
    with writing():
        provider_id, name = chosen.at
        row = Storage.get_or_none(Storage.provider == provider_id, Storage.bucket_name == name)
        if row is not None:
            return int(row.id)
        given = StorageFields(provider_id, name, usage_type=usage)
        return create(given, listed=chosen.listed, seen=chosen.seen)


def change(
    storage_id: int, given: StorageFields, *, listed: bool = False, with_users: bool = True
) -> tuple[str, ...]:
    """Change a Storage; the names of the fields that really changed.

    Without `with_users` the caller looks for `conflicts.contradictions` itself, before it commits.
    Raises NotFoundError, InvalidInputError with all problems.
    """
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Storage, storage_id)
        found = conflicts.checked_storage(given, row, listed=listed, with_users=with_users)
        changed = rows.take_over(row, rows.fields_of(rows.accepted(found)))
        if {"provider_id", "bucket_name"} & {*changed}:
            row.traits = {}  # they were another bucket's
        return rows.save(row, changed)


def describe(storage_id: int, display_name: str, usage: str | None) -> None:
    """Call a Storage something else, or use it for something else.

    Raises InvalidInputError, NotFoundError.
    """
    with writing():
        usage_type = UsageType(usage) if usage else None
        given = replace(stored(storage_id), display_name=display_name, usage_type=usage_type)
        change(storage_id, given)


def learn(provider_id: int, bucket: str, learned: Traits) -> None:
    """Note what a bucket was found to do, beside what was known; nothing where it is gone."""
    with writing():
        row = Storage.get_or_none(Storage.provider == provider_id, Storage.bucket_name == bucket)
        known = Traits() if row is None else Traits.from_json(row.traits)
        found = known.with_learned(learned)
        if row is not None and found != known:
            with writing(Topic.CATALOGUE):
                row.traits = found.to_json()
                row.save()


def delete(storage_id: int) -> None:
    """Delete a Storage, not the bucket; InUseError while Backups use it, NotFoundError."""
    with writing(Topic.CATALOGUE, Topic.BACKUPS):
        row = rows.get(Storage, storage_id)
        is_end = (Backup.source_storage == row) | (Backup.destination_storage == row)
        backups = Backup.select(Backup.name).where(is_end).order_by(Backup.name)
        users = [backup.name for backup in backups]
        if users:
            raise InUseError(
                f'The storage "{row.bucket_name}" is used by the backups {rows.named(users)}.',
                "Change or delete these backups first.",
            )
        row.delete_instance()


def stored(storage_id: int) -> StorageFields:
    """Return input that leaves a Storage as it is: a form's first values."""
    with connection():
        row = rows.get(Storage, storage_id)
        return StorageFields(row.provider_id, row.bucket_name, row.display_name, row.usage_type)
