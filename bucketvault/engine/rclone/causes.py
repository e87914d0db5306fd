"""The table of causes: what may go wrong between rclone and an S3 service, and the words for it.

From the particular to the general. Phrases as rclone 1.75.2 says them (tests/data/rclone), and
Python where we ask ourselves. Each row has answers that lead to it, and some that look alike and
must not: tests/engine/rclone/answers.py.
"""

from bucketvault.engine.rclone.errors import (
    COPY,
    DENIED,
    NO_MEMORY_WORDS,
    REFUSED_KEY,
    WRITE,
    WRONG_LENGTH,
    WRONG_REGION,
    Rule,
)
from bucketvault.errors import MORE_MEMORY
from bucketvault.vocabulary import Mends, Reason

_ENTER_KEY = "Enter the key again on the provider's page."
_GIVE_RIGHT = "Give the key this permission in the service's console, or use another key."
_TRY_LATER = "This is often temporary: {again} later."
_WORKS = "The same key worked for other requests of this run."
_FULL = "{provider} is full, or has reached its storage limit."
_MAKE_ROOM = "Free some space, or raise the limit in the service's console (Backblaze: Caps & "
_MAKE_ROOM += "Alerts)."

RULES = (
    # ---- the key
    Rule(
        "master_key",
        Reason.CREDENTIALS,
        "{provider} does not accept this kind of key.",
        "Backblaze's master key does not work with S3: create an application key and use that.",
        codes=REFUSED_KEY,
        text="malformed access key",
    ),
    Rule(
        "unknown_key",
        Reason.CREDENTIALS,
        "{provider} rejected the access key ID (unknown key).",
        f"{_ENTER_KEY} Check endpoint and region too: a key is known only where it was created.",
        Mends.PROVIDER,
        codes=REFUSED_KEY,
        partly="{provider} did not know the access key ID for some requests.",
        partly_hint=f"{_WORKS} It may be new, or was just deleted: {{again}}.",
    ),
    Rule(
        "wrong_secret",
        Reason.CREDENTIALS,
        "{provider} rejected the secret access key.",
        _ENTER_KEY,
        Mends.PROVIDER,
        codes=("SignatureDoesNotMatch",),
        partly="{provider} rejected the signature of some requests.",
        partly_hint=f"{_WORKS} Unusual characters in an object's name or metadata, or a proxy that "
        "changes headers, can cause this. The log names the objects.",
    ),
    Rule(
        "malformed_key",
        Reason.CREDENTIALS,
        "The access key ID for {provider} is malformed.",
        f"{_ENTER_KEY} The ID and the secret may be swapped.",
        Mends.PROVIDER,
        codes=(*WRONG_LENGTH, "AuthorizationHeaderMalformed"),
        text="access key|credential is mal-?formed",
    ),
    Rule(
        "expired_key",
        Reason.CREDENTIALS,
        "The key for {provider} has expired.",
        "Create a new key at the service and enter it on the provider's page.",
        Mends.PROVIDER,
        codes=("ExpiredToken", "TokenRefreshRequired", "InvalidToken"),
    ),
    Rule(
        "account",
        Reason.CREDENTIALS,
        "{provider} reports a problem with the account.",
        "Sign in to the service's console: there may be an unpaid bill or a suspension.",
        codes=("AccountProblem", "NotSignedUp", "UserSuspended"),
    ),
    Rule(
        "clock",
        Reason.RCLONE_ERROR,
        "The clocks of this machine and {provider} disagree.",
        "Set this machine's clock (timedatectl status shows whether it is synchronised).",
        codes=("RequestTimeTooSkewed", "RequestExpired", "ExpiredRequest"),
    ),
    Rule(
        "refused_key",
        Reason.CREDENTIALS,
        "{provider} rejected the key.",
        f"{_ENTER_KEY} It may have been revoked or have expired.",
        Mends.PROVIDER,
        codes=("Unauthorized",),
        statuses=(401,),
        partly="{provider} rejected the key for some requests.",
        partly_hint=f"{_WORKS} {_TRY_LATER}",
    ),
    # ---- the place
    Rule(
        "wrong_region",
        Reason.RCLONE_ERROR,
        "Wrong region or endpoint for {place}.",  # see `explain`: it says more where it can
        "Enter the bucket's own region on the provider's page. The service's console shows it.",
        Mends.PROVIDER,
        codes=WRONG_REGION,
        statuses=(301, 307),
    ),
    Rule(
        "no_bucket",
        Reason.RCLONE_ERROR,
        "{provider} has no bucket {bucket}.",
        "Check the bucket's name, and the provider's endpoint and region.",
        reason_at_source=Reason.SOURCE_MISSING,
        codes=("NoSuchBucket", "InvalidBucketName"),
        phrase=r"(^|: )directory not found$",
        partly="{provider} did not find the bucket {bucket} for some requests.",
        partly_hint="It found it for other requests of this run: {again}.",
    ),
    # ---- limits
    Rule(
        "full",
        Reason.RCLONE_ERROR,
        _FULL,
        _MAKE_ROOM,
        codes=("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"),
        statuses=(507,),
    ),
    Rule(
        "storage_cap",
        Reason.RCLONE_ERROR,
        _FULL,
        _MAKE_ROOM,
        codes=(*DENIED, "InternalError"),
        text="storage (cap|quota)|no space left on device",
    ),
    Rule(
        "daily_cap",
        Reason.RCLONE_ERROR,
        "{provider}'s daily limit of requests or downloads is used up.",
        "It resets each day; raise it in the service's console (Backblaze: Caps & Alerts).",
        codes=DENIED,
        text=r"(transaction|download|bandwidth) cap|cap exceeded",
    ),
    Rule(
        "not_s3",
        Reason.UNREACHABLE,
        "The endpoint of {provider} is not an S3 service.",
        "Check the endpoint on the provider's page.",
        Mends.PROVIDER,
        phrase="deserialization failed|while deserializing|unsupported protocol scheme"
        "|^BadStatusLine: |^LineTooLong: |^UnknownProtocol: ",
        phrase_statuses=(0, 200, 400, 403, 404, 405),  # a web page with 502 is a service in trouble
    ),
    # ---- rights
    Rule(
        "list_buckets",
        Reason.CREDENTIALS,
        "The key for {provider} cannot list buckets.",
        "Keys limited to one bucket never can: type the bucket's name instead.",
        codes=DENIED,
        operations=("ListBuckets",),
    ),
    Rule(
        "list",
        Reason.CREDENTIALS,
        "The key for {provider} cannot list {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=("ListObjectsV2", "ListObjects"),
        # What a run compares was listed, so it is where kept versions are.
        partly="The key for {provider} cannot list {archive}.",
        partly_hint="Old versions are kept there, at the top of the bucket. A key limited to a "
        "folder does not work: use one for the whole bucket.",
    ),
    Rule(
        "look_at_object",
        Reason.CREDENTIALS,
        "The key for {provider} cannot read every object in {place}.",
        "Give the key permission to read objects. If it has that, a daily limit may be used up; "
        "the response is the same for both (Backblaze: Caps & Alerts).",
        codes=("Forbidden",),
        operations=("HeadObject",),
    ),
    Rule(
        "read",
        Reason.CREDENTIALS,
        "The key for {provider} cannot read every object in {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=("GetObject", "HeadObject"),
    ),
    Rule(
        "write",
        Reason.CREDENTIALS,
        "The key for {provider} cannot write to {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=WRITE,
    ),
    Rule(
        "set_aside",
        Reason.CREDENTIALS,
        "The key for {provider} cannot copy old versions to {archive}.",
        "It needs permission to read, write and delete objects there. A key limited to a folder "
        "does not work: use one for the whole bucket.",
        codes=DENIED,
        operations=COPY,
    ),
    Rule(
        "delete",
        Reason.CREDENTIALS,
        "The key for {provider} cannot delete objects in {place}.",
        _GIVE_RIGHT,
        codes=DENIED,
        operations=("DeleteObject", "DeleteObjects"),
    ),
    Rule(
        "denied",
        Reason.CREDENTIALS,
        "{provider} does not allow the key to do this.",
        _GIVE_RIGHT,
        codes=DENIED,
    ),
    # ---- one object
    Rule(
        "cold",
        Reason.RCLONE_ERROR,
        "An object in {place} is in cold storage and cannot be read or copied.",
        "Restore it at the service first. The bucket's lifecycle rules may move objects there.",
        phrase="Object in GLACIER, restore first",  # rclone's own words where it reads
        codes=("InvalidObjectState", "ObjectNotInActiveTierError"),
    ),
    Rule(
        "key_too_long",
        Reason.RCLONE_ERROR,
        "The name of an object is too long for {provider}.",
        "S3 takes 1,024 bytes. A kept version needs about 60 bytes more than its object. Rename it "
        "at the source.",
        codes=("KeyTooLongError", "KeyTooLong"),
    ),
    Rule(
        "metadata_too_large",
        Reason.RCLONE_ERROR,
        "The metadata of an object is too large for {provider}.",
        "S3 takes 2 KB, and rclone adds about 40 bytes (mtime, btime). Shorten it at the source.",
        codes=("MetadataTooLarge",),
    ),
    Rule(
        "storage_class",
        Reason.RCLONE_ERROR,
        "{provider} does not have the storage class of an object.",
        "Choose STANDARD as the storage class of this backup.",
        codes=("NotImplemented", "InvalidStorageClass"),
        text="storage.?class",
    ),
    Rule(
        "not_implemented",
        Reason.RCLONE_ERROR,
        "{provider} does not support a request that this run needs.",
        "The details name it. docs/providers.md lists what services do not support.",
        codes=("NotImplemented", "MethodNotAllowed"),
        statuses=(501,),
    ),
    Rule(
        "object_lock",
        Reason.RCLONE_ERROR,
        "{provider} requires a checksum with every upload (Object Lock).",
        "A run detects this, then sends one with every part: {again}.",
        codes=("InvalidRequest", "MissingContentMD5"),
        text="content-md5|x-amz-checksum",
    ),
    Rule(
        "other_checksum",
        Reason.RCLONE_ERROR,
        "An object arrived at {provider} with a different checksum.",
        "The usual cause is SSE-KMS encryption at either end, which a run detects: {again}. If "
        "neither bucket has it, bytes were changed in transit.",
        codes=("BadDigest", "InvalidDigest"),
        phrase="corrupted on transfer",
    ),
    Rule(
        "changed_on_the_way",
        Reason.RCLONE_ERROR,
        "{provider} received different bytes than were sent.",
        _TRY_LATER + " A proxy or faulty memory can cause this.",
        codes=("XAmzContentSHA256Mismatch", "IncompleteBody"),
    ),
    # ---- what may pass by itself
    Rule(
        "slow_down",
        Reason.RCLONE_ERROR,
        "{provider} is limiting requests (SlowDown).",
        _TRY_LATER,
        codes=(
            *("SlowDown", "TooManyRequests", "Throttling", "ThrottlingException"),
            *("RequestLimitExceeded", "RequestThrottled", "BandwidthLimitExceeded"),
        ),
        statuses=(429,),
    ),
    Rule(
        "outage",
        Reason.UNREACHABLE,
        "{provider} had an internal error.",
        _TRY_LATER + " The service's status page may say more.",
        codes=("InternalError", "ServiceUnavailable", "InternalFailure"),  # also with status 200
        statuses=(500, 502, 503, 504),
        phrase="failed to get rate limit token",  # the SDK, after too many such answers
    ),
    Rule(
        "gone",
        Reason.RCLONE_ERROR,
        "An object was deleted in {place} before it could be copied.",
        "The source changed during the run. The next run copies what is there then.",
        codes=("NoSuchKey", "NotFound"),
        phrase="object not found$",
        # The last look saw it listed again.
        partly="{provider} lists an object that it cannot find.",
        partly_hint="{place} lists it, but it is not there when it is read. Delete it at "
        "the service or upload it again; the log names it.",
    ),
    # ---- no answer, or none that makes sense
    Rule(
        "certificate",
        Reason.UNREACHABLE,
        "The certificate of {provider} is not trusted.",
        "Check the endpoint and this machine's clock. A server of your own needs a certificate "
        "that this machine trusts.",
        phrase="x509: |failed to verify certificate",
    ),
    Rule(
        "no_https",
        Reason.UNREACHABLE,
        "{provider} does not use HTTPS at this endpoint.",
        "Check the endpoint: a server without a certificate needs http://.",
        phrase="first record does not look like a TLS|server gave HTTP response to HTTPS"
        "|WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE",
    ),
    Rule(
        "no_host",
        Reason.UNREACHABLE,
        "The host of {provider} could not be found.",
        "Check the endpoint, and that this machine can reach the internet.",
        phrase="no such host|server misbehaving|failure in name resolution"
        "|Name or service not known|No address associated with hostname",
        near="Check the name in the endpoint, and that this machine can look it up: {server}.",
    ),
    Rule(
        "no_answer",
        Reason.UNREACHABLE,
        "{provider} did not answer, or the connection broke.",
        "Check that this machine can reach the internet. " + _TRY_LATER,
        phrase="(?i:connection refused|connection reset|broken pipe|i/o timeout|timeout awaiting"
        "|deadline exceeded|network is unreachable|no route to host|TLS handshake timeout"
        "|unexpected EOF|use of closed network connection)|: EOF$|http2: "
        "|^TimeoutError: |^RemoteDisconnected: |^IncompleteRead: |EOF occurred in violation"
        "|^SSLZeroReturnError: |UNEXPECTED_EOF_WHILE_READING"
        "|^ConnectionAbortedError: ",
        near="Check that a server is running at {server}, then {again}.",
    ),
    Rule(
        "disk_full",
        Reason.DISK_FULL,
        "The disk of this machine is full.",
        "Free some space, then {again}.",
        phrase="(?i:no space left on device|disk quota exceeded)",
    ),
    Rule(
        "no_memory",
        Reason.NO_MEMORY,
        "This machine has too little memory for the run.",
        MORE_MEMORY,
        Mends.HEALTH,
        phrase=NO_MEMORY_WORDS,
    ),
    # rclone asks for the folder as if it were an object, and takes every answer but 404 for one.
    Rule(
        "archive_is_file",
        Reason.RCLONE_ERROR,
        "{provider} did not let rclone open {archive}.",
        "Load the provider's buckets on its page: that shows whether the key and the network work.",
        phrase="--backup-dir.*is a file not a directory$",
    ),
)
