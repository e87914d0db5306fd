"""How fast a run was of late: the speed in short slots of time, out of rclone's stats lines.

rclone's own `speed` is the mean since it began (1.75.2), so it tells nothing of now. By the times
in the log, so that a program that starts again and reads the log once more knows the same.
"""

import datetime as dt
from collections import deque

SLOT_S = 2
SLOTS = 60
LONGEST_S = 10.0  # between two stats lines, which come once a second: beyond it nothing is known


def log_seconds(stamp: object) -> float | None:
    """Return the time of a log line in seconds since 1970; None where it has none."""
    if not isinstance(stamp, str):
        return None
    try:
        return dt.datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


class Pace:
    """Takes in how much was transferred at which time. One thread uses it."""

    def __init__(self) -> None:
        self._slots: deque[list[float]] = deque(maxlen=SLOTS + 1)  # bytes, seconds they are of
        self._last = 0  # the number of the newest slot, counted from 1970
        self._before: tuple[str, float, int] | None = None

    def add(self, step: str, at: float, done: int) -> None:
        """Take in one stats line: of which step, when, and how many bytes were transferred."""
        before, self._before = self._before, (step, at, done)
        if before is None or before[0] != step or not before[1] < at <= before[1] + LONGEST_S:
            self._go_to(at)  # rclone's numbers began anew, or it was silent
            return
        first, moved = before[1], max(0, done - before[2])
        while first < at:
            until = min(at, (int(first // SLOT_S) + 1) * SLOT_S)
            self._go_to(first)
            self._slots[-1][0] += moved * (until - first) / (at - before[1])
            self._slots[-1][1] += until - first
            first = until
        self._go_to(at)

    def _go_to(self, at: float) -> None:
        slot = int(at // SLOT_S)
        if not self._slots or slot - self._last > SLOTS or slot < self._last - 1:
            self._slots.clear()  # the clock went back, or long ago
            self._last = slot - 1
        while self._last < slot:
            self._slots.append([0.0, 0.0])
            self._last += 1

    @property
    def until(self) -> int:
        """The end of the newest slot that is over, in seconds since 1970."""
        return self._last * SLOT_S

    @property
    def speeds(self) -> tuple[int | None, ...]:
        """Bytes a second in each slot that is over, oldest first; None: not known."""
        over = list(self._slots)[:-1]
        return tuple(round(moved / known_s) if known_s else None for moved, known_s in over)
