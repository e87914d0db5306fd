"""Ask a bucket for more than its listing: settings, single objects, uploads; each answer strict.

An answer counts only if it is what S3 sends to that question: a web page with status 200 does not.
"""

import base64
import contextlib
import email.message
import email.utils
import hashlib
import http.client
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bucketvault.engine.domain.services import service_of
from bucketvault.engine.listing.bucket import (
    DELETED,
    Bucket,
    Conversation,
    ListingError,
    said,
    whole,
)
from bucketvault.engine.listing.page import NoListingError, Page, is_declaring, read_page
from bucketvault.engine.rclone.remotes import Remote, listing_place

PATIENCE_S = 3.0  # a person waits
ANSWER_S = 15.0
_PART = (http.client.OK, http.client.PARTIAL_CONTENT)


class Answer(NamedTuple):
    """An answer: headers by their names in any case, and the body, empty for HEAD."""

    headers: email.message.Message
    body: bytes


class Asker(Conversation):
    """Asks one thing after another over one connection; every question may be asked twice."""

    def __init__(
        self,
        bucket: Bucket,
        halt: Callable[[], None] = lambda: None,
        *,
        patience_s: float = PATIENCE_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        super().__init__(bucket, patience_s=patience_s, answer_s=answer_s)
        self._halt = halt  # called before each try; what it raises ends the question

    def ask(
        self,
        method: str,
        key: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer about one object, without `key` about the bucket. Raises ListingError.

        Names of `headers` that S3 wants signed, `x-amz-...`, are in small letters.
        """
        partly = headers is not None and "Range" in headers
        expected = _PART if partly else DELETED if method == "DELETE" else (http.client.OK,)
        if method == "PUT" and body:  # a bucket with Object Lock takes nothing without a checksum
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            headers = {"Content-MD5": base64.b64encode(digest).decode(), **(headers or {})}

        def once() -> Answer:
            self._halt()
            answer = self._answer(
                query or {}, key, method=method, body=body, headers=headers, expected=expected
            )
            return Answer(answer.headers, whole(answer))

        return self._patiently(once)

    def document(
        self,
        roots: str,
        method: str = "GET",
        key: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> ET.Element:
        """Return the document that was answered, one of `roots`; its names without a namespace.

        Raises ListingError, also for a failure that came with status 200, as that of a copy may
        (docs.aws.amazon.com: CopyObject), and for anything else than such a document.
        """
        answer = self.ask(method, key, query=query, body=body, headers=headers)
        code, text = said(answer.body)
        if code:
            raise ListingError(200, code, text)
        try:
            return _read(answer.body, roots.split())
        except NoListingError as error:
            raise ListingError(200, "", f"deserialization failed: {error.summary}") from error

    def page(self, prefix: str, query: Mapping[str, str] | None = None) -> Page:
        """Return the first page of the objects below a prefix.

        With `delimiter` in `query` what lies deeper comes as folders. Raises ListingError, also for
        anything but a listing.
        """
        asked = {"encoding-type": "url", "list-type": "2", "prefix": prefix} | dict(query or {})
        try:
            body = self.ask("GET", query=asked).body
            return read_page(body, prefix, grouped="delimiter" in asked)
        except NoListingError as error:
            raise ListingError(200, "", f"deserialization failed: {error.summary}") from error

    def clock_ahead_s(self) -> float | None:
        """Return by how much the service's clock is ahead of ours, to the second; None: not told.

        Of the newest answer, also of a refusal.
        """
        with contextlib.suppress(ValueError):
            return email.utils.parsedate_to_datetime(self.date).timestamp() - time.time()
        return None


def bucket_at(remote: Remote, name: str) -> Bucket:
    """Return a bucket as it is asked for; without a name: the account.

    Raises BucketvaultError where the remote misses something.
    """
    service = service_of(remote.provider_type, remote.endpoint)
    return Bucket(
        *listing_place(remote),
        name,
        remote.access_key_id,
        remote.secret_access_key,
        host_style=service.host_style and name != "",
    )


def _read(body: bytes, roots: Sequence[str]) -> ET.Element:
    if is_declaring(body):
        raise NoListingError("The response is not valid S3.")
    try:
        # `CompleteMultipartUpload` may send blanks first, to keep the connection
        found = ET.fromstring(body.strip())  # noqa: S314  nothing is declared in it
    except ET.ParseError as error:
        raise NoListingError("The response is not valid S3.") from error
    for each in found.iter():
        each.tag = each.tag.rpartition("}")[2]
    if found.tag not in roots:
        raise NoListingError(f"The response is not a {roots[0]}.")
    return found
