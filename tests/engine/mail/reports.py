"""Weeks to report, made up."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.cost import Cost, Item, Part
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.reading import Coverage
from bucketvault.engine.mail.texts import Home
from bucketvault.engine.mail.week import BackupWeek, Mark, Need, Runs, Week
from bucketvault.vocabulary import Side

UNTIL = dt.datetime(2026, 11, 30, 7, tzinfo=dt.UTC)
HOME = Home(ZoneInfo("Europe/Berlin"), "backup-box", "bucketvault")


def a_backup_week(**given: Any) -> BackupWeek:
    usual: dict[str, Any] = {
        "name": "Photos",
        "state": "Succeeded",
        "mark": Mark.GOOD,
        "proof": Proof(at="2026-11-30T02:20:00+00:00", source_objects=1204, present=1204),
        "runs": Runs(succeeded=6, failed=1, bytes=4_200_000_000, copied=1204, deleted=2),
        "size": 402 * 10**9,
        "size_before": 399 * 10**9,
        "coverage": Coverage(1204, 10**9, 10**9, 1204, 0, 0, dt.date(2026, 10, 3)),
        "cost": Cost((Item(Part.REQUESTS, Side.SOURCE, 1000, 0.37),)),
    }
    return BackupWeek(**usual | given)


def a_week(*backups: BackupWeek, needs: tuple[Need, ...] = ()) -> Week:
    return Week(
        since=UNTIL - dt.timedelta(days=7),
        until=UNTIL,
        mark=Mark.BAD if needs else Mark.GOOD,
        short="1 needs attention" if needs else "All good",
        sentence="Photos failed." if needs else "All good. Photos is up to date.",
        needs=needs,
        backups=backups,
    )
