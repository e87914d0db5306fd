"""Alerts, from the event that is worth one to the row that says it was taken or given up.

An alert is born in the transaction of its event, whole, an email and a row for each target that
wants such events, and then only sent: by `mailer` and by `engine/alerts`. So a run and its alerts
end together or not at all, and nothing about a run is asked again later. Where email or a target
was not set up at that moment there is no row, and never will be one.

Decisions: docs/decisions/mail.md.
"""

import contextlib
import datetime as dt
import functools
import json
import logging
import shlex
import socket
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import peewee as pw
import platformdirs

from bucketvault.engine import settings
from bucketvault.engine.domain.reading import Verified
from bucketvault.engine.domain.state_words import describe_end
from bucketvault.engine.domain.times import server_time_zone, zone_of
from bucketvault.engine.mail import texts
from bucketvault.errors import NotFoundError
from bucketvault.store import run_logs
from bucketvault.store.database import connection, database, writing
from bucketvault.store.models import (
    HAS_ENDED,
    IS_COPY,
    AlertTarget,
    Backup,
    BackupRun,
    Mail,
    utcnow,
)
from bucketvault.vocabulary import (
    EVENT_OF,
    Json,
    MailKind,
    Reason,
    RunKind,
    RunStatus,
    Topic,
    run_topic,
)

log = logging.getLogger(__name__)

FARTHEST = dt.timedelta(hours=2)  # a next attempt later than that is from a clock that was wrong
LINES_LOOKED_AT = 500  # of a held run's log, for names to quote


# ---- events; each is called inside the `writing()` of what happened


def run_ended(run: BackupRun) -> None:
    """Write the mail that the end of `run` is worth, if it is worth one.

    Call it in the transaction of the guarded change that ended the run, and only where that change
    won. Runs stopped by the person and previews are worth none; so `queue.cancel_pending`, which
    ends runs that wait, has nothing to tell.
    """
    if run.kind == RunKind.PREVIEW or run.status.is_active:
        return
    # as it is in this transaction, not as it was when the run was loaded
    backup: Backup = Backup.get_by_id(run.backup_id)
    reads = run.kind == RunKind.VERIFY
    if reads and (run.status == RunStatus.SUCCESS or run.reason == Reason.DAMAGED):
        _verified(run, backup.name)
    elif run.status == RunStatus.SUCCESS:
        _run_succeeded(run, backup)
    elif run.reason != Reason.STOPPED:
        _run_failed(run, backup.name)


def overdue(backup: Backup, planned: dt.datetime, *, unplannable: bool = False) -> bool:
    """Begin an overdue episode of `backup`: no run has succeeded since it was `planned`.

    `unplannable`: none will, because its planned times cannot be worked out any more.
    Notes the episode in the row and writes its one mail; False when it had begun before.
    """
    begun = (
        Backup.update(overdue_since=planned)
        .where(Backup.id == backup.id, Backup.overdue_since.is_null())
        .execute()
    )
    if not begun:
        return False
    last = _runs(backup.id, HAS_ENDED).first()
    good_at = _last_good_at(backup.id)
    _put(
        MailKind.OVERDUE,
        _episode(backup, planned),
        backup.id,
        None,
        lambda home: texts.overdue(
            backup.name,
            home,
            planned=planned,
            last_good_at=good_at,
            last=last,
            unplannable=unplannable,
        ),
        f"{backup.name} is overdue",
    )
    return True


def overdue_over(backup: Backup) -> None:
    """End the overdue episode of `backup` after a run of it succeeded, and tell if it was told.

    A run that succeeds does this by itself, in `run_ended`; calling it again does nothing.
    """
    good = BackupRun.newest_good(backup.id)
    row = Backup.get_or_none(Backup.id == backup.id)
    if good is not None and row is not None:
        _end_episode(row, good)


def kept_out(words: str, since: str) -> None:
    """Write the one mail of a time, from `since` on, in which the pages cannot be opened."""
    event = f"{since}.kept-out"
    subject = "The pages of bucketvault cannot be opened"
    _put(MailKind.KEPT_OUT, event, None, None, lambda home: texts.kept_out(words, home), subject)


def weekly(week: str, write: Callable[[texts.Home], texts.Text]) -> None:
    """Write the report of a week; `week` names the day it is of. Twice for one is once.

    Other installations may send from the same domain: a random part keeps their ids apart.
    """
    name = f"weekly-{week}-"
    if not Mail.select().where(Mail.message_id.startswith(f"<{name}")).exists():
        event = f"{name}{uuid.uuid4()}"
        _put(MailKind.WEEKLY, event, None, None, write, "Weekly report of bucketvault")


def _run_failed(run: BackupRun, name: str) -> None:
    held, reads = run.reason == Reason.BRAKE, run.kind == RunKind.VERIFY
    good_at, in_a_row = _last_good_at(run.backup_id, run.id), _failures(run).count()
    partly_since = BackupRun.partly_since(run.backup_id, run.id)
    _put(
        MailKind.HELD if held else MailKind.FAILED,
        f"{run.uuid}.failed",
        run.backup_id,
        run.id,
        lambda home: texts.failed(
            run,
            name,
            home,
            last_good_at=good_at,
            in_a_row=0 if held or reads else in_a_row,
            would_remove=_would_be_removed(run.id) if held else (),
            partly_since=partly_since,
        ),
        f"{texts.subject_of_failed(run, name)}: {describe_end(run)}",
    )


def _verified(run: BackupRun, name: str) -> None:
    """Write the mail of a run that read, if it found what no run before it had found."""
    found = Verified.from_json(run.findings)
    if found is None or not found.new:
        return
    _put(
        MailKind.DAMAGED,
        f"{run.uuid}.damaged",
        run.backup_id,
        run.id,
        lambda home: texts.damaged(run, name, home, found),
        f"{name}: {run.explanation}",
    )


def _run_succeeded(run: BackupRun, backup: Backup) -> None:
    if _end_episode(backup, run):
        return  # one mail says both
    mail = Mail.select(pw.SQL("1")).where(
        Mail.run == BackupRun.id,
        Mail.kind.in_((MailKind.FAILED, MailKind.HELD)),
        Mail.dead_at.is_null(),
    )
    told = _since_good(run, BackupRun.reason != Reason.STOPPED)
    if not told.where(pw.fn.EXISTS(mail)).exists():
        return  # no mail about one was sent, or may still be
    failures = list(_failures(run))
    first = (failures or list(told))[-1]
    _put(
        MailKind.RECOVERED,
        f"{run.uuid}.recovered",
        backup.id,
        run.id,
        lambda home: texts.recovered(
            run,
            backup.name,
            home,
            failures=len(failures),
            since=first.finished_at,
        ),
        f"{backup.name} works again",
    )


def _end_episode(backup: Backup, run: BackupRun) -> bool:
    """Note in the row that an episode is over, if there is one; True if a mail says so."""
    since = backup.overdue_since
    if since is None:
        return False
    Backup.update(overdue_since=None).where(Backup.id == backup.id).execute()
    episode = _episode(backup, since)
    told = Mail.select().where(Mail.message_id.startswith(f"<{episode}@"), Mail.dead_at.is_null())
    failures = _failures(run).count()
    return told.exists() and _put(
        MailKind.OVERDUE_OVER,
        f"{episode}_over",
        backup.id,
        run.id,
        lambda home: texts.overdue_over(run, backup.name, home, since=since, failures=failures),
        f"{backup.name} has a good copy again",
    )


# ---- queries of events


def _runs(backup_id: int, *which: Any) -> Any:  # Any: of a query, as peewee has it
    """Runs of a backup, newest first, of those that copy."""
    query = BackupRun.select().where(BackupRun.backup == backup_id, IS_COPY, *which)
    return query.order_by(BackupRun.id.desc())


def _failures(run: BackupRun) -> Any:  # a query of peewee
    """Failed runs, from the last good one before `run` to it, newest first.

    One that was stopped by a person or waits for one is no failure, and neither ends nor extends
    a series of them.
    """
    return _since_good(run, BackupRun.reason.not_in([Reason.STOPPED, Reason.BRAKE]))


def _since_good(run: BackupRun, reason: Any) -> Any:  # a condition, and a query of peewee
    good = BackupRun.newest_good(run.backup_id, run.id)
    since = BackupRun.id.between(good.id + 1 if good is not None else 0, run.id)
    return _runs(run.backup_id, BackupRun.status == RunStatus.FAILED, reason, since)


def _last_good_at(backup_id: int, before: int | None = None) -> dt.datetime | None:
    good = BackupRun.newest_good(backup_id, before)
    return good.finished_at if good is not None else None


def _would_be_removed(run_id: int) -> list[str]:
    """Some of the objects that a held run would have removed, by the beginning of its log."""
    names = []
    for row in run_logs.rows(run_id, 0, LINES_LOOKED_AT):
        with contextlib.suppress(ValueError, AttributeError, RecursionError):  # not JSON
            entry = json.loads(row.line)
            if (entry.get("bucketvault"), entry.get("what")) == ("plan", "gone"):
                names.append(str(entry.get("object")))
    return names


def _episode(backup: Backup, planned: dt.datetime) -> str:
    """Return the name of an overdue episode: of one backup, since one planned time."""
    return f"{backup.archive_key}.{planned:%Y%m%dT%H%M%SZ}.overdue"


def _put(
    kind: MailKind,
    event: str,
    backup_id: int | None,
    run_id: int | None,
    write: Callable[[texts.Home], texts.Text],
    otherwise: str,
) -> bool:
    """Store alerts that wait; an event that has some already keeps those. False: nobody wants it.

    A bug in a text never keeps a run from ending: then it is short, with `otherwise` as subject.
    """
    now, here = settings.load(), home(time_zone=_time_zone_of(backup_id))
    targets = [each for each in AlertTarget.select() if EVENT_OF[kind] in each.events]
    if not now.mail_is_set_up and not targets:
        return False
    try:
        text = write(here)
    except Exception:
        log.exception("an email could not be written in full")
        text = texts.plain(otherwise)
    row = {"run": run_id, "backup": backup_id, "kind": kind, "subject": text.subject}
    if now.mail_is_set_up:
        domain = now.mail_from.rpartition("@")[2]
        _insert(
            row | {"message_id": f"<{event}@{domain}>", "body": text.body, "html": text.rich},
        )
    if targets:
        about = _about(backup_id, run_id, here)
    for each in targets:
        named = {"target": each.id, "message_id": f"<{event}@{each.uuid}>"}
        _insert(row | named | {"body": text.brief, "about": about})
    log.info("alert written", extra={"kind": kind, "subject": text.subject})
    return True


def _time_zone_of(backup_id: int | None) -> str:
    return Backup.select(Backup.time_zone).where(Backup.id == backup_id).scalar() or ""


def _insert(row: Mapping[str, object]) -> None:
    Mail.insert(**row).on_conflict_ignore().execute()


def _about(backup_id: int | None, run_id: int | None, here: texts.Home) -> Json:
    """Return what programs are told of an event beside its words (docs/alerts.md)."""
    backup = Backup.get_or_none(Backup.id == backup_id)
    run = BackupRun.get_or_none(BackupRun.id == run_id)
    ended = run.finished_at if run is not None else None
    return {
        "backup": backup.name if backup is not None else None,
        "run": run_id,
        "status": run.status if run is not None else None,
        "reason": run.reason if run is not None else None,
        "at": (ended or utcnow()).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": here.machine,
    }


def home(folder: Path | None = None, time_zone: str = "") -> texts.Home:
    """This installation, for the texts; `folder`: its data folder, if its database is not open.

    `time_zone` is the one to tell times in; where it is not known, that is the server's.
    """
    folder = folder or Path(str(database.database)).parent
    usual = Path(platformdirs.user_data_dir("bucketvault", appauthor=False))
    named = f" --data-dir {shlex.quote(str(folder))}" if folder != usual else ""
    return texts.Home(zone_of(time_zone, _zone()), socket.gethostname(), f"bucketvault{named}")


@functools.cache
def _zone() -> ZoneInfo:
    return ZoneInfo(server_time_zone())


# ---- sending; called by `mailer`, and for targets by `engine/alerts`


def next_waiting(now: dt.datetime) -> Mail | None:
    """The email that is to be tried now, if there is one."""
    with connection():
        found: Mail | None = _due(now).where(Mail.target.is_null()).first()
        return found


def next_of_targets(now: dt.datetime) -> list[Mail]:
    """Return of each target the alert that is to be tried now, if there is one."""
    with connection():
        due = _due(now).where(Mail.target.is_null(False)).order_by(Mail.id)
        first: dict[int | None, Mail] = {}
        for mail in due:
            first.setdefault(mail.target_id, mail)
        return list(first.values())


def still_waits(mail: Mail) -> bool:
    """True if nothing was done with a mail since it was read."""
    same = (Mail.id == mail.id) & (Mail.next_attempt_at == mail.next_attempt_at)
    with connection():
        return bool(Mail.select().where(same).exists())


def _due(now: dt.datetime) -> Any:  # a query of peewee
    late = (Mail.next_attempt_at <= now) | (Mail.next_attempt_at > now + FARTHEST)
    return Mail.select().where(late).order_by(Mail.next_attempt_at, Mail.id)


def event_time(mail: Mail) -> dt.datetime:
    """When happened what a mail tells."""
    with connection():
        run = BackupRun.get_or_none(BackupRun.id == mail.run_id)
    return run.finished_at if run is not None and run.finished_at is not None else mail.created_at


def note_sent(mail_id: int, now: dt.datetime) -> None:
    """The service took it. Others that wait for that one are tried at once."""
    with writing():
        _note(mail_id, sent_at=now, next_attempt_at=None, dead_at=None, last_error="")
        sent = Mail.get_or_none(Mail.id == mail_id)
        if sent is not None:
            try_waiting_now(now, sent.target_id)


def note_failed(mail_id: int, error: str, next_attempt_at: dt.datetime | None) -> None:
    """An attempt failed; without a next one the mail is given up."""
    given_up = utcnow() if next_attempt_at is None else None
    _note(mail_id, next_attempt_at=next_attempt_at, dead_at=given_up, last_error=error)


def _note(mail_id: int, **fields: object) -> None:
    run_id = Mail.select(Mail.run).where(Mail.id == mail_id).scalar()
    # the page of its run shows what became of it, and every page that one was given up
    about = () if run_id is None else (run_topic(run_id),)
    with writing(Topic.MAIL, Topic.BACKUPS, *about):
        Mail.update(attempts=Mail.attempts + 1, **fields).where(
            Mail.id == mail_id, Mail.sent_at.is_null()
        ).execute()


def try_waiting_now(now: dt.datetime, target_id: int | None = None) -> None:
    """Do not wait longer with any email, or alert to this target: the way there has changed."""
    to = Mail.target.is_null() if target_id is None else Mail.target == target_id
    with writing(Topic.MAIL, Topic.BACKUPS):
        Mail.update(next_attempt_at=now).where(Mail.next_attempt_at > now, to).execute()


def try_again(mail_id: int) -> None:
    """Send a mail that was given up after all. Raises NotFoundError; one that waits stays so."""
    with writing(Topic.MAIL, Topic.BACKUPS):
        _see_that_it_is_there(mail_id)
        Mail.update(next_attempt_at=utcnow(), dead_at=None, dismissed_at=None).where(
            Mail.id == mail_id, Mail.sent_at.is_null()
        ).execute()


def dismiss(mail_id: int) -> None:
    """Note that a mail that was given up was seen; the page of its run still shows it.

    Raises NotFoundError; one that waits or was taken meanwhile stays as it is.
    """
    with writing(Topic.MAIL, Topic.BACKUPS):
        _see_that_it_is_there(mail_id)
        Mail.update(dismissed_at=utcnow()).where(
            Mail.id == mail_id, Mail.needs_attention()
        ).execute()


def _see_that_it_is_there(mail_id: int) -> None:
    if Mail.get_or_none(Mail.id == mail_id) is None:
        raise NotFoundError("This email no longer exists.")
