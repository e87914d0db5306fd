"""Counts of what a run did: rclone's lines paired per object, because its own sums are wrong.

They are after a retry, even in a green run. Seen with rclone 1.75.2.

Decisions: docs/decisions/counts.md.
"""

import re
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field

from bucketvault.engine.rclone.log_lines import LARGEST, OBJECT_TYPE, whole_number

ASIDE_KNOWN = 1_000_000  # objects that one run set aside
# What a listing names and rclone then acts as if it were not there, and exits 0. Seen with 1.75.2:
# below a path in a bucket, everything with `//` in its name (fs/list/list.go, backend/s3/s3.go).
PASSED_OVER = re.compile(r"Entry doesn't belong in directory|Odd (directory )?name received")
_UNREAD = re.compile(r"Failed to copy: failed to open source object: ")


class SetAside:
    """Which names earlier tries of a run had set aside, in eight bytes each: a million at most.

    That any two of a million look alike is less likely than one in thirty million.
    """

    def __init__(self) -> None:
        self._all = array("q")
        self._earlier = array("q")  # sorted
        self._again: set[int] = set()
        self._is_later = self._is_new_try = False

    def add(self, name: str) -> None:
        """A try has set `name` aside, the first one that did."""
        if len(self._all) < ASIDE_KNOWN:
            self._all.append(hash(name))

    def later(self) -> None:
        """A further try begins."""
        self._is_later = self._is_new_try = True

    def is_again(self, name: str) -> bool:
        """True if an earlier try had set `name` aside."""
        if self._is_new_try:  # now, and not for every run: most need no second one, or only look
            self._earlier, self._is_new_try = array("q", sorted(self._all)), False
        place = bisect_left(self._earlier, hash(name))
        return place < len(self._earlier) and self._earlier[place] == hash(name)

    def note(self, name: str) -> bool:
        """Note one that is set aside again; whether it is the first time."""
        known = len(self._again)
        self._again.add(hash(name))
        return len(self._again) > known

    @property
    def are_too_many(self) -> bool:
        """True if an earlier try may have set aside some that are not known here."""
        return self._is_later and len(self._all) == ASIDE_KNOWN


@dataclass(slots=True)
class Tally:
    """Counts of what a run did, from pairing rclone's lines per object.

    rclone archives an object by copying it aside and deleting it ("Deleted"), then uploads the new
    one ("Copied") or, where the source lost it, says "Moved into backup dir". An object that waits
    for that second line when the run ends is a hole: it is only among the kept versions.

    Every try of a run keeps versions in the same folder: what a later one sets aside overwrites
    what an earlier one had, when the source changed an object once more in between.
    """

    copied: int = 0
    replaced: int = 0
    archived: int = 0
    deleted: int = 0
    touched: int = 0
    bytes: int = 0
    unkept: int = 0  # replaced or removed, and what was there before is not kept: a warning
    unsure: int = 0  # set aside by a later try, when too many were before to know them all
    waiting: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)  # of these: nothing of them came from the source
    on_the_way: set[str] = field(default_factory=set)  # the others that were to be copied
    sought: frozenset[str] = frozenset()  # names to look out for
    back: set[str] = field(default_factory=set)  # of these: copied, and not removed again
    aside: SetAside = field(default_factory=SetAside)

    def count(self, entry: dict[str, object]) -> None:
        """Take one parsed line into account; lines about anything but an object change nothing."""
        if entry.get("objectType") != OBJECT_TYPE:
            return
        key, message = entry.get("object"), entry.get("msg")
        if not isinstance(key, str) or not isinstance(message, str):
            return
        if message == "Deleted":
            self._set_aside(key)
        elif message == "Moved into backup dir":
            self.deleted += 1
            self.waiting.discard(key)
            self.back.discard(key)
            self._mended(key)
        elif message == "Copied (server-side copy)":
            self._goes_aside(key)  # destination to archive; its "Deleted" completes it
        elif "Copied (" in message and entry.get("level") == "info":
            self._copied(key, message, entry.get("size"))
        elif message == "Updated modification time in destination":
            self.touched += 1
            self._mended(key)
        elif entry.get("level") == "error" and not PASSED_OVER.match(message):
            self._mended(key)
            self.failed.add(key)
            if message.startswith("Failed to copy: "):
                (self.unread if _UNREAD.match(message) else self.on_the_way).add(key)

    def next_try(self) -> None:
        """Note that rclone tries again: it lists again, and keeps versions where it did before."""
        self.aside.later()

    def _goes_aside(self, key: str) -> None:
        """Count once what was there before the run, if it is overwritten among the kept versions.

        Now, not when the move is complete: it may be refused half way.
        """
        if self.aside.is_again(key):
            self.unkept += self.aside.note(key)
        elif self.aside.are_too_many:
            self.unsure += 1

    def _set_aside(self, key: str) -> None:
        if not self.aside.is_again(key):
            self.archived += 1
            self.aside.add(key)
        elif key not in self.waiting:  # it was replaced by an earlier try, and is now once more
            self.replaced = max(0, self.replaced - 1)
        self.waiting.add(key)

    def end_well(self) -> None:
        """Settle what became of objects without a last word: rclone ended with 0.

        Its last try found nothing left to do. So an object whose copying had failed has arrived
        after all, and only the look at it was refused; or the source has lost it meanwhile, as
        nothing of it was read.
        """
        self.deleted += len(self.waiting & self.unread)
        self.replaced += len(self.waiting - self.unread)
        self.copied += len(self.on_the_way - self.waiting)
        self.back |= self.sought & (self.on_the_way - self.waiting)
        self.back -= self.waiting & self.unread
        self.failed -= self.unread
        for each in (self.waiting, self.unread, self.on_the_way):
            each.clear()

    def _mended(self, key: str) -> None:
        for each in (self.failed, self.unread, self.on_the_way):
            each.discard(key)

    def _copied(self, key: str, message: str, size: object) -> None:
        self.bytes = min(LARGEST, self.bytes + whole_number(size))
        self._mended(key)
        if key in self.waiting:  # rclone says "(new)" for replaced objects too
            self.waiting.discard(key)
            self.replaced += 1
        elif "(new)" in message:
            self.copied += 1
            if key in self.sought:
                self.back.add(key)
        else:
            self.replaced += 1
            self.unkept += 1

    @property
    def holes(self) -> int:
        """Objects archived whose new version did not arrive."""
        return len(self.waiting)

    @property
    def errors(self) -> int:
        """Objects whose last word was an error."""
        return len(self.failed)
