"""Asks a provider what is there: its buckets, a short look at a path. What a key may: `rights`.

Knows rclone and no database. Every function blocks while rclone asks; nothing is written.
"""

import datetime as dt
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.rclone import call as process
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.commands import ASK_FLAGS, EXCLUDE_ARCHIVE, location, size
from bucketvault.engine.rclone.errors import (
    DENIED,
    REFUSED_KEY,
    WRONG_LENGTH,
    WRONG_REGION,
    Fault,
    take_apart,
)
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import BucketvaultError
from bucketvault.sanitize import Redactor, clean
from bucketvault.vocabulary import Reason, Side

TIMEOUT_S = 30.0
SIDE = Side.SOURCE  # what the one remote is called in these calls

# One request a second: a listing of more than one page can then be ended after its first.
ONE_PAGE = ("--tpslimit", "1")

NAMES_SEEN = 3  # of a short look
_MANY = 500  # entries of a listing: half a page, so that a whole one is never waited past


# ---- what can come of it


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as its provider lists it. `created` (UTC) is None where the provider keeps it."""

    name: str
    created: dt.datetime | None


@dataclass(frozen=True, slots=True)
class PathLook:
    """Result of a short look at a path; kept versions do not count.

    `objects_seen` counts objects and folders at the top of the path: all of them, or those of the
    first page or two where there are more (`cut`). `names` are the first of them, a folder's with
    a slash at its end; none where it was cut.
    """

    anything: bool
    objects_seen: int
    names: tuple[str, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class PathSize:
    """All objects at a path, counted; kept versions do not count."""

    objects: int
    size_bytes: int


class DiscoveryError(BucketvaultError):
    """A provider did not do what it was asked; `code` is its own word, `operation` S3's."""

    def __init__(self, told: explain.Explanation, fault: Fault, redactor: Redactor) -> None:
        super().__init__(clean(told.summary), told.hint, redactor.text(told.detail))
        self.region = told.region  # the right one, where the service named it
        self.operation = fault.operation
        self.code = clean(f"{fault.status or ''} {fault.code}".strip(), limit=100)


class UnreachableError(DiscoveryError):
    """Nothing answers at the endpoint, or nothing that makes sense."""


class KeyRefusedError(DiscoveryError):
    """The provider does not take the key."""


class UnknownKeyError(KeyRefusedError):
    """It does not know the access key id."""


class WrongSecretError(KeyRefusedError):
    """It knows the id, but the secret is another."""


class WrongRegionError(DiscoveryError):
    """The key is for another region."""


class DeniedError(DiscoveryError):
    """The key is good, and may not do this."""


class ListingDeniedError(DeniedError):
    """The key is good, and may not see which buckets there are: their names must be typed."""


class BucketNotFoundError(DiscoveryError):
    """The provider has no such bucket."""


# ---- questions


def look_at_path(
    binary: Binary, remote: Remote, bucket: str, path: str, timeout_s: float = TIMEOUT_S
) -> PathLook:
    """Look if anything but kept versions is at a path: one page of a listing, two at the most.

    Raises BucketNotFoundError, DeniedError, other DiscoveryErrors.
    """
    asking = Asking(binary, remote, timeout_s, bucket, path)
    seen = 0
    stop = threading.Event()

    def look(progress: Progress) -> None:
        nonlocal seen
        seen = progress.listed
        if seen > _MANY:
            stop.set()

    where = location(SIDE, bucket, path)
    try:
        done = asking.ask(
            ["lsf", where, "--max-depth", "1", *EXCLUDE_ARCHIVE, *ONE_PAGE],
            cancelled=stop,
            on_progress=look,
        )
    except process.CancelledError:
        return PathLook(True, seen, cut=True)
    lines = done.stdout.split(b"\n")[:-1]
    names = tuple(line.decode(errors="replace") for line in lines[:NAMES_SEEN])
    return PathLook(bool(lines), len(lines), names)


def measure_path(
    binary: Binary,
    remote: Remote,
    bucket: str,
    path: str,
    *,
    cancelled: threading.Event,
    on_seen: Callable[[int], None],
    timeout_s: float = TIMEOUT_S,
) -> PathSize:
    """Count all that a run would read at a path, by listings; a large bucket takes minutes.

    `on_seen` gets how many objects were listed so far, in this thread. Raises CancelledError soon
    after `cancelled` is set, DiscoveryError also after `timeout_s` without progress.
    """
    asking = Asking(binary, remote, timeout_s, bucket, path)
    done = asking.ask(
        size(location(SIDE, bucket, path)),
        cancelled=cancelled,
        on_progress=lambda progress: on_seen(progress.listed),
    )
    try:
        told = json.loads(done.stdout)
        return PathSize(objects=int(told["count"]), size_bytes=int(told["bytes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise asking.error(f"{remote.label} told no size that makes sense.") from error


# ---- how it is done


class Asking:
    """Calls of rclone to one provider, and what their failures mean."""

    def __init__(
        self, binary: Binary, remote: Remote, timeout_s: float, bucket: str = "", path: str = ""
    ) -> None:
        self._binary, self._remote, self._timeout_s = binary, remote, timeout_s
        self._end = EndSpec(
            remote.label, remote.provider_type, bucket, path=path, endpoint=remote.endpoint
        )
        self._worked: tuple[Side, ...] = ()
        self._redactor = Redactor((remote.access_key_id, remote.secret_access_key))

    def ask(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        cancelled: threading.Event | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        enough: Callable[[bytearray], bool] | None = None,
    ) -> process.Done:
        """How it ended, when it ended well. Raises DiscoveryError, CancelledError."""
        done = process.call(
            self._binary,
            [*arguments, *ASK_FLAGS],
            {SIDE: self._remote},
            stall_s=self._timeout_s,
            stdin=stdin,
            cancelled=cancelled,
            on_progress=on_progress,
            enough=enough,
        )
        if done.stalled:
            seconds = f"{self._timeout_s:.0f} seconds"
            summary = f"{self._remote.label} did not answer in {seconds}."
            told = self._told(Reason.UNREACHABLE, summary)
            raise UnreachableError(told, Fault(), self._redactor)
        if done.exit_code and not done.cut:
            raise self._failed(done)
        self._worked = (SIDE,)
        return done

    def error(self, summary: str) -> DiscoveryError:
        """An answer that came, and does not make sense."""
        return DiscoveryError(self._told(Reason.RCLONE_ERROR, summary), Fault(), self._redactor)

    def _told(self, reason: Reason, summary: str) -> explain.Explanation:
        near = explain.is_nearby(self._remote.endpoint)
        what = "a server is running there" if near else "this machine can reach the internet"
        return explain.Explanation(reason, summary, f"Check the endpoint, and that {what}.", "")

    def _failed(self, done: process.Done) -> DiscoveryError:
        said = done.transcript
        messages = tuple(line.message for line in said.errors) or (said.last_notice,)
        code = done.exit_code
        ending = explain.Ending(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            errors=messages,
            plain=said.plain,
            side=SIDE,
            worked=self._worked,
        )
        told = explain.explain(ending, self._end, self._end, again="try again")
        faults = [take_apart(message) for message in messages]
        fault = next((fault for fault in faults if fault.status), faults[0])
        return _kind(told, fault)(told, fault, self._redactor)


def failure(
    remote: Remote,
    bucket: str,
    operation: str,
    status: int,
    code: str,
    said: str,
    region: str = "",
) -> DiscoveryError:
    """Return what the failure of a request of our own means; `operation` and `code` are S3's.

    `status` is HTTP's, 0 without an answer; `region` is the right one, where the service named it.
    """
    if status == HTTPStatus.FORBIDDEN and not code and operation == "HeadObject":
        code = "Forbidden"  # such an answer has no body; rclone calls it so, too
    end = EndSpec(remote.label, remote.provider_type, bucket, endpoint=remote.endpoint)
    told = explain.explain_look(
        *("source", status, code, said, end, end, region), again="try again", operation=operation
    )
    redactor = Redactor((remote.access_key_id, remote.secret_access_key))
    fault = Fault(operation, status, code, said)
    return _kind(told, fault)(told, fault, redactor)


def _kind(told: explain.Explanation, fault: Fault) -> type[DiscoveryError]:
    if fault.code == "SignatureDoesNotMatch":
        return WrongSecretError
    if fault.code in WRONG_REGION or fault.status in (301, 307):
        return WrongRegionError
    if fault.code in DENIED:
        return ListingDeniedError if fault.operation == "ListBuckets" else DeniedError
    if told.reason == Reason.CREDENTIALS:
        unknown = (*REFUSED_KEY, *WRONG_LENGTH)
        return UnknownKeyError if fault.code in unknown else KeyRefusedError
    if told.reason == Reason.SOURCE_MISSING:
        return BucketNotFoundError
    return UnreachableError if told.reason == Reason.UNREACHABLE else DiscoveryError
