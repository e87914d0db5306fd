"""How fast a run was of late: slots of two seconds, out of rclone's stats lines."""

import json

from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.rclone.pace import SLOTS, Pace
from bucketvault.engine.rclone.transcript import Transcript


def pace(*lines: tuple[float, int], step: str = "copy") -> Pace:
    made = Pace()
    for at, done in lines:
        made.add(step, at, done)
    return made


def test_each_slot_has_the_speed_of_its_own_time() -> None:
    found = pace((0, 0), (1, 100), (2, 200), (3, 200), (4, 200), (5, 1200))

    assert (found.speeds, found.until) == ((100, 0), 4)


def test_a_line_that_comes_late_is_spread_over_the_time_it_is_of() -> None:
    assert pace((0, 0), (8, 800)).speeds == (100, 100, 100, 100)


def test_what_rclone_did_not_tell_is_not_known() -> None:
    found = pace((0, 0), (2, 200), (30, 9000), (32, 9100))

    assert found.speeds == (100, *[None] * 14, 50)


def test_a_slot_that_is_known_in_part_counts_that_part_only() -> None:
    assert pace((1, 0), (2, 100), (4, 100)).speeds == (100, 0)


def test_another_step_or_pass_begins_anew() -> None:
    found = pace((0, 0), (2, 200))
    found.add("remove", 4, 0)
    found.add("remove", 6, 0)

    assert found.speeds == (100, None, 0)


def test_only_the_last_two_minutes_are_kept_and_a_clock_that_goes_back_begins_anew() -> None:
    found = pace(*((second, second * 10) for second in range(1000)))
    assert found.speeds == (10,) * SLOTS

    found.add("copy", 100, 20_000)

    assert found.speeds == ()


def test_a_log_that_is_read_again_tells_the_same_and_the_database_keeps_it() -> None:
    transcript = Transcript()
    transcript.feed([_stats(second, second * 500) for second in range(7)])

    progress = transcript.progress

    assert progress is not None
    assert progress.speeds == (500, 500, 500)
    assert progress.speeds_until % 60 == 6
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


def _stats(second: int, done: int) -> bytes:
    stats = {"bytes": done, "totalBytes": 9000, "speed": 1.0}
    line = {"level": "info", "time": f"2026-11-22T01:30:{second:02}Z", "stats": stats}
    return json.dumps(line).encode()
