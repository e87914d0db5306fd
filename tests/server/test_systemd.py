"""The server's own report that it works: to systemd, and to callers of /healthz."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine.engine import Engine
from bucketvault.server import systemd
from tests.support.program import Program, until


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        """Everything that was said so far."""
        while True:
            try:
                self.heard += self._socket.recv(4096, socket.MSG_DONTWAIT).decode().splitlines()
            except BlockingIOError:
                return self.heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    abstract = request.param == "abstract"
    name = f"@bucketvault-{os.getpid()}" if abstract else str(tmp_path / "notify")
    made = Manager(name.replace("@", "\0"))
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    yield made
    made.close()


def test_what_is_told_arrives_whatever_kind_of_socket_it_is(manager: Manager) -> None:
    systemd.tell(systemd.READY)

    assert manager.listen() == ["READY=1"]


@pytest.mark.parametrize("address", ["", "relative", "/nobody/listens/here"])
def test_without_somebody_who_listens_nothing_happens(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)

    systemd.tell(systemd.READY)


@pytest.mark.parametrize(
    ("pid", "microseconds", "expected"),
    [
        ("", "180000000", 180.0),
        ("ours", "500000", 0.5),
        ("1", "180000000", None),  # meant for another process
        ("", "", None),
        ("", "soon", None),
        ("", "0", None),
    ],
)
def test_the_watchdog_is_fed_as_often_as_it_wants(
    pid: str, microseconds: str, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_PID", pid.replace("ours", str(os.getpid())))
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)

    assert systemd.watchdog_s() == expected


@pytest.mark.usefixtures("open_store")
def test_a_server_whose_scheduler_stands_still_is_not_well(data_folder: Path) -> None:
    engine = Engine(load_config({}, data_dir=str(data_folder)), "serve", schedules=True)
    engine.scheduler.start()
    well = asyncio.run(systemd.fault(engine))

    engine.scheduler.stop(5)

    assert (well, asyncio.run(systemd.fault(engine))) == ("", "the scheduler has stalled")


def test_systemd_hears_of_start_life_trouble_and_end(bucketvault: Program, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    served = bucketvault.serve(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")
    until("it is ready", lambda: "READY=1" in manager.listen())
    until("it lives", lambda: manager.listen().count("WATCHDOG=1") >= 3)

    database = bucketvault.data_dir / "bucketvault.sqlite3"
    database.rename(bucketvault.folder / "taken away")
    until("it is in trouble", lambda: "STATUS=the database does not answer" in manager.listen())
    fed = manager.listen().count("WATCHDOG=1")
    troubled = manager.heard.count("STATUS=the database does not answer")
    until(
        "it says so again",
        lambda: manager.listen().count("STATUS=the database does not answer") > troubled + 2,
    )

    served.end()

    assert manager.listen().count("WATCHDOG=1") == fed
    assert "STOPPING=1" in manager.heard
    manager.close()
