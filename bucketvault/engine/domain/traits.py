"""Knowledge of what a bucket does, found by a connection test or by a run. Pure.

Stored with its Storage, frozen for a run when it is claimed, and turned into rclone's settings by
`engine/rclone/remotes.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits of one bucket; None: not known."""

    kms: bool | None = None  # new objects are encrypted with a key of KMS: their ETags are no MD5
    object_lock: bool | None = None  # every upload needs a checksum
    decodes: bool | None = None  # objects with a Content-Encoding are delivered decoded
    listing_encoded: bool | None = None  # `encoding-type=url` is followed
    listing_ordered: bool | None = None  # in byte order of UTF-8
    etag_is_md5: bool | None = None  # of an object that was uploaded whole
    copies_inside: bool | None = None  # an object can be copied inside the bucket
    versioning: bool | None = None

    def to_json(self) -> dict[str, object]:
        """Return what is known, as plain values for the database."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in known.items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Traits":
        """Return what `to_json` made; what is not true or false is not known."""
        found = {each.name: value.get(each.name) for each in fields(cls)}
        return cls(**{name: known for name, known in found.items() if isinstance(known, bool)})

    def with_learned(self, learned: "Traits") -> "Traits":
        """Return these with all that `learned` knows instead."""
        found = {each.name: getattr(learned, each.name) for each in fields(learned)}
        return replace(self, **{name: value for name, value in found.items() if value is not None})
