"""The one door from threads to the event loop: something changed, look again.

Threads publish topics (`vocabulary.Topic`, `run_topic`, `log_topic`); pages subscribe in the loop
and are called there, at most ten times a second however often something was published. No value
passes: the database has it.
"""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop  # commands have none, and start sooner without it

INTERVAL_S = 0.1

log = logging.getLogger(__name__)


class Live:
    """Without a loop attached (the command line), publishing does nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: AbstractEventLoop | None = None
        self._changed: set[str] = set()
        self._planned = False
        self._last_flush = 0.0
        self._subscribers: dict[str, list[Callable[[], None]]] = {}

    def attach(self, loop: "AbstractEventLoop | None") -> None:
        """Deliver in `loop` from now on; None: nowhere any more."""
        with self._lock:
            self._loop = loop
            self._planned = False

    def subscribe(self, topic: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` in the loop when `topic` changed; the result ends that."""
        with self._lock:
            self._subscribers.setdefault(topic, []).append(callback)

        def unsubscribe() -> None:
            with self._lock:
                callbacks = self._subscribers.get(topic, [])
                if callback in callbacks:
                    callbacks.remove(callback)
                if not callbacks:
                    self._subscribers.pop(topic, None)

        return unsubscribe

    def is_watched(self, topic: str) -> bool:
        """True if any page shows `topic` now."""
        return topic in self._subscribers

    def publish(self, *topics: str) -> None:
        """Say, from any thread, that `topics` changed."""
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                return
            self._changed.update(topics)
            if self._planned:
                return
            self._planned = True
            self._loop.call_soon_threadsafe(self._plan, self._loop)

    def _plan(self, loop: "AbstractEventLoop") -> None:
        wait = self._last_flush + INTERVAL_S - loop.time()
        if wait > 0:
            loop.call_later(wait, self._flush, loop)
        else:
            self._flush(loop)

    def _flush(self, loop: "AbstractEventLoop") -> None:
        self._last_flush = loop.time()
        with self._lock:
            changed, self._changed = self._changed, set()
            self._planned = False
            callbacks = [call for topic in changed for call in self._subscribers.get(topic, ())]
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("a page could not process a change")
