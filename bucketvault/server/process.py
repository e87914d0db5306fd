"""`bucketvault serve`: one process, one port or socket, from its start to a clean end."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import uvicorn

from bucketvault.access.sessions import Sessions
from bucketvault.config import Config
from bucketvault.engine.engine import Engine
from bucketvault.engine.folder_lock import holder
from bucketvault.errors import AlreadyRunningError
from bucketvault.server import systemd
from bucketvault.server.address import announcement, door_of, listening, note_door

log = logging.getLogger(__name__)

# SIGTERM to the end takes at most the sum of the first two, and never longer than the third.
REQUESTS_MAY_TAKE_S = 2
ENGINE_MAY_TAKE_S = 2.0
END_S = 4.5


@dataclass(frozen=True)
class Around:
    """Options and hooks of a caller around serving."""

    role: str = "serve"
    print_link: bool = False  # also without a terminal
    end_s: float = END_S
    started: Callable[[Engine], None] = field(default=lambda engine: None)
    ending: Callable[[Engine], None] = field(default=lambda engine: None)  # before the engine stops


def serve(config: Config, around: Around = Around()) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code. Runs under way outlive this.

    Raises AlreadyRunningError when the data folder is in use, BucketvaultError when the port is,
    or the socket cannot be used.
    """
    if (who := holder(config)) is not None:  # before anything that takes time
        raise AlreadyRunningError(
            f"The data folder {config.data_dir} is in use by {who}.",
            "Stop that one first, or name another folder with --data-dir.",
        )
    config.make_folders()
    door = door_of(config)
    with listening(door) as listener, _signals(around.end_s) as ending:
        os.environ["NICEGUI_STORAGE_PATH"] = str(config.data_dir / "nicegui")  # read at import
        with _absent("aiohttp", "requests"):
            from bucketvault.server.app import create_app

        engine = Engine(config, around.role, schedules=True)
        sessions = Sessions(config.address, config.password)
        server = _Server(
            uvicorn.Config(
                create_app(engine, sessions),
                ws="wsproto",
                # to a browser on this machine or behind SSH, packing costs more than it saves
                ws_per_message_deflate=False,
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=REQUESTS_MAY_TAKE_S,
            ),
            ending,
        )
        engine.start()
        try:
            sessions.load()
            note_door(config)
            around.started(engine)
            with_link = around.print_link or sys.stdout.isatty()
            log.info("serving", extra={"at": door.socket or door.port})
            for line in announcement(config, with_link=with_link):
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            if not ending.is_set():
                server.run(sockets=[listener])
            around.ending(engine)
        finally:
            engine.stop(ENGINE_MAY_TAKE_S)
        sessions.work(at_end=True)
    log.info("ended")
    return 0


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

    def __init__(self, config: uvicorn.Config, ending: "_Ending") -> None:
        super().__init__(config)
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's start; from its end on requests are answered."""
        await super().startup(sockets)
        systemd.tell(systemd.READY)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Uvicorn's handler of both signals."""
        self._ending(sig, frame)
        self.should_exit = True


class _Ending(threading.Event):
    """Handler of both signals, also before and after the server has its own; set by the first."""

    def __init__(self, end_s: float) -> None:
        super().__init__()
        self._end_s = end_s

    def __call__(self, sig: int, frame: FrameType | None) -> None:
        if not self.is_set():
            self.set()
            systemd.tell(systemd.STOPPING)
            # systemd or a shell waits for the end. Whatever still hangs then (a query behind a
            # lock, a browser that does not read) is safe to leave: the database is transactional.
            last = threading.Timer(self._end_s, os._exit, (0,))
            last.daemon = True
            last.start()


@contextlib.contextmanager
def _signals(end_s: float) -> Iterator[_Ending]:
    ending = _Ending(end_s)
    before = {number: signal.signal(number, ending) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
