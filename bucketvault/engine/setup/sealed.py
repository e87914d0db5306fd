"""A setup file with its secrets, encrypted with a passphrase: one line of ASCII text.

`bucketvault-setup.v1.scrypt-N-R-P.SALT.NONCE.SEALED`, the last three in URL-safe base64:
AES-256-GCM of the text under scrypt's key, with what is before the nonce as associated data.
docs/setup-file.md has a short program that opens it without bucketvault.
"""

import base64
import hashlib
import os
import re
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bucketvault.errors import BucketvaultError

BEGIN = "bucketvault-setup.v1."
N, R, P = (
    2**17,
    8,
    1,
)  # 128 MiB and half a second: it is guessed at elsewhere, for as long as wanted
MOST_MEMORY = 2**30  # bytes; more is no file of ours
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32
_FORM = re.compile(
    rf"(?P<head>{re.escape(BEGIN)}scrypt-(?P<n>\d{{1,9}})-(?P<r>\d{{1,9}})-(?P<p>\d{{1,9}})"
    r"\.(?P<salt>[\w=-]+))"
    r"\.(?P<nonce>[\w=-]+)\.(?P<sealed>[\w=-]+)",
    re.ASCII,
)


def is_sealed(text: str) -> bool:
    """True if a file's text is encrypted."""
    return text.startswith(BEGIN)


def seal(text: str, passphrase: str) -> str:
    """Return `text` encrypted. Takes half a second."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    head = f"{BEGIN}scrypt-{N}-{R}-{P}.{_encode(salt)}"
    sealed = AESGCM(_key(passphrase, salt, N, R, P)).encrypt(nonce, text.encode(), head.encode())
    return f"{head}.{_encode(nonce)}.{_encode(sealed)}\n"


def opened(text: str, passphrase: str) -> str:
    """Return what was sealed. Raises BucketvaultError: another passphrase, or a damaged file."""
    try:
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError("form")
        salt, nonce, sealed = (
            base64.urlsafe_b64decode(found[part]) for part in ("salt", "nonce", "sealed")
        )
        key = _key(passphrase, salt, int(found["n"]), int(found["r"]), int(found["p"]))
        return AESGCM(key).decrypt(nonce, sealed, found["head"].encode()).decode()
    except InvalidTag as error:
        raise BucketvaultError(
            "The encrypted setup file does not open: the passphrase is wrong, or the file was "
            "changed.",
            "Nothing was changed. Try the passphrase again, or copy the file again.",
        ) from error
    except ValueError as error:
        raise BucketvaultError(
            "The encrypted setup file is not complete, or damaged.",
            "Nothing was changed. Copy the file again.",
        ) from error


def _key(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # keyboards differ in how they write an umlaut
    composed = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    memory = min(MOST_MEMORY, 128 * r * (n + p + 2))  # RFC 7914 section 2, as OpenSSL counts it
    return hashlib.scrypt(composed, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=KEY_BYTES)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
