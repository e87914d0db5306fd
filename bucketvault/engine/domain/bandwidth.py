"""The limit on bandwidth: a run's share of it, and the times of day at which it holds. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.stored import known_fields
from bucketvault.engine.domain.times import next_due, zone_of
from bucketvault.vocabulary import Schedule, Weekday

MB = 10**6


class _Daily(NamedTuple):
    """A time of every day, as `times` takes it."""

    at: str
    time_zone: str
    schedule: Schedule = Schedule.DAILY
    weekday: Weekday | None = None


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """The share of one run, in each direction; it stays as it was when the run started."""

    bytes_s: int = 0  # 0: no limit
    start: str = ""  # HH:MM in `zone`; with the end of the same kind, or both empty: always
    end: str = ""
    zone: str = "UTC"  # IANA name; the server's

    def at(self, now: dt.datetime) -> int:
        """Return how many bytes a second may pass at `now`; 0: as many as there are."""
        if not self.start:
            return self.bytes_s
        clock = f"{now.astimezone(zone_of(self.zone, ZoneInfo('UTC'))):%H:%M}"
        after, before = self.start <= clock, clock < self.end
        holds = (after and before) if self.start < self.end else (after or before)
        return self.bytes_s if holds else 0

    def changes_at(self, now: dt.datetime) -> dt.datetime | None:
        """Return when the limit ends that holds at `now`, or else begins, in UTC; None: never.

        Raises TimingError where this machine does not know the zone.
        """
        if not (self.bytes_s and self.start):
            return None
        return next_due(_Daily(self.end if self.at(now) else self.start, self.zone), now)

    @property
    def rate(self) -> str:
        """`6.67 MB/s`, as it is set: 20 and not 20.0."""
        return f"{float(f'{self.bytes_s / MB:.3g}'):g} MB/s"

    def describe(self) -> str:
        """`10 MB/s between 08:00 and 22:00 (Europe/Berlin)`; empty without a limit."""
        if not self.bytes_s:
            return ""
        between = f" between {self.start} and {self.end} ({self.zone})" if self.start else ""
        return f"{self.rate}{between}"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Bandwidth":  # Any: JSON
        """Return what `asdict` made plain values of; what is not known is left out."""
        return cls(**known_fields(cls, value))


def share(mb_s: float | None, start: str, end: str, runs: int, zone: str) -> Bandwidth:
    """Return what one of `runs` at the same time gets of a limit in MB/s; None: no limit."""
    return Bandwidth(int(mb_s * MB / runs), start, end, zone) if mb_s else Bandwidth()
