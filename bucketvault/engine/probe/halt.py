"""The end of a test before its end: somebody pressed Stop, or its time is over."""

import threading
import time

from bucketvault.errors import BucketvaultError


class HaltedError(BucketvaultError):
    """There is no time for another question."""


class Halt(threading.Event):
    """Set by Stop, and by itself after `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        super().__init__()
        self._limit_s = limit_s
        self._end = time.monotonic() + limit_s

    def is_set(self) -> bool:
        """Return True once nothing more may be asked."""
        return super().is_set() or self.left_s() <= 0

    def was_stopped(self) -> bool:
        """Return True if it was set before its time."""
        return super().is_set()

    def left_s(self) -> float:
        """Return how much time is left, in seconds."""
        return self._end - time.monotonic()

    def check(self) -> None:
        """Raise HaltedError once it is set."""
        if self.is_set():
            raise HaltedError(f"No answer in {self._limit_s:.0f} seconds.")
