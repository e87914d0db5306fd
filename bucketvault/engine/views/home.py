"""View of the home page, put together by one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.situation import Situation
from bucketvault.store.database import connection
from bucketvault.store.models import Provider, Storage
from bucketvault.vocabulary import UsageType


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """From an empty installation to a good copy: what is there, by name.

    A step is done when its part is not empty.
    """

    providers: tuple[tuple[int, str], ...]  # ids and names
    buckets: tuple[str, ...]  # every one, where one can be copied from and another one to
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
        providers = Provider.select(Provider.id, Provider.name).order_by(Provider.name)
        storages = list(Storage.select().order_by(Storage.bucket_name))
        sources = [one.id for one in storages if one.usage_type != UsageType.DESTINATION_ONLY]
        targets = [one.id for one in storages if one.usage_type != UsageType.SOURCE_ONLY]
        both = any(one != other for one in sources for other in targets[:2])
        return FirstSteps(
            providers=tuple((one.id, one.name) for one in providers),
            buckets=tuple(one.bucket_name for one in storages) if both else (),
            mail_is_set_up=mail_is_set_up,
        )
