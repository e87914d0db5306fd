"""Backblaze B2 as its S3 door answers.

Sources: [s3] https://www.backblaze.com/docs/cloud-storage-s3-compatible-api, [caps]
https://www.backblaze.com/docs/cloud-storage-data-caps-and-alerts, [keys]
https://www.backblaze.com/docs/cloud-storage-application-keys; reports where they are used.
"""

from dataclasses import dataclass

from bucketvault.vocabulary import ProviderType
from tests.support.servers import ServerProcess
from tests.support.services.layer import WRITES, Answer, Asked, Quirk, StandIn, refused

REGION = "us-west-004"


@dataclass
class OnlyStandard(Quirk):
    """Stores STANDARD and nothing else (gobackup#155)."""

    def refuses(self, asked: Asked) -> Answer | None:
        if asked.storage_class == "STANDARD":
            return None
        told = (
            f"Backblaze only supports the 'STANDARD' storage class, and not {asked.storage_class}"
        )
        return refused(501, "NotImplemented", told)


@dataclass
class UnknownHeaders(Quirk):
    """Refuses Amazon's newer checksums, and tags ([s3]; cyberduck#15841, home-assistant#143995)."""

    BEGIN = ("x-amz-checksum-", "x-amz-sdk-checksum-algorithm", "x-amz-tagging")

    def refuses(self, asked: Asked) -> Answer | None:
        for name in asked.headers:
            if name.lower().startswith(self.BEGIN):
                told = f"Unsupported header '{name.lower()}' received for this API call."
                return refused(400, "InvalidArgument", told)
        if asked.operation.endswith("Tagging"):
            return refused(501, "NotImplemented", "A feature you requested is not implemented")
        return None


# What a cap stops, by its name [caps]. The words of download: share-note#63, by B2's own protocol.
# Those of the others are built alike, and that the S3 door says them as AccessDenied is assumed.
_SEE = "See the Caps & Alerts page to increase your cap."
CAPS = {
    "storage": (
        (*WRITES, "UploadPart", "UploadPartCopy"),
        f"Cannot upload files, storage cap exceeded. {_SEE}",
    ),
    "download": (
        ("GetObject", "HeadObject"),
        f"Cannot download file, download bandwidth or transaction (Class B) cap exceeded. {_SEE}",
    ),
    "transactions": (
        ("ListBuckets", "ListObjects", "ListObjectsV2", "ListObjectVersions", "CopyObject"),
        f"Transaction cap exceeded. {_SEE}",
    ),
}


@dataclass
class Cap(Quirk):
    """A daily cap is reached: "storage", "download" (Class B) or "transactions" (Class C)."""

    kind: str = "storage"

    def refuses(self, asked: Asked) -> Answer | None:
        operations, told = CAPS[self.kind]
        return refused(403, "AccessDenied", told) if asked.operation in operations else None


@dataclass
class OnlyBelow(Quirk):
    """A key limited to names that begin with `prefix` ([keys]; cyberduck#14103: "not entitled")."""

    prefix: str = ""

    def refuses(self, asked: Asked) -> Answer | None:
        name = asked.key or asked.query.get("prefix", "")
        if not asked.bucket or name.startswith(self.prefix):
            return None
        return refused(403, "AccessDenied", "not entitled")


@dataclass
class Busy(Quirk):
    """Says 503 to each `every`-th request, so often at most (mastodon#30030: "no tomes available").

    Backblaze calls it normal and asks to try again:
    https://www.backblaze.com/blog/b2-503-500-server-error/
    """

    every: int = 7
    times: int = 5
    code: str = "ServiceUnavailable"
    message: str = "no tomes available"

    def __post_init__(self) -> None:
        self._count = 0

    def refuses(self, asked: Asked) -> Answer | None:
        self._count += 1
        if self.times == 0 or self._count % self.every:
            return None
        self.times -= 1
        return refused(503, self.code, self.message)


def slow_down(every: int = 7, times: int = 5) -> Busy:
    """Return the same with S3's words for too many requests."""
    return Busy(every, times, "SlowDown", "Please reduce your request rate.")


class B2(StandIn):
    """Backblaze B2: a delete hides, the versions stay ([s3]: every bucket has versions).

    More quirks to choose: `Cap(kind)`, `OnlyBelow(prefix)`, `Busy()`, `slow_down()`.
    """

    provider_type = ProviderType.BACKBLAZE_B2
    region = REGION
    signed_for = (REGION,)
    key = ("0041234567890ab0000000001", "K004exampleexampleexampleexample")

    def __init__(self, behind: ServerProcess, *quirks: Quirk) -> None:
        super().__init__(behind, *quirks, UnknownHeaders(), OnlyStandard())

    def prepare(self, bucket: str) -> None:
        enabled = {"Status": "Enabled"}
        self.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)

    def hidden(self, bucket: str) -> int:
        """How many versions cost money though no listing shows them."""
        found = self.client().list_object_versions(Bucket=bucket)
        return sum(not version["IsLatest"] for version in found.get("Versions", ()))

    def unknown_key(self, key: str) -> str:
        return f"The key '{key}' is not valid"

    def wrong_region(self, region: str) -> Answer:
        # code and words assumed: no report was found
        told = f"The authorization header is malformed; the region '{region}' is wrong; "
        return refused(403, "SignatureDoesNotMatch", f"{told}expecting '{REGION}'")
