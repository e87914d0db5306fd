"""Ask for the settings of a bucket that cost or lose something. Nothing is written.

Documents as docs.aws.amazon.com has them under "API Reference"; a service that lacks a question
answers 501 (R2), another code of its own, or with something else (rclone serve s3: a listing).
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.probe.results import About, Finding, Found
from bucketvault.engine.rclone.errors import DENIED
from bucketvault.sanitize import clean

# S3 answers 404 with these where nothing is set (docs.aws.amazon.com, "Error responses")
_NOTHING_SET = (
    "NoSuchLifecycleConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
)
_NOT_THERE = ("NotImplemented", "MethodNotAllowed", "UnsupportedOperation")


def settings(asker: Asker) -> Iterator[Finding]:
    """Yield what a bucket's settings are, as far as the key may ask."""
    versioning = _asked(About.VERSIONING, lambda: _versioning(asker))
    yield versioning
    yield _asked(About.LOCK, lambda: _lock(asker))
    yield _asked(About.ENCRYPTION, lambda: _encryption(asker))
    yield from _lifecycle(asker, versioned=versioning.found)


def _asked(about: About, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except ListingError as error:
        return Finding(about, found_in(error), code=clean(error.code, limit=100))


def found_in(error: ListingError) -> Found:
    """Return what it means that a property was not told."""
    if error.code in _NOTHING_SET:
        return Found.NO
    if error.code in DENIED or error.status in (401, 403):
        return Found.REFUSED
    if error.status in (405, 501) or error.code in _NOT_THERE:
        return Found.NOT_THERE
    return Found.UNKNOWN


def _versioning(asker: Asker) -> Finding:
    # the second name is moto's
    names = "VersioningConfiguration GetBucketVersioningResponse"
    status = asker.document(names, query={"versioning": ""}).findtext("Status") or ""
    found = Found.YES if status in ("Enabled", "Suspended") else Found.NO
    return Finding(About.VERSIONING, found, text=clean(status, limit=40))


def _lock(asker: Asker) -> Finding:
    told = asker.document("ObjectLockConfiguration", query={"object-lock": ""})
    if told.findtext("ObjectLockEnabled") != "Enabled":
        return Finding(About.LOCK, Found.NO)
    rule = told.find("Rule/DefaultRetention")
    if rule is None:
        return Finding(About.LOCK, Found.YES)
    days = _number(rule, "Days") + 365 * _number(rule, "Years")
    return Finding(About.LOCK, Found.YES, days, clean(rule.findtext("Mode") or "", limit=40))


def _encryption(asker: Asker) -> Finding:
    told = asker.document("ServerSideEncryptionConfiguration", query={"encryption": ""})
    algorithm = told.findtext("Rule/ApplyServerSideEncryptionByDefault/SSEAlgorithm") or ""
    found = Found.YES if algorithm else Found.NO
    return Finding(About.ENCRYPTION, found, text=clean(algorithm, limit=40))


# ---- lifecycle rules


def _lifecycle(asker: Asker, *, versioned: Found) -> Iterator[Finding]:
    """Yield what the rules of the bucket do to a copy in it, and what no rule does.

    B2 maps its own: hiding is Expiration, deleting is NoncurrentVersionExpiration, cancelling is
    AbortIncompleteMultipartUpload (backblaze.com/apidocs/s3-get-lifecycle-configuration).
    """
    try:
        told = asker.document("LifecycleConfiguration", query={"lifecycle": ""})
        rules = [rule for rule in told.iterfind("Rule") if _concerns_a_copy(rule)]
    except ListingError as error:
        found = found_in(error)
        yield Finding(About.LIFECYCLE, found, code=clean(error.code, limit=100))
        if found is not Found.NO:
            return
        rules = []
    else:
        yield Finding(About.LIFECYCLE, Found.YES if rules else Found.NO, len(rules))
    for rule in rules:
        yield from _losses(rule)
    if versioned is Found.YES:
        yield _ended(About.OLD_VERSIONS, rules, "NoncurrentVersionExpiration/NoncurrentDays")
    aborts = "AbortIncompleteMultipartUpload/DaysAfterInitiation"
    yield _ended(About.UNFINISHED, rules, aborts)


def _concerns_a_copy(rule: ET.Element) -> bool:
    """Return False for a rule that is off, or for objects with tags: copies have none."""
    tags = rule.find("Filter/Tag") is not None or rule.find("Filter/And/Tag") is not None
    return rule.findtext("Status") == "Enabled" and not tags


def _losses(rule: ET.Element) -> Iterator[Finding]:
    folder = clean(_prefix(rule), limit=200)
    expiration = rule.find("Expiration")
    if expiration is not None and (
        expiration.find("Days") is not None or expiration.find("Date") is not None
    ):
        yield Finding(About.EXPIRES, Found.YES, _number(expiration, "Days"), folder)
    for move in rule.iterfind("Transition"):
        name = clean(move.findtext("StorageClass") or "", limit=40)
        yield Finding(About.MOVES, Found.YES, _number(move, "Days"), name)


def _ended(about: About, rules: list[ET.Element], days: str) -> Finding:
    """Return if a rule for the whole bucket ends something, and after how many days."""
    found = [_number(rule, days) for rule in rules if not _prefix(rule) and rule.findtext(days)]
    return Finding(about, Found.YES if found else Found.NO, min(found, default=0))


def _prefix(rule: ET.Element) -> str:
    names = ("Filter/Prefix", "Filter/And/Prefix", "Prefix")
    return next((found for name in names if (found := rule.findtext(name))), "")


def _number(told: ET.Element, name: str) -> int:
    text = (told.findtext(name) or "").strip()
    return int(text) if text.isdecimal() and len(text) < 7 else 0
