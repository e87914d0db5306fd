"""Plots of a backup's last runs: size, duration, bytes moved; fetched when they come into view.

Each plot says in words what it shows: for readers who cannot see it, and for a quick look.
"""

import datetime as dt
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nicegui import run

from bucketvault.engine.domain.cost import total
from bucketvault.engine.views.history import Measure
from bucketvault.engine.views.money import DAYS, Spent
from bucketvault.humanize import day, day_and_time, duration, many, size
from bucketvault.pages.parts.chart import HIDDEN, bars, draw_chart, line
from bucketvault.pages.parts.money import lines, prices_words
from bucketvault.pages.parts.widgets import card, element, key_values
from bucketvault.vocabulary import Json

FEWEST = 2  # of one run there is nothing to compare
SIZES = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3), ("B", 1))
TIMES = (("h", 3600), ("min", 60), ("s", 1))


class Plot(NamedTuple):
    """One plot: what it is of, what it says in words, and its numbers."""

    title: str
    words: str
    unit: str
    values: tuple[float | None, ...]
    told: tuple[str, ...]  # each of them in words
    bars: bool


class Measures(NamedTuple):
    """All that the last runs left in numbers."""

    runs: tuple[Measure, ...]
    spent: Spent | None


class PlotsCard:
    """A place for the plots, which asks for nothing until it is scrolled into view."""

    def __init__(self, zone: ZoneInfo, fetch: Callable[[], Measures]) -> None:
        self._zone, self._fetch = zone, fetch
        self._seen = False
        # Quasar tells when it comes into view; with `once` it does not look any further
        self._place = element("q-intersection", "plots").mark("plots")
        self._place.props["once"] = True
        self._place.on("visibility", self._look)
        with self._place:
            self._body = element("div", "plots-body")

    async def _look(self) -> None:
        self._seen = True
        await self.refresh()

    async def refresh(self) -> None:
        """Draw them as the runs are by now, if anybody has seen them."""
        if not self._seen:
            return
        found = await run.io_bound(self._fetch)
        if found is not None and not self._body.is_deleted:
            self._draw(found.runs, found.spent)

    def _draw(self, measured: Sequence[Measure], spent: Spent | None) -> None:
        self._body.clear()
        with self._body:
            if spent is not None:
                _draw_spent(spent)
            if len(measured) < FEWEST:
                with card("Size, duration and bytes transferred"):
                    element("p", "ink2", "Charts appear after the second run.")
                return
            now = dt.datetime.now(dt.UTC)
            times = [day_and_time(each.started_at, self._zone, now) for each in measured]
            failed = [not each.succeeded for each in measured]
            for plot in plots(measured):
                with card(plot.title, plot.words):
                    _draw_plot(plot, times, failed)
                    with element("div", "line t12 ink3"):
                        element("span", text=day(measured[0].started_at, self._zone, now))
                        element("span", "space")
                        element("span", text=day(measured[-1].started_at, self._zone, now))


def points(
    plot: Plot, times: Sequence[str], failed: Sequence[bool]
) -> tuple[list[str], list[object]]:
    """Return what each point says on hover, and its value; bars of failed runs are red."""
    names = [
        f"{at}: {told}{', failed' if wrong else ''}"
        for at, told, wrong in zip(times, plot.told, failed, strict=True)
    ]
    data: list[object] = [
        {"value": value, "itemStyle": {"color": "var(--bad)"}} if plot.bars and wrong else value
        for value, wrong in zip(plot.values, failed, strict=True)
    ]
    return names, data


def _draw_plot(plot: Plot, times: Sequence[str], failed: Sequence[bool]) -> None:
    names, data = points(plot, times, failed)
    x_axis: Json = {
        "type": "category",
        "data": names,
        "boundaryGap": plot.bars,
        "axisLine": HIDDEN,
        "axisLabel": HIDDEN,
    }
    series: Json = {**(bars() if plot.bars else line()), "data": data}
    label = f"{plot.title}: {plot.words}"
    draw_chart(x_axis, series, plot.unit, {"formatter": "{b}"}, label=label).classes("plot")


def _draw_spent(spent: Spent) -> None:
    """Draw what the last runs have cost, without what is stored."""
    note = f"{many(spent.runs, 'run')}, without storage: {total(spent.bill.cost)}"
    whole = element("div", "whole")
    with whole, card(f"Cost of the last {DAYS} days", note), element("div", "stack spaced"):
        key_values(lines(spent.bill.cost, spent.bill.ends), "kv bill")
        element("p", "t12 ink3", prices_words(spent.bill.ends))


def plots(measured: Sequence[Measure]) -> tuple[Plot, Plot, Plot]:
    """Return the three plots of some runs, oldest first."""
    sizes = [each.source_bytes for each in measured]
    took = [each.took_s for each in measured]
    moved = [each.moved_bytes for each in measured]
    return (
        _plot("Source size", _growth(sizes), sizes, SIZES, size, bars=False),
        _plot("Duration", _usual_time(measured), took, TIMES, duration, bars=True),
        _plot("Moved", _moved(moved), moved, SIZES, size, bars=True),
    )


def _plot(
    title: str,
    words: str,
    values: Sequence[float | None],
    units: Sequence[tuple[str, int]],
    say: Callable[[float], str],
    *,
    bars: bool,
) -> Plot:
    most = max((value for value in values if value is not None), default=0)
    unit, one = next(((u, n) for u, n in units if most >= n), units[-1])
    shown = tuple(None if value is None else round(value / one, 3) for value in values)
    told = tuple("not measured" if value is None else say(value) for value in values)
    return Plot(title, words, unit, shown, told, bars)


def _growth(sizes: Sequence[int | None]) -> str:
    known = [value for value in sizes if value is not None]
    if not known:
        return "not measured"
    first, last = known[0], known[-1]
    back = many(len(known) - 1, "run")
    if first == last:
        return f"{size(last, precise=True)}, as {back} ago"
    more = "more" if last > first else "less"
    return f"{size(last, precise=True)}, {size(abs(last - first))} {more} than {back} ago"


def _usual_time(measured: Sequence[Measure]) -> str:
    took = [each.took_s for each in measured if each.succeeded]
    failed = sum(not each.succeeded for each in measured)
    words = f"{failed} did not succeed, in red" if failed else ""
    if not took:
        return words
    usual = f"median {duration(statistics.median(took))}, longest {duration(max(took))}"
    return f"{usual} · {words}" if words else usual


def _moved(moved: Sequence[int]) -> str:
    return f"{size(sum(moved))} in {many(len(moved), 'run')}, {size(max(moved))} at most"
