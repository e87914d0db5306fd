"""A service as it is seen from outside: a layer of quirks before a real S3 server.

The server behind is moto: it keeps headers, metadata, storage classes, parts and versions as they
were sent, which `rclone serve s3` and SeaweedFS do not. What a service does otherwise is a `Quirk`.
"""

import re
import socket
import ssl
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from xml.sax.saxutils import escape

from bucketvault.vocabulary import ProviderType
from tests.support.servers import ServerProcess, s3_client
from tests.support.wrong_answers import LyingHandler, LyingProxy

_OF_BUCKET = {  # query parameters that make a request another one than a listing, and its name
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "object-lock": "ObjectLockConfiguration",
    "policy": "BucketPolicy",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}
_OF_OBJECT = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
}
WRITES = frozenset({"PutObject", "CreateMultipartUpload", "CopyObject"})  # of a whole object
BODIES = frozenset({"PutObject", "UploadPart"})  # that bring bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as S3 understands it."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Message

    @classmethod
    def of(cls, method: str, path: str, headers: Message) -> "Asked":
        """Take a path-style request apart."""
        place, _, query = path.partition("?")
        bucket, _, key = place.removeprefix("/").partition("/")
        parts = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        unquoted = (urllib.parse.unquote(part, errors="surrogateescape") for part in (bucket, key))
        return cls(method, *unquoted, parts, headers)

    @property
    def operation(self) -> str:
        """S3's name for it."""
        if not self.bucket:
            return "ListBuckets"
        verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}.get(self.method, "")
        names = _OF_OBJECT if self.key else _OF_BUCKET
        if named := next((name for part, name in names.items() if part in self.query), ""):
            return verb + named
        return self._of_object() if self.key else self._of_bucket()

    def _of_object(self) -> str:
        copied = "x-amz-copy-source" in self.headers
        if "uploadId" in self.query:
            part = "UploadPartCopy" if copied else "UploadPart"
            by_method = {"GET": "ListParts", "POST": "CompleteMultipartUpload", "PUT": part}
            return by_method.get(self.method, "AbortMultipartUpload")
        if self.method == "POST":
            return "CreateMultipartUpload" if "uploads" in self.query else "RestoreObject"
        if self.method == "PUT":
            return "CopyObject" if copied else "PutObject"
        return {"GET": "GetObject", "HEAD": "HeadObject"}.get(self.method, "DeleteObject")

    def _of_bucket(self) -> str:
        if self.method == "GET":
            if "uploads" in self.query:
                return "ListMultipartUploads"
            if "versions" in self.query:
                return "ListObjectVersions"
            return "ListObjectsV2" if self.query.get("list-type") == "2" else "ListObjects"
        by_method = {"PUT": "CreateBucket", "HEAD": "HeadBucket", "POST": "DeleteObjects"}
        return by_method.get(self.method, "DeleteBucket")

    @property
    def signer(self) -> tuple[str, str]:
        """The access key id and the region of its signature; empty without one."""
        signed = self.query.get("X-Amz-Credential") or self.headers.get("Authorization", "")
        found = re.search(r"([^\s=/]+)/\d{8}/([^/]*)/s3/aws4_request", signed)
        return (found[1], found[2]) if found else ("", "")

    @property
    def storage_class(self) -> str:
        return self.headers.get("x-amz-storage-class", "STANDARD")


@dataclass
class Answer:
    """An answer that may be changed before it is sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    has_length: bool = True  # else it comes in chunks

    def header(self, name: str) -> str:
        """Return the header of that name; empty: none."""
        return next((v for known, v in self.headers if known.lower() == name.lower()), "")

    def set(self, name: str, value: str) -> None:
        """Give it this header instead of any of that name."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        self.headers.append((name, value))


def refused(status: int, code: str, message: str, **more: str) -> Answer:
    """Return an error as S3 words it; `more` are further elements, such as Region."""
    told = {"Code": code, "Message": message, **more}
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in told.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'
    return Answer(status, [("Content-Type", "application/xml")], text.encode())


@dataclass
class Quirk:
    """Something a service does otherwise; `bucket`: only in this one."""

    bucket: str = field(default="", kw_only=True)

    def refuses(self, asked: Asked) -> Answer | None:
        """Return the answer that ends it, or None to let it go on."""
        return None

    def changes(self, asked: Asked, answer: Answer) -> None:
        """Change what the server behind answers."""


class StandIn(LyingProxy):
    """A service before a moto: `quirks` are asked in their order, and may be changed at any time.

    Used as a server is: `endpoint`, `access_key_id`, `secret_access_key`, `provider_type`, `region`
    and `client()`, which sees past the quirks what is really stored; `guest()` meets them as anyone
    does. `operations` counts what came through by S3's names. `lies` still work, and come first.
    """

    provider_type: ProviderType
    region = ""  # as it is entered at a Provider
    signed_for: tuple[str, ...] = ()  # regions that a signature may name; empty: any
    key = ("", "")

    def __init__(self, behind: ServerProcess, *quirks: Quirk) -> None:
        super().__init__(behind.endpoint)
        self.RequestHandlerClass = StandInHandler
        self.behind = behind
        self.access_key_id, self.secret_access_key = self.key
        self.quirks = [*quirks]
        self.operations: Counter[str] = Counter()
        self._tls: ssl.SSLContext | None = None
        self._client: Any = None
        self._met: set[str] = set()
        self._meeting = threading.Lock()

    def client(self) -> Any:
        """A boto3 client that sees what is stored, whatever the service says."""
        if self._client is None:  # made once: it takes longer than most of its requests
            self._client = self.behind.client()
        return self._client

    def guest(self, region: str = "") -> Any:
        """A boto3 client that comes as anyone does, with the service's key."""
        named = region or self.region or next(iter(self.signed_for), "us-east-1")
        return s3_client(self.endpoint, *self.key, region=named)

    def answer(self, asked: Asked, ask: Callable[[], Answer]) -> Answer:
        """Answer a request; `ask` has the server behind do it."""
        with self._rules_lock:
            self.operations[asked.operation] += 1
        quirks = [quirk for quirk in self.quirks if quirk.bucket in ("", asked.bucket)]
        if (told := self.refuses(asked)) is not None:
            return told
        for quirk in quirks:
            if (told := quirk.refuses(asked)) is not None:
                return told
        self._meet(asked.bucket)
        told = ask()
        for quirk in quirks:
            quirk.changes(asked, told)
        return told

    def refuses(self, asked: Asked) -> Answer | None:
        """Refuse a key or a region that is not the service's."""
        signer, region = asked.signer
        if signer and signer != self.access_key_id:
            return refused(403, "InvalidAccessKeyId", self.unknown_key(signer))
        if region and self.signed_for and region not in self.signed_for:
            return self.wrong_region(region)
        return None

    def unknown_key(self, key: str) -> str:
        """Return what is said of a key that is not known."""
        return "The AWS Access Key Id you provided does not exist in our records."

    def wrong_region(self, region: str) -> Answer:
        """Return the answer to a request that is signed for another region."""
        raise NotImplementedError

    def move_to(self, address: str, port: int, tls: ssl.SSLContext) -> None:
        """Listen there instead, by TLS; before it is started."""
        self.socket.close()
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_address = (address, port)
        self.server_bind()
        self.server_activate()
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        with self._tls.wrap_socket(request, server_side=True) as inside:
            self.watch(inside)  # the one below is empty from now on
            super().finish_request(inside, client_address)
            self.forget(inside)

    def prepare(self, bucket: str) -> None:
        """Set up what every bucket of the service has, before the first request for it."""

    def _meet(self, bucket: str) -> None:
        if not bucket:
            return
        with self._meeting:
            if bucket not in self._met and self._is_there(bucket):
                self.prepare(bucket)
                self._met.add(bucket)

    def _is_there(self, bucket: str) -> bool:
        return bucket in {found["Name"] for found in self.client().list_buckets()["Buckets"]}


class StandInHandler(LyingHandler):
    """One connection of a `StandIn`."""

    server: StandIn

    def pass_on(self) -> None:
        host = self.headers.get("Host", "")
        if named := re.fullmatch(r"(.+)\.s3\.[a-z0-9-]+\.amazonaws\.com", host):
            self.path = f"/{named[1]}{self.path}"  # as if the bucket stood in the path
        super().pass_on()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = pass_on  # noqa: N815  their names

    def _forward(self, body: Iterator[bytes]) -> None:
        sent = b"".join(body)
        asked = Asked.of(self.command, self.path, self.headers)
        answer = self.server.answer(asked, lambda: self._asked_behind(asked, sent))
        self._say(answer)

    def _asked_behind(self, asked: Asked, sent: bytes) -> Answer:
        # moto is in us-east-1, and makes no bucket elsewhere; it checks no signature.
        if signed := self.headers.get("Authorization"):
            signed = re.sub(r"/[^/]*/s3/aws4_request", "/us-east-1/s3/aws4_request", signed)
            self.headers.replace_header("Authorization", signed)
        del self.headers["Host"]  # it would take the region from Amazon's name, too
        self.headers["Host"] = self.server.upstream
        sent = b"" if asked.operation == "CreateBucket" else sent
        del self.headers["Content-Length"]
        self.headers["Content-Length"] = str(len(sent))
        response, body = self.ask(sent)
        return Answer(response.status, response.getheaders(), body)

    def _say(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        is_head = self.command == "HEAD"
        length = answer.header("content-length") if is_head else str(len(answer.body))
        if not answer.has_length:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status != 204:
            self.send_header("Content-Length", length or "0")
        self.end_headers()
        if is_head or answer.status in (204, 304):
            return
        if answer.has_length:
            self.wfile.write(answer.body)
        else:
            chunk = b"%x\r\n%s\r\n" % (len(answer.body), answer.body) if answer.body else b""
            self.wfile.write(chunk + b"0\r\n\r\n")
