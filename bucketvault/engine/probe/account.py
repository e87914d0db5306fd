"""Ask a provider which buckets a key may see. Strict: a web page with status 200 is no account.

rclone 1.75.2 takes any XML with status 200 for a list without a bucket, and for an empty bucket.
"""

import datetime as dt
import xml.etree.ElementTree as ET

from bucketvault.engine.listing.asking import ANSWER_S, Asker, bucket_at
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.probe.halt import Halt, HaltedError
from bucketvault.engine.rclone.buckets import Bucket, DiscoveryError, failure
from bucketvault.engine.rclone.remotes import Remote

TIMEOUT_S = 30.0


def list_buckets(remote: Remote, timeout_s: float = TIMEOUT_S) -> list[Bucket]:
    """Return the buckets this key may see, by name.

    Raises ListingDeniedError when the key is good but may not list (R2's object tokens never may),
    KeyRefusedError, UnreachableError also after `timeout_s`, other DiscoveryErrors.
    """
    with asker_of(remote, "", timeout_s) as asker:
        try:
            return buckets_of(asker)
        except (ListingError, HaltedError) as error:
            raise explained(remote, "", "ListBuckets", error) from error


def check_bucket(remote: Remote, bucket: str, timeout_s: float = TIMEOUT_S) -> None:
    """Make sure by one listing that a bucket is there and may be listed. Raises DiscoveryError."""
    with asker_of(remote, bucket, timeout_s) as asker:
        try:
            asker.document("ListBucketResult", query={"list-type": "2", "max-keys": "1"})
        except (ListingError, HaltedError) as error:
            raise explained(remote, bucket, "ListObjectsV2", error) from error


def buckets_of(asker: Asker) -> list[Bucket]:
    """Return the buckets that the account lists, by name. Raises ListingError."""
    found: list[Bucket] = []
    token = ""
    while True:
        query = {"continuation-token": token} if token else {}
        answer = asker.document("ListAllMyBucketsResult", query=query)
        found += [_bucket(each) for each in answer.iterfind("Buckets/Bucket")]
        before, token = token, answer.findtext("ContinuationToken") or ""
        if not token or token == before:
            return sorted(found, key=lambda bucket: bucket.name)


def asker_of(remote: Remote, bucket: str, timeout_s: float) -> Asker:
    """Return what asks a bucket while somebody waits for the form; without a name: the account."""
    return Asker(
        bucket_at(remote, bucket),
        Halt(timeout_s).check,
        patience_s=1.0,
        answer_s=min(timeout_s, ANSWER_S),
    )


def explained(
    remote: Remote, bucket: str, operation: str, error: ListingError | HaltedError
) -> DiscoveryError:
    """Return what the failure of `operation`, in S3's words, means for people."""
    if isinstance(error, HaltedError):
        return failure(remote, bucket, operation, 0, "", f"TimeoutError: {error.summary}")
    what = remote, bucket, operation, error.status, error.code, error.summary
    return failure(*what, error.region)


def _bucket(told: ET.Element) -> Bucket:
    name = told.findtext("Name") or ""
    try:
        created = dt.datetime.fromisoformat(told.findtext("CreationDate") or "")
    except ValueError:
        created = None
    # some write one of their own where they do not know: those are old
    known = created is not None and created.tzinfo is not None and created.year > 2005
    return Bucket(name, created if known else None)
