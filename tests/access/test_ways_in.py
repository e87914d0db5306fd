"""Every way in there is, asked of the program itself: a new one cannot be forgotten.

What a stranger may reach is written down here and in the guard; anything else that some part of
the program, or NiceGUI, opens must refuse every caller without a session.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bucketvault.access import guard
from tests.support.program import Program, Served
from tests.support.raw_socket import RawSocket

OPEN_TO_STRANGERS = {
    ("GET", "/login"),
    ("HEAD", "/login"),
    ("POST", "/login"),
    ("GET", "/favicon.ico"),
    ("HEAD", "/favicon.ico"),
    ("GET", "/healthz"),
    ("HEAD", "/healthz"),
}
METRICS = ("GET", "/metrics")  # open as well, but it asks for its own token
# What NiceGUI hears over its socket. Only a session opens the socket (below); a message
# after its end is not heard (test_guard).
EVENTS = {"connect", "handshake", "disconnect", "event", "javascript_response", "ack", "log"}
EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

LISTED = """
import json, os, sys
os.environ["NICEGUI_STORAGE_PATH"] = sys.argv[1] + "/nicegui"
from bucketvault.server.app import create_app
from bucketvault.config import load_config
from bucketvault.engine.engine import Engine
from bucketvault.access.sessions import Sessions
from bucketvault.server.address import Door
from nicegui import core

config = load_config({"BUCKETVAULT_DATA_DIR": sys.argv[1], "BUCKETVAULT_KEY_FILE": sys.argv[1]})
config.make_folders()
sessions = Sessions(config.address, config.password)
application = create_app(Engine(config, "serve"), sessions, Door(1)).app.app

def walk(routes, prefix=""):
    for route in routes:
        inner = getattr(route, "original_router", None) or route
        path = prefix + getattr(route, "path", "")
        below = getattr(inner, "routes", None)
        if below:
            yield from walk(below, path)
        else:
            methods = getattr(route, "methods", None)
            yield type(route).__name__, path, sorted(methods) if methods else None

print(json.dumps({
    "routes": list(walk(application.routes)),
    "events": {name: sorted(found) for name, found in core.sio.handlers.items()},
    "namespaces": sorted(core.sio.namespace_handlers),
    "exception_pages": [str(kind) for kind in application.exception_handlers],
}))
"""


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Routes that the composed application says it answers to."""
    command = [sys.executable, "-c", LISTED, str(tmp_path_factory.mktemp("listed"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a signed-in browser."""
    program = Program(tmp_path_factory.mktemp("ways"))
    served = program.serve()
    served.sign_in()
    yield served
    program.end()


def test_no_route_but_the_way_in_answers_a_stranger(listed: dict[str, Any], served: Served) -> None:
    paths = {path for _, path, _ in listed["routes"]}
    assert {"/", "/run/{run_id:number}", "/providers", "/logout", "/login"} <= paths
    assert any("_nicegui_ws" in path for path in paths)

    answered = set()
    for kind, path, methods in listed["routes"]:
        below = "" if "{" in path or kind != "Mount" else "/x"
        address = re.sub(r"\{[^}]*\}", "1", path) + below
        for start in ("", served.path):  # at the top the session counts for nothing
            for method in methods or EVERY_METHOD:
                headers = {"Origin": served.base}  # else every write is refused for that alone
                how = {"method": method, "signed_in": not start, "top": True}
                answer = served.ask(start + address, headers=headers, **how)
                if answer.status != 401:
                    answered.add((method, start + path))
                accepting = {**headers, "Accept": "text/html"}
                asked = served.ask(start + address, headers=accepting, **how)
                led = asked.status == 303 and asked.location.startswith("/login")
                assert led or asked.status == 401 or (method, start + path) in answered, path

    below = {(method, f"{served.path}/login") for method in ("GET", "HEAD")}
    below |= {("POST", f"{served.path}/back")}
    assert answered == OPEN_TO_STRANGERS | below
    is_open = {(m, p) for p, methods in guard.OPEN.items() for m in methods}
    assert is_open == OPEN_TO_STRANGERS | {METRICS}


def test_every_page_is_there_for_whoever_is_signed_in(
    listed: dict[str, Any], served: Served
) -> None:
    """The other half: what strangers are refused would answer, so the refusals mean something."""
    pages = [path for kind, path, methods in listed["routes"] if methods and "{" not in path]
    for path in pages:
        if path not in ("/logout", "/back", "/metrics"):
            assert served.ask(path).status in (200, 303), path


def test_metrics_open_by_the_newest_token_alone_while_they_are_on(served: Served) -> None:
    def asked(authorization: str = "", *, signed_in: bool = False) -> int:
        headers = {"Authorization": authorization} if authorization else None
        return served.ask("/metrics", headers=headers, signed_in=signed_in, top=True).status

    def turn_on() -> str:
        done = served.program.cli("metrics", "on")
        (token,) = re.findall(r"shown only now: (\S+)", done.out)
        return f"Bearer {token}"

    assert asked() == asked(signed_in=True) == asked("Bearer ") == 401  # off
    first, second = turn_on(), turn_on()
    assert [asked(), asked(first), asked(f"{second}x"), asked(second)] == [401, 401, 401, 200]
    assert served.program.cli("metrics").out == "Metrics are on.\n"
    stored = b"".join(p.read_bytes() for p in served.program.data_dir.rglob("*") if p.is_file())
    assert second.split()[1].encode() not in stored
    served.program.cli("metrics", "off")
    assert asked(second) == 401


@pytest.mark.slow
def test_nothing_is_heard_over_a_socket_but_what_is_known(listed: dict[str, Any]) -> None:
    assert {name: set(found) for name, found in listed["events"].items()} == {"/": EVENTS}
    assert listed["namespaces"] == []


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_no_event_reaches_a_handler_without_a_session(served: Served, event: str) -> None:
    """Over a websocket, and over the polling that socket.io falls back to."""
    with RawSocket(served, Origin=served.base) as raw:
        assert raw.status == 401
    polling = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    headers = {"Origin": served.base}
    began = served.ask(polling, headers=headers)
    assert began.status == 200  # with a session it would continue like this:
    sid = json.loads(began.body[1:])["sid"]

    message = f'40\x1e42["{event}",{{"client_id":"x"}}]'
    stranger = served.ask(
        f"{polling}&sid={sid}", method="POST", body=message, headers=headers, signed_in=False
    )

    assert stranger.status == 401
    assert served.ask(polling, headers=headers, signed_in=False).status == 401


def test_what_a_page_hears_is_bound_to_pages_only() -> None:
    """Handlers of our own outside NiceGUI's pages would be ways in of another kind."""
    package = Path(guard.__file__).parents[1]
    kinds = re.compile(r"\bsio\.on\(|@\w+\.websocket\(|add_api_websocket_route")

    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if kinds.search(path.read_text("utf-8"))
    }

    assert found == set()
