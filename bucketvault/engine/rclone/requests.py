"""How many requests rclone makes for what its log says: the price of each object, step by step.

Counted with a proxy before each end, rclone 1.75.2 (`tests/engine/rclone/test_requests.py`). What
rclone asks again after an error is not in its log, and not here.

Decisions: docs/decisions/money.md.
"""

import math
from collections.abc import Iterable

from bucketvault.engine.domain.usage import EndUse, Use

PAGE_KEYS = 1000  # S3 lists no more at once
_MIB = 1024 * 1024
PART = 5 * _MIB  # --s3-chunk-size
MOST_PARTS = 10_000  # --s3-max-upload-parts
IN_PARTS_FROM = 200 * _MIB  # --s3-upload-cutoff
BY_STREAMS_FROM = 256 * _MIB  # --multi-thread-cutoff: then each part is a GET of its own
COPY_PART = 4_999_341_932  # --s3-copy-cutoff, 4.656 GiB: a copy inside a bucket goes in such parts


def copied(size: int, *, listed: bool, in_parts: bool = False) -> Use:
    """Return what bringing one object to the copy takes.

    `listed`: rclone has listed both ends, so it need not ask for each name; `in_parts`: it uploads
    small objects in parts, too.
    """
    parts = parts_of(size)
    by_streams = size >= BY_STREAMS_FROM
    source = EndUse(reads=(parts if by_streams else 1) + (not listed or by_streams), bytes_out=size)
    whole = size < IN_PARTS_FROM and not in_parts
    writes = 1 if whole else 1 + parts + 1  # begun, its parts, completed
    return Use(source, EndUse(writes=writes, reads=1 if listed else 2))


def kept(size: int, *, listed: bool) -> Use:
    """Return what a copy of one former version takes, inside the destination."""
    reads = 2 if listed else 3
    if size < COPY_PART:
        return Use(destination=EndUse(writes=1, reads=reads))
    parts = math.ceil(size / COPY_PART)
    return Use(destination=EndUse(writes=1 + parts + 1, reads=reads + 1))


def removed(size: int, *, listed: bool) -> Use:
    """Return what moving one object among the kept versions takes, without the delete."""
    use = kept(size, listed=False)
    use.source.reads += not listed
    return use


def parts_of(size: int) -> int:
    """Return in how many parts an object of so many bytes is uploaded.

    https://github.com/rclone/rclone/blob/master/fs/chunksize/chunksize.go
    """
    part = PART
    if size > MOST_PARTS * PART:
        part = math.ceil(size / MOST_PARTS / _MIB) * _MIB
        if size // part == MOST_PARTS and size % MOST_PARTS:
            part += _MIB
    return max(1, math.ceil(size / part))


def listings(keys: Iterable[bytes]) -> int:
    """Return how many pages a listing folder by folder has, as rclone makes it.

    `keys` rise in byte order, so that all below one folder are together.
    """
    pages = 0
    path: list[bytes] = []
    entries = [0]  # in the folder at the top, and in each of `path`
    for key in keys:
        *folders, _ = key.split(b"/")
        same = 0
        while same < min(len(path), len(folders)) and path[same] == folders[same]:
            same += 1
        while len(path) > same:
            path.pop()
            pages += _pages(entries.pop())
        for folder in folders[same:]:
            entries[-1] += 1
            path.append(folder)
            entries.append(0)
        entries[-1] += 1
    return pages + sum(map(_pages, entries))


def _pages(entries: int) -> int:
    return max(1, math.ceil(entries / PAGE_KEYS))


# ---- estimates, where nothing is known but how much there is


def first_copy(objects: int, size_bytes: int) -> Use:
    """Return what a first copy takes: a look, rclone's copy of all, and the proof.

    At least: rclone lists each folder by itself, and an object that is much larger than the others
    goes in parts.
    """
    pages = _pages(objects)
    use = Use(EndUse(lists=3 * pages), EndUse(lists=2 + pages))
    use.add(copied(size_bytes // max(1, objects), listed=True), objects)
    use.source.bytes_out = size_bytes
    use.destination.add(TIDYING)
    return use


def unchanged_run(objects: int) -> Use:
    """Return what a run takes that finds nothing to do."""
    pages = _pages(objects)
    use = Use(EndUse(lists=pages), EndUse(lists=pages))
    use.destination.add(EndUse(lists=TIDYING.lists))
    return use


# After a good run: what is kept, unfinished uploads in two places, and RESTORE.txt the first time.
TIDYING = EndUse(lists=3, writes=1, reads=1)
