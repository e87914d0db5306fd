"""A way to a server that can be cut and mended, like the ssh tunnel people come through."""

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Self

_BLOCK = 64 * 1024


class Tunnel(socketserver.ThreadingTCPServer):
    """Passes bytes on, both ways; from a `cut` to the next `mend` nobody is reached."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.to = ("127.0.0.1", port)
        self.is_cut = False
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def cut(self) -> None:
        """End every connection, and take none."""
        with self.lock:
            self.is_cut = True
            for end in self.open:
                _end(end)

    def mend(self) -> None:
        self.is_cut = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Passing(socketserver.BaseRequestHandler):
    server: Tunnel

    def handle(self) -> None:
        near = self.request
        with socket.create_connection(self.server.to) as far:
            ends = {near, far}
            with self.server.lock:
                if self.server.is_cut:
                    return
                self.server.open |= ends
            back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
            back.start()
            _pass_on(near, far)
            back.join()
            with self.server.lock:
                self.server.open -= ends


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):  # cut
        while block := one.recv(_BLOCK):
            other.sendall(block)
    for end in (one, other):
        _end(end)


def _end(end: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        end.shutdown(socket.SHUT_RDWR)
