"""The optional password: what is kept of it, what it opens, and how it is set."""

import asyncio
import os
import signal
from pathlib import Path
from urllib.parse import quote

import pytest

from bucketvault.access import links, password
from bucketvault.access.sessions import Sessions
from tests.support.program import Answer, Program, Served, until

WORD = "a long walk at näight"


@pytest.fixture
def file(open_store: Path) -> Path:
    """The hash's file, beside an open database."""
    return open_store.with_name("password")


@pytest.fixture
def sessions(file: Path) -> Sessions:
    """Sessions as a server has them after its start, where there is a password."""
    password.set_password(file, WORD)
    sessions = Sessions(file.with_name("address"), file)
    sessions.load()
    return sessions


def test_only_a_salted_hash_is_kept_for_its_owner_alone(file: Path) -> None:
    password.set_password(file, WORD)
    first = file.read_text()
    password.set_password(file, WORD)

    assert first.startswith("scrypt$32768$8$3$") and "walk" not in first
    assert first != file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert password.matches(file, WORD)


@pytest.mark.parametrize("guess", ["", WORD[:-1], WORD + "x", WORD.upper(), "\udcff", "a\0b"])
def test_anything_else_is_not_the_password(file: Path, guess: str) -> None:
    password.set_password(file, WORD)

    assert not password.matches(file, guess)


def test_an_umlaut_may_be_typed_on_any_keyboard(file: Path) -> None:
    password.set_password(file, WORD)

    assert password.matches(file, WORD.replace("ä", "a\u0308"))


@pytest.mark.parametrize(
    "content",
    [b"", b"scrypt$32768$8$3$AAAA", b"plain$1$1$1$eA==$eA==", b"\xff", b"scrypt$0$8$1$AA==$AA=="],
)
def test_a_damaged_file_opens_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    assert not password.matches(file, "") and not password.matches(file, "x")


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("short", "at least 12"),
        ("aaaaaaaaaaaaab", "repeats"),
        (f" {WORD}", "space"),
        ("x" * 500 + WORD, "too long"),
        ("tab\tin the middle", "invisible"),
    ],
)
def test_a_weak_password_is_refused(file: Path, word: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        password.set_password(file, word)

    assert not file.exists()


async def opened(sessions: Sessions, secret: str) -> str | None:
    """The session that a secret opens."""
    token = await sessions.check(secret)
    return None if token is None else await sessions.begin(token)


async def test_password_and_link_open_and_a_wrong_guess_does_not(sessions: Sessions) -> None:
    for secret in (WORD, links.make()):
        session = await opened(sessions, secret)
        assert session is not None and sessions.is_valid(session)
    assert await opened(sessions, "something else") is None


async def test_without_a_password_no_guess_opens(sessions: Sessions, file: Path) -> None:
    change_to(file, None)

    assert await opened(sessions, WORD) is None
    assert await opened(sessions, "") is None


def change_to(file: Path, word: str | None) -> None:
    if word is None:
        file.unlink()
    else:
        password.set_password(file, word)


@pytest.mark.parametrize("change", ["another long walk", WORD, None])
async def test_a_change_of_the_password_ends_every_session(
    sessions: Sessions, file: Path, change: str | None
) -> None:
    session = await opened(sessions, WORD)
    assert session is not None

    change_to(file, change)

    assert sessions.has_work()
    await asyncio.to_thread(sessions.work)
    assert not sessions.is_valid(session)


@pytest.mark.slow  # takes seconds
async def test_passwords_are_hashed_one_at_a_time_and_never_in_the_event_loop(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most, turns = 0, 0, 0
    real = password.matches

    def matches(file: Path, guess: str) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        found = real(file, guess)
        at_once -= 1
        return found

    monkeypatch.setattr(password, "matches", matches)
    guesses = asyncio.gather(*(sessions.check(f"guess {n}") for n in range(3)))
    while not guesses.done():
        turns += 1
        await asyncio.sleep(0.005)

    assert await guesses == [None] * 3
    assert most == 1 and turns > 20


# the program


def typed(program: Program, *lines: str, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    """`bucketvault password` on a terminal, with these lines typed; its code and the screen."""
    process, ours = program.on_terminal("password", *arguments)
    screen = ""
    try:
        for line in lines:
            asked = screen.count(": ")
            while screen.count(": ") == asked:
                screen += os.read(ours, 1024).decode()
            os.write(ours, f"{line}\n".encode())
        while part := os.read(ours, 1024):
            screen += part.decode()
    except OSError:  # Linux says so when the other side is closed
        pass
    finally:
        os.close(ours)
        code = process.wait(30)
    return code, screen


def enter(served: Served, secret: str, wanted: str = "/") -> Answer:
    return served.ask(
        "/login",
        method="POST",
        body=f"token={quote(secret)}&next={quote(wanted)}",
        signed_in=False,
        headers={"Origin": served.base, "Content-Type": "application/x-www-form-urlencoded"},
    )


def test_a_password_set_while_it_serves_ends_sessions_and_opens_the_page_asked_for(
    bucketvault: Program,
) -> None:
    served = bucketvault.serve()
    served.sign_in()
    assert "Or paste the link" in served.ask("/login", signed_in=False).body

    code, screen = typed(bucketvault, WORD, WORD)

    assert code == 0 and "every session has ended" in screen and "walk" not in screen
    until("the session has ended", lambda: served.ask("/").status == 401)
    form = served.ask("/login?next=/run/1", signed_in=False).body
    assert "Password</label>" in form and 'autocomplete="current-password"' in form
    wrong = enter(served, "not the password")
    assert wrong.status == 403 and "not the password" in wrong.body
    right = enter(served, WORD, "/run/1")
    inside = served.follow(right)
    assert (inside.status, inside.location) == (303, "/run/1")
    assert "HttpOnly" in inside.headers["set-cookie"]
    served.end(signal.SIGTERM)
    out, err = served.process.communicate()
    assert WORD not in out + err and "not the password" not in out + err

    assert typed(bucketvault, arguments=("--remove",))[0] == 0
    assert not (bucketvault.data_dir / "password").exists()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((WORD, "something else"), "do not match"),
        (("short",), "at least 12"),
        (("\x04",), "No pass"),
    ],
)
def test_what_is_no_password_changes_nothing(
    bucketvault: Program, lines: tuple[str, ...], why: str
) -> None:
    code, screen = typed(bucketvault, *lines)

    assert code == 1 and why in screen and "Nothing was changed" in screen
    assert not (bucketvault.data_dir / "password").exists()


def test_a_password_is_taken_from_a_terminal_only(bucketvault: Program) -> None:
    told = bucketvault.shell("password")

    assert told.code == 2 and "ssh -t" in told.err


def test_a_guess_that_looks_like_a_broken_link_is_just_wrong(bucketvault: Program) -> None:
    served = bucketvault.serve()

    assert enter(served, "http://[x?token=1").status == 403
