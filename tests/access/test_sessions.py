"""The path of the pages, the links that open once, and the sessions they open."""

import asyncio
import datetime as dt
import threading
from pathlib import Path

import pytest
import time_machine

from bucketvault.access import links
from bucketvault.access import sessions as module
from bucketvault.access.sessions import COOKIE, CrowdedError, Sessions, own_path, replace_own_path
from bucketvault.store.database import connection
from bucketvault.store.models import Session, SignInLink

DAY_S = 24 * 3600


@pytest.fixture
def path_file(open_store: Path) -> Path:
    """The file with the pages' path, beside an open database."""
    return open_store.with_name("address")


def started(path_file: Path) -> Sessions:
    """Sessions as a server has them after its start."""
    sessions = Sessions(path_file, path_file.with_name("password"))
    sessions.load()
    return sessions


def holding(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def is_for_its_owner_alone(file: Path) -> bool:
    return file.stat().st_mode & 0o777 == 0o600


async def signed_in(sessions: Sessions) -> str:
    session = await sessions.begin(links.make())
    assert session is not None
    return session


# the path


def test_the_path_is_made_once_for_its_owner_alone(path_file: Path) -> None:
    path = own_path(path_file)

    assert len(path) == len("/b-") + 22 and own_path(path_file) == path
    assert is_for_its_owner_alone(path_file)
    assert [p.name for p in path_file.parent.glob("address*")] == ["address"]


def test_all_who_make_the_path_at_once_get_the_same(path_file: Path) -> None:
    paths: list[str] = []
    threads = [threading.Thread(target=lambda: paths.append(own_path(path_file))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(paths) == 8 and len(set(paths)) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"/b-short", b"/", b"/b-../../../../../../../x"])
def test_a_path_that_was_cut_short_is_made_again(path_file: Path, content: bytes) -> None:
    sessions = started(holding(path_file, content))

    assert module.OWN_PATH.fullmatch(sessions.path)
    assert path_file.read_text() == f"{sessions.path}\n"


def test_only_what_begins_with_the_whole_path_is_below_it(path_file: Path) -> None:
    sessions = started(path_file)
    home = sessions.path

    assert sessions.below(f"{home}/") == "/" and sessions.below(f"{home}/run/7") == "/run/7"
    for elsewhere in ("", "/", "/run/7", home, f"{home}x/", home[:-1] + "/", home.upper() + "/"):
        assert sessions.below(elsewhere) is None
    assert Sessions(path_file, path_file).below("/") is None  # before it has begun


# links


def test_a_link_opens_once_and_the_database_has_only_its_hash(open_store: Path) -> None:
    token = links.make()

    assert len(token) == 43 and links.opens(token)
    with connection():
        (row,) = SignInLink.select()
        assert len(row.token_hash) == 64
        assert links.use(token) and not links.use(token)
    assert not links.opens(token)
    held = b"".join(path.read_bytes() for path in open_store.parent.glob(f"{open_store.name}*"))
    assert token.encode() not in held


@pytest.mark.usefixtures("open_store")
def test_a_link_opens_for_a_day_and_then_goes() -> None:
    with time_machine.travel(1_795_000_000, tick=False) as clock:
        old = links.make()
        clock.shift(DAY_S - 1)
        assert links.opens(old)

        clock.shift(1)

        assert not links.opens(old)
        with connection():
            assert not links.use(old)
        links.make()
        with connection():
            assert SignInLink.select().count() == 1


# sessions


async def test_a_link_opens_a_session_and_the_database_has_only_its_hash(
    path_file: Path, open_store: Path
) -> None:
    sessions = started(path_file)

    session = await signed_in(sessions)

    assert sessions.find(f"{COOKIE}={session}") == session
    with connection():
        (row,) = Session.select()
    assert len(row.token_hash) == 64
    held = b"".join(path.read_bytes() for path in open_store.parent.glob(f"{open_store.name}*"))
    assert session.encode() not in held


async def test_what_a_session_is_made_of_tells_it_and_is_not_told_by_it(path_file: Path) -> None:
    sessions, way_back = started(path_file), module.new_way_back()

    session = await sessions.begin(links.make(), way_back=way_back)

    assert session == module.session_of(way_back) and way_back not in str(session)
    assert not sessions.is_valid(way_back) and module.session_of(str(session)) != session


async def test_two_browsers_that_open_one_link_at_once_get_one_session(path_file: Path) -> None:
    sessions, token = started(path_file), links.make()

    begun = await asyncio.gather(*(sessions.begin(token) for _ in range(8)))

    assert sum(session is not None for session in begun) == 1


@pytest.mark.parametrize("guess", ["", "x", "A" * 43, "ü", "\udcff", "a\0b"])
async def test_anything_else_opens_none(path_file: Path, guess: str) -> None:
    sessions = started(path_file)

    assert await sessions.check(guess) is None
    assert await sessions.begin(guess) is None


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", str.swapcase])
async def test_a_token_that_is_nearly_right_opens_none(path_file: Path, change) -> None:
    sessions = started(path_file)

    assert await sessions.check(change(links.make())) is None


@pytest.mark.parametrize(
    "header",
    ["", "bucketvault", "bucketvault=", "bucketvault_8485={}", "x={}", "{}", "=;;="],
)
async def test_only_our_own_cookie_holds_a_session(path_file: Path, header: str) -> None:
    sessions = started(path_file)
    session = await signed_in(sessions)

    assert sessions.find(header.format(session)) is None


async def test_a_session_outlives_a_restart(path_file: Path) -> None:
    session = await signed_in(started(path_file))

    assert started(path_file).is_valid(session)


async def test_a_session_ends_after_thirty_days_in_which_nobody_saw_it(path_file: Path) -> None:
    with time_machine.travel(1_795_000_000, tick=False) as clock:
        sessions = started(path_file)
        session = await signed_in(sessions)

        clock.shift(29 * DAY_S)
        assert sessions.is_valid(session)
        sessions.touch(session)
        clock.shift(29 * DAY_S)
        assert sessions.is_valid(session)
        sessions.work()
        clock.shift(2 * DAY_S)
        assert not sessions.is_valid(session)

        assert not started(path_file).is_valid(session)
    with connection():
        assert Session.select().count() == 0


async def test_asking_who_is_signed_in_does_not_touch_the_database(
    path_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = started(path_file)
    session = await signed_in(sessions)

    def refuse() -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(module, "writing", refuse)

    for _ in range(100):
        assert sessions.find(f"{COOKIE}={session}") == session
        sessions.touch(session)
        assert not sessions.has_work()


async def test_when_a_session_was_seen_is_noted_every_few_minutes_and_at_the_end(
    path_file: Path,
) -> None:
    def noted() -> dt.datetime:
        with connection():
            return Session.get().last_seen_at

    with time_machine.travel(1_795_000_000, tick=False) as clock:
        sessions = started(path_file)
        session = await signed_in(sessions)
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


async def test_signing_out_ends_one_session_and_leaves_the_others(path_file: Path) -> None:
    sessions = started(path_file)
    one, other = await signed_in(sessions), await signed_in(sessions)

    sessions.end(one)
    sessions.touch(one)

    for state in (sessions, started(path_file)):
        assert not state.is_valid(one) and state.is_valid(other)


async def test_whoever_signs_in_again_keeps_the_session_they_have(path_file: Path) -> None:
    sessions = started(path_file)
    one, other = await signed_in(sessions), await signed_in(sessions)

    assert await sessions.begin(links.make(), one) == one
    assert await sessions.begin("guess", one) is None
    sessions.end(one)
    new = await sessions.begin(links.make(), one)

    assert new not in (None, one, other)
    assert not sessions.is_valid(one) and sessions.is_valid(other)


async def test_a_session_of_an_old_path_does_not_go_on_below_the_new_one(path_file: Path) -> None:
    sessions = started(path_file)
    before = await signed_in(sessions)

    replace_own_path(path_file)
    after = await sessions.begin(links.make(), before)

    assert after not in (None, before) and not sessions.is_valid(before)


async def test_a_new_path_ends_every_session_and_link_also_of_a_running_server(
    path_file: Path,
) -> None:
    sessions = started(path_file)
    session, old, path = await signed_in(sessions), links.make(), sessions.path

    replace_own_path(path_file)
    new = links.make()

    assert sessions.has_work()
    sessions.work()
    assert sessions.path != path and is_for_its_owner_alone(path_file)
    assert not sessions.is_valid(session) and not sessions.has_work()
    assert await sessions.check(old) is None
    assert await sessions.check(new) == new
    assert not started(path_file).is_valid(session)


async def test_whoever_uses_a_new_link_at_once_stays_signed_in(path_file: Path) -> None:
    sessions = started(path_file)
    before = await signed_in(sessions)

    replace_own_path(path_file)
    session = await sessions.begin(links.make())
    sessions.work()

    assert session is not None and sessions.is_valid(session)
    assert not sessions.is_valid(before)


async def test_each_wrong_guess_makes_the_next_one_wait_longer_and_never_over_two_seconds(
    path_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    sessions = started(path_file)

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    for _ in range(12):
        assert await sessions.check("wrong") is None

    assert waited[:4] == [0.0, 0.1, 0.2, 0.4]
    assert waited == sorted(waited) and max(waited) == 2.0


async def test_the_link_opens_at_once_while_a_crowd_guesses(path_file: Path) -> None:
    sessions = started(path_file)
    guessing = [asyncio.create_task(sessions.check(f"guess {n}")) for n in range(50)]
    sent_away, _ = await asyncio.wait(guessing, return_when=asyncio.FIRST_EXCEPTION)

    token = links.make()
    assert await asyncio.wait_for(sessions.check(token), 1) == token
    assert await asyncio.wait_for(sessions.begin(token), 1) is not None

    assert isinstance(next(iter(sent_away)).exception(), CrowdedError)
    assert not all(task.done() for task in guessing)  # the first ten still wait
    for task in guessing:
        task.cancel()
    await asyncio.gather(*guessing, return_exceptions=True)


async def test_a_path_that_is_taken_away_ends_every_session(path_file: Path) -> None:
    sessions = started(path_file)
    session = await signed_in(sessions)

    take_away(path_file)

    assert sessions.has_work()
    sessions.work()
    assert not sessions.is_valid(session) and not sessions.has_work()


def take_away(file: Path) -> None:
    file.unlink()
