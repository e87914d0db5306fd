"""The last 30 days of a backup as a strip: a bar a day, each state with its own silhouette.

Drawn in the browser by the element `day-strip` (assets/strip.js) from one letter a day; on hover,
and with the arrow keys when focused, it says the day and what happened.
"""

import datetime as dt
from collections.abc import Sequence

from nicegui import ui

from bucketvault.engine.views.situation import TONE_WORDS, Tone
from bucketvault.humanize import date_words
from bucketvault.pages.parts.widgets import element

LETTERS = {
    Tone.OK: "o",
    Tone.WARN: "w",
    Tone.BAD: "f",
    Tone.HELD: "h",
    Tone.STOP: "s",
    Tone.MISS: "m",
    Tone.RUN: "r",
    Tone.NONE: "n",
}  # as strip.js knows them
IN_WORDS = {tone: TONE_WORDS[tone] for tone in LETTERS} | {Tone.NONE: "No run"}
NAMED = 3  # so many days of a kind are named


def letters(days: Sequence[Tone]) -> str:
    """Return one letter a day."""
    return "".join(LETTERS[tone] for tone in days)


def summary(days: Sequence[Tone], last: dt.date) -> str:
    """Return `Last 30 days: 28 succeeded, 1 failed (Tue 10 Nov), 1 missed (Thu 12 Nov).`"""
    return f"Last {len(days)} days: {by_result(days, last)}."


def by_result(days: Sequence[Tone], last: dt.date) -> str:
    """Return `28 succeeded, 1 failed (Tue 10 Nov), 1 missed (Thu 12 Nov)`."""
    parts = []
    for tone in LETTERS:
        places = [place for place, day in enumerate(days) if day is tone]
        if not places or tone is Tone.NONE:
            continue
        words = f"{len(places)} {IN_WORDS[tone].lower()}"
        if tone not in (Tone.OK, Tone.RUN) and len(places) <= NAMED:
            named = (date_words(last - dt.timedelta(days=len(days) - 1 - n)) for n in places)
            words += f" ({', '.join(named)})"
        parts.append(words)
    return ", ".join(parts) or "no run"


def sizes_in_short(sizes: Sequence[int | None]) -> str:
    """Return `961e8,,-,964e8` for the browser: three digits each, as a row has thirty.

    Empty: the same as before; `-`: not measured.
    """
    told, before = [], ""
    for size in sizes:
        words = "-" if size is None else _three_digits(size)
        told.append("" if words == before else words)
        before = words
    return ",".join(told)


def _three_digits(size: int) -> str:
    zeros = max(0, len(str(size)) - 3)
    return f"{round(size / 10**zeros)}e{zeros}" if zeros else str(size)


def draw_strip(days: Sequence[Tone], last: dt.date) -> ui.element:
    """Draw the strip of the days until `last`, the oldest first; `classes` set its size."""
    strip = element("day-strip")
    change_strip(strip, days, last)
    return strip


def change_strip(strip: ui.element, days: Sequence[Tone], last: dt.date) -> None:
    """Show other days in a strip that is there already."""
    told = {"days": letters(days), "last": last.isoformat(), "aria-label": summary(days, last)}
    if any(strip.props.get(name) != value for name, value in told.items()):
        strip.props.update(told)


def draw_legend() -> None:
    """Explain each silhouette, in the words that are used everywhere."""
    with element("ul", "legend", aria_label="What the bars mean"):
        for tone, letter in LETTERS.items():
            with element("li"):
                element("day-strip", "one", days=letter, aria_hidden="true")
                element("span", text=IN_WORDS[tone])
