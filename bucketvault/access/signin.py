"""Signing in and out: plain pages for strangers, and the end of open pages after signing out."""

import asyncio
import logging
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import fastapi
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from nicegui import Client, background_tasks, core

from bucketvault.access import plain_pages
from bucketvault.access.guard import BACK, SESSION, SIGN_IN, local_path
from bucketvault.access.sessions import (
    COOKIE,
    CrowdedError,
    Sessions,
    new_way_back,
    session_of,
)
from bucketvault.store.database import BusyError

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 4096
COOKIE_AGE_S = 400 * 24 * 3600  # as long as browsers keep any; we decide how long it is valid
LEAVE_S = 1.0  # for open pages to leave by themselves


def sign_in_routes(sessions: Sessions) -> fastapi.APIRouter:
    """Return `/login` and `/logout`.

    Whoever opens the link, or knows the password, at the address that every stranger may ask is
    led below our path: only there the browser shows what it has, and gets its cookie.
    """
    router = fastapi.APIRouter(include_in_schema=False)

    @router.api_route(SIGN_IN, methods=["GET", "HEAD"])
    async def ask(request: fastapi.Request, token: str = "", next: str = "/") -> Response:  # noqa: A002
        """Take the link with the token, or say where a visitor without a session is sent."""
        wanted = local_path(next)
        home = request.scope.get("root_path", "")
        opens = request.method == "GET" and token
        held = request.scope.get(SESSION)
        if not home:
            return await _lead_below(sessions, token, wanted) if opens else _form(sessions, wanted)
        foreign = request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if held is None and foreign:
            # A link on another site led here: the browser has held our cookie back, and sends it
            # as soon as this page asks.
            there = f"{home}{SIGN_IN}?{request.url.query}" if opens else f"{home}{wanted}"
            refresh = f'<meta http-equiv="refresh" content="0; url={escape(there)}">'
            again = f'<p><a href="{escape(there)}">Continue</a></p>'
            return HTMLResponse(plain_pages.page("One moment", again, head=refresh))
        if opens:
            return await _open(sessions, token, held, wanted)
        if held is not None:
            return RedirectResponse(f"{home}{wanted}", HTTPStatus.SEE_OTHER)
        return _form(sessions, wanted)

    @router.post(SIGN_IN)
    async def enter(request: fastapi.Request) -> Response:
        """Take the password, the pasted token, or the whole link."""
        body = await _body(request)
        if body is None:
            return _too_large()
        fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        secret = _without_link(fields.get("token", "").strip())
        return await _lead_below(sessions, secret, local_path(fields.get("next", "/")))

    @router.post(BACK)
    async def back(request: fastapi.Request) -> Response:
        """Give a browser its cookie again: other ports of this host can make it forget ours."""
        body = await _body(request)
        if body is None:
            return _too_large()
        session = session_of(body.decode("utf-8", "replace"))
        if not sessions.is_valid(session):
            return Response("That session has ended.")
        return _with_session(Response(status_code=HTTPStatus.NO_CONTENT), sessions, session)

    @router.post("/logout")
    async def leave(request: fastapi.Request) -> Response:
        """End this browser's session, and what it has open."""
        if await _body(request) is None:
            return _too_large()
        try:
            await asyncio.to_thread(sessions.end, request.scope[SESSION])
        except BusyError:
            log.warning("the database is busy: a session ended only until the next start")
        close_pages_of_ended_sessions(sessions)
        response = RedirectResponse(f"{sessions.path}{SIGN_IN}", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, path=sessions.path, httponly=True, samesite="strict")
        return response

    return router


def close_pages_of_ended_sessions(sessions: Sessions) -> None:
    """Send open pages whose session has ended to the sign-in page, and cut those that stay.

    To be called in the event loop; returns at once.
    """
    ended = [
        client
        for client in list(Client.instances.values())
        if client.has_socket_connection  # without one, the guard lets none be opened
        and sessions.find(client.request.headers.get("cookie", "")) is None
    ]
    if not ended:
        return
    for client in ended:
        client.open(SIGN_IN)

    async def cut() -> None:
        await asyncio.sleep(LEAVE_S)
        for client in ended:
            for sid, _ in list(core.sio.manager.get_participants("/", client.id)):
                await core.sio.disconnect(sid)

    background_tasks.create(cut(), name="cut the sockets of ended sessions")


def _without_link(pasted: str) -> str:
    """Return the token in a link; anything else as it is."""
    if not pasted.startswith(("http://", "https://")):
        return pasted
    try:
        return parse_qs(urlsplit(pasted).query).get("token", [pasted])[0]
    except ValueError:
        return pasted


async def _lead_below(sessions: Sessions, secret: str, wanted: str) -> Response:
    try:
        token = await sessions.check(secret)
    except CrowdedError:
        words = "Too many attempts. Try again in a minute, or use the link."
        return _form(sessions, wanted, words, HTTPStatus.TOO_MANY_REQUESTS)
    except BusyError:
        return _busy(sessions, wanted)
    if token is None:
        return _wrong(sessions, wanted)
    then = urlencode({"token": token, "next": wanted})
    return RedirectResponse(f"{sessions.path}{SIGN_IN}?{then}", HTTPStatus.SEE_OTHER)


async def _open(sessions: Sessions, token: str, held: str | None, wanted: str) -> Response:
    way_back = new_way_back()
    try:
        session = await sessions.begin(token, held, way_back)
    except BusyError:
        return _busy(sessions, wanted)
    if session is None and held is None:
        return _wrong(sessions, wanted)
    response = RedirectResponse(f"{sessions.path}{wanted}", HTTPStatus.SEE_OTHER)
    if session == session_of(way_back):
        # The page puts it into the storage of this name and port, where no other port comes; nor
        # can one throw this cookie, whose name is our path.
        name = sessions.path.removeprefix("/")
        response.set_cookie(name, way_back, max_age=60, path=sessions.path, samesite="strict")
    return response if session is None else _with_session(response, sessions, session)


def _with_session(response: Response, sessions: Sessions, session: str) -> Response:
    response.set_cookie(
        COOKIE,
        session,
        max_age=COOKIE_AGE_S,
        path=sessions.path,
        httponly=True,
        samesite="strict",
    )
    return response


def _busy(sessions: Sessions, wanted: str) -> Response:
    words = "The database is busy. Try again in a minute."
    return _form(sessions, wanted, words, HTTPStatus.SERVICE_UNAVAILABLE)


def _wrong(sessions: Sessions, wanted: str) -> Response:
    words = "This link is invalid, expired or already used. Each link works once, within a day."
    if sessions.has_password():
        words = "This is not the password, nor a valid link."
    return _form(sessions, wanted, words, HTTPStatus.FORBIDDEN)


async def _body(request: fastapi.Request) -> bytes | None:
    """Return the request's body; None as soon as it is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY_BYTES:
            return None
    return body


def _too_large() -> Response:
    text = plain_pages.paragraphs("bucketvault does not accept requests of this size.")
    return HTMLResponse(
        plain_pages.page("Request too large", text),
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        {"connection": "close"},
    )


def _form(
    sessions: Sessions, wanted: str, problem: str = "", status: HTTPStatus = HTTPStatus.OK
) -> Response:
    bad = f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else ""
    if sessions.has_password():
        before, after = (
            "",
            "No password at hand? On the server, this command prints a sign-in link:",
        )
        label, remembered = "Password", "current-password"
    else:
        before = (
            "Sign in with a link. On the server, as the user that runs bucketvault, this command "
            "prints one:"
        )
        after, label, remembered = "", "Or paste the link, or its token, here", "off"
    form = (
        '<form method="post" action="/login">'
        f'<input type="hidden" name="next" value="{escape(wanted)}">'
        f'<label for="token">{label}</label>'
        f'<input id="token" name="token" type="password" autocomplete="{remembered}" required '
        "autofocus><button>Sign in</button></form>"
    )
    how = plain_pages.paragraphs(before or after, "`bucketvault url`")
    if not problem:
        form += f"<script>{plain_pages.COME_BACK}</script>"
    body = f"{bad}{how}{form}" if before else f'{bad}{form}<div class="after">{how}</div>'
    return HTMLResponse(plain_pages.page("Sign in", body), status)
