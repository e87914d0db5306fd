"""View of the home page, put together by one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.situation import Situation
from bucketvault.store.database import connection
from bucketvault.store.models import Provider


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """From an empty installation to a good copy: what is there, by name.

    A step is done when its part is not empty.
    """

    providers: tuple[str, ...]  # names
    mail_is_set_up: bool


@dataclass(frozen=True, slots=True)
class HomeView:
    """Every backup, its last 30 days, and whether everything is fine."""

    rows: list[BackupRow]
    answer: Situation
    days: Mapping[int, Days]  # by the id of the backup
    steps: FirstSteps | None  # until a first backup has succeeded


def first_steps(rows: Sequence[BackupRow], *, mail_is_set_up: bool) -> FirstSteps | None:
    """Return the steps, until a first backup has succeeded; then None, and nothing is asked."""
    if any(row.last_good_at is not None for row in rows):
        return None
    with connection():
        providers = Provider.select(Provider.name).order_by(Provider.name)
        return FirstSteps(tuple(one.name for one in providers), mail_is_set_up)
