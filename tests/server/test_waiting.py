"""A server that is started while another program holds the database: it waits, and says so."""

import contextlib
import http.client
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.server.address import noted_door
from tests.server.test_systemd import Manager
from tests.support.program import CLEAN_STOP_S, Program, Served, until
from tests.support.servers import free_port

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def held(database: Path) -> Iterator[None]:
    """Another program that has the whole database, as a tool for SQLite does."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.close()


def test_it_waits_says_so_and_serves_once_the_database_is_free(
    bucketvault: Program, manager: Manager, tmp_path: Path
) -> None:
    assert bucketvault.cli("status").code == 0  # the database is there
    port = free_port()
    with held(bucketvault.data_dir / "bucketvault.sqlite3"):
        served = Served(bucketvault, start(bucketvault, port, tmp_path), port)
        answer = until("it answers", lambda: answer_at(port))
        # by the proof it is not taken for a stranger
        told = noted_door(load_config(bucketvault.environment)).ask()
        second = bucketvault.cli("serve", "--port", str(free_port()))
        heard = list(manager.listen())

    until("it serves", lambda: answer_at(port) == (200, "ok\n"))
    code = served.end()
    log = served.process.stderr.read() if served.process.stderr is not None else ""

    assert answer == told == (503, "Waiting: another program is using the database.\n")
    assert second.code != 0 and "is in use by `bucketvault serve`" in second.err
    assert any(word.startswith("EXTEND_TIMEOUT_USEC=") for word in heard) and "READY=1" not in heard
    assert "READY=1" in manager.listen() and code == 0
    assert log.count("waiting for the database") == 1 and "Traceback" not in log


def test_it_can_be_stopped_while_it_waits(bucketvault: Program, tmp_path: Path) -> None:
    assert bucketvault.cli("status").code == 0
    port = free_port()
    with held(bucketvault.data_dir / "bucketvault.sqlite3"):
        served = Served(bucketvault, start(bucketvault, port, tmp_path), port)
        until("it answers", lambda: answer_at(port))

        assert served.end(signal.SIGTERM, within_s=CLEAN_STOP_S) == 0


def start(program: Program, port: int, folder: Path) -> "subprocess.Popen[str]":
    """Start the server, as systemd does."""
    return program.start("serve", "--port", str(port), NOTIFY_SOCKET=str(folder / "notify"))


def answer_at(port: int) -> tuple[int, str] | None:
    """Return status and words of its /healthz; None: it has not said anything yet."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(asking), contextlib.suppress(OSError):
        asking.request("GET", "/healthz")
        answer = asking.getresponse()
        return answer.status, answer.read().decode()
    return None
