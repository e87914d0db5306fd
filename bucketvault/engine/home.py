"""What the home page shows, put together by one call."""

from dataclasses import dataclass

from bucketvault.engine.overview import BackupRow
from bucketvault.engine.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Home:
    """Every backup, and whether everything is fine."""

    rows: list[BackupRow]
    answer: Verdict
