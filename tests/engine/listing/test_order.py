"""Any order of keys becomes the order of their bytes, in bounded memory."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing import order
from bucketvault.engine.listing.page import Entry, NoListingError


def entry(key: bytes) -> Entry:
    return Entry(key, len(key), "e", "2026-11-22T03:41:00Z")


def test_rising_keys_stream_through() -> None:
    keys = [b"a", b"a!", b"a/x", "ä".encode()]

    assert [found.key for found in order.in_order(map(entry, keys))] == keys


@pytest.mark.parametrize("keys", [[b"a", b"a/x", b"a!"], [b"a", b"a"]])
def test_another_order_is_found_at_the_first_key_that_does_not_rise(keys: list[bytes]) -> None:
    with pytest.raises(order.OrderError):
        list(order.in_order(map(entry, keys)))


@given(keys=st.lists(st.binary(min_size=1, max_size=6), unique=True, max_size=60))
def test_a_sort_on_disk_gives_every_entry_in_byte_order(keys: list[bytes]) -> None:
    before = (order.IN_MEMORY, order.BLOCK)
    order.IN_MEMORY, order.BLOCK = 7, 2
    try:
        found = list(order.sorted_on_disk(map(entry, keys), Path("/tmp")))
    finally:
        order.IN_MEMORY, order.BLOCK = before

    assert found == [entry(key) for key in sorted(keys)]


def test_a_key_that_comes_twice_is_no_listing(tmp_path: Path) -> None:
    with pytest.raises(NoListingError, match="twice"):
        list(order.sorted_on_disk(map(entry, [b"b", b"a", b"b"]), tmp_path))

    assert not list(tmp_path.iterdir())
