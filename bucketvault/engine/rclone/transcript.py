"""rclone's output, line by line: JSON lines become counts, progress and errors; the rest is kept.

Only JSON fields count, never text around them: an object named like a log line changes nothing.
What is kept of its words is clean: providers and names of objects speak in them.
"""

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from bucketvault.engine.rclone.log_lines import OBJECT_TYPE, Progress, line_kind, progress_of
from bucketvault.engine.rclone.tally import PASSED_OVER, Tally
from bucketvault.sanitize import clean
from bucketvault.vocabulary import LineKind

ERRORS_KEPT = 20  # the first and the last so many
PLAIN_KEPT = 25
PASSED_OVER_KEPT = 10_000
MESSAGE_LIMIT = 4000  # characters of one error message; the log has the whole

# When one listing of the destination fails, rclone takes what it did not see for absent: it uploads
# every object below, over those that are there, without keeping them. (Seen with 1.75.2: one 403 on
# a listing, a good second try, exit code 0, and a former version gone.)
_DESTINATION_UNSEEN = re.compile(r"error reading destination (root )?directory")
_LOOKED = frozenset((LineKind.KEPT, LineKind.NEW))  # what a dry run says of an object it replaces


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One line rclone logged as an error; `object` is empty where it speaks of no single object."""

    object: str
    message: str
    level: str


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
            self.progress = progress_of(entry["stats"])
            _, checks, _, _, deletes, renames, _ = self.progress.movement
            # every move into the kept versions and every delete is counted as a check too
            self.checked = max(0, checks - renames - deletes)
            return kind
        replaced = self.tally.replaced
        self.tally.count(entry)
        if self.tally.replaced > replaced or (kind in _LOOKED and self._would(entry)):
            kind = LineKind.REPLACED
        if self._blind and entry.get("msg") == "Copied (new)":
            self.unsure += 1
        message = str(entry.get("msg", ""))
        if PASSED_OVER.match(message) and len(self.passed_over) < PASSED_OVER_KEPT:
            self.passed_over.add(f"{message[:MESSAGE_LIMIT]} {entry.get('object', '')}")
        if entry["level"] in ("error", "critical"):
            self._error(entry)
        elif entry["level"] == "notice":
            self.last_notice = clean(message, limit=MESSAGE_LIMIT)
        return kind

    def _would(self, entry: dict[str, object]) -> bool:
        """True if a dry run says that an object would be replaced: set aside, then copied."""
        name = str(entry.get("object", ""))
        if entry.get("skipped") == "move":
            self._would_replace.add(name)
        elif entry.get("skipped") == "copy" and name in self._would_replace:
            self._would_replace.discard(name)
            return True
        return False

    def _error(self, entry: dict[str, object]) -> None:
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
            level=str(entry["level"]),
        )
        if len(self._first_errors) < ERRORS_KEPT:
            self._first_errors.append(found)
        else:
            self._last_errors.append(found)
