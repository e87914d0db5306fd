"""Errors between rclone and an S3 service, as a table, and how a message is taken apart.

A row decides by the structured part of an S3 error (`StatusCode: 403 ... api error CODE:`) where
there is one, else by a phrase of rclone's or of the network. Objects' names never decide: rclone
logs them in a field of their own, and inside messages they are always in quotes, which are cut out
first. Phrases as rclone 1.75.2 says them (tests/data/rclone), and Python where we ask ourselves.
"""

import re
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
    """When its conditions hold, these are the words.

    `summary` and `hint` may use {provider}, {bucket} and {place} (bucket and path), `hint` also
    {again}: what is to be done again.
    """

    reason: Reason
    summary: str
    hint: str
    mends: Mends | None = None  # where; None: at no page of bucketvault
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()  # an alternative to `codes`: services disagree about codes
    operations: tuple[str, ...] = ()
    text: str = ""  # a regular expression for the service's sentence
    phrase: str = ""  # an alternative to all these, for messages without an S3 error code
    phrase_statuses: tuple[int, ...] = ()  # a further condition of `phrase`
    reason_at_source: Reason | None = None  # instead of `reason`, when it is the source's fault

    def fits(self, fault: Fault) -> bool:
        """True if this row is about that message."""
        if self.phrase and not fault.code and re.search(self.phrase, fault.text):
            return not self.phrase_statuses or fault.status in self.phrase_statuses
        named = fault.code in self.codes or fault.status in self.statuses
        return (
            fault.status != 0
            and (named or (bool(self.text) and not (self.codes or self.statuses)))
            and (not self.operations or fault.operation in self.operations)
            and (not self.text or re.search(self.text, fault.text, re.IGNORECASE) is not None)
        )


_READ = ("GetObject", "HeadObject")
_WRITE = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
_KEEP = ("CopyObject", "UploadPartCopy", "DeleteObject")
_LIST = ("ListObjectsV2", "ListObjects")
# "Forbidden" is the SDK's word where an answer has no body (HEAD). Other codes with status 403 mean
# other things, and are shown as they are.
DENIED = ("AccessDenied", "AccessForbidden", "AllAccessDisabled", "Forbidden")
REFUSED_KEY = ("InvalidAccessKeyId", "AccessKeyIdNotFound", "NoSuchAccessKey")
WRONG_LENGTH = ("InvalidArgument", "InvalidRequest")  # of a key, in Cloudflare's words
WRONG_REGION = (
    *("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"),
    *("InvalidRegion", "InvalidRegionName"),
)

_ENTER_KEY = "Enter the key again on the provider's page."
_GIVE_RIGHT = "Give the key this right in the service's console, or enter another key."
_TRY_LATER = "It often passes by itself: {again} later."

# From the particular to the general: the first row that fits any message wins, so that one
# throttled request cannot hide a refused key.
RULES = (
    Rule(
        Reason.CREDENTIALS,
        "{provider} does not take this kind of key.",
        "Backblaze's master key does not work here: create an application key and enter that.",
        codes=REFUSED_KEY,
        text="malformed access key",
    ),
    Rule(
        Reason.CREDENTIALS,
        "{provider} does not know this access key id.",
        f"{_ENTER_KEY} Check the endpoint and the region too: a key is known only where it was "
        "made.",
        Mends.PROVIDER,
        codes=REFUSED_KEY,
    ),
    Rule(
        Reason.CREDENTIALS,
        "The secret key for {provider} is wrong.",
        _ENTER_KEY,
        Mends.PROVIDER,
        codes=("SignatureDoesNotMatch",),
    ),
    Rule(
        Reason.CREDENTIALS,
        "The access key id for {provider} cannot be right.",
        f"{_ENTER_KEY} Perhaps the id and the secret changed places.",
        Mends.PROVIDER,
        codes=WRONG_LENGTH,
        text="access key",
    ),
    Rule(
        Reason.CREDENTIALS,
        "The key for {provider} has expired.",
        "Create a new key at the service and enter it on the provider's page.",
        Mends.PROVIDER,
        codes=("ExpiredToken", "TokenRefreshRequired", "InvalidToken"),
    ),
    Rule(
        Reason.CREDENTIALS,
        "{provider} reports a problem with the account.",
        "Sign in to the service's console: a bill or a suspension may wait there.",
        codes=("AccountProblem", "NotSignedUp", "UserSuspended"),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "The clock of this machine and the clock of {provider} disagree.",
        "Set this machine's clock (timedatectl status shows whether it follows a time server).",
        codes=("RequestTimeTooSkewed", "RequestExpired", "ExpiredRequest"),
    ),
    Rule(
        Reason.CREDENTIALS,
        "{provider} refused the key.",
        f"{_ENTER_KEY} It may also have been revoked or have expired.",
        Mends.PROVIDER,
        codes=("Unauthorized",),
        statuses=(401,),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "The region or the endpoint of {provider} does not fit the bucket {bucket}.",
        "Enter the bucket's own region on the provider's page; the details may name it.",
        Mends.PROVIDER,
        codes=WRONG_REGION,
        statuses=(301, 307),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "{provider} has no bucket called {bucket}.",
        "Check the bucket's name, and the provider's endpoint and region.",
        reason_at_source=Reason.SOURCE_MISSING,
        codes=("NoSuchBucket", "InvalidBucketName"),
        phrase=r"(^|: )directory not found$",
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "The storage at {provider} is full, or its storage limit is reached.",
        "Make room, or raise the limit in the service's console (Backblaze: Caps & Alerts).",
        codes=("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"),
        statuses=(507,),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "The storage at {provider} is full, or its storage limit is reached.",
        "Make room, or raise the limit in the service's console (Backblaze: Caps & Alerts).",
        text="storage cap|no space left on device|quota exceeded",
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "The daily limit of requests or downloads at {provider} is used up.",
        "It starts anew each day; raise it in the service's console (Backblaze: Caps & Alerts).",
        text=r"(transaction|download|bandwidth) cap|cap exceeded",
    ),
    Rule(
        Reason.UNREACHABLE,
        "What answers at the endpoint of {provider} is not an S3 service.",
        "Check the endpoint on the provider's page.",
        Mends.PROVIDER,
        phrase="deserialization failed|while deserializing|unsupported protocol scheme"
        "|^BadStatusLine: |^LineTooLong: |^UnknownProtocol: ",
        phrase_statuses=(0, 200, 400, 403, 404, 405),  # a web page with 502 is a service in trouble
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "An object in {place} lies in cold storage and cannot be read at once.",
        "Restore it at the service first. A rule of the bucket may move objects there: look at its "
        "lifecycle rules.",
        phrase="Object in GLACIER, restore first",  # rclone's own words where it reads
        codes=("InvalidObjectState",),
    ),
    Rule(
        Reason.CREDENTIALS,
        "The key for {provider} may not see which buckets there are.",
        "Keys limited to one bucket never may: type the bucket's name instead.",
        codes=DENIED,
        operations=("ListBuckets",),
    ),
    Rule(
        Reason.CREDENTIALS,
        "The key for {provider} may not list {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=_LIST,
    ),
    Rule(
        Reason.CREDENTIALS,
        "The key for {provider} may not read every object in {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=_READ,
    ),
    Rule(
        Reason.CREDENTIALS,
        "The key for {provider} may not write to {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=_WRITE,
    ),
    Rule(
        Reason.CREDENTIALS,
        "The key for {provider} may not move older versions aside in {bucket}.",
        "It needs the rights to read, write and delete objects there. " + _GIVE_RIGHT,
        codes=DENIED,
        operations=_KEEP,
    ),
    Rule(
        Reason.CREDENTIALS,
        "{provider} does not allow the key to do this in {bucket}.",
        _GIVE_RIGHT,
        codes=DENIED,
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "The name of an object is too long for {provider}.",
        "Rename it at the source. A kept version needs some 60 bytes more than its object.",
        codes=("KeyTooLongError", "KeyTooLong"),
    ),
    # The rest of what a service answers may pass by itself.
    Rule(
        Reason.RCLONE_ERROR,
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
        "{provider} had trouble of its own and did not do what was asked.",
        _TRY_LATER + " The service's status page may say more.",
        statuses=(500, 502, 503, 504),
    ),
    Rule(
        Reason.RCLONE_ERROR,
        "An object was gone from {place} before it could be copied.",
        "Something changed the source during the run: the next run copies what is there then.",
        codes=("NoSuchKey",),
        operations=_READ,
        phrase="object not found$",
    ),
    # No answer, or none that makes sense.
    Rule(
        Reason.UNREACHABLE,
        "The certificate of {provider} cannot be trusted.",
        "Check the endpoint and this machine's clock; a server of your own needs a certificate "
        "that this machine knows.",
        phrase="x509: |failed to verify certificate",
    ),
    Rule(
        Reason.UNREACHABLE,
        "{provider} does not speak HTTPS at this endpoint.",
        "Check the endpoint: a server without a certificate is reached by http://.",
        phrase="first record does not look like a TLS|server gave HTTP response to HTTPS"
        "|WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE",
    ),
    Rule(
        Reason.UNREACHABLE,
        "The address of {provider} could not be found.",
        "Check the endpoint, and that this machine can reach the internet.",
        phrase="no such host|server misbehaving|failure in name resolution"
        "|Name or service not known|No address associated with hostname",
    ),
    Rule(
        Reason.UNREACHABLE,
        "{provider} did not answer, or the connection broke.",
        "Check that this machine can reach the internet. " + _TRY_LATER,
        phrase="(?i:connection refused|connection reset|broken pipe|i/o timeout|timeout awaiting"
        "|deadline exceeded|network is unreachable|no route to host|TLS handshake timeout"
        "|unexpected EOF|use of closed network connection)|: EOF$|http2: "
        "|^TimeoutError: |^RemoteDisconnected: |^IncompleteRead: |EOF occurred in violation"
        "|^ConnectionAbortedError: ",
    ),
    Rule(
        Reason.DISK_FULL,
        "The disk of this machine is full.",
        "Free some space, then {again}.",
        phrase="(?i:no space left on device|disk quota exceeded)",
    ),
    # rclone asks for the folder as if it were an object, and takes every answer but 404 for one.
    Rule(
        Reason.RCLONE_ERROR,
        "{provider} did not let rclone open the place for kept versions in {bucket}.",
        "Load the provider's buckets on its page: that shows whether the key and the network work.",
        phrase="--backup-dir.*is a file not a directory$",
    ),
)

# Which side a message speaks of, where it says so. (fs/march/march.go, fs/operations/copy.go)
_SIDE_PHRASES = (
    (re.compile(r"error reading source (root )?directory: "), Side.SOURCE),
    (re.compile(r"error reading destination (root )?directory: "), Side.DESTINATION),
    (re.compile(r"failed to open source object: "), Side.SOURCE),
    (re.compile(r"--backup-dir"), Side.DESTINATION),
)
_SIDE_OF_OPERATION = {
    "GetObject": Side.SOURCE,
    **dict.fromkeys((*_WRITE, "AbortMultipartUpload", *_KEEP), Side.DESTINATION),
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


def is_permanent(message: str) -> bool:
    """True if the service, or rclone, said so firmly no that another try changes nothing."""
    fault = take_apart(message)
    if fault.code == "NoSuchBucket" or fault.status == 501:  # not implemented
        return True
    if not fault.status:
        return "Object in GLACIER, restore first" in fault.text
    passing = fault.status in _PASSING_STATUSES or fault.code in _PASSING_CODES
    return 400 <= fault.status < 500 and not passing
