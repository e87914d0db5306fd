"""A thread that calls a function every few seconds, whatever happens to it or to the clock.

`schedule` beats, on a Scheduler of its own, and decides nothing. Left to itself (1.2.2) it uses the
wall clock: it stops for an hour where clocks go back, and for as long as they are set back. So
this loop watches it by the monotonic clock, and starts it again.
"""

import logging
import threading
import time
from collections.abc import Callable

import schedule

log = logging.getLogger(__name__)

EVERY_S = 5
TURN_S = 1.0
LATE_S = 2.0 * EVERY_S  # then the wall clock went back
HANGS_S = 60.0
REPLACED_AT_MOST = 3  # a thread that hangs cannot be ended: they must not pile up


class Pulse:
    """Calls `beat` at once, and then every few seconds, in a thread of its own.

    What `beat` raises is logged, and it is called again.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._over = threading.Event()  # for the thread at work: each has its own
        self._thread: threading.Thread | None = None
        self._turned = 0.0  # when the thread last came round, by the monotonic clock
        self._began = 0.0  # when the last beat began
        self._replaced = 0

    def start(self) -> None:
        """Begin to beat."""
        self._over = threading.Event()
        self._turned = time.monotonic()
        thread = threading.Thread(target=self._run, args=(self._over,), name="pulse", daemon=True)
        thread.start()
        self._thread = thread  # not before it lives: another thread may look meanwhile

    def stop(self, timeout_s: float) -> None:
        """End the thread; a beat under way is waited for, so long."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def heal(self) -> None:
        """Start again when the thread is dead or hangs. To be called every now and then."""
        if self._thread is None or self._over.is_set():
            return
        stands_s = time.monotonic() - self._turned
        if self._thread.is_alive() and stands_s < HANGS_S:
            if self._turned > self._began:
                self._replaced = 0  # it has come round since: whatever it was is over
            return
        if self._replaced == REPLACED_AT_MOST:
            return
        self._replaced += 1
        how = "hangs" if self._thread.is_alive() else "has died"
        log.error("the pulse %s and begins anew", how, extra={"time": self._replaced})
        self._over.set()  # should it wake up after all
        self.start()

    def _run(self, over: threading.Event) -> None:
        clock = self._wound()
        self._guarded_beat()
        while not over.wait(TURN_S):
            self._turned = time.monotonic()
            try:
                if self._turned - self._began > LATE_S:
                    clock = self._wound()
                    self._guarded_beat()
                clock.run_pending()
            except Exception:
                log.exception("the pulse met a fault")
                clock = self._wound()

    def _wound(self) -> schedule.Scheduler:
        clock = schedule.Scheduler()
        clock.every(EVERY_S).seconds.do(self._guarded_beat)
        return clock

    def _guarded_beat(self) -> None:
        self._began = time.monotonic()
        try:
            self._beat()
        except Exception:  # the edge of a thread: it must not die
            log.exception("a beat met a fault")
