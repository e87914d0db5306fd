"""Questions of several pages at once are worked out once, and again after a change."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.engine import shared
from bucketvault.engine.shared import Shared
from bucketvault.store.database import Writes
from tests.support.program import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table of one row."""
    path = tmp_path / "some.sqlite3"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode=wal")
        made.execute("CREATE TABLE it (value INTEGER)")
        made.execute("INSERT INTO it VALUES (1)")
    made.close()
    return path


@pytest.fixture
def writes(path: Path) -> Iterator[Writes]:
    """Notices what is written there."""
    writes = Writes(path)
    yield writes
    writes.close()


@pytest.fixture(autouse=True)
def nothing_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is; a test of expiring sets its own."""
    monkeypatch.setattr(shared, "LASTS_S", 3600.0)


class Counter:
    """Work that counts how often it is done, and gives the number of the time."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, name: str = "") -> str:
        """Do it once more."""
        self.times += 1
        return f"{name}{self.times}"


def write(path: Path) -> None:
    """Another connection of this process writes."""
    with sqlite3.connect(path) as other:
        other.execute("UPDATE it SET value = value + 1")
    other.close()


def test_what_did_not_change_is_worked_out_once(writes: Writes) -> None:
    work = Counter()
    asked = Shared(writes.seen, work)

    assert [asked(), asked(), asked()] == ["1", "1", "1"]


def test_a_write_by_another_connection_is_seen_by_the_next_who_asks(
    path: Path, writes: Writes
) -> None:
    asked = Shared(writes.seen, Counter())
    before = asked()

    write(path)

    assert (before, asked(), asked()) == ("1", "2", "2")


def test_a_write_by_another_process_is_seen_by_the_next_who_asks(
    path: Path, writes: Writes
) -> None:
    asked = Shared(writes.seen, Counter())
    before = asked()

    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript('DELETE FROM it')"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)

    assert (before, asked()) == ("1", "2")


def test_what_is_written_while_it_is_worked_out_makes_the_next_one_work_again(
    path: Path, writes: Writes
) -> None:
    times = Counter()

    def work() -> str:
        if not times.times:
            write(path)  # after this was read
        return times()

    asked = Shared(writes.seen, work)

    assert [asked(), asked(), asked()] == ["1", "2", "2"]


def test_without_a_write_it_holds_for_a_second_only(
    writes: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LASTS_S", 0.0)
    asked = Shared(writes.seen, Counter())

    assert [asked(), asked()] == ["1", "2"]


def test_each_argument_has_a_value_of_its_own(writes: Writes) -> None:
    asked = Shared(writes.seen, Counter())

    assert [asked("a"), asked("b"), asked("a")] == ["a1", "b2", "a1"]


def test_who_asks_while_it_is_worked_out_waits_and_has_the_same(writes: Writes) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    times = Counter()

    def work() -> str:
        at_work.set()
        assert go_on.wait(20)
        return times()

    asked, answers = Shared(writes.seen, work), list[str]()
    threads = [threading.Thread(target=lambda: answers.append(asked())) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert at_work.wait(20)
    go_on.set()

    until("all five have an answer", lambda: len(answers) == 5)
    assert set(answers) == {"1"}


def test_an_error_is_not_kept(writes: Writes) -> None:
    times = Counter()

    def work() -> str:
        if times() == "1":
            raise LookupError("not yet")
        return "there"

    asked = Shared(writes.seen, work)

    with pytest.raises(LookupError):
        asked()
    assert asked() == "there"
