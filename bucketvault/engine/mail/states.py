"""State of alerts in the outbox, as pages ask for it."""

import dataclasses

from bucketvault.engine import settings
from bucketvault.engine.mail.mail_views import Letter, MailNote, MailState, Told
from bucketvault.store.database import connection, database
from bucketvault.store.models import BackupRun, Mail
from bucketvault.vocabulary import Reason, RunKind, RunStatus

DEAD_SHOWN = 50


def state() -> MailState:
    """Return the state of mail."""
    with connection(), database.atomic():
        now = settings.load()
        newest = Mail.select().order_by(Mail.updated_at.desc())
        dead = newest.where(Mail.needs_attention()).limit(DEAD_SHOWN)
        newest, is_mail = newest.where(Mail.target.is_null()), Mail.target.is_null()
        sent = newest.where(Mail.sent_at.is_null(False)).first()
        unmended = newest.where(Mail.sent_at.is_null(), Mail.last_error != "").first()
        return MailState(
            set_up=now.mail_is_set_up,
            recipient=now.mail_to if now.mail_is_set_up else "",
            last_sent=_letter(sent) if sent is not None else None,
            last_failed=_letter(unmended) if unmended is not None else None,
            waiting=Mail.select().where(Mail.next_attempt_at.is_null(False), is_mail).count(),
            dead=tuple(_letter(mail) for mail in dead),
        )


def notes_of(run: BackupRun) -> tuple[MailNote, ...]:
    """Return the state of each alert about the end of `run`; empty: there was nothing to tell."""
    found = Mail.select().where(Mail.run == run.id).order_by(Mail.target, Mail.id)
    if notes := tuple(_note_of(mail) for mail in found):
        return notes
    worth_one = run.status == RunStatus.FAILED and run.reason != Reason.STOPPED
    known = run.reason == Reason.DAMAGED  # perhaps: an earlier one told of it
    if worth_one and not known and run.kind != RunKind.PREVIEW:
        return (MailNote(Told.NOBODY),)
    return ()


def _note_of(mail: Mail) -> MailNote:
    told, at = Told.WAITING, mail.next_attempt_at
    if mail.sent_at is not None:
        told, at = Told.MAILED, mail.sent_at
    elif mail.dead_at is not None:
        told, at = Told.GIVEN_UP, mail.dead_at
    return MailNote(told, at, mail.last_error, mail.id, _to(mail))


def _letter(mail: Mail) -> Letter:
    names = [each.name for each in dataclasses.fields(Letter) if each.name != "to"]
    return Letter(**{name: getattr(mail, name) for name in names}, to=_to(mail))


def _to(mail: Mail) -> str:
    return str(mail.target.name) if mail.target is not None else ""
