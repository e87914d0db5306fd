"""Try what a key may do at its provider, right by right. Requests of our own; answers are strict.

Only what is asked for is written, and only below the folder of the test.
"""

import datetime as dt
import urllib.parse
from collections.abc import Callable, Mapping

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.listing.asking import Answer, Asker, bucket_at
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.page import NoListingError, Page, read_page
from bucketvault.engine.probe.account import buckets_of, explained
from bucketvault.engine.probe.halt import Halt
from bucketvault.engine.probe.results import (
    COLD,
    WRITING,
    About,
    Finding,
    Found,
    Result,
    Right,
    RightResult,
    TrialResult,
    Untried,
)
from bucketvault.engine.rclone.buckets import (
    DeniedError,
    DiscoveryError,
    KeyRefusedError,
    UnreachableError,
)
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.sanitize import clean

PAGE = 100  # objects that are looked at to find one to read
_UPLOADS = {Right.WRITE: ("PutObject",), Right.DELETE: ("DeleteObject",)}


class Rights:
    """Tries right after right, and leaves out what cannot work any more."""

    def __init__(
        self,
        remote: Remote,
        bucket: str,
        paths: tuple[str, ...],
        write: bool,
        halt: Halt,
        tell: Callable[[Result], None],
    ) -> None:
        self._remote, self._bucket, self._paths, self._write = remote, bucket, paths, write
        self._halt, self._tell = halt, tell
        self._found: dict[Right, RightResult] = {}
        self._operation = ""
        self.version: str | None = None  # of what was written; empty: it has none; None: not told
        self.account = Asker(bucket_at(remote, ""), halt.check)
        self.asker = Asker(bucket_at(remote, bucket), halt.check)

    def outcome(self, right: Right) -> TrialResult:
        """Return what became of a right so far."""
        return self._found[right].outcome if right in self._found else TrialResult.NOT_TRIED

    def tell_untried(self) -> None:
        """Tell which rights were not tried, and why."""
        for right in Right:
            if right not in self._found:
                why = self._why_untried(right)
                self._tell(RightResult(right, TrialResult.NOT_TRIED, untried=why))

    def _why_untried(self, right: Right) -> Untried:
        outcomes = [found.outcome for found in self._found.values()]
        if not self._write and right in WRITING and self._bucket:
            return Untried.NOT_ASKED
        if self._halt.is_set():
            return Untried.NO_TIME
        if TrialResult.FAILED in outcomes or self.outcome(Right.KEYS) is TrialResult.REFUSED:
            return Untried.FAILED_BEFORE
        if not self._bucket:
            return Untried.NO_BUCKET
        if right is Right.READ and self.outcome(Right.LIST_OBJECTS) is TrialResult.WORKS:
            return Untried.NO_OBJECT
        return Untried.REFUSED_BEFORE

    # reading

    def reach(self) -> bool:
        """Return True if the provider answers and takes the key."""
        try:
            buckets = buckets_of(self.account)
        except ListingError as error:
            return self._account_refused(explained(self._remote, "", "ListBuckets", error))
        self._works(Right.CONNECT)
        self._works(Right.KEYS)
        self._works(Right.LIST_BUCKETS, number=len(buckets))
        return True

    def _account_refused(self, error: DiscoveryError) -> bool:
        if isinstance(error, UnreachableError):
            self._note(Right.CONNECT, error)
            return False
        self._works(Right.CONNECT)
        if isinstance(error, KeyRefusedError):
            self._note(Right.KEYS, error)
            return False
        if isinstance(error, DeniedError):
            self._works(Right.KEYS)
        self._note(Right.LIST_BUCKETS, error)
        return isinstance(error, DeniedError)

    def look_into(self) -> None:
        """List objects, and read a byte of one."""
        key = b""

        def look() -> str:
            nonlocal key
            page, encoded = self.page("", PAGE)
            self._tell(Finding(About.ENCODED, Found.YES if encoded else Found.NO))
            key = _readable(page)
            return self._bucket

        def read() -> str:
            self._do("HeadObject", "HEAD", key)
            answer = self._do("GetObject", "GET", key, headers={"Range": "bytes=0-0"})
            if not answer.headers.get("ETag") or not answer.body:
                raise _nonsense("What was read is not an object.")
            return key.decode("utf-8", "replace")

        if not self._try(Right.LIST_OBJECTS, look):
            if self.outcome(Right.LIST_OBJECTS) is TrialResult.REFUSED:
                self._look_below()
        elif key:
            self._try(Right.READ, read)

    def _look_below(self) -> None:
        """Find out if the key is limited to a folder: one that a backup uses."""
        for path in self._paths:
            folder = f"{path.strip('/')}/"
            try:
                self.page(folder, 1)
            except ListingError:
                continue
            self._tell(Finding(About.PREFIX_ONLY, Found.YES, text=clean(folder)))
            return

    def page(self, prefix: str, keys: int = 1000) -> tuple[Page, bool]:
        """Return the first objects below a prefix, and if the answer says that it is URL-encoded.

        Raises ListingError.
        """
        query = {"encoding-type": "url", "list-type": "2", "max-keys": str(keys), "prefix": prefix}
        self._operation = "ListObjectsV2"
        body = self.asker.ask("GET", query=query).body
        try:
            return read_page(body, prefix), b"<EncodingType>url</EncodingType>" in body
        except NoListingError as error:
            raise _nonsense(error.summary) from error

    # writing

    def write(self, folder: str) -> bool:
        """Write an object, and do with it what a run does; return True if it may be deleted."""
        key, aside = written_in(folder), f"{folder}aside.txt".encode()
        left = [key]
        body = (
            "bucketvault wrote this object to test whether its key may write here, at "
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC.\n"
            "It is deleted right away. If it is still here, you can delete it.\n"
        ).encode()

        def put(content: bytes) -> str:
            told = self._do("PutObject", "PUT", key, body=content).headers
            self.version = told["x-amz-version-id"] or ""
            self._do("HeadObject", "HEAD", key)  # rclone asks that after each upload
            return key.decode()

        def read_back() -> str:
            if self._do("GetObject", "GET", key).body != body:
                raise _nonsense("What was read back is not what was written.")
            return key.decode()

        def set_aside() -> str:
            self._operation = "CopyObject"
            source = urllib.parse.quote(f"/{self._bucket}/{key.decode()}")
            headers = {"x-amz-copy-source": source}
            self.asker.document("CopyObjectResult", "PUT", aside, headers=headers)
            left.append(aside)
            return aside.decode()

        def remove() -> str:
            for each in left:
                self._do("DeleteObject", "DELETE", each)
            return ""

        if not self._try(Right.WRITE, lambda: put(body)):
            if self.outcome(Right.WRITE) is TrialResult.REFUSED:
                return False  # nothing is there
            return self._try(Right.DELETE, remove)
        if Right.READ not in self._found and self.outcome(Right.LIST_OBJECTS) is TrialResult.WORKS:
            self._try(Right.READ, read_back)
        self._try(Right.OVERWRITE, lambda: put(body + b"Written twice.\n"))
        copied = self._try(Right.SET_ASIDE, set_aside)
        self._tell(Finding(About.COPIES, Found.YES if copied else self._no_copy()))
        return self._try(Right.DELETE, remove)

    def _no_copy(self) -> Found:
        refused = self._found[Right.SET_ASIDE].outcome is TrialResult.REFUSED
        return Found.REFUSED if refused else Found.NO

    # how it is done

    def _do(
        self,
        operation: str,
        method: str,
        key: bytes,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self._operation = operation
        return self.asker.ask(method, key, body=body, headers=headers)

    def _try(self, right: Right, act: Callable[[], str]) -> bool:
        try:
            self._works(right, act())
        except ListingError as error:
            self._note(right, explained(self._remote, self._bucket, self._operation, error))
            return False
        return True

    def _works(self, right: Right, note: str = "", number: int = 0) -> None:
        note = clean(note, limit=200)
        self._keep(RightResult(right, TrialResult.WORKS, note, number=number))

    def _note(self, right: Right, error: DiscoveryError) -> None:
        refused = isinstance(error, KeyRefusedError | DeniedError)
        expected = _UPLOADS.get(right)
        if expected is not None and error.operation not in expected:
            refused = False  # something before it was: the object may be there
        outcome = TrialResult.REFUSED if refused else TrialResult.FAILED
        self._keep(
            RightResult(
                right,
                outcome,
                error.summary,
                error.hint,
                error.code,
                operation=error.operation,
                region=error.region,
            )
        )

    def _keep(self, result: RightResult) -> None:
        self._found[result.right] = result
        self._tell(result)


def folder_of(token: str) -> str:
    """Return the folder of one test, with a final slash."""
    return f"{ARCHIVE_ROOT}/probe-{token}/"


def written_in(folder: str) -> bytes:
    """Return the key of the first object of a test."""
    return f"{folder}written.txt".encode()


def _readable(page: Page) -> bytes:
    """Return the key of the smallest object that can be read at once; empty: there is none."""
    warm = [each for each in page.entries if each.storage_class not in COLD]
    return min(((each.size, each.key) for each in warm if each.size), default=(0, b""))[1]


def _nonsense(said: str) -> ListingError:
    return ListingError(200, "", said)
