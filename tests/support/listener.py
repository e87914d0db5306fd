"""A web server that takes what alerts and heartbeats send, and can be as bad as a real one."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.support.mailbox import Authority

DRIP_S = 0.05


class Request(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Listener:
    """Remembers what it was sent. It answers with `status`, `location` and `body`.

    `drips`: a byte at a time, without end.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.location = ""
        self.body = b"{}"
        self.drips = False
        self._ended = threading.Event()
        self._server: http.server.ThreadingHTTPServer | None = None
        self.port = self._bound().server_port

    def _bound(self, port: int = 0) -> http.server.ThreadingHTTPServer:
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                body = self.rfile.read(length)
                request = Request(self.command, self.path, dict(self.headers), body)
                listener.requests.append(request)
                self.send_response(listener.status)
                if listener.location:
                    self.send_header("Location", listener.location)
                if listener.drips:
                    self.end_headers()
                    while not listener._ended.wait(DRIP_S):
                        self.wfile.write(b"x")
                        self.wfile.flush()
                    return
                self.send_header("Content-Length", str(len(listener.body)))
                self.end_headers()
                self.wfile.write(listener.body)

            do_GET = do_POST  # noqa: N815 - as http.server calls it

            def log_message(self, *given: object) -> None:
                return

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    return  # whoever asked has gone

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        return self._server

    def url(self, path: str, scheme: str = "http") -> str:
        """Return an address here."""
        return f"{scheme}://127.0.0.1:{self.port}/{path}"

    @contextmanager
    def up(self, authority: Authority | None = None) -> Iterator["Listener"]:
        """Answer, until the block ends; it may be up again later, at the same port."""
        server = self._server or self._bound(self.port)
        self._ended.clear()
        if authority is not None:
            server.socket = authority.context().wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            server.shutdown()
            server.server_close()
            self._server = None
            thread.join()

    def down(self) -> None:
        """Let go of the port before it was up."""
        if self._server is not None:
            self._server.server_close()
            self._server = None
