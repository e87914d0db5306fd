"""A mail server of the demo's own: it takes every email, passes none on, and keeps them in memory.

As much of RFC 5321 as a client needs that is known: ours.
"""

import contextlib
import datetime as dt
import email
import email.policy
import email.utils
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterator

from bucketvault.engine.mail.mail_views import Received
from bucketvault.server.address import ADDRESS

MOST_KEPT = 200
LONGEST_LINE = 4096  # bytes
LARGEST = 100_000  # bytes of an email
SILENCE_S = 30.0


class Mailbox:
    """The emails that were taken; every method may be called from any thread."""

    def __init__(self) -> None:
        self.port = 0  # once it is served
        self.on_new: Callable[[], object] = lambda: None
        self._received: deque[Received] = deque(maxlen=MOST_KEPT)

    def received(self) -> tuple[Received, ...]:
        """Return what was taken, newest first."""
        return tuple(sorted(self._received, key=lambda each: (each.at, each.number), reverse=True))

    def take(self, content: bytes) -> None:
        """Keep an email."""
        told = email.message_from_bytes(content, policy=email.policy.default)
        date = email.utils.parsedate_to_datetime(str(told["Date"]))
        plain = told.get_body(("plain",))  # a report has an HTML part beside it
        text = plain.get_content() if plain is not None else ""
        number = self._received[-1].number + 1 if self._received else 1
        self._received.append(
            Received(
                number=number,
                at=date.astimezone(dt.UTC),
                sender=str(told["From"]),
                recipient=str(told["To"]),
                subject=str(told["Subject"]).strip(),  # a long one is folded before its words
                body=text.replace("\r\n", "\n"),
            )
        )
        self.on_new()


@contextlib.contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Take emails on a port of this machine until the end of the block."""
    mailbox = Mailbox()
    with _Server((ADDRESS, 0), _Conversation) as server:
        server.mailbox = mailbox
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    mailbox: Mailbox


class _Conversation(socketserver.StreamRequestHandler):
    """One client, from the greeting to its QUIT."""

    timeout = SILENCE_S
    server: _Server

    def handle(self) -> None:
        """Answer each command."""
        with contextlib.suppress(OSError):
            self._say("220 demo")
            while line := self.rfile.readline(LONGEST_LINE):
                verb = line[:4].upper().strip()
                if verb == b"DATA":
                    self._say("354 go ahead")
                    if not self._take():
                        return
                elif verb == b"QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 ok")

    def _take(self) -> bool:
        """Read an email to its end; False where there is none."""
        content = bytearray()
        while line := self.rfile.readline(LONGEST_LINE):
            if line == b".\r\n":
                self.server.mailbox.take(bytes(content))
                self._say("250 taken by the demo's mailbox")
                return True
            content += line[1:] if line.startswith(b".") else line
            if len(content) > LARGEST:
                return False
        return False

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())
