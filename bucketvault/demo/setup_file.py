"""The demo's setup file, as a person would write it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bucketvault.demo.servers import Server

HOME, OFFSITE = "Home server", "Offsite server"


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the file, between two buckets of the same name but for `-copy`."""

    name: str
    bucket: str
    at: str  # HH:MM
    source: str = HOME
    weekday: str = ""  # empty: daily
    verify_gb_per_night: int = 0


def write_setup(
    file: Path,
    providers: Mapping[str, Server],
    backups: Iterable[Entry],
    tables: Mapping[str, Mapping[str, object]],
) -> None:
    """Write further tables, providers, the buckets of the backups, and the backups."""
    parts = [_table(f"[{name}]", values) for name, values in tables.items()]
    for name, server in providers.items():
        kind = {"name": name, "provider_type": "amazon_s3"}
        parts.append(_table("[[provider]]", {**kind, **asdict(server)}))
    for each in backups:
        ends = {"source": (each.source, each.bucket), "destination": (OFFSITE, copy_of(each))}
        for side, (provider, bucket) in ends.items():
            usage = {"bucket_name": bucket, "usage_type": f"{side}_only"}
            parts.append(_table("[[storage]]", {"provider": provider, **usage}))
        parts.append(_table("[[backup]]", _backup(each, ends)))
    file.touch(0o600)
    file.write_text("\n".join(parts), "utf-8")


def copy_of(each: Entry) -> str:
    """Return the name of the bucket that a backup copies to."""
    return f"{each.bucket}-copy"


def _backup(each: Entry, ends: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    schedule = {"schedule": "weekly", "weekday": each.weekday} if each.weekday else {}
    budget = {"verify_gb_per_night": each.verify_gb_per_night} if each.verify_gb_per_night else {}
    return {
        "name": each.name,
        **{side: dict(zip(("provider", "bucket"), end, strict=True)) for side, end in ends.items()},
        "schedule": "daily",
        **schedule,
        "at": each.at,
        "comparison_mode": "checksum",
        **budget,
    }


def _table(head: str, values: Mapping[str, object]) -> str:
    return "\n".join([head, *(f"{name} = {_toml(value)}" for name, value in values.items()), ""])


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_toml(each)}' for name, each in value.items())}}}"
    return json.dumps(value)  # JSON's strings, numbers and booleans are those of TOML
