"""Costs in words: a bill in one line, and line by line. Pure."""

import datetime as dt
from collections.abc import Iterable

from bucketvault.engine.domain.cost import NOT_KNOWN, Cost, Item, Part, total
from bucketvault.engine.views.backups import RunPage
from bucketvault.engine.views.money import Bill, Ends, Priced, bill_of_run
from bucketvault.humanize import count, dollars, sentences, size
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Side


def amount(item: Item) -> str:
    """Return what one line costs."""
    if item.dollars is None:
        return NOT_KNOWN
    return dollars(item.dollars) if item.dollars else "free"


def line(item: Item, end: str) -> str:
    """Say what one line is for, at an end that is called so."""
    if item.part is Part.REQUESTS:
        requests = "request" if item.number == 1 else "requests"
        return f"{count(item.number)} {requests} to {end}"
    if item.part is Part.TRAFFIC:
        return f"{size(item.number)} out of {end}"
    return f"{size(item.number)} stored at {end}"


def in_one_line(bill: Bill) -> str:
    """Return a bill as `$0.37: 62 requests to the source (free), ... Prices of September 2026.`"""
    items = bill.cost.items
    parts = ", ".join(f"{line(item, f'the {item.side}')} ({amount(item)})" for item in items)
    return sentences(f"{total(bill.cost)}: {parts}.", prices_words(bill.ends))


def of_run(page: RunPage) -> tuple[tuple[str, str], ...]:
    """Say what a run has cost that has ended, for the card at its foot; empty: nothing to tell."""
    bill = bill_of_run(page) if page.run.finished_at is not None else None
    return (("Cost", in_one_line(bill)),) if bill is not None else ()


def lines(cost: Cost, ends: Ends) -> list[tuple[str, str]]:
    """Return a bill line by line: what for, and how much."""
    names = {side: clean(end.name) for side, end in ends.items()}
    if len(set(names.values())) < len(names):  # both ends at one service
        names = {side: f"{name} ({side})" for side, name in names.items()}
    return [(line(item, names[item.side]), amount(item)) for item in cost.items]


def prices_words(ends: Ends) -> str:
    """Say whose prices these are, and when they were read."""
    told: dict[str, list[str]] = {}
    for end in dict.fromkeys(ends.values()):
        told.setdefault(_read(end), []).append(clean(end.name))
    return " ".join(f"Prices of {' and '.join(names)}: {read}." for read, names in told.items())


def _read(end: Priced) -> str:
    prices = end.prices
    month = _month(prices.read)
    if prices.changed:
        own = "as set in setup.toml"
        return f"{own}, the rest read in {month}" if month else own
    if not month:
        return f"unknown, until setup.toml has [prices.{end.slug}]"
    return f"read in {month}"


def notes(ends: Ends) -> list[str]:
    """Return what else a bill depends on, and where the prices are."""
    found = []
    for end in dict.fromkeys(ends.values()):
        page = end.prices.page.removeprefix("https://").rstrip("/")
        where = f" See {page}." if page else ""
        if end.prices.note or page:
            found.append(f"{clean(end.name)}: {end.prices.note}{where}".replace(":  ", ": "))
    return found


def minimum_words(destination: Priced, retention_days: int | None) -> str:
    """Say what a minimum of days means for kept versions; empty where there is none."""
    days = destination.prices.minimum_days
    if not days:
        return ""
    name = clean(destination.name)
    words = f"{name} charges for at least {days} days of each object"
    if retention_days is None or retention_days >= days:
        return f"{words}."
    return f"{words}: an old version that is deleted after {retention_days} is paid for {days}."


def ends_of(source: Priced | None, destination: Priced | None) -> Ends:
    """Return both ends by side, those that are known."""
    both: Iterable[tuple[Side, Priced | None]] = (
        (Side.SOURCE, source),
        (Side.DESTINATION, destination),
    )
    return {side: end for side, end in both if end is not None}


def _month(read: str) -> str:
    try:
        return dt.date.fromisoformat(f"{read}-01").strftime("%B %Y")
    except ValueError:
        return ""
