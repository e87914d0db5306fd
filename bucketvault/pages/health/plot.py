"""A plot of the last hour: one line over a time axis on the server's clock."""

import datetime as dt
import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.pages.parts.widgets import element
from bucketvault.vocabulary import Json

HOUR = dt.timedelta(hours=1)
FEWEST = 2  # points that make a line
FONT = "Roboto, sans-serif"  # a real list: with `inherit` ECharts cuts its labels


class HourPlot:
    """Drawn by ECharts as SVG, whose colours are those of the style sheet, in light and in dark."""

    def __init__(self, label: str, unit: str, top: float | None, zone: ZoneInfo) -> None:
        self._zone = zone
        self._shown: object = None
        with element("div", "plot", role="img", aria_label=label):
            self._early = element("p", "t13 ink3 early", "The line begins in a moment.")
            self._chart = ui.echart(_options(unit, top), renderer="svg").classes("plot-chart")

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
        data = [[self._on_the_clock(at), round(value, 2)] for at, value in points]
        options["series"][0]["data"] = data
        self._chart.update()

    def _on_the_clock(self, at: dt.datetime) -> int:
        """Milliseconds that ECharts, which shows UTC here, labels with the server's time."""
        local = at.astimezone(self._zone).replace(tzinfo=dt.UTC)
        return int(local.timestamp() * 1000)


def _options(unit: str, top: float | None) -> Json:
    ink = {"color": "var(--ink3)", "fontSize": 12, "fontFamily": FONT}
    quiet = {"show": False}
    return {
        "useUTC": True,
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 14, "bottom": 6, "containLabel": True},
        "tooltip": {
            "trigger": "axis",
            "backgroundColor": "var(--card)",
            "borderColor": "var(--line2)",
            "textStyle": {"color": "var(--ink)", "fontSize": 12.5, "fontFamily": FONT},
            "axisPointer": {"lineStyle": {"color": "var(--line2)"}},
        },
        "xAxis": {
            "type": "time",
            "splitNumber": 5,
            "axisLine": {"lineStyle": {"color": "var(--line2)"}},
            "axisTick": quiet,
            "axisLabel": {**ink, "formatter": "{HH}:{mm}", "hideOverlap": True},
            "splitLine": quiet,
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": top,
            "interval": top / 4 if top else None,
            "axisLabel": {**ink, "formatter": "{value} " + unit, "showMaxLabel": unit == "%"},
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
        },
        "series": [
            {
                "type": "line",
                "name": unit,
                "symbol": "none",
                "lineStyle": {"color": "var(--accent)", "width": 1.5},
                "itemStyle": {"color": "var(--accent)"},
                "areaStyle": {"color": "var(--accent)", "opacity": 0.1},
                "data": [],
            }
        ],
    }
