"""Secrets at rest: AES-256-GCM under a key that is kept outside the data folder.

An envelope reads `v1.<key id>.<nonce>.<ciphertext>`. Its place is the associated data: table,
column, row, and where the secret is sent to. Moved to another row, or with another address beside
it, it does not decrypt. The key file holds one key a line, the current one first; older ones stay
readable until everything is encrypted again.
"""

import base64
import functools
import hashlib
import json
import operator
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bucketvault.errors import MovedSecretError, VaultError
from bucketvault.logging_setup import mask
from bucketvault.store.models import AlertTarget, Provider, Setting
from bucketvault.store.private_files import alone_in, write_private

VERSION = "v1"
KEY_BYTES = 32
NONCE_BYTES = 12
KEY_COLUMNS = ("access_key_id", "secret_access_key")  # of a Provider
SECRET_SETTINGS = ("smtp_password",)
PUT_BACK = "Put your copy of it back."


def place(table: str, column: str, row: str, *address: str) -> str:
    """Return the associated data of a secret: where it is kept, and where it is sent to.

    `row` is the row's UUID, or a setting's name; no two places have the same text.
    """
    return json.dumps([table, column, row, *address])


class Vault:
    """Encrypts and decrypts the secrets of one installation. May be used from any thread.

    The key file is looked at each time, so that one put back, or with a new key in it, heals a
    running program. While it is away, what a running program has read still decrypts.
    """

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file
        # as last read: a stamp that changes with the file, and keys by id, the current one first
        self._seen: tuple[object, dict[str, bytes]] | None = None

    def create_key(self) -> None:
        """Make the key file with a fresh key, readable by the owner only; an existing one stays.

        Only call this where nothing is encrypted yet: a new key does not open old secrets.
        Raises VaultError when the file cannot be written.
        """
        try:
            self.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone_in(self.key_file.parent):
                if not os.path.lexists(self.key_file):  # the first one made wins
                    write_private(self.key_file, f"{_encode(os.urandom(KEY_BYTES))}\n")
        except OSError as error:
            raise VaultError(
                f"The key file {self.key_file} cannot be written: {error.strerror}.",
                "Choose another path with BUCKETVAULT_KEY_FILE.",
            ) from error

    def has_key(self) -> bool:
        """True if there is a key to work with."""
        try:
            self._load()
        except VaultError:
            return False
        return True

    def key_ids(self) -> tuple[str, ...]:
        """The names of the keys in the file, the current one first. Raises VaultError."""
        return tuple(self._load())

    def add_key(self) -> None:
        """Put a fresh key first in the file; the others stay readable. Raises VaultError."""
        self._write([os.urandom(KEY_BYTES), *self._load().values()])

    def put_old_keys_aside(self) -> list[Path]:
        """Leave only the current key in the file; return the files of the others. VaultError.

        Only call this where nothing stored needs another one. Copies of the database may, and
        other data folders that share the file: so none is ever deleted here.
        """
        (_, current), *old = self._load().items()
        aside = []
        for key_id, key in old:
            aside.append(self.key_file.with_name(f"{self.key_file.name}.old-{key_id}"))
            self._write([key], aside[-1])
        self._write([current])
        return aside

    def encrypt(self, secret: str, where: str) -> str:
        """The envelope for `secret` at the place `where`. Raises VaultError without a key.

        Call it inside the write transaction that stores the envelope: a change of the key waits
        for those, so that nothing is stored under a key that has just gone.
        """
        mask.learn(secret)
        key_id, key = next(iter(self._load().items()))
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, secret.encode(), where.encode())
        return ".".join((VERSION, key_id, _encode(nonce), _encode(sealed)))

    def decrypt(self, envelope: str, where: str) -> str:
        """The secret in `envelope`, which must have been made for `where`.

        Raises VaultError when the key is missing or another, MovedSecretError when the envelope was
        changed or moved, or made for another address.
        """
        try:
            keys = self._load()
        except VaultError:
            if self._seen is None:
                raise
            _, keys = self._seen
        try:
            version, key_id, nonce, sealed = envelope.split(".")
            if version != VERSION:
                raise ValueError(version)
            decoded = base64.urlsafe_b64decode(nonce), base64.urlsafe_b64decode(sealed)
            if len(decoded[0]) != NONCE_BYTES:
                raise ValueError("nonce")
        except ValueError as error:
            raise VaultError("A stored key is in an unknown format.") from error
        key = keys.get(key_id)
        if key is None:
            raise VaultError(
                "A stored key was encrypted with another key file.",
                f"Put the key file back as {self.key_file}, or enter the provider's keys again.",
            )
        try:
            secret = AESGCM(key).decrypt(*decoded, where.encode()).decode()
        except InvalidTag as error:
            raise MovedSecretError(
                "A stored secret does not decrypt: the secret, or the address it was entered for, "
                "was changed outside bucketvault.",
                "Check that address, then enter the secret again.",
            ) from error
        mask.learn(secret)
        return secret

    def _load(self) -> dict[str, bytes]:
        try:
            found = self.key_file.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._seen is not None and self._seen[0] == stamp:
                return self._seen[1]
            text = self.key_file.read_text("ascii")
        except FileNotFoundError as error:
            raise VaultError(
                f"The key file {self.key_file} is missing.",
                "Put it back, or set its path in BUCKETVAULT_KEY_FILE. If it is lost, run "
                "`bucketvault rotate-key --new-key-file`, then enter each provider's keys again.",
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"The key file {self.key_file} cannot be read.", PUT_BACK) from error
        keys: dict[str, bytes] = {}
        for line in text.split():
            try:
                key = base64.urlsafe_b64decode(line)
            except ValueError:
                key = b""
            if len(key) != KEY_BYTES:
                raise VaultError(f"The key file {self.key_file} does not contain a key.", PUT_BACK)
            keys[hashlib.sha256(key).hexdigest()[:8]] = key
        if not keys:
            raise VaultError(f"The key file {self.key_file} is empty.", PUT_BACK)
        self._seen = stamp, keys
        return keys

    def _write(self, keys: list[bytes], file: Path | None = None) -> None:
        file = file or self.key_file.resolve()
        text = "".join(f"{_encode(key)}\n" for key in keys)
        try:
            write_private(file, text)
        except OSError as error:
            raise VaultError(
                f"The key file {file} cannot be written: {error.strerror}.", "Nothing was changed."
            ) from error


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def ready_for_secrets(vault: Vault) -> None:
    """Make the key when this is the first secret; never where older secrets need another key.

    Call it inside the write transaction that stores the secret.
    """
    if vault.has_key():
        return
    keys = [getattr(Provider, column) != "" for column in KEY_COLUMNS]
    stored = (
        Provider.select().where(functools.reduce(operator.or_, keys)),
        Setting.select().where(Setting.key.in_(SECRET_SETTINGS)),
        AlertTarget.select(),
    )
    if not any(rows.exists() for rows in stored):
        vault.create_key()
