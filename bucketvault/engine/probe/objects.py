"""Write a few objects, and look what the service makes of them: hashes, classes, parts."""

import gzip
import hashlib
from collections.abc import Iterator

from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.probe.bucket_settings import found_in
from bucketvault.engine.probe.results import About, Finding, Found
from bucketvault.sanitize import clean

_PACKED = gzip.compress(b"bucketvault tests if this comes as it was stored.\n" * 4, mtime=0)


def hashed(asker: Asker, folder: str) -> Iterator[Finding]:
    """Yield what an object that was written whole has for hash, encryption and class.

    With SSE-KMS, and where a service encrypts in another way of its own, the ETag is no MD5.
    """
    key = f"{folder}hash".encode()
    body = folder.encode()
    told = asker.ask("PUT", key, body=body).headers
    etag = (told.get("ETag") or "").strip('"')
    is_md5 = etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
    yield Finding(About.MD5, Found.YES if is_md5 else Found.NO)
    headers = asker.ask("HEAD", key).headers
    algorithm = told.get("x-amz-server-side-encryption") or headers.get(
        "x-amz-server-side-encryption"
    )
    if algorithm:  # seen is more than what the settings said
        yield Finding(About.ENCRYPTION, Found.YES, text=clean(algorithm, limit=40))
    name = headers.get("x-amz-storage-class") or "STANDARD"  # left out for that one
    yield Finding(About.STORAGE_CLASS, Found.YES, text=clean(name, limit=40))


def decoded(asker: Asker, folder: str) -> Iterator[Finding]:
    """Yield if an object that is stored packed comes unpacked (reported of R2: rclone#8531)."""
    key = f"{folder}packed".encode()
    asker.ask("PUT", key, body=_PACKED, headers={"Content-Encoding": "gzip"})
    read = asker.ask("GET", key, headers={"Accept-Encoding": "gzip"}).body  # as rclone asks
    as_stored = read == _PACKED
    yield Finding(About.DECODES, Found.NO if as_stored else Found.YES)


def in_parts(asker: Asker, folder: str) -> Iterator[Finding]:
    """Yield if objects can be uploaded in parts, and such an upload can be given up."""
    key = f"{folder}parts".encode()
    try:
        upload = _begin(asker, key)
        asker.ask("DELETE", key, query={"uploadId": upload})
        upload = _begin(asker, key)
        tag = asker.ask("PUT", key, query={"partNumber": "1", "uploadId": upload}, body=b"part")
        part = f"<Part><PartNumber>1</PartNumber><ETag>{tag.headers.get('ETag')}</ETag></Part>"
        whole = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        root = "CompleteMultipartUploadResult"
        asker.document(root, "POST", key, query={"uploadId": upload}, body=whole)
    except ListingError as error:
        if not error.status:
            raise
        found = found_in(error)
        found = Found.NO if found in (Found.NOT_THERE, Found.UNKNOWN) else found
        yield Finding(About.PARTS, found, code=clean(f"{error.status} {error.code}", limit=100))
    else:
        yield Finding(About.PARTS, Found.YES)


def _begin(asker: Asker, key: bytes) -> str:
    # the second name is that of `rclone serve s3`
    names = "InitiateMultipartUploadResult InitiateMultipartUpload"
    told = asker.document(names, "POST", key, query={"uploads": ""}).findtext("UploadId")
    if not told:
        raise ListingError(200, "", "The response names no upload.")
    return told
