"""Costs of runs and of backups: plain values for pages and the command line."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bucketvault.engine import price_list
from bucketvault.engine.domain.cost import Cost, cost_of
from bucketvault.engine.domain.prices import UNKNOWN, Prices
from bucketvault.engine.domain.services import OTHER, service_of
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.domain.usage import Use
from bucketvault.engine.views.backups import BackupRow, RunPage, RunView, one_moment
from bucketvault.engine.views.queries import storage_ends
from bucketvault.store.models import Backup, BackupRun, Provider, utcnow
from bucketvault.vocabulary import Json, ProviderType, Side

DAYS = 30
MOST_RUNS = 500  # of a backup, in so many days


@dataclass(frozen=True, slots=True)
class Priced:
    """A service as people call it, and its prices."""

    name: str
    prices: Prices = UNKNOWN
    slug: str = OTHER.slug  # by which `setup.toml` sets them


Ends = Mapping[Side, Priced]


@dataclass(frozen=True, slots=True)
class Bill:
    """A cost, and whose prices it is by."""

    cost: Cost
    ends: Ends


@dataclass(frozen=True, slots=True)
class Spent:
    """Costs of the runs of a backup in the last days."""

    bill: Bill
    runs: int  # that counted requests


def priced(
    prices: Mapping[str, Prices], provider_type: ProviderType, endpoint: str, provider: str
) -> Priced:
    """Return the service of a Provider; one that nobody here knows is called as the Provider is."""
    service = service_of(provider_type, endpoint)
    name = provider if service is OTHER else service.name
    return Priced(name, prices.get(service.slug, UNKNOWN), service.slug)


def by_provider() -> dict[int, Priced]:
    """Return the service of each Provider, by its id."""
    with one_moment():
        prices = price_list.load()
        return {
            row.id: priced(prices, row.provider_type, row.endpoint, row.name)
            for row in Provider.select()
        }


def bill_of_run(page: RunPage) -> Bill | None:
    """Return what a run cost, by the prices of now; None where nothing was counted."""
    spec, view = page.settings, page.run
    if spec is None or not view.requests:
        return None
    ends = _ends(spec.source, spec.destination, page.prices)
    return _bill(Use.from_json(view.requests), ends, view.source_bytes)


def to_json(view: RunView, row: BackupRow, prices: Mapping[str, Prices]) -> Json:
    """Return requests and cost of a backup's run as `status --json` has them."""
    ends = _ends(row.source, row.destination, prices)
    cost = _bill(Use.from_json(view.requests), ends, view.source_bytes).cost
    is_known = cost.is_known and bool(cost.items) and not row.moved
    return {
        "requests": dict(view.requests),
        "cost_usd": round(cost.dollars, 6) if is_known else None,
    }


def spent(backup_id: int, days: int = DAYS) -> Spent | None:
    """Return what the last runs cost, whatever they did; None where none counted requests."""
    since = utcnow() - dt.timedelta(days=days)
    with one_moment():
        backup = Backup.get_or_none(Backup.id == backup_id)
        if backup is None:
            return None
        lately = (BackupRun.backup == backup_id) & (BackupRun.created_at >= since)
        columns = BackupRun.select(BackupRun.requests, BackupRun.source_bytes).where(lately)
        newest: Any = columns.order_by(BackupRun.id.desc()).limit(MOST_RUNS)  # Any: of peewee
        rows = list(newest.tuples())
        ends = storage_ends()
        source, copy = ends[backup.source_storage_id], ends[backup.destination_storage_id]
        both = _ends(source, copy, price_list.load())
    use, counted = Use(), [requests for requests, _ in rows if requests]
    for requests in counted:
        use.add(Use.from_json(requests))
    if not counted:
        return None
    stored = next((size for _, size in rows if size is not None), None)
    return Spent(_bill(use, both, stored), len(counted))


def _ends(source: EndSpec, destination: EndSpec, prices: Mapping[str, Prices]) -> Ends:
    return {
        side: priced(prices, end.provider_type, end.endpoint, end.provider)
        for side, end in ((Side.SOURCE, source), (Side.DESTINATION, destination))
    }


def _bill(use: Use, ends: Ends, stored: int | None) -> Bill:
    return Bill(cost_of(use, {side: end.prices for side, end in ends.items()}, stored), ends)
