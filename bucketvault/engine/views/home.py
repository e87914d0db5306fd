"""What the home page shows, put together by one call."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.calendar import Days
from bucketvault.engine.views.first_steps import FirstSteps
from bucketvault.engine.views.situation import Situation


@dataclass(frozen=True, slots=True)
class Home:
    """Every backup, its last 30 days, and whether everything is fine."""

    rows: list[BackupRow]
    answer: Situation
    days: Mapping[int, Days]  # by the id of the backup, until `today`
    today: dt.date
    steps: FirstSteps | None  # until a first backup has succeeded
