"""Health: will anything here stop tonight's runs? Live, and only while the page is open."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nicegui import run, ui

from bucketvault.engine.health.conclusion import conclusion
from bucketvault.engine.health.monitor import Copying, Health
from bucketvault.engine.health.readings import Reading, Subject
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import count, duration, percent, size, size_of
from bucketvault.pages.health.plot import HourPlot
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.widgets import (
    CLASSES,
    NAME_CHARACTERS,
    card,
    draw_verdict,
    element,
    glyph,
    text,
)
from bucketvault.sanitize import clean

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

LOOK_S = 2.0
WORDS = {
    Tone.OK: "Good",
    Tone.WARN: "Worth a look",
    Tone.BAD: "Needs attention",
    Tone.NONE: "Not yet",
}
GIGA = 10**9


def register(engine: "Engine") -> None:
    """Serve the page from `engine`."""

    @page_at("/health", "Health")
    async def health_page() -> None:
        """Look, draw, and look again every two seconds while the tab is open."""
        answer = await run.io_bound(engine.answer)
        found = await run.io_bound(engine.health.look)
        if answer is None or found is None:  # shutting down
            return
        client = ui.context.client
        with frame("Health", engine.zone, answer) as around:
            screen = HealthScreen(engine.zone, found)

        async def look() -> None:
            now = await run.io_bound(engine.health.look)
            if now is not None and not client.is_deleted:
                screen.show(now)

        ui.timer(LOOK_S, look)
        around.follow(engine)


class HealthScreen:
    """The page; what moves changes in place, so that a reader keeps the place."""

    def __init__(self, zone: ZoneInfo, found: Health) -> None:
        self._said: object = None
        self._lines: dict[str, _Line] = {}
        self._copying: dict[tuple[int, str], _RunLine] | None = None
        with heading("Health", zone=zone):
            element("span", "t13 ink3", "Updated every 2 seconds")
        self._answer = element("div", "part")
        with element("div", "columns"):
            with card("Processor, last hour", body=False) as head:
                with head:
                    self._processor_now = text("span", "t13 ink3 num")
                self._processor = HourPlot("Processor use in the last hour", "%", 100, zone)
            with card("Memory, last hour", body=False) as head:
                with head:
                    self._memory_now = text("span", "t13 ink3 num")
                self._memory = HourPlot("Memory in use in the last hour", "GB", None, zone)
        with card("Readings", body=False):
            self._readings = element("ul", "readings", aria_label="Readings")
        with card("Running now", body=False) as head:
            with head:
                self._counts = text("span", "t13 ink3 num")
            self._runs = element("div")
        self.show(found)

    def show(self, found: Health) -> None:
        """Show one look."""
        self._show_answer(found)
        self._show_plots(found)
        self._show_readings(found.readings)
        self._show_runs(found)

    def _show_answer(self, found: Health) -> None:
        told = conclusion(found.readings)
        if told == self._said:
            return
        self._said = told
        self._answer.clear()
        with self._answer, draw_verdict(told.tone, clean(told.sentence), clean(told.detail)):
            pass

    def _show_plots(self, found: Health) -> None:
        said = {reading.name: reading for reading in found.readings}
        if (processor := said.get(Subject.PROCESSOR)) is not None:
            self._processor_now.text = clean(processor.value)
        hour, total = found.hour, found.memory_bytes
        self._processor.show([(sample.at, sample.processor_percent) for sample in hour], found.at)
        if hour:
            self._memory_now.text = f"{size_of(hour[-1].memory_bytes, total)} now"
        points = [(sample.at, sample.memory_bytes / GIGA) for sample in hour]
        self._memory.show(points, found.at, top=total / GIGA)

    def _show_readings(self, found: Sequence[Reading]) -> None:
        if [reading.name for reading in found] != list(self._lines):
            self._readings.clear()
            with self._readings:
                self._lines = {reading.name: _Line(reading.name) for reading in found}
        for reading in found:
            self._lines[reading.name].show(reading)

    def _show_runs(self, found: Health) -> None:
        running = f"{count(len(found.copying))} running, {count(found.waiting)} waiting"
        self._counts.text = f"{running}, at most {count(found.at_most)} at a time"
        by_run = {(each.run_id, each.backup_name): each for each in found.copying}
        if self._copying is None or list(self._copying) != list(by_run):
            self._runs.clear()
            with self._runs:
                self._copying = dict(zip(by_run, _draw_runs(found.copying), strict=True))
        for key, line in self._copying.items():
            line.show(by_run[key], found.at)


class _Line:
    """One reading: state, name, figure, meaning, and what to do."""

    def __init__(self, name: str) -> None:
        self._shown: Reading | None = None
        with element("li", "reading"):
            with element("span", "pill") as self._pill:
                self._glyph = glyph(Tone.NONE)
                self._word = text("span")
            element("span", "strong", name)
            self._value = text("span", "num ink1")
            with element("span", "stack means"):
                self._means = text("span", "t13 ink2")
                self._todo = text("span", "t13 ink1 todo")

    def show(self, reading: Reading) -> None:
        """Change what changed."""
        if reading == self._shown:
            return
        self._shown = reading
        self._pill.classes(replace=f"pill {CLASSES[reading.tone]}")
        self._glyph.classes(replace=f"glyph {CLASSES[reading.tone]}")
        self._word.text = WORDS[reading.tone]
        self._value.text = clean(reading.value)
        self._means.text = clean(reading.words)
        self._todo.text = clean(reading.todo)


def percent_of_core(value: float | None) -> str:
    """As `top` counts: two cores at work are 200 %."""
    if value is None:
        return "-"
    return percent(value) if value <= 100 else f"{int(value)} %"


def _draw_runs(copying: Sequence[Copying]) -> list["_RunLine"]:
    if not copying:
        element("p", "inset t13 ink3", "No run is in progress.")
        return []
    with element("div", "inset-scroll"), element("table", "plain-table"):
        with element("thead"), element("tr"):
            element("th", "", "Backup", scope="col")
            for title in ("rclone's process", "Of a core", "Memory", "For"):
                element("th", "right", title, scope="col")
        with element("tbody"):
            return [_RunLine(each) for each in copying]


class _RunLine:
    """A run that is under way: its figures move, its link stays where it is."""

    def __init__(self, copying: Copying) -> None:
        name = clean(copying.backup_name, limit=NAME_CHARACTERS)
        with element("tr"):
            with element("td"), element("span", "line"):
                glyph(Tone.RUN)
                element("a", "link clip", name, href=f"/run/{copying.run_id:d}", title=name)
            self._figures = [text("td", "right nowrap") for _ in range(4)]

    def show(self, copying: Copying, now: dt.datetime) -> None:
        """Change what changed."""
        since = (now - copying.started_at).total_seconds() if copying.started_at else None
        figures = (
            str(copying.pid) if copying.pid is not None else "no rclone now",
            percent_of_core(copying.processor_percent),
            size(copying.memory_bytes) if copying.memory_bytes is not None else "-",
            duration(since) if since is not None else "-",
        )
        for place, figure in zip(self._figures, figures, strict=True):
            place.text = figure
