"""The work of a run as its checks found it, and how much never holds one. Pure."""

from dataclasses import asdict, dataclass

from bucketvault.engine.domain.stored import known_fields

# A handful of removals, or a rotation of a few dumps, never holds a run, whatever the share.
FEWEST_REMOVED = 10
FEWEST_CHANGED = 100


@dataclass(frozen=True, slots=True)
class Findings:
    """The work of a run, in objects, as its look at both ends found it."""

    new: int = 0
    replaced: int = 0
    removed: int = 0
    destination_objects: int = 0  # in the copy now, without kept versions
    altered: int = 0  # of `replaced`: the copy was changed by somebody else
    lost: int = 0  # of `new`: the copy had them, and lost them
    bytes: int = 0  # to be copied
    beyond: int = 0  # of `removed` and `replaced`: more than was approved, where that holds the run

    @property
    def changes(self) -> int:
        """All that would change at the destination."""
        return self.new + self.replaced + self.removed

    def to_json(self) -> dict[str, int]:
        """As plain values, for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, int] | None) -> "Findings | None":
        """The reverse; None where nothing was found out."""
        return cls(**known_fields(cls, value)) if value else None
