"""Headers and metadata stored with an object, and those that its copy lost. Pure.

Names of headers are in small letters, as S3 sends them (docs.aws.amazon.com: "Working with object
metadata"). Left out: the type, which some servers guess anew, and the encoding, which a service may
change on the way; rclone keeps both.
"""

import email.errors
import email.header
import email.message
from collections.abc import Mapping

_SYSTEM = (
    *("cache-control", "content-disposition", "content-language", "expires"),
    "x-amz-website-redirect-location",
)
_OWN = "x-amz-meta-"  # metadata of the user's own
_OF_RCLONE = ("x-amz-meta-mtime", "x-amz-meta-btime")  # that every copy has


def stored(answer: email.message.Message) -> dict[str, str]:
    """Return what the answer to a GET or HEAD says of this."""
    told = {name.lower(): _plain(value) for name, value in answer.items()}
    return {
        name: value
        for name, value in told.items()
        if (name in _SYSTEM or name.startswith(_OWN)) and name not in _OF_RCLONE
    }


def lost(source: Mapping[str, str], copy: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of what differs: the copy lacks it, has another value, or has it alone."""
    names = sorted(source.keys() | copy.keys())
    return tuple(name for name in names if source.get(name) != copy.get(name))


def _plain(value: str) -> str:
    """Return a value as it is meant: beyond ASCII services send it as in a mail, or as UTF-8."""
    try:
        if "=?" in value:
            return str(email.header.make_header(email.header.decode_header(value))).strip()
        return value.encode("latin-1").decode().strip()
    except (LookupError, ValueError, email.errors.MessageError):  # it only looks like a mail's
        return value.strip()
