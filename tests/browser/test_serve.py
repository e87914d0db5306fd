"""`bucketvault serve` as it is: who gets in, how it ends, what runs while it does."""

import contextlib
import os
import pty
import pwd
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import pytest

from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import CLEAN_STOP_S, Bucket, Program, Served, objects, until
from tests.support.raw_socket import RawSocket
from tests.support.servers import RcloneS3, free_port

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that many tests ask, with a signed-in browser."""
    program = Program(tmp_path_factory.mktemp("served"))
    served = program.serve()
    served.sign_in()
    yield served
    program.end()


# who gets in


@pytest.mark.parametrize("path", ["/", "/login", "/healthz", "/api/runs/1/log", "/_nicegui/x.js"])
def test_a_foreign_name_gets_nothing_but_a_refusal(served: Served, path: str) -> None:
    answer = served.ask(path, headers={"Host": f"evil.example:{served.port}"})

    assert answer.status == 403 and "--allowed-host" in answer.body


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null"])
def test_a_page_of_another_site_can_post_nothing(served: Served, origin: str) -> None:
    answer = served.ask("/logout", method="POST", headers={"Origin": origin})

    assert answer.status == 403
    assert served.ask("/").status == 200  # still signed in


def test_whoever_is_not_signed_in_sees_no_page_no_log_and_no_file(served: Served) -> None:
    for path in ("/", "/run/1", "/api/runs/1/log", "/_nicegui/x.js", "/assets/bucketvault.css"):
        assert served.ask(path, signed_in=False).status == 401
    assert served.ask("/run/1", signed_in=False, headers=BROWSER).location == "/login?next=/run/1"


@pytest.mark.parametrize(
    ("status", "cookie", "origin"),
    [
        (101, "own", "http://127.0.0.1:{}"),
        (401, "", "http://127.0.0.1:{}"),
        (401, "guessed", "http://127.0.0.1:{}"),
        (403, "own", "http://evil.example"),
        (403, "own", "http://127.0.0.1:3000"),
        (403, "own", "null"),
        (403, "own", ""),
    ],
)
def test_a_socket_opens_for_our_own_pages_only(
    served: Served, status: int, cookie: str, origin: str
) -> None:
    headers = {"Cookie": {"own": served.cookie, "guessed": "bucketvault=guess"}.get(cookie, "")}
    if origin:
        headers["Origin"] = origin.format(served.port)

    with RawSocket(served, **{k: v for k, v in headers.items() if v}) as raw:
        assert raw.status == status


def test_a_tunnel_may_use_another_port(served: Served) -> None:
    there = {"Host": "localhost:9000", "Origin": "http://localhost:9000"}

    assert served.ask("/", headers=there).status == 200


def test_every_answer_carries_the_headers_that_protect_it(served: Served) -> None:
    for path, status in {"/": 200, "/login": 200, "/healthz": 200, "/nowhere": 404}.items():
        answer = served.ask(path)
        assert answer.status == status
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers and "set-cookie" not in answer.headers


def test_the_link_opens_the_pages_and_its_token_leaves_the_address(served: Served) -> None:
    link = served.link

    answer = served.open(link, "/run/1")

    assert (answer.status, answer.location) == (303, "/run/1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("bucketvault=")
    assert {"HttpOnly", f"Path={served.path}", "SameSite=strict"} <= set(cookie.split("; "))
    again = served.ask(link.removeprefix(served.base), signed_in=False)
    assert again.status == 403 and "Each link works once" in again.body


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_the_link_leads_to_no_other_site(served: Served, wanted: str) -> None:
    answer = served.open(served.link, wanted)

    assert answer.location == "/"


def test_the_token_or_the_whole_link_may_be_pasted(served: Served) -> None:
    token, another = [urlsplit(served.link).query.removeprefix("token=") for _ in range(2)]
    for pasted in (token, f" {another}\n", served.link):
        answer = served.ask(
            "/login",
            method="POST",
            body=f"token={quote(pasted)}&next=/run/1",
            signed_in=False,
            headers={"Origin": served.base, "Content-Type": "application/x-www-form-urlencoded"},
        )
        inside = served.follow(answer)
        assert (inside.status, inside.location) == (303, "/run/1")


def test_a_wrong_token_is_told_how_to_get_the_right_one(served: Served) -> None:
    for answer in (
        served.ask("/login?token=wrong", signed_in=False),
        served.ask(
            "/login",
            method="POST",
            body="token=wrong",
            signed_in=False,
            headers={"Origin": served.base},
        ),
    ):
        assert answer.status == 403 and "bucketvault url" in answer.body
        assert "set-cookie" not in answer.headers and served.path not in answer.body


def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    for path in ("/login", "/logout"):
        answer = served.ask(path, method="POST", body="x" * 5000, headers={"Origin": served.base})
        assert answer.status == 413
    assert served.ask("/").status == 200


def test_a_link_on_another_site_finds_the_session_that_browsers_hold_back(served: Served) -> None:
    """A strict cookie is not sent when another site leads here; it is when our own page asks."""
    led = {"Sec-Fetch-Site": "cross-site", **NAVIGATES}

    first = served.ask("/run/1", signed_in=False, headers=led)
    below = first.headers["location"]
    second = served.ask(below, signed_in=False, headers=led)

    assert second.status == 200 and f'content="0; url={served.path}/run/1"' in second.body
    stranger = served.ask(below, signed_in=False)
    assert "http-equiv" not in stranger.body and "bucketvault url" in stranger.body


def test_nobody_but_its_owner_can_read_what_it_keeps(served: Served) -> None:
    open_to_others = [
        path for path in served.program.data_dir.rglob("*") if path.stat().st_mode & 0o077
    ]

    assert not open_to_others
    assert not (Path.cwd() / ".nicegui").exists()


def test_health_is_good_only_while_the_database_answers(bucketvault: Program) -> None:
    served = bucketvault.serve()
    good = served.ask("/healthz")

    (bucketvault.data_dir / "bucketvault.sqlite3").rename(bucketvault.folder / "taken away")

    # an answer is good for a second
    until("it says so", lambda: served.ask("/healthz").status == 503)
    bad = served.ask("/healthz")
    assert (good.status, good.body) == (200, "ok\n")
    assert bad.status == 503 and "Traceback" not in bad.body


# where it is


def test_the_link_stands_alone_on_stdout_and_says_so_when_nobody_serves(
    bucketvault: Program,
) -> None:
    served = bucketvault.serve()
    told = bucketvault.cli("url")
    assert told.out == f"{served.base}/login?token={told.out.rpartition('=')[2]}"
    assert told.err == "" and told.out.count("\n") == 1

    served.end()

    later = bucketvault.cli("url")
    assert later.code == 1 and later.out == "" and "bucketvault serve" in later.err


def test_what_is_not_a_terminal_gets_no_token(bucketvault: Program) -> None:
    came = {"SSH_CONNECTION": "203.0.113.7 50022 192.0.2.1 2222"}
    served = bucketvault.serve(**came)
    link = served.link

    served.end()
    out, err = served.process.communicate()

    assert "bucketvault url" in out and link.partition("=")[2] not in out + err
    assert served.path not in out + err
    port = served.port
    assert f"ssh -N -L {port}:127.0.0.1:{port} -p 2222 " in out and "@192.0.2.1\n" in out


def test_a_terminal_gets_the_link_and_before_it_the_way_over_ssh(bucketvault: Program) -> None:
    came = {"SSH_CONNECTION": "203.0.113.7 50022 192.0.2.1 22"}
    port = free_port()
    ours, terminal = pty.openpty()
    process = bucketvault.start("serve", "--port", str(port), stdout=terminal, **came)
    os.close(terminal)

    screen = ""
    while "token=" not in screen or not screen.endswith("\n"):
        screen += os.read(ours, 4096).decode()
    os.close(ours)

    first, second = screen.splitlines()
    user = pwd.getpwuid(os.getuid()).pw_name
    tunnel = f"ssh -N -L {port}:127.0.0.1:{port} {user}@192.0.2.1"
    assert first == f"First, on your own computer: {tunnel}"
    link = second.removeprefix("Open bucketvault: ")
    assert Served(bucketvault, process, port).open(link).status == 303
    assert process.poll() is None


def test_it_listens_where_no_other_computer_reaches_it(served: Served) -> None:
    listening = [c for c in psutil.Process(served.process.pid).net_connections() if not c.raddr]

    # both that `localhost` may mean: else another user could have the other one
    places = {tuple(c.laddr) for c in listening if c.status == psutil.CONN_LISTEN}
    assert places == {("127.0.0.1", served.port), ("::1", served.port)}


def test_a_new_link_ends_every_session_and_every_open_socket(bucketvault: Program) -> None:
    served = bucketvault.serve()
    served.sign_in()
    old, home = served.link, f"{served.path}/"
    assert served.ask(home).status == 200
    with RawSocket(served, Cookie=served.cookie, Origin=served.base) as raw:
        assert raw.status == 101

        told = bucketvault.cli("url", "--new")

        assert told.code == 0 and told.out.strip() != old
        until("the session has ended", lambda: served.ask(home).status == 401)
        raw.say("3")
        until("the socket has ended", raw.is_over)
    assert served.ask(old.removeprefix(served.base), signed_in=False).status == 403
    served.sign_in()
    assert served.ask("/").status == 200


def test_signing_out_ends_this_browsers_session_only(bucketvault: Program) -> None:
    served = bucketvault.serve()
    served.sign_in()
    other = served.cookie
    served.sign_in()

    answer = served.ask("/logout", method="POST", headers={"Origin": served.base})

    assert (answer.status, answer.location) == (303, "/login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert served.ask("/").status == 401
    assert served.ask("/", headers={"Cookie": other}).status == 200


def test_a_browser_that_opens_the_link_twice_is_signed_out_of_both_tabs_at_once(
    bucketvault: Program,
) -> None:
    served = bucketvault.serve()
    served.sign_in()
    link = served.link.removeprefix(served.base)
    cross_site = {"Sec-Fetch-Site": "cross-site", **NAVIGATES}

    top = served.ask(link, headers=cross_site)
    led = served.follow(top, headers=cross_site)
    again = served.follow(top, signed_in=True)

    # the browser held the cookie back; asked by our own page, it sends it
    assert led.status == 200 and "set-cookie" not in led.headers
    assert f'content="0; url={served.path}/login?token=' in led.body
    assert again.headers["set-cookie"].partition(";")[0] == served.cookie
    served.ask("/logout", method="POST", headers={"Origin": served.base})
    assert served.ask("/").status == 401


def test_a_session_outlives_a_restart_of_the_server(bucketvault: Program) -> None:
    served = bucketvault.serve()
    served.sign_in()
    assert served.end() == 0

    process = bucketvault.start("serve", "--port", str(served.port))
    again = Served(bucketvault, process, served.port)
    again.cookie = served.cookie

    def shows_the_page() -> bool:
        try:
            return again.ask("/").status == 200
        except OSError:
            return False

    until("the page is there again", shows_the_page)


# one at a time


@pytest.mark.parametrize("port", ["the same", "another"])
def test_a_second_server_on_the_same_folder_ends_and_names_the_first(
    served: Served, port: str
) -> None:
    number = served.port if port == "the same" else 0
    arguments = ("--port", str(number)) if number else ()

    told = served.program.cli("serve", *arguments)

    assert told.code == 75
    assert "`bucketvault serve`" in told.err and str(served.process.pid) in told.err
    assert str(served.program.data_dir) in told.err and "Traceback" not in told.err


@pytest.mark.parametrize("wrong", [("--port", "0"), ("--port", "x"), ("--allowed-host", "a:1")])
def test_a_wrong_setting_ends_the_start(bucketvault: Program, wrong: tuple[str, str]) -> None:
    told = bucketvault.cli("serve", *wrong)

    assert told.code == 2 and wrong[0] in told.err and "Traceback" not in told.err


def test_other_commands_do_not_bring_the_web_server_along(bucketvault: Program) -> None:
    told = bucketvault.cli("status", PYTHONPROFILEIMPORTTIME="1")

    assert told.code == 0
    assert not [word for word in ("nicegui", "uvicorn", "fastapi") if f" {word}\n" in told.err]


# its end, and what continues


@pytest.fixture
def midway(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> tuple[Served, Bucket, Bucket, psutil.Process]:
    """A server with a run in its middle: source (waiting), destination, the rclone that copies."""
    source, destination = new_bucket(pausing, objects(100, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    served = bucketvault.serve()
    assert bucketvault.cli("run", "Photos").code == 0
    until("something is copied", destination.copy_keys)
    rclone = until("rclone copies", lambda: next(iter(bucketvault.rclones()), None))
    return served, source, destination, rclone


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_cleanly_in_the_middle_of_a_run_and_the_next_one_takes_it_up(
    midway: tuple[Served, Bucket, Bucket, psutil.Process], number: int
) -> None:
    served, source, destination, rclone = midway
    served.sign_in()
    program = served.program
    with RawSocket(served, Cookie=served.cookie, Origin=served.base) as raw:
        assert raw.status == 101
        assert served.end(number, within_s=CLEAN_STOP_S) == 0
    assert rclone.is_running() and program.status()["running"] == 1
    assert "Traceback" not in served.process.communicate()[1]

    program.serve()
    source.server.thaw()

    until("the run is over", lambda: program.status()["running"] == 0)
    run = program.last_run()
    assert run["status"] == "success" and run["counts"]["copied"] == 100
    assert destination.copy() == source.objects()


@pytest.mark.slow
def test_a_browser_that_reads_nothing_does_not_keep_the_server_from_ending(
    midway: tuple[Served, Bucket, Bucket, psutil.Process],
) -> None:
    served, *_ = midway
    served.sign_in()
    with socket.create_connection(("127.0.0.1", served.port)) as half:
        half.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n".encode())

        assert served.end(within_s=CLEAN_STOP_S) == 0


@pytest.mark.slow
def test_a_database_that_somebody_holds_does_not_keep_the_server_from_ending(
    bucketvault: Program,
) -> None:
    served = bucketvault.serve()
    served.sign_in()
    with contextlib.closing(sqlite3.connect(bucketvault.data_dir / "bucketvault.sqlite3")) as held:
        held.execute("BEGIN IMMEDIATE")
        assert served.ask("/").status == 200  # seen now, which the server would like to note

        assert served.end(within_s=CLEAN_STOP_S) == 0


def test_with_a_server_running_the_command_line_asks_its_queue(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(20, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    served = bucketvault.serve()

    command = bucketvault.start("run", "Photos", "--wait")
    until("something is copied", destination.copy_keys)
    rclone = until("rclone copies", lambda: next(iter(bucketvault.rclones()), None))
    runner = rclone.parent()
    assert runner is not None and runner.ppid() == served.process.pid
    pausing.thaw()
    out, err = command.communicate(timeout=60)

    assert command.returncode == 0, (out, err)
    assert bucketvault.last_run()["id"] == 1 and destination.copy() == source.objects()


# the demo


@pytest.fixture
def demo(bucketvault: Program) -> Served:
    """A `bucketvault demo` that shows its pages, in a home of its own."""
    bucketvault.data_dir = bucketvault.folder / "bucketvault" / "demo" / "data"
    bucketvault.environment["BUCKETVAULT_DATA_DIR"] = str(bucketvault.data_dir)
    bucketvault.environment["XDG_CACHE_HOME"] = str(bucketvault.folder)
    process = bucketvault.start("demo")
    assert process.stdout is not None
    link = next(line for line in process.stdout if "/login?token=" in line).split()[-1]
    return Served(bucketvault, process, urlsplit(link).port or 0)


@pytest.mark.slow
def test_the_demo_tells_its_story_shows_a_run_under_way_and_ends_all_it_began(demo: Served) -> None:
    program = demo.program
    ends = {row["name"]: row["last_run"] for row in program.status()["backups"]}

    demo.sign_in()
    home, mailbox = demo.ask("/"), demo.ask("/mailbox")

    assert (home.status, mailbox.status) == (200, 200)
    assert "This is a demo: " in home.body and "3 of 6 backups need attention." in home.body
    for subject in (
        "Customer uploads is held for your approval",
        "Postgres dumps failed: Database host rejected the access key ID",
        "Website is overdue",
        "Documents works again",
    ):
        assert subject in mailbox.body
    assert {name: (run["reason"], len(run["warnings"])) for name, run in ends.items()} == {
        "Bookkeeping": (None, 0),
        "Customer uploads": ("brake", 0),
        "Documents": (None, 1),
        "Holiday photos": (None, 0),
        "Postgres dumps": ("credentials", 0),
        "Website": ("stopped", 0),
    }
    until("rclone copies", program.rclones)

    code = demo.end(signal.SIGINT, within_s=10)

    assert code == 0
    assert not program.processes(str(program.folder))
    run = program.last_run("Holiday photos")
    assert (run["trigger"], run["reason"]) == ("cli", "stopped")
