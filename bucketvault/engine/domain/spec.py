"""Between which places a run copies and how, as plain values: frozen when it was claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bucketvault.vocabulary import ComparisonMode, ProviderType


@dataclass(frozen=True, slots=True)
class End:
    """One end of a Backup: a bucket and perhaps a path in it."""

    provider_name: str
    provider_type: ProviderType
    bucket_name: str
    display_name: str  # empty: it is shown as bucket and provider
    path: str  # empty: the whole bucket; else without slashes at its ends

    @property
    def place(self) -> str:
        """Bucket and path as people write them."""
        return f"{self.bucket_name}/{self.path}" if self.path else self.bucket_name


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What was frozen when a run was claimed ("settings of this run")."""

    source: End
    destination: End
    comparison_mode: ComparisonMode
    retention_days: int
    shrink_limit_percent: int
    rclone_version: str
    arguments: tuple[str, ...]  # rclone's, without secrets


def run_settings(spec: Mapping[str, Any]) -> RunSettings | None:
    """What was frozen at claim; None before."""
    if not spec:
        return None
    return RunSettings(
        source=_frozen_end(spec["source"]),
        destination=_frozen_end(spec["destination"]),
        comparison_mode=ComparisonMode(spec["comparison_mode"]),
        retention_days=spec["retention_days"],
        shrink_limit_percent=spec["shrink_limit_percent"],
        rclone_version=spec["rclone_version"],
        arguments=tuple(spec["arguments"]),
    )


def _frozen_end(frozen: Mapping[str, Any]) -> End:
    return End(
        provider_name=frozen["provider"],
        provider_type=ProviderType(frozen["provider_type"]),
        bucket_name=frozen["bucket"],
        display_name=frozen["display_name"],
        path=frozen["path"],
    )
