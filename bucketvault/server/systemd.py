"""Messages to systemd (sd_notify(3)): started, alive, ending. Started by anything else: none.

A message is a datagram to the Unix socket that NOTIFY_SOCKET names; a leading @ means the zero
byte of an abstract one. The watchdog is fed, and /healthz says ok, while nothing is wrong that a
restart can mend; a full disk or a missing rclone is for the pages.

Decisions: docs/decisions/service.md.
"""

import asyncio
import contextlib
import logging
import os
import socket

from bucketvault.engine.engine import Engine

log = logging.getLogger(__name__)

ANSWER_S = 3.0  # the database has so long
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


async def fault(engine: Engine) -> str:
    """Return what keeps the server from its work, in words; empty: nothing."""
    try:
        found = await asyncio.wait_for(asyncio.to_thread(engine.fault), ANSWER_S)
    except Exception as error:  # an edge: whatever keeps the database from answering
        log.warning("the database does not answer", extra={"why": error})
        return "the database does not answer"
    if found:
        log.warning("the scheduler has stalled")
    return found


async def feed_watchdog(engine: Engine) -> None:
    """Tell systemd that we live while we do our work; in the event loop, so while that turns.

    Returns at once where no watchdog is set.
    """
    period_s = watchdog_s()
    while period_s is not None:
        found = await fault(engine)
        tell(f"STATUS={found}" if found else f"{ALIVE}\nSTATUS=")
        await asyncio.sleep(period_s / 3)
