"""The states that people are shown, each with a word, a shape and a colour of its own."""

from enum import StrEnum


class Tone(StrEnum):
    """The state a row, a run or the whole is in: a word, a shape and a colour each."""

    OK = "ok"
    WARN = "warn"  # succeeded, with warnings
    BAD = "bad"  # failed
    HELD = "held"  # waits for approval
    MISS = "miss"  # overdue
    RUN = "run"
    STOP = "stop"  # stopped by the person
    WAIT = "wait"
    OFF = "off"
    NONE = "none"  # never run
    LOOK = "look"  # a preview: it only looked
