"""Tell which rclone a file is by its bytes. Those of the package we install are in `known.json`.

That package repacks rclone's releases and is not rclone's own. `make lock` renews the file: it
compares the package's binary with the one that rclone publishes.

Decisions: docs/decisions/rclone.md.
"""

import functools
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

KNOWN = Path(__file__).with_name("known.json")


@dataclass(frozen=True, slots=True)
class KnownBinary:
    """One binary of the package, and rclone's own archive of the same version and platform."""

    version: str
    archive: str  # its name at rclone's
    archive_sha256: str
    binary_sha256: str
    source: str  # of the archive's checksum
    is_compared: bool  # the archive holds the very same binary


def fingerprint(path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal digits. Raises OSError."""
    found = Path(path).stat()
    return _digest(path, (found.st_ino, found.st_mtime_ns, found.st_size))


@functools.lru_cache(maxsize=1)
def _digest(path: str, _: tuple[int, ...]) -> str:
    with Path(path).open("rb") as file:  # a third of a second
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_installed_with_us(path: str) -> bool:
    """True for the one that the package puts beside this Python."""
    return Path(path) == Path(sys.prefix) / "bin" / "rclone"


def known_binary(sha256: str) -> KnownBinary | None:
    """Return the known binary with these bytes; None: they are another program's, or another's."""
    found = (each for each in known_binaries() if each.binary_sha256 == sha256)
    return next(found, None)


def known_binaries() -> list[KnownBinary]:
    """Return every binary that is known."""
    return [KnownBinary(**each) for each in json.loads(KNOWN.read_text("utf-8"))]
