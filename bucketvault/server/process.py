"""`bucketvault serve`: one process, one port or socket, from its start to a clean end."""

import asyncio
import contextlib
import ctypes
import functools
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import uvicorn

from bucketvault.access.sessions import Sessions, replace_own_path
from bucketvault.config import Config
from bucketvault.engine import serve_note
from bucketvault.engine.alerts import lost
from bucketvault.engine.engine import Engine
from bucketvault.engine.folder_lock import holder
from bucketvault.engine.mail import outbox
from bucketvault.engine.mail.mail_views import Received
from bucketvault.engine.serve_note import ServeNote
from bucketvault.errors import AlreadyRunningError, BucketvaultError, DatabaseHeldError
from bucketvault.server import systemd, waiting
from bucketvault.server.address import announcement, door_of
from bucketvault.server.connections import (
    MOST_HEADER_BYTES,
    MOST_MESSAGE_BYTES,
    Connection,
    keep_descriptors_for_runs,
)
from bucketvault.server.ending import Ending, signals
from bucketvault.server.listener import BACKLOG, Listener
from bucketvault.store.copies import refuse_to_begin_anew
from bucketvault.store.database import BusyError, close_database, is_blank, writing
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import Topic

log = logging.getLogger(__name__)

# SIGTERM to the end takes at most the sum of the first two, and never longer than the third.
REQUESTS_MAY_TAKE_S = 2
ENGINE_MAY_TAKE_S = 2.0
END_S = 4.5
M_ARENA_MAX = -8  # malloc.h
AGAIN_S = 5.0  # between two looks whether a port that was taken is free


@dataclass(frozen=True)
class Around:
    """Options and hooks of a caller around serving."""

    role: str = "serve"
    print_link: bool = False  # also without a terminal
    end_s: float = END_S
    started: Callable[[Engine], None] = field(default=lambda engine: None)
    ending: Callable[[Engine], None] = field(default=lambda engine: None)  # before the engine stops
    mailbox: Callable[[], tuple[Received, ...]] | None = None  # of a demo, which its pages show


def serve(config: Config, around: Around = Around()) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code. Runs under way outlive this.

    A port that another program has keeps the pages away, and nothing else: they come when it is
    free. A database that another program holds keeps all of it waiting. Raises AlreadyRunningError
    when the data folder is in use, BucketvaultError when port or socket cannot be used at all.
    """
    if (who := holder(config)) is not None:  # before anything that takes time
        raise AlreadyRunningError(
            f"The data folder {config.data_dir} is in use by {who}.",
            "Stop it first, or choose another folder with --data-dir.",
        )
    _begin(config)
    _share_one_heap()
    keep_descriptors_for_runs()
    with Listener(door_of(config)) as listener, signals(around.end_s) as ending:
        note = serve_note.read(config.data_dir)  # a stranger may have had the port, and left
        listener.is_strange = note is not None and note.kept_out_by_stranger
        listener.open()
        os.environ["NICEGUI_STORAGE_PATH"] = str(config.data_dir / "nicegui")  # read at import
        with _absent("aiohttp", "requests"):
            from bucketvault.server.app import create_app

        engine = Engine(config, around.role, schedules=True)
        engine.mailbox = around.mailbox
        sessions = Sessions(config.address, config.password)
        server = _Server(
            uvicorn.Config(
                create_app(engine, sessions, listener.door),
                http=Connection,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                ws="wsproto",
                ws_max_size=MOST_MESSAGE_BYTES,
                # to a browser on this machine or behind SSH, packing costs more than it saves
                ws_per_message_deflate=False,
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
                log_level="error",  # else a stranger fills the log with what is no HTTP
                lifespan="on",
                timeout_graceful_shutdown=REQUESTS_MAY_TAKE_S,
            ),
            ending,
            listener,
            lambda: _opened(
                config, sessions, listener, with_link=around.print_link or sys.stdout.isatty()
            ),
            lambda: _note_kept_out(config, listener),
        )
        try:
            if not waiting.start(engine, ending, listener):
                return 0
            lost.is_over(config.data_dir)
            sessions.load()
            around.started(engine)
            if listener.sockets:
                server.opened()
            else:
                _kept_out(config, listener)
            if not ending.is_set():
                server.run(sockets=listener.sockets)
            around.ending(engine)
        finally:
            engine.stop(ENGINE_MAY_TAKE_S)
        sessions.work(at_end=True)
    log.info("ended")
    return 0


def _begin(config: Config) -> None:
    """Make what a first start makes, before anything can end it.

    Raises BrokenDatabaseError where the database is lost.
    """
    refuse_to_begin_anew(config)
    config.make_folders()
    if is_blank(config.database):
        with contextlib.suppress(DatabaseHeldError):  # then the start waits for it, and makes it
            open_store(config)
        close_database()


def _opened(config: Config, sessions: Sessions, listener: Listener, *, with_link: bool) -> None:
    """Say that the pages can be opened, and where."""
    door = listener.door
    if listener.is_strange:
        # what open tabs said to whoever had the port opens nothing any more
        replace_own_path(config.address)
        sessions.work()  # now: whoever had it may ask next
    serve_note.write(config.data_dir, ServeNote(door.port, str(door.socket or ""), door.secret))
    log.info("serving", extra={"at": door.socket or door.port})
    _say("\n".join(announcement(door, with_link=with_link)))


def _kept_out(config: Config, listener: Listener) -> None:
    """Say that another program has the port: here, in `status`, and once by mail."""
    note = _note_kept_out(config, listener)
    try:
        with writing(Topic.MAIL):
            outbox.kept_out(note.kept_out, note.kept_out_since)
    except BusyError as error:
        log.warning("the database is busy: no mail about the port", extra={"why": error})
    log.error("another program uses the port: the pages are not served", extra={"port": note.port})
    _say(
        f"{note.kept_out} The pages cannot be opened; runs start on schedule.\n"
        "The pages are served once the port is free. Or choose another: bucketvault serve --port "
        "8485"
    )


def _note_kept_out(config: Config, listener: Listener) -> ServeNote:
    """Write down who has the port, and whether a stranger had it, for the next start too."""
    door = listener.door
    before = serve_note.read(config.data_dir)
    since = (before.kept_out_since if before else "") or utcnow().isoformat()
    words = f"{listener.taken_by} listens on port {door.port}."
    note = ServeNote(door.port, "", door.secret, words, since, listener.is_strange)
    serve_note.write(config.data_dir, note)
    return note


def _say(words: str) -> None:
    with contextlib.suppress(OSError):  # a reader that has gone keeps no page away
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()


def _share_one_heap() -> None:
    """Have all threads share one heap.

    glibc gives each thread another, eight a core, and keeps in each what was freed: with runs and
    pages in dozens of short-lived threads, more than what is in use (docs/decisions/soak.md).
    """
    with contextlib.suppress(AttributeError):  # another C library has no mallopt(3)
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


@contextlib.contextmanager
def _absent(*modules: str) -> Iterator[None]:
    """Let imports of optional modules fail meanwhile.

    NiceGUI's socket.io brings its client along, which we never are, and the client brings these if
    it can: a third of the time to the first answer, and 15 MB of memory (engineio 4.15).
    """
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: the import fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class _Server(uvicorn.Server):
    """Ends on a signal, and does not raise it again: what follows `run` is done, the code is 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        ending: Ending,
        listener: Listener,
        opened: Callable[[], None],
        by_stranger: Callable[[], object],
    ) -> None:
        super().__init__(config)
        self.opened = opened  # called once requests can come
        self._by_stranger = by_stranger  # called when the port is seen to be another user's
        self._ending = ending
        self._listener = listener
        self._waiting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's start; from its end on requests are answered, if there is a socket."""
        await super().startup(sockets)
        systemd.tell(systemd.READY)
        if not sockets:
            self._waiting = asyncio.create_task(self._wait_for_the_port(), name="wait for the port")

    async def _wait_for_the_port(self) -> None:
        while not await asyncio.to_thread(self._is_open):  # noqa: ASYNC110 - see below
            await asyncio.sleep(AGAIN_S)  # no program tells when it leaves a port
        made = functools.partial(
            Connection,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        for each in self._listener.sockets:
            self.servers.append(await loop.create_server(made, sock=each, backlog=BACKLOG))

    def _is_open(self) -> bool:
        """Try to listen, and to say so before anybody can sign in."""
        try:
            if not self._listener.sockets:
                strange = self._listener.is_strange
                if not self._listener.open():
                    if self._listener.is_strange and not strange:
                        self._by_stranger()
                    return False
            self.opened()
        except (BusyError, BucketvaultError, OSError) as error:  # as on a full disk
            log.warning("the pages cannot be opened yet", extra={"why": error})
            return False
        return True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Uvicorn's handler of both signals."""
        self._ending(sig, frame)
        self.should_exit = True
