"""Charts as ECharts draws them: from zero, one line or bars, with what each point says on hover.

Colours are variables of the style sheet, for light and dark.
"""

from nicegui import ui

from bucketvault.vocabulary import Json

# ECharts wants a real list; `inherit` cuts the labels.
FONTS = "-apple-system,Segoe UI,Roboto,sans-serif"
INK: Json = {"color": "var(--ink3)", "fontSize": 12, "fontFamily": FONTS}
HIDDEN: Json = {"show": False}


def draw_chart(x_axis: Json, series: Json, unit: str, tip: Json, *, label: str) -> ui.echart:
    """Draw one series of numbers of `unit`; `label` says in words what it shows.

    `tip` says what the nearest point tells on hover and on a tap: ECharts' `formatter`.
    """
    options: Json = {
        "useUTC": True,  # a time axis is given times as if the zone's clocks showed UTC
        "animation": False,
        "grid": {"left": 6, "right": 14, "top": 14, "bottom": 6, "containLabel": True},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--card)",
            "borderColor": "var(--line2)",
            "textStyle": {"color": "var(--ink)", "fontSize": 12.5, "fontFamily": FONTS},
            "axisPointer": {"lineStyle": {"color": "var(--line2)"}},
            **tip,
        },
        "xAxis": {"axisTick": HIDDEN, "splitLine": HIDDEN, **x_axis},
        "yAxis": {
            "type": "value",
            "min": 0,
            "splitNumber": 3,
            "axisLine": HIDDEN,
            "axisTick": HIDDEN,
            "axisLabel": {**INK, "formatter": "{value} " + unit},
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
        },
        "series": [{"name": unit, **series}],
    }
    # safe: bucketvault's numbers, and its times as words
    made = ui.echart(options, renderer="svg")
    made.props.update({"role": "img", "aria-label": label})
    return made


def line(colour: str = "var(--accent)") -> Json:
    """Return the look of a line; its nearest point is marked on hover."""
    return {
        "type": "line",
        "symbol": "circle",
        "symbolSize": 7,
        "showSymbol": False,
        "lineStyle": {"width": 1.8, "color": colour},
        "itemStyle": {"color": colour},
        "areaStyle": {"color": colour, "opacity": 0.1},
    }


def bars(colour: str = "var(--plot)") -> Json:
    """Return the look of bars; the nearest one stands out on hover."""
    return {
        "type": "bar",
        "barWidth": "58%",
        "barMaxWidth": 18,
        "itemStyle": {"color": colour, "borderRadius": [2, 2, 0, 0]},
        "emphasis": {"itemStyle": {"color": "var(--accent)"}},
    }
