"""The optional password: a slow hash of it in a file of its own, for who does not want the link.

Raises ValueError with a sentence for people where a password cannot be taken.
"""

import base64
import hashlib
import hmac
import os
import unicodedata
from pathlib import Path

from bucketvault.store.private_files import alone_in, write_private

SHORTEST = 12
LONGEST = 512  # so that its form stays below what a sign-in may send
FEWEST_DIFFERENT = 5
# 32 MB and a quarter of a second of one core: what OWASP's password storage cheat sheet asks of
# scrypt at this size of memory.
N, R, P = 2**15, 8, 3
SALT_BYTES, HASH_BYTES = 16, 32


def check(password: str, what: str = "password") -> None:
    """Raise ValueError when this is no password to rely on; `what`: how the sentence calls it."""
    if password != password.strip():
        raise ValueError(f"The {what} begins or ends with a space.")
    if len(password) < SHORTEST:
        raise ValueError(
            f"The {what} has {len(password)} characters; it needs at least {SHORTEST}."
        )
    if len(password) > LONGEST:
        raise ValueError(f"The {what} is too long: the limit is {LONGEST} characters.")
    if len(set(password)) < FEWEST_DIFFERENT:
        raise ValueError(f"The {what} repeats only a few characters.")
    if not password.isprintable():
        raise ValueError(f"The {what} contains an invisible character.")


def set_password(file: Path, password: str) -> None:
    """Keep a hash of it in `file`; a running server then ends every session."""
    check(password)
    salt = os.urandom(SALT_BYTES)
    hashed = _hash(password, salt, N, R, P)
    with alone_in(file.parent):
        write_private(file, f"scrypt${N}${R}${P}${_text(salt)}${_text(hashed)}\n")


def matches(file: Path, guess: str) -> bool:
    """True if `guess` is the password; takes a quarter of a second, False if there is none."""
    try:
        kind, n, r, p, salt, hashed = file.read_text("ascii").strip().split("$")
        if kind != "scrypt":
            return False
        found = _hash(guess, base64.b64decode(salt), int(n), int(r), int(p))
        return hmac.compare_digest(found, base64.b64decode(hashed))
    except (OSError, ValueError):  # none, or a file that was damaged: the link still opens
        return False


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # keyboards differ in how they write an umlaut
    composed = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    memory = 128 * n * r * 2
    return hashlib.scrypt(composed, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=HASH_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
