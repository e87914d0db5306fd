"""Cloudflare R2, Backblaze B2 and Amazon S3 as they answer, for tests: layers before a moto.

    from tests.support.services import B2, R2, Amazon, Cap, SseKms

    with R2(moto) as r2, B2(moto) as b2:            # or the fixtures `r2`, `b2`, `amazon`
        source = new_bucket(r2, {"a.txt": b"a"})    # puts what a real client could, past the quirks
        destination = new_bucket(b2)
        bucketvault.backup(source, destination)     # provider type, region and key come along
        b2.quirks.insert(0, Cap("storage"))         # from now on; `bucket=` for one bucket alone
        bucketvault.run()
        assert r2.classes["B"] and destination.copy() == source.objects()

`service.client()` and all of `Bucket` see what is really stored; `service.guest()` is a boto3
client that meets the quirks. `service.operations` counts requests by S3's names. `service.lies`
are a `LyingProxy`'s, for what no service would do.

A bucket of its own kind is a quirk with its name: `SseKms(bucket=...)`, `ObjectLock(bucket=...)`,
`Elsewhere("us-west-2", bucket=...)`, `OnlyBelow("backups/", bucket=...)`. Always on: R2 answers
gzip in chunks and 501 to what it has not, B2 stores STANDARD alone and hides what is deleted,
Amazon refuses keys and metadata that are too long, and all three other keys and other regions.
"""

from tests.support.services.amazon import Amazon, Elsewhere, Limits, ObjectLock, SseKms
from tests.support.services.b2 import B2, Busy, Cap, OnlyBelow, slow_down
from tests.support.services.layer import Answer, Asked, Quirk, StandIn, refused
from tests.support.services.r2 import R2, EqualParts, GzipInChunks, ObjectToken

__all__ = [
    "B2",
    "R2",
    "Amazon",
    "Answer",
    "Asked",
    "Busy",
    "Cap",
    "Elsewhere",
    "EqualParts",
    "GzipInChunks",
    "Limits",
    "ObjectLock",
    "ObjectToken",
    "OnlyBelow",
    "Quirk",
    "SseKms",
    "StandIn",
    "refused",
    "slow_down",
]
