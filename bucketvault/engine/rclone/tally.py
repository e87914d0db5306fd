"""Counts of what a run did: rclone's lines about objects, each read by the step it belongs to.

rclone's own sums are not used: they count every copy inside the destination, too.

Decisions: docs/decisions/counts.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bucketvault.engine.domain.usage import Use
from bucketvault.engine.rclone import requests
from bucketvault.engine.rclone.log_lines import LARGEST, OBJECT_TYPE, Step, whole_number
from bucketvault.sanitize import clean

FAILED_KEPT = 10_000  # names with what was said of them
ERRORED_KEPT = 100_000
SAID_LIMIT = 1000  # characters
# What a listing names and rclone then acts as if it were not there, and exits 0. Seen with 1.75.2:
# below a path in a bucket, everything with `//` in its name (fs/list/list.go, backend/s3/s3.go).
PASSED_OVER = re.compile(r"Entry doesn't belong in directory|Odd (directory )?name received")
# A name of a list that could not be asked for; nothing was done to it. Its type is no object's.
NOT_SEEN = "--files-from failed to read file: "
INSIDE = "Copied (server-side copy)"  # by the destination itself
NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(slots=True)
class Tally:
    """Counts of what a run did, over all its passes.

    `archived` are kept versions, of what was replaced and of what was removed.
    """

    copied: int = 0
    replaced: int = 0
    archived: int = 0
    deleted: int = 0
    bytes: int = 0
    purged: int = 0  # old kept versions that tidying let go
    step_done: int = 0  # objects of the step under way
    failed: dict[str, str] = field(default_factory=dict)  # whose last word was an error: the word
    errored: set[str] = field(default_factory=set)  # ever named in an error while copying
    use: Use = field(default_factory=Use)  # requests to both ends
    _step: str = ""
    _listed: bool = False  # rclone lists both ends in this step
    _in_parts: bool = False  # it uploads every object in parts
    _cut: requests.Cut = requests.USUAL  # the parts of large objects
    _failing: set[int] = field(default_factory=set)  # as `failed`, and all of them: hashes

    def begin(self, step: str, told: Mapping[str, object] = NOTHING) -> None:
        """Note that what follows is about this step; `told` is our own line that says so."""
        self._step, self.step_done = step, 0
        self._listed = told.get("listed") is True
        self._in_parts = told.get("in_parts") is True
        self._cut = requests.cut_at(str(told.get("service", "")))
        self.use.add(Use.from_json(told.get("requests")))

    def count(self, entry: dict[str, object]) -> None:
        """Take one parsed line into account; lines about anything but an object change nothing."""
        key, message = entry.get("object"), entry.get("msg")
        if not isinstance(key, str) or not isinstance(message, str):
            return
        is_object = entry.get("objectType") == OBJECT_TYPE
        if self._step == Step.TIDY:
            self.purged += is_object and message == "Deleted"
            self.use.destination.deletes += is_object and message == "Deleted"
        elif entry.get("level") == "error":
            if (is_object or message.startswith(NOT_SEEN)) and not PASSED_OVER.match(message):
                self._fails(key, message)
        elif is_object and entry.get("level") == "info":
            self._succeeds(key, message, entry.get("size"))

    def _succeeds(self, key: str, message: str, size: object) -> None:
        if self._step == Step.KEEP:
            if message == INSIDE:
                self.archived += 1
                self.use.add(requests.kept(whole_number(size), listed=self._listed, cut=self._cut))
                self._is_done(key)
        elif message == INSIDE:
            self.use.add(requests.removed(whole_number(size), listed=self._listed, cut=self._cut))
        elif message == "Deleted":  # the second half of a move into the kept versions
            self.archived += 1
            self.use.destination.deletes += 1
        elif message == "Moved into backup dir":
            self.deleted += 1
            self._is_done(key)
        elif "Copied (" in message:
            self.copied += "(new)" in message
            self.replaced += "(new)" not in message
            self.bytes = min(LARGEST, self.bytes + whole_number(size))
            how = {"listed": self._listed, "in_parts": self._in_parts}
            self.use.add(requests.copied(whole_number(size), **how, cut=self._cut))
            self._is_done(key)

    def _is_done(self, key: str) -> None:
        self.step_done += 1
        self._failing.discard(hash(key))
        self.failed.pop(key, None)

    def _fails(self, key: str, message: str) -> None:
        self._failing.add(hash(key))
        if key in self.failed or len(self.failed) < FAILED_KEPT:
            self.failed[key] = clean(message, limit=SAID_LIMIT)
        is_sent = self._step == Step.COPY and not message.startswith(NOT_SEEN)
        if is_sent and len(self.errored) < ERRORED_KEPT:
            self.errored.add(key)

    @property
    def errors(self) -> int:
        """Objects whose last word was an error."""
        return len(self._failing)

    @property
    def errored_are_all(self) -> bool:
        """True if `errored` has every name; else there were too many to keep in mind."""
        return len(self.errored) < ERRORED_KEPT
