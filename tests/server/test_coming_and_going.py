"""Browsers that come and go by the dozen leave nothing behind."""

import re
import socket
import struct

import psutil
import pytest

from tests.support.program import Program, Served, until
from tests.support.raw_socket import SOCKET, RawSocket

pytestmark = pytest.mark.slow

BROWSERS = 50
RESET = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER: closed at once, without a word
SPARE = 8  # descriptors: threads come and go with a database each


class Tab(RawSocket):
    """A tab of a browser: a page, and the socket by which it is live."""

    def __init__(self, served: Served) -> None:
        page = served.ask("/")
        found = re.search(r"client_id\W+([0-9a-f-]{36})", page.body)
        assert page.status == 200 and found is not None
        query = f"implicit_handshake=true&client_id={found[1]}&tab_id=t&document_id=d"
        super().__init__(
            served,
            path=f"{SOCKET}&{query}&next_message_id=0",
            Cookie=served.cookie,
            Origin=served.base,
        )
        assert self.status == 101
        self.say("40")

    def cut(self) -> None:
        """Go without a word, as a machine that is switched off."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._connection.close()


def ask_and_go(served: Served) -> None:
    """Ask as a browser whose websocket failed does, and go before the answer."""
    lines = [
        f"GET {served.path}{SOCKET.replace('websocket', 'polling')} HTTP/1.1",
        f"Host: 127.0.0.1:{served.port}",
        f"Cookie: {served.cookie}",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", served.port), timeout=15) as asking:
        asking.sendall("\r\n".join(lines).encode())
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_fifty_sockets_that_come_and_go_leave_nothing_and_keep_nobody_waiting(
    bucketvault: Program,
) -> None:
    served = bucketvault.serve()
    served.sign_in()
    Tab(served).cut()  # what a first page needs stays open
    process = psutil.Process(served.process.pid)
    before = process.num_fds()

    tabs = [Tab(served) for _ in range(BROWSERS)]
    until("all are greeted", lambda: all(b"40" in tab.hears() for tab in tabs))
    at_once = process.num_fds()
    for number, tab in enumerate(tabs):
        if number % 2:
            tab.cut()
        else:
            tab.close()
    for _ in range(BROWSERS):
        ask_and_go(served)
    page = served.ask("/")
    until("nothing is left of them", lambda: process.num_fds() <= before + SPARE)
    served.end()
    log = served.process.stderr.read() if served.process.stderr is not None else ""

    assert at_once >= before + BROWSERS - SPARE and page.status == 200
    assert "Traceback" not in log
