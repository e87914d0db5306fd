"""When a run that says nothing new is given up, by its clock alone."""

from bucketvault.engine.rclone.log_lines import Progress, Transfer
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.engine.runs.follower import INSIDE_AT_MOST_S, INSIDE_BYTES_S, StallWatch

PATIENCE_S = 600.0
END = {"provider": "There", "provider_type": "amazon_s3", "bucket": "copies"}
SPEC = {
    "source": END,
    "destination": END,
    "comparison_mode": "checksum",
    "retention_days": 30,
    "shrink_limit_percent": 50,
    "archive_key": "k",
}


def given_up_after(
    progress: Progress | None, *, at_most_s: float = 3 * INSIDE_AT_MOST_S, bytes_s: int = 0
) -> float:
    """Return how long a run may be without progress, to a second; `bytes_s`: its limit."""
    spec = SPEC | {"bandwidth": {"bytes_s": bytes_s}}
    watch, now = StallWatch(PATIENCE_S, 0.0, spec), 0.0
    while not watch.is_stalled(progress, now) and now < at_most_s:
        now += 1
    return now


def inside(size: int) -> Progress:
    return Progress(movement=(1, 2), transferring=(Transfer("film.mov", size, 0, inside=True),))


def test_a_run_that_stands_is_given_up_after_its_patience_and_stays_so() -> None:
    assert 600 <= given_up_after(None) <= 602
    assert 600 <= given_up_after(Progress(movement=(1, 2))) <= 602

    watch = StallWatch(1.0, 0.0)
    watch.is_stalled(None, 1.0)
    assert watch.is_stalled(None, 2.0)
    assert watch.is_stalled(Progress(movement=(1,)), 3.0)


def test_a_run_that_is_held_down_has_the_time_to_send_what_was_read_before() -> None:
    film = Progress(movement=(1,), transferring=(Transfer("film.mov", 10**12, 10**12),))

    assert 600 <= given_up_after(None, bytes_s=100_000_000) <= 604
    assert given_up_after(None, bytes_s=100_000) > 600 + 1000
    assert given_up_after(film, bytes_s=100_000) > 600 + 5000
    assert given_up_after(film) <= 602


def test_whatever_moves_begins_the_wait_anew() -> None:
    watch = StallWatch(PATIENCE_S, 0.0)

    told = [watch.is_stalled(Progress(movement=(second // 500,)), second) for second in range(3000)]

    assert not any(told)


def test_the_next_step_begins_the_wait_anew_though_its_numbers_are_the_same() -> None:
    watch, said = StallWatch(PATIENCE_S, 0.0), Transcript()
    stats = b'{"level":"info","msg":"","stats":{"listed":1}}'

    stalled = []
    for number in range(4):
        said.feed([b'{"level":"info","msg":"","bucketvault":"step","step":"copy"}', stats])
        begin = 500 * number
        stalled += [watch.is_stalled(said.progress, begin + second) for second in range(500)]

    assert not any(stalled)


def test_a_copy_inside_the_destination_has_time_by_its_size_and_not_for_ever() -> None:
    assert 600 <= given_up_after(inside(1000)) <= 602
    hundred_gb = given_up_after(inside(100_000_000_000))
    assert hundred_gb >= 600 + 100_000_000_000 / INSIDE_BYTES_S
    assert hundred_gb < 4 * 3600
    assert given_up_after(inside(10**15)) <= PATIENCE_S + INSIDE_AT_MOST_S + 2


def test_a_large_object_that_comes_through_us_has_no_more_time() -> None:
    passing = Progress(movement=(1,), transferring=(Transfer("film.mov", 10**12, 5),))

    assert given_up_after(passing) <= 602


def test_a_machine_that_was_paused_for_an_hour_ends_no_run() -> None:
    watch = StallWatch(PATIENCE_S, 0.0)
    copying = Progress(movement=(7,))
    assert not watch.is_stalled(copying, 1.0)

    assert not watch.is_stalled(copying, 3601.0)  # rclone was paused too, and has not spoken yet
    assert not watch.is_stalled(Progress(movement=(8,)), 3602.0)


def test_while_the_disk_swallows_the_log_silence_means_nothing() -> None:
    watch = StallWatch(PATIENCE_S, 0.0)

    assert not any(watch.is_stalled(None, second, blind=True) for second in range(3000))
