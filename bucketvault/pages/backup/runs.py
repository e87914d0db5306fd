"""The runs of one backup: page by page, by result, each as one row of plain values."""

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.engine.views.history import RunsPage
from bucketvault.engine.views.situation import TONE_WORDS, Tone
from bucketvault.humanize import day, many
from bucketvault.pages.backup.words import run_row
from bucketvault.pages.parts.table import Column, Table
from bucketvault.pages.parts.widgets import button, card, element, text

ALL = "all"
BY_RESULT = (Tone.OK, Tone.WARN, Tone.BAD, Tone.HELD, Tone.STOP)
FILTERS: dict[str, str] = {
    ALL: "All runs",
    **{str(tone): TONE_WORDS[tone] for tone in BY_RESULT},
    Tone.LOOK: "Previews",
}
NOTHING = "There has been no run yet. Preview shows what one would do."
NOTHING_FOUND = "No run of this kind."


class RunsQuery(NamedTuple):
    """A choice of runs: which, and before which; None: from the newest on."""

    tone: Tone | None = None
    before: int | None = None


class RunsCard:
    """The card; `look_again` brings what is asked for by now."""

    def __init__(self, zone: ZoneInfo, look_again: Callable[[], None]) -> None:
        self._zone, self._look_again = zone, look_again
        self.query = RunsQuery()
        self._newer: list[int | None] = []  # where the pages before this one began
        self._last: int | None = None  # the last run on this page; None until it is shown
        self._shown: object = None
        self._table: Table | None = None
        with card("Runs", body=False) as header:
            self._body = element("div")
            with element("footer", "pages") as self._foot:
                older = self._go_older
                self._to_newer = button(
                    "Newer", "left", "small", mark="newer", on_click=self._go_newer
                )
                self._to_older = button("Older", kind="small", mark="older", on_click=older)
        with header:
            self._note = text("span", "t13 ink3")
            element("span", "space")
            with element("div", "field which"):
                self._which = ui.select(
                    FILTERS,
                    value=ALL,
                    on_change=lambda change: self._choose(change.value),
                )
                self._which.props("outlined dense options-dense behavior=menu")
                self._which.props["aria-label"] = "Which runs"
                self._which.mark("which")

    def show(self, page: RunsPage, query: RunsQuery, now: dt.datetime) -> None:
        """Show these runs, when they are those that are asked for."""
        if query != self.query:  # something else was chosen while they were fetched
            return
        rows = [run_row(view, self._zone, now) for view in page.runs]
        self._last = page.runs[-1].id if page.runs else None
        told = (rows, query, page.older, page.total, page.since)
        if told == self._shown:
            return
        self._shown = told
        self._note.text = self._words(page, now)
        self._foot.set_visibility(page.older or bool(self._newer))
        _enable(self._to_newer, on=bool(self._newer))
        _enable(self._to_older, on=page.older)
        if self._table is not None and rows:
            self._table.show(rows)
            return
        self._body.clear()
        self._table = None
        with self._body:
            if rows:
                self._table = Table(COLUMNS, rows, ROW, "plain runs").mark("runs")
            else:
                words = NOTHING if query == RunsQuery() else NOTHING_FOUND
                element("p", "inset ink2", words)

    def _words(self, page: RunsPage, now: dt.datetime) -> str:
        if page.since is None or self.query.tone is not None:
            return many(page.total, "run")
        return f"{many(page.total, 'run')} since {day(page.since, self._zone, now)}"

    def _choose(self, which: str) -> None:
        self._newer.clear()
        self.query, self._last = RunsQuery(None if which == ALL else Tone(which)), None
        self._look_again()

    def _go_older(self) -> None:
        if self._last is not None:
            self._newer.append(self.query.before)
            self.query, self._last = RunsQuery(self.query.tone, self._last), None
            self._look_again()

    def _go_newer(self) -> None:
        if self._newer:
            self.query, self._last = RunsQuery(self.query.tone, self._newer.pop()), None
            self._look_again()


def _enable(made: ui.element, *, on: bool) -> None:
    if on:
        made.props.pop("disabled", None)
    else:
        made.props["disabled"] = True


COLUMNS = (
    Column("Started", classes="c-when"),
    Column("Result", classes="c-word"),
    Column("Started by", classes="c-who"),
    Column("Took", right=True, classes="c-took"),
    Column("Copied", right=True, classes="c-copied"),
    Column("Replaced", right=True, classes="c-replaced"),
    Column("Removed", right=True, classes="c-gone"),
    Column("Moved", right=True, classes="c-moved"),
)
ROW = """
<tr>
  <td><a class="link nowrap" :href="props.home + props.row.href" :title="props.row.exact"
         :aria-label="props.row.when + ', ' + props.row.word"><time
         :datetime="props.row.at">{{ props.row.when }}</time></a></td>
  <td><span class="pill" :class="props.row.tone">
    <i class="glyph" :class="props.row.tone" aria-hidden="true"></i>
    <span>{{ props.row.word }}</span></span></td>
  <td class="c-who ink2 nowrap">{{ props.row.who }}</td>
  <td class="c-took right nowrap">{{ props.row.took }}</td>
  <td class="c-copied right">{{ props.row.copied }}</td>
  <td class="c-replaced right">{{ props.row.replaced }}</td>
  <td class="c-gone right">{{ props.row.gone }}</td>
  <td class="c-moved right nowrap">{{ props.row.moved }}</td>
</tr>"""
