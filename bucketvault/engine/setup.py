"""Applies `setup.toml`: creates and changes by name, all or nothing, and never deletes.

The file says what is to be; what it leaves out of something that exists stays as it is there. A
Provider's type and address, and either end of a Backup, are taken as a whole. Applied twice, the
second time changes nothing.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bucketvault.engine import settings
from bucketvault.engine.catalogue import backups, conflicts, providers, storages
from bucketvault.engine.domain.fields import BackupInput, ProviderInput, StorageInput
from bucketvault.engine.domain.rules import did_you_mean, same_name
from bucketvault.engine.domain.times import server_time_zone
from bucketvault.engine.setup_file import Entry, read_entries
from bucketvault.errors import InvalidInputError, Problem
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Schedule

UNCHANGED = "unchanged"

# What the file calls a field that has another name inside.
_FILE_NAMES = {
    "provider_id": "provider",
    "source_storage_id": "source.bucket",
    "source_path": "source.path",
    "destination_storage_id": "destination.bucket",
    "destination_path": "destination.path",
}
_ADDRESS = ("endpoint", "account_id", "region")

Given = TypeVar("Given", ProviderInput, StorageInput, BackupInput)


def apply(path: Path, vault: Vault, environ: Mapping[str, str]) -> list[str]:
    """Make the database say what the file says; one line for each change, or `unchanged`.

    Secrets may come from `environ` or from files beside the file; no message holds one. Raises
    InvalidInputError with all problems of the whole file (then nothing was written), VaultError.
    """
    entries, problems = read_entries(path, environ)
    work = _Work(entries, vault, server_time_zone(environ), problems)
    with writing():
        work.do()
        if work.problems:
            raise InvalidInputError(work.problems)  # and so nothing is committed
    return work.lines or [UNCHANGED]


@dataclass(slots=True)
class _Work:
    """One application of a file, inside one transaction."""

    entries: Sequence[Entry]
    vault: Vault
    time_zone: str  # of Backups that name none
    problems: list[Problem]
    lines: list[str] = field(default_factory=list)
    written_backups: list[int] = field(default_factory=list)

    def do(self) -> None:
        """Write what can be written, and note every problem on the way."""
        for entry in self.entries:
            if entry.kind == "settings":
                self._settings(entry)
        steps = {"provider": self._provider, "storage": self._storage, "backup": self._backup}
        for kind, step in steps.items():
            for entry in self.entries:
                if entry.kind == kind:
                    step(entry)
        # At the end, so that two Backups may change places; and for all Backups, since a change
        # may break one that is not in the file. While something is left out, only for those read.
        only = self.written_backups if self.problems else None
        for found in conflicts.contradictions(only=only):
            key = _FILE_NAMES[found.field]
            self.problems.append(Problem(f'backup "{found.backup_name}": {key}', found.message))

    def _settings(self, entry: Entry) -> None:
        try:
            if changed := settings.change(entry.values, self.vault):
                self.lines.append(f"changed settings: {', '.join(changed)}")
        except InvalidInputError as error:
            for found in error.problems:
                if found.field not in entry.bad:
                    self.problems.append(entry.problem(found.field, found.message))

    def _provider(self, entry: Entry) -> None:
        row = _by_name(Provider, entry.values.get("name"))
        if row is None:
            wanted = _filled(ProviderInput, entry.values)
        else:
            given = entry.values
            if any(key in given for key in ("provider_type", *_ADDRESS)):
                given = dict.fromkeys(_ADDRESS, "") | given
            wanted = dataclasses.replace(providers.stored(row.id).given, **given)
        self._write(
            entry,
            row,
            check=lambda: conflicts.checked_provider(wanted, row, with_users=False)[1],
            create=lambda: providers.create(wanted, self.vault),
            change=lambda i: providers.change(i, wanted, self.vault, with_users=False),
        )

    def _storage(self, entry: Entry) -> None:
        provider = self._provider_named(entry, "provider")
        provider_id = provider.id if provider is not None else 0
        row = Storage.get_or_none(
            Storage.provider == provider_id,
            Storage.bucket_name == entry.values.get("bucket_name", "").strip(),
        )
        given = {key: value for key, value in entry.values.items() if key != "provider"}
        given["provider_id"] = provider_id
        if row is None:
            wanted = _filled(StorageInput, given)
        else:
            wanted = dataclasses.replace(storages.stored(row.id), **given)
        self._write(
            entry,
            row,
            check=lambda: conflicts.checked_storage(wanted, row, with_users=False)[1],
            create=lambda: storages.create(wanted),
            change=lambda i: storages.change(i, wanted, with_users=False),
        )

    def _backup(self, entry: Entry) -> None:
        row = _by_name(Backup, entry.values.get("name"))
        given = {key: value for key, value in entry.values.items() if "." not in key}
        for end in ("source", "destination"):
            if f"{end}.provider" in entry.values:
                given[f"{end}_storage_id"] = self._storage_named(entry, end)
                given[f"{end}_path"] = entry.values[f"{end}.path"]
        if row is None:
            wanted = _filled(BackupInput, {"time_zone": self.time_zone} | given)
        else:
            if given.get("schedule") == Schedule.DAILY:
                given.setdefault("weekday", None)
            wanted = dataclasses.replace(backups.stored(row.id), **given)
        written = self._write(
            entry,
            row,
            check=lambda: conflicts.checked_backup(wanted, row, with_others=False)[1],
            create=lambda: backups.create(wanted, with_others=False),
            change=lambda i: backups.change(i, wanted, with_others=False),
        )
        if written is not None:
            self.written_backups.append(written)

    def _write(
        self,
        entry: Entry,
        row: Any,
        *,
        check: Callable[[], list[Problem]],
        create: Callable[[], int],
        change: Callable[[int], tuple[str, ...]],
    ) -> int | None:
        """Change `row`, or create what the entry stands for; its id, None where it was refused.

        Where the file's form was wrong already, only look for what else is wrong.
        """
        try:
            if entry.bad:
                raise InvalidInputError(check())
            if row is None:
                created = create()
                self.lines.append(f"created {entry.label}")
                return created
            if changed := change(row.id):
                self.lines.append(f"changed {entry.label}: {_in_file_words(changed)}")
            return int(row.id)
        except InvalidInputError as error:
            for problem in error.problems:
                key = _FILE_NAMES.get(problem.field, problem.field)
                if not {key, key.partition(".")[0]} & entry.bad:
                    self.problems.append(entry.problem(key, problem.message))
            return None

    def _provider_named(self, entry: Entry, key: str) -> Provider | None:
        """The Provider that `key` of the entry names; None, with the reason noted, if none."""
        name = entry.values.get(key, "")
        if key in entry.bad:
            return None
        provider: Provider | None = _by_name(Provider, name)
        if provider is None:
            if not name:
                self._refuse(entry, key, "Name the provider.")
            elif not self._in_file("provider", name):
                known = [row.name for row in Provider.select(Provider.name)]
                self._refuse(
                    entry,
                    key,
                    "There is no such provider: add a [[provider]] table, or correct the name."
                    + did_you_mean(name, known),
                )
            entry.bad.add(key)  # one that stands in the file has its own problems, told there
        return provider

    def _storage_named(self, entry: Entry, end: str) -> int:
        """The id of the Storage an end names; 0, with the reason noted, if there is none."""
        key, bucket = f"{end}.bucket", entry.values[f"{end}.bucket"]
        provider = self._provider_named(entry, f"{end}.provider")
        if provider is None or key in entry.bad:
            entry.bad.add(key)
            return 0
        row = Storage.get_or_none(Storage.provider == provider, Storage.bucket_name == bucket)
        if row is not None:
            return int(row.id)
        if not bucket:
            self._refuse(entry, key, "Name the bucket.")
        elif not self._in_file("storage", provider.name, bucket):
            known = [
                storage.bucket_name
                for storage in Storage.select().where(Storage.provider == provider)
            ]
            self._refuse(
                entry,
                key,
                f'There is no storage for this bucket at "{provider.name}": add a [[storage]] '
                f"table with this provider and bucket_name.{did_you_mean(bucket, known)}",
            )
        entry.bad.add(key)
        return 0

    def _in_file(self, kind: str, *names: str) -> bool:
        wanted = tuple(same_name(name.strip()) for name in names)
        return any(entry.kind == kind and entry.key == wanted for entry in self.entries)

    def _refuse(self, entry: Entry, key: str, message: str) -> None:
        entry.bad.add(key)
        self.problems.append(entry.problem(key, message))


def _filled(kind: type[Given], given: Mapping[str, Any]) -> Given:
    """The input with what was given; what has no default and is missing is empty."""
    missing = {
        item.name: ""
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and item.name not in given
    }
    return kind(**missing, **given)


def _by_name(model: type[Any], name: object) -> Any:
    """The row a person means by `name`, in whatever case."""
    if not isinstance(name, str):
        return None
    wanted = same_name(name.strip())
    for row_id, known in model.select(model.id, model.name).tuples():
        if same_name(known) == wanted:
            return model.get_by_id(row_id)
    return None


def _in_file_words(changed: Iterable[str]) -> str:
    """Changed fields as the file calls them, an end once."""
    words = (_FILE_NAMES.get(name, name).partition(".")[0] for name in changed)
    return ", ".join(dict.fromkeys(words))
