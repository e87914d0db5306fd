"""The ping out, against a real web server: only while all is well, and nowhere else than asked."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine import settings
from bucketvault.engine.alerts.pinging import call
from bucketvault.engine.catalogue import providers
from bucketvault.engine.engine import Engine
from bucketvault.engine.events import Live
from bucketvault.engine.heartbeat import Ping, PingPace
from bucketvault.store.models import Provider
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import RunStatus
from tests.store_fixtures import a_backup, a_run, a_storage, provider_input
from tests.support.mailbox import Authority, talking
from tests.support.program import until
from tests.support.servers import free_port

HASTY = PingPace(every_s=0.05, answer_s=0.5)


class Receiver:
    """A web server that remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []  # path and User-Agent
        self.status = 200
        self.location = ""
        self.body = b""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                receiver.asked.append((self.path, str(self.headers["User-Agent"])))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *given: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/ping/0a1b?create=1"

    @contextmanager
    def up(self, authority: Authority | None = None) -> Iterator["Receiver"]:
        if authority is not None:
            self._server.socket = authority.context().wrap_socket(
                self._server.socket, server_side=True
            )
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().up() as server:
        yield server


@contextmanager
def pinging(wrong: list[str]) -> Iterator[Ping]:
    ping = Ping(lambda: wrong[0] if wrong else "", Live(), HASTY)
    ping.start()
    try:
        yield ping
    finally:
        ping.stop()


def test_it_calls_while_all_is_well_and_says_how_that_went(
    open_store: object, vault: Vault, receiver: Receiver
) -> None:
    settings.change({"ping_url": receiver.url}, vault)

    with pinging([]) as ping:
        until("it called twice", lambda: len(receiver.asked) > 1)
        state = ping.state()

    assert receiver.asked[0][0] == "/ping/0a1b?create=1"
    assert receiver.asked[0][1].startswith("bucketvault/")
    assert (state.set_up, state.good, state.answer, state.held_back) == (True, True, "HTTP 200", "")
    assert state.at is not None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"OK (not found)", "OK (not found)"),
        (b"OK (rate limited)\n", "OK (rate limited)"),
        (b'{"ok":false,"msg":"Monitor not found or not active."}', "Monitor not found"),
        (b'{"ok": false}', "ok is false"),
        (b'{"ok":false,"msg":"no check secret-0a1b2c3d"}', "no check "),
    ],
)
def test_an_answer_of_200_from_a_service_that_heard_nobody_is_no_ping(
    receiver: Receiver, body: bytes, said: str
) -> None:
    receiver.body = body

    good, answer = call(receiver.url.replace("0a1b", "secret-0a1b2c3d"))

    assert not good and answer.startswith(f"HTTP 200, but the heartbeat was not accepted: {said}")
    assert "0a1b2c3d" not in answer


@pytest.mark.parametrize(
    "body", [b"OK", b"", b'{"ok":true}', b"{", b'{"ok"', b"[" * 2048, b'{"a":' * 400, b"Got it (1)"]
)
def test_any_other_answer_of_200_is_one(receiver: Receiver, body: bytes) -> None:
    receiver.body = body

    assert call(receiver.url) == (True, "HTTP 200")


def test_it_is_silent_while_something_is_wrong(
    open_store: object, vault: Vault, receiver: Receiver
) -> None:
    settings.change({"ping_url": receiver.url}, vault)
    wrong = ["Photos failed."]

    with pinging(wrong) as ping:
        held = until("it is held back", lambda: ping.state().held_back)
        before = list(receiver.asked)
        wrong.clear()
        until("it calls again", lambda: receiver.asked)

    assert held == "Photos failed."
    assert before == []


def test_nobody_is_called_where_nobody_was_named(open_store: object) -> None:
    ping = Ping(lambda: "", Live(), HASTY)
    ping.start()
    ping.stop()

    assert not ping.state().set_up


def test_a_fault_of_ours_is_no_good_sign_and_ends_nothing(
    open_store: object, vault: Vault, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    settings.change({"ping_url": receiver.url}, vault)
    faults = iter([True, True, False])

    def why_not() -> str:
        if next(faults, False):
            raise RuntimeError("the database does not answer")
        return ""

    ping = Ping(why_not, Live(), HASTY)
    ping.start()
    until("it calls after all", lambda: receiver.asked)
    ping.stop()

    assert caplog.text.count("the heartbeat failed unexpectedly") == 2


def test_all_is_well_while_planned_runs_start_and_no_backup_needs_anybody(
    open_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file = open_store.parent.parent / "secret.key"
    config = load_config(
        {"BUCKETVAULT_KEY_FILE": str(key_file), "HOME": "/nowhere"},
        data_dir=str(open_store.parent),
    )
    engine = Engine(config, "serve", schedules=True)
    provider = Provider.get_by_id(providers.create(provider_input(), Vault(key_file)))
    photos = a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copy"))
    a_run(photos)

    standing = engine._what_is_not_well()
    monkeypatch.setattr(engine.scheduler, "is_beating", lambda: True)
    well = engine._what_is_not_well()
    a_run(photos, RunStatus.FAILED)
    failed = engine._what_is_not_well()

    assert standing == "Scheduled runs do not start."
    assert well == ""
    assert failed.startswith("Photos failed: ")


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, "http://127.0.0.1:1/elsewhere"

    good, answer = call(receiver.url)

    assert not good
    assert "HTTP 302" in answer
    assert len(receiver.asked) == 1


def test_no_proxy_of_the_environment_gets_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    assert call(receiver.url) == (True, "HTTP 200")


def test_certificates_are_verified(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.make(tmp_path_factory.mktemp("authority"))
    with Receiver().up(authority) as receiver:
        url = receiver.url.replace("http://127.0.0.1", "https://localhost")
        stranger = call(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        known = call(url)

    assert stranger[0] is False
    assert "certificate" in stranger[1]
    assert known == (True, "HTTP 200")


def test_who_does_not_answer_is_left_in_time() -> None:
    with talking([], drip_s=0.1) as port:
        dripping = call(f"http://127.0.0.1:{port}/", 0.3)

    assert dripping == (False, "No answer in time.")
    assert call(f"http://127.0.0.1:{free_port()}/", 0.3)[0] is False
