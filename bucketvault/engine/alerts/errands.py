"""Errands to services: one addressee never waits for another, and no run for any of them.

A thread looks for what is to be done and starts each errand in a thread of its own. An addressee is
visited by one at a time, and left alone for a while after one that failed.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from bucketvault.engine.mail.sender import LEAVE_S, Pace
from bucketvault.store.database import BusyError, connection

log = logging.getLogger(__name__)


class Errands(ABC):
    """Started once, stopped once. Every method may be called from any thread."""

    def __init__(self, name: str, pace: Pace, at_once: int) -> None:
        self._pace, self._at_once = pace, at_once
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._settled = threading.Event()  # nothing was left to try when it was last looked
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._not_before: dict[int, float] = {}  # by the monotonic clock
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @abstractmethod
    def _prepare(self) -> None:
        """Do what a start takes, before the first look."""

    @abstractmethod
    def _look(self) -> None:
        """Begin whatever is to be done now."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more; what waits is done by the next bucketvault."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S)

    def try_all(self, timeout_s: float) -> None:
        """Return when everything that waits was tried once, or after `timeout_s`."""
        self._settled.clear()
        self._wake.set()
        self._settled.wait(timeout_s)

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                with connection():
                    self._prepare()
                    while not self._ending.is_set():
                        self._wake.clear()
                        self._look()
                        if not self._is_any_busy() and not self._wake.is_set():
                            self._settled.set()
                        self._wake.wait(self._pace.look_s)
            except BusyError as error:
                log.warning("database busy", extra={"cause": str(error)})
            except Exception:  # the edge of a thread: it must not die
                log.exception("looking for errands failed unexpectedly")
            self._settled.set()
            self._ending.wait(10 * self._pace.look_s)

    def _begin(self, whom: int, name: str, errand: Callable[[], None]) -> None:
        """Begin an errand, unless `whom` is busy or left alone, or too many are under way.

        What it was begun for may be done by the time it runs: it looks again.
        """
        with self._lock:
            rests = time.monotonic() < self._not_before.get(whom, 0.0)
            if whom in self._busy or rests or len(self._busy) >= self._at_once:
                return
            self._busy.add(whom)

        def work() -> None:
            try:
                with connection():
                    errand()
            except BusyError as error:
                log.warning("database busy", extra={"cause": str(error)})
            except Exception:  # the edge of a thread
                log.exception("an errand failed unexpectedly", extra={"errand": name})
                self._rest(whom, self._pace.pauses_s[0])
            finally:
                with self._lock:
                    self._busy.discard(whom)
                self._wake.set()

        threading.Thread(target=work, name=name, daemon=True).start()

    def _is_any_busy(self) -> bool:
        with self._lock:
            return bool(self._busy)

    def _rest(self, whom: int, seconds: float) -> None:
        with self._lock:
            self._not_before[whom] = time.monotonic() + seconds

    def _forget(self, whom: int | None = None) -> None:
        """Forget that `whom`, or anybody, is left alone: that may have been fixed."""
        with self._lock:
            if whom is None:
                self._not_before.clear()
            else:
                self._not_before.pop(whom, None)
        self._wake.set()
