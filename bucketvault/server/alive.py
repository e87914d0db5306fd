"""The server's own health: the answer of /healthz, and the condition of systemd's watchdog.

Only what a restart can fix belongs here. A full disk or a missing rclone is for the pages.
"""

import asyncio
import logging

from bucketvault.engine.engine import Engine
from bucketvault.server import systemd
from bucketvault.store.database import connection
from bucketvault.store.models import Session

log = logging.getLogger(__name__)

ANSWER_S = 3.0  # the database has so long


async def fault(engine: Engine) -> str:
    """Return what keeps the server from its work, in words; empty: nothing."""
    try:
        await asyncio.wait_for(asyncio.to_thread(_ask_database), ANSWER_S)
    except Exception as error:  # an edge: whatever keeps the database from answering
        log.warning("the database does not answer", extra={"why": error})
        return "the database does not answer"
    if engine.schedules and not engine.scheduler.is_beating():
        log.warning("the scheduler does not beat")
        return "the scheduler does not beat"
    return ""


async def feed_watchdog(engine: Engine) -> None:
    """Tell systemd that the server works; runs in the event loop, so only while that turns.

    Returns at once where no watchdog is set.
    """
    period_s = systemd.watchdog_s()
    while period_s is not None:
        found = await fault(engine)
        systemd.tell(f"STATUS={found}" if found else f"{systemd.ALIVE}\nSTATUS=")
        await asyncio.sleep(period_s / 3)


def _ask_database() -> None:
    with connection():
        Session.select().exists()
