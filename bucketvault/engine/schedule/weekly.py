"""Writes the report of each week when its time has come, also when all is well.

Which report was written last is noted in the transaction that writes it. So there is one a week
however often the program restarts, and after a time without the program one for all of it.

Decisions: docs/decisions/mail.md.
"""

import datetime as dt
import logging
from collections.abc import Callable
from types import SimpleNamespace

from bucketvault.engine import settings
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.mail import outbox, report, texts
from bucketvault.engine.mail.week import Week
from bucketvault.engine.views import week as views
from bucketvault.engine.views.situation import InstallationIssue
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import Setting
from bucketvault.vocabulary import Schedule, Topic

log = logging.getLogger(__name__)

REPORTED = "weekly_reported"  # the day of the last report, on the server's clock
NOT_WRITTEN = "The weekly report could not be written"

Issues = Callable[[], tuple[InstallationIssue, ...]]


def tell(now: dt.datetime, issues: Issues) -> bool:
    """Write the report that is due; True if there was one.

    It waits in the outbox for each target that wants it; where there is none, it is done too.
    """
    day = due(now)
    if not day:
        return False
    found = _gathered(now, issues)

    def write(home: texts.Home) -> texts.Text:
        return texts.plain(NOT_WRITTEN) if found is None else report.weekly(found, home)

    with writing(Topic.MAIL, Topic.BACKUPS):
        if due(now) != day:  # changed meanwhile
            return False
        Setting.insert(key=REPORTED, value=day).on_conflict_replace().execute()
        outbox.weekly(day, write)
    return True


def due(now: dt.datetime) -> str:
    """Return the day of the report that is due, as `2026-11-30`; empty: none is.

    Times from before the report was turned on, or its time was changed, do not count. A note or a
    change of the future comes from a clock that was wrong, and counts for nothing.
    """
    keys = ("weekly_report", "weekly_report_at")
    with connection():
        wanted = settings.load()
        if wanted.weekly_report is None:
            return ""
        rows = {row.key: row for row in Setting.select().where(Setting.key.in_([*keys, REPORTED]))}
    zone = outbox.home().zone
    timing = SimpleNamespace(
        schedule=Schedule.WEEKLY,
        at=wanted.weekly_report_at,
        weekday=wanted.weekly_report,
        time_zone=zone.key,
    )
    planned = timetable.latest_due(timing, now)
    if any(planned <= rows[key].updated_at <= now for key in keys if key in rows):
        return ""
    day, today = (f"{moment.astimezone(zone).date()}" for moment in (planned, now))
    last = rows[REPORTED].value if REPORTED in rows else ""
    return "" if day <= last <= today else day


def _gathered(now: dt.datetime, issues: Issues) -> Week | None:
    """Return what is to tell; None after a bug, which must not end in silence."""
    try:
        return views.week(now, outbox.home().zone, issues())
    except BusyError:
        raise
    except Exception:
        log.exception("the weekly report could not be written")
        return None
