"""Every stored secret, in every column: a new key has to open all of them.

Knows where ciphertexts are, and nothing of what they are for. Joins the caller's transaction.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bucketvault.store.database import connection
from bucketvault.store.models import BaseModel, Provider, Setting
from bucketvault.store.secrets import Vault, place

KEY_COLUMNS = ("access_key_id", "secret_access_key")  # of a Provider
SECRET_SETTINGS = ("smtp_password",)


class Ciphertext(NamedTuple):
    """One envelope: `getattr(row, column)`, made for `place`."""

    row: BaseModel
    column: str
    place: str


def place_of_setting(key: str) -> str:
    """The associated data of a secret setting."""
    return place("setting", "value", key)


def every() -> Iterator[Ciphertext]:
    """Each stored ciphertext once; an empty column holds none."""
    with connection():
        for provider in Provider.select():
            for column in KEY_COLUMNS:
                if getattr(provider, column):
                    yield Ciphertext(provider, column, place("provider", column, provider.uuid))
        for setting in Setting.select().where(Setting.key.in_(SECRET_SETTINGS)):
            yield Ciphertext(setting, "value", place_of_setting(setting.key))


def ready_for_secrets(vault: Vault) -> None:
    """Make the key when this is the first secret; never where older secrets need another key."""
    if not vault.has_key() and next(every(), None) is None:
        vault.create_key()
