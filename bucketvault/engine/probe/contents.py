"""Look what is at a path of a bucket, or count it. Strict: a web page with status 200 is no folder.

rclone 1.75.2 takes a page in XHTML with status 200 for an empty folder. Nothing is written.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.listing import counting
from bucketvault.engine.listing.asking import bucket_at
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.look import End, LookFailedError
from bucketvault.engine.listing.process import StoppedError
from bucketvault.engine.probe.account import TIMEOUT_S, asker_of, explained
from bucketvault.engine.probe.halt import HaltedError
from bucketvault.engine.rclone.buckets import failure
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.remotes import Remote

NAMES_SEEN = 3  # of a short look
_LISTS = "ListObjectsV2"  # as S3 calls what is asked


@dataclass(frozen=True, slots=True)
class PathLook:
    """Result of a short look at a path; kept versions do not count.

    `objects_seen` counts objects and folders at the top of the path: all of them, or those of the
    first page where there are more (`cut`). `names` are the first of them, a folder's with a slash
    at its end.
    """

    anything: bool
    objects_seen: int
    names: tuple[str, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class PathSize:
    """All objects at a path, counted; kept versions do not count."""

    objects: int
    size_bytes: int


def look_at_path(remote: Remote, bucket: str, path: str, timeout_s: float = TIMEOUT_S) -> PathLook:
    """Look if anything but kept versions is at a path: one page of a listing.

    Raises BucketNotFoundError, DeniedError, other DiscoveryErrors.
    """
    prefix, token = _prefix(path), ""
    with asker_of(remote, bucket, timeout_s) as asker:
        try:
            while True:
                more = {"continuation-token": token} if token else {}
                page = asker.page(prefix, {"delimiter": "/", **more})
                found = {entry.key for entry in page.entries if entry.key or entry.size}
                found |= {name for name in page.folders if name != f"{ARCHIVE_ROOT}/".encode()}
                # a page may have nothing, and say that another one follows
                if found or page.token in (None, token):
                    break
                token = page.token
        except (ListingError, HaltedError) as error:
            raise explained(remote, bucket, _LISTS, error) from error
    names = (name.decode(errors="replace") for name in sorted(found)[:NAMES_SEEN])
    return PathLook(bool(found), len(found), tuple(names), page.token is not None)


def measure_path(
    remote: Remote,
    bucket: str,
    path: str,
    *,
    cancelled: threading.Event,
    on_seen: Callable[[int], None],
    timeout_s: float = TIMEOUT_S,
) -> PathSize:
    """Count all that a run would read at a path, by listings; a large bucket takes minutes.

    `on_seen` gets how many objects were listed so far, in this thread. Raises CancelledError soon
    after `cancelled` is set, DiscoveryError also after `timeout_s` without an answer.
    """
    end = End(bucket_at(remote, bucket), _prefix(path), f"{ARCHIVE_ROOT}/")
    try:
        return PathSize(*counting.count(end, on_seen, patience_s=timeout_s, cancelled=cancelled))
    except StoppedError as error:
        raise CancelledError("Stopped while objects were counted.") from error
    except LookFailedError as error:
        what = error.status, error.code, error.summary, error.region
        raise failure(remote, bucket, _LISTS, *what) from error


def _prefix(path: str) -> str:
    return f"{path}/" if path else ""
