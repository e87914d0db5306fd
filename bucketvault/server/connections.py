"""Bounds on what strangers may take: connections, their time, and the size of what they send.

Every user of this machine can connect. A connection is a stranger's until a request on it has a
session. Of those there are only so many, and for so long; who comes when there are too many takes
the place of the one that has asked for nothing for the longest time. So a page always opens, and
descriptors are left for runs. Measured: docs/decisions/access.md.
"""

import asyncio
import contextlib
import re
import resource
from typing import Any, ClassVar

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bucketvault.access.guard import SIGNED_IN

MOST_STRANGERS = 64
STRANGER_S = 20.0  # from the first byte to the last of each request
# Another port may have the browser send 180 cookies of 4 kB each with every request to this host.
MOST_HEADER_BYTES = 1024 * 1024
MOST_HEADER_LINES = 200  # each takes time to read
MOST_MESSAGE_BYTES = 1_000_000  # over a websocket; as engine.io takes by polling (4.13)
HEADERS_END = re.compile(rb"\n\r?\n")  # as h11 has it
DESCRIPTORS = 4096  # wanted; a run takes about twenty


class Connection(H11Protocol):
    """Uvicorn's connection over h11, with those bounds."""

    strangers: ClassVar[dict["Connection", None]] = {}  # oldest first

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._application = self.app
        self.app = self._introduced
        self._lines = 0  # at least as many as wait in h11's buffer
        self._ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a stranger in, in the place of another if there are many."""
        super().connection_made(transport)
        if len(self.strangers) >= MOST_STRANGERS:
            idle = (each for each in self.strangers if not each.is_being_answered())
            next(idle, next(iter(self.strangers))).end()
        self.strangers[self] = None
        self._ends = self.loop.call_later(STRANGER_S, self._end_unless_answered)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._is_no_stranger()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        self._lines += data.count(b"\n")
        super().data_received(data)

    def handle_events(self) -> None:
        """Read on, unless headers without end are next."""
        if self.conn.their_state is h11.IDLE and self._lines > MOST_HEADER_LINES:
            waiting, _ = self.conn.trailing_data
            self._lines = waiting.count(b"\n")
            if HEADERS_END.split(waiting, 1)[0].count(b"\n") > MOST_HEADER_LINES:
                self.end()
                return
        super().handle_events()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over to the websocket, which the guard refuses at once, or knows."""
        self._is_no_stranger()
        super().handle_websocket_upgrade(event)

    async def _introduced(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SIGNED_IN] = self._is_no_stranger
        await self._application(scope, receive, send)

    def _is_no_stranger(self) -> None:
        self.strangers.pop(self, None)
        if self._ends is not None:
            self._ends.cancel()

    def is_being_answered(self) -> bool:
        """True while an answer is due to a request that came whole."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def _end_unless_answered(self) -> None:
        if self.is_being_answered():
            self._ends = self.loop.call_later(STRANGER_S, self._end_unless_answered)
        else:
            self.end()

    def end(self) -> None:
        """Cut it off."""
        self._is_no_stranger()
        self.transport.abort()


def keep_descriptors_for_runs() -> None:
    """Raise the number of descriptors as far as this process may, and strangers can never take."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
