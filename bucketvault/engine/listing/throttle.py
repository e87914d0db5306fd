"""Hold readers down to so many bytes a second, all of them together."""

import datetime as dt
import threading
import time
from collections.abc import Callable

from bucketvault.engine.domain.bandwidth import Bandwidth


class Throttle:
    """One bucket for all threads: who takes more than there is waits until it has come."""

    def __init__(
        self,
        limit: Bandwidth,
        wait: Callable[[float], object],
        *,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """`wait` blocks for so many seconds, or less where there is nothing left to wait for."""
        self._limit, self._wait, self._seconds, self._now = limit, wait, seconds, now
        self._lock = threading.Lock()
        self._paid_until = 0.0  # by `seconds`

    def take(self, count: int) -> None:
        """Let `count` bytes pass; blocks while that is too fast."""
        bytes_s = self._limit.at(self._now())
        if not bytes_s:
            return
        with self._lock:
            seconds = self._seconds()
            self._paid_until = max(self._paid_until, seconds) + count / bytes_s
            wait_s = self._paid_until - seconds
        self._wait(wait_s)
