"""Cloudflare R2 as it answers.

Sources: [api] https://developers.cloudflare.com/r2/api/s3/api/ (what is implemented, by feature),
[pricing] https://developers.cloudflare.com/r2/pricing/ (Class A and B), [tokens]
https://developers.cloudflare.com/r2/api/tokens/; reports are named where they are used.
"""

import gzip
from collections import Counter
from dataclasses import dataclass

from bucketvault.vocabulary import ProviderType
from tests.support.servers import ServerProcess
from tests.support.services.layer import BODIES, Answer, Asked, Quirk, StandIn, refused

CLASS_A = frozenset(  # [pricing]
    {
        *("ListBuckets", "CreateBucket", "ListObjects", "ListObjectsV2", "PutObject", "CopyObject"),
        *("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"),
        *("ListMultipartUploads", "ListParts", "PutBucketEncryption", "PutBucketCors"),
        "PutBucketLifecycleConfiguration",
    }
)
CLASS_B = frozenset(  # [pricing]
    {
        *("HeadBucket", "HeadObject", "GetObject", "GetBucketEncryption", "GetBucketLocation"),
        *("GetBucketCors", "GetBucketLifecycleConfiguration"),
    }
)
FREE = frozenset({"DeleteObject", "DeleteObjects", "DeleteBucket", "AbortMultipartUpload"})
CLASSES = ("STANDARD", "STANDARD_IA")


@dataclass
class GzipInChunks(Quirk):
    """Answers objects stored with Content-Encoding: gzip in chunks, without a length.

    rclone#6533 (its author on R2), rclone#8137 (the effect). `unpacks`: for a client that does not
    say it takes gzip, they are unpacked on the way, too.
    """

    unpacks: bool = False

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation != "GetObject" or answer.header("content-encoding") != "gzip":
            return
        answer.has_length = False
        if self.unpacks and "gzip" not in asked.headers.get("Accept-Encoding", ""):
            answer.body = gzip.decompress(answer.body)
            answer.headers = [p for p in answer.headers if p[0].lower() != "content-encoding"]


@dataclass
class NotImplementedHere(Quirk):
    """501 for access lists, tags, versions, locks and checksums at the end of a body.

    [api]; the words for headers: openreplay#2018 and yopass#3657 (x-amz-tagging, GetObjectTagging),
    for trailers: bitplatform#13362 (STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER).
    """

    HEADERS = (
        *("x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control", "x-amz-tagging"),
        *("x-amz-tagging-directive", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold"),
        *("x-amz-website-redirect-location", "x-amz-request-payer"),
    )
    OPERATIONS = (
        *("Acl", "Tagging", "BucketVersioning", "BucketPolicy", "ObjectLockConfiguration"),
        *("ObjectRetention", "ObjectLegalHold", "ListObjectVersions", "ObjectAttributes"),
    )

    def refuses(self, asked: Asked) -> Answer | None:
        payload = asked.headers.get("x-amz-content-sha256", "")
        if payload.startswith("STREAMING-") and payload.endswith("-TRAILER"):
            return refused(501, "NotImplemented", f"{payload} not implemented")
        if asked.operation.endswith(self.OPERATIONS):
            return refused(501, "NotImplemented", f"{asked.operation} not implemented")
        for name in self.HEADERS:
            if name in asked.headers:
                told = f"Header '{name}' with value '{asked.headers[name]}' not implemented"
                return refused(501, "NotImplemented", told)
        return None


@dataclass
class TwoClasses(Quirk):
    """Stores STANDARD and STANDARD_IA. [api]; the words are those of headers (gobackup#182)."""

    def refuses(self, asked: Asked) -> Answer | None:
        if asked.storage_class in CLASSES:
            return None
        told = f"Header 'x-amz-storage-class' with value '{asked.storage_class}' not implemented"
        return refused(501, "NotImplemented", told)


@dataclass
class ObjectToken(Quirk):
    """A token limited to objects: it may not list buckets, nor create one. [tokens]"""

    def refuses(self, asked: Asked) -> Answer | None:
        if asked.operation in ("ListBuckets", "CreateBucket", "DeleteBucket"):
            return refused(403, "AccessDenied", "Access Denied")
        return None


@dataclass
class EqualParts(Quirk):
    """Every part of an upload but the last one is of one size, of 5 MiB at least.

    https://developers.cloudflare.com/r2/objects/multipart-objects/
    """

    def __post_init__(self) -> None:
        self._sizes: dict[str, dict[int, int]] = {}

    def refuses(self, asked: Asked) -> Answer | None:
        upload = asked.query.get("uploadId", "")
        sizes = self._sizes.setdefault(upload, {})
        if asked.operation in BODIES and upload:
            number = int(asked.query["partNumber"])
            sizes[number] = int(asked.headers.get("Content-Length", 0))
        if asked.operation == "CompleteMultipartUpload":
            before = {size for number, size in sizes.items() if number != max(sizes)}
            if len(before) > 1:
                told = "All non-trailing parts must have the same length."
                return refused(400, "InvalidPart", told)
            if before and min(before) < 5 * 1024 * 1024:
                told = "Your proposed upload is smaller than the minimum allowed object size."
                return refused(400, "EntityTooSmall", told)
        return None


class R2(StandIn):
    """Cloudflare R2. More quirks to choose: `ObjectToken()`, `GzipInChunks(unpacks=True)`."""

    provider_type = ProviderType.CLOUDFLARE_R2
    # "auto"; an empty one and us-east-1 stand for it [api]
    signed_for = ("auto", "us-east-1")
    key = ("0123456789abcdef0123456789abcdef", "r2-example-secret-0001")

    def __init__(self, behind: ServerProcess, *quirks: Quirk) -> None:
        usual = (NotImplementedHere(), TwoClasses(), EqualParts(), GzipInChunks())
        super().__init__(behind, *quirks, *usual)

    @property
    def classes(self) -> Counter[str]:
        """Requests so far by what they cost: "A", "B" and "free"."""
        found: Counter[str] = Counter()
        for operation, count in self.operations.items():
            kind = "A" if operation in CLASS_A else "B" if operation in CLASS_B else "free"
            found[kind] += count
        return found

    def unknown_key(self, key: str) -> str:
        return "Unauthorized"  # from memory

    def wrong_region(self, region: str) -> Answer:
        # [api] names the regions; code and words from memory, no report was found
        told = (
            f"The region name '{region}' is not valid. Must be one of: "
            "wnam, enam, weur, eeur, apac, oc, auto"
        )
        return refused(400, "InvalidRegionName", told)
