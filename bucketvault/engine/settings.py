"""The settings of the installation, typed; kept in the database, changed by `apply`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from bucketvault.engine.rules import Refusal, whole_number
from bucketvault.errors import Problem
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Setting


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default."""

    max_parallel_runs: int = 2
    stall_minutes: int = 10  # a run that moves nothing for so long is ended


RULES = {
    "max_parallel_runs": whole_number("It takes", 1, 16, "runs"),
    "stall_minutes": whole_number("It takes", 1, 24 * 60, "minutes"),
}


def load() -> Settings:
    """The settings as they are now."""
    with connection():
        stored = {row.key: row.value for row in Setting.select()}
    known = {f.name for f in fields(Settings)}
    return Settings(**{key: int(value) for key, value in stored.items() if key in known})


def check(given: Mapping[str, object]) -> tuple[dict[str, int], list[Problem]]:
    """The values in `given`, checked, and every problem with them. Every key must be known."""
    values: dict[str, int] = {}
    problems = []
    for key, value in given.items():
        try:
            values[key] = RULES[key](value)
        except Refusal as refusal:
            problems.append(Problem(key, str(refusal)))
    return values, problems


def store(values: Mapping[str, int]) -> list[str]:
    """Keep checked values; the names of those that changed."""
    before = load()
    changed = [key for key, value in values.items() if getattr(before, key) != value]
    with writing():
        for key in changed:
            Setting.insert(key=key, value=str(values[key])).on_conflict_replace().execute()
    return changed
