"""One-second cache shared by open pages; dropped when the database changes."""

import threading
import time
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

LASTS_S = 1.0  # for what is in no database: the disk, the clock, the scheduler's beat

Asked = ParamSpec("Asked")
Value = TypeVar("Value")


class Shared(Generic[Asked, Value]):
    """Calls `work`, unless what it gave last still holds. Any thread may ask; blocks.

    A value holds for a second, and only until anything was written: `writes` changes then. Values
    go to several pages, so they must not be changed. What `work` raises is not kept.
    """

    def __init__(self, writes: Callable[[], int], work: Callable[Asked, Value]) -> None:
        self._writes = writes
        self._work = work
        self._lock = threading.Lock()
        self._known: dict[object, tuple[int, float, Value]] = {}  # writes seen, until when, value

    def __call__(self, *asked: Asked.args, **named: Asked.kwargs) -> Value:
        """The value for these arguments, which must be hashable."""
        key = (asked, tuple(sorted(named.items())))
        with self._lock:  # who comes meanwhile waits, and has the same
            # seen first: it may change while we work
            writes, now = self._writes(), time.monotonic()
            self._known = {
                key: known
                for key, known in self._known.items()
                if known[0] == writes and now < known[1]
            }
            if key in self._known:
                return self._known[key][2]
            value = self._work(*asked, **named)
            self._known[key] = (writes, now + LASTS_S, value)
            return value
