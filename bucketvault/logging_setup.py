"""The program's own log: one line a fact, values behind it, no secrets, no times under systemd.

Nobody outside can fill it or forge its lines: of one kind there are so many a minute, each so long,
and what begins at the edge is a line of ours.
"""

import logging
import os
import sys
import threading
import time
from typing import TextIO

from bucketvault.sanitize import Redactor, clean

MINUTE_S = 60.0
MOST_OF_OURS, MOST_OF_OTHERS = 100, 20  # warnings and errors of one kind a minute
LONGEST_MESSAGE, LONGEST_TRACE = 4000, 16_000  # characters
MOST_SECRETS = 500  # as of 250 providers; so many slow no line by more than a few milliseconds

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _Mask:
    """The secrets this process has lately had in clear, so that no line of its log holds one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, None] = {}  # the one used last at the end
        self._redactor: Redactor | None = None  # made when a line needs it: that takes a while

    def learn(self, *secrets: str) -> None:
        """Mask these from now on; may be called from any thread.

        Of more than MOST_SECRETS, those used longest ago are forgotten.
        """
        with self._lock:
            for secret in secrets:
                if secret in self._secrets:
                    del self._secrets[secret]
                else:
                    self._redactor = None
                self._secrets[secret] = None
            while len(self._secrets) > MOST_SECRETS:
                del self._secrets[next(iter(self._secrets))]

    def text(self, text: str) -> str:
        """`text` without the known secrets. Call it before text is cut: half a secret stays."""
        with self._lock:
            if self._redactor is None:
                self._redactor = Redactor(self._secrets)
            redactor = self._redactor
        return redactor.text(text)


mask = _Mask()


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = mask.text(super().format(record))
        values = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        said = " ".join(f"{key}={clean(mask.text(str(value)))}" for key, value in values.items())
        first, *trace = line.splitlines()  # a traceback follows below its line
        return "\n".join((f"{first} {said}".rstrip(), *_bounded(trace)))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of logging
        """Return the line itself; other packages' messages may hold anything."""
        record.message = clean(mask.text(record.message.strip()), limit=LONGEST_MESSAGE)
        return super().formatMessage(record)


def _bounded(trace: list[str]) -> list[str]:
    """Return a traceback whose lines are seen to be no lines of the log."""
    whole = [f"  {clean(line)}" for line in trace]
    if sum(map(len, whole)) <= LONGEST_TRACE:
        return whole
    ends = "\n".join(whole)
    half = LONGEST_TRACE // 2
    return [ends[:half], "  [the middle is left out]", *(f"  {ends[-half:]}".splitlines())]


class _Limit:
    """Counts warnings and errors by their kind; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = 0.0  # on the monotonic clock; for all kinds at once
        self._seen: dict[tuple[str, str], int] = {}

    def take(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """Return what to write: nothing, `record` or it in short, and of the minute before it."""
        if record.levelno < logging.WARNING:
            return [record]
        ours = record.name.startswith("bucketvault")
        # ours are constants; those of others may have an attacker's words in them
        kind = record.name, str(record.msg) if ours else ""
        with self._lock:
            told, now = [], time.monotonic()
            if now - self._since > MINUTE_S:
                told = [_left_out(*each) for each in self._seen.items() if each[1] > _most(each[0])]
                self._since, self._seen = now, {}
            count = self._seen[kind] = self._seen.get(kind, 0) + 1
        if count <= _most(kind):
            told.append(record if ours or count == 1 else _in_short(record))
        return told


def _in_short(record: logging.LogRecord) -> logging.LogRecord:
    """Return a line without its traceback: the first of its kind has one."""
    if not record.exc_info:
        return record
    short = logging.makeLogRecord(record.__dict__)
    short.exc_info = short.exc_text = None
    short.msg, short.args = f"{record.getMessage().strip()}: {record.exc_info[1]!r}", ()
    return short


def _most(kind: tuple[str, str]) -> int:
    return MOST_OF_OURS if kind[1] else MOST_OF_OTHERS


def _left_out(kind: tuple[str, str], seen: int) -> logging.LogRecord:
    values = {"lines": seen - _most(kind), "of": kind[1] or kind[0]}
    record = logging.LogRecord(
        __name__, logging.WARNING, "", 0, "more such lines were suppressed", (), None
    )
    record.__dict__.update(values)
    return record


class _Handler(logging.StreamHandler[TextIO]):
    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._limit = _Limit()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless there are too many of its kind."""
        for each in self._limit.take(record):
            super().emit(each)


def set_up(level: str) -> None:
    """Log to stderr from `level` on; under systemd the journal has the time already."""
    handler = _Handler(sys.stderr)
    under_systemd = "JOURNAL_STREAM" in os.environ
    when = "" if under_systemd else "%(asctime)s "
    handler.setFormatter(_Line(f"{when}%(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("engineio.server", "socketio.server"):
        logging.getLogger(name).setLevel(logging.WARNING)  # else they bring handlers of their own
    logging.getLogger("bucketvault").setLevel(level.upper())
