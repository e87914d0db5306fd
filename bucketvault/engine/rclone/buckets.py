"""Buckets as a provider lists them, and the meaning of its refusals for people. Pure."""

import datetime as dt
from dataclasses import dataclass
from http import HTTPStatus

from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.errors import (
    DENIED,
    REFUSED_KEY,
    WRONG_LENGTH,
    WRONG_REGION,
    Fault,
)
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import BucketvaultError
from bucketvault.sanitize import Redactor, clean
from bucketvault.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as its provider lists it. `created` (UTC) is None where the provider keeps it."""

    name: str
    created: dt.datetime | None


class DiscoveryError(BucketvaultError):
    """A provider did not do what it was asked; `code` is its own word, `operation` S3's."""

    def __init__(self, told: explain.Explanation, fault: Fault, redactor: Redactor) -> None:
        super().__init__(clean(told.summary), told.hint, redactor.text(told.detail))
        self.region = told.region  # the right one, where the service named it
        self.operation = fault.operation
        self.code = clean(f"{fault.status or ''} {fault.code}".strip(), limit=100)


class UnreachableError(DiscoveryError):
    """Nothing answers at the endpoint, or nothing that makes sense."""


class KeyRefusedError(DiscoveryError):
    """The provider does not take the key."""


class UnknownKeyError(KeyRefusedError):
    """It does not know the access key id."""


class WrongSecretError(KeyRefusedError):
    """It knows the id, but the secret is another."""


class WrongRegionError(DiscoveryError):
    """The key is for another region."""


class DeniedError(DiscoveryError):
    """The key is good, and may not do this."""


class ListingDeniedError(DeniedError):
    """The key is good, and may not see which buckets there are: their names must be typed."""


class BucketNotFoundError(DiscoveryError):
    """The provider has no such bucket."""


def failure(
    remote: Remote,
    bucket: str,
    operation: str,
    status: int,
    code: str,
    said: str,
    region: str = "",
) -> DiscoveryError:
    """Return what the failure of a request of our own means; `operation` and `code` are S3's.

    `status` is HTTP's, 0 without an answer; `region` is the right one, where the service named it.
    """
    if status == HTTPStatus.FORBIDDEN and not code and operation == "HeadObject":
        code = "Forbidden"  # such an answer has no body; rclone calls it so, too
    end = EndSpec(remote.label, remote.provider_type, bucket, endpoint=remote.endpoint)
    told = explain.explain_look(
        *("source", status, code, said, end, end, region), again="try again", operation=operation
    )
    redactor = Redactor((remote.access_key_id, remote.secret_access_key))
    fault = Fault(operation, status, code, said)
    return _kind(told, fault)(told, fault, redactor)


def _kind(told: explain.Explanation, fault: Fault) -> type[DiscoveryError]:
    if fault.code == "SignatureDoesNotMatch":
        return WrongSecretError
    if fault.code in WRONG_REGION or fault.status in (301, 307):
        return WrongRegionError
    if fault.code in DENIED:
        return ListingDeniedError if fault.operation == "ListBuckets" else DeniedError
    if told.reason == Reason.CREDENTIALS:
        unknown = (*REFUSED_KEY, *WRONG_LENGTH)
        return UnknownKeyError if fault.code in unknown else KeyRefusedError
    if told.reason == Reason.SOURCE_MISSING:
        return BucketNotFoundError
    return UnreachableError if told.reason == Reason.UNREACHABLE else DiscoveryError
