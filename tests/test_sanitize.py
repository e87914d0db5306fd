"""Text from elsewhere: nothing unseen is shown, no secret is kept, everything else is untouched."""

import base64
import json
import re
import unicodedata
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.sanitize import (
    JOINERS,
    MASK,
    Redactor,
    clean,
    clean_to_copy,
    has_control_characters,
)

UNSEEN = {
    "\x00": "\\x00",
    "\n": "\\x0a",
    "\r": "\\x0d",
    "\x1b": "\\x1b",
    "\x7f": "\\x7f",
    "\x85": "\\x85",
    "\u200b": "\\u200b",
    "\u200d": "\\u200d",
    "\u2028": "\\u2028",
    "\u202e": "\\u202e",
    "\u2066": "\\u2066",
    "\ufeff": "\\ufeff",
    "\ud800": "\\ud800",
    "\xad": "\\xad",
    "\u034f": "\\u034f",
    "\u115f": "\\u115f",
    "\u3164": "\\u3164",
    "\uffa0": "\\uffa0",
    "\u180e": "\\u180e",
    "\u2800": "\\u2800",
    "\ufe0f": "\\ufe0f",
    "\u206a": "\\u206a",
    "\U000e0041": "\\U000e0041",
    "\U000e01ef": "\\U000e01ef",
    "\U000e0fff": "\\U000e0fff",
    "\U0001d173": "\\U0001d173",
}

texts = st.text(alphabet=st.characters())
secrets = st.text(alphabet="ABCxyz019/+=&<>\"\\'% é\n", min_size=8, max_size=40)


@pytest.mark.parametrize(("sign", "shown"), UNSEEN.items(), ids=UNSEEN.values())
def test_a_sign_that_cannot_be_seen_is_shown_as_its_number(sign: str, shown: str) -> None:
    assert clean(f"a{sign}b") == f"a{shown}b"
    assert has_control_characters(f"a{sign}b")


def test_every_sign_that_unicode_says_to_format_and_not_to_draw_is_shown() -> None:
    """But for Arabic's signs around numbers and the like, which are drawn (Unicode 5.2, 9.2)."""
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    signs = (chr(code) for code in range(0x110000) if code not in drawn)

    assert [
        hex(ord(each))
        for each in signs
        if unicodedata.category(each) in unseen and not has_control_characters(each)
    ] == []


@pytest.mark.parametrize(
    "text", ["", "photos/2026", "Übersee 写真 🎞", "<img onerror=x>", "a\u00a0b"]
)
def test_visible_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text
    assert not has_control_characters(text)


@given(texts, st.integers(min_value=1, max_value=50))
def test_clean_text_is_one_visible_line_of_bounded_length(text: str, limit: int) -> None:
    shown = clean(text, limit=limit)

    assert len(shown) <= limit
    assert not has_control_characters(shown)
    assert clean(shown, limit=limit) == shown
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize("text", ["a\nb\n", "می\u200cرود", "👩\u200d🚀", "é" * 3000 + "\n"])
def test_a_text_to_copy_from_is_whole(text: str) -> None:
    assert clean_to_copy(text) == text


@given(texts)
def test_a_text_to_copy_from_has_no_unseen_sign_but_line_breaks_and_joiners(text: str) -> None:
    shown = clean_to_copy(text)

    assert not has_control_characters(shown, f"\n{JOINERS}")
    parts = re.split(f"([\n{JOINERS}])", text)
    assert shown == "".join(p if n % 2 else clean(p, limit=10_000) for n, p in enumerate(parts))


@given(texts)
def test_clean_says_whether_it_had_anything_to_do(text: str) -> None:
    assert has_control_characters(text) == (clean(text, limit=10_000) != text)


def test_text_that_is_too_long_ends_with_an_ellipsis() -> None:
    assert clean("x" * 5, limit=5) == "xxxxx"
    assert clean("x" * 6, limit=5) == "xxxx…"
    assert clean("\x00" * 5, limit=5) == "\\x00…"


# ---- secrets


def spellings(secret: str) -> set[bytes]:
    go = json.dumps(secret, ensure_ascii=False)[1:-1]
    for sign in "&<>":
        go = go.replace(sign, f"\\u{ord(sign):04x}")
    return {
        word.encode()
        for word in (
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            go,
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote(secret),
            urllib.parse.quote_plus(secret),
            secret.encode().hex(),
            secret.encode().hex().upper(),
        )
    }


@given(secrets, st.binary(max_size=20), st.binary(max_size=20))
def test_a_secret_is_masked_in_every_spelling(secret: str, before: bytes, after: bytes) -> None:
    for spelling in spellings(secret):
        redactor = Redactor([secret])

        masked = redactor.raw(before + spelling + after)

        assert spelling not in masked
        assert MASK.encode() in masked
        assert redactor.replaced >= 1


@given(secrets, st.binary(max_size=20), st.binary(max_size=20))
def test_a_secret_is_masked_inside_of_what_was_encoded_with_it(
    secret: str, before: bytes, after: bytes
) -> None:
    """As a server gives back the header of a sign-in: base64 of user, colon and password."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        said = encode(before + secret.encode() + after)

        masked = Redactor([secret]).raw(said)

        left = masked.replace(MASK.encode(), b"")
        bits = 6 * len(left.rstrip(b"=")) - 8 * len(before + after)
        assert masked != said and bits < 16, "less than a byte of it at either end"


@given(secrets, st.text(alphabet="DEFuvw345 ", max_size=100))
def test_text_without_a_secret_is_returned_as_it_is(secret: str, text: str) -> None:
    redactor = Redactor([secret])
    data = text.encode()

    found = secret in text

    assert (redactor.raw(data) is data) or found
    assert (redactor.text(text) == text) or found
    assert redactor.replaced == 0 or found


def test_a_secret_that_contains_another_leaves_nothing_behind() -> None:
    redactor = Redactor(["inner-secret", "the-inner-secret-and-more"])

    assert redactor.text("x the-inner-secret-and-more y inner-secret") == f"x {MASK} y {MASK}"
    assert redactor.replaced == 2


def test_a_secret_too_short_to_be_one_is_left_in_ordinary_words() -> None:
    redactor = Redactor(["test", ""])

    assert redactor.text("a test of testing") == "a test of testing"


def test_no_secrets_means_nothing_to_do() -> None:
    redactor = Redactor([])

    assert redactor.raw(b"anything") == b"anything"
    assert redactor.text("anything") == "anything"


def test_half_a_character_is_no_reason_to_fail() -> None:
    assert MASK in Redactor(["hunter22"]).text("\ud800 hunter22")
