"""The prices in use: the built-in table, and what `setup.toml` has changed, kept in the database.

Decisions: docs/decisions/money.md.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bucketvault.engine.domain.fields import TEXT, Ruled, Sheet, ruled_fields
from bucketvault.engine.domain.prices import PRICES, UNKNOWN, Prices
from bucketvault.engine.domain.rules import InvalidValue, did_you_mean, text_of
from bucketvault.engine.domain.services import SERVICES
from bucketvault.errors import InvalidInputError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Setting
from bucketvault.vocabulary import Topic

SERVICE = "service"  # the key of a table of prices that says whose they are
_FIELDS = ruled_fields(Prices)
RULES: Mapping[str, Ruled] = {**_FIELDS, SERVICE: Ruled(text_of, "", SERVICE, TEXT)}
_KEY = "prices."  # and the service's slug, in the table of settings


def why_no_prices(tables: object) -> str | None:
    """Return what is wrong with the tables below `[prices]`; None: nothing."""
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        return "Write [prices.r2], with the name of a service, above its prices."
    slugs = [service.slug for service in SERVICES]
    for slug in tables:
        if slug not in slugs:
            guess = did_you_mean(slug, slugs)
            return f"There is no such service; there are {', '.join(slugs)}.{guess}"
    return None


def listed(tables: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:  # Any: TOML
    """Return the tables below `[prices]`, each with its service."""
    return [{**table, SERVICE: slug} for slug, table in tables.items()]


def load() -> Mapping[str, Prices]:
    """Return the prices by `Service.slug`; of others nothing is known."""
    with connection():
        return dict(PRICES) | {slug: _changed(slug, own) for slug, own in own_prices()}


def own_prices() -> Iterator[tuple[str, dict[str, Any]]]:  # Any: numbers, of either type
    """Give the prices of `setup.toml`, by slug; what a stricter rule refuses is passed over."""
    for row in Setting.select().where(Setting.key.startswith(_KEY)):
        kept: dict[str, Any] = {}
        for name, value in json.loads(row.value).items():
            with contextlib.suppress(KeyError, InvalidValue):
                kept[name] = _FIELDS[name].rule(value)
        yield row.key.removeprefix(_KEY), kept


def change(slug: str, given: Mapping[str, object]) -> tuple[str, ...]:
    """Change prices of a service, leave its others; the names of what really changed.

    Raises InvalidInputError with all problems; then nothing was written.
    """
    sheet = Sheet()
    wanted = {
        name: sheet.take(name, _FIELDS[name].rule, value, None) for name, value in given.items()
    }
    if sheet.problems:
        raise InvalidInputError(sheet.problems)
    with writing(Topic.SETTINGS, Topic.BACKUPS):
        own = dict(own_prices()).get(slug, {})
        changed = tuple(name for name, value in wanted.items() if own.get(name) != value)
        if changed:
            value = json.dumps(own | wanted)
            Setting.insert(key=f"{_KEY}{slug}", value=value).on_conflict_replace().execute()
        return changed


def _changed(slug: str, own: Mapping[str, Any]) -> Prices:
    # the note speaks of the table's prices, which these are not
    return replace(PRICES.get(slug, UNKNOWN), note="", changed=tuple(own), **own)
