"""Reads `setup.toml`: its form, and where its secrets are. Knows no database.

No message repeats a value: it may be a secret in the wrong place.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bucketvault.engine import price_list
from bucketvault.engine.domain.fields import (
    AMOUNT,
    NUMBER,
    SECRET,
    TEXT,
    WORDS,
    YES_OR_NO,
    type_words,
)
from bucketvault.engine.domain.rules import InvalidValue, did_you_mean, same_name
from bucketvault.engine.setup import sealed
from bucketvault.engine.setup.tables import END_KEYS, SHAPES, TABLES, named_by
from bucketvault.errors import InvalidInputError, Problem
from bucketvault.sanitize import clean
from bucketvault.store.private_files import read_text
from bucketvault.vocabulary import Json

LONGEST_FILE, LONGEST_SECRET_FILE = 10_000_000, 64_000  # bytes


@dataclass(slots=True)
class Entry:
    """One table of the file: what it says, without what is empty, and which keys are bad."""

    kind: str  # provider, storage, backup, alert, settings or prices
    number: int  # among its kind, from 1
    values: Json = field(default_factory=dict)  # an end becomes `source.provider` ...
    bad: set[str] = field(default_factory=set)  # keys that were complained about

    @property
    def key(self) -> tuple[str, ...]:
        """Return what makes it the same as another entry; empty when its name is missing."""
        return tuple(same_name(name) for name in self._names)

    @property
    def _names(self) -> tuple[str, ...]:
        found = [self.values.get(part) for part in named_by(self.kind)]
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


class Secrets(NamedTuple):
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


def document(path: Path, passphrase: Callable[[], str] | None = None) -> Json:
    """Return the file's tables; `passphrase` is asked where it is encrypted.

    Raises InvalidInputError where it cannot be read, BucketvaultError where it does not open.
    """
    try:
        text = read_text(path, LONGEST_FILE)
        if passphrase is not None and sealed.is_sealed(text):
            text = sealed.opened(text, passphrase())
        return tomllib.loads(text)
    except OSError as error:
        message = f"This file cannot be read: {error.strerror or error}."
    except UnicodeDecodeError:
        message = "This file is not UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        message = f"This is not TOML: {error}."
    except RecursionError:
        message = "This TOML is nested too deeply to be read."
    raise InvalidInputError([Problem(str(path), message)])


def entries(document: Json, secrets: Secrets, problems: list[Problem]) -> Iterator[Entry]:
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
                message = f"This {kind} is in the file twice: keep one."
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
    entry: Entry, table: Mapping[str, object], secrets: Secrets
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
        WORDS: lambda value: value,
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
