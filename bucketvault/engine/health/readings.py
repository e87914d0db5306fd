"""Results of the checks, and what they are asked with."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from bucketvault.config import Config
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.views.situation import InstallationIssue, Part, Tone


class Subject(StrEnum):
    """Subject of a check, by the name that people read."""

    RCLONE = "rclone"
    FOLDER = "Data folder"
    MODES = "Who may read"
    DISK = "Disk of the data folder"
    DATABASE = "Database"
    COPY = "Copy of the database"
    KEY = "Key file"
    CLOCK = "Clock"
    SCHEDULER = "Scheduler"
    MAIL = "Mail"
    ALERTS = "Alerts"
    HEARTBEAT = "Heartbeat"
    PAGES = "Pages"
    MEMORY = "Memory"
    SWAP = "Swap"
    PROCESSOR = "Processor"
    UPTIME = "Uptime"


@dataclass(frozen=True, slots=True)
class Reading:
    """Result of one check; what moves all the time is in `value` alone.

    BAD: runs fail, do not start, or what they tell is lost; or nobody is told.
    """

    name: Subject
    tone: Tone  # OK, WARN, BAD; NONE: not known, or not there by choice
    value: str  # a figure or a word: "9.1 GB free"
    words: str = ""  # what that means
    todo: str = ""  # what to do; empty where nothing is
    issue: InstallationIssue | None = None  # as home names it


@dataclass(frozen=True, slots=True)
class Context:
    """Means of the checks; those that only a server has are None elsewhere."""

    config: Config
    now: dt.datetime
    scheduler: Scheduler | None = None  # of this process
    growth_bytes_a_day: float | None = None  # of our own, on the disk; None: not known


def unknown(name: Subject, part: Part, what: str) -> Reading:
    """Return the reading of what this process cannot tell."""
    title, why = f"Not known whether {what}", "Not known to this process."
    issue = InstallationIssue(part, title, why, is_bad=False, is_known=False)
    return Reading(name, Tone.NONE, "not known", issue=issue)
