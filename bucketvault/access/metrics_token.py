"""The token that opens /metrics, and nothing else: a hash of it in a file of its own."""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from bucketvault.store.private_files import alone_in, write_private


def make(file: Path) -> str:
    """Return a new token, which nothing here keeps; an earlier one no longer opens /metrics."""
    token = secrets.token_urlsafe(32)
    with alone_in(file.parent):
        write_private(file, f"{_hash(token)}\n")
    return token


def is_open(file: Path) -> bool:
    """True if metrics are turned on."""
    return file.exists()


def opens(file: Path, header: str) -> bool:
    """True if an Authorization header carries the token; False while metrics are turned off."""
    try:
        stored = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return False
    kind, _, token = header.partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(_hash(token.strip()), stored)


def _hash(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()
