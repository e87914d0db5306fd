"""Deletes what a setup file does not name. Buckets, and what is in them, are never touched."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from bucketvault.engine.alerts import targets
from bucketvault.engine.catalogue import backups, providers, storages
from bucketvault.engine.domain.rules import same_name
from bucketvault.engine.setup.reading import Entry
from bucketvault.errors import InUseError, Problem
from bucketvault.humanize import many
from bucketvault.sanitize import clean
from bucketvault.store.models import AlertTarget, Backup, Provider, Storage

NAME_IT = "Name it in the file, too."


class Pruned(NamedTuple):
    """One that went, in words, or why it could not go."""

    words: str
    problem: Problem | None = None


def backups_beside(entries: Iterable[Entry]) -> Iterator[Pruned]:
    """Delete every Backup that no entry names, with its history; none while one of it runs."""
    named = _named(entries, "backup")
    for row in Backup.select().order_by(Backup.name):
        if (same_name(row.name),) not in named:
            place = f"{row.destination_storage.bucket_name}/{row.destination_path}".rstrip("/")
            runs = backups.going(row.id).runs
            yield _one(
                f'backup "{clean(row.name)}" and its history of {many(runs, "run")}; its copy and '
                f"its old versions stay in {clean(place)}",
                f'backup "{clean(row.name)}"',
                partial(backups.delete, row.id),
                "Stop the run, or wait until it ends.",
            )


def ends_beside(entries: Iterable[Entry]) -> Iterator[Pruned]:
    """Delete every Storage, every Provider and every target of alerts that no entry names."""
    named = _named(entries, "storage")
    for row in Storage.select(Storage, Provider).join(Provider).order_by(Storage.id):
        if (same_name(row.provider.name), same_name(row.bucket_name)) not in named:
            words = f'storage "{clean(f"{row.provider.name}/{row.bucket_name}")}"'
            delete = partial(storages.delete, row.id)
            yield _one(f"{words}; the bucket stays", words, delete, NAME_IT)
    named = _named(entries, "provider")
    for provider in Provider.select().order_by(Provider.name):
        if (same_name(provider.name),) not in named:
            words = f'provider "{clean(provider.name)}"'
            delete = partial(providers.delete, provider.id)
            yield _one(f"{words} and its stored keys", words, delete, NAME_IT)
    named = _named(entries, "alert")
    for target in AlertTarget.select().order_by(AlertTarget.name):
        if (same_name(target.name),) not in named:
            words = f'alert "{clean(target.name)}"'
            yield _one(f"{words} and its URL", words, partial(targets.delete, target.id), NAME_IT)


def _named(entries: Iterable[Entry], kind: str) -> set[tuple[str, ...]]:
    return {entry.key for entry in entries if entry.kind == kind}


def _one(words: str, place: str, delete: Callable[[], object], hint: str) -> Pruned:
    try:
        delete()
    except InUseError as error:
        return Pruned("", Problem(place, f"{error.summary} {hint}"))
    return Pruned(words)
