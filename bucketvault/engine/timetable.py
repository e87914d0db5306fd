"""When things are planned, in the time zones people live in."""

import os
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path


def server_time_zone(environ: Mapping[str, str] = os.environ, etc: Path = Path("/etc")) -> str:
    """The IANA name of this machine's time zone; `UTC` where nothing names one.

    The first that names a zone we know: `TZ`, the target of /etc/localtime, /etc/timezone.
    """
    known = zoneinfo.available_timezones()
    return next((name for name in _candidates(environ, etc) if name in known), "UTC")


def _candidates(environ: Mapping[str, str], etc: Path) -> Iterator[str]:
    yield environ.get("TZ", "").removeprefix(":")  # the C library takes a colon before a name
    for target in (_link_target(etc / "localtime"), _resolved(etc / "localtime")):
        # the first link as well as the last: some zones are links to a zone of another name
        yield target.rpartition("zoneinfo/")[2].removeprefix("posix/")
    try:
        yield (etc / "timezone").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return


def _link_target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _resolved(path: Path) -> str:
    try:
        return str(path.resolve())
    except (OSError, RuntimeError):
        return ""
