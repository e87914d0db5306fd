"""Prices of the services we know: a table of data, each row with its page and when it was read.

In US dollars, for the standard storage class. None is "not known" and shown as that, never as
free. `setup.toml` replaces any of them (`engine/price_list.py`). What is free for a whole account
each month is not deducted: its other buckets use that, too.

Decisions: docs/decisions/money.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bucketvault.engine.domain.fields import AMOUNT, ruled
from bucketvault.engine.domain.rules import InvalidValue, whole_number

GIB = 2**30
GB = 10**9
MOST_DOLLARS = 1000.0  # per GB or per million: more is a slip


def price_rule(value: object) -> float:
    """A price in US dollars, perhaps 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue("This must be a number of US dollars, such as 0.015.")
    if not 0 <= value <= MOST_DOLLARS:  # nan, too
        raise InvalidValue("A price is a number of US dollars from 0 to 1000, such as 0.015.")
    return float(value)


_days_rule = whole_number(0, 3650, "days")


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one service."""

    storage_per_gb_month: float | None = ruled(price_rule, kind=AMOUNT)
    lists_per_million: float | None = ruled(price_rule, kind=AMOUNT)
    writes_per_million: float | None = ruled(price_rule, kind=AMOUNT)
    reads_per_million: float | None = ruled(price_rule, kind=AMOUNT)
    deletes_per_million: float | None = ruled(price_rule, kind=AMOUNT)
    traffic_per_gb: float | None = ruled(price_rule, kind=AMOUNT)  # what leaves the service
    # so many times what is stored there may leave it each month at no charge
    traffic_free_times_stored: float = ruled(price_rule, 0.0, kind=AMOUNT)
    # what is deleted earlier is paid for until then
    minimum_days: int | None = ruled(_days_rule, kind=AMOUNT)
    gb: int = GB  # bytes of what the service calls a GB
    note: str = ""  # what else a bill depends on, in whole sentences
    page: str = ""  # where the prices are
    read: str = ""  # when they were read: 2026-09; empty where there are none
    changed: tuple[str, ...] = ()  # fields that `setup.toml` has set


UNKNOWN = Prices()

# https://github.com/cloudflare/cloudflare-docs, src/content/docs/r2/pricing.mdx: class A has PUT,
# COPY, all of an upload in parts, and both kinds of lists; class B has GET and HEAD.
_R2 = Prices(
    storage_per_gb_month=0.015,
    lists_per_million=4.50,
    writes_per_million=4.50,
    reads_per_million=0.36,
    deletes_per_million=0.0,
    traffic_per_gb=0.0,
    minimum_days=0,
    note=(
        "An account has 10 GB, 1 million writes and lists and 10 million reads free each month; "
        "that is not deducted."
    ),
    page="https://developers.cloudflare.com/r2/pricing/",
    read="2026-09",
)
_B2 = Prices(
    storage_per_gb_month=0.00695,
    lists_per_million=0.0,
    writes_per_million=0.0,
    reads_per_million=0.0,
    deletes_per_million=0.0,
    traffic_per_gb=0.01,
    traffic_free_times_stored=3.0,
    minimum_days=0,
    note="Hidden versions are stored, too, until a lifecycle rule deletes them.",
    page="https://www.backblaze.com/cloud-storage/pricing",
    read="2026-09",
)
_AWS = Prices(
    storage_per_gb_month=0.023,
    lists_per_million=5.0,
    writes_per_million=5.0,
    reads_per_million=0.40,
    deletes_per_million=0.0,
    traffic_per_gb=0.09,
    minimum_days=0,
    gb=GIB,
    note=(
        "Prices of us-east-1; other regions differ. An account has 100 GB of traffic free each "
        "month; that is not deducted."
    ),
    page="https://aws.amazon.com/s3/pricing/",
    read="2026-09",
)
# Traffic up to what is stored, and requests, are free "within reason"; more has no price.
_WASABI = Prices(
    storage_per_gb_month=0.00799,
    lists_per_million=0.0,
    writes_per_million=0.0,
    reads_per_million=0.0,
    deletes_per_million=0.0,
    traffic_per_gb=None,
    traffic_free_times_stored=1.0,
    minimum_days=90,
    note="An account pays for at least 1 TB.",
    page="https://wasabi.com/pricing",
    read="2026-09",
)
_TIGRIS = Prices(
    storage_per_gb_month=0.02,
    lists_per_million=5.0,
    writes_per_million=5.0,
    reads_per_million=0.50,
    deletes_per_million=0.0,
    traffic_per_gb=0.0,
    minimum_days=0,
    page="https://www.tigrisdata.com/pricing/",
    read="2026-06",
)
# By `Service.slug`. Services that are not here: prices are not known.
PRICES: Mapping[str, Prices] = {
    "r2": _R2,
    "b2": _B2,
    "aws": _AWS,
    "wasabi": _WASABI,
    "tigris": _TIGRIS,
}
