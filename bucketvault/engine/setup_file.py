"""Reads `setup.toml` into entries: which tables and keys there are, their types, their secrets.

Knows the file's form, not what the values mean; that is in `inputs` and `rules`. No message
repeats a value: it may be a secret in the wrong place.
"""

import datetime as dt
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bucketvault.engine.domain.rules import did_you_mean, same_name
from bucketvault.errors import InvalidInputError, Problem
from bucketvault.sanitize import clean

# What a key may hold.
TEXT, NUMBER, YES_OR_NO, SECRET, END = "text", "number", "yes or no", "secret", "end"

TABLES = {
    "provider": {
        "name": TEXT,
        "provider_type": TEXT,
        "endpoint": TEXT,
        "account_id": TEXT,
        "region": TEXT,
        "access_key_id": SECRET,
        "secret_access_key": SECRET,
    },
    "storage": {
        "provider": TEXT,
        "bucket_name": TEXT,
        "display_name": TEXT,
        "usage_type": TEXT,
    },
    "backup": {
        "name": TEXT,
        "source": END,
        "destination": END,
        "schedule": TEXT,
        "at": TEXT,
        "weekday": TEXT,
        "time_zone": TEXT,
        "enabled": YES_OR_NO,
        "retention_days": NUMBER,
        "comparison_mode": TEXT,
        "shrink_limit_percent": NUMBER,
    },
}
SETTINGS = {  # of the one table [settings]
    "max_parallel_runs": NUMBER,
    "stall_minutes": NUMBER,
    "log_retention_days": NUMBER,
    "smtp_host": TEXT,
    "smtp_port": NUMBER,
    "smtp_security": TEXT,
    "smtp_user": TEXT,
    "smtp_password": SECRET,
    "mail_from": TEXT,
    "mail_to": TEXT,
    "ping_url": TEXT,
}
END_KEYS = ("provider", "bucket", "path")
SECRET_KEYS = ("env", "file")


@dataclass(slots=True)
class Entry:
    """One table of the file: what it says, without what is empty, and which keys are bad."""

    kind: str  # provider, storage, backup or settings
    number: int  # among its kind, from 1
    values: dict[str, Any]  # an end becomes `source.provider` and so on
    bad: set[str] = field(default_factory=set)  # keys that were complained about

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key by which it equals another entry; empty when its name is missing."""
        if self.kind == "settings":
            return ()
        parts = ("provider", "bucket_name") if self.kind == "storage" else ("name",)
        found = [self.values.get(part) for part in parts]
        if not all(isinstance(part, str) for part in found):
            return ()
        return tuple(same_name(str(part).strip()) for part in found)

    @property
    def label(self) -> str:
        """How messages call it."""
        if self.kind == "settings":
            return "settings"
        if not self.key:
            return f"{self.kind} number {self.number}"
        parts = ("provider", "bucket_name") if self.kind == "storage" else ("name",)
        name = "/".join(str(self.values[part]).strip() for part in parts)
        return f'{self.kind} "{clean(name, limit=120)}"'

    def problem(self, key: str, message: str) -> Problem:
        """A problem with one of its keys, named so that a person finds the place."""
        return Problem(f"{self.label}: {clean(key, limit=80)}", message)


def read_entries(path: Path, environ: Mapping[str, str]) -> tuple[list[Entry], list[Problem]]:
    """The tables of the file in their order, and all that is wrong with the file's form.

    Raises InvalidInputError when it cannot be read at all.
    """
    document = _document(path)
    problems: list[Problem] = []
    entries: list[Entry] = []
    for kind, tables in document.items():
        if kind == "settings" and isinstance(tables, dict):
            reader = _Reader(Entry(kind, 1, {}), path.parent, environ)
            problems += reader.read(tables)
            entries.append(reader.entry)
            continue
        if message := _why_not_tables(kind, tables):
            problems.append(Problem(clean(kind, limit=80), message))
            continue
        for number, table in enumerate(tables, 1):
            reader = _Reader(Entry(kind, number, {}), path.parent, environ)
            problems += reader.read(table)
            entries.append(reader.entry)
    return entries, [*problems, *_twice(entries)]


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        message = f"This file cannot be read: {error.strerror or error}."
    except UnicodeDecodeError:
        message = "This file is not UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        message = f"This is not TOML: {error}."
    except RecursionError:
        message = "This is not TOML we can read: it is nested too deeply."
    raise InvalidInputError([Problem(str(path), message)])


def _why_not_tables(kind: str, tables: object) -> str | None:
    if kind not in (*TABLES, "settings"):
        what = "table" if isinstance(tables, dict | list) else "key outside of a table"
        known = ", ".join([*(f"[[{name}]]" for name in TABLES), "[settings]"])
        return (
            f"There is no such {what}; there are {known}."
            f"{did_you_mean(kind, [*TABLES, 'settings'])}"
        )
    if kind == "settings":
        return "Write [settings], in one pair of brackets: there is one."
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return f"Write [[{kind}]], in two pairs of brackets, above each {kind}."
    return None


def _twice(entries: list[Entry]) -> Iterator[Problem]:
    seen: set[tuple[str, ...]] = set()
    for entry in entries:
        if entry.key and (entry.kind, *entry.key) in seen:
            name = "bucket_name" if entry.kind == "storage" else "name"
            entry.bad.add(name)
            yield entry.problem(name, f"This {entry.kind} stands in the file twice: keep one.")
        seen.add((entry.kind, *entry.key))


class _Reader:
    """Reads one table into an entry."""

    def __init__(self, entry: Entry, folder: Path, environ: Mapping[str, str]) -> None:
        self.entry = entry
        self._folder = folder
        self._environ = environ
        self._found: list[tuple[str, str]] = []

    def read(self, table: dict[str, Any]) -> list[Problem]:
        """Fill the entry; the problems, labelled when its name is known."""
        keys = SETTINGS if self.entry.kind == "settings" else TABLES[self.entry.kind]
        take: dict[str, Callable[[str, Any], None]] = {
            TEXT: self._text,
            NUMBER: self._number,
            YES_OR_NO: self._yes_or_no,
            SECRET: self._secret,
            END: self._end,
        }
        for key, value in table.items():
            if key not in keys:
                self._refuse(key, f"There is no such key.{did_you_mean(key, keys)}")
            elif value != "":
                take[keys[key]](key, value)
        return [self.entry.problem(key, message) for key, message in self._found]

    def _refuse(self, key: str, message: str) -> None:
        self.entry.bad.add(key)
        self._found.append((key, message))

    def _text(self, key: str, value: Any) -> None:
        if isinstance(value, str):
            self.entry.values[key] = value
        else:
            example = ', such as "02:30"' if isinstance(value, dt.time) else ""
            self._refuse(key, f"This must be text in quotes{example}, not {_type_of(value)}.")

    def _number(self, key: str, value: Any) -> None:
        if isinstance(value, int) and not isinstance(value, bool):
            self.entry.values[key] = value
        else:
            self._refuse(key, f"This must be a whole number without quotes, not {_type_of(value)}.")

    def _yes_or_no(self, key: str, value: Any) -> None:
        if isinstance(value, bool):
            self.entry.values[key] = value
        else:
            self._refuse(key, f"This must be true or false without quotes, not {_type_of(value)}.")

    def _end(self, key: str, value: Any) -> None:
        if not isinstance(value, dict):
            self._refuse(
                key,
                f'This must be a table, as in {key} = {{provider = "R2 main", bucket = '
                f'"photos"}}, not {_type_of(value)}.',
            )
            return
        # one end is one thing: a path left out means the whole bucket
        for part in END_KEYS:
            self.entry.values[f"{key}.{part}"] = ""
        for part, content in value.items():
            name = f"{key}.{part}"
            if part not in END_KEYS:
                self._refuse(name, f"There is no such key.{did_you_mean(part, END_KEYS)}")
            else:
                self._text(name, content)

    def _secret(self, key: str, value: Any) -> None:
        if isinstance(value, str):
            self.entry.values[key] = value
            return
        if (
            not isinstance(value, dict)
            or len(value) != 1
            or not set(value) <= set(SECRET_KEYS)
            or not all(isinstance(content, str) and content for content in value.values())
        ):
            self._refuse(
                key, 'This must be {env = "NAME"}, {file = "path"} or text in quotes, nothing else.'
            )
        elif "env" in value:
            self._secret_from_environment(key, value["env"])
        else:
            self._secret_from_file(key, value["file"])

    def _secret_from_environment(self, key: str, name: str) -> None:
        secret = self._environ.get(name, "")
        if secret:
            self.entry.values[key] = secret
        else:
            self._refuse(
                key, f"The environment variable {clean(name, limit=80)} is not set, or is empty."
            )

    def _secret_from_file(self, key: str, name: str) -> None:
        shown = clean(name, limit=200)
        try:
            secret = (self._folder / Path(name).expanduser()).read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            self._refuse(key, f"The file {shown} cannot be read: {error.strerror or error}.")
        except (ValueError, RuntimeError):  # not text; not a file's name; nobody's home
            self._refuse(key, f"The file {shown} cannot be read as text.")
        else:
            if secret:
                self.entry.values[key] = secret
            else:
                self._refuse(key, f"The file {shown} is empty.")


def _type_of(value: object) -> str:
    words: tuple[tuple[Any, str], ...] = (
        (bool, "true or false"),
        (str, "text"),
        (int | float, "a number"),
        (dt.date | dt.time, "a date or time"),
        (list, "a list"),
    )
    return next((word for kind, word in words if isinstance(value, kind)), "a table")
