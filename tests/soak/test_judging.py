"""The judging of a soak finds each kind of fault, and nothing where all of it held."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.soak.judging import BYTES_A_RUN, Course, Run, Sample, judge

NOON = dt.datetime(2026, 11, 30, 12, 0, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=1)
GOOD = Run("photos", "a1", "success", "", NOON)
FAILED = Run("music", "b2", "failed", "source_missing", LATER)
TRACEBACK = "ERROR x\nTraceback (most recent call last):\n  anyio.EndOfStream\n"


def samples(grow: Callable[[float], float] = lambda s: 0.0) -> list[Sample]:
    """Half an hour, a look every ten seconds; `grow` gives what memory has more after so long."""
    return [
        Sample(s, 1, 40 + int(s) % 3, 20, int(90e6 + grow(float(s))), 10_000_000)
        for s in range(0, 1800, 10)
    ]


HELD = Course(
    samples(),
    (("photos", NOON), ("music", LATER)),
    (GOOD, FAILED),
    ("<b2.failed@example.com>",),
    "INFO run started\n",
)


def test_what_held_has_nothing_wrong() -> None:
    assert judge(HELD) == []


@pytest.mark.parametrize(
    ("course", "words"),
    [
        (replace(HELD, runs=(FAILED,)), "photos was due at 12:00, but did not run."),
        (
            replace(HELD, runs=(replace(GOOD, status="running"), FAILED)),
            "The run of photos planned for 12:00 is still running.",
        ),
        (
            replace(HELD, runs=(GOOD, replace(FAILED, reason=""))),
            "The run of music planned for 12:01 failed without a reason.",
        ),
        (replace(HELD, runs=(GOOD, GOOD, FAILED)), "photos ran 2 times for 12:00."),
        (replace(HELD, mail_ids=()), "No mail told of b2.failed."),
        (
            replace(HELD, mail_ids=(*HELD.mail_ids, "<a1.failed@example.com>")),
            "A mail told of a1.failed, which did not fail.",
        ),
        (replace(HELD, mail_ids=HELD.mail_ids * 2), "Mails came more than once: b2.failed."),
        (replace(HELD, log=TRACEBACK), "1 tracebacks are in the program's log."),
        (replace(HELD, left=("rclone copy",)), "rclone copy was still running after the end."),
        (
            replace(HELD, samples=[replace(s, threads=int(s.at_s / 60)) for s in samples()]),
            "Threads rose from 13 to 26.",
        ),
        (
            replace(HELD, samples=[replace(s, descriptors=int(s.at_s / 30)) for s in samples()]),
            "Descriptors rose from 26 to 53.",
        ),
        # 13 MB in a quarter of an hour
        (
            replace(HELD, samples=samples(lambda s: s * 13e6 / 900)),
            "Memory rose from 101.5 to 113.0 MB.",
        ),
        (
            replace(
                HELD,
                samples=[
                    replace(s, database_bytes=int(s.at_s * BYTES_A_RUN / 200)) for s in samples()
                ],
            ),
            "The database grew by 0.1 MB with 2 runs.",
        ),
    ],
)
def test_what_did_not_hold_is_said(course: Course, words: str) -> None:
    assert judge(course) == [words]


def test_a_kill_may_repeat_one_mail_and_no_more() -> None:
    twice, thrice = HELD.mail_ids * 2, HELD.mail_ids * 3

    assert judge(replace(HELD, mail_ids=twice, kills=1)) == []
    assert judge(replace(HELD, mail_ids=thrice, kills=1)) == [
        "Mails came more than once: b2.failed."
    ]


def test_what_is_filled_in_the_first_ten_minutes_may_stay_so() -> None:
    filled = samples(lambda s: min(s, 600.0) * 50_000)

    assert judge(replace(HELD, samples=filled)) == []
