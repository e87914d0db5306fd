"""Tries what a key may do at its provider, right by right: the connection test.

Knows rclone and no database. Blocks while rclone asks, for a second or two in all. Nothing is
written but the probe's own objects, which are removed again.
"""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.buckets import (
    ONE_PAGE,
    SIDE,
    TIMEOUT_S,
    Asking,
    DeniedError,
    DiscoveryError,
    KeyRefusedError,
    UnreachableError,
    list_buckets,
)
from bucketvault.engine.rclone.commands import location
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.sanitize import clean, has_control_characters

READABLE_BYTES = 64 * 1024 * 1024  # one byte of it is read; some services count the whole
_UPLOADS = ("PutObject", "CreateMultipartUpload")


class Right(StrEnum):
    """A right that a key may have, in the order in which rights are tried."""

    CONNECT = "connect"
    KEYS = "keys"
    LIST_BUCKETS = "list_buckets"
    LIST_OBJECTS = "list_objects"
    READ = "read"
    WRITE = "write"
    OVERWRITE = "overwrite"
    SET_ASIDE = "set_aside"  # copy inside the bucket: how former versions are kept
    DELETE = "delete"


_WRITING = (Right.WRITE, Right.OVERWRITE, Right.SET_ASIDE, Right.DELETE)
_MAY_NOT = {
    Right.LIST_BUCKETS: "see which buckets there are",
    Right.LIST_OBJECTS: "list objects in {}",
    Right.READ: "read objects in {}",
    Right.WRITE: "write objects to {}",
    Right.OVERWRITE: "replace objects in {}",
    Right.SET_ASIDE: "copy objects inside {}",
    Right.DELETE: "delete objects in {}",
}


class TrialResult(StrEnum):
    """Result of trying a right."""

    WORKS = "works"
    REFUSED = "refused"
    FAILED = "failed"  # something else was wrong than the right
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class RightResult:
    """One line of a connection test. Texts are clean."""

    right: Right
    outcome: TrialResult
    note: str = ""  # what was seen, or why not
    hint: str = ""  # the next step, where something is wrong
    code: str = ""  # the provider's own, such as `403 AccessDenied`
    left_behind: str = ""  # names of what could not be removed again


def probe(
    binary: Binary, remote: Remote, bucket: str, write: bool, timeout_s: float = TIMEOUT_S
) -> list[RightResult]:
    """Try each right once, all of `Right` in their order; `bucket` may be empty: nothing in it.

    Only with `write` are two small objects written below `.bucketvault-archive/`, named
    `probe-...`, and removed again; what cannot be removed is named in full.
    """
    return _Probe(binary, remote, bucket, write, timeout_s).results()


class _Probe:
    """One connection test: tries right after right, and leaves out what cannot work any more."""

    def __init__(
        self, binary: Binary, remote: Remote, bucket: str, write: bool, timeout_s: float
    ) -> None:
        self._binary, self._remote, self._timeout_s = binary, remote, timeout_s
        self._bucket, self._write = bucket, write
        self._asking = Asking(binary, remote, timeout_s, bucket)
        self._found: dict[Right, RightResult] = {}

    def results(self) -> list[RightResult]:
        """Each right, also those that were not tried."""
        if self._reach() and self._bucket:
            self._look_into()
            if self._write and self._found[Right.LIST_OBJECTS].outcome != TrialResult.FAILED:
                self._write_and_remove()
        return [self._found.get(right) or self._untried(right) for right in Right]

    def _untried(self, right: Right) -> RightResult:
        """Why a right was left out."""
        wrong = any(found.outcome == TrialResult.FAILED for found in self._found.values())
        refused = Right.KEYS in self._found and self._found[Right.KEYS].outcome != TrialResult.WORKS
        if wrong or refused:
            why = "needs what failed above"
        elif not self._bucket:
            why = "needs a bucket: import one first"
        elif not self._write and right in _WRITING:
            why = "only when you ask for it"
        else:
            why = "needs what was refused above"
        return RightResult(right, TrialResult.NOT_TRIED, why)

    def _reach(self) -> bool:
        """True if the provider answers and takes the key."""
        try:
            buckets = list_buckets(self._binary, self._remote, self._timeout_s)
        except UnreachableError as error:
            self._note(Right.CONNECT, error)
            return False
        except KeyRefusedError as error:
            self._works(Right.CONNECT, "it answers")
            self._note(Right.KEYS, error)
            return False
        except DiscoveryError as error:
            self._works(Right.CONNECT, "it answers")
            self._note(Right.LIST_BUCKETS, error)
            if not isinstance(error, DeniedError):
                return False
            self._works(Right.KEYS, "")
            return True
        self._works(Right.CONNECT, "it answers")
        self._works(Right.KEYS, "")
        self._works(Right.LIST_BUCKETS, f"{len(buckets):,} bucket{'s' * (len(buckets) != 1)}")
        return True

    def _look_into(self) -> None:
        """List objects, and read a byte of one."""
        key = ""

        def look() -> str:
            nonlocal key
            done = self._asking.ask(
                [
                    *("lsf", location(SIDE, self._bucket), "--recursive", "--files-only"),
                    *("--format", "sp", "--separator", ";", *ONE_PAGE),
                ],
                enough=lambda said: said.count(b"\n") >= 100,
            )
            key = _readable_key(done.stdout)
            return f"in {clean(self._bucket)}" + ("" if done.stdout else ", which is empty")

        def read() -> str:
            self._cat(key, "--count", "1")
            return clean(key, limit=200)

        if self._try(Right.LIST_OBJECTS, look):
            if key:
                self._try(Right.READ, read)
            elif not self._write:
                self._found[Right.READ] = RightResult(
                    Right.READ, TrialResult.NOT_TRIED, "no object to read was found"
                )

    def _write_and_remove(self) -> None:
        """Write an object, and do with it what a run does; remove it, whatever happened."""
        name = f"{ARCHIVE_ROOT}/probe-{secrets.token_hex(6)}"
        first, aside = f"{name}.txt", f"{name}-aside.txt"
        text = (
            "bucketvault wrote this object to test whether its key may write here, at "
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC.\n"
            "It is removed again at once. If it is still here, it may be deleted.\n"
        )
        left = [first]

        def put(more: str) -> None:
            self._asking.ask(["rcat", self._at(first)], stdin=(text + more).encode())

        def write() -> str:
            put("")
            return first

        def read_back() -> str:
            if self._cat(first) != text.encode():
                raise self._asking.error("What was read back is not what was written.")
            return first

        def overwrite() -> str:
            put("Written twice.\n")
            return first

        def set_aside() -> str:
            left.append(aside)
            self._asking.ask(["copyto", self._at(first), self._at(aside)])
            return aside

        def remove() -> str:
            for key in tuple(left):
                self._remove(key)
                left.remove(key)
            return "nothing was left behind"

        if not self._try(Right.WRITE, write):
            if self._found[Right.WRITE].outcome == TrialResult.REFUSED:
                return  # nothing is there
        else:
            listed = self._found[Right.LIST_OBJECTS].outcome == TrialResult.WORKS
            if listed and Right.READ not in self._found:
                self._try(Right.READ, read_back)
            self._try(Right.OVERWRITE, overwrite)
            if not self._try(Right.SET_ASIDE, set_aside):
                left.remove(aside)
        if not self._try(Right.DELETE, remove):
            failed = self._found[Right.DELETE]
            names = " and ".join(f"{self._bucket}/{key}" for key in left)
            self._found[Right.DELETE] = replace(failed, left_behind=clean(names))

    def _remove(self, key: str) -> None:
        try:
            self._asking.ask(["deletefile", self._at(key)])
        except DiscoveryError as error:
            if error.operation != "HeadObject":
                raise
            # the key may not look at single objects: find it by a listing
            folder, _, name = key.rpartition("/")
            where = location(SIDE, self._bucket, folder)
            self._asking.ask(["delete", where, "--include", f"/{name}", "--max-depth", "1"])

    def _cat(self, key: str, *flags: str) -> bytes:
        """Return an object's bytes. Given a path, rclone would list the whole folder around it."""
        named = ("--files-from-raw", "-", "--no-traverse")
        arguments = ["cat", location(SIDE, self._bucket), *named, *flags]
        return self._asking.ask(arguments, stdin=f"{key}\n".encode()).stdout

    def _at(self, key: str) -> str:
        return f"{SIDE}:{self._bucket}/{key}"

    def _try(self, right: Right, act: Callable[[], str]) -> bool:
        try:
            self._works(right, act())
        except DiscoveryError as error:
            self._note(right, error)
            return False
        return True

    def _works(self, right: Right, note: str) -> None:
        self._found[right] = RightResult(right, TrialResult.WORKS, note)

    def _note(self, right: Right, error: DiscoveryError) -> None:
        refused = isinstance(error, KeyRefusedError | DeniedError)
        expected = {Right.WRITE: _UPLOADS, Right.DELETE: ("DeleteObject",)}.get(right)
        if expected is not None and error.operation not in expected:
            refused = False  # something before it was: the object may be there
        outcome = TrialResult.REFUSED if refused else TrialResult.FAILED
        note = error.summary
        if isinstance(error, DeniedError) and outcome == TrialResult.REFUSED:
            what = _MAY_NOT[right].format(clean(self._bucket))
            note = f"The key for {clean(self._remote.label)} may not {what}."
        self._found[right] = RightResult(right, outcome, note, error.hint, error.code)


def _readable_key(listing: bytes) -> str:
    """An object of which a byte may be read; empty when there is none in `size;path` lines."""
    for line in listing.splitlines():
        size, _, path = line.decode(errors="replace").partition(";")
        readable = size.isdecimal() and 0 < int(size) <= READABLE_BYTES
        if readable and not has_control_characters(path) and "\ufffd" not in path:
            return path
    return ""
