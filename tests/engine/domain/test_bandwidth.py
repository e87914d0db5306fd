"""How much bandwidth a run has, at which times of day, by the server's clock."""

import datetime as dt

import pytest

from bucketvault.engine.domain.bandwidth import Bandwidth, share

BERLIN, RATE = "Europe/Berlin", 10_000_000


def at(moment: str) -> dt.datetime:
    """In UTC, of a day in winter unless it names another."""
    return dt.datetime.fromisoformat(moment if "T" in moment else f"2026-11-30T{moment}:00+00:00")


@pytest.mark.parametrize(
    ("start", "end", "moment", "holds"),
    [
        ("", "", "03:00", True),
        ("08:00", "22:00", "06:59", False),  # 07:59 in Berlin
        ("08:00", "22:00", "07:00", True),
        ("08:00", "22:00", "20:59", True),
        ("08:00", "22:00", "21:00", False),
        ("22:00", "06:00", "20:59", False),
        ("22:00", "06:00", "21:00", True),
        ("22:00", "06:00", "23:30", True),  # past midnight in Berlin
        ("22:00", "06:00", "04:59", True),
        ("22:00", "06:00", "05:00", False),
        ("08:00", "22:00", "2026-07-01T06:00:00+00:00", True),  # summer: an hour earlier
    ],
)
def test_a_limit_holds_between_its_hours_also_over_midnight(
    start: str, end: str, moment: str, *, holds: bool
) -> None:
    assert Bandwidth(RATE, start, end, BERLIN).at(at(moment)) == (RATE if holds else 0)


@pytest.mark.parametrize(
    ("moment", "change"),
    [
        ("09:00", "2026-11-30T21:00:00+00:00"),  # it holds, until 22:00 in Berlin
        ("21:00", "2026-12-01T07:00:00+00:00"),
        ("2026-10-24T21:00:00+00:00", "2026-10-25T07:00:00+00:00"),  # clocks go back that night
    ],
)
def test_the_next_change_is_the_end_of_a_limit_that_holds_or_else_its_begin(
    moment: str, change: str
) -> None:
    limit = Bandwidth(RATE, "08:00", "22:00", BERLIN)

    assert limit.changes_at(at(moment)) == dt.datetime.fromisoformat(change)
    assert Bandwidth(RATE).changes_at(at(moment)) is None
    assert Bandwidth(0, "08:00", "22:00").changes_at(at(moment)) is None


def test_each_run_has_an_equal_share_and_says_it() -> None:
    assert share(20, "08:00", "22:00", 2, BERLIN) == Bandwidth(RATE, "08:00", "22:00", BERLIN)
    assert share(None, "08:00", "22:00", 2, BERLIN) == Bandwidth()
    assert Bandwidth().describe() == ""
    assert Bandwidth(RATE).describe() == "10 MB/s"
    assert [share(mb, "", "", 3, "UTC").rate for mb in (20, 0.1, 100_000)] == [
        "6.67 MB/s",
        "0.0333 MB/s",
        "33300 MB/s",
    ]
    told = Bandwidth(RATE, "08:00", "22:00", BERLIN).describe()
    assert told == "10 MB/s between 08:00 and 22:00 (Europe/Berlin)"
