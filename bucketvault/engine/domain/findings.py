"""Decides, from what a dry run found, whether a run may continue. Pure: no rclone, no database."""

from dataclasses import asdict, dataclass
from typing import Any

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
) -> str | None:
    """The sentence that says why a run must not continue by itself; None when it may.

    `same_ends_before`: an earlier run between the same ends succeeded. Without one, nothing may be
    removed: the destination belongs to something else, or the source is the wrong one.
    `approved`: what the user saw and allowed; more than that is held again.
    """
    if approved is not None:
        more = found.removed > approved.removed or found.replaced > approved.replaced
        return f"It is more than was approved: {describe_findings(found)}" if more else None
    share = found.destination_objects * shrink_limit_percent / 100
    if found.removed and not same_ends_before:
        return f"{describe_findings(found)} No run between these two places has succeeded before."
    if found.removed > share and found.removed >= FEWEST_REMOVED:
        return describe_findings(found)
    if found.removed + found.replaced > share and (
        found.removed + found.replaced >= FEWEST_CHANGED
    ):
        return describe_findings(found)
    return None


def describe_findings(found: Findings) -> str:
    """`12,305 of 12,345 objects would be removed, 3 replaced.`"""
    total = f"{found.destination_objects:,} objects"
    if found.removed and found.replaced:
        return f"{found.removed:,} of {total} would be removed, {found.replaced:,} replaced."
    if found.replaced:
        return f"{found.replaced:,} of {total} would be replaced."
    return f"{found.removed:,} of {total} would be removed."
