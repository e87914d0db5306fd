"""Keys and the names that rclone has for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.rclone.names import is_odd, meant, never_fits, spelled

odd_text = st.text(st.sampled_from("a./\u201b\uff0e\uff0f\u2400\u240a\u241f\u2421\n\x00\x7f ü"))


@given(st.one_of(odd_text.map(str.encode), st.binary()))
def test_a_key_comes_back_from_its_name(key: bytes) -> None:
    assert meant(spelled(key)) == key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("photos/ü 1.jpg", "photos/ü 1.jpg"),
        ("a\nb\x7f", "a\u240ab\u2421"),
        ("./a/../..b", "\uff0e/a/\uff0e\uff0e/..b"),
        ("\u240a", "\u201b\u240a"),
        ("a\uff0fb", "a\u201b\uff0fb"),
        ("\uff0e/\uff0ea", "\u201b\uff0e/\uff0ea"),
        ("\u201b", "\u201b\u201b"),
    ],
)
def test_a_name_is_the_key_in_the_letters_of_rclone(key: str, name: str) -> None:
    assert spelled(key.encode()) == name


def test_a_name_that_rclone_would_never_say_is_taken_as_it_is() -> None:
    assert meant("a\u201bb\u201b") == "a\u201bb\u201b".encode()


@pytest.mark.parametrize("key", [b"/a", b"a/", b"a//b", b"//", b"/"])
def test_slashes_make_a_name_odd(key: bytes) -> None:
    assert is_odd(key)


def test_other_signs_do_not_make_a_name_odd() -> None:
    assert not any(map(is_odd, (b"a", b"a/b", b"a\nb", b"a\\b", b" ", "ü".encode(), b"\xff")))


def test_what_never_fits() -> None:
    assert never_fits(b"photos/", 0, below_path=False)
    assert not never_fits(b"photos/", 1, below_path=False)
    assert never_fits(b"", 1, below_path=True)
    assert never_fits(b"a//b", 1, below_path=True)
    assert not never_fits(b"a//b", 1, below_path=False)
    assert not never_fits(b"//b", 1, below_path=True)
