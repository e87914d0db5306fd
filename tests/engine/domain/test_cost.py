"""The cost of requests, traffic and storage, in numbers."""

import pytest

from bucketvault.engine.domain import prices
from bucketvault.engine.domain.cost import Cost, Item, Part, cost_of, storage_of
from bucketvault.engine.domain.prices import PRICES, UNKNOWN
from bucketvault.engine.domain.rules import InvalidValue
from bucketvault.engine.domain.services import SERVICES
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.humanize import dollars
from bucketvault.vocabulary import Side

R2_TO_B2 = {Side.SOURCE: PRICES["r2"], Side.DESTINATION: PRICES["b2"]}
AWS_TO_R2 = {Side.SOURCE: PRICES["aws"], Side.DESTINATION: PRICES["r2"]}
TB = 10**12


def by_part(cost: Cost) -> dict[tuple[Part, Side], float | None]:
    return {(item.part, item.side): item.dollars for item in cost.items}


def test_a_first_copy_from_r2_to_b2_costs_the_reads_alone() -> None:
    use = Use(
        EndUse(lists=3000, reads=1_000_000, bytes_out=TB),
        EndUse(lists=1002, writes=1_000_000, reads=1_000_000),
    )

    cost = cost_of(use, R2_TO_B2)

    assert by_part(cost) == {
        (Part.REQUESTS, Side.SOURCE): pytest.approx(3000 * 4.5e-6 + 0.36),
        (Part.TRAFFIC, Side.SOURCE): 0.0,
        (Part.REQUESTS, Side.DESTINATION): 0.0,
    }
    assert cost.dollars == pytest.approx(0.3735)
    assert cost.is_known


def test_amazon_charges_for_what_leaves_it_in_gib() -> None:
    cost = cost_of(Use(EndUse(reads=1000, bytes_out=100 * 2**30)), AWS_TO_R2)

    assert by_part(cost) == {
        (Part.REQUESTS, Side.SOURCE): pytest.approx(0.0004),
        (Part.TRAFFIC, Side.SOURCE): pytest.approx(9.0),
    }


def test_traffic_is_free_up_to_a_share_of_what_is_stored() -> None:
    use = Use(EndUse(bytes_out=4 * TB))
    b2 = {Side.SOURCE: PRICES["b2"]}

    assert cost_of(use, b2, stored=2 * TB).dollars == 0.0
    assert cost_of(use, b2, stored=TB).dollars == pytest.approx(10.0)
    assert cost_of(use, b2).dollars == pytest.approx(40.0)


def test_more_than_that_share_has_no_price_at_wasabi() -> None:
    use, wasabi = Use(EndUse(bytes_out=2 * TB)), {Side.SOURCE: PRICES["wasabi"]}

    assert cost_of(use, wasabi, stored=2 * TB).is_known
    assert not cost_of(use, wasabi, stored=TB).is_known


def test_storage_is_paid_by_the_month() -> None:
    assert storage_of(TB, PRICES["b2"]).dollars == pytest.approx(6.95)
    assert storage_of(2**40, PRICES["aws"]).dollars == pytest.approx(1024 * 0.023)


def test_what_has_no_price_is_not_known_and_never_free() -> None:
    cost = cost_of(Use(EndUse(lists=1)), {}).plus(storage_of(TB, UNKNOWN))

    assert cost.items == (
        Item(Part.REQUESTS, Side.SOURCE, 1, None),
        Item(Part.STORAGE, Side.DESTINATION, TB, None),
    )
    assert not cost.is_known


def test_a_class_that_was_not_used_needs_no_price() -> None:
    free_lists = {Side.SOURCE: prices.Prices(lists_per_million=0.0)}

    assert cost_of(Use(EndUse(lists=5)), free_lists).is_known
    assert not cost_of(Use(EndUse(lists=5, reads=1)), free_lists).is_known


def test_every_row_of_prices_names_its_page_and_month() -> None:
    for row in PRICES.values():
        assert row.page.startswith("https://")
        year, _, month = row.read.partition("-")
        assert int(year) >= 2026 and 1 <= int(month) <= 12


def test_every_row_of_prices_is_of_a_known_service() -> None:
    assert set(PRICES) <= {service.slug for service in SERVICES}


@pytest.mark.parametrize("value", [-0.01, 1001, float("nan"), True, "0.015", None])
def test_a_price_is_a_number_of_dollars(value: object) -> None:
    with pytest.raises(InvalidValue, match="US dollars"):
        prices.price_rule(value)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0.0, "$0.00"),
        (0.0049, "less than $0.01"),
        (0.01, "$0.01"),
        (6.954, "$6.95"),
        (1234.5, "$1,234"),
    ],
)
def test_dollars_are_rounded_sensibly(amount: float, words: str) -> None:
    assert dollars(amount) == words


def test_use_is_kept_without_zeros_and_read_back() -> None:
    use = Use(EndUse(lists=2, bytes_out=5), EndUse(writes=1))

    told = use.to_json()

    assert told == {"source": {"lists": 2, "bytes_out": 5}, "destination": {"writes": 1}}
    assert Use.from_json(told) == use


@pytest.mark.parametrize(
    "told",
    [None, 7, {"source": 7}, {"source": {"lists": "1", "reads": -1, "x": 1, "writes": True}}],
)
def test_what_is_no_count_is_passed_over(told: object) -> None:
    assert Use.from_json(told) == Use()
