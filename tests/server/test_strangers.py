"""Other users of the machine: on our port, on a port of another installation, with connections."""

import contextlib
import http.client
import http.server
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest

from bucketvault.engine import serve_note
from bucketvault.engine.serve_note import ServeNote
from bucketvault.server.address import PROOF, Door, who_listens
from bucketvault.server.connections import (
    MOST_HEADER_BYTES,
    MOST_MESSAGE_BYTES,
    MOST_STRANGERS,
    STRANGER_S,
)
from tests.conftest import NewBucket
from tests.support.mailbox import Mailbox
from tests.support.program import Program, Served, objects, until
from tests.support.raw_socket import RawSocket
from tests.support.servers import RcloneS3, free_port

NOBODY = 65534
IDLE = 300  # connections at once, several times what a stranger may have


# the port


@contextlib.contextmanager
def answering(door: Door | None) -> Iterator[int]:
    """A web server that is not ours; with `door`, it shows what another installation would."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if door is not None:
                self.send_header(PROOF, door.proof(self.path.partition("nonce=")[2]))
            self.end_headers()
            self.wfile.write(b"ok\n")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def is_noted(program: Program, port: int) -> None:
    """A server on this data folder was at this port."""
    assert program.cli("status").code == 0  # makes the folder
    serve_note.write(program.data_dir, ServeNote(port, "", "ours"))


@pytest.mark.parametrize(
    "door", [None, Door(1, None, "another installation's"), Door(2, None, "ours")]
)
def test_no_link_is_given_to_whoever_listens_where_we_were(
    bucketvault: Program, door: Door | None
) -> None:
    """Any program, another installation's server, and one that passes on what ours says at 2."""
    with answering(door) as port:
        is_noted(bucketvault, port)

        told = bucketvault.cli("url")
        doctor = bucketvault.cli("doctor")

    assert told.code == 1 and told.out == ""
    assert f"Another of your programs listens on port {port}" in told.err
    assert "or sign in there" in told.err
    assert doctor.code == 1 and f"listens on port {port}, which this" in doctor.out


def test_no_link_is_given_to_what_speaks_no_http_and_none_to_nobody(bucketvault: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        is_noted(bucketvault, port)

        def greet() -> None:
            with silent.accept()[0] as asking:
                asking.sendall(b"220 mail\r\n")

        greeting = threading.Thread(target=greet)
        greeting.start()
        strange = bucketvault.cli("url")
        greeting.join()
    absent = bucketvault.cli("url")

    assert (strange.code, strange.out) == (1, "") and f"listens on port {port}" in strange.err
    assert (absent.code, absent.out) == (1, "") and "does not respond on port" in absent.err


LISTENING = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    print("listens", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held_by_nobody(port: int) -> Iterator[None]:
    """Another user of this machine listens on the port."""
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    process = subprocess.Popen(
        [python, "-I", "-S", "-c", LISTENING, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    try:
        yield
    finally:
        process.communicate()


def port_is_held(port: int) -> contextlib.AbstractContextManager[object]:
    return socket.create_server(("127.0.0.1", port))


def answers(served: Served) -> bool:
    try:
        return served.ask("/healthz").status == 200
    except OSError:
        return False


def test_while_another_program_has_the_port_runs_go_on_and_then_the_pages_come(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    mailbox, port = Mailbox(), free_port()
    assert bucketvault.apply(mailbox.settings).code == 0
    bucketvault.backup(new_bucket(here, objects(3)), new_bucket(elsewhere))
    with mailbox.up(), port_is_held(port):
        first = bucketvault.start("serve", "--port", str(port))
        until("a mail says so", lambda: mailbox.raw)
        first.terminate()
        assert "The pages cannot be opened; runs start on schedule" in first.communicate()[0]
        process = bucketvault.start("serve", "--port", str(port))
        until("it is at work again", lambda: bucketvault.status()["program"])

        assert bucketvault.run()["status"] == "success"
        (said,) = bucketvault.status()["program"]
        refused = bucketvault.cli("url")

    served = Served(bucketvault, process, port)
    until("the pages come", lambda: answers(served))
    served.sign_in()
    assert served.ask("/").status == 200 and bucketvault.status()["program"] == []
    assert said.startswith("The pages cannot be opened. Another of your programs listens on port")
    assert refused.code == 1 and refused.out == ""
    assert mailbox.subjects == ["The pages of bucketvault cannot be opened"]


@pytest.mark.root
@pytest.mark.parametrize("left_alone", [False, True], ids=["waits for it", "is started again"])
def test_sessions_end_when_another_user_had_the_port(
    bucketvault: Program, *, left_alone: bool
) -> None:
    """Open tabs went on asking there, and told what they have."""
    served = bucketvault.serve()
    served.sign_in()
    path = served.path
    served.end()
    with held_by_nobody(served.port):
        assert who_listens(served.port) == ("A program of the user nobody", True)
        assert "A program of the user nobody" in bucketvault.cli("url").err
        served.process = bucketvault.start("serve", "--port", str(served.port))
        until("it is kept out", lambda: "user nobody" in str(bucketvault.status()["program"]))
        if left_alone:
            assert served.end() == 0
    if left_alone:
        served.process = bucketvault.start("serve", "--port", str(served.port))

    until("the pages come", lambda: answers(served))

    assert served.path != path and served.ask("/").status == 401


PASSING = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "bucketvault", "serve"])
"""


def test_a_port_that_systemd_holds_is_never_free(bucketvault: Program) -> None:
    """As `packaging/bucketvault.socket` has it: who asks meanwhile waits for the next start."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        port = listener.getsockname()[1]

        def start() -> Served:
            process = subprocess.Popen(
                [sys.executable, "-c", PASSING, str(listener.fileno())],
                env=bucketvault.environment,
                pass_fds=[listener.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            return Served(bucketvault, process, port)

        served = again = start()
        try:
            until("it answers", lambda: answers(served))
            served.sign_in()
            assert served.end() == 0
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as waiting:
                waiting.request("GET", "/healthz")

                again = start()

                assert waiting.getresponse().status == 200
            assert bucketvault.cli("url").out.startswith(f"http://127.0.0.1:{port}/login?token=")
            again.cookie = served.cookie
            assert again.ask("/").status == 200 and again.end() == 0
        finally:
            for each in (served, again):
                each.process.kill()
                each.process.communicate()


# connections


@pytest.fixture(scope="module")
def served(
    here: RcloneS3, elsewhere: RcloneS3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server with a signed-in browser, and a backup."""
    program = Program(tmp_path_factory.mktemp("crowded"))
    served = program.serve()
    served.sign_in()
    yield served
    program.end()


def connected(served: Served, said: bytes = b"") -> socket.socket:
    # less than the time after which each stranger is cut off
    made = socket.create_connection(("127.0.0.1", served.port), timeout=STRANGER_S / 2)
    made.sendall(said)
    return made


def is_cut(connection: socket.socket) -> bool:
    """True if the server ends it without an answer; waits for what comes."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the server ends it."""
    told = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            told += more
    return told


def test_idle_connections_without_end_keep_nobody_out_and_no_run_from_starting(
    served: Served, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    program, process = served.program, psutil.Process(served.process.pid)
    program.backup(new_bucket(here, objects(3)), new_bucket(elsewhere))
    before = process.num_fds()
    with contextlib.ExitStack() as crowd:
        first = crowd.enter_context(connected(served))
        for number in range(IDLE):
            said = b"" if number % 2 else b"GET / HTTP/1.1\r\nX-Half: "
            crowd.enter_context(connected(served, said))

        assert served.ask("/healthz").status == 200  # so all before it were taken in
        assert process.num_fds() <= before + MOST_STRANGERS + 40
        assert is_cut(first)
        assert served.ask("/").status == 200
        assert program.run()["status"] == "success"

    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    assert soft == (4096 if hard == resource.RLIM_INFINITY else min(4096, hard))


def test_headers_without_end_are_cut_off_and_what_a_browser_may_have_to_send_is_not(
    served: Served,
) -> None:
    begin = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n".encode()
    with connected(served, begin + b"X: y\r\n" * 300) as lines:
        assert is_cut(lines)
    with connected(served, begin + b"X: ") as one, contextlib.suppress(OSError):
        for _ in range(2 * MOST_HEADER_BYTES // 65536):
            one.sendall(b"y" * 65536)
        assert b"400" in one.recv(100) or is_cut(one)

    thrown = "; ".join(f"thrown{n}={'x' * 4000}" for n in range(180))  # as many as Chromium keeps
    assert served.ask("/", headers={"Cookie": f"{thrown}; {served.cookie}"}).status == 200


MALFORMED = [
    '42["event"',
    "42[]",
    '42["event","x\\nERROR forged",{}]',
    "43[1]",
    '451-["event",{"_placeholder":true,"num":0}]',
    "4",
    "9",
    "x" * 200,
]


def test_malformed_messages_neither_fill_the_log_nor_stop_the_pages(
    bucketvault: Program,
) -> None:
    served = bucketvault.serve()
    served.sign_in()
    polling = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    cookie = {"Cookie": served.cookie, "Origin": served.base}
    for _ in range(2):
        for words in MALFORMED:
            with RawSocket(served, **cookie) as raw, contextlib.suppress(OSError):
                for each in ("40", *[words] * 20):
                    raw.say(each)
                raw.say("41")
            served.ask(polling, method="POST", body=words, headers={"Origin": served.base})

    assert served.ask("/").status == 200
    served.process.terminate()
    _, log = served.process.communicate()
    assert len(log) < 60_000, log[-2000:]
    assert not any(line.startswith("ERROR forged") for line in log.splitlines())


def test_a_message_without_end_is_cut_off(served: Served) -> None:
    cookie = {"Cookie": served.cookie, "Origin": served.base}
    before = psutil.Process(served.process.pid).memory_info().rss
    with RawSocket(served, **cookie) as raw:
        assert raw.status == 101

        raw.say_in_parts(b"4" + b"x" * 65535, MOST_MESSAGE_BYTES // 65536 + 1)

        too_big = (1009).to_bytes(2, "big")  # RFC 6455 7.4.1
        until("it is cut off", lambda: too_big in raw.hears_all())

    assert psutil.Process(served.process.pid).memory_info().rss < before + 8_000_000
    assert served.ask("/").status == 200


def test_lines_are_counted_up_to_the_end_of_the_headers_and_of_each_request_anew(
    served: Served,
) -> None:
    host = f"Host: 127.0.0.1:{served.port}\r\n".encode()
    get = b"GET /healthz HTTP/1.1\r\n" + host
    form = b"POST /login HTTP/1.1\r\n" + host + b"Content-Length: 300\r\n\r\n" + b"\n" * 300
    with connected(served, form + get + b"Connection: close\r\n\r\n") as both:
        assert everything(both).count(b"HTTP/1.1 ") == 2
    with connected(served, get + b"\r\n" + get + b"X: y\r\n" * 300 + b"\r\n") as second:
        assert everything(second).count(b"HTTP/1.1 ") == 1
