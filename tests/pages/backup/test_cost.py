"""Costs in a backup's form and on its page, in words."""

from dataclasses import replace

import pytest

from bucketvault.engine.domain.cost import cost_of
from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.domain.prices import PRICES, UNKNOWN
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.probe.contents import PathSize
from bucketvault.engine.views.backups import RunPage
from bucketvault.engine.views.money import Bill, Priced
from bucketvault.pages.backup.form_cost import Estimate, estimate
from bucketvault.pages.backup.form_words import new_backup
from bucketvault.pages.parts import money
from bucketvault.vocabulary import Side, StorageClass
from tests.pages import scenes
from tests.pages.scenes_money import AWS, B2, HOME, R2

MILLION = PathSize(1_000_000, 10**12)
WASABI = Priced("Wasabi", PRICES["wasabi"], "wasabi")


def told(source: Priced, destination: Priced, **changes: object) -> Estimate:
    given: BackupFields = replace(new_backup("UTC"), **changes)  # type: ignore[arg-type]
    return estimate(given, money.ends_of(source, destination), MILLION, is_new=True)


def test_a_first_copy_and_a_month_are_worked_out() -> None:
    found = told(R2, B2)

    assert found.sentence == "First copy: about $0.37. A month: about $7.08."
    assert found.first == (
        ("1,003,010 requests to Cloudflare R2", "$0.37"),
        ("1.0 TB out of Cloudflare R2", "free"),
        ("2,001,017 requests to Backblaze B2", "free"),
    )
    assert ("1.0 TB stored at Backblaze B2", "$6.95") in found.month
    assert found.notes[-1] == "Prices of Cloudflare R2 and Backblaze B2: read in September 2026."


def test_what_leaves_amazon_is_in_it() -> None:
    assert ("1.0 TB out of Amazon S3", "$83.82") in told(AWS, B2).first


def test_reading_each_night_is_in_a_month() -> None:
    month = dict(told(AWS, B2, verify_gb_per_night=10).month)

    assert month["300 GB out of Amazon S3"] == "$25.15"
    assert month["300 GB out of Backblaze B2"] == "free"


def test_prices_that_nobody_knows_are_said_to_be_unknown() -> None:
    found = told(R2, HOME)

    assert found.sentence == "First copy: at least $0.37. A month: at least $0.14."
    assert ("1.0 TB stored at Home", "unknown") in found.month
    assert "Prices of Home: unknown, until setup.toml has [prices.other]." in found.notes[-1]
    assert told(HOME, HOME).sentence == "First copy: unknown. A month: unknown."


def test_another_storage_class_has_no_price_here() -> None:
    month = dict(told(R2, AWS, storage_class=StorageClass.STANDARD_IA).month)

    assert month["1.0 TB stored at Amazon S3"] == "unknown"


def test_a_minimum_of_days_is_told_where_old_versions_go_earlier() -> None:
    words = "Wasabi charges for at least 90 days of each object"

    assert any(note.startswith(f"{words}: an old version") for note in told(R2, WASABI).notes)
    assert f"{words}." in told(R2, WASABI, retention_days=90).notes


@pytest.mark.parametrize(
    ("ends", "measured", "words"),
    [
        (money.ends_of(R2, None), MILLION, "Choose both buckets to see what a copy costs."),
        (money.ends_of(R2, B2), None, "Count the source to see what a copy costs."),
    ],
)
def test_what_is_missing_for_an_estimate_is_named(ends, measured, words: str) -> None:
    assert estimate(new_backup("UTC"), ends, measured, is_new=True) == Estimate(words)


def test_of_a_backup_that_is_there_only_a_month_is_told() -> None:
    found = estimate(new_backup("UTC"), money.ends_of(R2, B2), MILLION, is_new=False)

    assert found.sentence == "A month: about $7.08." and not found.first


def test_a_runs_bill_is_one_line() -> None:
    ends = money.ends_of(R2, B2)
    use = Use(EndUse(lists=2, bytes_out=1_200_000), EndUse(writes=1))
    bill = Bill(cost_of(use, {side: end.prices for side, end in ends.items()}), ends)

    assert money.in_one_line(bill) == (
        "less than $0.01: 2 requests to the source (less than $0.01), 1.2 MB out of the source "
        "(free), 1 request to the destination (free). Prices of Cloudflare R2 and Backblaze B2: "
        "read in September 2026."
    )


def test_a_run_that_has_ended_says_what_it_cost() -> None:
    view = scenes.run_view()
    page = RunPage(view, scenes.SETTINGS, None, None, None, prices=PRICES)

    ((name, words),) = money.of_run(page)

    assert name == "Cost"
    assert words.startswith("$0.16: 422 requests to the source (less than $0.01), 1.9 GB out of")
    assert money.of_run(replace(page, run=replace(view, finished_at=None))) == ()
    assert money.of_run(replace(page, run=replace(view, requests={}))) == ()


def test_own_prices_and_two_ends_at_one_service_are_told_apart() -> None:
    own = Priced("Home", replace(UNKNOWN, changed=("lists_per_million",)), "other")
    cost = cost_of(Use(EndUse(lists=1), EndUse(lists=2)), {})

    assert money.prices_words({Side.SOURCE: own}) == "Prices of Home: as set in setup.toml."
    assert money.lines(cost, money.ends_of(R2, R2)) == [
        ("1 request to Cloudflare R2 (source)", "unknown"),
        ("2 requests to Cloudflare R2 (destination)", "unknown"),
    ]
