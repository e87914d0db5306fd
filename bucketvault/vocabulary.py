"""The words of the field, one meaning each: the same in tables, code, pages, logs and manual."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

Json = dict[str, Any]  # a JSON object; who reads one from elsewhere checks what is in it


class ProviderType(StrEnum):
    """A kind of service. `AMAZON_S3` with an endpoint is any S3-compatible service."""

    CLOUDFLARE_R2 = "cloudflare_r2"
    BACKBLAZE_B2 = "backblaze_b2"
    AMAZON_S3 = "amazon_s3"


class UsageType(StrEnum):
    """The ends a Storage may be used for; a Storage without one may be either."""

    SOURCE_ONLY = "source_only"
    DESTINATION_ONLY = "destination_only"


class Schedule(StrEnum):
    """How often a Backup is planned."""

    DAILY = "daily"
    WEEKLY = "weekly"


class Weekday(StrEnum):
    """The day of a weekly Backup, Monday first like `datetime.weekday()`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class ComparisonMode(StrEnum):
    """How a look decides that an object is unchanged; each takes listings only."""

    CHECKSUM = "checksum"  # size and MD5; without an MD5 the ETag against the ledger's
    CHECKSUM_AND_TIME = "checksum_and_time"  # the same, and copies what was written since, too
    SIZE_ONLY = "size_only"  # misses a change that keeps the size


class StorageClass(StrEnum):
    """Classes of S3 whose objects can be read at once."""

    STANDARD = "STANDARD"
    STANDARD_IA = "STANDARD_IA"
    ONEZONE_IA = "ONEZONE_IA"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"
    GLACIER_IR = "GLACIER_IR"


class RunKind(StrEnum):
    """Kind of a Run. Only one that copies counts as far as the state of a copy goes."""

    COPY = "copy"
    PREVIEW = "preview"  # only looks at what a run would do
    VERIFY = "verify"  # reads objects at both ends, and compares their bytes


class RunStatus(StrEnum):
    """State of a Run. It moves downwards, once."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        """True before the run has ended."""
        return self in (RunStatus.PENDING, RunStatus.RUNNING)


class Phase(StrEnum):
    """Phase of a running Run."""

    CHECKING = "checking"  # nothing has been touched yet
    COPYING = "copying"  # rclone runs, detached from this process
    PROVING = "proving"  # a look at both ends finds what is still to do
    TIDYING = "tidying"  # the copy is proven; old kept versions go


class Trigger(StrEnum):
    """Who asked for a Run."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    MANUAL = "manual"
    CLI = "cli"
    APPROVED = "approved"


class Reason(StrEnum):
    """Why a Run failed."""

    RCLONE_ERROR = "rclone_error"
    DAMAGED = "damaged"  # bytes were read that are not the same at both ends
    INCOMPLETE = "incomplete"  # rclone said 0, and a look says that objects are not there
    SOURCE_MISSING = "source_missing"
    BRAKE = "brake"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CREDENTIALS = "credentials"
    RCLONE_MISSING = "rclone_missing"
    STALLED = "stalled"
    STOPPED = "stopped"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    DISK_FULL = "disk_full"
    NO_MEMORY = "no_memory"
    INTERNAL = "internal"


class Side(StrEnum):
    """One end of a run."""

    SOURCE = "source"
    DESTINATION = "destination"


class Mends(StrEnum):
    """The page where what ended a Run is mended."""

    PROVIDER = "provider"
    HEALTH = "health"


class HoldReason(StrEnum):
    """Why a Run waits for approval, or cannot be approved."""

    SHARE = "share"  # it would take away more of the copy than it may unasked
    FIRST = "first"  # it would remove something, and none succeeded between these places
    MORE = "more"  # than was approved
    EMPTY_SOURCE = "empty_source"  # nobody can approve that


class WarningCode(StrEnum):
    """Warnings of a Run; `engine/domain/state_words.py` has the sentences."""

    LOG_CUT = "log_cut"  # what it counts is "at least"
    COUNTED = "log_counted"  # the log is cut, and two looks tell what was done
    LOG_SHORT = "log_short"  # the log is whole, and two looks tell of more than it does
    MASKED = "masked"  # secrets in the log
    CANNOT_COPY = "cannot_copy"  # names that rclone or the destination cannot have
    TOO_LONG = "too_long"  # keys that do not fit at the destination
    TOO_LONG_TO_KEEP = "too_long_to_keep"  # nor among its kept versions: they are not replaced
    TOO_LONG_TO_REMOVE = "too_long_to_remove"  # the same of what the source has no more
    ALTERED = "altered"  # objects of the copy that somebody else had changed
    LOST = "lost"  # objects that were proven to be in the copy, and were not there any more
    HEADERS = "headers"  # objects whose copy has lost headers or metadata
    UNREAD = "unread"  # objects whose bytes one end did not give
    LEDGER_LOST = "ledger_lost"  # the ledger was damaged, and was made again
    MISPLACED = "misplaced"  # folders of kept versions whose names tell another time
    TIDYING_CUT = "tidying_cut"
    TIDYING_REFUSED = "tidying_refused"
    TIDYING_FAULT = "tidying_fault"
    UPLOADS_REFUSED = "uploads_refused"  # the key may not end unfinished ones; told once


class MailKind(StrEnum):
    """Subject of a mail, and of an alert to any other target."""

    FAILED = "failed"  # a run failed
    HELD = "held"  # a run waits for approval, or would empty the copy
    RECOVERED = "recovered"  # a run succeeded after failed ones
    OVERDUE = "overdue"  # a backup should have succeeded by now, and has not
    OVERDUE_OVER = "overdue_over"  # and now it has
    DAMAGED = "damaged"  # bytes were read that are not the same at both ends
    KEPT_OUT = "kept_out"  # another program has the port of the pages
    WEEKLY = "weekly"  # the report of a week, also a good one


class AlertEvent(StrEnum):
    """Event that a target of alerts is sent, or spared."""

    FAILED = "failed"
    HELD = "held"
    OVERDUE = "overdue"
    RECOVERED = "recovered"
    DAMAGED = "damaged"
    PROGRAM = "program"
    WEEKLY = "weekly"


EVENT_OF = {
    MailKind.FAILED: AlertEvent.FAILED,
    MailKind.HELD: AlertEvent.HELD,
    MailKind.OVERDUE: AlertEvent.OVERDUE,
    MailKind.RECOVERED: AlertEvent.RECOVERED,
    MailKind.OVERDUE_OVER: AlertEvent.RECOVERED,
    MailKind.DAMAGED: AlertEvent.DAMAGED,
    MailKind.KEPT_OUT: AlertEvent.PROGRAM,
    MailKind.WEEKLY: AlertEvent.WEEKLY,
}


class MailSecurity(StrEnum):
    """How the way to the mail server is protected; certificates are verified in both ways."""

    NONE = "none"  # clear text: to a server on this machine only
    STARTTLS = "starttls"  # asked for first, and insisted on
    TLS = "tls"  # from the first byte


class Topic(StrEnum):
    """Subjects of change; open pages follow topics (`engine/events.py`)."""

    BACKUPS = "backups"  # any backup or run
    CATALOGUE = "catalogue"  # a provider or storage, or what is known about them
    MAIL = "mail"  # an alert was sent, failed or is given up; how a ping went
    SETTINGS = "settings"
    QUEUE = "queue"  # a run waits: for the thread that takes it, and no page


def run_topic(run_id: int) -> str:
    """Return the topic of one run's state and progress."""
    return f"run:{run_id}"


def log_topic(run_id: int) -> str:
    """Return the topic of one run's stored log."""
    return f"log:{run_id}"


class LineKind(IntEnum):
    """Meaning of one line of a run's log. Kept in the database: never renumber."""

    INFO = 0
    NEW = 1  # copied, and nothing was there before
    REPLACED = 2  # copied over a former version
    ASIDE = 3  # a former version was set aside; its KEPT line completes that
    KEPT = 4  # a former version is among the kept versions
    REMOVED = 5  # gone at the source, removed here
    STEP = 6  # ours: a pass or one of its steps begins, or a look has ended
    PURGED = 7  # an old kept version was let go
    WARNING = 8
    ERROR = 9
    PROGRESS = 10  # once a second
    PLAIN = 11  # not rclone's JSON

    @property
    def word(self) -> str:
        """Its name for pages."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of a log: its number among the rows asked for (from 0), its bytes, no newline."""

    number: int
    line: bytes
    kind: LineKind
    line_number: int  # among all lines
    shown_number: int  # among those shown when progress is hidden


Kinds = frozenset[LineKind]
# Lines as people read a log: without those that only say how far it is.
SHOWN_LINES = frozenset(LineKind) - {LineKind.PROGRESS}
ALL_LINES = frozenset(LineKind)
