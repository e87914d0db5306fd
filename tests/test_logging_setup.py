"""The program's own log: nobody outside fills it, or writes lines that look like ours."""

import io
import logging
from collections.abc import Iterator

import pytest

from bucketvault.logging_setup import (
    LONGEST_MESSAGE,
    LONGEST_TRACE,
    MINUTE_S,
    MOST_OF_OTHERS,
    MOST_OF_OURS,
    _Handler,
    _Line,
)


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(written: io.StringIO) -> _Handler:
    made = _Handler(written)
    made.setFormatter(_Line("%(levelname)s %(message)s"))
    return made


@pytest.fixture
def say(handler: _Handler) -> Iterator[object]:
    names = "bucketvault.test", "engineio.test", "socketio.test"
    loggers = {name: logging.getLogger(name) for name in names}
    for each in loggers.values():
        each.addHandler(handler)
        each.propagate = False
    yield loggers
    for each in loggers.values():
        each.removeHandler(handler)
        each.propagate = True


def test_another_packages_lines_are_bounded_whatever_they_say(
    say: dict[str, logging.Logger], written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    for number in range(500):
        say["engineio.test"].error("message %d from %s", number, "a stranger")
    say["bucketvault.test"].warning("mail not sent", extra={"mail": 1})

    clock[0] += MINUTE_S + 1
    say["engineio.test"].error("one more")

    lines = written.getvalue().splitlines()
    assert len(lines) == MOST_OF_OTHERS + 3
    assert lines[-3] == "WARNING mail not sent mail=1"
    left_out = 500 - MOST_OF_OTHERS
    assert lines[-2] == f"WARNING more such lines were left out lines={left_out} of=engineio.test"
    assert lines[-1] == "ERROR one more"


def test_the_story_of_a_night_is_whole_and_one_warning_does_not_hide_another(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    logger = say["bucketvault.test"]
    logger.setLevel(logging.INFO)
    for number in range(3 * MOST_OF_OURS):
        logger.info("run started", extra={"run": number})
        logger.warning("sign-in refused")
    logger.warning("mail not sent")

    told = written.getvalue()
    assert told.count("run started") == 3 * MOST_OF_OURS
    assert told.count("sign-in refused") == MOST_OF_OURS and "mail not sent" in told


def test_words_from_elsewhere_make_no_line_and_no_signs_of_a_terminal(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    forged = "x\nWARNING run interrupted run=1\n\x1b[2J\u202e"
    say["engineio.test"].error(forged)
    try:
        raise ValueError(forged)
    except ValueError:
        say["socketio.test"].exception("a fault")
        say["socketio.test"].exception("a fault again")  # one traceback is enough

    begin = [line for line in written.getvalue().splitlines() if not line.startswith("  ")]
    assert len(begin) == 3 and begin[1] == "ERROR a fault"
    assert begin[2].startswith("ERROR a fault again: ValueError('x\\nWARNING")
    assert begin[0].startswith("ERROR x\\x0aWARNING run")
    assert "\x1b" not in written.getvalue() and "\u202e" not in written.getvalue()


def test_a_line_and_its_traceback_are_bounded(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    say["engineio.test"].error("x" * 1_000_000)
    try:
        raise ValueError("begin" + "\n".join("y" * 1000 for _ in range(1000)) + "the end")
    except ValueError:
        say["socketio.test"].exception("a fault")

    told = written.getvalue()
    assert len(told) < LONGEST_MESSAGE + LONGEST_TRACE + 1000
    assert "Traceback" in told and "the end" in told
