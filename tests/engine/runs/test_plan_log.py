"""A plan as lines of the log: what would go first, in words, by name and size."""

import json
from itertools import product
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import pytest

from bucketvault.engine.listing.merge import Stand, What, Why
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.engine.runs import plan_log
from bucketvault.engine.views.log_text import describe_log_line
from bucketvault.vocabulary import LineKind
from tests.engine.runs.plans import a_plan, difference, write_plan


def told(lines: list[bytes]) -> list[tuple[str, str]]:
    """Name and words of each line, as people read them."""
    found = [describe_log_line(line, ZoneInfo("UTC")) for line in lines]
    assert all(each.time for each in found)
    return [(each.object, each.text) for each in found]


def test_a_plan_is_told_in_the_order_of_what_matters(tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path,
        [
            difference("a", What.NEW),
            difference("b", What.LOST),
            difference("c", What.CHANGED, Why.SIZE),
            difference("d", What.ALTERED),
            difference("e", What.GONE),
            difference("f", What.CHANGED, Why.DATE),
            difference("g", What.ALTERED, Why.BYTES),
            difference("h/", What.NEW, stand=Stand.CANNOT, size=0),
            difference("i//j", What.CHANGED, stand=Stand.CANNOT),
            difference("k/", What.GONE, stand=Stand.CANNOT),
            difference("l", What.GONE),
        ],
    )

    lines = list(plan_log.plan_lines(plan))

    kinds = [LineKind.REMOVED] * 2 + [LineKind.REPLACED] * 4 + [LineKind.NEW] * 2
    assert Transcript().feed(lines) == kinds + [LineKind.WARNING] * 3
    assert told(lines) == [
        ("e", "Would be removed, 2 B"),
        ("l", "Would be removed, 2 B"),
        ("c", "Would be replaced: different size, 3 B"),
        ("d", "Would be replaced: changed in the copy, not by bucketvault, 3 B"),
        ("f", "Would be replaced: newer at the source, 3 B"),
        ("g", "Would be replaced: damaged in the copy, 3 B"),
        ("a", "Would be copied, 3 B"),
        ("b", "Would be copied again: missing from the copy, 3 B"),
        ("h/", "Cannot be copied: the marker of an empty folder, 0 B"),
        ("i//j", "Cannot be copied: its name, 3 B"),
        ("k/", "Cannot be removed: its name, 2 B"),
    ]


def test_a_proof_tells_all_that_is_not_right_and_what_came_since(tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path,
        [
            difference("a", What.GONE, stand=Stand.FAILED),
            difference("b", What.ALTERED, stand=Stand.STRAY),
            difference("c", What.CHANGED, Why.BYTES),
            difference("d", What.NEW, stand=Stand.FAILED),
            difference("e", What.LOST),
            difference("f/", What.NEW, stand=Stand.CANNOT, size=0),
            difference("g", What.NEW, stand=Stand.SINCE),
            difference("h", What.GONE, stand=Stand.SINCE),
            difference("i", What.CHANGED, stand=Stand.SINCE),
        ],
    )
    lines = list(plan_log.proof_lines(plan, {"d": "AccessDenied"}))

    assert [(name, text.rpartition(", ")[0]) for name, text in told(lines)] == [
        ("e", "Not at the destination"),
        ("d", "Not at the destination: AccessDenied"),
        ("c", "Differs at the destination: different bytes"),
        ("b", "Differs at the destination: different content"),
        ("a", "Still at the destination, though gone at the source"),
        ("f/", "Cannot be copied: the marker of an empty folder"),
        ("g", "New at the source since the run began: left to the next run"),
        ("h", "Removed at the source since the run began: left to the next run"),
        ("i", "Changed at the source since the run began: left to the next run"),
    ]
    entries = [json.loads(line) for line in lines]
    assert [each["what"] for each in entries] == [
        *("missing", "failed", "different", "different", "failed", "cannot"),
        *("since", "since", "since"),
    ]
    assert [each["level"] for each in entries] == ["error"] * 5 + ["notice"] + ["info"] * 3
    assert {each["bucketvault"] for each in entries} == {"proof"}
    kinds = [LineKind.ERROR] * 5 + [LineKind.WARNING] + [LineKind.INFO] * 3
    assert Transcript().feed(lines) == kinds


def test_what_a_look_found_wrong_is_no_error_of_rclone(tmp_path: Path) -> None:
    transcript = Transcript()

    transcript.feed(plan_log.proof_lines(a_plan(tmp_path, removed=["a"], new=["b"]), {}))

    assert transcript.errors == () and not transcript.tally.failed


@pytest.mark.parametrize("stand", Stand)
def test_every_difference_has_words(tmp_path: Path, stand: Stand) -> None:
    at_both = product((What.CHANGED, What.ALTERED), set(Why) - {Why.ABSENT})
    kinds = [*at_both, *((what, Why.ABSENT) for what in (What.NEW, What.LOST, What.GONE))]
    found = [difference(f"{n:02}", *kind, stand=stand) for n, kind in enumerate(kinds)]
    plan = write_plan(tmp_path, found)

    would = stand in (Stand.TO_DO, Stand.CANNOT)

    assert len(list(plan_log.proof_lines(plan, {}))) == len(kinds)
    assert len(list(plan_log.plan_lines(plan))) == len(kinds) * would


def test_odd_names_are_told_as_they_are(tmp_path: Path) -> None:
    names = ["a\nb", 'say "stats":{', "caf\u00e9", "\u2028", "tab\there"]
    plan = a_plan(tmp_path, removed=names)

    entries = [json.loads(line) for line in plan_log.plan_lines(plan)]

    assert sorted(each["object"] for each in entries) == sorted(names)
    assert all(line.count(b"\n") == 1 for line in plan_log.plan_lines(plan))
    assert any("caf\u00e9".encode() in line for line in plan_log.plan_lines(plan))  # to be found


def test_a_name_that_is_no_text_is_told_all_the_same(tmp_path: Path) -> None:
    gone = difference("a", What.GONE)._replace(key=b"\xff")

    (line,) = plan_log.plan_lines(write_plan(tmp_path, [gone]))

    assert json.loads(line)["object"] == "\ufffd"


@pytest.fixture
def long_plan(tmp_path: Path) -> Plan:
    return a_plan(tmp_path, removed=[f"photos/{number:05}.jpg" for number in range(5000)])


def test_a_long_plan_is_written_in_parts_of_whole_lines(long_plan: Plan) -> None:
    parts: list[bytes] = []

    plan_log.write_plan(long_plan, parts.append, Event())

    assert len(parts) > 2 and all(part.endswith(b"\n") for part in parts)
    assert max(map(len, parts)) < plan_log.CHUNK_BYTES + 1000
    names = [json.loads(line)["object"] for line in b"".join(parts).splitlines()]
    assert names == [each.key.decode() for each in long_plan.differences()]


def test_stop_ends_the_writing_of_a_long_plan(long_plan: Plan) -> None:
    stopped, parts = Event(), list[bytes]()

    def append(part: bytes) -> None:
        parts.append(part)
        stopped.set()

    with pytest.raises(CancelledError):
        plan_log.write_plan(long_plan, append, stopped)

    assert len(parts) == 1


def test_stop_leaves_out_the_rest_of_a_long_proof(long_plan: Plan) -> None:
    stopped, parts = Event(), list[bytes]()
    stopped.set()

    plan_log.write_proof(long_plan, parts.append, {}, stopped)

    assert len(parts) == 1


def test_nothing_to_tell_writes_nothing(tmp_path: Path) -> None:
    parts: list[bytes] = []

    plan_log.write_proof(a_plan(tmp_path), parts.append, {}, Event())

    assert parts == []
