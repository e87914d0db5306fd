"""Errors between rclone and an S3 service, as a table, and how a message is taken apart.

A row decides by the structured part of an S3 error (`StatusCode: 403 ... api error CODE:`) where
there is one, else by a phrase of rclone's or of the network. Objects' names never decide: rclone
logs them in a field of their own, and inside messages they are always in quotes, which are cut out
first. Phrases as rclone 1.75.2 says them (tests/data/rclone).
"""

import re
from dataclasses import dataclass

from bucketvault.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Fault:
    """One error message, taken apart."""

    operation: str = ""  # of S3, such as GetObject
    status: int = 0  # HTTP; 0 = no answer, or not a message about a request
    code: str = ""  # S3's error code
    text: str = ""  # the service's own sentence, or rclone's; without quoted parts
    side: str | None = None  # "source" or "destination" where the message says so


@dataclass(frozen=True, slots=True)
class Rule:
    """When every condition that is set holds, these are the words.

    `summary` and `hint` may use {provider}, {bucket} and {place} (bucket and path).
    """

    reason: Reason
    permanent: bool  # trying again will not help until something is changed
    summary: str
    hint: str
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()  # an alternative to `codes`: services disagree about codes
    operations: tuple[str, ...] = ()
    text: str = ""  # a regular expression for the service's sentence
    phrase: str = ""  # a regular expression for messages without an S3 error code; then
    # `statuses` is a further condition
    reason_at_source: Reason | None = None  # instead of `reason`, when it is the source's fault

    def fits(self, fault: Fault) -> bool:
        """True if this row is about that message."""
        if self.phrase:
            expected = not self.statuses or fault.status in self.statuses
            return expected and not fault.code and bool(re.search(self.phrase, fault.text))
        named = fault.code in self.codes or fault.status in self.statuses
        return (
            fault.status != 0
            and (named or not (self.codes or self.statuses))
            and (not self.operations or fault.operation in self.operations)
            and (not self.text or re.search(self.text, fault.text, re.IGNORECASE) is not None)
        )


_READ = ("GetObject", "HeadObject")
_WRITE = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
_KEEP = ("CopyObject", "UploadPartCopy", "DeleteObject")
_LIST = ("ListObjectsV2", "ListObjects")
# "Forbidden" is the SDK's word where an answer has no body (HEAD). Other codes with status 403 mean
# other things, and are shown as they are.
_DENIED = ("AccessDenied", "AccessForbidden", "AllAccessDisabled", "Forbidden")
_REFUSED_KEY = ("InvalidAccessKeyId", "AccessKeyIdNotFound", "NoSuchAccessKey")

_ENTER_KEY = "Enter the key again on the provider's page."
_GIVE_RIGHT = "Give the key this right in the service's console, or enter another key."
_COLD = "An object in {place} lies in cold storage and cannot be read at once."
_WARM_UP = (
    "Restore it at the service first. A rule of the bucket may move objects there: look at its "
    "lifecycle rules."
)
_TRY_LATER = "It often passes by itself: run the backup again later."

# From the particular to the general: the first row that fits any message wins, so that one
# throttled request cannot hide a refused key.
RULES = (
    Rule(
        Reason.CREDENTIALS,
        True,
        "{provider} does not take this kind of key.",
        "Backblaze's master key does not work here: create an application key and enter that.",
        codes=_REFUSED_KEY,
        text="malformed access key",
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "{provider} does not know this access key id.",
        f"{_ENTER_KEY} Check the endpoint and the region too: a key is known only where it was "
        "made.",
        codes=_REFUSED_KEY,
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The secret key for {provider} is wrong.",
        _ENTER_KEY,
        codes=("SignatureDoesNotMatch",),
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The access key id for {provider} cannot be right.",
        f"{_ENTER_KEY} Perhaps the id and the secret changed places.",
        codes=("InvalidArgument", "InvalidRequest"),
        text="access key",
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The key for {provider} has expired.",
        "Create a new key at the service and enter it on the provider's page.",
        codes=("ExpiredToken", "TokenRefreshRequired", "InvalidToken"),
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "{provider} reports a problem with the account.",
        "Sign in to the service's console: a bill or a suspension may wait there.",
        codes=("AccountProblem", "NotSignedUp", "UserSuspended"),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        "The clock of this machine and the clock of {provider} disagree.",
        "Set this machine's clock (timedatectl status shows whether it follows a time server).",
        codes=("RequestTimeTooSkewed", "RequestExpired", "ExpiredRequest"),
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "{provider} refused the key.",
        f"{_ENTER_KEY} It may also have been revoked or have expired.",
        codes=("Unauthorized",),
        statuses=(401,),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        "The region or the endpoint of {provider} does not fit the bucket {bucket}.",
        "Enter the bucket's own region on the provider's page; the details may name it.",
        codes=(
            "AuthorizationHeaderMalformed",
            "PermanentRedirect",
            "IllegalLocationConstraintException",
            "InvalidRegion",
            "InvalidRegionName",
        ),
        statuses=(301, 307),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        "{provider} has no bucket called {bucket}.",
        "Check the bucket's name, and the provider's endpoint and region.",
        reason_at_source=Reason.SOURCE_MISSING,
        codes=("NoSuchBucket", "InvalidBucketName"),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        "{provider} has no bucket called {bucket}.",
        "Check the bucket's name, and the provider's endpoint and region.",
        reason_at_source=Reason.SOURCE_MISSING,
        phrase=r"(^|: )directory not found$",
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        "The storage at {provider} is full, or its storage limit is reached.",
        "Make room, or raise the limit in the service's console (Backblaze: Caps & Alerts).",
        codes=("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"),
        statuses=(507,),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        "The storage at {provider} is full, or its storage limit is reached.",
        "Make room, or raise the limit in the service's console (Backblaze: Caps & Alerts).",
        text="storage cap|no space left on device|quota exceeded",
    ),
    Rule(
        Reason.RCLONE_ERROR,
        False,
        "The daily limit of requests or downloads at {provider} is used up.",
        "It starts anew each day; raise it in the service's console (Backblaze: Caps & Alerts).",
        text=r"(transaction|download|bandwidth) cap|cap exceeded",
    ),
    Rule(
        Reason.UNREACHABLE,
        True,
        "What answers at the endpoint of {provider} is not an S3 service.",
        "Check the endpoint on the provider's page.",
        phrase="deserialization failed|while deserializing|unsupported protocol scheme",
        statuses=(0, 200, 400, 403, 404, 405),  # a web page with 502 is a service in trouble
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        _COLD,
        _WARM_UP,
        phrase="Object in GLACIER, restore first",  # rclone's own words where it reads
    ),
    Rule(
        Reason.RCLONE_ERROR,
        True,
        _COLD,
        _WARM_UP,
        codes=("InvalidObjectState",),
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The key for {provider} may not see which buckets there are.",
        "Keys limited to one bucket never may: type the bucket's name instead.",
        codes=_DENIED,
        operations=("ListBuckets",),
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The key for {provider} may not list {place}.",
        _GIVE_RIGHT,
        codes=_DENIED,
        operations=_LIST,
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The key for {provider} may not read every object in {place}.",
        _GIVE_RIGHT,
        codes=_DENIED,
        operations=_READ,
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The key for {provider} may not write to {place}.",
        _GIVE_RIGHT,
        codes=_DENIED,
        operations=_WRITE,
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "The key for {provider} may not move older versions aside in {bucket}.",
        "It needs the rights to read, write and delete objects there. " + _GIVE_RIGHT,
        codes=_DENIED,
        operations=_KEEP,
    ),
    Rule(
        Reason.CREDENTIALS,
        True,
        "{provider} does not allow the key to do this in {bucket}.",
        _GIVE_RIGHT,
        codes=_DENIED,
    ),
    # The rest of what a service answers may pass by itself.
    Rule(
        Reason.RCLONE_ERROR,
        False,
        "{provider} asked for fewer requests, and did not stop asking.",
        _TRY_LATER,
        codes=(
            "SlowDown",
            "TooManyRequests",
            "Throttling",
            "ThrottlingException",
            "RequestLimitExceeded",
        ),
        statuses=(429,),
    ),
    Rule(
        Reason.UNREACHABLE,
        False,
        "{provider} had trouble of its own and did not do what was asked.",
        f"{_TRY_LATER} The service's status page may say more.",
        statuses=(500, 502, 503, 504),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        False,
        "An object was gone from {place} before it could be copied.",
        "Something changed the source during the run: the next run copies what is there then.",
        codes=("NoSuchKey",),
        operations=_READ,
    ),
    Rule(
        Reason.RCLONE_ERROR,
        False,
        "An object was gone from {place} before it could be copied.",
        "Something changed the source during the run: the next run copies what is there then.",
        phrase="object not found$",
    ),
    # No answer, or none that makes sense.
    Rule(
        Reason.UNREACHABLE,
        True,
        "The certificate of {provider} cannot be trusted.",
        "Check the endpoint and this machine's clock; a server of your own needs a certificate "
        "that this machine knows.",
        phrase="x509: |failed to verify certificate",
    ),
    Rule(
        Reason.UNREACHABLE,
        True,
        "{provider} does not speak HTTPS at this endpoint.",
        "Check the endpoint: a server without a certificate is reached by http://.",
        phrase="first record does not look like a TLS|server gave HTTP response to HTTPS",
    ),
    Rule(
        Reason.UNREACHABLE,
        False,
        "The address of {provider} could not be found.",
        "Check the endpoint, and that this machine can reach the internet.",
        phrase="no such host|server misbehaving|failure in name resolution",
    ),
    Rule(
        Reason.UNREACHABLE,
        False,
        "{provider} did not answer, or the connection broke.",
        "Check that this machine can reach the internet. " + _TRY_LATER,
        phrase="connection refused|connection reset|broken pipe|i/o timeout|timeout awaiting"
        "|deadline exceeded|network is unreachable|no route to host|TLS handshake timeout"
        r"|unexpected EOF|: EOF$|use of closed network connection|http2: ",
    ),
    Rule(
        Reason.DISK_FULL,
        True,
        "The disk of this machine is full.",
        "Free some space, then run the backup again.",
        phrase="no space left on device|disk quota exceeded",
    ),
    # rclone asks for the folder as if it were an object, and takes every answer but 404 for one.
    Rule(
        Reason.RCLONE_ERROR,
        False,
        "{provider} did not let rclone open the place for kept versions in {bucket}.",
        "Load the provider's buckets on its page: that shows whether the key and the network work.",
        phrase="--backup-dir.*is a file not a directory$",
    ),
)

# Which side a message speaks of, where it says so. (fs/march/march.go, fs/operations/copy.go)
_SIDE_PHRASES = (
    (re.compile(r"error reading source (root )?directory: "), "source"),
    (re.compile(r"error reading destination (root )?directory: "), "destination"),
    (re.compile(r"failed to open source object: "), "source"),
    (re.compile(r"--backup-dir"), "destination"),
)
_SIDE_OF_OPERATION = {
    "GetObject": "source",
    **dict.fromkeys((*_WRITE, "AbortMultipartUpload", *_KEEP), "destination"),
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
