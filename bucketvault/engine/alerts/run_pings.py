"""The heartbeat of each backup: a service is told when a run starts, succeeds or fails.

What is to be told is seen in the runs, by the number of the last one that the service heard of: so
an end is told after a crash, too, and again until it is heard or a newer run has ended. A start is
told once, and only while the run is in progress.
"""

import logging
from functools import partial

from bucketvault.engine.alerts import pinging
from bucketvault.engine.alerts.errands import Errands
from bucketvault.engine.alerts.pinging import Sign
from bucketvault.engine.domain.state_words import describe_cause
from bucketvault.engine.mail import texts
from bucketvault.engine.mail.sender import Pace
from bucketvault.engine.mail.smtp import Trouble
from bucketvault.humanize import sentences
from bucketvault.sanitize import clean
from bucketvault.store.database import writing
from bucketvault.store.models import HAS_ENDED, IS_COPY, Backup, BackupRun, utcnow
from bucketvault.vocabulary import Reason, RunStatus, Topic

log = logging.getLogger(__name__)

AT_ONCE = 4
USUAL_PACE = Pace()
WORDS = 2000  # characters


class RunPings(Errands):
    """Sends them; started once, stopped once. Every method may be called from any thread."""

    def __init__(self, pace: Pace = USUAL_PACE, answer_s: float = pinging.ANSWER_S) -> None:
        super().__init__("run pings", pace, AT_ONCE)
        self._answer_s = answer_s
        self._failed: dict[int, tuple[str, int, int]] = {}  # by backup: URL, run, how often

    def _prepare(self) -> None:
        return

    def _look(self) -> None:
        for backup in Backup.select().where(Backup.ping_url != ""):
            ended, failed = _untold_end(backup), self._failed.get(backup.id)
            if failed is not None and ended is not None and failed[:2] != _news(backup, ended):
                self._failed.pop(backup.id, None)
                self._forget(backup.id)  # there is news, or another service, which may answer
            if ended is not None or _untold_start(backup) is not None:
                self._begin(backup.id, f"ping-{backup.id}", partial(self._tell, backup.id))

    def _tell(self, backup_id: int) -> None:
        backup = Backup.get_or_none(Backup.id == backup_id)  # as it is by now
        if backup is None or not backup.ping_url:
            return
        if (ended := _untold_end(backup)) is not None:
            self._tell_end(backup, ended)
        elif (started := _untold_start(backup)) is not None:
            heard, answer = pinging.ping(backup.ping_url, Sign.START, "", self._answer_s)
            if not heard:  # its end will tell
                log.info("start not heard", extra={"backup": backup.id, "answer": answer})
            with writing():
                Backup.update(pinged_start=started.id).where(_is_still(backup)).execute()

    def _tell_end(self, backup: Backup, run: BackupRun) -> None:
        is_good = run.status == RunStatus.SUCCESS
        sign = Sign.SUCCESS if is_good else Sign.FAIL
        words = _words(run, backup.name)
        heard, answer = pinging.ping(backup.ping_url, sign, words, self._answer_s)
        told = {"pinged_end": run.id, "pinged_start": run.id} if heard else {}
        with writing(Topic.MAIL, Topic.BACKUPS):
            Backup.update(pinged_at=utcnow(), ping_heard=heard, ping_answer=answer, **told).where(
                _is_still(backup)
            ).execute()
        about = {"backup": backup.id, "run": run.id, "answer": answer}
        if heard:
            self._failed.pop(backup.id, None)
            log.info("end of a run heard", extra=about)
            return
        tries = self._failed.get(backup.id, ("", 0, 0))[2] + 1
        self._failed[backup.id] = (*_news(backup, run), tries)
        self._rest(backup.id, self._pace.pause_after(tries, Trouble.SERVER))
        log.warning("end of a run not heard", extra=about)


def _news(backup: Backup, run: BackupRun) -> tuple[str, int]:
    return backup.ping_url, run.id


def _is_still(backup: Backup) -> object:  # a condition of peewee
    return (Backup.id == backup.id) & (Backup.ping_url == backup.ping_url)


def _untold_end(backup: Backup) -> BackupRun | None:
    """Return the newest run that ended and was not told; of verifications those with damage."""
    is_worth_it = IS_COPY | (BackupRun.reason == Reason.DAMAGED)
    found: BackupRun | None = (
        BackupRun.select()
        .where(BackupRun.backup == backup.id, HAS_ENDED, is_worth_it)
        .order_by(BackupRun.id.desc())
        .first()
    )
    return found if found is not None and found.id > backup.pinged_end else None


def _untold_start(backup: Backup) -> BackupRun | None:
    if not pinging.hears_starts(backup.ping_url):
        return None
    found: BackupRun | None = BackupRun.get_or_none(
        BackupRun.backup == backup.id, BackupRun.status == RunStatus.RUNNING, IS_COPY
    )
    return found if found is not None and found.id > backup.pinged_start else None


def _words(run: BackupRun, name: str) -> str:
    if run.status == RunStatus.SUCCESS:
        return clean(run.explanation or "The copy is complete.", limit=WORDS)
    subject = texts.subject_of_failed(run, name)
    return clean(sentences(f"{subject}:", describe_cause(run), run.hint), limit=WORDS)
