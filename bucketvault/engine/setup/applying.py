"""Applies `setup.toml`: creates and changes by name, all or nothing; deletes only when told to.

The file says what is to be; what it leaves out of something that exists stays as it is there. A
Provider's type and address, and either end of a Backup, are taken as a whole. Applied twice, the
second time changes nothing. No message repeats a value: it may be a secret in the wrong place.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bucketvault.engine import price_list, settings
from bucketvault.engine.alerts import targets
from bucketvault.engine.alerts.targets import TargetFields
from bucketvault.engine.catalogue import backups, conflicts, providers, storages
from bucketvault.engine.domain.fields import BackupFields, ProviderFields, StorageFields
from bucketvault.engine.domain.rules import did_you_mean, same_name
from bucketvault.engine.domain.times import server_time_zone
from bucketvault.engine.setup import pruning
from bucketvault.engine.setup.reading import Entry, Secrets, document, entries
from bucketvault.engine.setup.tables import ADDRESS, FILE_NAMES, TABLES
from bucketvault.errors import InvalidInputError, Problem
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Schedule

UNCHANGED = "unchanged"


class _NothingWritten(Exception):  # noqa: N818 - ends a transaction that only tried
    pass


def apply(
    path: Path,
    vault: Vault,
    environ: Mapping[str, str],
    *,
    passphrase: Callable[[], str] | None = None,
    prune: bool = False,
    dry_run: bool = False,
) -> list[str]:
    """Make the database say what the file says; one line for each change, or `unchanged`.

    Secrets may come from `environ` or from files beside the file; no message holds one.
    `passphrase` is asked where the file is encrypted. With `prune`, what the file does not name is
    deleted. With `dry_run`, the lines tell what would change, and nothing does.
    Raises InvalidInputError with all problems of the whole file (then nothing was written),
    VaultError, BucketvaultError for a passphrase that does not open it.
    """
    problems: list[Problem] = []
    found = list(entries(document(path, passphrase), Secrets(path.parent, environ), problems))
    if prune and not any(entry.kind == "backup" for entry in found):
        message = "It names no backup, so every backup would be deleted. Name one that stays."
        problems.append(Problem(str(path), message))
    work = _Work(found, vault, server_time_zone(environ), problems, prune, dry_run)
    work.look_through_alerts()
    with contextlib.suppress(_NothingWritten), writing():
        work.do()
        if work.problems:
            raise InvalidInputError(work.problems)  # and so nothing is committed
        if dry_run:
            raise _NothingWritten
    return work.lines or [UNCHANGED]


@dataclass(slots=True)
class _Work:
    """One application of a file, inside one transaction."""

    entries: list[Entry]
    vault: Vault
    time_zone: str  # of Backups that name none
    problems: list[Problem]
    prune: bool
    dry_run: bool
    lines: list[str] = field(default_factory=list)
    written_backups: list[int] = field(default_factory=list)

    def look_through_alerts(self) -> None:
        """Let Apprise read each URL; it takes a second, so it is done before the transaction."""
        for entry in self.entries:
            if entry.kind != "alert":
                continue
            if not entry.key:
                self._refuse(entry, "name", "Enter a name.")
            if not entry.bad:
                try:
                    targets.look_through(TargetFields(**entry.values))
                except InvalidInputError as error:
                    self._note(entry, error.problems)
                    entry.bad |= {problem.field for problem in error.problems}

    def do(self) -> None:
        """Write what can be written, and note every problem on the way."""
        if self.prune:  # first: another may copy to where one of these did
            self._pruned(pruning.backups_beside(self.entries))
        for kind in TABLES:
            for entry in self.entries:
                if entry.kind == kind:
                    getattr(self, f"_{kind}")(entry)
        if self.prune and not self.problems:
            self._pruned(pruning.ends_beside(self.entries))
        # At the end, so that two Backups may change places; and for all Backups, since a change
        # may break one that is not in the file. While something is left out, only for those read.
        only = self.written_backups if self.problems else None
        for found in conflicts.contradictions(only=only):
            key = FILE_NAMES[found.field]
            self.problems.append(Problem(f'backup "{found.backup_name}": {key}', found.message))

    def _tell(self, verb: str, what: str) -> None:
        self.lines.append(f"would {verb} {what}" if self.dry_run else f"{verb}d {what}")

    def _pruned(self, all_of_it: Iterable[pruning.Pruned]) -> None:
        for each in all_of_it:
            if each.problem is not None:
                self.problems.append(each.problem)
            else:
                self._tell("delete", each.words)

    def _settings(self, entry: Entry) -> None:
        try:
            if changed := settings.change(entry.values, self.vault):
                self._tell("change", f"settings: {', '.join(changed)}")
        except InvalidInputError as error:
            self._note(entry, error.problems)

    def _prices(self, entry: Entry) -> None:
        given = dict(entry.values)
        try:
            if changed := price_list.change(given.pop(price_list.SERVICE), given):
                self._tell("change", f"{entry.label}: {', '.join(changed)}")
        except InvalidInputError as error:
            self._note(entry, error.problems)

    def _alert(self, entry: Entry) -> None:
        row = targets.named(str(entry.values.get("name", "")))
        given = dict(entry.values)
        if row is not None:
            given.setdefault("events", tuple(row.events))
        wanted = TargetFields(**given)
        self._write(
            entry,
            row,
            check=list,  # `look_through_alerts` has told them
            create=lambda: targets.create(wanted, self.vault),
            change=lambda i: targets.change(i, wanted, self.vault),
        )

    def _provider(self, entry: Entry) -> None:
        row, given = _by_name(Provider, entry.values.get("name")), entry.values
        told = len(self.lines)
        if row is None:
            wanted = ProviderFields(**given)
        else:
            if any(key in given for key in ("provider_type", *ADDRESS)):
                given = dict.fromkeys(ADDRESS, "") | given
            wanted = replace(providers.stored(row.id).given, **given)
        self._write(
            entry,
            row,
            check=lambda: conflicts.checked_provider(wanted, row, with_users=False)[1],
            create=lambda: providers.create(wanted, self.vault),
            change=lambda i: providers.change(i, wanted, self.vault, with_users=False),
        )
        if len(self.lines) > told and wanted.address.note:
            self.lines.append(f"{entry.label}: {wanted.address.note}")

    def _storage(self, entry: Entry) -> None:
        provider = self._provider_named(entry, "provider")
        provider_id = provider.id if provider is not None else 0
        given = {key: value for key, value in entry.values.items() if key != "provider"}
        listed, name = given.pop("as_listed", False), given.get("bucket_name", "")
        row = Storage.get_or_none(
            Storage.provider == provider_id,
            Storage.bucket_name == (name if listed else name.strip()),
        )
        stored = StorageFields() if row is None else storages.stored(row.id)
        wanted = replace(stored, provider_id=provider_id, **given)
        self._write(
            entry,
            row,
            check=lambda: conflicts.checked_storage(wanted, row, listed=listed, with_users=False)[
                1
            ],
            create=lambda: storages.create(wanted, listed=listed),
            change=lambda i: storages.change(i, wanted, listed=listed, with_users=False),
        )

    def _backup(self, entry: Entry) -> None:
        row = _by_name(Backup, entry.values.get("name"))
        given = {key: value for key, value in entry.values.items() if "." not in key}
        kept = given.pop("kept_versions", None)
        if row is not None and kept not in (None, row.archive_key):
            entry.bad.add("kept_versions")
            message = f"They are in {row.archive_key}, and stay there: leave this out."
            self.problems.append(entry.problem("kept_versions", message))
        for end in ("source", "destination"):
            if f"{end}.provider" in entry.values:
                given[f"{end}_storage_id"] = self._storage_named(entry, end)
                given[f"{end}_path"] = entry.values[f"{end}.path"]
        if row is not None and given.get("schedule") == Schedule.DAILY:
            given.setdefault("weekday", None)
        new = BackupFields(time_zone=self.time_zone)
        wanted = replace(new if row is None else backups.stored(row.id), **given)
        written = self._write(
            entry,
            row,
            check=lambda: conflicts.checked_backup(wanted, row, with_others=False)[1],
            create=lambda: backups.create(wanted, with_others=False, archive_key=kept),
            change=lambda i: backups.change(i, wanted, with_others=False),
        )
        if written is not None:
            self.written_backups.append(written)

    def _write(
        self,
        entry: Entry,
        row: Any,  # Any: of one of three models, which have nothing in common for mypy
        *,
        check: Callable[[], list[Problem]],
        create: Callable[[], int],
        change: Callable[[int], tuple[str, ...]],
    ) -> int | None:
        """Change `row`, or create what the entry describes; its id, None where it was refused.

        Where the file's form was wrong already, only look for what else is wrong.
        """
        try:
            if entry.bad:
                raise InvalidInputError(check())
            if row is None:
                created = create()
                self._tell("create", entry.label)
                return created
            if changed := change(row.id):
                # as the file calls them, an end once
                words = dict.fromkeys(FILE_NAMES[name].partition(".")[0] for name in changed)
                self._tell("change", f"{entry.label}: {', '.join(words)}")
            return int(row.id)
        except InvalidInputError as error:
            self._note(entry, error.problems)
            return None

    def _note(self, entry: Entry, problems: Iterable[Problem]) -> None:
        """Note what is wrong with keys that were not complained about yet."""
        for problem in problems:
            key = FILE_NAMES[problem.field]
            if not {key, key.partition(".")[0]} & entry.bad:
                self.problems.append(entry.problem(key, problem.message))

    def _provider_named(self, entry: Entry, key: str) -> Provider | None:
        """Return the Provider that `key` of the entry names; None, with the reason noted."""
        name = entry.values.get(key, "")
        if key in entry.bad:
            return None
        provider: Provider | None = _by_name(Provider, name)
        if provider is None:
            message = "" if name else "Name the provider."
            if name and not self._in_file("provider", name):
                message = (
                    "There is no such provider: add a [[provider]] table, or correct the name."
                    + did_you_mean(name, [row.name for row in Provider.select(Provider.name)])
                )
            self._refuse(entry, key, message)
        return provider

    def _storage_named(self, entry: Entry, end: str) -> int:
        """Return the id of the Storage an end names; 0, with the reason noted, without one."""
        key, bucket = f"{end}.bucket", entry.values[f"{end}.bucket"]
        provider = self._provider_named(entry, f"{end}.provider")
        if provider is None or key in entry.bad:
            entry.bad.add(key)
            return 0
        row = Storage.get_or_none(Storage.provider == provider, Storage.bucket_name == bucket)
        if row is not None:
            return int(row.id)
        message = "" if bucket else "Name the bucket."
        if bucket and not self._in_file("storage", provider.name, bucket):
            rows = Storage.select().where(Storage.provider == provider)
            message = (
                f'There is no storage for this bucket at "{provider.name}": add a [[storage]] '
                f"table with this provider and bucket_name."
                f"{did_you_mean(bucket, [each.bucket_name for each in rows])}"
            )
        self._refuse(entry, key, message)
        return 0

    def _in_file(self, kind: str, *names: str) -> bool:
        wanted = tuple(same_name(name.strip()) for name in names)
        return any(entry.kind == kind and entry.key == wanted for entry in self.entries)

    def _refuse(self, entry: Entry, key: str, message: str) -> None:
        """Note that a key is bad; no message: what it names is in the file, and says why."""
        entry.bad.add(key)
        if message:
            self.problems.append(entry.problem(key, message))


def _by_name(model: type[Any], name: object) -> Any:  # Any: a row of either of two models
    """Return the row a person means by `name`, in whatever case."""
    if isinstance(name, str):
        for row_id, known in model.select(model.id, model.name).tuples():
            if same_name(known) == same_name(name.strip()):
                return model.get_by_id(row_id)
    return None
