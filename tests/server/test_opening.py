"""From a port that was taken to the first answer there."""

import contextlib
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
import uvicorn

from bucketvault.access import links
from bucketvault.access.sessions import Sessions
from bucketvault.config import Config, load_config
from bucketvault.engine import serve_note
from bucketvault.server.address import Door, door_of, who_listens
from bucketvault.server.ending import signals
from bucketvault.server.listener import Listener
from bucketvault.server.process import _begin, _note_kept_out, _opened, _Server
from bucketvault.store import database


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"],  # noqa: S104 - to find
)
def test_whoever_has_our_port_is_found_at_each_address_that_keeps_us_out(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as other:
        other.bind((address, 0))
        other.listen()
        ours = Listener(Door(other.getsockname()[1]))

        assert not ours.open()

        assert ours.taken_by == "Another of your programs" and not ours.is_strange


def test_a_port_that_was_a_strangers_once_stays_so_and_who_does_not_listen_is_a_stranger() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        ours = Listener(Door(other.getsockname()[1]))
        assert not ours.open() and ours.is_strange and who_listens(ours.door.port) is None
        other.listen()

        assert not ours.open()

        assert ours.taken_by == "Another of your programs" and ours.is_strange


@pytest.fixture
def config(open_store: Path) -> Config:
    """The settings of a data folder whose database is open."""
    return load_config({}, data_dir=str(open_store.parent))


@pytest.fixture
def listener(config: Config) -> Iterator[Listener]:
    """As it is once it has the port that another user had."""
    with Listener(door_of(config)) as made:
        made.sockets = [socket.create_server(("127.0.0.1", 0))]
        made.is_strange = True
        yield made


@pytest.fixture
def server(config: Config, listener: Listener) -> Iterator[_Server]:
    """One that waited for the port."""
    sessions = Sessions(config.address, config.password)
    with signals(60.0) as ending:
        yield _Server(
            uvicorn.Config("never imported", log_config=None),
            ending,
            listener,
            lambda: _opened(config, sessions, listener, with_link=False),
            lambda: _note_kept_out(config, listener),
        )


def test_a_stranger_who_takes_the_port_meanwhile_is_noted_for_the_next_start(
    config: Config, server: _Server, listener: Listener
) -> None:
    (ours,), listener.is_strange = listener.sockets, False
    listener.door, listener.sockets = Door(ours.getsockname()[1]), []
    listener.open()  # our own user has it
    _note_kept_out(config, listener)
    first = serve_note.read(config.data_dir)
    ours.close()
    with socket.socket() as other:  # it does not listen: nobody can tell whose it is
        other.bind(("127.0.0.1", listener.door.port))

        assert not server._is_open()

    second = serve_note.read(config.data_dir)
    assert first is not None and not first.kept_out_by_stranger
    assert second is not None and second.kept_out_by_stranger
    assert second.kept_out_since == first.kept_out_since


async def test_no_session_is_left_before_the_first_answer_when_another_user_had_the_port(
    config: Config, listener: Listener
) -> None:
    sessions = Sessions(config.address, config.password)
    sessions.load()
    path = sessions.path
    session = await sessions.begin(links.make())
    assert session is not None and sessions.is_valid(session)

    _opened(config, sessions, listener, with_link=False)

    assert not sessions.is_valid(session) and sessions.path != path


@pytest.mark.parametrize("name", [serve_note.NAME, "address"])
def test_a_file_that_cannot_be_written_is_tried_again(
    config: Config, server: _Server, name: str
) -> None:
    in_its_place = config.data_dir / name
    in_its_place.mkdir()
    assert not server._is_open()
    in_its_place.rmdir()

    assert server._is_open()


def test_words_that_reach_nobody_keep_no_page_away(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_open = False
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)

        is_open = server._is_open()

    assert is_open


@pytest.mark.slow  # SQLite waits five seconds
def test_a_blank_database_that_is_held_is_left_to_the_start_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "OF_A_CONNECTION", (("busy_timeout", 10),))
    config = load_config(
        {"BUCKETVAULT_KEY_FILE": str(tmp_path / "key")}, data_dir=str(tmp_path / "data")
    )
    config.make_folders()
    with contextlib.closing(sqlite3.connect(config.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        _begin(config)  # raises nothing

    assert database.is_blank(config.database)
    _begin(config)
    assert not database.is_blank(config.database)


def test_the_signals_handler_takes_no_lock_that_it_may_have_interrupted() -> None:
    """The main thread may be inside any: in Event.wait, or in the start of a thread."""
    locks = (type(threading.Lock()), type(threading.RLock()))
    taken: list[str] = []

    def profile(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and isinstance(getattr(called, "__self__", None), locks):
            taken.append(frame.f_code.co_qualname)

    with signals(1e6) as ending:  # its time limit ends this process
        assert not ending.is_set()
        ending.wait(0.01)
        sys.setprofile(profile)
        try:
            ending(signal.SIGTERM, None)
        finally:
            sys.setprofile(None)

        assert ending.is_set() and not taken
        ending.wait(60.0)  # returns at once
