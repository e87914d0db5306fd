"""The strip of 30 days, in words and letters; how it looks and answers a browser tells."""

import datetime as dt
import re

from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.views.situation import Tone

LAST = dt.date(2026, 11, 22)


def month(**days: Tone) -> list[Tone]:
    """Good days, but for those named by how many days ago: `d12=Tone.BAD`."""
    made = [Tone.OK] * 30
    for name, tone in days.items():
        made[29 - int(name[1:])] = tone
    return made


def test_a_summary_counts_each_state_and_names_few_days() -> None:
    from bucketvault.pages.parts.strip import summary

    assert summary(month(), LAST) == "Last 30 days: 30 succeeded."
    assert summary([Tone.NONE] * 30, LAST) == "Last 30 days: no run."
    assert summary(month(d12=Tone.BAD, d1=Tone.MISS, d0=Tone.RUN), LAST) == (
        "Last 30 days: 27 succeeded, 1 failed (Tue 10 Nov), 1 missed (Sat 21 Nov), 1 running."
    )
    assert summary([Tone.BAD] * 30, LAST) == "Last 30 days: 30 failed."


def test_the_browser_says_the_same_words() -> None:
    from bucketvault.pages.parts import assets
    from bucketvault.pages.parts.strip import IN_WORDS, LETTERS

    script = (assets.folder() / "strip.js").read_text("utf-8")

    told = dict(re.findall(r"^  (\w): \[\"([^\"]+)\"", script, re.MULTILINE))
    assert told == {letter: IN_WORDS[tone] for tone, letter in LETTERS.items()}


async def test_a_strip_changes_in_place(user: User) -> None:
    from bucketvault.pages.parts import strip

    made = []

    @ui.page("/strip")
    def page() -> None:
        made.append(strip.draw_strip(month(), LAST))
        strip.draw_legend()

    await user.open("/strip")
    strip.change_strip(made[0], month(d0=Tone.BAD), LAST)

    assert made[0].props["days"] == "o" * 29 + "f"
    assert "1 failed (Sun 22 Nov)" in made[0].props["aria-label"]
    await user.should_see("Held for your approval")
