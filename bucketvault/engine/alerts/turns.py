"""Errands to services, each of one addressee in a thread of its own: one that is slow delays none.

An addressee is visited by one errand at a time, and left alone for a while after one that failed.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable

from bucketvault.store.database import BusyError, connection

log = logging.getLogger(__name__)


class Turns:
    """Who is being visited, and who is left alone. May be used from any thread."""

    def __init__(self, at_once: int, rest_s: float, wake: threading.Event) -> None:
        self._at_once, self._rest_s, self._wake = at_once, rest_s, wake
        self._lock = threading.Lock()
        self._busy: set[Hashable] = set()
        self._not_before: dict[Hashable, float] = {}  # by the monotonic clock

    def begin(self, whom: Hashable, name: str, errand: Callable[[], None]) -> None:
        """Begin an errand, unless `whom` is busy or left alone, or too many are under way.

        One that meets a fault is logged, and `whom` is left alone as after a failure.
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
                log.exception("an errand met a fault", extra={"errand": name})
                self.rest(whom, self._rest_s)
            finally:
                with self._lock:
                    self._busy.discard(whom)
                self._wake.set()

        threading.Thread(target=work, name=name, daemon=True).start()

    def is_any_busy(self) -> bool:
        """True while an errand is under way."""
        with self._lock:
            return bool(self._busy)

    def rest(self, whom: Hashable, seconds: float) -> None:
        """Leave `whom` alone for so long."""
        with self._lock:
            self._not_before[whom] = time.monotonic() + seconds

    def forget(self, whom: Hashable | None = None) -> None:
        """Forget that `whom`, or anybody, is left alone: that may have been fixed."""
        with self._lock:
            if whom is None:
                self._not_before.clear()
            else:
                self._not_before.pop(whom, None)
        self._wake.set()
