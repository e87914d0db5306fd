"""Read what a row has as JSON: another version of the program may have written it. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def known_fields(cls: Any, value: Mapping[str, Any]) -> dict[str, Any]:  # Any: a dataclass; JSON
    """Return the fields of a dataclass that `value` has; what else it has is left out."""
    return {each.name: value[each.name] for each in fields(cls) if each.name in value}
