"""Applies `setup.toml`: creates and changes by name, all or nothing, and never deletes.

The file says what is to be; what it leaves out of something that exists stays as it is there. A
Provider's type and address, and either end of a Backup, are taken as a whole. Applied twice, the
second time changes nothing. No message repeats a value: it may be a secret in the wrong place.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bucketvault.engine import price_list, settings
from bucketvault.engine.catalogue import backups, conflicts, providers, storages
from bucketvault.engine.domain.fields import (
    AMOUNT,
    NUMBER,
    SECRET,
    TEXT,
    YES_OR_NO,
    BackupFields,
    ProviderFields,
    Ruled,
    StorageFields,
    ruled_fields,
    type_words,
)
from bucketvault.engine.domain.rules import InvalidValue, did_you_mean, same_name
from bucketvault.engine.domain.times import server_time_zone
from bucketvault.errors import InvalidInputError, Problem
from bucketvault.sanitize import clean
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.store.private_files import read_text
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Json, Schedule

UNCHANGED = "unchanged"
LONGEST_FILE, LONGEST_SECRET_FILE = 10_000_000, 64_000  # bytes
ADDRESS = ("endpoint", "account_id", "region")
END_KEYS = ("provider", "bucket", "path")  # of a Backup's end, `source` or `destination`
TABLES: Mapping[str, Mapping[str, Ruled]] = {
    "provider": ruled_fields(ProviderFields),
    "storage": ruled_fields(StorageFields),
    "backup": ruled_fields(BackupFields),
    "settings": settings.RULES,
    "prices": price_list.RULES,
}
SHAPES = {"settings": "[settings]", "prices": "[prices.SERVICE]"}  # of tables that have no list
# What the file calls a field that has another name inside.
FILE_NAMES = {name: each.key for of in TABLES.values() for name, each in of.items()}


def apply(path: Path, vault: Vault, environ: Mapping[str, str]) -> list[str]:
    """Make the database say what the file says; one line for each change, or `unchanged`.

    Secrets may come from `environ` or from files beside the file; no message holds one. Raises
    InvalidInputError with all problems of the whole file (then nothing was written), VaultError.
    """
    problems: list[Problem] = []
    entries = list(_read(_document(path), _Secrets(path.parent, environ), problems))
    work = _Work(entries, vault, server_time_zone(environ), problems)
    with writing():
        work.do()
        if work.problems:
            raise InvalidInputError(work.problems)  # and so nothing is committed
    return work.lines or [UNCHANGED]


# ---- the file's form


@dataclass(slots=True)
class Entry:
    """One table of the file: what it says, without what is empty, and which keys are bad."""

    kind: str  # provider, storage, backup, settings or prices
    number: int  # among its kind, from 1
    values: Json = field(default_factory=dict)  # an end becomes `source.provider` ...
    bad: set[str] = field(default_factory=set)  # keys that were complained about

    @property
    def key(self) -> tuple[str, ...]:
        """Return what makes it the same as another entry; empty when its name is missing."""
        return tuple(same_name(name) for name in self._names)

    @property
    def _names(self) -> tuple[str, ...]:
        parts = {
            "settings": (),
            "prices": (price_list.SERVICE,),
            "storage": ("provider", "bucket_name"),
        }.get(self.kind, ("name",))
        found = [self.values.get(part) for part in parts]
        good = all(isinstance(part, str) for part in found)
        return tuple(str(part).strip() for part in found) if good else ()

    @property
    def label(self) -> str:
        """How messages call it."""
        if self.kind == "settings":
            return "settings"
        if not self._names:
            return f"{self.kind} number {self.number}"
        return f'{self.kind} "{clean("/".join(self._names), limit=120)}"'

    def problem(self, key: str, message: str) -> Problem:
        """Return a problem with one of its keys, named so that a person finds the place."""
        return Problem(f"{self.label}: {clean(key, limit=80)}", message)


def _document(path: Path) -> Json:
    try:
        return tomllib.loads(read_text(path, LONGEST_FILE))
    except OSError as error:
        message = f"This file cannot be read: {error.strerror or error}."
    except UnicodeDecodeError:
        message = "This file is not UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        message = f"This is not TOML: {error}."
    except RecursionError:
        message = "This is not TOML we can read: it is nested too deeply."
    raise InvalidInputError([Problem(str(path), message)])


def _read(document: Json, secrets: "_Secrets", problems: list[Problem]) -> Iterator[Entry]:
    """Give the tables of the file in their order, and note all that is wrong with its form."""
    seen: set[tuple[str, ...]] = set()
    twice: list[Problem] = []
    for kind, tables in document.items():
        if message := _why_not_tables(kind, tables):
            problems.append(Problem(clean(kind, limit=80), message))
            continue
        several = price_list.listed(tables) if kind == "prices" else tables
        for number, table in enumerate([tables] if kind == "settings" else several, 1):
            entry = Entry(kind, number)
            found = list(_read_table(entry, table, secrets))
            entry.bad |= {key for key, _ in found}
            problems += [entry.problem(key, message) for key, message in found]
            if entry.key and (kind, *entry.key) in seen:
                name = "bucket_name" if kind == "storage" else "name"
                entry.bad.add(name)
                message = f"This {kind} stands in the file twice: keep one."
                twice.append(entry.problem(name, message))
            seen.add((kind, *entry.key))
            yield entry
    problems += twice


def _why_not_tables(kind: str, tables: object) -> str | None:
    if kind not in TABLES:
        what = "table" if isinstance(tables, dict | list) else "key outside of a table"
        known = ", ".join(SHAPES.get(name, f"[[{name}]]") for name in TABLES)
        return f"There is no such {what}; there are {known}.{did_you_mean(kind, TABLES)}"
    if kind == "settings":
        one = "Write [settings], in one pair of brackets: there is one."
        return None if isinstance(tables, dict) else one
    if kind == "prices":
        return price_list.why_no_prices(tables)
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return f"Write [[{kind}]], in two pairs of brackets, above each {kind}."
    return None


def _read_table(
    entry: Entry, table: Mapping[str, object], secrets: "_Secrets"
) -> Iterator[tuple[str, str]]:
    """Fill the entry; give the keys that are bad, and why."""
    kinds = {each.key: each.kind for each in TABLES[entry.kind].values()}
    ends = {key.partition(".")[0] for key in kinds if "." in key}
    known = {key.partition(".")[0] for key in kinds}
    read: dict[str, Callable[[object], object]] = {
        TEXT: _text,
        NUMBER: partial(_typed, int, "a whole number without quotes"),
        YES_OR_NO: partial(_typed, bool, "true or false without quotes"),
        SECRET: secrets.read,
        AMOUNT: lambda value: value,  # its rule says what it must be
    }
    for key, value in table.items():
        try:
            if key not in known:
                raise InvalidValue(f"There is no such key.{did_you_mean(key, known)}")
            if key in ends and value != "":
                yield from _read_end(entry, key, value)
            elif value != "":
                entry.values[key] = read[kinds[key]](value)
        except InvalidValue as refusal:
            yield key, str(refusal)


def _read_end(entry: Entry, end: str, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        raise InvalidValue(
            f'This must be a table, as in {end} = {{provider = "R2 main", bucket = '
            f'"photos"}}, not {type_words(value)}.'
        )
    # one end is one thing: a path left out means the whole bucket
    entry.values |= {f"{end}.{part}": "" for part in END_KEYS}
    for part, content in value.items():
        try:
            if part not in END_KEYS:
                raise InvalidValue(f"There is no such key.{did_you_mean(part, END_KEYS)}")
            entry.values[f"{end}.{part}"] = _text(content)
        except InvalidValue as refusal:
            yield f"{end}.{part}", str(refusal)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    example = ', such as "02:30"' if isinstance(value, dt.time) else ""
    raise InvalidValue(f"This must be text in quotes{example}, not {type_words(value)}.")


def _typed(kind: type, words: str, value: object) -> object:
    if type(value) is kind:
        return value
    raise InvalidValue(f"This must be {words}, not {type_words(value)}.")


class _Secrets(NamedTuple):
    """Where secrets may come from."""

    folder: Path  # of the file
    environ: Mapping[str, str]

    def read(self, value: object) -> str:
        """Return the secret that is written here, or that is where this says."""
        if isinstance(value, str):
            return value
        match value:
            case {"env": str(name), **rest} if name and not rest:
                secret = self.environ.get(name, "")
                if not secret:
                    shown = clean(name, limit=80)
                    raise InvalidValue(f"The environment variable {shown} is not set, or is empty.")
                return secret
            case {"file": str(name), **rest} if name and not rest:
                return self._in_file(name, clean(name, limit=200))
        raise InvalidValue(
            'This must be {env = "NAME"}, {file = "path"} or text in quotes, nothing else.'
        )

    def _in_file(self, name: str, shown: str) -> str:
        try:
            path = self.folder / Path(name).expanduser()
            secret = read_text(path, LONGEST_SECRET_FILE, only_files=True).rstrip("\r\n")
        except OSError as error:
            raise InvalidValue(f"The file {shown} cannot be read: {error.strerror}.") from error
        except (ValueError, RuntimeError) as error:  # not text; not a file's name; nobody's home
            raise InvalidValue(f"The file {shown} cannot be read as text.") from error
        if not secret:
            raise InvalidValue(f"The file {shown} is empty.")
        return secret


# ---- what it means


@dataclass(slots=True)
class _Work:
    """One application of a file, inside one transaction."""

    entries: list[Entry]
    vault: Vault
    time_zone: str  # of Backups that name none
    problems: list[Problem]
    lines: list[str] = field(default_factory=list)
    written_backups: list[int] = field(default_factory=list)

    def do(self) -> None:
        """Write what can be written, and note every problem on the way."""
        for kind in ("settings", "prices", "provider", "storage", "backup"):
            for entry in self.entries:
                if entry.kind == kind:
                    getattr(self, f"_{kind}")(entry)
        # At the end, so that two Backups may change places; and for all Backups, since a change
        # may break one that is not in the file. While something is left out, only for those read.
        only = self.written_backups if self.problems else None
        for found in conflicts.contradictions(only=only):
            key = FILE_NAMES[found.field]
            self.problems.append(Problem(f'backup "{found.backup_name}": {key}', found.message))

    def _settings(self, entry: Entry) -> None:
        try:
            if changed := settings.change(entry.values, self.vault):
                self.lines.append(f"changed settings: {', '.join(changed)}")
        except InvalidInputError as error:
            self._note(entry, error.problems)

    def _prices(self, entry: Entry) -> None:
        given = dict(entry.values)
        try:
            if changed := price_list.change(given.pop(price_list.SERVICE), given):
                self.lines.append(f"changed {entry.label}: {', '.join(changed)}")
        except InvalidInputError as error:
            self._note(entry, error.problems)

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
        row = Storage.get_or_none(
            Storage.provider == provider_id,
            Storage.bucket_name == entry.values.get("bucket_name", "").strip(),
        )
        given = {key: value for key, value in entry.values.items() if key != "provider"}
        stored = StorageFields() if row is None else storages.stored(row.id)
        wanted = replace(stored, provider_id=provider_id, **given)
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
        if row is not None and given.get("schedule") == Schedule.DAILY:
            given.setdefault("weekday", None)
        new = BackupFields(time_zone=self.time_zone)
        wanted = replace(new if row is None else backups.stored(row.id), **given)
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
                self.lines.append(f"created {entry.label}")
                return created
            if changed := change(row.id):
                # as the file calls them, an end once
                words = dict.fromkeys(FILE_NAMES[name].partition(".")[0] for name in changed)
                self.lines.append(f"changed {entry.label}: {', '.join(words)}")
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
