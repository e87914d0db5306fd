"""The login token, and the sessions it opens."""

import asyncio
import datetime as dt
import threading
from pathlib import Path

import pytest
import time_machine

from bucketvault.access import sessions as module
from bucketvault.access.sessions import CrowdedError, Sessions, login_token, replace_login_token
from bucketvault.store.database import connection
from bucketvault.store.models import Session

COOKIE = "bucketvault_8484"
DAY_S = 24 * 3600


@pytest.fixture
def token_file(open_store: Path) -> Path:
    """The token's file, beside an open database."""
    return open_store.with_name("token")


def started(token_file: Path) -> Sessions:
    """Sessions as a server has them after its start."""
    sessions = Sessions(token_file, token_file.with_name("password"), COOKIE)
    sessions.load()
    return sessions


def holding(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def is_for_its_owner_alone(file: Path) -> bool:
    return file.stat().st_mode & 0o777 == 0o600


async def signed_in(sessions: Sessions, token_file: Path) -> str:
    session = await sessions.exchange(login_token(token_file))
    assert session is not None
    return session


# the token


def test_the_token_is_made_once_for_its_owner_alone(token_file: Path) -> None:
    token = login_token(token_file)

    assert len(token) == 43 and login_token(token_file) == token
    assert is_for_its_owner_alone(token_file)
    assert [p.name for p in token_file.parent.glob("token*")] == ["token"]


def test_all_who_make_the_token_at_once_get_the_same(token_file: Path) -> None:
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(login_token(token_file))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tokens) == 8 and len(set(tokens)) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 50])
async def test_a_token_file_that_was_cut_short_opens_nothing_and_is_made_anew(
    token_file: Path, content: bytes
) -> None:
    sessions = started(holding(token_file, content))

    assert await sessions.exchange(content.decode("latin-1").strip()) is None
    assert await sessions.exchange(login_token(token_file)) is not None


# sessions


async def test_the_right_token_opens_a_session_and_the_database_has_only_its_hash(
    token_file: Path, open_store: Path
) -> None:
    sessions = started(token_file)

    session = await signed_in(sessions, token_file)

    assert sessions.find(f"{COOKIE}={session}") == session
    with connection():
        (row,) = Session.select()
    assert len(row.token_hash) == 64
    held = b"".join(path.read_bytes() for path in open_store.parent.glob(f"{open_store.name}*"))
    assert session.encode() not in held and login_token(token_file).encode() not in held


@pytest.mark.parametrize("guess", ["", "x", "A" * 43, "ü", "\udcff", "a\0b"])
async def test_anything_else_opens_none(token_file: Path, guess: str) -> None:
    sessions = started(token_file)

    assert await sessions.exchange(guess) is None


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", str.swapcase])
async def test_a_token_that_is_nearly_right_opens_none(token_file: Path, change) -> None:
    sessions = started(token_file)

    assert await sessions.exchange(change(login_token(token_file))) is None


@pytest.mark.parametrize(
    "header",
    ["", "bucketvault_8484", "bucketvault_8484=", "bucketvault_8485={}", "x={}", "{}", "=;;="],
)
async def test_only_our_own_cookie_holds_a_session(token_file: Path, header: str) -> None:
    sessions = started(token_file)
    session = await signed_in(sessions, token_file)

    assert sessions.find(header.format(session)) is None


async def test_a_session_outlives_a_restart(token_file: Path) -> None:
    session = await signed_in(started(token_file), token_file)

    assert started(token_file).is_valid(session)


async def test_a_session_ends_after_thirty_days_in_which_nobody_saw_it(token_file: Path) -> None:
    with time_machine.travel(1_795_000_000, tick=False) as clock:
        sessions = started(token_file)
        session = await signed_in(sessions, token_file)

        clock.shift(29 * DAY_S)
        assert sessions.is_valid(session)
        sessions.touch(session)
        clock.shift(29 * DAY_S)
        assert sessions.is_valid(session)
        sessions.work()
        clock.shift(2 * DAY_S)
        assert not sessions.is_valid(session)

        assert not started(token_file).is_valid(session)
    with connection():
        assert Session.select().count() == 0


async def test_asking_who_is_signed_in_does_not_touch_the_database(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = started(token_file)
    session = await signed_in(sessions, token_file)

    def refuse() -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(module, "writing", refuse)

    for _ in range(100):
        assert sessions.find(f"{COOKIE}={session}") == session
        sessions.touch(session)
        assert not sessions.has_work()


async def test_when_a_session_was_seen_is_noted_every_few_minutes_and_at_the_end(
    token_file: Path,
) -> None:
    def noted() -> dt.datetime:
        with connection():
            return Session.get().last_seen_at

    with time_machine.travel(1_795_000_000, tick=False) as clock:
        sessions = started(token_file)
        session = await signed_in(sessions, token_file)
        begun = noted()

        clock.shift(60)
        sessions.touch(session)
        assert not sessions.has_work()
        clock.shift(300)
        sessions.touch(session)
        assert sessions.has_work()
        sessions.work()
        assert noted() == begun + dt.timedelta(seconds=360) and not sessions.has_work()

        clock.shift(10)
        sessions.touch(session)
        sessions.work(at_end=True)
        assert noted() == begun + dt.timedelta(seconds=370)


async def test_signing_out_ends_one_session_and_leaves_the_others(token_file: Path) -> None:
    sessions = started(token_file)
    one, other = await signed_in(sessions, token_file), await signed_in(sessions, token_file)

    sessions.end(one)
    sessions.touch(one)

    for state in (sessions, started(token_file)):
        assert not state.is_valid(one) and state.is_valid(other)


async def test_whoever_signs_in_again_keeps_the_session_they_have(token_file: Path) -> None:
    sessions = started(token_file)
    one, other = await signed_in(sessions, token_file), await signed_in(sessions, token_file)
    token = login_token(token_file)

    assert await sessions.exchange(token, one) == one
    assert await sessions.exchange("guess", one) is None
    sessions.end(one)
    new = await sessions.exchange(token, one)

    assert new not in (None, one, other)
    assert not sessions.is_valid(one) and sessions.is_valid(other)


async def test_a_session_of_an_old_token_does_not_go_on_with_the_new_one(token_file: Path) -> None:
    sessions = started(token_file)
    before = await signed_in(sessions, token_file)

    after = await sessions.exchange(replace_login_token(token_file), before)

    assert after not in (None, before) and not sessions.is_valid(before)


async def test_a_new_token_ends_every_session_also_of_a_running_server(token_file: Path) -> None:
    sessions = started(token_file)
    session = await signed_in(sessions, token_file)
    old = login_token(token_file)

    new = replace_login_token(token_file)

    assert new != old and is_for_its_owner_alone(token_file)
    assert sessions.has_work()
    sessions.work()
    assert not sessions.is_valid(session) and not sessions.has_work()
    assert await sessions.exchange(old) is None
    assert await sessions.exchange(new) is not None
    assert not started(token_file).is_valid(session)


async def test_whoever_uses_a_new_token_at_once_stays_signed_in(token_file: Path) -> None:
    sessions = started(token_file)
    before = await signed_in(sessions, token_file)

    session = await sessions.exchange(replace_login_token(token_file))
    sessions.work()

    assert session is not None and sessions.is_valid(session)
    assert not sessions.is_valid(before)


async def test_each_wrong_guess_makes_the_next_one_wait_longer_and_never_over_two_seconds(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    sessions = started(token_file)

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    for _ in range(12):
        assert await sessions.exchange("wrong") is None

    assert waited[:4] == [0.0, 0.1, 0.2, 0.4]
    assert waited == sorted(waited) and max(waited) == 2.0


async def test_the_link_opens_at_once_while_a_crowd_guesses(token_file: Path) -> None:
    sessions = started(token_file)
    guessing = [asyncio.create_task(sessions.exchange(f"guess {n}")) for n in range(50)]
    sent_away, _ = await asyncio.wait(guessing, return_when=asyncio.FIRST_EXCEPTION)

    session = await asyncio.wait_for(sessions.exchange(login_token(token_file)), 1)

    assert session is not None
    assert isinstance(next(iter(sent_away)).exception(), CrowdedError)
    assert not all(task.done() for task in guessing)  # the first ten still wait
    for task in guessing:
        task.cancel()
    await asyncio.gather(*guessing, return_exceptions=True)


async def test_a_token_that_is_taken_away_ends_every_session(token_file: Path) -> None:
    sessions = started(token_file)
    session = await signed_in(sessions, token_file)

    take_away(token_file)

    assert sessions.has_work()
    sessions.work()
    assert not sessions.is_valid(session) and not sessions.has_work()


def take_away(file: Path) -> None:
    file.unlink()
