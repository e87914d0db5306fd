"""Numbers, times and log lines as people read them."""

import datetime as dt
import json

import pytest

from bucketvault import humanize
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.views import log_text
from bucketvault.vocabulary import LineKind
from tests.pages import sample_logs
from tests.pages.sample_logs import log_line, stats_line
from tests.pages.scenes import ZONE

UTC = dt.UTC
NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_000_000, "3.0 MB"),
        (1_920_000_000, "1.9 GB"),
        (2_800_000_000_000, "2.8 TB"),
        (10**21, "1000 EB"),
    ],
)
def test_sizes_are_decimal(number: int, words: str) -> None:
    assert humanize.size(number) == words


def test_precise_sizes_have_a_digit_more() -> None:
    sizes = [humanize.size(number, precise=True) for number in (1_920_000_000, 41_200_000_000)]

    assert sizes == ["1.92 GB", "41.2 GB"]


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [
        (41_200_000_000, 66_400_000_000, "41.2 of 66.4 GB"),
        (240_000_000, 402_000_000, "240 of 402 MB"),
        (612_000_000, 1_300_000_000, "612 MB of 1.3 GB"),
        (0, 5_000, "0 B of 5.0 kB"),
        (7, 12, "7 of 12 B"),
        (0, 0, "0 B of 0 B"),
        (9_000, 5_000, "5.0 of 5.0 kB"),
    ],
)
def test_how_much_of_how_much(done: int, total: int, words: str) -> None:
    assert humanize.size_of(done, total) == words


@pytest.mark.parametrize(
    ("seconds", "words", "short"),
    [
        (0.4, "under 1 s", "0 s"),
        (42, "42 s", "42 s"),
        (60, "1 min", "1 min"),
        (724, "12 min 4 s", "12 min"),
        (6_720, "1 h 52 min", "1 h"),
        (100_000, "1 d 3 h", "27 h"),
        (183_600, "2 d 3 h", "2 d"),
        (-5, "under 1 s", "0 s"),
    ],
)
def test_durations(seconds: float, words: str, short: str) -> None:
    assert (humanize.duration(seconds), humanize.roughly(seconds)) == (words, short)


def test_ages_and_times_to_come() -> None:
    def shifted(**span: float) -> dt.datetime:
        return NOON + dt.timedelta(**span)

    assert humanize.age(shifted(seconds=-3), NOON) == "just now"
    assert humanize.age(shifted(hours=-3, minutes=-20), NOON) == "3 h ago"
    assert humanize.age(shifted(hours=1), NOON) == "just now"  # the clock went back
    assert humanize.until(shifted(hours=26), NOON) == "in 26 h"
    assert humanize.until(shifted(days=6), NOON) == "in 6 d"
    assert humanize.until(shifted(seconds=-1), NOON) == "now"


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (3, "today 16:00, in 3 h"),
        (14, "tomorrow 03:00, in 14 h"),
        (38, "Tue 24 Nov, 03:00, in 38 h"),
        (24 * 60, "Thu 21 Jan 2027, 13:00, in 60 d"),
    ],
)
def test_the_next_run_is_said_in_words_and_exactly(hours: int, words: str) -> None:
    assert humanize.next_run(NOON + dt.timedelta(hours=hours), ZONE, NOON) == words


def test_exact_times_name_their_zone() -> None:
    then = dt.datetime(2026, 11, 22, 0, 30, tzinfo=UTC)

    assert humanize.exact(then, ZONE) == "Sun 22 Nov 2026, 01:30:00 Europe/Berlin"


def test_the_hour_that_comes_twice_is_local_to_the_zone() -> None:
    summer = dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    assert humanize.exact(summer, ZONE) == "Sun 25 Oct 2026, 02:30:00 Europe/Berlin"
    again = humanize.exact(summer + dt.timedelta(hours=1), ZONE)
    assert again == "Sun 25 Oct 2026, 02:30:00 Europe/Berlin"


def test_a_day_is_named_only_where_it_is_not_today() -> None:
    assert humanize.clock(NOON - dt.timedelta(hours=2), ZONE, NOON) == "at 11:00"
    assert humanize.clock(NOON - dt.timedelta(days=1), ZONE, NOON) == "on Sat 21 Nov, 13:00"
    last_year = dt.datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert humanize.day_and_time(last_year, ZONE, NOON) == "Thu 1 Jan, 00:30"
    assert "2025" in humanize.day_and_time(last_year - dt.timedelta(days=1), ZONE, NOON)


def test_counts_have_separators_and_the_right_number() -> None:
    assert humanize.count(1_204) == "1,204"
    assert humanize.many(1, "object") == "1 object"
    assert humanize.many(1_204, "object") == "1,204 objects"
    assert humanize.many(2, "copy", "copies") == "2 copies"


def test_per_cent_never_reads_100_before_it_is_done() -> None:
    assert humanize.percent(99.99) == "99 %"
    assert humanize.percent(100) == "100 %"
    assert humanize.percent(250) == "100 %"


def test_time_left_is_rounded_up_and_silent_when_unknown() -> None:
    assert humanize.time_left(61) == "about 2 min left"
    assert humanize.time_left(42) == "about 42 s left"
    assert humanize.time_left(0) == "nearly done"
    assert humanize.time_left(None) == ""


def test_a_copied_object_reads_as_time_name_and_size() -> None:
    raw = (
        b'{"time":"2026-11-22T13:03:22.123456789Z","level":"info","msg":"Copied (new)",'
        b'"size":3000000,"object":"photos/a.jpg","objectType":"*s3.Object",'
        b'"source":"operations/copy.go:382"}'
    )

    told = log_text.describe_log_line(raw, ZONE)

    assert told.as_line() == "14:03:22  photos/a.jpg  copied (new), 3.0 MB"
    assert told.kind.word == "new"


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (log_line(1, "Multi-thread Copied (new)", object="a", size=9), "new", "copied (new), 9 B"),
        (
            log_line(1, "Copied (replaced existing)", object="a", size=9),
            "replaced",
            "replaced, 9 B",
        ),
        (
            log_line(1, "Copied (server-side copy)", object="a", size=9),
            "aside",
            "copied to the old versions, 9 B",
        ),
        (log_line(1, "Deleted", object="a"), "kept", "old version kept"),
        (
            log_line(1, "Moved into backup dir", object="a"),
            "removed",
            "removed here",
        ),
        (log_line(1, "There was nothing to transfer"), "info", "there was nothing to copy"),
        (
            log_line(1, "Attempt 1/3 failed with 4 errors and: no", "error"),
            "warning",
            "try 1 of 3 ended with 4 errors, trying again",
        ),
        (
            log_line(1, "Attempt 3/3 failed with 1 errors and: no", "error"),
            "error",
            "try 3 of 3 ended with 1 error: no",
        ),
        (log_line(1, "Attempt 2/3 succeeded", "error"), "info", "try 2 of 3 succeeded"),
        (
            log_line(1, "Attempt 1/1 failed with 2 errors and: no", "error"),
            "error",
            "ended with 2 errors: no",
        ),
        (
            log_line(1, "not deleting files as there were IO errors", "error"),
            "warning",
            "nothing was removed, because there were errors",
        ),
        (log_line(1, "Failed to sync: it broke", "notice"), "error", "Failed to sync: it broke"),
        (log_line(1, "bandwidth set", "notice"), "warning", "bandwidth set"),
        (log_line(1, "fatal", "critical"), "error", "fatal"),
    ],
)
def test_each_message_of_rclone_has_words(line: bytes, kind: str, words: str) -> None:
    told = log_text.describe_log_line(line, ZONE)

    assert (told.kind.word, told.text) == (kind, words)


def test_stats_lines_are_progress() -> None:
    told = log_text.describe_log_line(stats_line(3, 0.62), ZONE)

    assert told.kind.word == "progress"
    assert told.text == "62 %, 41.2 of 66.4 GB, 84 MB/s, about 5 min left"


def test_progress_without_bytes_counts_what_was_compared() -> None:
    words = log_text.progress_words(Progress(checks_done=1_200, listed=3_400))

    assert words == "1,200 checked, 3,400 listed"


def test_errors_keep_their_whole_text() -> None:
    message = "Failed to copy: " + "x" * 3_000

    told = log_text.describe_log_line(log_line(1, message, "error", object="a"), ZONE)

    assert (told.kind.word, told.text) == ("error", message)


def test_an_object_named_like_a_message_changes_nothing() -> None:
    line = log_line(1, "Failed to copy: no", "error", object='Copied (new)","level":"info')

    told = log_text.describe_log_line(line, ZONE)

    assert (told.kind.word, told.object) == ("error", 'Copied (new)","level":"info')


@pytest.mark.parametrize("line", sample_logs.HOSTILE_LINES)
def test_no_line_hides_a_sign_or_breaks_the_reader(line: bytes) -> None:
    told = log_text.describe_log_line(line, ZONE)

    assert told.kind in LineKind
    for part in (told.time, told.object, told.text):
        assert part.isprintable() or "�" in part
        assert "\u202e" not in part and "\n" not in part


@pytest.mark.parametrize(
    "entry",
    [
        {"level": "info"},
        {"level": 3, "msg": "x"},
        {"level": "info", "msg": None, "time": "not a time", "object": 7, "size": "big"},
        {"level": "info", "msg": "x", "time": "2026-11-22T13:03:22"},
        {"level": "info", "msg": "x", "stats": {"bytes": "many", "transferring": [1]}},
        {"level": "info", "msg": "x", "time": "9999-12-31T23:59:59Z"},
        {"level": "info", "msg": "x", "stats": {"eta": float("nan"), "totalBytes": 10**400}},
        {"level": "info", "msg": "Deleted", "objectType": "*s3.Object", "size": 10**400},
        [1, 2],
        "text",
        None,
    ],
)
def test_odd_json_never_raises(entry: object) -> None:
    told = log_text.describe_log_line(json.dumps(entry).encode(), ZONE)

    assert told.kind in LineKind


def test_lines_that_are_no_json_stay_as_they_are() -> None:
    told = log_text.describe_log_line(b"panic: runtime error\r", ZONE)

    assert (told.time, told.kind.word, told.text) == ("", "plain", "panic: runtime error")
