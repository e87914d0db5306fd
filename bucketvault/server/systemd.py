"""Messages to systemd (sd_notify(3)): started, alive, ending. Started by anything else: none.

A message is a datagram to the Unix socket that NOTIFY_SOCKET names; a leading @ means the zero
byte of an abstract one.
"""

import contextlib
import os
import socket

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def tell(message: str) -> None:
    """Send `message`, or lose it: nobody waits here, and a full or missing socket is no fault."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out,
    ):
        out.setblocking(False)
        out.sendto(message.encode(), address)


def watchdog_s() -> float | None:
    """Return the watchdog's period, within which ALIVE is expected; None: there is no watchdog."""
    pid, microseconds = (os.environ.get(f"WATCHDOG_{name}", "") for name in ("PID", "USEC"))
    if pid not in ("", str(os.getpid())) or not microseconds.isdecimal():
        return None
    return int(microseconds) / 1e6 or None
