"""Decides, from what a dry run found, whether a run may continue. Pure: no rclone, no database."""

from dataclasses import asdict, dataclass
from typing import Any

from bucketvault.vocabulary import HoldReason

# A handful of removals, or a rotation of a few dumps, never holds a run, whatever the share.
FEWEST_REMOVED = 10
FEWEST_CHANGED = 100


@dataclass(frozen=True, slots=True)
class Findings:
    """The work of a run, in objects, as a dry run counted it."""

    new: int = 0
    replaced: int = 0
    removed: int = 0
    destination_objects: int = 0  # in the copy now, without kept versions

    @property
    def changes(self) -> int:
        """All that would change at the destination."""
        return self.new + self.replaced + self.removed

    def to_json(self) -> dict[str, int]:
        """As plain values, for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> "Findings | None":
        """The reverse; None where nothing was found out."""
        return cls(**{k: int(value[k]) for k in asdict(cls()) if k in value}) if value else None


def hold_reason(
    found: Findings,
    *,
    shrink_limit_percent: int,
    same_ends_before: bool,
    approved: Findings | None,
) -> HoldReason | None:
    """Return why a run must not continue by itself; None when it may.

    `same_ends_before`: an earlier run between the same ends succeeded. Without one, nothing may be
    removed: the destination belongs to something else, or the source is the wrong one.
    `approved`: what the user saw and allowed; more than that is held again.
    """
    if approved is not None:
        more = found.removed > approved.removed or found.replaced > approved.replaced
        return HoldReason.MORE if more else None
    if found.removed and not same_ends_before:
        return HoldReason.FIRST
    share = found.destination_objects * shrink_limit_percent / 100
    changed = found.removed + found.replaced
    too_many = (found.removed > share and found.removed >= FEWEST_REMOVED) or (
        changed > share and changed >= FEWEST_CHANGED
    )
    return HoldReason.SHARE if too_many else None
