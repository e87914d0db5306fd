"""The card of a backup's form that says what a first copy and a month cost."""

import math
from typing import NamedTuple

from bucketvault.engine.domain import rules
from bucketvault.engine.domain.cost import Cost, cost_of, storage_of, total
from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.domain.prices import UNKNOWN
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.probe.contents import PathSize
from bucketvault.engine.rclone import requests
from bucketvault.engine.views.money import Ends
from bucketvault.pages.backup.form_words import RUNS_A_MONTH
from bucketvault.pages.parts import money
from bucketvault.pages.parts.widgets import Part, card, element, key_values, text
from bucketvault.vocabulary import Schedule, Side, StorageClass

NOT_COUNTED = (
    "Without changes and old versions, which add about 6 requests and their size each. The first "
    "copy costs at least this, because each folder of the source adds one list."
)


class Estimate(NamedTuple):
    """Costs of a backup to be: in one line, and line by line; empty where nothing is known."""

    sentence: str
    first: tuple[tuple[str, str], ...] = ()  # what for, and how much
    month: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def estimate(
    given: BackupFields, ends: Ends, measured: PathSize | None, *, is_new: bool
) -> Estimate:
    """Say what a first copy of what was counted costs, and a month of it without changes."""
    if len(ends) < len(Side):
        return Estimate("Choose both buckets to see what a copy costs.")
    if measured is None:
        return Estimate("Count the source to see what a copy costs.")
    prices = {side: end.prices for side, end in ends.items()}
    size = measured.size_bytes
    copied = requests.first_copy(
        measured.objects, size, requests.cut_at(ends[Side.DESTINATION].slug)
    )
    first = cost_of(copied, prices, stored=size)
    month = cost_of(_month(given, measured), prices, stored=size).plus(_storage(given, size, ends))
    parts = [f"First copy: {_about(first)}"] * is_new + [f"A month: {_about(month)}"]
    kept = rules.number_in(given.retention_days)
    minimum = money.minimum_words(ends[Side.DESTINATION], kept)
    words = (NOT_COUNTED, minimum, *money.notes(ends), money.prices_words(ends))
    return Estimate(
        f"{'. '.join(parts)}.",
        tuple(money.lines(first, ends)) if is_new else (),
        tuple(money.lines(month, ends)),
        tuple(each for each in words if each),
    )


def _about(cost: Cost) -> str:
    told = total(cost)
    return f"about {told}" if told.startswith("$") else told


def _month(given: BackupFields, measured: PathSize) -> Use:
    """Return the requests of a month in which nothing changes, and what reading again moves."""
    runs = RUNS_A_MONTH[Schedule(str(given.schedule))] if given.enabled else 0
    use = Use()
    use.add(requests.unchanged_run(measured.objects), round(runs))
    read = min(measured.size_bytes, (rules.number_in(given.verify_gb_per_night) or 0) * rules.GB)
    if read:
        share = read / measured.size_bytes
        each = EndUse(reads=math.ceil(share * measured.objects), bytes_out=read)
        use.add(Use(each, each), round(runs))
    return use


def _storage(given: BackupFields, size: int, ends: Ends) -> Cost:
    is_standard = given.storage_class == StorageClass.STANDARD
    return storage_of(size, ends[Side.DESTINATION].prices if is_standard else UNKNOWN)


class CostCard:
    """The card; drawn again only where it says something else."""

    def __init__(self) -> None:
        with card("Estimated cost"), element("div", "stack spaced"):
            self._sentence = text("p", words="").mark("cost")
            self._lines = Part("")

    def show(self, told: Estimate) -> None:
        """Show an estimate."""
        self._sentence.text = told.sentence
        if not self._lines.is_new(*told[1:]) or not told.month:
            return
        with self._lines, element("details", "fold"):
            element("summary", text="Details")
            for title, lines in (("First copy", told.first), ("A month", told.month)):
                if lines:
                    element("p", "strong t13", title)
                    key_values(lines, "kv bill")
            for note in told.notes:
                element("p", "t12 ink3", note)
