"""Write the names of a plan as rclone takes them, so that a step touches those alone.

A list (`--files-from-raw`) carries most names. It trims and folds slashes; names that suffer from
that go through a filter (`--filter-from`), which lists the folders they are in.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bucketvault.engine.listing.merge import MD5, Difference, What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.names import is_odd, never_fits, spelled

REPLACED = (What.CHANGED, What.ALTERED)
HASHED, BARE = "hashed", "bare"  # of objects with an MD5 at the source, and of all others
_KINDS = {"replace": REPLACED, "new": (What.NEW, What.LOST), "remove": (What.GONE,)}

# What means something in rclone's globs, which become Go's regular expressions.
_SIGNS = re.compile(r"[\\.+*?()|[\]{}^$,]")


@dataclass(frozen=True, slots=True)
class Lists:
    """How many objects each file of a pass names, and how many bytes are to be copied."""

    replace: int
    new: int
    remove: int
    odd_replace: int
    odd_new: int
    odd_remove: int
    bytes: int


def is_among(found: Difference, only: str) -> bool:
    """True if it is one of those: `HASHED`, `BARE`, or empty for all."""
    if not only:
        return True
    has_hash = found.source is not None and MD5.fullmatch(found.source.etag) is not None
    return has_hash == (only == HASHED)


def write_lists(plan: Plan, folder: Path, *, below_path: bool, only: str = "") -> Lists:
    """Write what is to do as replace.txt, new.txt, remove.txt, and odd-replace.txt and so on.

    Only those that name something are there afterwards. `only` as in `is_among`.
    """
    to_copy = 0

    def keys(whats: Iterable[What]) -> Iterator[bytes]:
        nonlocal to_copy
        for found in plan.differences(*whats):
            end = found.source or found.copy
            if not is_among(found, only):
                continue
            if end is None or never_fits(found.key, end.size, below_path=below_path):
                continue
            to_copy += found.source.size if found.source else 0
            yield found.key

    counts = {}
    for name, whats in _KINDS.items():
        counts[name], counts[f"odd_{name}"] = write_names(keys(whats), folder, name)
    for name, count in counts.items():
        if not count:
            (folder / f"{name.replace('_', '-')}.txt").unlink()
    return Lists(**counts, bytes=to_copy)


def write_names(keys: Iterable[bytes], folder: Path, name: str) -> tuple[int, int]:
    """Write a list `name`.txt and a filter odd-`name`.txt; return how many names each holds.

    They are whole, or what was there before: a filter without its end would let everything through.
    """
    plain = odd = 0
    folders: set[str] = set()
    places = folder / f"{name}.txt", folder / f"odd-{name}.txt"
    besides = [place.with_suffix(".new") for place in places]
    with besides[0].open("wb") as listed, besides[1].open("wb") as rules:
        for key in keys:
            if is_odd(key):
                odd += 1
                rules.write(rules_of(key, folders).encode("utf-8", "surrogateescape"))
            else:
                plain += 1
                listed.write(spelled(key).encode("utf-8", "surrogateescape") + b"\n")
        rules.write(b"- **\n")
    for beside, place in zip(besides, places, strict=True):
        beside.replace(place)
    return plain, odd


def rules_of(key: bytes, folders: set[str]) -> str:
    """Return the lines that let one name through, and rclone into the folders above it.

    Without those it makes up its own, with slashes folded, and does not come to `a//b/c`.
    """
    name, lines = spelled(key), ""
    for slash in re.finditer("/", name):
        above = name[: slash.start()].strip("/")
        if above not in folders:
            folders.add(above)
            lines += f"+ /{_escaped(above)}/\n"
    # an end that is nothing: a final slash would mean a folder, and blanks would be cut off
    return f"{lines}+ /{_escaped(name)}{{}}\n"


def _escaped(name: str) -> str:
    return _SIGNS.sub(lambda sign: f"\\x{ord(sign[0]):02X}", name)
