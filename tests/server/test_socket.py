"""`serve --socket`: a door that other users of the machine cannot reach, and how it is found."""

import http.client
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.support.program import Program, Result, until


class OverSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket, as ssh speaks it for a browser at the other end of a tunnel."""

    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1", timeout=15)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, address: str = "/healthz", **headers: str) -> tuple[int, str]:
    """Status, and the cookie set or the body."""
    connection = OverSocket(path)
    try:
        connection.request("GET", address, headers={"Host": "localhost:9000", **headers})
        answer = connection.getresponse()
        body = answer.read().decode()
        return answer.status, answer.getheader("set-cookie") or body
    finally:
        connection.close()


def answers(path: Path) -> bool:
    try:
        return ask(path)[0] == 200
    except OSError:
        return False


def serve_on(program: Program, path: Path, **environment: str):
    process = program.start("serve", "--socket", str(path), **environment)
    until("the socket answers", lambda: process.poll() is not None or answers(path))
    assert process.poll() is None, process.communicate()
    return process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's socket is to be: its folder is not there yet."""
    return tmp_path / "door" / "bv.sock"


def test_it_listens_on_the_socket_alone_and_is_signed_into_through_it(
    bucketvault: Program, path: Path
) -> None:
    came = {"SSH_CONNECTION": "203.0.113.7 50022 192.0.2.1 22"}
    process = serve_on(bucketvault, path, **came)

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert not psutil.Process(process.pid).net_connections("inet")
    told = bucketvault.shell("url")
    assert f"ssh -N -L 8484:{path} USER@SERVER" in told.err
    link = told.out.strip().removeprefix("http://127.0.0.1:8484")
    token, home = link.partition("?")[2], bucketvault.path
    assert ask(path, link)[0] == 303
    status, cookie = ask(path, f"{home}/login?{token}")
    cookie = cookie.split(", ")[-1]
    assert status == 303 and cookie.startswith("bucketvault=")
    assert ask(path, f"{home}/")[0] == 401
    assert ask(path, f"{home}/", Cookie=cookie.partition(";")[0])[0] == 200
    assert ask(path, f"{home}/", Cookie=cookie.partition(";")[0], Host="evil.example")[0] == 403

    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=15)

    assert process.returncode == 0 and not path.exists()
    assert f"serves on the socket {path}" in out
    assert f"ssh -N -L 8484:{path} " in out and "@192.0.2.1\n" in out
    later = bucketvault.shell("url")
    assert later.code == 1 and later.out == "" and "does not respond on" in later.err


def test_a_socket_left_by_a_killed_server_is_replaced(bucketvault: Program, path: Path) -> None:
    process = serve_on(bucketvault, path)
    process.kill()
    process.wait()
    assert path.exists()

    serve_on(bucketvault, path)


def refusal(program: Program, path: Path) -> Result:
    told = program.shell("serve", "--socket", str(path))
    assert "Traceback" not in told.err
    return told


def test_a_living_socket_is_respected_and_its_owner_named(
    bucketvault: Program, path: Path, tmp_path: Path
) -> None:
    other = Program(tmp_path / "other")
    other.folder.mkdir()
    process = serve_on(other, path)
    try:
        told = refusal(bucketvault, path)
    finally:
        other.end()

    assert told.code == 75 and f"process {process.pid}" in told.err and "--socket" in told.err


def test_a_folder_that_is_open_to_others_is_refused_with_the_command_that_closes_it(
    bucketvault: Program, path: Path
) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)

    told = refusal(bucketvault, path)

    assert told.code == 1 and f"chmod 700 {path.parent}" in told.err
    assert path.parent.stat().st_mode & 0o777 == 0o755 and not path.exists()


def test_a_file_in_the_place_of_the_socket_stays(bucketvault: Program, path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("mine")

    told = refusal(bucketvault, path)

    assert told.code == 1 and "not a socket" in told.err and path.read_text() == "mine"


def test_a_path_too_long_for_a_socket_is_said_to_be(bucketvault: Program, tmp_path: Path) -> None:
    told = refusal(bucketvault, tmp_path / ("x" * 108))

    assert told.code == 2 and "too long" in told.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "backup.example"])  # noqa: S104
def test_another_address_is_refused_with_the_line_to_use_instead(
    bucketvault: Program, host: str
) -> None:
    for told in (
        bucketvault.shell("serve", "--host", host),
        bucketvault.shell("serve", BUCKETVAULT_HOST=host),
    ):
        assert told.code == 2 and "ssh -N -L 8484:127.0.0.1:8484" in told.err
