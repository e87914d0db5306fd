"""A start that has to wait: another program holds the database. Says so meanwhile, to everybody.

To the log and the terminal once, to systemd again and again, and to whoever asks at the port with
status 503. Nothing is planned meanwhile; what was missed is made up for afterwards.

Decisions: docs/decisions/service.md.
"""

import contextlib
import logging
import re
import selectors
import socket
import sys
import threading
from collections.abc import Iterator, Sequence

from bucketvault.engine import serve_note
from bucketvault.engine.engine import Engine
from bucketvault.engine.serve_note import ServeNote
from bucketvault.errors import DatabaseHeldError
from bucketvault.server import systemd
from bucketvault.server.address import PROOF, Door
from bucketvault.server.ending import Ending
from bucketvault.server.listener import Listener

log = logging.getLogger(__name__)

AGAIN_S = 1.0  # between two tries; each waits ten seconds itself, SQLite's busy timeout
MORE_TIME = f"EXTEND_TIMEOUT_USEC={120 * 10**6}"  # sd_notify(3): for the next try
WORDS = "Waiting: another program is using the database."
POLL_S, PATIENCE_S = 0.2, 2.0
REQUEST_BYTES = 4096
_NONCE = re.compile(rb"^GET /healthz\?nonce=(\w{1,100}) ")


def start(engine: Engine, ending: Ending, listener: Listener) -> bool:
    """Start the engine, as soon as the database is free; False: ended before that.

    Nobody else can have the data folder meanwhile. Raises what keeps it from starting otherwise.
    """
    engine.take_folder()
    waits = False
    with contextlib.ExitStack() as meanwhile:
        while not ending.is_set():
            try:
                return _attempt(engine, ending)
            except DatabaseHeldError as error:
                if not waits:
                    waits = True
                    log.warning("waiting for the database", extra={"why": error.summary})
                    with contextlib.suppress(OSError):  # nobody reads it
                        sys.stdout.write(f"{WORDS} {error.summary}\n")
                        sys.stdout.flush()
                    meanwhile.enter_context(_answering(engine, listener))
                systemd.tell(f"{MORE_TIME}\nSTATUS={WORDS}")
                ending.wait(AGAIN_S)
    return False


def _attempt(engine: Engine, ending: Ending) -> bool:
    """Start the engine in a thread; False: ended before that. Raises what kept it from starting.

    The main thread hears no signal while SQLite keeps it waiting.
    """
    faults: list[BaseException] = []

    def work() -> None:
        try:
            engine.start()
        except BaseException as error:  # handed to the main thread
            faults.append(error)

    thread = threading.Thread(target=work, name="start", daemon=True)
    thread.start()
    while thread.is_alive() and not ending.is_set():
        thread.join(POLL_S)
    if faults:
        raise faults[0]
    return not thread.is_alive()


@contextlib.contextmanager
def _answering(engine: Engine, listener: Listener) -> Iterator[None]:
    """Answer at the port that we wait, and show commands that it is us."""
    door = listener.door
    if listener.sockets:
        note = ServeNote(door.port, str(door.socket or ""), door.secret)
        serve_note.write(engine.config.data_dir, note)
    over = threading.Event()
    answering = threading.Thread(
        target=_answer, args=(listener.sockets, door, over), name="say that we wait", daemon=True
    )
    answering.start()
    try:
        yield
    finally:
        over.set()
        answering.join()


def _answer(sockets: Sequence[socket.socket], door: Door, over: threading.Event) -> None:
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while not over.wait(0 if selector.get_map() else POLL_S):
            for key, _ in selector.select(POLL_S):
                assert isinstance(key.fileobj, socket.socket)  # noqa: S101 - for the type checker
                with contextlib.suppress(OSError):
                    client, _ = key.fileobj.accept()
                    with client:
                        client.settimeout(PATIENCE_S)
                        client.sendall(_said_to(client.recv(REQUEST_BYTES), door))


def _said_to(request: bytes, door: Door) -> bytes:
    """Return the answer to any request: not yet. With the proof that it is us, where asked for."""
    body = f"{WORDS}\n".encode()
    lines = [
        "HTTP/1.1 503 Service Unavailable",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Retry-After: 5",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if nonce := _NONCE.match(request):
        lines.append(f"{PROOF}: {door.proof(nonce[1].decode())}")
    return "\r\n".join((*lines, "", "")).encode() + body
