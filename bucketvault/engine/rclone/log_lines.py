"""A line of a run's JSON log: its kind, and progress. Seen with rclone 1.75.2.

Between rclone's lines are our own, with a field `bucketvault`: `step` where a step begins, `plan`
and `proof` for objects that a look named. A quote inside a JSON string is escaped and only parsed
fields count: an object named like a log line is never taken for one.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bucketvault.engine.domain.stored import known_fields
from bucketvault.vocabulary import LineKind

LARGEST = 2**63 - 1  # that the database takes
OBJECT_TYPE = "*s3.Object"


class Step(StrEnum):
    """The steps of a run that its log announces, by the field `step` of our lines."""

    LOOK = "look"
    KEEP = "keep"
    KEPT = "kept"
    COPY = "copy"
    REMOVE = "remove"
    PROVE = "prove"
    READ = "read"
    TIDY = "tidy"


ATTEMPT = re.compile(
    r"Attempt (\d+)/(\d+) (succeeded|failed with (\d+) errors(?: and: (.*))?)$", re.DOTALL
)
BY_THE_CLOCK = "Scheduled bandwidth change"  # a notice, once the hour of a limit has come
_MESSAGES = {
    "Moved into backup dir": LineKind.REMOVED,
    "Deleted": LineKind.KEPT,
    "There was nothing to transfer": LineKind.INFO,
    "not deleting files as there were IO errors": LineKind.WARNING,
    "not deleting directories as there were IO errors": LineKind.WARNING,
}


def line_kind(entry: Mapping[str, object]) -> LineKind:
    """Return the meaning of one parsed line, taken alone.

    Two things only the lines before it know: whether a copy inside the destination completes a kept
    version, and whether "Deleted" let an old one go.
    """
    if "bucketvault" in entry:
        return _own_kind(str(entry["bucketvault"]), str(entry.get("what")))
    if isinstance(entry.get("stats"), dict):
        return LineKind.PROGRESS
    level = entry.get("level")
    message = str(entry.get("msg", "")).strip()
    if message in _MESSAGES:
        return _MESSAGES[message]
    if level == "info" and entry.get("objectType") == OBJECT_TYPE and "Copied (" in message:
        if "(server-side copy)" in message:  # inside the destination: into the kept versions
            return LineKind.ASIDE
        return LineKind.NEW if "new)" in message else LineKind.REPLACED
    if attempt := ATTEMPT.match(message):  # logged as an error, also where it succeeded
        number, total, end, *_ = attempt.groups()
        if end == "succeeded":
            return LineKind.INFO
        return LineKind.WARNING if int(number) < int(total) else LineKind.ERROR
    if message.startswith(BY_THE_CLOCK):
        return LineKind.INFO
    if level in ("error", "critical") or (level == "notice" and message.startswith("Failed to ")):
        return LineKind.ERROR
    return LineKind.WARNING if level in ("notice", "warning") else LineKind.INFO


def _own_kind(about: str, what: str) -> LineKind:
    """Return the meaning of a line that this program wrote: a step, a plan's or a proof's."""
    if about == "step":
        return LineKind.STEP
    return _OWN.get((about, what), LineKind.ERROR if about == "proof" else LineKind.INFO)


_OWN = {
    ("plan", "new"): LineKind.NEW,
    ("plan", "lost"): LineKind.NEW,
    ("plan", "changed"): LineKind.REPLACED,
    ("plan", "altered"): LineKind.REPLACED,
    ("plan", "gone"): LineKind.REMOVED,
    ("plan", "cannot"): LineKind.WARNING,
    ("proof", "cannot"): LineKind.WARNING,
    ("proof", "since"): LineKind.INFO,
    ("proof", "headers"): LineKind.WARNING,
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object on its way now; sizes in bytes."""

    name: str
    size: int
    bytes_done: int
    inside: bool = False  # the destination copies it by itself: no byte of it is ever counted


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: its step, and rclone's latest stats line. For show only, never a result."""

    bytes_done: int = 0
    bytes_total: int = 0
    objects_done: int = 0
    objects_total: int = 0
    checks_done: int = 0
    checks_total: int = 0
    listed: int = 0
    errors: int = 0
    speed_bytes_s: float = 0.0
    eta_s: int | None = None  # None: rclone does not know
    elapsed_s: float = 0.0
    movement: tuple[int, ...] = ()  # changes whenever anything moved; see the stall watch
    transferring: tuple[Transfer, ...] = ()
    step: str = ""  # one of `Step`; empty: not told
    seen_source: int = 0  # objects, by a look at both ends
    seen_copy: int = 0
    step_done: int = 0  # objects of the step
    step_total: int = 0  # by the plan
    speeds: tuple[int | None, ...] = ()  # of late: bytes a second (engine/rclone/pace.py)
    speeds_until: int = 0  # the end of the last of them, in seconds since 1970

    @property
    def is_transferring(self) -> bool:
        """True while bytes move from the source to the destination."""
        return self.step in ("", "copy") and bool(self.bytes_total and self.speed_bytes_s)

    @property
    def percent(self) -> float | None:
        """How much of its step is done, 0 to 100; None while that is not known.

        Objects that are kept or removed are counted, as no bytes move.
        """
        done, total = self.step_done, self.step_total
        if self.step in ("", "copy", "read"):
            done, total = self.bytes_done, self.bytes_total
        return min(100.0, 100.0 * done / total) if total else None

    def to_json(self) -> dict[str, object]:
        """The same as plain values, for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Progress":  # Any: JSON
        """The reverse of `to_json`; fields that are missing or unknown are passed over."""
        kept = known_fields(cls, value)
        kept["movement"] = tuple(kept.get("movement", ()))
        kept["speeds"] = tuple(kept.get("speeds", ()))
        kept["transferring"] = tuple(
            Transfer(**known_fields(Transfer, t)) for t in kept.get("transferring", ())
        )
        return cls(**kept)


# While none of these changes, nothing moves: a long flat listing moves only `listed`.
MOVEMENT = (
    "listed",
    "checks",
    "transfers",
    "bytes",
    "deletes",
    "renames",
    "serverSideCopies",
)


def progress_of(stats: Mapping[str, object]) -> Progress:
    """Return what one stats line of rclone says, taken alone."""

    def whole(name: str) -> int:
        return whole_number(stats.get(name))

    side_copies, side_bytes = whole("serverSideCopies"), whole("serverSideCopyBytes")
    eta = _number(stats.get("eta"))
    return Progress(
        # copies into the archive stay at the destination: they are not "on the way"
        bytes_done=max(0, whole("bytes") - side_bytes),
        bytes_total=max(0, whole("totalBytes") - side_bytes),
        objects_done=max(0, whole("transfers") - side_copies),
        objects_total=max(0, whole("totalTransfers") - side_copies),
        checks_done=whole("checks"),
        checks_total=whole("totalChecks"),
        listed=whole("listed"),
        errors=whole("errors"),
        speed_bytes_s=_number(stats.get("speed")) or 0.0,
        eta_s=None if eta is None else int(eta),
        elapsed_s=_number(stats.get("elapsedTime")) or 0.0,
        movement=tuple(whole(name) for name in MOVEMENT),
        transferring=_transferring(stats.get("transferring")),
    )


def whole_number(value: object) -> int:
    """Return a count or a size that can be stored; 0 for anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value <= LARGEST else 0


def _number(value: object) -> float | None:
    """A number within reason; None for anything else. JSON as Python reads it has Infinity."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= LARGEST else None


def _transferring(value: object) -> tuple[Transfer, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        Transfer(
            name=entry["name"][:1024],
            size=whole_number(entry.get("size")),
            bytes_done=whole_number(entry.get("bytes")),
            inside=str(entry.get("srcFs", "")).startswith("dest:"),
        )
        for entry in value[:64]
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    )
