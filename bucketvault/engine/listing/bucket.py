"""Ask one bucket over the network: signed requests, patience with a service that is away.

The standard library alone. No proxy, no redirect to another host, certificates verified. An answer
is read by `page.read_page`, which takes nothing but a listing.
"""

import datetime as dt
import hashlib
import hmac
import http.client
import random
import re
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from bucketvault.engine import peers
from bucketvault.engine.listing.page import Entry, NoListingError, Page, read_page
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import Json

T = TypeVar("T")

PATIENCE_S = 150.0  # how long a service may be away, counted from its last good answer
ODD_ANSWERS = 3  # how often something that is no listing is asked for again
ANSWER_S = 60.0  # for one read of an answer
LONGEST_PAUSE_S = 10.0
LONGEST_ANSWER_BYTES = 16 * 1024 * 1024  # a page of the longest keys, URL-encoded, is under 4 MiB
PAGE_KEYS = 1000  # S3 gives no more
FEW_KEYS = 10  # where one is looked for: `photo-1` may be followed by `photo-10`
DELETED = (http.client.OK, http.client.NO_CONTENT)  # S3 says the second, some services the first

# While a page is read it takes several times what it leaves, and threads share one core anyway.
_one_at_a_time = threading.Lock()

# Codes of S3 that another try may change although their status does not say so. (Amazon's list of
# error responses; RequestTimeout comes with 400)
_PASSING = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"}
_OF_AMAZON = re.compile(r"s3\.[a-z0-9-]+\.(amazonaws\.com(?:\.cn)?)")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, where it is asked for, and the key to it."""

    endpoint: str  # https://host[:port] or http://...
    region: str
    name: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    host_style: bool = False  # asked for as https://BUCKET.host instead of https://host/BUCKET

    @property
    def server(self) -> str:
        """Scheme, host and port that are asked."""
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{self.name}.{host}" if self.host_style else self.endpoint


class ListingError(BucketvaultError):
    """The bucket could not be looked at; it is not known to be empty.

    `status` is HTTP's, 0 without an answer; `code` S3's, empty where there is none; `summary` what
    was said; `region` where the bucket is, if the answer names it. The first three are the parts
    of one of rclone's messages, too (`rclone.errors.Fault`), and are explained by the same table.
    """

    def __init__(self, status: int, code: str, said: str, region: str = "") -> None:
        super().__init__(said)
        self.status, self.code, self.region = status, code, region

    @property
    def parts(self) -> Json:
        """Return what tells why, by name."""
        told = {"status": self.status, "code": self.code, "said": self.summary}
        return told | ({"region": self.region} if self.region else {})


class Conversation:
    """One question after another over one connection; one instance, one thread."""

    def __init__(
        self, bucket: Bucket, *, patience_s: float = PATIENCE_S, answer_s: float = ANSWER_S
    ) -> None:
        self._bucket = bucket
        self._patience_s, self._answer_s = patience_s, answer_s
        self._connection: http.client.HTTPConnection | None = None
        self._good_at = time.monotonic()
        self._moved = False  # to the region that Amazon named; two may name each other
        self.requests = 0
        self.date = ""  # of the newest answer, as the service's clock had it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Return what `ask` does, however often it takes while the service may come back."""
        odd, pause_s = 0, 0.25
        self._good_at = time.monotonic()
        while True:
            try:
                found = ask()
            except NoListingError as error:
                odd += 1
                last = ListingError(200, "", error.summary)
                if odd >= ODD_ANSWERS:
                    raise last from error
            except ssl.SSLCertVerificationError as error:
                raise ListingError(0, "", f"x509: {error.verify_message}") from error
            except peers.LinkLocalError as error:
                raise ListingError(0, "", str(error.strerror)) from error
            except (OSError, http.client.HTTPException) as error:
                last = ListingError(0, "", f"{type(error).__name__}: {error}")
            except ListingError as error:
                if self._is_elsewhere(error):
                    continue
                if not may_pass(error):
                    raise
                last = error
            else:
                return found
            self.close()
            if time.monotonic() - self._good_at > self._patience_s:
                raise last
            apart = random.uniform(0.5, 1.0)  # noqa: S311  from others that ask the same service
            time.sleep(pause_s * apart)  # between two tries, until the service may be back
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _answer(
        self,
        query: Mapping[str, str],
        key: bytes = b"",
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        expected: tuple[int, ...] = (http.client.OK,),
    ) -> http.client.HTTPResponse:
        """Return the answer about the bucket, or about one object, before its body is read."""
        if self._connection is None:
            self._connection = _connect(self._bucket.server, self._answer_s)
        now = dt.datetime.now(dt.UTC)
        path, all_headers = signed(
            self._bucket, query, now, key, method=method, body=body, headers=headers
        )
        self.requests += 1
        self._connection.request(method, path, body or None, all_headers)
        answer = self._connection.getresponse()
        self.date = answer.getheader("Date") or ""
        if answer.status in expected:
            return answer
        body = whole(answer)
        code, text = said(body)
        region = answer.getheader("x-amz-bucket-region") or _tag(body, "Region")
        raise ListingError(answer.status, code, text or answer.reason, region)

    def _is_elsewhere(self, error: ListingError) -> bool:
        """True once Amazon has named another region than the one that was asked, and it is set."""
        amazon = _OF_AMAZON.fullmatch(urllib.parse.urlsplit(self._bucket.endpoint).netloc)
        named = re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", error.region) is not None
        if self._moved or amazon is None or not named or error.region == self._bucket.region:
            return False
        self._moved = True
        endpoint = f"https://s3.{error.region}.{amazon[1]}"
        self._bucket = replace(self._bucket, endpoint=endpoint, region=error.region)
        self.close()
        return True


class Lister(Conversation):
    """Asks for one page of a listing after another."""

    answered_in_s = 0.0  # how long the newest page was waited for

    def __init__(self, bucket: Bucket, *, patience_s: float = PATIENCE_S) -> None:
        super().__init__(bucket, patience_s=patience_s)
        self._family = [self]  # of the same listing

    @property
    def all_requests(self) -> int:
        """How many requests it made, and those that `another` gave."""
        return sum(each.requests for each in self._family)

    def entries(
        self, prefix: str = "", on_page: Callable[[int], None] = lambda count: None
    ) -> Iterator[Entry]:
        """Yield every object below `prefix`, in the order in which the service lists them.

        `on_page` gets the number of objects of each page as it comes. Raises ListingError.
        """
        with self:
            for page in self.pages(prefix):
                on_page(len(page.entries))
                yield from page.entries

    def pages(
        self, prefix: str = "", after: str = "", first_keys: int = PAGE_KEYS
    ) -> Iterator[Page]:
        """Yield the pages below `prefix`; from behind the key `prefix + after` on, if given.

        The first page of them has `first_keys` at most. Raises ListingError.
        """
        query = {
            "encoding-type": "url",
            "list-type": "2",
            "max-keys": str(first_keys),
            "prefix": prefix,
        }
        if after:
            query["start-after"] = prefix + after
        tokens: set[bytes] = set()
        while True:
            page = self._page(query, prefix)
            token = page.token
            yield page
            del page  # its objects are not kept while the next one is waited for
            if token is None:
                return
            # 16 bytes a page: a million tokens, a billion objects, are 50 MB
            mark = hashlib.sha256(token.encode()).digest()[:16]
            if mark in tokens:
                raise ListingError(
                    200, "", "The service sent the same page twice: this listing never ends."
                )
            tokens.add(mark)
            query.pop("start-after", None)  # the token alone says where it goes on
            query |= {"continuation-token": token, "max-keys": str(PAGE_KEYS)}

    def first_page(self, prefix: str) -> Page:
        """Return the first few objects whose keys begin with `prefix`. Raises ListingError."""
        query = {
            "encoding-type": "url",
            "list-type": "2",
            "max-keys": str(FEW_KEYS),
            "prefix": prefix,
        }
        return self._page(query, prefix)

    def _page(self, query: Mapping[str, str], prefix: str) -> Page:
        def ask() -> Page:
            begun = time.monotonic()
            body = whole(self._answer(query))
            self.answered_in_s = time.monotonic() - begun
            with _one_at_a_time:
                return read_page(body, prefix)

        return self._patiently(ask)

    def another(self) -> "Lister":
        """Return one of the same bucket, for another thread."""
        other = Lister(self._bucket, patience_s=self._patience_s)
        other._family = self._family
        self._family.append(other)
        return other


def may_pass(error: ListingError) -> bool:
    """True if another try may go better: the service is away or busy."""
    away = error.status in (0, 408, 429) or error.status >= 500
    return (away and error.status != 501) or error.code in _PASSING  # 501: it lacks the question


def _connect(endpoint: str, answer_s: float) -> http.client.HTTPConnection:
    parts = urllib.parse.urlsplit(endpoint)
    made = http.client.HTTPConnection(parts.netloc, timeout=answer_s)
    if parts.scheme == "https":
        verified = ssl.create_default_context()
        made = http.client.HTTPSConnection(parts.netloc, timeout=answer_s, context=verified)
    made._create_connection = peers.connect  # type: ignore[attr-defined]  # noqa: SLF001
    return made


def whole(answer: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer that is not an object. Raises NoListingError, OSError.

    A limit for single reads would never end an answer that drips."""
    body, until = bytearray(), time.monotonic() + 2 * ANSWER_S
    while chunk := answer.read1(64 * 1024):
        body += chunk
        if len(body) > LONGEST_ANSWER_BYTES:
            raise NoListingError("The response is longer than a page of a listing can be.")
        if time.monotonic() > until:
            raise TimeoutError("The response did not end in time.")
    if answer.length:  # `read1` is silent where the connection broke before the announced length
        raise http.client.IncompleteRead(bytes(body), answer.length)
    answer.close()  # nor does it end the answer at that length, and the connection takes no other
    return bytes(body)


def said(body: bytes) -> tuple[str, str]:
    """Return code and message of an S3 error; empty where the body is something else."""
    return (_tag(body, "Code"), _tag(body, "Message")) if b"<Error>" in body else ("", "")


def _tag(body: bytes, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), body[:65536])
    return found[1].decode("utf-8", "replace")[:1000] if found else ""


# ---- AWS Signature Version 4 (docs.aws.amazon.com: "Create a signed AWS API request")


def signed(
    bucket: Bucket,
    query: Mapping[str, str],
    now: dt.datetime,
    key: bytes = b"",
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> tuple[str, dict[str, str]]:
    """Return path and headers of a request about the bucket, or one object, signed at `now`.

    Those of `headers` that S3 wants signed, `x-amz-...` in small letters, are.
    """
    inside = "" if bucket.host_style else "/" + urllib.parse.quote(bucket.name, safe="-_.~")
    # the key as it is, `//` and `..` included: S3 knows no folders
    path = f"{inside}/{urllib.parse.quote(key, safe='-_.~/')}" if key else inside or "/"
    text = "&".join(
        f"{urllib.parse.quote(name, safe='-_.~')}={urllib.parse.quote(value, safe='-_.~')}"
        for name, value in sorted(query.items())
    )
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{bucket.region}/s3/aws4_request"
    host = urllib.parse.urlsplit(bucket.server).netloc
    content = hashlib.sha256(body).hexdigest()
    others = dict(headers or {})
    ours = {"host": host, "x-amz-content-sha256": content, "x-amz-date": stamp}
    ours |= {name: others.pop(name) for name in tuple(others) if name.startswith("x-amz-")}
    names = ";".join(sorted(ours))
    lines = "".join(f"{name}:{ours[name].strip()}\n" for name in sorted(ours))
    canonical = f"{method}\n{path}\n{text}\n{lines}\n{names}\n{content}"
    key = f"AWS4{bucket.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    ours["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={bucket.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return f"{path}?{text}" if text else path, others | ours
