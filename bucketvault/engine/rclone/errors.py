"""Takes one of rclone's error messages apart, and finds the row of the table that is about it.

The structured part of an S3 error decides (`StatusCode: 403 ... api error CODE:`): its code first;
its status where no row has the code; a phrase of rclone's or of the network only where there is no
answer with a code. Objects' names never decide: rclone logs them in a field of their own, and
inside messages they are always in quotes, which are cut out first. The rows: `causes`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bucketvault.vocabulary import Mends, Reason, Side


@dataclass(frozen=True, slots=True)
class Fault:
    """One error message, taken apart."""

    operation: str = ""  # of S3, such as GetObject
    status: int = 0  # HTTP; 0 = no answer, or not a message about a request
    code: str = ""  # S3's error code
    text: str = ""  # the service's own sentence, or rclone's; without quoted parts
    side: Side | None = None  # where the message says so


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause: which messages have it, and the words for it.

    Words may use {provider}, {bucket}, {place} (bucket and path), {archive} (where kept versions
    are), {region} (the one that the service named) and {server} (host and port); hints also
    {again}: what is to be done again.
    """

    name: str
    reason: Reason
    summary: str
    hint: str
    mends: Mends | None = None  # where; None: at no page of bucketvault
    codes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()  # tells rows with the same code apart, and so does `text`
    text: str = ""  # a regular expression for the service's sentence; never decides alone
    statuses: tuple[int, ...] = ()  # for a code that no row has: services disagree about codes
    phrase: str = ""  # a regular expression, for messages without an S3 error code
    phrase_statuses: tuple[int, ...] = ()  # a further condition of `phrase`
    reason_at_source: Reason | None = None  # instead of `reason`, when it is the source's fault
    # Words where this end took other requests of the same run: then it is not wrong as a whole.
    partly: str = ""
    partly_hint: str = ""
    near: str = ""  # the hint for a server on this machine or in a private network

    def fits(self, fault: Fault, by: str) -> bool:
        """Return whether this row is about that message, decided by `code`, `status` or `phrase`.

        A row with a text never fits by status.
        """
        if by == "phrase":
            said = bool(self.phrase) and re.search(self.phrase, fault.text) is not None
            return said and (not self.phrase_statuses or fault.status in self.phrase_statuses)
        if by == "status":
            return fault.status in self.statuses and not self.text
        return (
            fault.code in self.codes
            and (not self.operations or fault.operation in self.operations)
            and (not self.text or re.search(self.text, fault.text, re.IGNORECASE) is not None)
        )


def rule_for(fault: Fault, rules: Sequence[Rule]) -> Rule | None:
    """Return the row that one message leads to; None: nobody foresaw it."""
    ways = ("code", "status") if fault.code else ("phrase", "status")
    for by in ways:
        found = next((rule for rule in rules if rule.fits(fault, by)), None)
        if found is not None:
            return found
    return None


def leading(faults: Iterable[Fault], rules: Sequence[Rule]) -> tuple[Rule, list[Fault]] | None:
    """Return the cause to name of several messages, and those that have it; None: none is known.

    Rows go from the particular to the general, so that one throttled request cannot hide a refused
    key: the first row that any message leads to.
    """
    led: dict[str, list[Fault]] = {}
    for fault in faults:
        rule = rule_for(fault, rules)
        if rule is not None:
            led.setdefault(rule.name, []).append(fault)
    return next(((rule, led[rule.name]) for rule in rules if rule.name in led), None)


WRITE = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
COPY = ("CopyObject", "UploadPartCopy")  # inside the destination: into the kept versions
# "Forbidden" is the SDK's word where an answer has no body (HEAD). Other codes with status 403 mean
# other things, and are shown as they are.
DENIED = ("AccessDenied", "AccessForbidden", "AllAccessDisabled", "Forbidden")
REFUSED_KEY = ("InvalidAccessKeyId", "AccessKeyIdNotFound", "NoSuchAccessKey")
WRONG_LENGTH = ("InvalidArgument", "InvalidRequest")  # of a key, in Cloudflare's words
WRONG_REGION = (
    *("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"),
    *("InvalidRegion", "InvalidRegionName"),
)
# The system's words (errno 12), Python's, and those of Go's runtime where it gets no memory, or no
# thread (runtime/malloc.go, mpagealloc.go, os_linux.go). Go says so and ends with exit code 2.
NO_MEMORY_WORDS = (
    r"(?i:cannot allocate memory|\bMemoryError\b|out of memory|failed to (reserve|map segment)"
    r"|failed to create new OS thread)"
)
_EXPECTED_REGION = re.compile(r"expecting '([^']*)'")  # Amazon and MinIO
_A_REGION = re.compile(r"[a-z0-9-]{1,64}")


def expected_region(fault: Fault, named: str = "") -> str:
    """Return the region that a service named as the right one, or `named` it otherwise."""
    found = _EXPECTED_REGION.search(fault.text) if fault.code in WRONG_REGION else None
    region = named or (found[1] if found is not None else "")
    return region if _A_REGION.fullmatch(region) else ""


# Which side a message speaks of, where it says so. (fs/march/march.go, fs/operations/copy.go)
_SIDE_PHRASES = (
    (re.compile(r"error reading source (root )?directory: "), Side.SOURCE),
    (re.compile(r"error reading destination (root )?directory: "), Side.DESTINATION),
    (re.compile(r"failed to open source object: "), Side.SOURCE),
    (re.compile(r"--backup-dir"), Side.DESTINATION),
)
_SIDE_OF_OPERATION = {
    "GetObject": Side.SOURCE,
    **dict.fromkeys((*WRITE, "AbortMultipartUpload", *COPY, "DeleteObject"), Side.DESTINATION),
}

_S3_ERROR = re.compile(
    r"operation error S3: (?P<operation>\w+), (exceeded maximum number of attempts, \d+, )?"
    r"https response error StatusCode: (?P<status>\d+), RequestID: [^,]*, HostID: [^,]*, "
    r"((api error )?(?P<code>[\w.]*): )?(?P<text>.*)",
    re.DOTALL,
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def take_apart(message: str) -> Fault:
    """The parts of one of rclone's error messages that may decide what it means."""
    bare = _QUOTED.sub('""', message)
    side = next((side for phrase, side in _SIDE_PHRASES if phrase.search(bare)), None)
    match = _S3_ERROR.search(bare)
    if match is None:
        return Fault(text=bare, side=side)
    return Fault(
        operation=match["operation"],
        status=int(match["status"]),
        code=match["code"] or "",
        text=match["text"],
        side=side or _SIDE_OF_OPERATION.get(match["operation"]),
    )


# What the state of things or the moment decides, and another try may change.
_PASSING_STATUSES = (404, 408, 409, 412, 416, 425, 429)
_PASSING_CODES = {
    *("SlowDown", "TooManyRequests", "Throttling", "ThrottlingException", "RequestLimitExceeded"),
    *("RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted"),
    # bytes that were lost or changed on the way
    *("BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "NoSuchUpload"),
}


def needs_checksum(message: str) -> bool:
    """True if a bucket with Object Lock refused an upload because it came without a hash."""
    fault = take_apart(message)
    named = "content-md5" in fault.text.lower()
    return named and fault.code in ("InvalidRequest", "MissingContentMD5")


def is_about_memory(words: str) -> bool:
    """True if a program's last words are that there was too little memory for it."""
    return re.search(NO_MEMORY_WORDS, words) is not None


def is_permanent(message: str) -> bool:
    """True if the service, or rclone, said so firmly no that another try changes nothing."""
    fault = take_apart(message)
    if fault.code == "NoSuchBucket" or fault.status == 501:  # not implemented
        return True
    if not fault.status:
        return "Object in GLACIER, restore first" in fault.text
    passing = fault.status in _PASSING_STATUSES or fault.code in _PASSING_CODES
    return 400 <= fault.status < 500 and not passing
