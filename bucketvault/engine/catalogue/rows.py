"""Steps common to changes of any row of the catalogue; inside the caller's connection."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from bucketvault.errors import InvalidInputError, NotFoundError, Problem
from bucketvault.store.models import BaseModel

USERS_NAMED = 5  # in a refusal; the rest are counted

Model = TypeVar("Model", bound=BaseModel)
Values = TypeVar("Values")


def get(model: type[Model], row_id: int) -> Model:
    """Return the row with this id. Raises NotFoundError."""
    row: Model | None = model.get_or_none(model._meta.primary_key == row_id)  # noqa: SLF001
    if row is None:
        raise NotFoundError(f"This {model.__name__.lower()} no longer exists.")
    return row


def existing(model: type[Model], row_id: int | None) -> Model | None:
    """Return the row with this id; None without one. Raises NotFoundError."""
    return None if row_id is None else get(model, row_id)


def fields_of(values: Any) -> dict[str, Any]:  # Any: one of the three kinds of checked values
    """Return checked values by field name."""
    return {field.name: getattr(values, field.name) for field in fields(values)}


def different(one: Any, other: Any) -> list[str]:  # Any: two inputs of one kind
    """Return the names of the fields in which two inputs differ."""
    names = (each.name for each in fields(one))
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def accepted(checked: tuple[Values, Sequence[Problem]]) -> Values:
    """Return checked values. Raises InvalidInputError if there are problems with them."""
    values, problems = checked
    if problems:
        raise InvalidInputError(problems)
    return values


def take_over(row: BaseModel, values: Mapping[str, Any]) -> list[str]:  # any column's
    """Set what differs; the names of it."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed


def save(row: BaseModel, changed: list[str]) -> tuple[str, ...]:
    """Save a row in which the fields `changed` are new; their names."""
    if changed:
        row.save()
    return tuple(changed)


def named(users: Sequence[str]) -> str:
    """The first users by name, and how many more there are."""
    shown = ", ".join(f'"{user}"' for user in users[:USERS_NAMED])
    rest = len(users) - USERS_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
