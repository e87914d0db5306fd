"""The path below which the pages are, and the sessions that a link or the password opens.

A session is a random secret in one browser's cookie; the database has its hash. The cookie is sent
to every port of the host, but only below our path, which no other port knows. Whether a session is
valid is asked at every request and every message of a socket, in the event loop, so the answer
comes from memory.

Decisions: docs/decisions/access.md.
"""

import asyncio
import datetime as dt
import hmac
import logging
import re
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bucketvault import logging_setup
from bucketvault.access import links, password
from bucketvault.store.database import BusyError, writing
from bucketvault.store.models import Session, SignInLink, utcnow
from bucketvault.store.private_files import alone_in, write_private

log = logging.getLogger(__name__)

NOTED_EVERY_S = 300.0  # how exactly the database knows when a session was last seen
COOKIE = "bucketvault"
PATH_BYTES = 16
OWN_PATH = re.compile(r"/b-[\w-]{22}", re.ASCII)
FIRST_PAUSE_S = 0.1  # before a guess is looked at that follows a wrong one; doubles each time
LONGEST_PAUSE_S = 2.0
FORGOTTEN_S = 60.0  # after so long without a wrong guess the next one is looked at at once
MOST_WAITING = 10  # guesses; further ones are sent away


class CrowdedError(Exception):
    """So many guess that this one is not looked at."""


def own_path(file: Path) -> str:
    """Return the path in `file`; it is made where the file holds no whole one."""
    found = _read(file)
    if found is None:
        with alone_in(file.parent):
            found = _read(file) or _write(file)
    logging_setup.mask.learn(found)
    return found


def replace_own_path(file: Path) -> None:
    """Move the pages to a new path; every session and every link ends.

    A running server sees that the file was replaced, and ends the sessions that began meanwhile.
    """
    end_all_sessions()
    with alone_in(file.parent):
        _write(file)


def end_all_sessions() -> None:
    """End them and all links in the database; a running server looks at path and password."""
    with writing():
        Session.delete().execute()
        SignInLink.delete().execute()


def _read(file: Path) -> str | None:
    try:
        path = file.read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return path if OWN_PATH.fullmatch(path) else None


def _write(file: Path) -> str:
    path = f"/b-{secrets.token_urlsafe(PATH_BYTES)}"
    write_private(file, f"{path}\n")
    return path


def new_way_back() -> str:
    """Return the random secret from which a session is made; nothing here keeps it."""
    return secrets.token_urlsafe(32)


def session_of(way_back: str) -> str:
    """Return the session that whoever has `way_back` may take again; it does not tell that one."""
    return links.hash_of(f"session {way_back}")


@dataclass(slots=True)
class _Open:
    """A session that has not ended."""

    seen: float  # when, in seconds since 1970
    noted: float  # what the database knows of that


class Sessions:
    """Who is signed in. `find`, `is_valid`, `touch` and `below` never block; the rest may.

    What uses the database may be called from any thread but the loop's.
    """

    def __init__(self, path_file: Path, password_file: Path) -> None:
        self.path = ""  # below which the pages are; empty before `load`
        self._path_file = path_file
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
        self.path = own_path(self._path_file)
        self._stamps = self._stamps_now()
        now = time.time()
        with writing():
            for row in Session.select():
                seen = row.last_seen_at.timestamp()
                if now - seen < Session.IDLE_S:
                    self._open[row.token_hash] = _Open(seen, seen)
                else:
                    row.delete_instance()

    def below(self, path: str) -> str | None:
        """Return what of `path` is below ours, from its slash on; None: it is elsewhere."""
        start, rest = path[: len(self.path)], path[len(self.path) :]
        if not self.path or not hmac.compare_digest(start.encode(), self.path.encode()):
            return None
        return rest if rest.startswith("/") else None

    def find(self, cookie_header: str) -> str | None:
        """Return the valid session in a Cookie header; None: there is none.

        Another service on this machine may set a cookie of the same name: all of them count.
        """
        for pair in cookie_header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE and self.is_valid(value):
                return value
        return None

    def is_valid(self, session: str) -> bool:
        """True if this session is valid now."""
        found = self._open.get(links.hash_of(session))
        return found is not None and time.time() - found.seen < Session.IDLE_S

    def touch(self, session: str) -> None:
        """It was just seen."""
        found = self._open.get(links.hash_of(session))
        if found is not None:  # never put back what another thread has just taken out
            found.seen = time.time()

    async def check(self, guess: str) -> str | None:
        """Return the token of a link that opens, for one or for the password; None: neither.

        The right token always opens, and at once: all callers look the same from here, so locking
        out would hit the owner. Anything else is looked at one at a time, each wrong guess makes
        the next one wait longer, at most two seconds, and CrowdedError is raised when many wait.
        """
        if await asyncio.to_thread(links.opens, guess):
            return guess
        if self._waiting >= MOST_WAITING:
            raise CrowdedError
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                await asyncio.sleep(self.pause_s())
                if await asyncio.to_thread(password.matches, self._password_file, guess):
                    self._wrong = 0
                    return await asyncio.to_thread(links.make)
                recent = time.monotonic() - self._wrong_at <= FORGOTTEN_S
                self._wrong, self._wrong_at = (self._wrong + 1 if recent else 1), time.monotonic()
        finally:
            self._waiting -= 1
        log.warning("a wrong link or password was refused", extra={"guesses": self._wrong})
        return None

    async def begin(
        self, token: str, held: str | None = None, way_back: str | None = None
    ) -> str | None:
        """Use the link of this token up, and return a session; None: it does not open.

        A new session, that of `way_back` or of a random one, unless this browser has one that is
        still valid: that one is kept. Replaced by another cookie, it would stay valid in open
        tabs, and no sign-out could end it.
        """
        return await asyncio.to_thread(self._begin, token, held, way_back or new_way_back())

    def pause_s(self) -> float:
        """Return how long a guess waits now before it is looked at."""
        if not self._wrong or time.monotonic() - self._wrong_at > FORGOTTEN_S:
            return 0.0
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._wrong - 1, 10))

    def has_password(self) -> bool:
        """True if there is a password."""
        return self._password_file.exists()

    def _begin(self, token: str, held: str | None, way_back: str) -> str | None:
        self._end_all_if_replaced()
        session = session_of(way_back)
        hashed, now = links.hash_of(session), utcnow()
        with self._lock, writing():
            if not links.use(token):
                return None
            if held is not None and self.is_valid(held):
                self.touch(held)
                return held
            Session.create(token_hash=hashed, last_seen_at=now)
            self._open[hashed] = _Open(now.timestamp(), now.timestamp())
        log.info("signed in")
        return session

    def end(self, session: str) -> None:
        """Sign out."""
        hashed = links.hash_of(session)
        self._open.pop(hashed, None)  # first of all: it ends also when the database is busy
        with self._lock, writing():
            Session.delete().where(Session.token_hash == hashed).execute()
        log.info("signed out")

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
                log.warning("the database is busy: last-seen times were not saved")
            for _, found, seen in due:
                found.noted = seen

    def _end_all_if_replaced(self) -> None:
        with self._lock:
            stamps = self._stamps_now()
            if stamps == self._stamps:
                return
            self._open.clear()
            with writing():  # the links are newer than that
                Session.delete().execute()
            self.path = own_path(self._path_file)
            self._stamps = self._stamps_now()
        log.info("link or password was replaced: every session has ended")

    def _stamps_now(self) -> object:
        return _stamp(self._path_file), _stamp(self._password_file)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes when the file is replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
