"""The login token, the password if there is one, and the sessions they open.

The token is in the data folder: any user who may read it may sign in. A session is a random
secret in one browser's cookie; the database has its hash. Whether a session is valid is asked at
every request and every message of a socket, in the event loop, so the answer comes from memory.

Decisions: docs/decisions/access.md.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
import logging
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bucketvault import logging_setup
from bucketvault.access import password
from bucketvault.store.database import BusyError, writing
from bucketvault.store.models import Session, utcnow
from bucketvault.store.private_files import alone_in, write_private

log = logging.getLogger(__name__)

NOTED_EVERY_S = 300.0  # how exactly the database knows when a session was last seen
TOKEN_BYTES = 32
TOKEN_LENGTH = 43  # of so many bytes in base64
FIRST_PAUSE_S = 0.1  # before a guess is looked at that follows a wrong one; doubles each time
LONGEST_PAUSE_S = 2.0
FORGOTTEN_S = 60.0  # after so long without a wrong guess the next one is looked at at once
MOST_WAITING = 10  # guesses; further ones are sent away


class CrowdedError(Exception):
    """So many guess that this one is not looked at."""


def login_token(path: Path) -> str:
    """Return the login token in `path`; it is made where the file holds no whole one."""
    found = _read(path)
    if found is None:
        with alone_in(path.parent):
            found = _read(path) or _write(path)
    logging_setup.mask.learn(found)
    return found


def replace_login_token(path: Path) -> str:
    """Put a new login token in the place of the old one; every session ends.

    A running server sees that the file was replaced, and ends the sessions that began meanwhile.
    """
    end_all_sessions()
    with alone_in(path.parent):
        return _write(path)


def end_all_sessions() -> None:
    """End them in the database; a running server looks at the files of token and password."""
    with writing():
        Session.delete().execute()


def _read(path: Path) -> str | None:
    try:
        token = path.read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return token if len(token) >= TOKEN_LENGTH else None


def _write(path: Path) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    write_private(path, f"{token}\n")
    return token


@dataclass(slots=True)
class _Open:
    """A session that has not ended."""

    seen: float  # when, in seconds since 1970
    noted: float  # what the database knows of that


class Sessions:
    """Who is signed in. `find`, `is_valid` and `touch` never block; `exchange` is awaited.

    The other methods use the database, and may be called from any thread but the loop's.
    """

    def __init__(self, token_file: Path, password_file: Path, cookie: str) -> None:
        self.cookie = cookie
        self._token_file = token_file
        self._password_file = password_file
        self._stamps = self._stamps_now()
        self._open: dict[str, _Open] = {}  # by hash
        self._lock = threading.Lock()
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._wrong = 0
        self._wrong_at = 0.0

    def load(self) -> None:
        """Read who is signed in, and forget those who were not seen for long."""
        login_token(self._token_file)
        self._stamps = self._stamps_now()
        now = time.time()
        with writing():
            for row in Session.select():
                seen = row.last_seen_at.timestamp()
                if now - seen < Session.IDLE_S:
                    self._open[row.token_hash] = _Open(seen, seen)
                else:
                    row.delete_instance()

    def find(self, cookie_header: str) -> str | None:
        """Return the valid session in a Cookie header; None: there is none.

        Another service on this machine may set a cookie of the same name: all of them count.
        """
        for pair in cookie_header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie and self.is_valid(value):
                return value
        return None

    def is_valid(self, session: str) -> bool:
        """True if this session is valid now."""
        found = self._open.get(_hash(session))
        return found is not None and time.time() - found.seen < Session.IDLE_S

    def touch(self, session: str) -> None:
        """It was just seen."""
        found = self._open.get(_hash(session))
        if found is not None:  # never put back what another thread has just taken out
            found.seen = time.time()

    async def exchange(self, guess: str, held: str | None = None) -> str | None:
        """Return a session for the login token or the password; None for anything else.

        A new one, unless this browser has one that is still valid: that one is kept. Replaced by
        another cookie, it would stay valid in open tabs, and no sign-out could end it.

        The right token always opens, and at once: all callers look the same from here, so locking
        out would hit the owner. Anything else is looked at one at a time, each wrong guess makes
        the next one wait longer, at most two seconds, and CrowdedError is raised when many wait.
        """
        if await asyncio.to_thread(self._is_token, guess):
            return await asyncio.to_thread(self._begin, held)
        if self._waiting >= MOST_WAITING:
            raise CrowdedError
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                await asyncio.sleep(self.pause_s())
                if await asyncio.to_thread(password.matches, self._password_file, guess):
                    self._wrong = 0
                    return await asyncio.to_thread(self._begin, held)
                recent = time.monotonic() - self._wrong_at <= FORGOTTEN_S
                self._wrong, self._wrong_at = (self._wrong + 1 if recent else 1), time.monotonic()
        finally:
            self._waiting -= 1
        log.warning("a wrong login token or password was refused", extra={"guesses": self._wrong})
        return None

    def pause_s(self) -> float:
        """Return how long a guess waits now before it is looked at."""
        if not self._wrong or time.monotonic() - self._wrong_at > FORGOTTEN_S:
            return 0.0
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._wrong - 1, 10))

    def has_password(self) -> bool:
        """True if there is a password."""
        return self._password_file.exists()

    def _is_token(self, guess: str) -> bool:
        return hmac.compare_digest(_hash(guess), _hash(login_token(self._token_file)))

    def _begin(self, held: str | None) -> str:
        self._end_all_if_replaced()
        if held is not None and self.is_valid(held):
            self.touch(held)
            return held
        session = secrets.token_urlsafe(32)
        hashed, now = _hash(session), utcnow()
        with self._lock, writing():
            Session.create(token_hash=hashed, last_seen_at=now)
            self._open[hashed] = _Open(now.timestamp(), now.timestamp())
        log.info("somebody signed in")
        return session

    def end(self, session: str) -> None:
        """Sign out."""
        hashed = _hash(session)
        self._open.pop(hashed, None)  # first of all: it ends also when the database is busy
        with self._lock, writing():
            Session.delete().where(Session.token_hash == hashed).execute()
        log.info("somebody signed out")

    def has_work(self) -> bool:
        """True if `work` has something to do; cheap enough to ask every second in the loop."""
        if self._stamps_now() != self._stamps:
            return True
        return any(found.seen - found.noted > NOTED_EVERY_S for found in list(self._open.values()))

    def work(self, *, at_end: bool = False) -> None:
        """Notice a new token or password; note in the database who was seen."""
        self._end_all_if_replaced()
        after_s = 0.0 if at_end else NOTED_EVERY_S
        with self._lock:
            due = [
                (hashed, found, found.seen)
                for hashed, found in list(self._open.items())
                if found.seen - found.noted > after_s
            ]
            if not due:
                return
            try:
                with writing():
                    for hashed, _, seen in due:
                        when = dt.datetime.fromtimestamp(seen, dt.UTC)
                        row = Session.token_hash == hashed
                        Session.update(last_seen_at=when).where(row).execute()
            except BusyError:  # nothing is lost but minutes of the thirty days
                log.warning("the database is busy: who was seen when is not noted now")
            for _, found, seen in due:
                found.noted = seen

    def _end_all_if_replaced(self) -> None:
        with self._lock:
            stamps = self._stamps_now()
            if stamps == self._stamps:
                return
            self._open.clear()
            end_all_sessions()
            self._stamps = stamps
        log.info("the login token or the password was replaced: every session has ended")

    def _stamps_now(self) -> object:
        return _stamp(self._token_file), _stamp(self._password_file)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes when the file is replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
