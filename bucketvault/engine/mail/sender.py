"""The thread that sends what waits in the outbox, and what pages ask about mail.

A server that does not answer is asked again after growing pauses, by one mail at a time; the moment
it takes one, all that wait follow. A day after its event, a mail that still fails is given up, for
everybody to see. No run ever waits for any of this.
"""

import datetime as dt
import email.utils
import hashlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import peewee as pw

from bucketvault.engine import settings
from bucketvault.engine.mail import outbox, texts
from bucketvault.engine.mail.mail_views import Trial
from bucketvault.engine.mail.smtp import NotTakenError, Patience, Trouble, deliver
from bucketvault.engine.settings import MailServer
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.store.database import BusyError, connection
from bucketvault.store.models import Mail, utcnow
from bucketvault.store.secrets import Vault

log = logging.getLogger(__name__)

MINUTE_S = 60.0
LEAVE_S = 0.5  # how long the end of the program waits for an attempt under way


@dataclass(frozen=True, slots=True)
class Pace:
    """When to try again, when to give up, how long to wait for a server."""

    pauses_s: Sequence[float] = (MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S, 60 * MINUTE_S)
    gives_up_after_s: float = 24 * 60 * MINUTE_S  # the last pause is repeated until then
    limit_lasts_s: float = 24 * 60 * MINUTE_S  # a limit may be used up for so long: not counted
    gives_up_after_tries: int = 5  # at least: this machine may have slept for all that time
    look_s: float = 1.0  # how soon a new mail is found
    patience: Patience = field(default_factory=Patience)

    def pause_after(self, attempts: int, trouble: Trouble) -> float:
        """Seconds until the next attempt after so many; signing in often may lock an account."""
        last = len(self.pauses_s) - 1
        is_long = trouble in (Trouble.SIGN_IN, Trouble.LIMIT)
        return self.pauses_s[last if is_long else min(attempts - 1, last)]

    def is_old(self, age_s: float, trouble: Trouble) -> bool:
        """True if a mail has waited for as long as it may."""
        more_s = self.limit_lasts_s if trouble is Trouble.LIMIT else 0.0
        return age_s > self.gives_up_after_s + more_s

    def next_attempt(self, mail: Mail, trouble: Trouble) -> dt.datetime | None:
        """Return when a mail that was not taken is tried again; None: it is given up."""
        now, tries = utcnow(), mail.attempts + 1
        is_old = self.is_old((now - mail.created_at).total_seconds(), trouble)
        if (is_old and tries >= self.gives_up_after_tries) or trouble is Trouble.REFUSED:
            return None
        return now + dt.timedelta(seconds=self.pause_after(tries, trouble))

    def rest_s(self, mail: Mail, trouble: Trouble) -> float:
        """Return for how long the service of a mail that it did not take is left alone."""
        pause = self.pause_after(mail.attempts + 1, trouble)
        return min(pause, self.pauses_s[0]) if trouble is Trouble.SERVER else pause


class Mailer:
    """Started once, stopped once. Every method may be called from any thread."""

    dismiss = staticmethod(outbox.dismiss)

    def __init__(self, vault: Callable[[], Vault], pace: Pace = Pace()) -> None:
        self._vault = vault
        self._pace = pace
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._settled = threading.Event()  # nothing was left to try when it was last looked
        self._not_before = 0.0  # by the monotonic clock: the server was out of reach
        self._known: MailServer | None = None  # what was tried last
        self._thread = threading.Thread(target=self._work, name="mailer", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what waits is sent by the next bucketvault."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S)

    def try_all(self, timeout_s: float) -> None:
        """Return when everything that waits was tried once, or after `timeout_s`."""
        self._settled.clear()
        self._wake.set()
        self._settled.wait(timeout_s)

    # what pages ask for

    def try_again(self, mail_id: int) -> None:
        """Try a mail that was given up once more, now. Raises NotFoundError."""
        outbox.try_again(mail_id)
        self._not_before = 0.0
        self._wake.set()

    def send_test(self, given: Mapping[str, object] | None = None) -> Trial:
        """Send a test mail with the settings as they would be with `given`; blocks up to a minute.

        Raises InvalidInputError with all problems of `given`.
        """
        try:
            server = settings.mail_server(self._vault(), given)
            if server is None:
                hint = "Enter server and both addresses."
                return Trial(False, "There is no mail server to send it with.", hint)
            text = texts.trial(outbox.home())
            event = email.utils.make_msgid("test", server.sender.rpartition("@")[2])
            message = message_of(server, event, text.subject, text.body, utcnow())
            return Trial(True, deliver(server, message, self._pace.patience))
        except InvalidInputError:
            raise
        except BucketvaultError as error:
            return Trial(False, error.summary, error.hint)

    # the thread

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                with connection():
                    outbox.try_waiting_now(utcnow())  # after a start: who knows what was mended
                    while not self._ending.is_set():
                        self._wake.clear()
                        while self._send_next():
                            pass
                        if not self._wake.is_set():
                            self._settled.set()
                        self._wake.wait(self._pace.look_s)
            except BusyError as error:
                log.warning("database busy", extra={"cause": str(error)})
            except Exception:  # the edge of a thread: it must not die
                log.exception("sending email failed unexpectedly")
            self._settled.set()
            self._ending.wait(10 * self._pace.look_s)

    def _send_next(self) -> bool:
        """Try the next mail; whether there may be more to do at once."""
        if self._ending.is_set():
            return False
        mail = outbox.next_waiting(utcnow())
        if mail is None:
            return self._settings_changed()
        if time.monotonic() < self._not_before and not self._settings_changed():
            return False
        self._attempt(mail)
        return True

    def _settings_changed(self) -> bool:
        """True if the settings of mail changed since it failed last: that may have fixed it."""
        if self._known is None:
            return False
        try:
            server = settings.mail_server(self._vault())
        except BucketvaultError:
            return False
        if server is None or server == self._known:
            return False
        self._known, self._not_before = None, 0.0
        outbox.try_waiting_now(utcnow())
        return True

    def _attempt(self, mail: Mail) -> None:
        about = {"mail": mail.id, "kind": mail.kind}
        try:
            server = settings.mail_server(self._vault())
            if server is None:
                outbox.note_failed(mail.id, "Email was turned off before this was sent.", None)
                return
            moment = outbox.event_time(mail)
            told = mail.subject, mail.body, moment, mail.html
            message = message_of(server, mail.message_id, *told)
            self._known = server
            deliver(server, message, self._pace.patience)
        except BusyError:
            raise
        except NotTakenError as error:
            self._postpone(mail, error.summary, error.trouble)
        except BucketvaultError as error:  # the password does not open
            self._postpone(mail, f"{error.summary} {error.hint}".strip(), Trouble.SIGN_IN)
        except Exception as error:  # one mail that we cannot send must not keep the others
            log.exception("an email failed unexpectedly", extra=about)
            self._postpone(mail, f"Internal error: {type(error).__name__}.", Trouble.REFUSED)
        else:
            self._known, self._not_before = None, 0.0
            note_sent(mail, self._ending, self._pace.look_s)
            log.info("mail sent", extra=about)

    def _postpone(self, mail: Mail, error: str, trouble: Trouble) -> None:
        again = self._pace.next_attempt(mail, trouble)
        outbox.note_failed(mail.id, error, again)
        if trouble is not Trouble.REFUSED:
            self._not_before = time.monotonic() + self._pace.rest_s(mail, trouble)
        word = "email not delivered" if again is None else "email not sent yet"
        log.warning(word, extra={"mail": mail.id, "kind": mail.kind, "why": error})


def note_sent(mail: Mail, ending: threading.Event, pause_s: float) -> None:
    """Write down that the service has it: a database that cannot must not send it twice."""
    for tries in itertools.count():
        try:
            outbox.note_sent(mail.id, utcnow())
            return
        except pw.DatabaseError as error:  # busy, full, or damaged: then no other is sent
            if tries == 0:
                why = {"mail": mail.id, "why": error}
                log.warning("an email was sent, but that could not be saved", extra=why)
            if ending.wait(pause_s):
                raise


def message_of(
    server: MailServer,
    message_id: str,
    subject: str,
    body: str,
    moment: dt.datetime,
    html: str = "",
) -> bytes:
    """Return the whole mail as it goes over the wire; the same at every attempt."""
    message = EmailMessage()
    message["From"] = Address("bucketvault", addr_spec=server.sender)
    message["To"] = Address(addr_spec=server.recipient)
    message["Subject"] = subject
    message["Date"] = email.utils.format_datetime(moment)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
    message.set_content(body, cte="quoted-printable")
    if html:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        # one by chance would differ from attempt to attempt
        message.set_boundary(f"part-{hashlib.sha256(message_id.encode()).hexdigest()[:32]}")
    return message.as_bytes(policy=SMTP)
