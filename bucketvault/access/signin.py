"""Signing in and out: plain pages for strangers, and the end of open pages after signing out."""

import asyncio
import logging
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs, parse_qsl, urlsplit

import fastapi
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from nicegui import Client, background_tasks, core

from bucketvault.access import plain_pages
from bucketvault.access.guard import SESSION, SIGN_IN, local_path
from bucketvault.access.sessions import CrowdedError, Sessions
from bucketvault.store.database import BusyError

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 4096
COOKIE_AGE_S = 400 * 24 * 3600  # as long as browsers keep any; we decide how long it is valid
LEAVE_S = 1.0  # for open pages to leave by themselves


def sign_in_routes(sessions: Sessions) -> fastapi.APIRouter:
    """Return `/login` and `/logout`."""
    router = fastapi.APIRouter(include_in_schema=False)

    @router.api_route(SIGN_IN, methods=["GET", "HEAD"])
    async def ask(request: fastapi.Request, token: str = "", next: str = "/") -> Response:  # noqa: A002
        """Take the link with the token, or say where a visitor without a session is sent."""
        wanted = local_path(next)
        opens = request.method == "GET" and token
        held = request.scope.get(SESSION)
        foreign = request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if held is None and foreign:
            # A link on another site led here: the browser has held our cookie back, and sends it
            # as soon as this page asks.
            there = f"{SIGN_IN}?{request.url.query}" if opens else wanted
            refresh = f'<meta http-equiv="refresh" content="0; url={escape(there)}">'
            again = f'<p><a href="{escape(there)}">Go on</a></p>'
            return HTMLResponse(plain_pages.page("One moment", again, head=refresh))
        if opens:
            return await _open(sessions, token, held, wanted)
        if held is not None:
            return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        return _form(sessions, wanted)

    @router.post(SIGN_IN)
    async def enter(request: fastapi.Request) -> Response:
        """Take the password, the pasted token, or the whole link."""
        body = await _body(request)
        if body is None:
            return _too_large()
        fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        secret = _without_link(fields.get("token", "").strip())
        held = request.scope.get(SESSION)
        return await _open(sessions, secret, held, local_path(fields.get("next", "/")))

    @router.post("/logout")
    async def leave(request: fastapi.Request) -> Response:
        """End this browser's session, and what it has open."""
        if await _body(request) is None:
            return _too_large()
        try:
            await asyncio.to_thread(sessions.end, request.scope[SESSION])
        except BusyError:
            log.warning("the database is busy: a session ended for this start only")
        close_pages_of_ended_sessions(sessions)
        response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
        response.delete_cookie(sessions.cookie, path="/", httponly=True, samesite="strict")
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


async def _open(sessions: Sessions, secret: str, held: str | None, wanted: str) -> Response:
    try:
        session = await sessions.exchange(secret, held)
    except CrowdedError:
        words = "Somebody guesses, so passwords have to wait. The link opens at once."
        return _form(sessions, wanted, words, HTTPStatus.TOO_MANY_REQUESTS)
    except BusyError:
        words = "The database is busy. Try again in a minute."
        return _form(sessions, wanted, words, HTTPStatus.SERVICE_UNAVAILABLE)
    if session is None:
        words = "This token does not open bucketvault: it is not whole, or there is a newer one."
        if sessions.has_password():
            words = "This is not the password, and no token that opens bucketvault."
        return _form(sessions, wanted, words, HTTPStatus.FORBIDDEN)
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        sessions.cookie, session, max_age=COOKIE_AGE_S, path="/", httponly=True, samesite="strict"
    )
    return response


async def _body(request: fastapi.Request) -> bytes | None:
    """Return the request's body; None as soon as it is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY_BYTES:
            return None
    return body


def _too_large() -> Response:
    text = plain_pages.paragraphs("Nothing that belongs here is so large.")
    return HTMLResponse(
        plain_pages.page("Too much was sent", text),
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        {"connection": "close"},
    )


def _form(
    sessions: Sessions, wanted: str, problem: str = "", status: HTTPStatus = HTTPStatus.OK
) -> Response:
    bad = f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else ""
    if sessions.has_password():
        before, after = "", "No password at hand? On the server, this prints a link that opens:"
        label, remembered = "Password", "current-password"
    else:
        before = (
            "bucketvault opens by a link. On the server, as the user it runs as, this prints it:"
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
    body = f"{bad}{how}{form}" if before else f'{bad}{form}<div class="after">{how}</div>'
    return HTMLResponse(plain_pages.page("Sign in", body), status)
