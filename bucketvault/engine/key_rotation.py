"""A new key for all that is encrypted, and a way on where the key file is lost.

Ended at any moment, everything still decrypts: the new key is in the file before anything is
encrypted with it, one transaction encrypts all of it, and only then the old key is put aside.
A bucketvault at work meanwhile looks at the key file each time it needs a key.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import peewee as pw

from bucketvault.engine import settings
from bucketvault.engine.alerts.targets import place_of_url
from bucketvault.engine.catalogue.providers import place_of_key
from bucketvault.errors import BucketvaultError, VaultError
from bucketvault.store.database import connection, text_that_begins, writing
from bucketvault.store.models import AlertTarget, BaseModel, Provider, Setting
from bucketvault.store.private_files import alone_in
from bucketvault.store.secrets import KEY_COLUMNS, VERSION, Vault


class Ciphertext(NamedTuple):
    """One envelope: `getattr(row, column)`, made for `place`."""

    row: BaseModel
    column: str
    place: str

    @property
    def owner(self) -> str:
        """Return whose secret it is, in words."""
        if isinstance(self.row, Provider):
            return f'the provider "{self.row.name}"'
        if isinstance(self.row, AlertTarget):
            return f'the alert target "{self.row.name}"'
        return "the mail server's password"

    @property
    def key_id(self) -> str:
        """Return the id of the key that opens it; empty: it is no envelope."""
        return str(getattr(self.row, self.column)).partition(".")[2].partition(".")[0]


def ciphertexts() -> Iterator[Ciphertext]:
    """Give every stored ciphertext once; an empty column holds none."""
    with connection():
        for provider in Provider.select():
            for column in KEY_COLUMNS:
                if getattr(provider, column):
                    yield Ciphertext(provider, column, place_of_key(provider, column))
        for setting in Setting.select().where(Setting.key == settings.PASSWORD):
            yield Ciphertext(setting, "value", settings.place_of_password(settings.load()))
        for target in AlertTarget.select():
            yield Ciphertext(target, "url", place_of_url(target))


def rotate(vault: Vault) -> tuple[int, list[Path]]:
    """Encrypt everything with a new key; return the number of ciphertexts and the old key's file.

    One that was cut short before is finished, with the key it had made. Raises VaultError when
    there is no key, or something does not decrypt; then nothing was changed.
    """
    if not vault.key_file.exists() and not any(ciphertexts()):
        raise VaultError("There is no key yet.", "It is created with the first secret you enter.")
    vault.key_ids()
    with alone_in(vault.key_file.resolve().parent):
        if lost := unreadable(vault):
            raise VaultError(
                f"These do not decrypt: {', '.join(lost)}.",
                "Enter their keys again first, or delete them. Nothing was changed.",
            )
        if len(vault.key_ids()) == 1:
            vault.add_key()
        with writing():
            everything = list(ciphertexts())
            for found in everything:
                secret = vault.decrypt(getattr(found.row, found.column), found.place)
                setattr(found.row, found.column, vault.encrypt(secret, found.place))
                pw.Model.save(found.row)  # not BaseModel's, which would note a change by the user
        with writing():  # nobody encrypts meanwhile
            for old in vault.key_ids()[1:]:
                if where := text_that_begins(f"{VERSION}.{old}."):
                    raise VaultError(
                        f"Something in {where} still needs the old key.",
                        "Both keys stay in the key file. Run the command again.",
                    )
            aside = vault.put_old_keys_aside()
    return len(everything), aside


def new_key_file(vault: Vault) -> list[str]:
    """Make a key file in the place of a lost one; who needs their keys entered again.

    What the lost key had encrypted stays as it is. Raises BucketvaultError where there is a file,
    VaultError when none can be written.
    """
    if vault.key_file.exists():
        raise BucketvaultError(
            f"There is already a key file: {vault.key_file}.",
            "To put a new key in it: bucketvault rotate-key. If it is damaged, move it away first.",
        )
    vault.create_key()
    return unreadable(vault)


def unreadable(vault: Vault) -> list[str]:
    """Whose secrets do not decrypt, in words."""
    return list(dict.fromkeys(each.owner for each in closed(vault)))  # each once, in order


def closed(vault: Vault, why: type[VaultError] = VaultError) -> list[Ciphertext]:
    """Return the ciphertexts that do not decrypt, for that reason."""
    found = []
    with connection():
        for each in ciphertexts():
            try:
                vault.decrypt(getattr(each.row, each.column), each.place)
            except VaultError as error:
                if isinstance(error, why):
                    found.append(each)
    return found
