"""The threads that send what waits for targets, and what pages ask about them.

Each target is served alone: while one does not answer, others get theirs, and so does email. Pauses
between attempts, and when an alert is given up, are those of email.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from functools import partial

from bucketvault.engine.alerts import messenger, targets
from bucketvault.engine.alerts.messenger import Alert, Patience
from bucketvault.engine.alerts.targets import TargetFields
from bucketvault.engine.alerts.turns import Turns
from bucketvault.engine.mail import outbox, texts
from bucketvault.engine.mail.mail_views import Trial
from bucketvault.engine.mail.sender import LEAVE_S, Pace, note_sent
from bucketvault.engine.mail.smtp import NotTakenError, Trouble
from bucketvault.errors import BucketvaultError, NotFoundError
from bucketvault.store.database import BusyError, connection
from bucketvault.store.models import Mail, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import EVENT_OF, Json

log = logging.getLogger(__name__)

AT_ONCE = 4  # attempts: each may be a process of 35 MB
USUAL_PACE, USUAL_PATIENCE = Pace(), Patience()


class Alerts:
    """Started once, stopped once. Every method may be called from any thread."""

    stored = staticmethod(targets.stored)
    delete = staticmethod(targets.delete)

    def __init__(
        self,
        vault: Callable[[], Vault],
        pace: Pace = USUAL_PACE,
        patience: Patience = USUAL_PATIENCE,
    ) -> None:
        self._vault = vault
        self._pace = pace
        self._patience = patience
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._settled = threading.Event()  # nothing was left to try when it was last looked
        self._turns = Turns(AT_ONCE, pace.pauses_s[0], self._wake)
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)

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

    def create(self, given: TargetFields) -> int:
        """Store a new target, see `targets.create`; blocks for seconds."""
        targets.look_through(given)
        return targets.create(given, self._vault())

    def change(self, target_id: int, given: TargetFields) -> tuple[str, ...]:
        """Change a target, see `targets.change`; blocks for seconds where its URL is another."""
        targets.look_through(given)
        changed = targets.change(target_id, given, self._vault())
        self._turns.forget(target_id)
        return changed

    def send_test(self, target_id: int) -> Trial:
        """Send a test alert; blocks up to a minute. Raises NotFoundError."""
        try:
            url = targets.url_of(target_id, self._vault())
            text, home = texts.trial_alert(outbox.home()), outbox.home()
            about: Json = dict.fromkeys(("backup", "run", "status", "reason"))
            about |= {"at": f"{utcnow():%Y-%m-%dT%H:%M:%SZ}", "machine": home.machine}
            test = Alert(f"<{uuid.uuid4()}.test>", None, text.subject, text.brief, about)
            answer = messenger.deliver(url, test, self._patience)
        except NotFoundError:
            raise
        except BucketvaultError as error:
            targets.note(target_id, str(error), heard=False)
            return Trial(False, error.summary, error.hint)
        targets.note(target_id, answer, heard=True)
        self._turns.forget(target_id)
        outbox.try_waiting_now(utcnow(), target_id)
        return Trial(True, answer)

    def try_again(self, mail_id: int) -> None:
        """Try an alert that was given up once more, now. Raises NotFoundError."""
        outbox.try_again(mail_id)
        self._turns.forget()

    # the threads

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                with connection():
                    for target in targets.stored():  # after a start: who knows what was mended
                        outbox.try_waiting_now(utcnow(), target.id)
                    while not self._ending.is_set():
                        self._wake.clear()
                        if not self._begin_what_waits() and not self._wake.is_set():
                            self._settled.set()
                        self._wake.wait(self._pace.look_s)
            except BusyError as error:
                log.warning("database busy", extra={"cause": str(error)})
            except Exception:  # the edge of a thread: it must not die
                log.exception("the alerts met a fault")
            self._settled.set()
            self._ending.wait(10 * self._pace.look_s)

    def _begin_what_waits(self) -> bool:
        """Begin an attempt for each target that has something to send; True if any is at work."""
        for mail in outbox.next_of_targets(utcnow()):
            target = mail.target_id
            assert target is not None  # noqa: S101 - by its query
            self._turns.begin(target, f"alert-{mail.id}", partial(self._attempt, mail, target))
        return self._turns.is_any_busy()

    def _attempt(self, mail: Mail, target: int) -> None:
        if not outbox.still_waits(mail):  # the attempt before has just ended
            return
        about = {"mail": mail.id, "kind": mail.kind, "target": target}
        alert = Alert(mail.message_id, EVENT_OF[mail.kind], mail.subject, mail.body, mail.about)
        try:
            answer = messenger.deliver(targets.url_of(target, self._vault()), alert, self._patience)
        except NotFoundError:  # deleted, with all that waited for it
            return
        except NotTakenError as error:
            self._postpone(mail, target, error, error.trouble)
        except BucketvaultError as error:  # the URL does not open
            self._postpone(mail, target, error, Trouble.SIGN_IN)
        else:
            note_sent(mail, self._ending, self._pace.look_s)
            self._turns.forget(target)
            targets.note(target, answer, heard=True)
            log.info("alert sent", extra=about)

    def _postpone(self, mail: Mail, target: int, error: BucketvaultError, trouble: Trouble) -> None:
        again = self._pace.next_attempt(mail, trouble)
        outbox.note_failed(mail.id, str(error), again)
        targets.note(target, str(error), heard=False)
        self._turns.rest(target, self._pace.rest_s(mail, trouble))
        word = "alert not delivered" if again is None else "alert not sent yet"
        told = {"mail": mail.id, "kind": mail.kind, "target": target, "why": error}
        log.warning(word, extra=told)
