"""The cost of requests, traffic and storage, by a table of prices. Pure; in US dollars.

Decisions: docs/decisions/money.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from bucketvault.engine.domain.prices import UNKNOWN, Prices
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.humanize import dollars
from bucketvault.vocabulary import Side

NOT_KNOWN = "unknown"
_MILLION = 1_000_000
_PRICE_OF = {
    "lists": "lists_per_million",
    "writes": "writes_per_million",
    "reads": "reads_per_million",
    "deletes": "deletes_per_million",
}


class Part(StrEnum):
    """One kind of charge."""

    REQUESTS = "requests"
    TRAFFIC = "traffic"  # out of a service, in bytes
    STORAGE = "storage"  # for a month, in bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a bill."""

    part: Part
    side: Side
    number: int  # of requests, or bytes
    dollars: float | None  # None: the price is not known


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill, item by item."""

    items: tuple[Item, ...] = ()

    @property
    def dollars(self) -> float:
        """The sum of all that is known."""
        return sum(item.dollars or 0.0 for item in self.items)

    @property
    def is_known(self) -> bool:
        """True if each item has a price."""
        return all(item.dollars is not None for item in self.items)

    def plus(self, other: "Cost") -> "Cost":
        """Return both bills in one."""
        return Cost((*self.items, *other.items))


def cost_of(use: Use, prices: Mapping[Side, Prices], stored: int | None = None) -> Cost:
    """Return what requests and traffic cost.

    `stored`: bytes that both ends hold at least, for services where traffic is free up to a share
    of that; None: not known.
    """
    items = []
    for side in Side:
        mine, price = use.of(side), prices.get(side, UNKNOWN)
        if mine.requests:
            items.append(Item(Part.REQUESTS, side, mine.requests, _requests(mine, price)))
        if mine.bytes_out:
            traffic = _traffic(mine.bytes_out, price, stored or 0)
            items.append(Item(Part.TRAFFIC, side, mine.bytes_out, traffic))
    return Cost(tuple(items))


def total(cost: Cost) -> str:
    """Return the sum in words; what is not known is never left out in silence."""
    if cost.is_known:
        return dollars(cost.dollars)
    return f"at least {dollars(cost.dollars)}" if cost.dollars else NOT_KNOWN


def storage_of(size_bytes: int, prices: Prices, side: Side = Side.DESTINATION) -> Cost:
    """Return what it costs to store so much for a month."""
    price = prices.storage_per_gb_month
    dollars = None if price is None else size_bytes / prices.gb * price
    return Cost((Item(Part.STORAGE, side, size_bytes, dollars),))


def _requests(use: EndUse, prices: Prices) -> float | None:
    dollars = 0.0
    for each in fields(use):
        number = getattr(use, each.name)
        if each.name not in _PRICE_OF or not number:
            continue
        price: float | None = getattr(prices, _PRICE_OF[each.name])
        if price is None:
            return None
        dollars += number * price / _MILLION
    return dollars


def _traffic(size_bytes: int, prices: Prices, stored: int) -> float | None:
    charged = max(0.0, size_bytes - prices.traffic_free_times_stored * stored)
    if not charged:
        return 0.0
    return None if prices.traffic_per_gb is None else charged / prices.gb * prices.traffic_per_gb
