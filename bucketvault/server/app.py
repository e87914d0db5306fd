"""Composition: the one place that knows engine, pages and guard. `serving` runs what it makes.

Importing this imports NiceGUI, which asks the environment where to keep its files as it is
imported: set NICEGUI_STORAGE_PATH first.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import FileResponse, PlainTextResponse, Response
from nicegui import ui
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bucketvault.access.guard import Guard
from bucketvault.access.sessions import Sessions, replace_own_path
from bucketvault.access.signin import close_pages_of_ended_sessions, sign_in_routes
from bucketvault.engine.engine import Engine
from bucketvault.pages import site
from bucketvault.pages.parts import assets
from bucketvault.pages.run.log import log_api
from bucketvault.server import systemd
from bucketvault.server.address import PROOF, Door
from bucketvault.server.metrics import metrics_routes
from bucketvault.store.database import BusyError

log = logging.getLogger(__name__)

LOOK_S = 1.0  # how soon a new login token, or the end of a session, reaches open pages
ASKED_EVERY_S = 1.0  # /healthz is for everybody, and an answer takes a thread and the database
RECONNECT_S = 10.0  # a tunnel may be gone for so long before a page loads again


def create_app(engine: Engine, sessions: Sessions, door: Door) -> Guard:
    """Return the whole application around a started engine; once in a process.

    The engine delivers to the event loop that runs this, from its start to its end.
    """

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        engine.live.attach(asyncio.get_running_loop())
        watching = asyncio.create_task(_watch(sessions), name="watch sessions")
        feeding = asyncio.create_task(systemd.feed_watchdog(engine), name="feed the watchdog")
        yield
        engine.live.attach(None)
        watching.cancel()
        feeding.cancel()

    api = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    api.include_router(sign_in_routes(sessions))
    api.include_router(log_api(engine))
    api.include_router(metrics_routes(engine))
    _add_small_answers(api, engine, door)
    engine.sign_out_everywhere = partial(replace_own_path, engine.config.address)
    site.register(engine)
    ui.run_with(
        api,
        title="bucketvault",
        dark=None,  # as the browser says
        language="en-US",
        tailwind=False,  # our own style sheet has all there is
        favicon=assets.folder() / "favicon.svg",
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
    )
    return Guard(_HeardOut(api), sessions, engine.config.allowed_hosts)


class _HeardOut:
    """ASGI around the application: a request whose sender has gone is not passed on.

    engine.io answers nothing to such a one, and Starlette's middleware takes that for a fault and
    logs it, `anyio.EndOfStream` and all (engineio 4.15, `translate_request`; starlette 1.10,
    `BaseHTTPMiddleware`). A browser that falls back to polling while we restart meets that.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        heard = [await receive()]
        if heard[0]["type"] == "http.disconnect":
            return

        async def again() -> Message:
            return heard.pop() if heard else await receive()

        await self.app(scope, again, send)


class _Health:
    """Asks the engine at most once a second, however many strangers want to know."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked_at = -ASKED_EVERY_S
        self._answer: asyncio.Task[str] | None = None

    async def fault(self) -> str:
        """Return what keeps the server from its work, in words; empty: nothing."""
        now = time.monotonic()
        if self._answer is None or (self._answer.done() and now - self._asked_at > ASKED_EVERY_S):
            self._asked_at = now
            self._answer = asyncio.create_task(systemd.fault(self._engine), name="health")
        return await asyncio.shield(self._answer)


def _add_small_answers(api: FastAPI, engine: Engine, door: Door) -> None:
    health = _Health(engine)

    @api.api_route("/favicon.ico", methods=["GET", "HEAD"])
    async def favicon() -> Response:
        return FileResponse(assets.folder() / "favicon.svg", media_type="image/svg+xml")

    @api.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz(nonce: Annotated[str, Query(max_length=100)] = "") -> Response:
        """Say whether all is well; with a nonce, also that this is the server whose note it is."""
        headers = {PROOF: door.proof(nonce)} if nonce else None
        if fault := await health.fault():
            return PlainTextResponse(f"{fault}\n", HTTPStatus.SERVICE_UNAVAILABLE, headers)
        return PlainTextResponse("ok\n", headers=headers)


async def _watch(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            if sessions.has_work():
                await asyncio.to_thread(sessions.work)
            close_pages_of_ended_sessions(sessions)
        except BusyError as error:
            log.warning("sessions could not be checked", extra={"why": error})
        except Exception:  # the edge of a task: it must not die
            log.exception("checking sessions failed unexpectedly")
