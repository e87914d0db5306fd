"""Results of a connection test, as codes and numbers. Pure; words are made where they are shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bucketvault.engine.domain.traits import Traits

CLOCK_MAY_DIFFER_S = 60.0  # S3 refuses above 15 minutes (RequestTimeTooSkewed)
KMS = "aws:kms"  # also `aws:kms:dsse`: an ETag that is no MD5 (docs.aws.amazon.com: Object)
COLD = ("GLACIER", "DEEP_ARCHIVE")  # cannot be read at once


class Right(StrEnum):
    """A right that a key may have, in the order in which rights are tried."""

    CONNECT = "connect"
    KEYS = "keys"
    LIST_BUCKETS = "list_buckets"
    LIST_OBJECTS = "list_objects"
    READ = "read"
    WRITE = "write"
    OVERWRITE = "overwrite"
    SET_ASIDE = "set_aside"  # copy inside the bucket: how old versions are kept
    DELETE = "delete"


WRITING = (Right.WRITE, Right.OVERWRITE, Right.SET_ASIDE, Right.DELETE)


class TrialResult(StrEnum):
    """Result of trying a right."""

    WORKS = "works"
    REFUSED = "refused"
    FAILED = "failed"  # something else was wrong than the right
    NOT_TRIED = "not_tried"


class Untried(StrEnum):
    """Why a right was not tried."""

    FAILED_BEFORE = "failed_before"
    REFUSED_BEFORE = "refused_before"
    NO_BUCKET = "no_bucket"
    NOT_ASKED = "not_asked"
    NO_OBJECT = "no_object"
    NO_TIME = "no_time"


@dataclass(frozen=True, slots=True)
class RightResult:
    """One right of a key. Texts are clean."""

    right: Right
    outcome: TrialResult
    note: str = ""  # what it was tried with; where it does not work, why
    hint: str = ""  # the next step, where something is wrong
    code: str = ""  # the provider's own, such as `403 AccessDenied`
    number: int = 0  # of buckets listed
    untried: Untried | None = None
    operation: str = ""  # of S3, that was refused
    region: str = ""  # the right one, where the service named it


class About(StrEnum):
    """A property of a service or of a bucket, in the order in which they are found."""

    CLOCK = "clock"  # number: seconds that the service is ahead
    PREFIX_ONLY = "prefix_only"  # text: the folder that the key is limited to
    ENCODED = "encoded"  # listings are URL-encoded when that is asked for
    VERSIONING = "versioning"  # text: `Suspended`
    LOCK = "lock"  # number: days of the default retention, 0: none; text: its mode
    ENCRYPTION = "encryption"  # text: the algorithm
    LIFECYCLE = "lifecycle"  # number: rules
    EXPIRES = "expires"  # a rule deletes objects; number: after days, text: in which folder
    MOVES = "moves"  # a rule moves objects; number: after days, text: to which class
    OLD_VERSIONS = "old_versions"  # a rule ends them; number: after days
    UNFINISHED = "unfinished"  # a rule ends unfinished uploads; number: after days
    STORAGE_CLASS = "storage_class"  # text: that of an object that was written without one
    MD5 = "md5"  # the ETag of an object that was written whole is its MD5
    DECODES = "decodes"  # what is stored with a Content-Encoding comes decoded
    COPIES = "copies"  # inside the bucket, by the service
    PARTS = "parts"  # uploads in parts
    ORDERED = "ordered"  # listings are in byte order
    LEFT = "left"  # number: bytes that could not be removed again; text: the names, one a line


class Found(StrEnum):
    """Result of looking for a property."""

    YES = "yes"
    NO = "no"
    REFUSED = "refused"  # the key may not ask
    NOT_THERE = "not_there"  # the service does not have that question
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One property. Texts are clean."""

    about: About
    found: Found
    number: int = 0
    text: str = ""
    code: str = ""  # the provider's own word, where it was refused


class NameResult(StrEnum):
    """Result of storing an object under an odd name."""

    KEPT = "kept"
    RENAMED = "renamed"  # it is listed under another name
    MERGED = "merged"  # it replaced another object, or was replaced by one
    ALTERED = "altered"  # it has another size than what was written
    REFUSED = "refused"
    UNREADABLE = "unreadable"  # listed, but it cannot be read under its name
    LOST = "lost"  # taken, and not listed
    NOT_BY_RCLONE = "not_by_rclone"  # kept, but rclone does not bring it there


@dataclass(frozen=True, slots=True)
class NameFinding:
    """Result of one kind of odd names. Texts are clean."""

    name: str  # one of `names.ODD`
    result: NameResult
    became: str = ""  # where it was renamed
    code: str = ""  # the provider's own, where it was refused


Result = RightResult | Finding | NameFinding


def traits_of(findings: Iterable[Finding]) -> Traits:
    """Return what a test taught about a bucket, as runs use it."""
    known = {each.about: each for each in findings if each.found in (Found.YES, Found.NO)}

    def is_so(about: About) -> bool | None:
        return known[about].found is Found.YES if about in known else None

    encryption = known.get(About.ENCRYPTION)
    return Traits(
        kms=encryption.text.startswith(KMS) if encryption else None,
        object_lock=is_so(About.LOCK),
        decodes=is_so(About.DECODES),
        listing_encoded=is_so(About.ENCODED),
        listing_ordered=is_so(About.ORDERED),
        etag_is_md5=is_so(About.MD5),
        copies_inside=is_so(About.COPIES),
        versioning=is_so(About.VERSIONING),
    )
