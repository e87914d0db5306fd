"""Labels of the ways to compare source and copy, and a sentence for each."""

from typing import NamedTuple

from bucketvault.vocabulary import ComparisonMode


class Comparing(NamedTuple):
    """One way to compare, in words."""

    title: str
    note: str  # where it is chosen
    cost: str  # on the backup's page
    compares: str  # on a run's page


COMPARING = {  # in the order in which they are offered
    ComparisonMode.CHECKSUM: Comparing(
        "Checksum",
        "Compares sizes and checksums from the listings: right for almost everybody. By size alone "
        "where an object has no checksum, such as one that another program uploaded in parts.",
        "listings only, no request per object",
        "checksum",
    ),
    ComparisonMode.SIZE_ONLY: Comparing(
        "Size only",
        "Quickest; misses a change that keeps the size.",
        "listings only; misses a change that keeps the size",
        "size only",
    ),
    ComparisonMode.DEFAULT: Comparing(
        "Size and time",
        "Asks for each object at both ends, in every run. Slow and costly for many objects.",
        "asks for each object, twice",
        "size and modification time",
    ),
}
