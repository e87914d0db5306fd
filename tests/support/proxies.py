"""Servers that misbehave on demand, at the network's edge: nothing inside our code is replaced.

`RefusingProxy` is in front of a real S3 server and refuses what its rules name; the others never
get as far as an answer.
"""

import datetime as dt
import http.client
import ipaddress
import re
import socket
import socketserver
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BLOCK = 64 * 1024
_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "expect"}


@dataclass(slots=True)
class Rule:
    """Which requests are refused, and with what: `Rule("GET", "/photos/", 403, "AccessDenied")`."""

    method: str  # "*" = any
    path: str  # a regular expression, searched for in the raw path with its query
    status: int
    code: str  # S3's error code; "" = answer with a web page, like something that is no S3 service
    message: str = "refused by a test"
    header: str = ""  # only requests that have this header, such as x-amz-copy-source
    without_header: str = ""  # only requests that lack this one
    times: int | None = None  # refuse so many, then let pass; None = for ever
    skip: int = 0  # let so many pass first

    def fits(self, method: str, path: str, headers: Any) -> bool:
        return (
            self.times != 0
            and self.method in ("*", method)
            and re.search(self.path, path) is not None
            and (not self.header or self.header in headers)
            and (not self.without_header or self.without_header not in headers)
        )


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread a connection; closing ends the connections too, so that no thread stays behind."""

    allow_reuse_address = True
    request_queue_size = 128
    scheme = "http"

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        # Polled often, so that ending one costs a test nothing.
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def watch(self, connection: socket.socket) -> None:
        """Close this one too when the server ends."""
        with self._open_lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.watch(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.forget(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what these servers are for."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self.shutdown()
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was faster
        self.server_close()  # waits for the connections' threads
        self._thread.join()


class RefusingProxy(_Server):
    """Passes everything on to a real S3 server, byte for byte, but for what `rules` refuse.

    The Host header stays the proxy's own, which the client has signed. `rules` may be changed at
    any time; `requests` counts by method and `seen` lists (method, path), refused ones included.
    `flips`, a regular expression like a rule's, names objects whose first byte comes as another
    one, with the ETag of what is stored, `flip_times` times.
    """

    def __init__(self, upstream_endpoint: str, rules: Iterable[Rule] = ()) -> None:
        super().__init__(ForwardingHandler)
        self.upstream = urlsplit(upstream_endpoint).netloc
        self.rules = list(rules)
        self.flips = ""
        self.flip_times: int | None = None  # None = for ever
        self.requests: Counter[str] = Counter()
        self.seen: list[tuple[str, str]] = []
        self._rules_lock = threading.Lock()

    def is_flipped(self, method: str, path: str) -> bool:
        """True if this answer is to have another first byte."""
        with self._rules_lock:
            fits = method == "GET" and self.flips and re.search(self.flips, path)
            if not fits or self.flip_times == 0:
                return False
            if self.flip_times is not None:
                self.flip_times -= 1
            return True

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        """Note a request; the first rule that refuses it, or None when it may pass."""
        with self._rules_lock:
            self.requests[method] += 1
            self.seen.append((method, path))
            for rule in self.rules:
                if rule.fits(method, path, headers):
                    if rule.skip:
                        rule.skip -= 1
                        continue
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return None


class ForwardingHandler(BaseHTTPRequestHandler):
    """One connection of a `RefusingProxy`."""

    server: RefusingProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)

    def finish(self) -> None:
        self._close_upstream()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Not printed: `seen` has it."""

    def pass_on(self) -> None:
        """Answer one request of any method."""
        body = self._body_blocks()
        if rule := self.server.refusal(self.command, self.path, self.headers):
            for _ in body:
                pass  # read to its end, or the next request would begin in the middle of it
            self._refuse(rule)
            return
        try:
            self._forward(body)
        except OSError:  # the server behind is gone: the client sees the same
            self.close_connection = True
            self._close_upstream()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = pass_on  # noqa: N815  their names

    def _refuse(self, rule: Rule) -> None:
        if rule.code:
            kind = "application/xml"
            text = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Error><Code>{rule.code}</Code><Message>{escape(rule.message)}</Message>"
                f"<Resource>{escape(self.path)}</Resource><RequestId>TEST</RequestId></Error>"
            ).encode()
        else:
            kind = "text/html"
            text = f"<!DOCTYPE html><html><body><p>{escape(rule.message)}<br></html>\n".encode()
        self.send_response(rule.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _forward(self, body: Iterator[bytes]) -> None:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OF_ONE_CONNECTION:
                self.upstream.putheader(name, value)
        if chunked:
            self.upstream.putheader("Transfer-Encoding", "chunked")
        self.upstream.endheaders()
        assert self.upstream.sock is not None
        self.server.watch(self.upstream.sock)
        for block in body:
            self.upstream.send(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
        if chunked:
            self.upstream.send(b"0\r\n\r\n")
        self._relay(self.upstream.getresponse())

    def _relay(self, response: http.client.HTTPResponse) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _OF_ONE_CONNECTION:
                self.send_header(name, value)
        empty = self.command == "HEAD" or response.status in (204, 304)
        chunked = not empty and response.getheader("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        is_flipped = self.server.is_flipped(self.command, self.path)
        if is_flipped and (first := response.read(1)):
            flipped = bytes([first[0] ^ 1])
            self.write_body(b"1\r\n%s\r\n" % flipped if chunked else flipped)
        while block := response.read(_BLOCK):
            self.write_body(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        if response.length and not empty:  # cut off in the middle: so must ours be
            self.close_connection = True

    def write_body(self, block: bytes) -> None:
        """Hand on a part of the answer."""
        self.wfile.write(block)

    def _body_blocks(self) -> Iterator[bytes]:
        """The request's body as it arrives, without its transfer encoding."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (block := self.rfile.read(min(left, _BLOCK))):
            left -= len(block)
            yield block

    def _close_upstream(self) -> None:
        if self.upstream.sock is not None:
            self.server.forget(self.upstream.sock)
        self.upstream.close()


class DrippingServer(_Server):
    """Answers every request with one byte every `interval_s`, for ever."""

    def __init__(self, interval_s: float = 2.0) -> None:
        super().__init__(_DrippingHandler)
        self.interval_s = interval_s


class _DrippingHandler(socketserver.BaseRequestHandler):
    server: DrippingServer

    def handle(self) -> None:
        answer = iter(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n<?xml version")
        while not self.server.stopping.wait(self.server.interval_s):
            self.request.sendall(bytes([next(answer, ord(" "))]))


class FrozenServer(_Server):
    """Takes every connection and never says a word."""

    def __init__(self) -> None:
        super().__init__(_FrozenHandler)


class _FrozenHandler(socketserver.BaseRequestHandler):
    server: FrozenServer

    def handle(self) -> None:
        self.server.stopping.wait()


class UntrustedServer(_Server):
    """Speaks TLS with a certificate that nobody signed, or one that has also `expired`."""

    scheme = "https"

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__(_TlsHandler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(certificate(expired=expired))
            self.context.load_cert_chain(file.name)


class _TlsHandler(socketserver.BaseRequestHandler):
    server: UntrustedServer

    def handle(self) -> None:
        # A client that checks certificates hangs up inside the handshake.
        with self.server.context.wrap_socket(self.request, server_side=True):
            self.server.stopping.wait()


def certificate(*names: str, expired: bool = False) -> bytes:
    """A self-signed certificate for 127.0.0.1 and these hosts with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    hosts = [x509.DNSName(name) for name in names]
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=-1 if expired else 1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - dt.timedelta(days=30))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([address, *hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
