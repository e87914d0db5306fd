"""For each cause: answers that lead to it, and some that look alike and lead elsewhere.

`@name` is a recording of the real rclone (tests/data/rclone); the others are built as rclone 1.75.2
builds its messages, with the sentences that services are known to answer.
"""

from typing import NamedTuple


def s3(status: int, code: str, operation: str = "ListObjectsV2", said: str = "no") -> str:
    """Return rclone's message about an answer of S3."""
    return (
        f"Failed to copy: operation error S3: {operation}, https response error StatusCode: "
        f"{status}, RequestID: 1, HostID: , api error {code}: {said}"
    )


def no_answer(cause: str) -> str:
    """Return rclone's message where there was no answer."""
    return f'Failed to copy: operation error S3: PutObject, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Put "http://s3.example/b/x": {cause}'  # noqa: E501


class Answers(NamedTuple):
    """Messages that lead to a cause, and others with the cause they lead to; None: to none."""

    leads: tuple[str, ...]
    alike: dict[str, str | None]


DENIED = "Access Denied"
LOCK = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with "
QUOTA = "\nfailed to get rate limit token, retry quota exceeded, 0 available, 5 requested"
MALFORMED = "The authorization header is malformed; "

ANSWERS = {
    "master_key": Answers(
        ("@b2_master_key",),
        {s3(403, "InvalidAccessKeyId", said="The key is not valid"): "unknown_key"},
    ),
    "unknown_key": Answers(
        ("@sync_source_unknown_key", "@sync_destination_unknown_key", "@size_source_unknown_key"),
        {
            s3(403, "SignatureDoesNotMatch", said="InvalidAccessKeyId"): "wrong_secret",
            s3(404, "NoSuchKey", "GetObject"): "gone",
        },
    ),
    "wrong_secret": Answers(
        (
            *("@sync_source_wrong_secret", "@sync_destination_wrong_secret"),
            *("@list_destination_wrong_secret", "@copy_odd_signature"),
        ),
        {
            s3(403, "AccessDenied", "PutObject", "SignatureDoesNotMatch"): "write",
            s3(403, "RequestTimeTooSkewed", said="Signature expired"): "clock",
        },
    ),
    "malformed_key": Answers(
        (
            "@r2_key_too_long",
            s3(
                400, "AuthorizationHeaderMalformed", said=MALFORMED + "the Credential is mal-formed"
            ),
        ),
        {
            s3(400, "InvalidArgument", said="Invalid part number"): None,
            s3(400, "InvalidRequest", "PutObject", LOCK): "object_lock",
            "@aws_wrong_region": "wrong_region",
        },
    ),
    "expired_key": Answers(
        ("@aws_expired_token",),
        {s3(403, "AccessDenied", said="Request has expired"): "list"},
    ),
    "account": Answers(
        ("@account_problem", s3(403, "UserSuspended")),
        {s3(403, "AccessDenied", "PutObject", "There is a problem with your account"): "write"},
    ),
    "clock": Answers(
        ("@aws_clock_skew",),
        {s3(400, "RequestTimeout", "PutObject", "Your socket connection timed out"): None},
    ),
    "refused_key": Answers(
        ("@r2_unauthorized", s3(401, "SomethingNew")),
        {
            s3(403, "Unauthorised"): None,
            s3(401, "InvalidAccessKeyId"): "unknown_key",
            s3(401, "AccessDenied"): "list",
        },
    ),
    "wrong_region": Answers(
        (
            *("@aws_wrong_region", "@aws_other_endpoint"),
            s3(301, "Moved"),
            s3(400, "InvalidRegionName", said="The region name 'us-east-1' is not valid."),
        ),
        {
            s3(403, "AccessDenied", said="the region 'us-east-1' is wrong"): "list",
            s3(404, "NoSuchBucket", said="expecting 'eu-central-1'"): "no_bucket",
        },
    ),
    "no_bucket": Answers(
        ("@sync_source_no_bucket", "@sync_destination_no_bucket", "@web_page_not_found"),
        {
            s3(404, "NoSuchKey", "GetObject", "NoSuchBucket"): "gone",
            s3(404, "NoSuchUpload", "UploadPart"): None,
        },
    ),
    "full": Answers(
        ("@sync_destination_quota", "@sync_destination_disk_full", s3(507, "New", "PutObject")),
        {
            "@keep_outage": "outage",
            s3(503, "SlowDown", "CopyObject", f"Please reduce.{QUOTA}"): "slow_down",
            s3(200, "InternalError", "CopyObject", f"We encountered.{QUOTA}"): "outage",
            s3(429, "TooManyRequests", "PutObject", "Request quota exceeded"): "slow_down",
        },
    ),
    "storage_cap": Answers(
        (
            "@sync_b2_storage_cap",
            s3(500, "InternalError", "PutObject", "write: no space left on device"),
        ),
        {
            "@b2_transaction_cap": "daily_cap",
            s3(500, "InternalError", "PutObject", f"We encountered.{QUOTA}"): "outage",
            s3(403, "AccessDenied", "PutObject", "the storage class is not allowed"): "write",
            "Failed to copy: write /var/cache/x: no space left on device": "disk_full",
        },
    ),
    "daily_cap": Answers(
        (
            "@b2_transaction_cap",
            s3(403, "AccessDenied", "GetObject", "Cannot download file, download cap exceeded"),
        ),
        {
            "@sync_b2_storage_cap": "storage_cap",
            s3(403, "AccessDenied", "PutObject", "the capacity rule denies it"): "write",
        },
    ),
    "not_s3": Answers(
        ("@web_page_ok", "@web_page_forbidden", "BadStatusLine: SSH-2.0"),
        {
            "@web_page_bad_gateway": "outage",
            s3(403, "AccessDenied", "GetObject", "deserialization failed"): "read",
        },
    ),
    "list_buckets": Answers(
        ("@list_buckets_denied",),
        {s3(403, "AccessDenied", "ListObjectsV2", "ListBuckets"): "list"},
    ),
    "list": Answers(
        ("@sync_source_may_not_list", "@sync_destination_may_not_list", "@b2_not_entitled"),
        {s3(403, "AccessDenied", "GetObject", "ListObjectsV2"): "read"},
    ),
    "look_at_object": Answers(
        ("@keep_refused", "@remove_refused", s3(403, "Forbidden", "HeadObject", "Forbidden")),
        {s3(403, "AccessDenied", "HeadObject"): "read", "@copy_refused": "read"},
    ),
    "read": Answers(
        ("@sync_source_may_not_read", "@copy_refused"),
        {
            s3(403, "AccessDenied", "GetObject", "download cap exceeded"): "daily_cap",
            s3(403, "InvalidObjectState", "GetObject", DENIED): "cold",
        },
    ),
    "write": Answers(
        ("@sync_destination_may_not_write", "@sync_destination_may_not_write_large"),
        {s3(403, "AccessDenied", "PutObject", "storage cap exceeded"): "storage_cap"},
    ),
    "set_aside": Answers(
        ("@sync_destination_may_not_copy",),
        {
            "@sync_destination_may_not_delete": "delete",
            s3(403, "ObjectNotInActiveTierError", "CopyObject", DENIED): "cold",
        },
    ),
    "delete": Answers(
        ("@sync_destination_may_not_delete",),
        {s3(403, "AccessDenied", "AbortMultipartUpload", "DeleteObject"): "denied"},
    ),
    "denied": Answers(
        (s3(403, "AccessDenied", "GetBucketLocation"),),
        {
            s3(403, "AccessDenied", "PutObject"): "write",
            s3(403, "KMS.DisabledException", "GetBucketLocation", DENIED): None,
        },
    ),
    "cold": Answers(
        ("@sync_source_cold", "@sync_destination_cold", "@keep_cold"),
        {s3(403, "AccessDenied", "GetObject", "restore first"): "read"},
    ),
    "key_too_long": Answers(
        (s3(400, "KeyTooLongError", "CopyObject", "Your key is too long"),),
        {
            s3(400, "InvalidArgument", "PutObject", "Your key is too long"): None,
            "@r2_key_too_long": "malformed_key",
        },
    ),
    "metadata_too_large": Answers(
        ("@copy_metadata_too_large",),
        {s3(400, "EntityTooLarge", "PutObject", "Your metadata headers exceed"): None},
    ),
    "storage_class": Answers(
        ("@copy_storage_class", s3(400, "InvalidStorageClass", "PutObject", "storage class")),
        {
            "@copy_not_implemented": "not_implemented",
            s3(403, "InvalidObjectState", "GetObject", "object's storage class"): "cold",
        },
    ),
    "not_implemented": Answers(
        ("@copy_not_implemented", s3(501, "New", "PutObject")),
        {
            "@copy_storage_class": "storage_class",
            s3(500, "InternalError", "PutObject", "not implemented"): "outage",
        },
    ),
    "object_lock": Answers(
        ("@copy_object_lock",),
        {
            s3(400, "InvalidRequest", "PutObject", "Object Lock is not enabled"): None,
            "@copy_bad_digest": "other_checksum",
        },
    ),
    "other_checksum": Answers(
        (
            "@copy_bad_digest",
            'Failed to copy: corrupted on transfer: md5 hashes differ src(S3) "a" vs dst(S3) "b"',
        ),
        {
            s3(400, "InvalidRequest", "PutObject", LOCK): "object_lock",
            s3(400, "XAmzContentSHA256Mismatch", "PutObject"): "changed_on_the_way",
            'Failed to copy: "corrupted on transfer": unexpected EOF': "no_answer",
        },
    ),
    "changed_on_the_way": Answers(
        (s3(400, "XAmzContentSHA256Mismatch", "PutObject"), s3(400, "IncompleteBody", "PutObject")),
        {s3(403, "SignatureDoesNotMatch", "PutObject", "x-amz-content-sha256"): "wrong_secret"},
    ),
    "slow_down": Answers(
        ("@slow_down", "@too_many_requests", "@sync_destination_slow_down"),
        {
            "@service_unavailable": "outage",
            s3(503, "ServiceUnavailable", "PutObject", "SlowDown"): "outage",
        },
    ),
    "outage": Answers(
        (
            *("@service_unavailable", "@internal_error", "@keep_outage", "@web_page_bad_gateway"),
            "Failed to copy: operation error S3: CopyObject" + QUOTA,
        ),
        {
            "@slow_down": "slow_down",
            "@sync_destination_disk_full": "full",
            s3(501, "NotImplemented"): "not_implemented",
        },
    ),
    "gone": Answers(
        ("@hostile_name", "@copy_ghost", s3(404, "NoSuchKey", "GetObject")),
        {
            "@sync_source_no_bucket": "no_bucket",
            s3(404, "NoSuchUpload", "UploadPart", "object not found"): None,
        },
    ),
    "certificate": Answers(
        ("@list_destination_untrusted", "@list_destination_expired"),
        {s3(403, "AccessDenied", said="x509: "): "list", "@list_destination_frozen": "no_answer"},
    ),
    "no_https": Answers(
        ("@list_destination_https_to_http",),
        {"@sync_source_refused": "no_answer"},
    ),
    "no_host": Answers(
        ("@list_destination_no_such_host",),
        {
            no_answer("dial tcp 192.0.2.1:443: connect: no route to host"): "no_answer",
            s3(404, "NoSuchBucket", said="no such host"): "no_bucket",
        },
    ),
    "no_answer": Answers(
        ("@sync_source_refused", "@list_destination_frozen", no_answer("i/o timeout")),
        {
            s3(403, "AccessDenied", "PutObject", "connection refused"): "write",
            "@list_destination_no_such_host": "no_host",
        },
    ),
    "disk_full": Answers(
        ("Failed to copy: write /var/cache/list: no space left on device",),
        {s3(500, "InternalError", "PutObject", "no space left on device"): "storage_cap"},
    ),
    "no_memory": Answers(
        (
            "Failed to sync: fork/exec /usr/bin/x: cannot allocate memory",
            "[Errno 12] Cannot allocate memory",
            "MemoryError: ",
        ),
        {s3(500, "InternalError", "PutObject", "out of memory"): "outage"},
    ),
    "archive_is_file": Answers(
        ("@sync_no_slash_destination_wrong_secret",),
        {"Failed to copy: destination and parameter to --backup-dir mustn't overlap": None},
    ),
}
