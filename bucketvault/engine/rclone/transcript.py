"""rclone's output, line by line: JSON lines become counts, progress and errors; the rest is kept.

Only JSON fields count, never text around them: an object named like a log line changes nothing.
Counts pair rclone's lines per object, because its stats sums are wrong after a retry even in a
green run; the stats serve progress only. What is kept of its words is clean: providers and names
of objects speak in them. Seen with rclone 1.75.2.

Decisions: docs/decisions/counts.md.
"""

import json
import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bucketvault.engine.rclone.log_lines import OBJECT_TYPE, line_kind
from bucketvault.sanitize import clean
from bucketvault.vocabulary import LineKind

ERRORS_KEPT = 20  # the first and the last so many
PLAIN_KEPT = 25
PASSED_OVER_KEPT = 10_000
ASIDE_KNOWN = 1_000_000  # objects that one run set aside
MESSAGE_LIMIT = 4000  # characters of one error message; the log has the whole
LARGEST = 2**63 - 1  # that the database takes

# When one listing of the destination fails, rclone takes what it did not see for absent: it uploads
# every object below, over those that are there, without keeping them. (Seen with 1.75.2: one 403 on
# a listing, a good second try, exit code 0, and a former version gone.)
_DESTINATION_UNSEEN = re.compile(r"error reading destination (root )?directory")
# What a listing names and rclone then acts as if it were not there, and exits 0. Seen with 1.75.2:
# below a path in a bucket, everything with `//` in its name (fs/list/list.go, backend/s3/s3.go).
_PASSED_OVER = re.compile(r"Entry doesn't belong in directory|Odd (directory )?name received")
_UNREAD = re.compile(r"Failed to copy: failed to open source object: ")
_LOOKED = frozenset((LineKind.KEPT, LineKind.NEW))  # what a dry run says of an object it replaces


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object on its way now; sizes in bytes."""

    name: str
    size: int
    bytes_done: int
    inside: bool = False  # the destination copies it by itself: no byte of it is ever counted


@dataclass(frozen=True, slots=True)
class Progress:
    """How far rclone is, from its latest stats line. For show only: never a run's result."""

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

    @property
    def percent(self) -> float | None:
        """How much of the bytes known so far has passed, 0 to 100; None while nothing is known."""
        if not self.bytes_total:
            return None
        return min(100.0, 100.0 * self.bytes_done / self.bytes_total)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values, for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Progress":
        """The reverse of `to_json`; fields that are missing or unknown are passed over."""
        known = {f.name for f in fields(cls)}
        kept = {key: value[key] for key in value if key in known}
        kept["movement"] = tuple(kept.get("movement", ()))
        kept["transferring"] = tuple(Transfer(**t) for t in kept.get("transferring", ()))
        return cls(**kept)


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One line rclone logged as an error; `object` is empty where it speaks of no single object."""

    object: str
    message: str
    level: str


class SetAside:
    """Which names earlier tries of a run had set aside, in eight bytes each: a million at most.

    That any two of a million look alike is less likely than one in thirty million.
    """

    def __init__(self) -> None:
        self._all = array("q")
        self._earlier = array("q")  # sorted
        self._again: set[int] = set()
        self._is_later = self._is_new_try = False

    def add(self, name: str) -> None:
        """A try has set `name` aside, the first one that did."""
        if len(self._all) < ASIDE_KNOWN:
            self._all.append(hash(name))

    def later(self) -> None:
        """A further try begins."""
        self._is_later = self._is_new_try = True

    def is_again(self, name: str) -> bool:
        """True if an earlier try had set `name` aside."""
        if self._is_new_try:  # now, and not for every run: most need no second one, or only look
            self._earlier, self._is_new_try = array("q", sorted(self._all)), False
        place = bisect_left(self._earlier, hash(name))
        return place < len(self._earlier) and self._earlier[place] == hash(name)

    def note(self, name: str) -> bool:
        """Note one that is set aside again; whether it is the first time."""
        known = len(self._again)
        self._again.add(hash(name))
        return len(self._again) > known

    @property
    def are_too_many(self) -> bool:
        """True if an earlier try may have set aside some that are not known here."""
        return self._is_later and len(self._all) == ASIDE_KNOWN


@dataclass(slots=True)
class Tally:
    """Counts of what a run did, from pairing rclone's lines per object.

    rclone archives an object by copying it aside and deleting it ("Deleted"), then uploads the new
    one ("Copied") or, where the source lost it, says "Moved into backup dir". An object that waits
    for that second line when the run ends is a hole: it is only among the kept versions.

    Every try of a run keeps versions in the same folder: what a later one sets aside overwrites
    what an earlier one had, when the source changed an object once more in between.
    """

    copied: int = 0
    replaced: int = 0
    archived: int = 0
    deleted: int = 0
    touched: int = 0
    bytes: int = 0
    unkept: int = 0  # replaced or removed, and what was there before is not kept: a warning
    unsure: int = 0  # set aside by a later try, when too many were before to know them all
    waiting: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)  # of these: nothing of them came from the source
    on_the_way: set[str] = field(default_factory=set)  # the others that were to be copied
    sought: frozenset[str] = frozenset()  # names to look out for
    back: set[str] = field(default_factory=set)  # of these: copied, and not removed again
    aside: SetAside = field(default_factory=SetAside)

    def count(self, entry: dict[str, Any]) -> None:
        """Take one parsed line into account; lines about anything but an object change nothing."""
        if entry.get("objectType") != OBJECT_TYPE:
            return
        key, message = entry.get("object"), entry.get("msg")
        if not isinstance(key, str) or not isinstance(message, str):
            return
        if message == "Deleted":
            self._set_aside(key)
        elif message == "Moved into backup dir":
            self.deleted += 1
            self.waiting.discard(key)
            self.back.discard(key)
            self._mended(key)
        elif message == "Copied (server-side copy)":
            self._goes_aside(key)  # destination to archive; its "Deleted" completes it
        elif "Copied (" in message and entry.get("level") == "info":
            self._copied(key, message, entry.get("size"))
        elif message == "Updated modification time in destination":
            self.touched += 1
            self._mended(key)
        elif entry.get("level") == "error" and not _PASSED_OVER.match(message):
            self._mended(key)
            self.failed.add(key)
            if message.startswith("Failed to copy: "):
                (self.unread if _UNREAD.match(message) else self.on_the_way).add(key)

    def next_try(self) -> None:
        """Note that rclone tries again: it lists again, and keeps versions where it did before."""
        self.aside.later()

    def _goes_aside(self, key: str) -> None:
        """Count once what was there before the run, if it is overwritten among the kept versions.

        Now, not when the move is complete: it may be refused half way.
        """
        if self.aside.is_again(key):
            self.unkept += self.aside.note(key)
        elif self.aside.are_too_many:
            self.unsure += 1

    def _set_aside(self, key: str) -> None:
        if not self.aside.is_again(key):
            self.archived += 1
            self.aside.add(key)
        elif key not in self.waiting:  # it was replaced by an earlier try, and is now once more
            self.replaced = max(0, self.replaced - 1)
        self.waiting.add(key)

    def end_well(self) -> None:
        """Settle what became of objects without a last word: rclone ended with 0.

        Its last try found nothing left to do. So an object whose copying had failed has arrived
        after all, and only the look at it was refused; or the source has lost it meanwhile, as
        nothing of it was read.
        """
        self.deleted += len(self.waiting & self.unread)
        self.replaced += len(self.waiting - self.unread)
        self.copied += len(self.on_the_way - self.waiting)
        self.back |= self.sought & (self.on_the_way - self.waiting)
        self.back -= self.waiting & self.unread
        self.failed -= self.unread
        for each in (self.waiting, self.unread, self.on_the_way):
            each.clear()

    def _mended(self, key: str) -> None:
        for each in (self.failed, self.unread, self.on_the_way):
            each.discard(key)

    def _copied(self, key: str, message: str, size: Any) -> None:
        self.bytes = min(LARGEST, self.bytes + _whole(size))
        self._mended(key)
        if key in self.waiting:  # rclone says "(new)" for replaced objects too
            self.waiting.discard(key)
            self.replaced += 1
        elif "(new)" in message:
            self.copied += 1
            if key in self.sought:
                self.back.add(key)
        else:
            self.replaced += 1
            self.unkept += 1

    @property
    def holes(self) -> int:
        """Objects archived whose new version did not arrive."""
        return len(self.waiting)

    @property
    def errors(self) -> int:
        """Objects whose last word was an error."""
        return len(self.failed)


class Transcript:
    """Reads rclone's output in order. One thread uses it."""

    def __init__(self, sought: frozenset[str] = frozenset()) -> None:
        self.tally = Tally(sought=sought)
        self.progress: Progress | None = None
        self.checked = 0
        self._first_errors: list[ErrorLine] = []
        self._last_errors: deque[ErrorLine] = deque(maxlen=ERRORS_KEPT)
        self._plain: deque[str] = deque(maxlen=PLAIN_KEPT)
        self.last_notice = ""
        self.unseen = 0  # times that the destination could not be listed
        self.retried = False  # rclone tried again: from then on its sums count things twice
        self.unsure = 0  # objects uploaded then: perhaps over one that was not kept
        self.passed_over: set[str] = set()  # messages about names in listings that rclone left out
        self._blind = False
        self._would_replace: set[str] = set()  # a dry run would set these aside, then copy them

    @property
    def errors(self) -> tuple[ErrorLine, ...]:
        """The first and the last error lines, in order, each once."""
        return tuple(dict.fromkeys([*self._first_errors, *self._last_errors]))

    @property
    def plain(self) -> tuple[str, ...]:
        """The last lines that were not JSON: usage errors, a panic."""
        return tuple(self._plain)

    def feed(self, lines: Iterable[bytes]) -> list[LineKind]:
        """Take in complete lines, with or without their newline; what each of them tells."""
        return [self._line(line) for line in lines]

    def _line(self, line: bytes) -> LineKind:
        try:
            entry = json.loads(line)
            if b"\\ud" in line or b"\\uD" in line:  # half a sign, which no database takes
                entry = json.loads(json.dumps(entry, ensure_ascii=False).encode(errors="replace"))
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("level"), str):
            if text := line.decode(errors="replace").strip():
                self._plain.append(clean(text, limit=MESSAGE_LIMIT))
            return LineKind.PLAIN
        kind = line_kind(entry)
        if kind is LineKind.PROGRESS:
            self._stats(entry["stats"])
            return kind
        replaced = self.tally.replaced
        self.tally.count(entry)
        if self.tally.replaced > replaced or (kind in _LOOKED and self._would(entry)):
            kind = LineKind.REPLACED
        if self._blind and entry.get("msg") == "Copied (new)":
            self.unsure += 1
        message = str(entry.get("msg", ""))
        if _PASSED_OVER.match(message) and len(self.passed_over) < PASSED_OVER_KEPT:
            self.passed_over.add(f"{message[:MESSAGE_LIMIT]} {entry.get('object', '')}")
        if entry["level"] in ("error", "critical"):
            self._error(entry)
        elif entry["level"] == "notice":
            self.last_notice = clean(message, limit=MESSAGE_LIMIT)
        return kind

    def _would(self, entry: dict[str, Any]) -> bool:
        """True if a dry run says that an object would be replaced: set aside, then copied."""
        name = str(entry.get("object", ""))
        if entry.get("skipped") == "move":
            self._would_replace.add(name)
        elif entry.get("skipped") == "copy" and name in self._would_replace:
            self._would_replace.discard(name)
            return True
        return False

    def _error(self, entry: dict[str, Any]) -> None:
        message = str(entry.get("msg", ""))
        if _DESTINATION_UNSEEN.match(message) and entry.get("objectType") != OBJECT_TYPE:
            self.unseen += 1
            self._blind = True
        elif message.startswith("Attempt "):
            self.retried = True
            self._blind = False  # the next try lists again
            self.tally.next_try()
        found = ErrorLine(
            object=clean(str(entry.get("object", ""))),
            message=clean(message, limit=MESSAGE_LIMIT),
            level=entry["level"],
        )
        if len(self._first_errors) < ERRORS_KEPT:
            self._first_errors.append(found)
        else:
            self._last_errors.append(found)

    def _stats(self, stats: dict[str, Any]) -> None:
        def whole(name: str) -> int:
            return _whole(stats.get(name))

        side_copies, side_bytes = whole("serverSideCopies"), whole("serverSideCopyBytes")
        eta = _number(stats.get("eta"))
        # every move into the archive and every delete is counted as a check too
        self.checked = max(0, whole("checks") - whole("renames") - whole("deletes"))
        self.progress = Progress(
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


def _whole(value: Any) -> int:
    """A count or a size that can be stored; 0 for anything else."""
    is_one = isinstance(value, int) and not isinstance(value, bool)
    return value if is_one and 0 <= value <= LARGEST else 0


def _number(value: Any) -> float | None:
    """A number within reason; None for anything else. JSON as Python reads it has Infinity."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_one and abs(value) <= LARGEST else None


def _transferring(value: Any) -> tuple[Transfer, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        Transfer(
            name=entry["name"][:1024],
            size=_whole(entry.get("size")),
            bytes_done=_whole(entry.get("bytes")),
            inside=str(entry.get("srcFs", "")).startswith("dest:"),
        )
        for entry in value[:64]
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    )
