"""Between which places a run copies and how: frozen when it is claimed, kept as JSON in its row."""

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.domain.places import Location, server_of
from bucketvault.engine.domain.stored import known_fields
from bucketvault.engine.domain.traits import Traits
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ComparisonMode, ProviderType, StorageClass


@dataclass(frozen=True, slots=True)
class EndSpec:
    """One end of a Backup: a bucket at a provider, and perhaps a path in it."""

    provider: str  # its name
    provider_type: ProviderType
    bucket: str
    display_name: str = ""  # empty: it is shown as bucket and provider
    path: str = ""  # empty: the whole bucket; else without slashes at its ends
    provider_id: int = 0
    endpoint: str = ""
    region: str = ""
    traits: Traits = field(default=Traits())  # of the bucket, as far as they were known at claim

    @property
    def place(self) -> str:
        """Bucket and path as people write them."""
        return f"{self.bucket}/{self.path}" if self.path else self.bucket

    @property
    def location(self) -> Location:
        """Where this is by what is meant, whatever it is called."""
        server = server_of(self.provider_type, self.endpoint, self.region)
        return Location(server, self.bucket, self.path)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "EndSpec":  # Any: JSON
        """Return the end that `asdict` made plain values of; what is not known is left out.

        Raises KeyError, TypeError, ValueError where something needed is missing.
        """
        typed = {
            "provider_type": ProviderType(value["provider_type"]),
            "traits": Traits.from_json(value.get("traits") or {}),
        }
        return cls(**known_fields(cls, value) | typed)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The settings of a run, without secrets."""

    source: EndSpec
    destination: EndSpec
    comparison_mode: ComparisonMode
    retention_days: int
    shrink_limit_percent: int
    archive_key: str
    storage_class: StorageClass = StorageClass.STANDARD
    verify_gb_per_night: int = 0
    bandwidth: Bandwidth = field(default=Bandwidth())  # of this run
    rclone_version: str = ""  # empty until the run's rclone was found

    @property
    def has_hashes(self) -> bool:
        """True unless one end has ETags that look like an MD5 and are none."""
        return not (self.source.traits.kms or self.destination.traits.kms)

    @property
    def locations(self) -> tuple[Location, Location]:
        """Where it copies from and to."""
        return self.source.location, self.destination.location

    def to_json(self) -> dict[str, object]:
        """Return plain values for the database."""
        ends = {
            name: {**asdict(end), "traits": end.traits.to_json()}
            for name, end in (("source", self.source), ("destination", self.destination))
        }
        return {**asdict(self), **ends}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RunSpec":  # Any: JSON
        """Return the settings in a run's row, which another version may have written.

        What it has besides is left out. Raises SpecError where something needed is missing.
        """
        try:
            typed = {
                "source": EndSpec.from_json(value["source"]),
                "destination": EndSpec.from_json(value["destination"]),
                "comparison_mode": ComparisonMode(value["comparison_mode"]),
                "storage_class": StorageClass(value.get("storage_class") or StorageClass.STANDARD),
                "bandwidth": Bandwidth.from_json(value.get("bandwidth") or {}),
            }
            return cls(**known_fields(cls, value) | typed)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SpecError("The settings of this run cannot be read.") from error

    @classmethod
    def stored(cls, value: Mapping[str, Any]) -> "RunSpec | None":  # Any: JSON
        """Return the same; None before the run was claimed, and where it cannot be read."""
        try:
            return cls.from_json(value)
        except SpecError:
            return None


class SpecError(BucketvaultError):
    """The settings in a run's row are not those of a run."""

    hint = "Another version of bucketvault wrote them. Run the backup again."


@functools.lru_cache(maxsize=4096)
def stored_locations(spec: str) -> tuple[Location, Location] | None:
    """Return where the run of these settings, as they are stored, copied; None: not told."""
    try:
        ends = json.loads(spec)
        source, destination = (EndSpec.from_json(ends[end]) for end in ("source", "destination"))
        return source.location, destination.location
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
