"""Writes `setup.toml`: all that is set up here, in an order that only changes where something does.

Every value that is set is written, also a default: whoever applies an older version of the file
gets back what it said. Secrets are left out, with names for them, or opened by a vault.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from bucketvault.engine import price_list, settings
from bucketvault.engine.alerts import targets
from bucketvault.engine.catalogue import backups, providers, storages
from bucketvault.engine.domain.fields import SECRET, ruled_fields
from bucketvault.engine.domain.places import r2_account
from bucketvault.engine.domain.rules import InvalidValue, same_name, typed_bucket_rule
from bucketvault.engine.setup.tables import END_KEYS, TABLES, named_by
from bucketvault.store.database import connection
from bucketvault.store.models import AlertTarget, Backup, Provider, Storage
from bucketvault.store.secrets import KEY_COLUMNS, Vault
from bucketvault.vocabulary import Json, ProviderType

HEADER = (
    "# The setup of a bucketvault: providers, buckets, backups and settings.\n"
    "# Apply it with: bucketvault apply setup.toml\n"
)
_NOT_ALONE = re.compile(r"[0-9]|BUCKETVAULT|$")  # what no variable of ours may begin with

Sealed = Callable[[Vault], str]  # a stored secret, and how to open it


class Written(NamedTuple):
    """A setup file; `variables`: the names of those that hold its secrets when it is applied."""

    text: str
    variables: tuple[str, ...]


def setup_text(vault: Vault | None = None) -> Written:
    """Return all that is set up; with `vault`, secrets are in it in the clear.

    Raises VaultError where one cannot be opened.
    """
    writer = _Writer(vault)
    with connection():
        tables = [
            writer.table(kind, values) for kind in TABLES for values in _ROWS[kind]() if values
        ]
    return Written("\n".join((HEADER, *tables)), tuple(writer.variables))


# ---- what there is, by the keys of the file


def _values(given: Any, kind: str) -> Json:  # Any: one of the dataclasses with rules
    """Return the fields of a stored input as the file calls them."""
    names = ruled_fields(type(given))
    return {TABLES[kind][name].key: getattr(given, name) for name in names}


def _settings() -> Iterator[Json]:
    now = settings.load()
    password: Sealed = partial(settings.opened_password, to=now)
    yield _values(now, "settings") | (
        {settings.PASSWORD: password} if now.has_smtp_password else {}
    )


def _prices() -> Iterator[Json]:
    for slug, own in sorted(price_list.own_prices()):
        yield {price_list.SERVICE: slug, **own}


def _alerts() -> Iterator[Json]:
    for row in sorted(AlertTarget.select(), key=lambda row: (same_name(row.name), row.name)):
        url: Sealed = partial(targets.opened_url, row)
        # safe: a line of a file
        yield {"name": row.name, "url": url, "events": row.events}


def _providers() -> Iterator[Json]:
    for row in sorted(Provider.select(), key=lambda row: (same_name(row.name), row.name)):
        values = _values(providers.stored(row.id).given, "provider")
        if row.provider_type is ProviderType.CLOUDFLARE_R2 and (
            account := r2_account(row.endpoint)
        ):
            values |= {"endpoint": "", "account_id": account}
        yield values | {
            column: partial(_opened_key, row, column)
            for column in KEY_COLUMNS
            if getattr(row, column)
        }


def _opened_key(row: Provider, column: str, vault: Vault) -> str:
    return providers.opened_key(row, column, vault)


def _storages() -> Iterator[Json]:
    def order(row: Storage) -> tuple[str, ...]:
        return same_name(row.provider.name), row.provider.name, row.bucket_name

    for row in sorted(Storage.select(Storage, Provider).join(Provider), key=order):
        values = _values(storages.stored(row.id), "storage")
        yield values | {"provider": row.provider.name, "as_listed": _is_odd(row.bucket_name)}


def _is_odd(bucket_name: str) -> bool | None:
    """True for a name that only its provider's list could bring; None: nothing to write."""
    try:
        return None if typed_bucket_rule(bucket_name) == bucket_name else True
    except InvalidValue:
        return True


def _backups() -> Iterator[Json]:
    ends = {row.id: row for row in Storage.select(Storage, Provider).join(Provider)}
    for row in sorted(Backup.select(), key=lambda row: (same_name(row.name), row.name)):
        values = _values(backups.stored(row.id), "backup")
        for end in ("source", "destination"):
            storage = ends[getattr(row, f"{end}_storage_id")]
            values |= {
                f"{end}.provider": storage.provider.name,
                f"{end}.bucket": storage.bucket_name,
            }
        yield values | {"kept_versions": row.archive_key}


_ROWS: Mapping[str, Callable[[], Iterator[Json]]] = {
    "settings": _settings,
    "prices": _prices,
    "alert": _alerts,
    "provider": _providers,
    "storage": _storages,
    "backup": _backups,
}


# ---- as TOML


@dataclass(slots=True)
class _Writer:
    """Writes tables, and gives each secret a name of its own."""

    vault: Vault | None
    variables: list[str] = field(default_factory=list)

    def table(self, kind: str, values: Json) -> str:
        """Return one table: its heading, and a line for each key that has a value."""
        names = [str(values[key]) for key in named_by(kind)]
        heading = {"settings": "[settings]", "prices": f"[prices.{names[0]}]" if names else ""}
        hidden = named_by(kind) if kind == "prices" else ()  # it is in the heading
        lines = [heading.get(kind, f"[[{kind}]]")]
        done: set[str] = set()
        for each in TABLES[kind].values():
            key = each.key.partition(".")[0]
            if key in done or key in hidden:
                continue
            done.add(key)
            if key != each.key:
                lines.append(f"{key} = {_end(values, key)}")
            elif (value := values.get(key)) is not None and value != "":
                shown = self._secret(names, key, value) if each.kind == SECRET else _toml(value)
                lines.append(f"{key} = {shown}")
        return "\n".join(lines) + "\n"

    def _secret(self, names: list[str], key: str, value: "str | Sealed") -> str:
        if self.vault is not None:
            return _toml(value if isinstance(value, str) else value(self.vault))
        wanted = _variable("_".join((*names, key)))
        name, number = wanted, 1
        while name in self.variables:
            number += 1
            name = f"{wanted}_{number}"
        self.variables.append(name)
        return f'{{env = "{name}"}}'


def _end(values: Json, end: str) -> str:
    parts = ((part, values[f"{end}.{part}"]) for part in END_KEYS)
    return f"{{{', '.join(f'{part} = {_toml(value)}' for part, value in parts if value)}}}"


def _toml(value: object) -> str:
    """Return a value as TOML has it: text, numbers, true and false are as in JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _variable(words: str) -> str:
    """Return a name for an environment variable, made of words."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().upper()
    name = re.sub(r"[^A-Z0-9]+", "_", plain).strip("_")
    return f"S3_{name}" if _NOT_ALONE.match(name) else name
