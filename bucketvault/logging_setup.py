"""The program's own log: one line a fact, values behind it, no secrets, no times under systemd."""

import logging
import os
import sys
from typing import TextIO

from bucketvault.sanitize import Redactor, clean

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        values = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        said = " ".join(f"{key}={clean(str(value))}" for key, value in values.items())
        first, newline, rest = line.partition("\n")  # a traceback follows below its line
        return f"{first} {said}".rstrip() + newline + rest


class _Mask:
    """Every secret this process has had in clear, so that no line of its log can hold one."""

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._redactor = Redactor(())

    def learn(self, *secrets: str) -> None:
        """Mask these from now on; may be called from any thread."""
        if not self._secrets.issuperset(secrets):
            self._secrets |= set(secrets)
            self._redactor = Redactor(self._secrets)

    def text(self, text: str) -> str:
        """`text` without the secrets known so far."""
        return self._redactor.text(text)


mask = _Mask()


class _Handler(logging.StreamHandler[TextIO]):
    def format(self, record: logging.LogRecord) -> str:
        return mask.text(super().format(record))


def set_up(level: str) -> None:
    """Log to stderr from `level` on; under systemd the journal has the time already."""
    handler = _Handler(sys.stderr)
    under_systemd = "JOURNAL_STREAM" in os.environ
    when = "" if under_systemd else "%(asctime)s "
    handler.setFormatter(_Line(f"{when}%(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bucketvault").setLevel(level.upper())
