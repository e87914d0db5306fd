"""Which folders of kept versions may go is told by their names alone."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.engine.runs.kept_versions import expired, read_stamp

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)


def stamp(**ago: float) -> str:
    """The name of a folder of so long ago."""
    return (NOW - dt.timedelta(**ago)).strftime(STAMP_FORMAT)


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        (stamp(days=31), True),
        (stamp(days=30, seconds=1), True),
        (stamp(days=30), False),  # kept for thirty days, to the second
        (stamp(days=29, hours=23), False),
        (stamp(seconds=1), False),
        (stamp(days=-1), False),  # of a clock that went wrong
        ("00010101T000000Z", True),
        ("20251301T000000Z", False),  # no such month
        ("20250230T000000Z", False),
        ("20250101T250000Z", False),
        ("20250101T000000", False),
        ("20250101T000000z", False),
        ("20250101T000000Z ", False),
        ("20250101T000000Z\n", False),
        ("20250101T000000Z.old", False),
        ("x20250101T000000Z", False),
        ("\u0662\u0660\u0662\u06650101T000000Z", False),  # digits, but not ours
        ("notes", False),
        ("RESTORE.txt", False),
        ("", False),
        (".", False),
        ("..", False),
    ],
)
def test_a_folder_goes_by_its_name_alone_and_a_foreign_one_never(name: str, goes: bool) -> None:
    gone = expired([name], now=NOW, retention_days=30, own_stamp=stamp())

    assert gone == ([name] if goes else [])


def test_a_run_never_lets_go_what_it_put_aside_itself_or_what_a_later_one_did() -> None:
    own = stamp(days=40)  # a run that took forty days
    names = [stamp(days=39), own, stamp(days=41), stamp(days=50)]

    gone = expired(names, now=NOW, retention_days=30, own_stamp=own)

    assert gone == [stamp(days=50), stamp(days=41)]


UTC = st.just(dt.UTC)
stamps = st.datetimes(timezones=UTC).map(lambda moment: f"{moment:%Y%m%dT%H%M%SZ}".rjust(16, "0"))
names = st.one_of(stamps, st.text(max_size=20), st.from_regex(r"[0-9]{8}T[0-9]{6}Z?"))


@pytest.mark.slow  # takes seconds
@given(
    names=st.lists(names, max_size=30),
    now=st.integers(-3000, 6000).map(lambda days: NOW + dt.timedelta(days=days)),
    days=st.integers(1, 3650),
    own=stamps,
)
def test_whatever_lies_there_only_folders_of_ours_that_are_old_enough_go(
    names: list[str], now: dt.datetime, days: int, own: str
) -> None:
    gone = expired(names, now=now, retention_days=days, own_stamp=own)

    assert gone == sorted(gone) and set(gone) <= set(names)
    for name in names:
        told = read_stamp(name)
        old = told is not None and now - told > dt.timedelta(days=days)
        assert (name in gone) == (old and name < own)
        assert told is None or told.strftime(STAMP_FORMAT).rjust(16, "0") == name
