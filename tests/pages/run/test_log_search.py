"""Searching a log finds what people read, and looks closely only where it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.sanitize import has_control_characters
from bucketvault.vocabulary import LineKind
from tests.pages.sample_logs import failed_log, log_line, looked_log
from tests.pages.scenes import ZONE

ODD_NAMES = [
    "a\u202etxt.exe",
    "a\x7fb",
    "ärger in Grün/ÄRGER",
    "Straße/ﬁnd/İstanbul/\u212a/ΟΔΟΣ",
    'say "hello"\\now\tor\nlater',
    "zero\u200bwidth\u0085\ufeff",
]
LINES = [
    *failed_log(),
    *looked_log(),
    b"panic: runtime error",
    b"goroutine 1:\n\tmain.go:7\r"[13:],
    b"\xff not utf-8 \xe2\x80\xae drow \xed\xa0\x80",
    log_line(9, "Deleted", object="x"),
    log_line(9, 'Failed to copy: "no"\nÖrtlich\u2028', "error", object="y"),
    *(log_line(9, object=name, size=5) for name in ODD_NAMES),
]
KINDS = Transcript().feed(LINES)


def readings() -> list[str]:
    from bucketvault.engine.views.log_text import describe_log_line

    told = [describe_log_line(line, ZONE, kind) for line, kind in zip(LINES, KINDS, strict=True)]
    return [part for one in told for part in (one.time, one.object, one.text) if part]


parts = st.sampled_from(readings()).flatmap(
    lambda text: st.tuples(st.integers(0, len(text) - 1), st.integers(1, 12)).map(
        lambda cut: text[cut[0] : cut[0] + cut[1]]
    )
)


@pytest.mark.slow  # takes seconds
@given(text=parts, upper=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_part_of_what_is_read_is_found(text: str, upper: bool) -> None:
    from bucketvault.engine.views.log_text import describe_log_line
    from bucketvault.pages.run.log_search import Shown

    sought = Shown(text.upper() if upper else text, ZONE, progress=True)

    for line, kind in zip(LINES, KINDS, strict=True):
        told = describe_log_line(line, ZONE, kind)
        if any(text.casefold() in part.casefold() for part in (told.time, told.object, told.text)):
            assert sought.holds(line, kind)
        if sought.holds(line, kind):
            assert sought.may_hold(line + b"\n", bytes([kind]))


@pytest.mark.parametrize("text", ["nowhere", "12:00:00", "77.7 TB", "trying again"])
def test_a_chunk_without_it_is_passed_over_as_a_whole(text: str) -> None:
    from bucketvault.pages.run.log_search import Shown

    lines = [log_line(number, object=f"a{number}", size=5) for number in range(100)]

    may = Shown(text, ZONE).may_hold(b"\n".join(lines), bytes([LineKind.NEW] * 100))

    assert not may


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\\u202e", "a\u202etxt.exe"),
        ("u202etxt", "a\u202etxt.exe"),
        ("\\x7f", "a\x7fb"),
        ("\\x0a", "a\nb"),
        ("ÄRGER", "ärger.txt"),
        ("ärger", "ÄRGER.TXT"),
        ("strasse", "Straße"),
        ("STRASSE", "Straße"),
        ("οδοσ", "ΟΔΟΣ"),
    ],
)
def test_a_name_is_found_as_it_is_shown_and_in_any_case(text: str, name: str) -> None:
    from bucketvault.pages.run.log_search import Shown

    sought = Shown(text, ZONE)
    told = log_line(1, "Failed to copy", "error", object=name)
    named = log_line(1, f"Failed to copy {name}", "error", object="other")

    for line, kind in (
        (log_line(1, object=name, size=5), LineKind.NEW),
        (told, LineKind.ERROR),
        (named, LineKind.ERROR),
    ):
        assert sought.holds(line, kind)
        assert sought.may_hold(line + b"\n", bytes([kind]))


def test_every_sign_that_people_see_otherwise_is_known() -> None:
    from bucketvault.pages.run.log_search import Shown

    sought = Shown("nowhere", ZONE)
    # beyond the first plane, those with unseen signs among them
    for code in (*range(0x7F, 0x10000), *range(0x13000, 0x1E000), *range(0xE0000, 0xE1000)):
        sign = chr(code)
        if has_control_characters(sign):
            line = b'{"object":"' + sign.encode(errors="surrogatepass") + b'"}'
            assert sought.may_hold(line, bytes([LineKind.NEW])), hex(code)
