"""Links that sign in: each opens once, and within a day. The database has hashes only.

`bucketvault url` makes one, at any time, also beside a running server; so does the right password.

Decisions: docs/decisions/access.md.
"""

import datetime as dt
import hashlib
import secrets

from bucketvault import logging_setup
from bucketvault.store.database import connection, writing
from bucketvault.store.models import SignInLink, utcnow

LIFE = dt.timedelta(days=1)
TOKEN_BYTES = 32


def make() -> str:
    """Make a link and return its token; those that are too old go. Raises BusyError."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    logging_setup.mask.learn(token)
    now = utcnow()
    with writing():
        SignInLink.delete().where(SignInLink.created_at <= now - LIFE).execute()
        SignInLink.create(token_hash=hash_of(token))
    return token


def opens(token: str) -> bool:
    """True if this is the token of a link that was not used and is not too old."""
    with connection():
        return bool(SignInLink.select().where(*_is(token)).exists())


def use(token: str) -> bool:
    """Use the link up, in a transaction of the caller's; False: it does not open."""
    return bool(SignInLink.delete().where(*_is(token)).execute())


def _is(token: str) -> tuple[object, ...]:
    return SignInLink.token_hash == hash_of(token), SignInLink.created_at > utcnow() - LIFE


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a random secret, in hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
