"""The pulse: it continues, whatever a beat does, and whatever the clock does."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import time_machine

from bucketvault.engine.schedule import scheduler
from bucketvault.engine.schedule.scheduler import Pulse
from tests.support.program import until

DAY_S = 86400.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second instead of a minute; the proportions stay."""
    monkeypatch.setattr(scheduler, "EVERY_S", 0.2)
    monkeypatch.setattr(scheduler, "TURN_S", 0.02)
    monkeypatch.setattr(scheduler, "LATE_S", 0.4)
    monkeypatch.setattr(scheduler, "HANGS_S", 0.5)


@pytest.fixture
def started() -> Iterator[Callable[[Callable[[], None]], Pulse]]:
    pulses = []

    def start(beat: Callable[[], None]) -> Pulse:
        made = Pulse(beat)
        pulses.append(made)
        made.start()
        return made

    yield start
    for made in pulses:
        made.stop(5)


def at_work() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pulse"]


def test_it_beats_at_once_and_again(started: Callable[[Callable[[], None]], Pulse]) -> None:
    beats: list[float] = []

    started(lambda: beats.append(time.monotonic()))

    until("three beats", lambda: len(beats) >= 3)


def test_a_beat_that_raises_is_logged_and_comes_again(
    started: Callable[[Callable[[], None]], Pulse], caplog: pytest.LogCaptureFixture
) -> None:
    beats: list[int] = []

    def faulty() -> None:
        beats.append(1)
        raise RuntimeError("poison")

    started(faulty)

    until("three beats", lambda: len(beats) >= 3)
    assert "a scheduler check failed unexpectedly" in caplog.messages


@pytest.mark.parametrize("days", [40.0, -1.0, -1 / 24], ids=["on", "back a day", "back an hour"])
def test_it_goes_on_when_the_clock_jumps(
    started: Callable[[Callable[[], None]], Pulse], days: float
) -> None:
    beats: list[float] = []
    started(lambda: beats.append(time.time()))
    until("a beat", lambda: beats)

    # seconds since 1970: an aware datetime would also move the local time zone to UTC
    with time_machine.travel(time.time() + days * DAY_S, tick=True):
        then = time.time()
        until("two beats after the jump", lambda: sum(b >= then for b in beats) >= 2 or None)
        storm = len(beats)
    until("a beat after the way back", lambda: len(beats) > storm)

    assert storm <= 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced(
    started: Callable[[Callable[[], None]], Pulse], caplog: pytest.LogCaptureFixture
) -> None:
    beats: list[int] = []

    def dies_once() -> None:
        beats.append(1)
        if len(beats) == 1:
            raise SystemExit  # ends a thread without a word

    made = started(dies_once)
    until("its end", lambda: not at_work())

    made.heal()

    until("it beats again", lambda: len(beats) >= 2)
    assert any("has died" in message for message in caplog.messages)


@pytest.mark.slow  # takes seconds
def test_a_thread_that_hangs_is_replaced_but_not_for_ever(
    started: Callable[[Callable[[], None]], Pulse], caplog: pytest.LogCaptureFixture
) -> None:
    over = threading.Event()
    beats: list[int] = []

    def hangs() -> None:
        beats.append(1)
        over.wait(30)

    made = started(hangs)

    def healed() -> bool:
        made.heal()
        return len(beats) == 1 + scheduler.REPLACED_AT_MOST

    until("so many threads", healed)
    last = made._turned
    until("the last hangs too", lambda: time.monotonic() - last > 2 * scheduler.HANGS_S)
    made.heal()

    assert len(beats) == 1 + scheduler.REPLACED_AT_MOST
    over.set()
    made.stop(5)
    until("those that were replaced are over", lambda: not at_work())


def test_it_ends_when_told_and_is_not_revived(
    started: Callable[[Callable[[], None]], Pulse],
) -> None:
    beats: list[int] = []
    made = started(lambda: beats.append(1))
    until("a beat", lambda: beats)

    made.stop(5)
    made.heal()

    assert not at_work()


def test_who_looks_in_the_moment_of_the_start_begins_no_second_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, begin = Pulse(lambda: None), threading.Thread.start

    def start(thread: threading.Thread) -> None:
        made.heal()
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    made.start()
    made.stop(5)

    assert not caplog.records
