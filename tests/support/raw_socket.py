"""A websocket opened by hand, with exactly the headers a test gives."""

import base64
import os
import socket
from typing import Self

from tests.support.program import Served

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
CLOSE = 0x88


class RawSocket:
    """NiceGUI's socket, as anybody may try to open it; `status` is what the server answered."""

    def __init__(self, served: Served, *, path: str = SOCKET, **headers: str) -> None:
        self._connection = socket.create_connection(("127.0.0.1", served.port), timeout=15)
        given = {
            "Host": f"127.0.0.1:{served.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = [
            f"GET {served.path}{path} HTTP/1.1",
            *(f"{k}: {v}" for k, v in given.items()),
            "",
            "",
        ]
        self._connection.sendall("\r\n".join(lines).encode())
        self.status = int(self._connection.recv(4096).split()[1])

    def say(self, text: str) -> None:
        """Send a text message; masked, as a client must, with zeros."""
        data = text.encode()
        if len(data) > 125:
            length = bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
        else:
            length = bytes([0x80 | len(data)])
        self._connection.sendall(b"\x81" + length + bytes(4) + data)

    def say_in_parts(self, part: bytes, times: int) -> None:
        """Send one text message in frames, each with these bytes; raises what cuts it off."""
        head = bytes([0x80 | 127]) + len(part).to_bytes(8, "big") + bytes(4)
        for number in range(times):
            last = 0x80 if number == times - 1 else 0
            kind = 1 if number == 0 else 0
            self._connection.sendall(bytes([last | kind]) + head + part)

    def hears(self) -> bytes:
        """Return what comes next; empty when the server has ended it."""
        try:
            data = self._connection.recv(65536)
        except ConnectionResetError:
            return b""
        return b"" if data[:1] == bytes([CLOSE]) else data

    def hears_all(self) -> bytes:
        """Return all that came since the last time, the end of it too."""
        return self._connection.recv(65536)

    def is_over(self) -> bool:
        """True if the server has ended it; waits for what comes next."""
        return self.hears() == b""

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
