"""Requests that rclone makes for an object, by its size: counted with a proxy, rclone 1.75.2."""

import pytest

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.rclone import requests
from bucketvault.engine.rclone.tally import Tally

MIB = 2**20


@pytest.mark.parametrize(
    ("mib", "gets", "parts"),
    [
        (0, 1, 0),
        (100, 1, 0),
        (200, 1, 40),
        (201, 1, 41),
        (255, 1, 51),
        (256, 52, 52),
        (300, 60, 60),
    ],
)
def test_a_large_object_goes_in_parts_and_a_larger_one_is_read_in_parts(
    mib: int, gets: int, parts: int
) -> None:
    by_name = requests.copied(mib * MIB, listed=False)

    assert by_name.source == EndUse(reads=1 + gets, bytes_out=mib * MIB)
    assert by_name.destination == EndUse(reads=2, writes=parts + 2 if parts else 1)


def test_a_small_object_takes_three_writes_where_all_go_in_parts() -> None:
    assert requests.copied(5, listed=False, in_parts=True).destination.writes == 3


def test_what_rclone_has_listed_is_not_asked_for_by_name() -> None:
    small, large = (requests.copied(mib * MIB, listed=True) for mib in (1, 257))

    assert small == Use(EndUse(reads=1, bytes_out=MIB), EndUse(reads=1, writes=1))
    assert large.source.reads == 53 and large.destination == EndUse(reads=1, writes=54)


def test_what_is_kept_is_copied_inside_and_above_a_limit_in_parts() -> None:
    assert requests.kept(1, listed=False).destination == EndUse(reads=3, writes=1)
    assert requests.kept(requests.COPY_PART, listed=False).destination == EndUse(reads=4, writes=3)
    assert requests.removed(1, listed=False) == Use(EndUse(reads=1), EndUse(reads=3, writes=1))
    assert requests.removed(1, listed=True) == Use(EndUse(), EndUse(reads=3, writes=1))


def test_parts_grow_where_there_would_be_too_many() -> None:
    usual = requests.USUAL
    most = usual.most * usual.part

    assert requests.parts_of(most) == usual.most
    assert requests.parts_of(most + 1) == 8334  # of 6 MiB
    assert requests.parts_of(5 * 2**40) <= usual.most


@pytest.mark.parametrize(
    ("slug", "mib", "parts"),
    [
        ("storj", 300, 5),  # of 64 MiB
        ("scaleway", 300, 60),  # of 5 MiB
        ("scaleway", 6000, 1000),  # of 6 MiB: it takes no more of them
        ("r2", 300, 60),
        ("nowhere", 300, 60),
    ],
)
def test_parts_are_as_large_as_the_service_wants_them(slug: str, mib: int, parts: int) -> None:
    cut = requests.cut_at(slug)

    use = requests.copied(mib * MIB, listed=False, cut=cut)

    assert use.destination.writes == parts + 2
    assert use.source.reads == parts + 1
    assert requests.first_copy(1, mib * MIB, cut).destination.writes == parts + 3


def test_a_service_without_copies_in_parts_is_asked_for_the_whole() -> None:
    size = 2 * requests.COPY_PART
    tally = Tally()

    for service in ("storj", "r2"):
        tally.begin("keep", {"service": service})
        tally.count(
            {
                "level": "info",
                "msg": "Copied (server-side copy)",
                "object": "a",
                "objectType": "*s3.Object",
                "size": size,
            }
        )

    assert tally.use.destination.writes == 1 + (1 + 2 + 1)


@pytest.mark.parametrize(
    ("keys", "pages"),
    [
        ([], 1),
        ([b"a", b"b", b"d/c"], 2),
        ([b"a/b/c/d", b"a/b/e", b"x/y", b"z"], 5),
        ([b"a!", b"a/x", b"a0", b"a0/x"], 3),
        ([b"a//b", b"a/b"], 3),
        ([b"k%05d" % number for number in range(2100)], 3),
        ([b"p/k%05d" % number for number in range(1001)], 3),
        ([*(b"p/k%05d" % number for number in range(1000)), b"q/x"], 3),
        ([b"d%05d/x" % number for number in range(1001)], 1003),
    ],
)
def test_a_listing_folder_by_folder_has_a_page_for_each_thousand_entries(
    keys: list[bytes], pages: int
) -> None:
    assert requests.listings(keys) == pages


def test_a_line_of_ours_adds_the_requests_that_it_tells_of() -> None:
    tally = Tally()

    tally.begin("look", {"requests": {"source": {"lists": 3}, "destination": {"lists": 2}}})
    tally.begin("copy", {"requests": "nonsense"})

    assert tally.use == Use(EndUse(lists=3), EndUse(lists=2))
