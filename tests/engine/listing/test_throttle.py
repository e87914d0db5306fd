"""Readers of one process share the bandwidth of their run, by its clock alone."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.listing.throttle import Throttle

MIDNIGHT = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seconds += seconds

    def throttle(self, limit: Bandwidth) -> Throttle:
        def now() -> dt.datetime:
            return MIDNIGHT + dt.timedelta(seconds=self.seconds)

        return Throttle(limit, self.wait, seconds=lambda: self.seconds, now=now)


def test_bytes_pass_no_faster_than_the_limit() -> None:
    clock = Clock()
    throttle = clock.throttle(Bandwidth(1000))

    for _ in range(50):
        throttle.take(200)

    assert round(clock.seconds - 100, 6) == 10.0


def test_time_in_which_nothing_came_is_not_saved_up() -> None:
    clock = Clock()
    throttle = clock.throttle(Bandwidth(1000))
    throttle.take(1000)
    clock.seconds += 3600

    throttle.take(1000)

    assert clock.waited == [1.0, 1.0]


def test_all_threads_draw_from_the_same_bucket() -> None:
    waits: list[float] = []
    throttle = Throttle(Bandwidth(1000), waits.append, seconds=lambda: 100.0)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(40):
            pool.submit(throttle.take, 100)

    assert [round(each, 6) for each in sorted(waits)] == [n / 10 for n in range(1, 41)]


def test_without_a_limit_and_outside_its_hours_nobody_waits() -> None:
    clock = Clock()
    throttle = clock.throttle(Bandwidth(1000, "00:05", "06:00"))
    clock.throttle(Bandwidth()).take(10**12)
    throttle.take(10**12)
    assert not clock.waited

    clock.seconds = 5 * 60
    throttle.take(1000)

    assert clock.waited == [1.0]


def test_a_reading_that_is_ended_does_not_wait_for_its_share() -> None:
    ending = threading.Event()
    ending.set()

    Throttle(Bandwidth(1), ending.wait).take(10**6)  # else eleven days
