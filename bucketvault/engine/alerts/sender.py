"""The threads that send what waits for targets, and what pages ask about them.

Pauses between attempts, and when an alert is given up, are those of email.
"""

import logging
import uuid
from collections.abc import Callable
from functools import partial

from bucketvault.engine.alerts import messenger, targets
from bucketvault.engine.alerts.errands import Errands
from bucketvault.engine.alerts.messenger import Alert, Patience
from bucketvault.engine.alerts.targets import TargetFields
from bucketvault.engine.mail import outbox, texts
from bucketvault.engine.mail.mail_views import Trial
from bucketvault.engine.mail.sender import Pace, note_sent
from bucketvault.engine.mail.smtp import NotTakenError, Trouble
from bucketvault.errors import BucketvaultError, NotFoundError
from bucketvault.store.models import Mail, utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import EVENT_OF

log = logging.getLogger(__name__)

AT_ONCE = 4  # attempts: each may be a process of 35 MB
USUAL_PACE, USUAL_PATIENCE = Pace(), Patience()


class Alerts(Errands):
    """Sends alerts; started once, stopped once. Every method may be called from any thread."""

    stored = staticmethod(targets.stored)
    delete = staticmethod(targets.delete)

    def __init__(
        self,
        vault: Callable[[], Vault],
        pace: Pace = USUAL_PACE,
        patience: Patience = USUAL_PATIENCE,
    ) -> None:
        super().__init__("alerts", pace, AT_ONCE)
        self._vault, self._patience = vault, patience

    # what pages ask for

    def create(self, given: TargetFields) -> int:
        """Store a new target, see `targets.create`; blocks for seconds."""
        targets.look_through(given)
        return targets.create(given, self._vault())

    def change(self, target_id: int, given: TargetFields) -> tuple[str, ...]:
        """Change a target, see `targets.change`; blocks for seconds where its URL is another."""
        targets.look_through(given)
        changed = targets.change(target_id, given, self._vault())
        self._forget(target_id)
        return changed

    def send_test(self, target_id: int) -> Trial:
        """Send a test alert; blocks up to a minute. Raises NotFoundError."""
        try:
            url = targets.url_of(target_id, self._vault())
            home = outbox.home()
            text = texts.trial_alert(home)
            about = messenger.about_nothing(utcnow(), home.machine)
            test = Alert(f"<{uuid.uuid4()}.test>", None, text.subject, text.brief, about)
            answer = messenger.deliver(url, test, self._patience)
        except NotFoundError:
            raise
        except BucketvaultError as error:
            targets.note(target_id, str(error), heard=False)
            return Trial(False, error.summary, error.hint)
        targets.note(target_id, answer, heard=True)
        self._forget(target_id)
        outbox.try_waiting_now(utcnow(), target_id)
        return Trial(True, answer)

    def try_again(self, mail_id: int) -> None:
        """Try an alert that was given up once more, now. Raises NotFoundError."""
        outbox.try_again(mail_id)
        self._forget()

    # the threads

    def _prepare(self) -> None:
        for target in targets.stored():  # after a start: who knows what was mended
            outbox.try_waiting_now(utcnow(), target.id)

    def _look(self) -> None:
        for mail in outbox.next_of_targets(utcnow()):
            target = mail.target_id
            assert target is not None  # noqa: S101 - by its query
            self._begin(target, f"alert-{mail.id}", partial(self._attempt, mail, target))

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
            self._forget(target)
            targets.note(target, answer, heard=True)
            log.info("alert sent", extra=about)

    def _postpone(self, mail: Mail, target: int, error: BucketvaultError, trouble: Trouble) -> None:
        again = self._pace.next_attempt(mail, trouble)
        outbox.note_failed(mail.id, str(error), again)
        targets.note(target, str(error), heard=False)
        self._rest(target, self._pace.rest_s(mail, trouble))
        word = "alert not delivered" if again is None else "alert not sent yet"
        told = {"mail": mail.id, "kind": mail.kind, "target": target, "why": error}
        log.warning(word, extra=told)
