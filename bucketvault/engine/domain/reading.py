"""How much of a copy was read byte by byte, when, and what that found. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bucketvault.engine.domain.stored import known_fields

RECENT_DAYS = 90
NAMES_TOLD = 20  # of what differed; the run's log has all


@dataclass(frozen=True, slots=True)
class Damage:
    """Objects that were found to differ, and that nothing has mended since; in numbers."""

    in_copy: int = 0  # the next run replaces them
    at_source: int = 0
    unclear: int = 0  # which end is right is not known
    names: tuple[str, ...] = ()  # the first few

    @property
    def objects(self) -> int:
        """All of them."""
        return self.in_copy + self.at_source + self.unclear


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what is at both ends was read; sizes in bytes at each end."""

    objects: int
    bytes: int
    recent_bytes: int  # read in the last `RECENT_DAYS`
    recent_objects: int
    unread_objects: int  # never read, or refused
    refused: int  # of them: one end did not give the object
    oldest: dt.date | None  # of those that were read: when the first one was; None: none was


def damage_of(reading: Mapping[str, Any]) -> Damage | None:  # Any: JSON
    """Return what a ledger's last line says of differences; None where there are none."""
    marks, names = reading.get("marks", {}), reading.get("names", {})
    kinds = ("damaged", "source_damaged", "differs")  # as in listing/ledger.py
    in_copy, at_source, unclear = (int(marks.get(kind, 0)) for kind in kinds)
    first = tuple(str(name) for kind in kinds for name in names.get(kind, ()))
    found = Damage(in_copy, at_source, unclear, first)
    return found if found.objects else None


def coverage_of(reading: Mapping[str, Any], today: dt.date) -> Coverage | None:  # Any: JSON
    """Return what a ledger's last line says of reading; None before there is one."""
    if not reading:
        return None
    recent = (today - dt.timedelta(days=RECENT_DAYS)).isoformat()
    days: Mapping[str, list[int]] = reading["days"]
    refused_objects, refused_bytes = reading["refused"]
    read = [day for day in days if day]
    since = [days[day] for day in read if day >= recent]
    never = days.get("", [0, 0])[0]
    return Coverage(
        objects=sum(each[0] for each in days.values()) + refused_objects,
        bytes=sum(each[1] for each in days.values()) + refused_bytes,
        recent_bytes=sum(each[1] for each in since),
        recent_objects=sum(each[0] for each in since),
        unread_objects=never + refused_objects,
        refused=refused_objects,
        oldest=dt.date.fromisoformat(min(read)) if read else None,
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """Findings of a run that reads; kept as JSON in the run's `findings`."""

    objects: int = 0  # read at both ends
    bytes: int = 0  # at each end
    equal: int = 0
    changed: int = 0  # since they were proven: not compared
    refused: int = 0
    damaged: int = 0
    source_damaged: int = 0
    differs: int = 0
    headers: int = 0  # of the equal ones: headers or metadata are others in the copy
    new: int = 0  # of the last three: not known before
    is_whole: bool = True  # it came to its end
    since: str = ""  # the day it began, of one that reads all; or that of the one that it continues
    # the first of them as they were read: key, mark, source, copy; each end: size, sha256, modified
    found: tuple[Mapping[str, Any], ...] = ()  # Any: JSON

    @property
    def wrong(self) -> int:
        """How many objects differ."""
        return self.damaged + self.source_damaged + self.differs

    def to_json(self) -> dict[str, object]:
        """Return plain values for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Verified | None":  # Any: JSON
        """Return what a run's row has; None where it has nothing."""
        if not value:
            return None
        return cls(**known_fields(cls, value) | {"found": tuple(value.get("found", ()))})
