"""How many requests rclone makes for what its log says: the price of each object, step by step.

Counted with a proxy before each end, rclone 1.75.2 (`tests/engine/rclone/test_requests.py`). What
rclone asks again after an error is not in its log, and not here.

Decisions: docs/decisions/money.md.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bucketvault.engine.domain.services import SERVICES
from bucketvault.engine.domain.usage import EndUse, Use

PAGE_KEYS = 1000  # S3 lists no more at once
_MIB = 1024 * 1024
IN_PARTS_FROM = 200 * _MIB  # --s3-upload-cutoff
BY_STREAMS_FROM = 256 * _MIB  # --multi-thread-cutoff: then each part is a GET of its own
COPY_PART = 4_999_341_932  # --s3-copy-cutoff, 4.656 GiB: a copy inside a bucket goes in such parts


@dataclass(frozen=True, slots=True)
class Cut:
    """The parts in which rclone stores large objects at one service."""

    part: int = 5 * _MIB  # --s3-chunk-size
    most: int = 10_000  # --s3-max-upload-parts
    copies_whole: bool = False  # inside a bucket: objects of any size in one request


USUAL = Cut()


def cut_at(slug: str) -> Cut:
    """Return the parts at a service, by `Service.slug`; the usual ones where it has no others."""
    told = {key: value for each in SERVICES if each.slug == slug for key, value in each.rclone}
    part = int(told["chunk_size"].removesuffix("Mi")) * _MIB if "chunk_size" in told else USUAL.part
    most = int(told.get("max_upload_parts", USUAL.most))
    return Cut(part, most, copies_whole="copy_cutoff" in told)


def copied(size: int, *, listed: bool, in_parts: bool = False, cut: Cut = USUAL) -> Use:
    """Return what bringing one object to the copy takes.

    `listed`: rclone has listed both ends, so it need not ask for each name; `in_parts`: it uploads
    small objects in parts, too; `cut`: of the destination.
    """
    parts = parts_of(size, cut)
    by_streams = size >= BY_STREAMS_FROM
    source = EndUse(reads=(parts if by_streams else 1) + (not listed or by_streams), bytes_out=size)
    whole = size < IN_PARTS_FROM and not in_parts
    writes = 1 if whole else 1 + parts + 1  # begun, its parts, completed
    return Use(source, EndUse(writes=writes, reads=1 if listed else 2))


def kept(size: int, *, listed: bool, cut: Cut = USUAL) -> Use:
    """Return what a copy of one former version takes, inside the destination."""
    reads = 2 if listed else 3
    if size < COPY_PART or cut.copies_whole:
        return Use(destination=EndUse(writes=1, reads=reads))
    parts = math.ceil(size / COPY_PART)
    return Use(destination=EndUse(writes=1 + parts + 1, reads=reads + 1))


def removed(size: int, *, listed: bool, cut: Cut = USUAL) -> Use:
    """Return what moving one object among the kept versions takes, without the delete."""
    use = kept(size, listed=False, cut=cut)
    use.source.reads += not listed
    return use


def parts_of(size: int, cut: Cut = USUAL) -> int:
    """Return in how many parts an object of so many bytes is uploaded.

    https://github.com/rclone/rclone/blob/master/fs/chunksize/chunksize.go
    """
    part = cut.part
    if size > cut.most * part:
        part = math.ceil(size / cut.most / _MIB) * _MIB
        if size // part == cut.most and size % cut.most:
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


SAMPLED = 10  # objects of a run whose headers are asked for at both ends

# ---- estimates, where nothing is known but how much there is


def first_copy(objects: int, size_bytes: int, cut: Cut = USUAL) -> Use:
    """Return what a first copy takes: a look, rclone's copy of all, and the proof.

    `cut`: of the destination. At least: rclone lists each folder by itself, and an object that is
    much larger than the others goes in parts.
    """
    pages = _pages(objects)
    use = Use(EndUse(lists=3 * pages), EndUse(lists=2 + pages))
    use.add(copied(size_bytes // max(1, objects), listed=True, cut=cut), objects)
    sampled = EndUse(reads=min(objects, SAMPLED))
    use.add(Use(sampled, sampled))
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
