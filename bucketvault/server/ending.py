"""SIGINT and SIGTERM while the server runs: a note that it ends, and a time limit for the end.

Decisions: docs/decisions/service.md.
"""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from bucketvault.server import systemd


class Ending:
    """Handler of both signals, also before and after the server has its own; set by the first.

    A handler interrupts the main thread anywhere, also while it holds a lock, so this one takes
    none: no Event is set and no thread started. Whoever waits reads a pipe that nobody empties.
    """

    def __init__(self, end_s: float) -> None:
        self._end_s = end_s
        self._is_set = False
        self._pipe, self._tell = os.pipe2(os.O_CLOEXEC)
        threading.Thread(target=self._leave, name="last resort", daemon=True).start()

    def __call__(self, sig: int, frame: FrameType | None) -> None:
        if not self._is_set:
            self._is_set = True
            os.write(self._tell, b"!")
            systemd.tell(systemd.STOPPING)

    def is_set(self) -> bool:
        """True from the first signal on."""
        return self._is_set

    def wait(self, timeout_s: float) -> None:
        """Wait for the first signal, at most so long."""
        self._poll(timeout_s)

    def close(self) -> None:
        """End the thread if no signal came."""
        if self._tell >= 0:
            os.close(self._tell)
            self._tell = -1

    def _poll(self, timeout_s: float | None) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        poll.poll(None if timeout_s is None else timeout_s * 1000)

    def _leave(self) -> None:
        self._poll(None)
        if self._is_set:
            # systemd or a shell waits for the end. Whatever still hangs then (a query behind a
            # lock, a browser that does not read) is safe to leave: the database is transactional.
            time.sleep(self._end_s)  # the time that an end in order may take
            os._exit(0)
        os.close(self._pipe)


@contextlib.contextmanager
def signals(end_s: float) -> Iterator[Ending]:
    """Handle both signals meanwhile; the process ends at most `end_s` seconds after the first."""
    ending = Ending(end_s)
    before = {number: signal.signal(number, ending) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ending.close()
