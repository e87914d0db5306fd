"""Amazon S3 as it answers.

Sources: [errors] https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, [put]
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, [object]
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html (what an ETag is), [meta]
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html, [keys]
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html; reports where they are used.
What is archived (GLACIER, DEEP_ARCHIVE) moto itself refuses as Amazon does: `InvalidObjectState`
to a GET, `ObjectNotInActiveTierError` to a copy.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, field

from bucketvault.vocabulary import ProviderType
from tests.support.servers import ServerProcess
from tests.support.services.layer import BODIES, WRITES, Answer, Asked, Quirk, StandIn, refused

REGION = "eu-central-1"
KMS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LONGEST_KEY = 1024  # bytes of UTF-8 [keys]
LARGEST_METADATA = 2048  # bytes, names and values together [meta]


@dataclass
class SseKms(Quirk):
    """Encrypted by a key service: its ETags look like MD5s and are none ([object]; rclone#1824).

    `since_now`: what is there already keeps its ETags, as when it is switched on later.
    """

    known: frozenset[str] = frozenset()  # ETags from before
    told: set[str] = field(default_factory=set)  # what looked like an MD5

    def etag(self, real: str) -> str:
        """Return what is said instead of the MD5."""
        bare = real.strip('"').removeprefix("&quot;").removesuffix("&quot;")
        if bare in self.known or "-" in bare:  # parts have none anyway
            return real
        salted = f"kms {self.bucket} {bare}"  # no two buckets have the same
        other = hashlib.md5(salted.encode()).hexdigest()  # noqa: S324  as Amazon's looks
        self.told.add(other)
        return real.replace(bare, other)

    def changes(self, asked: Asked, answer: Answer) -> None:
        if answer.status >= 300:
            return
        # a part's comes back when the upload is completed, and moto has to know it
        if asked.operation != "UploadPart" and (real := answer.header("etag")):
            answer.set("ETag", self.etag(real))
        if asked.operation in (*WRITES, *BODIES, "GetObject", "HeadObject"):
            answer.set("x-amz-server-side-encryption", "aws:kms")
            answer.set("x-amz-server-side-encryption-aws-kms-key-id", KMS_KEY)
        if asked.operation in ("ListObjects", "ListObjectsV2", "ListObjectVersions", "CopyObject"):
            answer.body = re.sub(
                rb"(<ETag>)([^<]*)(</ETag>)",
                lambda found: found[1] + self.etag(found[2].decode()).encode() + found[3],
                answer.body,
            )


@dataclass
class ObjectLock(Quirk):
    """A bucket with a default retention: bytes come with a checksum, versions stay.

    [put]; s3cmd#1436 and docker-volume-backup#727 have the words.
    """

    def refuses(self, asked: Asked) -> Answer | None:
        checked = any(
            name.lower() == "content-md5"
            or name.lower().startswith("x-amz-checksum-")
            or name.lower() == "x-amz-trailer"
            for name in asked.headers
        )
        if asked.operation in BODIES and not checked:
            kind = "Object" if asked.operation == "PutObject" else "Part"
            told = (
                "Content-MD5 OR x-amz-checksum- HTTP header is required for "
                f"Put {kind} requests with Object Lock parameters"
            )
            return refused(400, "InvalidRequest", told)
        if asked.operation == "DeleteObject" and "versionId" in asked.query:
            told = "Access Denied because object protected by object lock."
            return refused(403, "AccessDenied", told)
        return None


@dataclass
class Limits(Quirk):
    """Keys of 1,024 bytes and metadata of 2,048 at most ([keys], [meta], [errors])."""

    def refuses(self, asked: Asked) -> Answer | None:
        size = len(asked.key.encode("utf-8", "surrogateescape"))
        if size > LONGEST_KEY:
            more = {"Size": str(size), "MaxSizeAllowed": str(LONGEST_KEY)}
            return refused(400, "KeyTooLongError", "Your key is too long", **more)
        begin = "x-amz-meta-"
        told = {
            name.lower().removeprefix(begin): value
            for name, value in asked.headers.items()
            if name.lower().startswith(begin)
        }
        size = sum(len(name) + len(value) for name, value in told.items())
        if size > LARGEST_METADATA:
            more = {"Size": str(size), "MaxSizeAllowed": str(LARGEST_METADATA)}
            words = "Your metadata headers exceed the maximum allowed metadata size"
            return refused(400, "MetadataTooLarge", words, **more)
        return None


@dataclass
class Elsewhere(Quirk):
    """A bucket in another region than this endpoint's ([errors]: PermanentRedirect)."""

    named: str = "us-west-2"

    def refuses(self, asked: Asked) -> Answer | None:
        told = (
            "The bucket you are attempting to access must be addressed using the specified "
            "endpoint. Please send all future requests to this endpoint."
        )
        where = {"Endpoint": f"s3.{self.named}.amazonaws.com", "Bucket": asked.bucket}
        answer = refused(301, "PermanentRedirect", told, **where)
        answer.set("x-amz-bucket-region", self.named)
        return answer


class Amazon(StandIn):
    """Amazon S3 in eu-central-1. Quirks to choose, each for one `bucket`: `SseKms`, `ObjectLock`,
    `Elsewhere`."""

    provider_type = ProviderType.AMAZON_S3
    region = REGION
    signed_for = (REGION,)
    key = ("AKIAAMAZONEXAMPLE01", "amazon-example-secret-0001")

    def __init__(self, behind: ServerProcess, *quirks: Quirk) -> None:
        super().__init__(behind, *quirks, Limits())

    def refuses(self, asked: Asked) -> Answer | None:
        sent = base64.b64decode(asked.headers.get("Content-MD5", "")).hex()
        kms = (quirk for quirk in self.quirks if isinstance(quirk, SseKms))
        if any(sent in quirk.told for quirk in kms):  # [errors]; moto believes any
            told = "The Content-MD5 you specified did not match what we received."
            return refused(400, "BadDigest", told)
        return super().refuses(asked)

    def encrypt_from_now(self, bucket: str) -> None:
        """Switch SSE-KMS on for a bucket; what is there keeps its ETags until it is replaced."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        marks = (entry["ETag"] for page in pages for entry in page.get("Contents", ()))
        known = frozenset(mark.strip('"') for mark in marks)
        self.quirks.append(SseKms(known, bucket=bucket))

    def archive(self, bucket: str, key: str, storage_class: str = "GLACIER") -> None:
        """Let an object grow cold, as a lifecycle rule does."""
        place = {"Bucket": bucket, "Key": key}
        kept = {"StorageClass": storage_class, "MetadataDirective": "COPY"}
        self.client().copy_object(**place, CopySource=place, **kept)

    def thaw(self, bucket: str, key: str) -> None:
        """Restore a cold object for two days; it keeps its class."""
        request = {"Days": 2, "GlacierJobParameters": {"Tier": "Standard"}}
        self.client().restore_object(Bucket=bucket, Key=key, RestoreRequest=request)

    def wrong_region(self, region: str) -> Answer:
        # [errors]; s3fs#915 has the whole answer
        told = (
            f"The authorization header is malformed; the region '{region}' is wrong; "
            f"expecting '{REGION}'"
        )
        return refused(400, "AuthorizationHeaderMalformed", told, Region=REGION)
