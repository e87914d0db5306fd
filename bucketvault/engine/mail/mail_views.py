"""Mail, alerts and ping as pages and commands show them: plain frozen values."""

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from bucketvault.vocabulary import MailKind


class Told(Enum):
    """State of the mail about a run's end."""

    MAILED = "mailed"  # the service took it
    WAITING = "waiting"  # tried again by itself
    GIVEN_UP = "not delivered"  # until Try again is pressed
    NOBODY = "not sent"  # there was no address then; nothing is sent for it later


@dataclass(frozen=True, slots=True)
class MailNote:
    """One alert about a run's end. `at`: when it was taken, given up, or is tried next."""

    told: Told
    at: dt.datetime | None = None
    error: str = ""  # of the last attempt
    mail_id: int | None = None  # for Try again
    to: str = ""  # the name of its target; empty: an email


@dataclass(frozen=True, slots=True)
class Letter:
    """One alert: one of `next_attempt_at`, `sent_at` and `dead_at` is set. Times are UTC."""

    id: int
    kind: MailKind
    subject: str
    created_at: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime | None
    sent_at: dt.datetime | None
    dead_at: dt.datetime | None
    last_error: str  # the service's own words, cleaned; empty: none
    to: str = ""  # the name of its target; empty: an email


@dataclass(frozen=True, slots=True)
class MailState:
    """State of mail, and the alerts to any target that were given up.

    `recipient` is empty if mail is not set up.
    """

    set_up: bool
    recipient: str
    last_sent: Letter | None
    last_failed: Letter | None  # the newest attempt that failed and has not been mended since
    waiting: int
    dead: tuple[Letter, ...]  # not dismissed, newest first; with Try again and Dismiss


@dataclass(frozen=True, slots=True)
class Received:
    """One email as the demo's mailbox has it. `at` is its date, UTC."""

    number: int  # in the order in which they came
    at: dt.datetime
    sender: str
    recipient: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How sending a mail on trial went: the server's own answer, cleaned; what to do about it."""

    sent: bool
    answer: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PingState:
    """The last ping out; both times are None before the first. Times are UTC."""

    set_up: bool
    at: dt.datetime | None = None  # of the last attempt
    good: bool = False
    answer: str = ""  # `HTTP 200`, or why there was none
    held_back: str = ""  # why none is sent now: what is not well; empty: all is well
