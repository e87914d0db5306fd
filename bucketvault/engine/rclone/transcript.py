"""A run's log, line by line: JSON lines become counts, progress and errors; the rest is kept.

Only JSON fields count, never text around them: an object named like a log line changes nothing.
What is kept of its words is clean: providers and names of objects speak in them.
"""

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from bucketvault.engine.rclone.log_lines import (
    BY_THE_CLOCK,
    Progress,
    Step,
    line_kind,
    progress_of,
    whole_number,
)
from bucketvault.engine.rclone.pace import Pace, log_seconds
from bucketvault.engine.rclone.tally import Tally
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Json, LineKind

ERRORS_KEPT = 20  # the first and the last so many
PLAIN_KEPT = 25
MESSAGE_LIMIT = 4000  # characters of one error message; the log has the whole

# rclone says this of each odd name, before it knows that its log is to be JSON.
_OF_A_FILTER = re.compile(rb"\S+ \S+ INFO  : Can't figure out directory filters from ")


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One line rclone logged as an error; `object` is empty where it speaks of no single object."""

    object: str
    message: str
    level: str


class Transcript:
    """Reads a log in order. One thread uses it."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._pace = Pace()
        self.progress: Progress | None = None
        self._begun = Progress()  # of the step under way, before rclone's first stats line
        self._pass = 0
        self._first_errors: list[ErrorLine] = []
        self._last_errors: deque[ErrorLine] = deque(maxlen=ERRORS_KEPT)
        self._plain: deque[str] = deque(maxlen=PLAIN_KEPT)
        self.last_notice = ""

    @property
    def errors(self) -> tuple[ErrorLine, ...]:
        """Names that have failed, then the first and the last error lines of the last pass.

        Each once. What a later pass mended explains nothing.
        """
        failed = islice(self.tally.failed.items(), ERRORS_KEPT)
        lines = (ErrorLine(clean(name), said, "error") for name, said in failed)
        return tuple(dict.fromkeys([*lines, *self._first_errors, *self._last_errors]))

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
            if _OF_A_FILTER.match(line):
                return LineKind.INFO
            if text := line.decode(errors="replace").strip():
                self._plain.append(clean(text, limit=MESSAGE_LIMIT))
            return LineKind.PLAIN
        kind = line_kind(entry)
        if kind is LineKind.STEP:
            self._begin(entry)
        elif kind is LineKind.PROGRESS:
            told = self._of_step(progress_of(entry["stats"]))
            if (at := log_seconds(entry.get("time"))) is not None:
                self._pace.add(f"{self._pass} {told.step}", at, told.bytes_done)
            pace = self._pace
            self.progress = replace(told, speeds=pace.speeds, speeds_until=pace.until)
        elif "bucketvault" not in entry:
            self.tally.count(entry)
            return self._of_rclone(entry, kind)
        return kind

    def _of_rclone(self, entry: Json, kind: LineKind) -> LineKind:
        step = self._begun.step
        if step == Step.TIDY:  # has its own ways to tell what went wrong
            return LineKind.PURGED if kind is LineKind.KEPT else kind
        said = str(entry.get("msg", ""))
        if entry["level"] in ("error", "critical"):
            self._error(entry)
        elif entry["level"] == "notice" and not said.startswith(BY_THE_CLOCK):
            self.last_notice = clean(said, limit=MESSAGE_LIMIT)
        return LineKind.KEPT if step == Step.KEEP and kind is LineKind.ASIDE else kind

    def _begin(self, entry: Json) -> None:
        before = self._begun.movement
        self._begun = Progress(
            step=str(entry.get("step", "")),
            step_total=whole_number(entry.get("objects")),
            bytes_total=whole_number(entry.get("bytes")),
            movement=(before[0] + 1 if before else 1,),  # rclone's numbers begin anew
        )
        self.progress = self._begun
        self.tally.begin(self._begun.step, entry)
        if (number := whole_number(entry.get("pass"))) > self._pass:
            self._pass, self.last_notice = number, ""
            self._first_errors.clear()
            self._last_errors.clear()

    def _of_step(self, told: Progress) -> Progress:
        """Return what rclone told, as a part of the step under way."""
        begun = self._begun
        if not begun.step:
            return told
        total = max(begun.bytes_total, told.bytes_total)  # rclone only knows what it has come to
        speed = told.speed_bytes_s if begun.step == Step.COPY else 0.0
        return replace(
            told,
            step=begun.step,
            step_done=self.tally.step_done,
            step_total=begun.step_total,
            bytes_total=total,
            objects_total=max(begun.step_total, told.objects_total),
            speed_bytes_s=speed,
            eta_s=int((total - told.bytes_done) / speed) if speed > 0 else None,
            movement=(*begun.movement, *told.movement),
        )

    def _error(self, entry: Json) -> None:
        found = ErrorLine(
            object=clean(str(entry.get("object", ""))),
            message=clean(str(entry.get("msg", "")), limit=MESSAGE_LIMIT),
            level=str(entry["level"]),
        )
        if len(self._first_errors) < ERRORS_KEPT:
            self._first_errors.append(found)
        else:
            self._last_errors.append(found)
