"""Requests to both ends of a backup, by the classes that services charge for. Pure."""

from dataclasses import dataclass, field, fields
from typing import Any

from bucketvault.vocabulary import Json, Side


@dataclass(slots=True)
class EndUse:
    """Requests to one end, and the bytes that it sent.

    Services price these classes apart: what lists (objects, unfinished uploads), what writes
    (PUT, COPY, every request of an upload in parts), what reads (GET, HEAD), what deletes.
    """

    lists: int = 0
    writes: int = 0
    reads: int = 0
    deletes: int = 0
    bytes_out: int = 0

    @property
    def requests(self) -> int:
        """All of them, whatever they cost."""
        return self.lists + self.writes + self.reads + self.deletes

    def add(self, other: "EndUse", times: int = 1) -> None:
        """Count another one in, or so many like it."""
        for each in fields(self):
            own, further = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, own + times * further)


@dataclass(slots=True)
class Use:
    """The same of both ends."""

    source: EndUse = field(default_factory=EndUse)
    destination: EndUse = field(default_factory=EndUse)

    def of(self, side: Side) -> EndUse:
        """Return the part of one end."""
        return self.source if side is Side.SOURCE else self.destination

    def add(self, other: "Use", times: int = 1) -> None:
        """Count another one in, or so many like it."""
        for side in Side:
            self.of(side).add(other.of(side), times)

    def to_json(self) -> Json:
        """As plain values by end and class, without zeros; empty where there was nothing."""
        told: Json = {}
        for side in Side:
            mine = self.of(side)
            if some := {f.name: n for f in fields(mine) if (n := getattr(mine, f.name))}:
                told[side.value] = some
        return told

    @classmethod
    def from_json(cls, told: Any) -> "Use":  # Any: JSON, perhaps of a log
        """The reverse; what is no count is passed over."""
        use = cls()
        for side in Side:
            counts = told.get(side.value) if isinstance(told, dict) else None
            for name, number in counts.items() if isinstance(counts, dict) else ():
                if name in _CLASSES and type(number) is int and 0 <= number < _LARGEST:
                    setattr(use.of(side), name, number)
        return use


_CLASSES = frozenset(each.name for each in fields(EndUse))
_LARGEST = 2**62
