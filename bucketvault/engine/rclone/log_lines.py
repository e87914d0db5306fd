"""Meaning of a line of rclone's JSON log, by its fields alone. Seen with rclone 1.75.2.

A quote inside a JSON string is escaped and only parsed fields count: an object named like a log
line is never taken for one.
"""

import re
from collections.abc import Mapping
from typing import Any

from bucketvault.vocabulary import LineKind

OBJECT_TYPE = "*s3.Object"
ATTEMPT = re.compile(
    r"Attempt (\d+)/(\d+) (succeeded|failed with (\d+) errors(?: and: (.*))?)$", re.DOTALL
)
_MESSAGES = {
    "Moved into backup dir": LineKind.REMOVED,
    "Deleted": LineKind.KEPT,
    "Updated modification time in destination": LineKind.TOUCHED,
    "There was nothing to transfer": LineKind.INFO,
    "not deleting files as there were IO errors": LineKind.WARNING,
    "not deleting directories as there were IO errors": LineKind.WARNING,
}
SKIPPED = {  # what a dry run left out, by its field `skipped`
    "copy": LineKind.NEW,
    "move": LineKind.KEPT,
    "move into backup dir": LineKind.REMOVED,
    "delete": LineKind.REMOVED,
    "update modification time": LineKind.TOUCHED,
}


def line_kind(entry: Mapping[str, Any]) -> LineKind:
    """Return the meaning of one parsed line, taken alone.

    Two things only the lines around it know: whether "Copied (new)" replaced an object, because
    rclone says "(new)" then too, and whether "Deleted" let an old kept version go.
    """
    if isinstance(entry.get("stats"), dict):
        return LineKind.PROGRESS
    level, skipped = entry.get("level"), entry.get("skipped")
    if isinstance(skipped, str) and skipped in SKIPPED:
        return SKIPPED[skipped]
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
    if level in ("error", "critical") or (level == "notice" and message.startswith("Failed to ")):
        return LineKind.ERROR
    return LineKind.WARNING if level in ("notice", "warning") else LineKind.INFO
