"""Services and bills for tests of pages."""

from bucketvault.engine.domain.cost import cost_of
from bucketvault.engine.domain.prices import PRICES
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.views.money import Bill, Priced, Spent
from bucketvault.vocabulary import Side

R2 = Priced("Cloudflare R2", PRICES["r2"], "r2")
B2 = Priced("Backblaze B2", PRICES["b2"], "b2")
AWS = Priced("Amazon S3", PRICES["aws"], "aws")
HOME = Priced("Home", slug="other")
SERVICES = {1: R2, 2: B2, 3: AWS, 4: HOME}  # by the providers of `scenes_catalogue`


def spent() -> Spent:
    """Return what 31 nights from Amazon to B2 have cost."""
    use = Use(
        EndUse(lists=62, reads=13_000, bytes_out=59_500_000_000),
        EndUse(lists=155, reads=1_900, writes=12_500, deletes=62),
    )
    ends = {Side.SOURCE: AWS, Side.DESTINATION: B2}
    prices = {side: end.prices for side, end in ends.items()}
    return Spent(Bill(cost_of(use, prices, 96_100_000_000), ends), 31)
