"""A bound on a whole conversation: time-outs of single answers never end one that drips."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

AGAIN_S = 0.5


@contextlib.contextmanager
def hang_up_after(seconds: float, its_socket: Callable[[], object]) -> Iterator[threading.Event]:
    """Cut the connection of the block when it takes longer; a read there then meets its end.

    Gives an event that says whether that happened. `its_socket` is asked then, from another thread.
    """
    cut, over = threading.Event(), threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        cut.set()
        while True:  # it may only just be connecting, or connect again
            found = its_socket()
            if isinstance(found, socket.socket):
                with contextlib.suppress(OSError):
                    # the plain one's: that of TLS makes it a plain socket, and continues
                    socket.socket.shutdown(found, socket.SHUT_RDWR)
            if over.wait(AGAIN_S):
                return

    threading.Thread(target=watch, name="hang up", daemon=True).start()
    try:
        yield cut
    finally:
        over.set()
