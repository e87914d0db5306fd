"""`python -m tests.support.list_only PORT OBJECTS FOLDERS CHANGED DELAY_MS`: S3 that only lists.

So many made-up objects in so many folders (0: none), of which some have other bytes than with
CHANGED 0. Pages are made once, so that what is measured is the client; a delay takes no core.
"""

import asyncio
import functools
import hashlib
import sys
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.support.program import until
from tests.support.servers import ServerProcess

PAGE = 1000
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
)


class ListOnly(ServerProcess):
    """Such a server; a bucket of any name, any key."""

    def __init__(self, objects: int, folders: int, *, changed: int = 0, delay_ms: int = 0) -> None:
        super().__init__("AKIAEXAMPLE000000001", "example-secret-0001")
        self._numbers = (objects, folders, changed, delay_ms)

    def requests(self) -> int:
        """Return how often it was asked for a listing."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.endpoint}/count", timeout=10) as answer:
            return int(answer.read())

    def _wait_until_it_answers(self) -> None:
        """A million objects take a while to make."""
        until("it answers", self._answers, timeout_s=180)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.output()
        try:
            return self.requests() == 0
        except OSError:
            return False

    def _command(self) -> Sequence[str]:
        numbers = [str(number) for number in (self.port, *self._numbers)]
        return [sys.executable, "-m", "tests.support.list_only", *numbers]


@dataclass(frozen=True)
class Bucket:
    """Made-up objects, by number in the order of their keys."""

    objects: int
    folders: int
    changed: int

    def key(self, n: int) -> str:
        """Return a key."""
        folder = f"d{n * self.folders // self.objects:05}/" if self.folders else ""
        return f"photos/{folder}img_{n:08}.jpg"

    def row(self, n: int) -> str:
        """Return an object as a listing has it."""
        other = "x" if self.changed and n % (self.objects // self.changed) == 7 else ""
        etag = hashlib.md5(f"{other}{n}".encode()).hexdigest()  # noqa: S324  what S3 uses
        return (
            f"<Contents><Key>{self.key(n)}</Key>"
            "<LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag><Size>{1000 + n % 3000}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    def behind(self, key: str, *, itself: bool) -> int:
        """Return the number of the first key behind one, or of that one."""
        low, high = 0, self.objects
        while low < high:
            middle = (low + high) // 2
            found = self.key(middle)
            if found > key or (itself and found == key):
                high = middle
            else:
                low = middle + 1
        return low

    def answer(self, query: str) -> bytes:
        """Return the HTTP answer to ListObjectsV2."""
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        prefix, token = asked.get("prefix", ""), asked.get("continuation-token", "")
        begin = int(token) if token else self.behind(asked.get("start-after", ""), itself=False)
        begin = max(begin, self.behind(prefix, itself=True))
        if asked.get("delimiter"):
            return self.folders_of(prefix, asked["delimiter"], begin)
        end = self.behind(prefix + "\U0010ffff", itself=True)
        return self.page(prefix, begin, min(begin + int(asked.get("max-keys", PAGE)), end), end)

    def folder_names(self) -> list[str]:
        """Return the folders, as prefixes."""
        return sorted({self.key(n).rpartition("/")[0] + "/" for n in range(0, self.objects, PAGE)})

    @functools.lru_cache(maxsize=3000)  # noqa: B019  as long as the process
    def page(self, prefix: str, begin: int, until: int, end: int) -> bytes:
        """Return the answer that lists objects from one number to another."""
        token = str(until) if until < end else ""
        return _listing(prefix, until - begin, token, map(self.row, range(begin, until)))

    def folders_of(self, prefix: str, delimiter: str, begin: int) -> bytes:
        """Return the answer that lists folders and what is beside them, as rclone asks for it."""
        end = self.behind(prefix + "\U0010ffff", itself=True)
        rest = self.key(begin)[len(prefix) :] if begin < end else ""
        if delimiter not in rest:
            return self.page(prefix, begin, min(begin + PAGE, end), end)
        found: list[str] = []
        while begin < end and len(found) < PAGE:
            found.append(
                prefix + self.key(begin)[len(prefix) :].partition(delimiter)[0] + delimiter
            )
            begin = self.behind(found[-1] + "\U0010ffff", itself=True)
        token = str(begin) if begin < end else ""
        rows = (f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in found)
        return _listing(prefix, len(found), token, rows)


def _listing(prefix: str, count: int, token: str, rows: Iterable[str]) -> bytes:
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return _http(
        f"{_HEAD}<Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}"
        f"{''.join(rows)}</ListBucketResult>"
    )


def _http(body: str) -> bytes:
    data = body.encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class _Connection(asyncio.Protocol):
    def __init__(self, bucket: Bucket, delay_s: float, asked_for: Counter[str]) -> None:
        self._bucket, self._delay_s, self._asked_for = bucket, delay_s, asked_for
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        while b"\r\n\r\n" in self._asked:
            request, _, self._asked = self._asked.partition(b"\r\n\r\n")
            method, target, _ = request.split(b"\r\n")[0].decode().split(" ")
            asked = urllib.parse.urlsplit(target)
            answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            if asked.path == "/count":
                answer = _http(str(self._asked_for.total()))
            elif method == "GET" and asked.query:
                self._asked_for["listing"] += 1
                answer = self._bucket.answer(asked.query)
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, answer)


async def serve(port: int, objects: int, folders: int, changed: int, delay_ms: int) -> None:
    """Make every page, then listen."""
    bucket = Bucket(objects, folders, changed)
    for begin in range(0, objects, PAGE):
        bucket.page("", begin, min(begin + PAGE, objects), objects)
    for name in bucket.folder_names():
        bucket.answer(f"delimiter=/&prefix={name}")
    loop, asked_for = asyncio.get_running_loop(), Counter[str]()
    server = await loop.create_server(
        lambda: _Connection(bucket, delay_ms / 1000, asked_for), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))  # type: ignore[arg-type]
