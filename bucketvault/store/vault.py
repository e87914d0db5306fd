"""Secrets at rest: AES-256-GCM under a key that lies outside the data folder.

An envelope reads `v1.<key id>.<nonce>.<ciphertext>`; its place (table, column, row) is the
associated data, so a ciphertext moved to another row does not decrypt. The key file holds one key a
line, the current one first; older ones stay readable until everything is encrypted anew.
"""

import base64
import hashlib
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bucketvault.errors import VaultError

VERSION = "v1"
KEY_BYTES = 32
NONCE_BYTES = 12


def place(table: str, column: str, row: str) -> str:
    """The associated data of a secret: where it stands. `row` is the row's UUID."""
    return f"{table}|{column}|{row}"


class Vault:
    """Encrypts and decrypts the secrets of one installation.

    The key file is read when first needed and again when it is missing, so that putting it back
    heals a running program.
    """

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file
        self._keys: dict[str, bytes] = {}
        self._current = ""

    def create_key(self) -> None:
        """Make the key file with a fresh key, readable by the owner only; an existing one stays.

        Only call this where nothing is encrypted yet: a new key does not open old secrets.
        Raises VaultError when the file cannot be written.
        """
        try:
            self.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            line = base64.urlsafe_b64encode(os.urandom(KEY_BYTES)) + b"\n"
            handle, name = tempfile.mkstemp(dir=self.key_file.parent)  # mode 0600
            try:
                os.write(handle, line)
                os.fsync(handle)
                os.link(name, self.key_file)  # fails where one exists: the first one made wins
            except FileExistsError:
                pass
            finally:
                os.close(handle)
                Path(name).unlink()
        except OSError as error:
            raise VaultError(
                f"The key file {self.key_file} cannot be written: {error.strerror}.",
                "Name another place with BUCKETVAULT_KEY_FILE.",
            ) from error

    def has_key(self) -> bool:
        """Whether there is a key to work with."""
        try:
            self._load()
        except VaultError:
            return False
        return True

    def encrypt(self, secret: str, where: str) -> str:
        """The envelope for `secret` at the place `where`. Raises VaultError without a key."""
        self._load()
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._keys[self._current]).encrypt(nonce, secret.encode(), where.encode())
        return ".".join((VERSION, self._current, _encode(nonce), _encode(sealed)))

    def decrypt(self, envelope: str, where: str) -> str:
        """The secret in `envelope`, which must have been made for `where`.

        Raises VaultError when the key is missing or another, or the envelope was changed or moved.
        """
        self._load()
        try:
            version, key_id, nonce, sealed = envelope.split(".")
            if version != VERSION:
                raise ValueError(version)
            decoded = base64.urlsafe_b64decode(nonce), base64.urlsafe_b64decode(sealed)
            if len(decoded[0]) != NONCE_BYTES:
                raise ValueError("nonce")
        except ValueError as error:
            raise VaultError("A stored key is not in a form that can be read.") from error
        key = self._keys.get(key_id)
        if key is None:
            raise VaultError(
                "A stored key was encrypted with another key file.",
                f"Put the key file back as {self.key_file}, or enter the provider's keys again.",
            )
        try:
            return AESGCM(key).decrypt(*decoded, where.encode()).decode()
        except InvalidTag as error:
            raise VaultError(
                "A stored key does not decrypt: it was changed, or moved from another place.",
                "Enter the provider's keys again.",
            ) from error

    def _load(self) -> None:
        if self._keys:
            return
        try:
            text = self.key_file.read_text("ascii")
        except FileNotFoundError as error:
            raise VaultError(
                f"The key file {self.key_file} is missing.",
                "Put it back, or name it with BUCKETVAULT_KEY_FILE.",
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"The key file {self.key_file} cannot be read.") from error
        keys: dict[str, bytes] = {}
        for line in text.split():
            try:
                key = base64.urlsafe_b64decode(line)
            except ValueError:
                key = b""
            if len(key) != KEY_BYTES:
                raise VaultError(f"The key file {self.key_file} does not hold a key.")
            keys[hashlib.sha256(key).hexdigest()[:8]] = key
        if not keys:
            raise VaultError(f"The key file {self.key_file} is empty.")
        self._keys, self._current = keys, next(iter(keys))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
