"""Who may talk to us, asked of the guard alone: no network, an application that always answers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from bucketvault.access import guard
from bucketvault.access.guard import Guard, local_path
from bucketvault.access.sessions import Sessions

HOST = "127.0.0.1:8484"
OWN = f"http://{HOST}"
SESSION = "a-session-that-is-valid"
HOME = "/b-0123456789-abcdef_ABCD"
BESIDE = ("/login", "/healthz", "/favicon.ico")
COOKIE = f"bucketvault={SESSION}"
SOCKET = "/_nicegui_ws/socket.io/"
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

Headers = Iterable[tuple[str, str]]


class OneSession(Sessions):
    """Sessions with a single one, which a test may end."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), Path("/nowhere"))
        self.path = HOME
        self.ended = False

    def is_valid(self, session: str) -> bool:
        return session == SESSION and not self.ended


class Told:
    """The guard's answer."""

    def __init__(self, reached: bool, root_path: str, messages: list[dict[str, Any]]) -> None:
        self.reached = reached  # the application behind it
        self.root_path = root_path  # where the application was told that it is
        start = messages[0] if messages else {}
        self.status: int = start.get("status", 0)
        self.accepted = start.get("type") == "websocket.accept"
        self.headers = {k.decode(): v.decode() for k, v in start.get("headers", ())}
        self.names = [k.decode() for k, _ in start.get("headers", ())]
        self.body = b"".join(m.get("body", b"") for m in messages).decode()


async def ask(
    path: str = "/",
    *,
    method: str = "GET",
    kind: str = "http",
    host: str = HOST,
    cookie: str = COOKIE,
    more: dict[str, str] | None = None,
    headers: Headers | None = None,
    allowed: Iterable[str] = (),
    answer: Headers = (),
    top: bool = False,
) -> Told:
    """One request to a guarded application; `headers` replaces all that would be sent.

    It goes below the path of the pages, but for what strangers may ask for, or with `top`.
    """
    if not top and path.split("?")[0] not in BESIDE and not path.startswith("/b-"):
        path = f"{HOME}{path}"
    if headers is None:
        headers = [("host", host), *([("cookie", cookie)] if cookie else [])]
        headers = [*headers, *(more or {}).items()]
    address, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": kind,
        "path": unquote(address),
        "raw_path": address.encode(),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers],
        "extensions": {"websocket.http.response": {}},
    }
    if kind == "http":
        scope["method"] = method
    reached = False
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal reached
        reached = True
        if kind == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            return
        own = [(k.encode(), v.encode()) for k, v in answer]
        await send({"type": "http.response.start", "status": 200, "headers": own})
        await send({"type": "http.response.body", "body": b"inside"})

    await Guard(application, OneSession(), allowed)(scope, receive, send)
    return Told(reached, scope.get("root_path", ""), messages)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8484", "localhost:8484", "[::1]:8484", "localhost", "LOCALHOST:9000", "127.0.0.1"],
)
async def test_the_names_of_this_machine_are_answered_at_any_port(host: str) -> None:
    assert (await ask(host=host)).reached


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8484",
        "127.0.0.1.evil.example:8484",
        "localhost.:8484",
        "evil.example@127.0.0.1:8484",
        "127.0.0.1:8484@evil.example",
        "127.0.0.1:8484/",
        "127.0.0.1:",
        "127.0.0.2:8484",
        "0.0.0.0:8484",
        "[::]:8484",
        "::1",
        "127.0.0.1:8484,evil.example",
        " localhost",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/login", "/healthz", "/favicon.ico", "/_nicegui/x.js"])
async def test_a_foreign_name_is_refused_everywhere(host: str, path: str) -> None:
    told = await ask(path, host=host)

    assert told.status == 403 and not told.reached
    assert "--allowed-host NAME" in told.body and "localhost" in told.body


async def test_a_request_that_names_no_host_is_refused() -> None:
    told = await ask(headers=[("cookie", COOKIE)])

    assert told.status == 403 and not told.reached


async def test_a_further_name_is_answered_once_it_is_allowed() -> None:
    name = "backup.example"

    assert not (await ask(host=f"{name}:8484")).reached
    assert (await ask(host=f"{name}:8484", allowed=[name])).reached
    assert not (await ask(host=f"www.{name}", allowed=[name])).reached
    refused = await ask(host="evil.example", allowed=[name])
    assert name in refused.body


@pytest.mark.parametrize("name", ["host", "origin", "cookie"])
async def test_a_header_that_decides_may_stand_only_once(name: str) -> None:
    values = {"host": HOST, "origin": OWN, "cookie": COOKIE}

    told = await ask(headers=[*values.items(), (name, values[name])])

    assert told.status == 400 and not told.reached


FOREIGN_ORIGINS = [
    "http://evil.example",
    "http://127.0.0.1:3000",
    "http://localhost:8484",
    "https://127.0.0.1:8484",
    "http://127.0.0.1",
    "http://127.0.0.1:8484.evil.example",
    "http://127.0.0.1:8484/",
    "file://",
    "null",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_origin_is_refused(origin: str, method: str) -> None:
    for path in ("/", "/login", "/logout", "/api/runs/1/log"):
        told = await ask(path, method=method, more={"origin": origin})
        assert told.status == 403 and not told.reached


@pytest.mark.parametrize("origin", [*FOREIGN_ORIGINS, None])
async def test_a_socket_from_another_origin_or_none_is_refused(origin: str | None) -> None:
    more = {} if origin is None else {"origin": origin}

    told = await ask(SOCKET, kind="websocket", more=more)

    assert told.status == 403 and not told.reached


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_what_may_change_something_must_say_where_it_comes_from(method: str) -> None:
    assert (await ask("/x", method=method)).status == 403
    assert (await ask("/x", method=method, more={"origin": OWN})).reached


async def test_behind_tls_a_further_name_may_be_an_https_origin_and_a_local_one_not() -> None:
    name = "backup.example"
    secure = {"origin": f"https://{name}"}

    assert (await ask("/x", method="POST", host=name, allowed=[name], more=secure)).reached
    local = {"origin": f"https://{HOST}"}
    assert (await ask("/x", method="POST", allowed=[name], more=local)).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
async def test_of_other_sites_only_a_link_that_is_followed_gets_through(site: str) -> None:
    from_site = {"sec-fetch-site": site}

    assert (await ask(more={**from_site, **NAVIGATION})).reached
    refused: list[dict[str, str]] = [
        {},
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "object"},
    ]
    for how in refused:
        assert (await ask(more={**from_site, **how})).status == 403
    posted = {**from_site, **NAVIGATION, "origin": OWN}
    assert (await ask("/x", method="POST", more=posted)).status == 403
    socket = {**from_site, "origin": OWN}
    assert (await ask(SOCKET, kind="websocket", more=socket)).status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_our_own_pages_and_typed_addresses_get_through(site: str) -> None:
    assert (await ask(more={"sec-fetch-site": site, "sec-fetch-mode": "cors"})).reached


@pytest.mark.parametrize("cookie", ["", "bucketvault=guess", f"bucketvault_9000={SESSION}"])
async def test_without_a_session_nothing_is_open_but_the_way_in(cookie: str) -> None:
    for path in ("/login", "/favicon.ico", "/healthz"):
        assert (await ask(path, cookie=cookie)).reached
    for path in (
        "/api/runs/1/log",
        "/_nicegui/3.18.0/static/nicegui.js",
        SOCKET,
        "/assets/bucketvault.css",
        "/login/",
        "//login",
        f"{HOME}/healthz",
        "/healthz/x",
        "/logout",
    ):
        told = await ask(path, cookie=cookie)
        assert told.status == 401 and not told.reached
    for path, method in {"/healthz": "POST", "/favicon.ico": "PUT", "/login": "DELETE"}.items():
        told = await ask(path, method=method, cookie=cookie, more={"origin": OWN})
        assert told.status == 401 and not told.reached


@pytest.mark.parametrize("path", [SOCKET, "/login", "/healthz"])
async def test_a_socket_without_a_session_is_refused_whatever_its_path(path: str) -> None:
    told = await ask(path, kind="websocket", cookie="", more={"origin": OWN})

    assert told.status == 401 and not told.reached


async def test_a_socket_of_ours_with_a_session_opens() -> None:
    told = await ask(SOCKET, kind="websocket", more={"origin": OWN})

    assert told.reached and told.accepted


async def test_an_open_socket_is_not_heard_once_its_session_has_ended() -> None:
    messages = [
        {"type": "websocket.receive", "text": "while signed in"},
        {"type": "websocket.receive", "text": "a click"},
    ]

    heard = await hear_while_the_session_ends(messages)

    assert heard == ["websocket.receive", "websocket.disconnect"]


async def hear_while_the_session_ends(incoming: list[dict[str, Any]]) -> list[str]:
    """Messages to the application when the session ends before the last one."""
    sessions = OneSession()
    heard: list[str] = []
    waiting = [{"type": "websocket.connect"}, *incoming]

    async def receive() -> dict[str, Any]:
        sessions.ended = len(waiting) == 1
        return waiting.pop(0)

    async def send(_: Any) -> None:
        return

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        heard.extend([(await receive())["type"] for _ in incoming])

    headers = [(b"host", HOST.encode()), (b"origin", OWN.encode()), (b"cookie", COOKIE.encode())]
    scope = {"type": "websocket", "path": f"{HOME}{SOCKET}", "headers": headers}
    await Guard(application, sessions)(scope, receive, send)
    return heard


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", f"{HOME}/login"),
        ("/run/7", f"{HOME}/login?next=/run/7"),
        ("/run/7?tab=log&x=1", f"{HOME}/login?next=/run/7%3Ftab%3Dlog%26x%3D1"),
        ("//evil.example/x", f"{HOME}/login"),
        ("/logout", f"{HOME}/login"),
        ("/b-another-installation-1/run/7", "/login?next=/run/7"),
    ],
)
async def test_a_browser_without_a_session_is_led_to_the_sign_in_page_and_back(
    path: str, location: str
) -> None:
    for how in (NAVIGATION, {"accept": "text/html,*/*"}):
        told = await ask(path, cookie="", more=how)
        assert (told.status, told.headers["location"]) == (303, location)
        assert not told.reached


@pytest.mark.parametrize(
    "path", ["/", "/run/7", f"{HOME}", f"{HOME}x/", "/b-another-installation-1/"]
)
async def test_beside_the_path_no_cookie_opens_anything_and_nothing_names_the_path(
    path: str,
) -> None:
    scripted, led = [(await beside(path, how)) for how in ({"sec-fetch-mode": "cors"}, NAVIGATION)]

    assert scripted.status == 401 and led.status == 303
    assert led.headers["location"].startswith("/login")
    for told in (scripted, led):
        assert not told.reached and HOME not in f"{told.headers} {told.body}"


async def beside(path: str, how: dict[str, str]) -> Told:
    """Ask at the top, as a thief asks who has the cookie and does not know the path."""
    return await ask(path, more=how, top=True)


async def test_below_the_path_the_application_is_told_where_it_is() -> None:
    assert (await ask("/run/7")).root_path == HOME
    assert (await ask("/login", cookie="")).root_path == ""


@pytest.mark.parametrize("path", ["/", "/login?token=x&next=/run/7", f"{HOME}/run/7"])
async def test_a_visit_by_the_name_that_another_user_may_hold_is_led_to_the_address(
    path: str,
) -> None:
    """`localhost` leads to ::1 first: there may be no cookie for that name."""
    for host, there in (("localhost:8484", "127.0.0.1:8484"), ("localhost", "127.0.0.1")):
        told = await ask(path, host=host, more=NAVIGATION, top=True)
        assert (told.status, told.headers["location"]) == (307, f"http://{there}{path}")


async def test_a_script_without_a_session_is_refused_and_not_led_anywhere() -> None:
    told = await ask(cookie="", more={"sec-fetch-mode": "cors", "accept": "text/html"})

    assert told.status == 401 and "location" not in told.headers


async def test_a_cookie_of_another_service_beside_ours_changes_nothing() -> None:
    for cookie in (
        f"other=1; {COOKIE}",
        f"bucketvault=tossed; {COOKIE}",
        f'{COOKIE}; broken; =; "',
    ):
        assert (await ask(cookie=cookie)).reached


EVERYWHERE = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


async def test_every_answer_carries_the_headers_that_protect_it_refusals_too() -> None:
    answers = [
        await ask(),
        await ask("/login", cookie=""),
        await ask("/_nicegui/x.js"),
        await ask(cookie=""),
        await ask(cookie="", more=NAVIGATION),
        await ask(host="evil.example"),
        await ask(more={"origin": "null"}),
        await ask(SOCKET, kind="websocket", cookie=""),
    ]
    for told in answers:
        assert EVERYWHERE.items() <= told.headers.items()
        assert "camera=()" in told.headers["permissions-policy"]
        policy = told.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "http" not in policy
        assert len(told.names) == len(set(told.names))


async def test_pages_for_strangers_may_run_no_script_but_the_one_of_the_sign_in_page() -> None:
    for told in (await ask("/login"), await ask(cookie="")):
        assert "default-src 'none'" in told.headers["content-security-policy"]
        assert "script-src 'sha256-" in told.headers["content-security-policy"]
        assert (
            "'unsafe-inline'" not in told.headers["content-security-policy"].split("style-src")[0]
        )
        assert "<script" not in told.body


async def test_pages_are_never_kept_by_a_browser_and_files_of_one_version_are() -> None:
    kept = [("Cache-Control", "public, max-age=31536000")]

    assert (await ask("/", answer=kept)).headers["cache-control"] == "no-store"
    assert (await ask("/login", answer=kept)).headers["cache-control"] == "no-store"
    file = await ask("/_nicegui/3.18.0/static/nicegui.js", answer=kept)
    assert file.headers["Cache-Control"] == "public, max-age=31536000"
    refused = await ask("/_nicegui/3.18.0/static/nicegui.js", cookie="", answer=kept)
    assert refused.headers["cache-control"] == "no-store"


async def test_what_the_application_says_of_those_headers_gives_way() -> None:
    told = await ask(answer=[("X-Frame-Options", "ALLOWALL"), ("X-Other", "kept")])

    assert told.headers["x-frame-options"] == "DENY" and told.headers["X-Other"] == "kept"
    assert "X-Frame-Options" not in told.names


async def test_a_refusal_shows_what_was_asked_for_as_text() -> None:
    told = await ask(host="<script>alert(1)</script>")

    assert told.status == 403 and "<script>" not in told.body and "&lt;script&gt;" in told.body


async def test_an_unknown_kind_of_connection_is_not_let_through() -> None:
    with pytest.raises(RuntimeError):
        await ask(kind="webtransport")


@pytest.mark.parametrize("path", ["/", "/run/7", "/run/7?tab=log&x=%2F", "/a//b"])
def test_a_path_of_ours_is_where_the_sign_in_leads(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run/7",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/x\x00",
        "/ü",
        "http://evil.example/",
        "javascript:alert(1)",
        " /",
        "/login",
        "/login?next=/login",
        "/logout",
    ],
)
def test_no_other_path_is_where_the_sign_in_leads(path: str) -> None:
    assert local_path(path) == "/"


def test_only_the_way_in_is_open() -> None:
    assert set(guard.OPEN) == {"/login", "/favicon.ico", "/healthz", "/metrics"}
