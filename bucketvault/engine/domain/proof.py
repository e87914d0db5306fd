"""The proof of a run: what its last look at both ends found, in numbers of objects. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bucketvault.engine.domain.stored import known_fields

NAMES_TOLD = 10  # of each kind; the run's log has all
DELIVERED = "delivered"  # the cause of objects that come otherwise than the source lists them


@dataclass(frozen=True, slots=True)
class Proof:
    """How the copy was found by one look. `names` holds the first keys of each kind.

    `present` = `same_hash` + `same_size_only`. `source_objects` = `present` + `missing` +
    `different` + `since` + those of `cannot_copy` that are at the source.
    """

    at: str = ""  # ISO 8601, UTC: when the look began; empty: there was none
    source_objects: int = 0
    source_bytes: int = 0
    present: int = 0
    same_hash: int = 0  # the same content, as far as an MD5 tells
    same_size_only: int = 0  # uploaded in parts, or encrypted: no hash to compare
    missing: int = 0  # at the source, and not at the copy
    different: int = 0  # at both, and not equal
    left: int = 0  # at the copy alone: could not be removed
    cannot_copy: int = 0  # names that rclone or the destination cannot have
    causes: Mapping[str, int] = field(default_factory=dict)  # of those, and why some cannot go
    since: int = 0  # changed at the source since the run began: they come with the next one
    # missing, different, left, each of `causes`, cannot_copy: keys, the last of those without a
    # cause. failed: [key, cause] of those that rclone named
    names: Mapping[str, list[Any]] = field(default_factory=dict)  # Any: see above

    @property
    def is_good(self) -> bool:
        """True if all that can be in the copy, and did not change since, is there, and no more."""
        wrong = self.missing or self.different or self.left or self.causes.get(DELIVERED)
        return bool(self.at) and not wrong

    @property
    def when(self) -> dt.datetime | None:
        """When the look began, aware; None: there was none."""
        return dt.datetime.fromisoformat(self.at) if self.at else None

    def to_json(self) -> dict[str, object]:
        """Return plain values, for the database and for `status --json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Proof | None":  # Any: JSON
        """Return the proof in a run's row; None where the run made none."""
        return cls(**known_fields(cls, value)) if value else None
