"""Read an object from its first byte to its last, and keep nothing of it but its hashes."""

import email.utils
import hashlib
import http.client
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from bucketvault.engine.listing import headers
from bucketvault.engine.listing.bucket import ANSWER_S, Conversation, ListingError

CHUNK = 256 * 1024
LEAST_BYTES_A_SECOND = 16 * 1024  # an object that drips slower than that is given up
STREAMS = 5  # how often one object is begun again

# An object that was uploaded whole has the MD5 of its bytes as ETag; one in parts has a dash.
MD5 = re.compile(r"[0-9a-f]{32}")


class Digest(NamedTuple):
    """One object as it was read. `modified` is UTC, ISO 8601, empty where it was not told."""

    size: int  # bytes
    sha256: str
    etag: str  # without quotes
    modified: str
    is_intact: bool | None = None  # its bytes are, or are not, those of its ETag; None: no telling
    stored: Mapping[str, str] = MappingProxyType({})  # with it: see `headers`


class Reader(Conversation):
    """Reads one object after another over one connection."""

    def digest(
        self,
        key: bytes,
        on_bytes: Callable[[int], None] = lambda count: None,
        *,
        size: int | None = None,
        thorough: bool = False,
    ) -> Digest:
        """Read the object `key` of the bucket, and return what it is.

        `on_bytes` gets the length of each part as it comes, also of those that come again, and may
        block. `size` is that of the listing: a service that packs on the way is asked for what is
        stored.
        `thorough`: of one that was uploaded in parts, work out its ETag, too, where that succeeds.
        Raises ListingError; its status is 404 where the object is gone.
        """
        streams = 0

        def once() -> Digest:
            nonlocal streams
            # An object that was stored packed comes as it is stored only to who says that it may
            # come packed (Cloudflare R2); rclone asks so, too. It is never unpacked here.
            answer = self._answer({}, key, headers={"Accept-Encoding": "gzip"})
            try:
                found = self._streamed(answer, on_bytes, size if thorough else None)
                if size not in (None, found.size) and answer.getheader("Content-Encoding"):
                    plain = self._answer({}, key, headers={"Accept-Encoding": "identity"})
                    found = self._streamed(plain, on_bytes, size if thorough else None)
            except (OSError, http.client.HTTPException) as error:
                streams += 1
                if streams == STREAMS:
                    said = f"Reading the object broke off {STREAMS} times: {error}"
                    raise ListingError(200, "", said) from error
                raise
            return found

        return self._patiently(once)

    def size_of(self, key: bytes) -> int:
        """Return the size of the object that is stored under a name, whatever listings say.

        Raises ListingError; its status is 404 where there is none.
        """

        def once() -> int:
            answer = self._answer({}, key, method="HEAD", headers={"Accept-Encoding": "gzip"})
            answer.close()  # it has no body
            return int(answer.getheader("Content-Length") or 0)

        return self._patiently(once)

    def _streamed(
        self,
        answer: http.client.HTTPResponse,
        on_bytes: Callable[[int], None],
        whole: int | None,  # bytes; None: parts do not matter
    ) -> Digest:
        etag = (answer.getheader("ETag") or "").removeprefix("W/").strip('"')
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        in_parts = [] if whole is None else [_Parts(each) for each in part_sizes(etag, whole)]
        size, began = 0, time.monotonic()
        while chunk := answer.read1(CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            for each in in_parts:
                each.update(chunk)
            size += len(chunk)
            came_at = time.monotonic()
            on_bytes(len(chunk))
            self._good_at = time.monotonic()
            began += self._good_at - came_at  # it may hold us down, which is not the object's fault
            # reads have a limit each, which one byte a minute would never meet
            if self._good_at - began > 2 * ANSWER_S + size / LEAST_BYTES_A_SECOND:
                raise TimeoutError("The object did not arrive in time.")
        if answer.length:  # `read1` is silent where the connection broke before that length
            raise http.client.IncompleteRead(b"", answer.length)
        answer.close()  # nor does it end the answer there, and the connection takes no other
        by_kms = (answer.getheader("x-amz-server-side-encryption") or "").startswith("aws:kms")
        told = MD5.fullmatch(etag) and not by_kms  # with KMS it looks like one, and is none
        modified = _iso(answer.getheader("Last-Modified"))
        is_intact = etag == md5.hexdigest() if told else None
        if any(each.etag() == etag for each in in_parts):
            is_intact = True
        stored = headers.stored(answer.headers)
        return Digest(size, sha256.hexdigest(), etag, modified, is_intact, stored)


# Sizes in which clients upload parts, in MiB; rclone's and boto3's own come first.
_USUAL = (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 500, 512, 1024)
_MIB = 1024 * 1024


def part_sizes(etag: str, size: int) -> list[int]:
    """Return the sizes of parts in which an object with this ETag may have been uploaded.

    Such an ETag is the MD5 of the parts' MD5s, a dash, and how many there are. How long they were
    is not said: only that it fits is a proof, and that it does not is none.
    """
    number = re.fullmatch(r"[0-9a-f]{32}-([1-9][0-9]{0,4})", etag)
    if number is None or not size:
        return []
    count = int(number[1])
    smallest = -(-size // count // _MIB) * _MIB  # a large object has parts of any whole MiB
    usual = [each * _MIB for each in _USUAL]
    fitting = [each for each in (*usual, smallest) if -(-size // each) == count]
    return list(dict.fromkeys(fitting))[:4]


class _Parts:
    """Works out the ETag of an object that was uploaded in parts of one size."""

    def __init__(self, part: int) -> None:
        self._part = part
        self._left = part
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._whole = hashlib.md5(usedforsecurity=False)
        self._count = 0

    def update(self, chunk: bytes) -> None:
        while chunk:
            here, chunk = chunk[: self._left], chunk[self._left :]
            self._md5.update(here)
            self._left -= len(here)
            if not self._left:
                self._close()

    def _close(self) -> None:
        self._whole.update(self._md5.digest())
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._left = self._part
        self._count += 1

    def etag(self) -> str:
        if self._left < self._part:
            self._close()
        return f"{self._whole.hexdigest()}-{self._count}"


def _iso(date: str | None) -> str:
    try:
        return email.utils.parsedate_to_datetime(date or "").strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
