"""ASGI middleware that checks Host, Origin and session of every request and websocket.

NiceGUI looks at neither Host nor Origin, and its socket needs no cookie. A page elsewhere could
otherwise act through the browser of a user who has bucketvault open: by DNS rebinding, a form, a
socket, a frame. Cookies do not tell ports apart, so the page of another local service is as
foreign as any; only the exact comparison of Origin and Host keeps it out. For the same reason all
pages are below a path of their own: no other port is sent the cookie, which is for that path.

Decisions: docs/decisions/access.md.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bucketvault.access import plain_pages
from bucketvault.access.sessions import OWN_PATH, Sessions
from bucketvault.sanitize import clean

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")  # at any port: a tunnel may use another
SIGN_IN = "/login"
STAYS_S = 1.5  # an open socket whose session has ended: long enough to send its page away
READING = ("GET", "HEAD")
OPEN = {  # what strangers may ask for, over HTTP only
    SIGN_IN: (*READING, "POST"),
    "/favicon.ico": READING,
    "/healthz": READING,
    "/metrics": ("GET",),  # asks for its own token
}
BACK = "/back"
OPEN_BELOW = {  # the same, for who knows our path: where the cookie is sent
    SIGN_IN: READING,
    BACK: ("POST",),
}
KEPT_BY_BROWSERS = ("/_nicegui/", "/assets/")  # their addresses change with their content
SESSION = "bucketvault.session"  # in the scope: the session's secret, for what is behind us
SIGNED_IN = "bucketvault.signed_in"  # there, from what is before us: to call if there is a session

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # printable ASCII without the backslash

# NiceGUI's pages compile their templates in the browser: neither 'unsafe-' can go. The policy
# still keeps everything on this origin, and us out of frames.
_PAGE_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    b"connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_PLAIN_POLICY = (
    f"default-src 'none'; script-src 'sha256-{plain_pages.COME_BACK_HASH}'; "
    "style-src 'unsafe-inline'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
).encode()
_HEADERS = {
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",  # with no-referrer, browsers send "Origin: null" in forms
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that is not passed on."""

    status: HTTPStatus
    title: str
    texts: tuple[str, ...] = ()
    location: str = ""  # a redirect's


NO_SESSION = Refusal(
    HTTPStatus.UNAUTHORIZED,
    "You are not signed in",
    ("Open the link that `bucketvault url` prints on the server.",),
)


def local_path(path: str) -> str:
    """Return `path` if it is one on this site, and none that signs in or out; else "/"."""
    if not _PATH.fullmatch(path) or path.split("?")[0] in (SIGN_IN, "/logout"):
        return "/"
    return path


class Guard:
    """Pure ASGI around the whole application. `allowed_hosts` are further names, at any port."""

    def __init__(self, app: ASGIApp, sessions: Sessions, allowed_hosts: Iterable[str] = ()) -> None:
        self.app = app
        self._sessions = sessions
        self._further = frozenset(allowed_hosts)
        self._names = self._further | set(LOCAL_NAMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise RuntimeError(f"unknown kind of connection: {scope['type']}")
        headers = Headers(scope=scope)
        below = self._sessions.below(scope["path"])
        # beside our path no session counts: what asks there has the cookie from somewhere else
        session = None if below is None else self._sessions.find(headers.get("cookie", ""))
        refusal = self._refusal(scope, headers, session, below)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
            return
        if session is not None:
            self._sessions.touch(session)
            scope[SESSION] = session
            scope.get(SIGNED_IN, lambda: None)()
            if scope["type"] == "websocket":
                receive = self._while_signed_in(session, receive)
        if below is not None:
            scope["root_path"] = self._sessions.path
        path = scope["path"] if below is None else below
        await self.app(scope, receive, _with_headers(path, send))

    def _refusal(
        self, scope: Scope, headers: Headers, session: str | None, below: str | None
    ) -> Refusal | None:
        """Return why this is not passed on; None: it is."""
        for name in ("host", "origin", "cookie"):
            if len(headers.getlist(name)) > 1:
                return Refusal(
                    HTTPStatus.BAD_REQUEST,
                    "Ambiguous request",
                    (f"It has more than one {name.capitalize()} header.",),
                )
        host = headers.get("host", "").lower()
        parts = _HOST.fullmatch(host)
        if parts is None or parts["name"] not in self._names:
            return self._foreign_host(host)
        if self._is_foreign(scope, headers, host, parts["name"]):
            return Refusal(
                HTTPStatus.FORBIDDEN,
                "Request from another site",
                ("bucketvault accepts only requests from its own pages. Open it at its address.",),
            )
        if parts["name"] == "localhost" and _is_navigation(scope, headers):
            # That name leads to ::1 first, where another user may listen: no cookie is kept for it.
            there = f"http://127.0.0.1{host.removeprefix('localhost')}{_asked(scope)}"
            return Refusal(HTTPStatus.TEMPORARY_REDIRECT, "Continue", location=there)
        if below is None:
            is_open = _is_open(scope, scope["path"], OPEN)
        else:
            is_open = session is not None or _is_open(scope, below, OPEN_BELOW)
        if is_open:
            return None
        if not _is_navigation(scope, headers):
            return NO_SESSION
        return _to_sign_in(scope, "" if below is None else self._sessions.path)

    def _foreign_host(self, host: str) -> Refusal:
        known = ", ".join((*LOCAL_NAMES, *sorted(self._further)))
        name = clean(host, limit=100)
        hint = "To use this name, start the server with: "
        return Refusal(
            HTTPStatus.FORBIDDEN,
            "Unknown host name",
            (
                f"You requested {name}." if name else "The request names no host.",
                f"Accepted host names, at any port: {known}.",
                f"{hint}`bucketvault serve --allowed-host NAME`",
            ),
        )

    def _is_foreign(self, scope: Scope, headers: Headers, host: str, name: str) -> bool:
        origin = headers.get("origin")
        own = {f"http://{host}"}
        if name in self._further:  # a proxy with TLS may be in front
            own.add(f"https://{host}")
        if origin is not None and origin.lower() not in own:
            return True
        reads = scope["type"] == "http" and scope["method"] in READING
        if origin is None and not reads:
            return True
        if headers.get("sec-fetch-site") in (None, "same-origin", "none"):
            return False
        # a link on another page may lead here, but nothing of that page may look inside
        navigates = headers.get("sec-fetch-mode") == "navigate"
        return not (reads and navigates and headers.get("sec-fetch-dest") == "document")

    def _while_signed_in(self, session: str, receive: Receive) -> Receive:
        """An open socket says nothing any more once its session has ended."""

        async def guarded() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                if not self._sessions.is_valid(session):
                    # what was said is not passed on; the page is told meanwhile where to go
                    await asyncio.sleep(STAYS_S)
                    return {"type": "websocket.disconnect", "code": 1008}
                self._sessions.touch(session)
            return message

        return guarded


def _is_open(scope: Scope, path: str, where: Mapping[str, tuple[str, ...]]) -> bool:
    return scope["type"] == "http" and scope["method"] in where.get(path, ())


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    mode = headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in headers.get("accept", "")  # browsers on plain HTTP, old ones


def _asked(scope: Scope) -> str:
    """Return path and query as they were asked for."""
    path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("ascii", "replace")
    query = scope.get("query_string", b"").decode("ascii", "replace")
    return f"{path}?{query}" if query else path


def _to_sign_in(scope: Scope, home: str) -> Refusal:
    """Lead to the sign-in page below `home`, and from there to the page asked for."""
    asked = _asked(scope)
    if former := OWN_PATH.match(asked):  # ours, or one that was
        asked = asked[former.end() :]
    wanted = local_path(asked)
    then = f"?next={quote(wanted, safe='/')}" if wanted != "/" else ""
    return Refusal(HTTPStatus.SEE_OTHER, "Sign in", location=f"{home}{SIGN_IN}{then}")


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    prefix = ""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        prefix = "websocket."
    body = b""
    if not refusal.location:
        body = plain_pages.page(refusal.title, plain_pages.paragraphs(*refusal.texts)).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *_own_headers(_PLAIN_POLICY, kept=False).items(),
    ]
    if refusal.location:
        headers.append((b"location", refusal.location.encode("ascii")))
    await send(
        {"type": f"{prefix}http.response.start", "status": refusal.status, "headers": headers}
    )
    is_head = scope["type"] == "http" and scope["method"] == "HEAD"
    await send({"type": f"{prefix}http.response.body", "body": b"" if is_head else body})


def _own_headers(policy: bytes, *, kept: bool) -> dict[bytes, bytes]:
    unkept = {} if kept else {b"cache-control": b"no-store"}
    return {b"content-security-policy": policy} | _HEADERS | unkept


def _with_headers(path: str, send: Send) -> Send:
    """Return `send`, which sets our headers on each response, over those of the application."""
    policy = _PLAIN_POLICY if path in OPEN else _PAGE_POLICY

    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            fine = message["status"] in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
            own = _own_headers(policy, kept=fine and path.startswith(KEPT_BY_BROWSERS))
            theirs = [pair for pair in message.get("headers", ()) if pair[0].lower() not in own]
            message = {**message, "headers": [*theirs, *own.items()]}
        await send(message)

    return sending
