"""A plot of the last hour: one line over a time axis on the server's clock."""

import datetime as dt
import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bucketvault.pages.parts.chart import INK, draw_chart, line
from bucketvault.pages.parts.widgets import element
from bucketvault.vocabulary import Json

HOUR = dt.timedelta(hours=1)
FEWEST = 2  # points that make a line
TOLD = """([point]) => {
  const at = new Date(point.value[0]);
  const [hours, minutes] = [at.getUTCHours(), at.getUTCMinutes()].map((n) => `${n}`.padStart(2, 0));
  return `${hours}:${minutes}: ${point.value[1]} ${point.seriesName}`;
}"""


class HourPlot:
    """One number of the last hour."""

    def __init__(self, label: str, unit: str, top: float | None, zone: ZoneInfo) -> None:
        self._zone, self._label, self._unit = zone, label, unit
        self._shown: object = None
        x_axis: Json = {
            "type": "time",
            "splitNumber": 5,
            "axisLine": {"lineStyle": {"color": "var(--line2)"}},
            "axisLabel": {**INK, "formatter": "{HH}:{mm}", "hideOverlap": True},
        }
        with element("div", "plot"):
            self._early = element("p", "t13 ink3 early", "Collecting data …")
            series = {**line(), "data": []}
            self._chart = draw_chart(x_axis, series, unit, {":formatter": TOLD}, label=label)
            self._chart.classes("plot-chart")
        y_axis: Json = self._chart.options["yAxis"]
        y_axis["max"], y_axis["interval"] = top, top / 4 if top else None
        y_axis["axisLabel"]["showMaxLabel"] = unit == "%"

    def show(
        self,
        points: Sequence[tuple[dt.datetime, float]],
        now: dt.datetime,
        *,
        top: float | None = None,
    ) -> None:
        """Show other points, oldest first; sent only when there is a new one."""
        if len(points) < FEWEST:
            return
        if points[-1][0] == self._shown:
            return
        self._shown = points[-1][0]
        self._early.set_visibility(False)
        options: Json = self._chart.options
        options["xAxis"]["min"] = self._on_the_clock(now - HOUR)
        options["xAxis"]["max"] = self._on_the_clock(now)
        if top is not None:
            options["yAxis"]["max"] = round(top, 1)
            options["yAxis"]["interval"] = 2.0 ** math.floor(math.log2(top / 2))
        values = [round(value, 2) for _, value in points]
        times = [self._on_the_clock(at) for at, _ in points]
        options["series"][0]["data"] = [list(point) for point in zip(times, values, strict=True)]
        least, most, unit = min(values), max(values), self._unit
        said = f"{self._label}: {least:g} to {most:g} {unit}, {values[-1]:g} {unit} now"
        self._chart.props["aria-label"] = said
        self._chart.update()

    def _on_the_clock(self, at: dt.datetime) -> int:
        """Milliseconds that ECharts, which shows UTC here, labels with the server's time."""
        local = at.astimezone(self._zone).replace(tzinfo=dt.UTC)
        return int(local.timestamp() * 1000)
