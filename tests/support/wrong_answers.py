"""Services that answer wrongly on demand: right words in a wrong place, and bytes that are not.

`LyingProxy` is in front of a real S3 server. What it does to a request says the first `Lie` that
fits it; everything else passes as it is.
"""

import gzip
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.proxies import ForwardingHandler, RefusingProxy, Rule

HTML = b"<!DOCTYPE html>\n<html><body><p>Please sign in to this network.<br></body></html>\n"
# REFUSED is what rclone gives up at once; an InternalError it asks again for, whatever the status.
REFUSED = b'<?xml version="1.0"?><Error><Code>InvalidRequest</Code><Message>x</Message></Error>'
ERROR = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>x</Message></Error>'
LISTING = "list-type=2"

Answer = Callable[["LyingHandler"], None]
Change = Callable[[bytes], bytes]


@dataclass(slots=True)
class Lie(Rule):
    """Which requests are answered by `answer`; the fields before it are those of a `Rule`."""

    status: int = 0
    code: str = ""
    answer: Answer | None = None  # None: refused as a `Rule` is


class LyingProxy(RefusingProxy):
    """A real server behind it, lies in front. `lies` may be changed at any time.

    `be_away` breaks every connection off for so long, from the first request that fits.
    """

    def __init__(self, upstream_endpoint: str, *, page: int = 0) -> None:
        super().__init__(upstream_endpoint)
        self.RequestHandlerClass = LyingHandler
        self.page = page  # so many objects in a page of a listing; only before a moto
        self._away_until = 0.0
        self._away: tuple[Lie, float] | None = None
        self.away_at: float | None = None  # when it went away, of time.monotonic()
        self.told = threading.Event()  # a lie was told

    @property
    def lies(self) -> list[Rule]:
        return self.rules

    @lies.setter
    def lies(self, lies: list[Rule]) -> None:
        self.told.clear()
        self.rules = list(lies)

    def be_away(self, seconds: float, at: Lie) -> None:
        """Break every connection off for so long, from the first request that fits `at`."""
        self._away, self.away_at = (at, seconds), None

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        if self._away is not None and self._away[0].fits(method, path, headers):
            self.away_at = time.monotonic()
            self._away_until = self.away_at + self._away[1]
            self._away = None
        if time.monotonic() < self._away_until:
            return Lie(method, path, answer=broken_off)
        rule = super().refusal(method, path, headers)
        if rule is not None:
            self.told.set()
        return rule


class LyingHandler(ForwardingHandler):
    """One connection of a `LyingProxy`."""

    server: LyingProxy

    def pass_on(self) -> None:
        if self.server.page:
            self.path = re.sub(r"max-keys=\d+", f"max-keys={self.server.page}", self.path)
        super().pass_on()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = pass_on  # noqa: N815  their names

    def _body_blocks(self) -> Iterator[bytes]:
        self.sent = b"".join(super()._body_blocks())
        yield self.sent

    def _refuse(self, rule: Rule) -> None:
        if isinstance(rule, Lie) and rule.answer is not None:
            rule.answer(self)
        else:
            super()._refuse(rule)

    def ask(self, sent: bytes = b"") -> tuple[http.client.HTTPResponse, bytes]:
        """Ask the real server, with `sent` as the body, and read its whole answer."""
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("transfer-encoding", "expect"):
                self.upstream.putheader(name, value)
        self.upstream.endheaders(sent)
        assert self.upstream.sock is not None
        self.server.watch(self.upstream.sock)
        response = self.upstream.getresponse()
        return response, response.read()

    def tell(self, response: http.client.HTTPResponse, body: bytes, *, length: bool = True) -> None:
        """Answer with the real server's headers and this body, in chunks where without a length."""
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if length else b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


def said(body: bytes, status: int = 200, kind: str = "application/xml") -> Answer:
    """Answer with these words, whatever was asked."""

    def answer(handler: LyingHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return answer


def broken_off(handler: LyingHandler) -> None:
    """Hang up without a word."""
    handler.close_connection = True


def cut_off(handler: LyingHandler) -> None:
    """Promise the whole body, send half of it and hang up."""
    response, body = handler.ask()
    handler.send_response_only(response.status, response.reason)
    for name, value in response.getheaders():
        if name.lower() != "connection":
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def changed(change: Change, *, length: bool = True) -> Answer:
    """Answer with what the real server says, its body changed."""

    def answer(handler: LyingHandler) -> None:
        response, body = handler.ask()
        handler.tell(response, change(body) if response.status < 300 else body, length=length)

    return answer


def done_but(answer: Answer, change: Change = bytes) -> Answer:
    """Let the real server do it, with a body that was changed on the way, and answer so anyway."""

    def do(handler: LyingHandler) -> None:
        handler.ask(change(handler.sent))
        answer(handler)

    return do


def meanwhile(happens: Callable[[], None]) -> Answer:
    """Let something happen elsewhere before the real server answers."""

    def answer(handler: LyingHandler) -> None:
        happens()
        handler.tell(*handler.ask(handler.sent))

    return answer


class Hold:
    """Keeps a request waiting until `go` is set; `reached` says that there is one."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, handler: "LyingHandler") -> None:
        self.reached.set()
        while not self.go.wait(0.02):
            if handler.server.stopping.is_set():
                broken_off(handler)
                return
        handler.tell(*handler.ask(handler.sent))


def flipped(body: bytes) -> bytes:
    """Flip one bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def endless(handler: LyingHandler) -> None:
    """Answer every page of a listing with the first one and the same token."""
    handler.path = re.sub(r"continuation-token=[^&]*&?", "", handler.path)
    response, page = handler.ask()
    page = re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", page)
    more = b"<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
    handler.tell(response, re.sub(rb"<IsTruncated>.*?</IsTruncated>", more, page))


# As Cloudflare R2 hands out an object that was stored with Content-Encoding: gzip (rclone#6533).
without_length = changed(lambda body: body, length=False)
unpacked = changed(gzip.decompress, length=False)
