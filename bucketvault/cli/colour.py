"""Colour on a terminal: the state of a backup at a glance. Never the only sign of it."""

import os
import sys

from bucketvault.engine.views.situation import Tone

_COLOURS = {
    Tone.OK: "32",
    Tone.WARN: "33",
    Tone.HELD: "33",
    Tone.BAD: "31",
    Tone.MISS: "31",
    Tone.STOP: "33",
}


def painted(words: str, tone: Tone) -> str:
    """Return words in the colour of a state, where a terminal shows it and NO_COLOR is not set.

    NO_COLOR: https://no-color.org
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or tone not in _COLOURS or not sys.stdout.isatty():
        return words
    return f"\x1b[{_COLOURS[tone]}m{words}\x1b[0m"
