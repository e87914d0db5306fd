"""Searching a log finds what people read, and looks closely only where it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.vocabulary import LineKind
from tests.pages.sample_logs import failed_log, log_line, looked_log
from tests.pages.scenes import ZONE

LINES = [*failed_log(), *looked_log(), b"panic: runtime error", log_line(9, "Deleted", object="x")]
KINDS = Transcript().feed(LINES)


def readings() -> list[str]:
    from bucketvault.pages.formatting import describe_log_line

    told = [describe_log_line(line, ZONE, kind) for line, kind in zip(LINES, KINDS, strict=True)]
    return [part for one in told for part in (one.time, one.object, one.text) if part]


parts = st.sampled_from(readings()).flatmap(
    lambda text: st.tuples(st.integers(0, len(text) - 1), st.integers(1, 12)).map(
        lambda cut: text[cut[0] : cut[0] + cut[1]]
    )
)


@given(text=parts, upper=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_part_of_what_is_read_is_found(text: str, upper: bool) -> None:
    from bucketvault.pages.formatting import describe_log_line
    from bucketvault.pages.log_search import Shown

    sought = Shown(text.upper() if upper else text, ZONE, progress=True)

    for line, kind in zip(LINES, KINDS, strict=True):
        told = describe_log_line(line, ZONE, kind)
        if any(text.lower() in part.lower() for part in (told.time, told.object, told.text)):
            assert sought.holds(line, kind)
        if sought.holds(line, kind):
            assert sought.may_hold(line + b"\n", bytes([kind]))


@pytest.mark.parametrize("text", ["nowhere", "12:00:00", "77.7 TB", "trying again"])
def test_a_chunk_without_it_is_passed_over_as_a_whole(text: str) -> None:
    from bucketvault.pages.log_search import Shown

    lines = [log_line(number, object=f"a{number}", size=5) for number in range(100)]

    may = Shown(text, ZONE).may_hold(b"\n".join(lines), bytes([LineKind.NEW] * 100))

    assert not may
