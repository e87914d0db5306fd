"""The 30 days that the demo's backups have behind them, in the demo's own folder only.

The runs are made up. All else comes of them as it does of real ones: the follower counts what their
logs say, the outcome has their words, and the outbox writes the emails, which are really sent.
"""

import datetime as dt
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from bucketvault.config import Config
from bucketvault.demo import buckets
from bucketvault.demo.buckets import DAY, Bucket, Objects
from bucketvault.demo.folder import is_demo
from bucketvault.demo.setup_file import Entry, copy_of
from bucketvault.demo.tale import DAYS, NOON, End, Run, runs_of
from bucketvault.engine import settings
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing.merge import Stand, Totals, What
from bucketvault.engine.mail import outbox, sender, smtp
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.engine.runs import looking, outcome, passes, queue, tidying
from bucketvault.engine.runs.counting import Counted
from bucketvault.engine.runs.follower import Follower
from bucketvault.errors import BucketvaultError, RunFailedError
from bucketvault.sanitize import Redactor
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Mail
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import HoldReason, Phase, RunStatus, Trigger

BYTES_S = 1_900_000  # a pace of those days
PATIENCE_S = 62.0  # a run's, with a provider that is away
REFUSED = "dial tcp: connect: connection refused"
ONE_LISTING = Use(EndUse(lists=1), EndUse(lists=1))


def write(
    config: Config, vault: Vault, entries: Iterable[Entry], servers: Path, now: dt.datetime
) -> dict[str, Bucket]:
    """Write the runs before today, their emails, and both ends as they left them.

    Returns the source buckets by name, as they are now. Raises BucketvaultError in a data folder
    that is not a demo's.
    """
    if not is_demo(config):
        raise BucketvaultError("Sample history is for a demo's own data folder only.")
    zone = ZoneInfo(timetable.server_time_zone())
    today = now.astimezone(zone).date()
    since = _at(today - DAYS * DAY, dt.time(9, 30), zone)
    version = find_binary(config.rclone).version
    with connection():
        pasts = [
            _Past(
                backup=Backup.get(Backup.name == each.name),
                bucket=Bucket(each.bucket, since),
                folder=servers / "elsewhere" / copy_of(each),
                version=version,
            )
            for each in entries
        ]
    happened: list[tuple[dt.datetime, int, Run | int]] = []
    for number, past in enumerate(pasts):
        start = since + number * dt.timedelta(minutes=3)
        past.exists_since(start)
        planned = list(timetable.all_between(past.backup, start, now - dt.timedelta(minutes=10)))
        runs = runs_of(past.bucket.name, planned, start, today, zone)
        happened += [(run.at, number, run) for run in runs]
        days = ((_at(today - ago * DAY, NOON, zone), ago) for ago in range(DAYS, 0, -1))
        happened += [(noon, number, ago) for noon, ago in days if noon > start]
    with writing():  # all at once: a commit for each run would take most of the time
        for at, number, what in sorted(happened, key=lambda each: each[:2]):
            if isinstance(what, int):
                pasts[number].bucket.live(at, what)
            else:
                pasts[number].take_run(what)
    _send(settings.mail_server(vault))
    for past in pasts:
        past.write_ends(servers / "here" / past.bucket.name, now)
    return {past.bucket.name: past.bucket for past in pasts}


def _at(day: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, time, tzinfo=zone).astimezone(dt.UTC)


def _send(server: settings.MailServer | None) -> None:
    """Send what waits, as the mailer does; it arrived a moment after what it tells."""
    if server is None:
        return
    with connection():
        waiting = list(Mail.select().where(Mail.next_attempt_at.is_null(False)))
    for mail in waiting:
        at = outbox.event_time(mail)
        message = sender.message_of(server, mail.message_id, mail.subject, mail.body, at)
        smtp.deliver(server, message)
        outbox.note_sent(mail.id, at + dt.timedelta(seconds=2))
        with writing():
            Mail.update(created_at=at, updated_at=at).where(Mail.id == mail.id).execute()


@dataclass(frozen=True, slots=True)
class _Work:
    """The keys that a run found to do, and the objects of both ends."""

    new: list[str]
    replaced: list[str]
    removed: list[str]
    altered: list[str]
    source: Objects
    copy: Objects

    @property
    def copied(self) -> list[str]:
        return [*self.new, *self.replaced]

    def totals(self) -> Totals:
        counts = {
            What.NEW: len(self.new),
            What.CHANGED: len(self.replaced) - len(self.altered),
            What.ALTERED: len(self.altered),
            What.GONE: len(self.removed),
        }
        return Totals(
            source_objects=len(self.source),
            source_bytes=sum(each.size for each in self.source.values()),
            copy_objects=len(self.copy),
            bytes_to_copy=sum(self.source[key].size for key in self.copied),
            counts=Counter({(Stand.TO_DO, what): n for what, n in counts.items()}),
        )

    def findings(self) -> Findings:
        return looking.findings_of(self.totals())


class _Log:
    """A run's log, and the clock by which it is written."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at
        self._lines: list[dict[str, object]] = []

    def wait(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)

    def begin(self, step: str, spec: RunSpec, objects: int, moved: int = 0) -> None:
        line = passes.step_begins(spec, 1, step, objects, moved)
        self._lines.append({"time": self.at.isoformat(), **line})

    def say(self, number: int, step: str, words: str, use: Use | None = None) -> None:
        line = passes.step_line(number, step, words, requests=use)
        self._lines.append({"time": self.at.isoformat(), **line})

    def object(self, message: str, key: str, length: int | None = None) -> None:
        told = {} if length is None else {"size": length}
        line = {"level": "info", "msg": message, **told, "object": key, "objectType": "*s3.Object"}
        time = f"{self.at:%Y-%m-%dT%H:%M:%S.%f}000Z"
        self._lines.append({"time": time, **line, "source": "operations/copy.go:382"})

    def plan(self, message: str, what: str, key: str, length: int) -> None:
        ours = {"source": "bucketvault", "bucketvault": "plan", "what": what, "why": ""}
        time = self.at.isoformat(timespec="seconds")
        line = {"level": "notice", "msg": message, "object": key, **ours, "size": length}
        self._lines.append({"time": time, **line})

    def text(self) -> str:
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in self._lines)


class _Past:
    """One backup on its way through those days."""

    def __init__(self, *, backup: Backup, bucket: Bucket, folder: Path, version: str) -> None:
        self.backup = backup
        self.bucket = bucket
        self._folder = folder  # of the bucket it copies to
        self._copy: Objects = {}
        self._spec = replace(queue.freeze(backup), rclone_version=version)
        self._chance = random.Random(backup.name)  # noqa: S311 - sample data

    def exists_since(self, start: dt.datetime) -> None:
        """Note when the backup was made."""
        with writing():
            Backup.update(created_at=start, planned_since=start).where(
                Backup.id == self.backup.id
            ).execute()

    def take_run(self, told: Run) -> None:
        """Write one run, its log and what it leaves. Inside `writing()`."""
        work = self._look(told)
        log = _Log(told.at + dt.timedelta(seconds=self._some(0.1, 0.4)))
        run = BackupRun.create(
            backup=self.backup.id,
            created_at=told.at,
            status=RunStatus.RUNNING,
            phase=Phase.CHECKING,
            trigger=told.trigger,
            scheduled_for=told.planned,
            skipped_slots=told.skipped,
            started_at=log.at,
            archive_stamp=log.at.strftime(STAMP_FORMAT),
            spec=self._spec.to_json(),
            approved_limits=self._approved(told.at) if told.trigger is Trigger.APPROVED else {},
        )
        Backup.update(last_run_at=log.at).where(Backup.id == self.backup.id).execute()
        log.wait(self._some(0.7, 1.6))
        if told.end in (End.AWAY, End.SOURCE_AWAY):
            ending = self._away(log, "copy" if told.end is End.AWAY else "source")
            follower = _followed(run, log)
        elif told.end is End.STOPPED:
            ending = outcome.stopped(touched=False)
            follower = _followed(run, log)
            ending.columns["stop_requested_at"] = log.at
        elif told.end is End.HELD:
            self._hold(log, work)
            follower = _followed(run, log)
            ending = outcome.held(HoldReason.SHARE, work.findings())
            ending.columns.update(_seen(work))
        else:
            proof = self._copied(log, work, str(run.archive_stamp))
            follower = _followed(run, log)
            ending = self._proven(run, log, work, proof, follower)
        log.wait(self._some(0.1, 0.3))
        fields = {**ending.fields, "finished_at": log.at, "requests": follower.counts()["requests"]}
        run.finish(ending.status, **fields)
        outbox.run_ended(run)

    def _look(self, told: Run) -> _Work:
        source, here = dict(self.bucket.objects), self._copy
        altered = sorted(here)[3:5] if told.end is End.WARNED else []
        changed = {name for name in source.keys() & here.keys() if source[name] != here[name]}
        return _Work(
            new=sorted(source.keys() - here.keys()),
            replaced=sorted({*changed, *altered} & source.keys()),
            removed=sorted(here.keys() - source.keys()),
            altered=[name for name in altered if name in source.keys() - changed],
            source=source,
            copy=here,
        )

    def _copied(self, log: _Log, work: _Work, stamp: str) -> Proof:
        """Write the log of a pass, and keep old versions; the copy is as the source then."""
        kept = Path(ARCHIVE_ROOT, self.backup.archive_key, stamp)
        log.say(0, "look", looking.describe(work.totals()), ONE_LISTING)
        if work.replaced:
            log.begin("keep", self._spec, len(work.replaced))
            log.wait(0.3)
            for key in work.replaced:
                log.object("Copied (server-side copy)", key, work.copy[key].size)
        if work.copied:
            log.wait(0.3)
            log.begin("copy", self._spec, len(work.copied), work.totals().bytes_to_copy)
        for key in work.copied:
            message = "Copied (new)" if key in work.new else "Copied (replaced existing)"
            log.wait(work.source[key].size / BYTES_S + self._some(0.005, 0.03))
            log.object(message, key, work.source[key].size)
        if work.removed:
            log.begin("remove", self._spec, len(work.removed))
        for key in work.removed:
            log.wait(self._some(0.004, 0.02))
            log.object("Copied (server-side copy)", key, work.copy[key].size)
            log.object("Deleted", key)
            log.object("Moved into backup dir", key)
        for key in (*work.replaced, *work.removed):
            buckets.place(self._folder / kept / key, work.copy[key])
        self._copy = dict(work.source)
        log.wait(self._some(0.8, 1.8))
        count = len(work.source)
        number = 1 if work.findings().changes else 0
        if number:
            done = looking.describe(Totals(source_objects=count, copy_objects=count))
            log.say(number, "prove", done, ONE_LISTING)
        proof = Proof(
            at=log.at.isoformat(timespec="seconds"),
            source_objects=count,
            source_bytes=work.totals().source_bytes,
            present=count,
            same_hash=count,
        )
        log.say(number, "tidy", tidying.DELETING)
        log.wait(self._some(0.4, 0.9))
        log.say(number, "tidy", tidying.CLEANED_UP, Use(EndUse(), EndUse(lists=2)))
        return proof

    def _proven(
        self, run: BackupRun, log: _Log, work: _Work, proof: Proof, follower: Follower
    ) -> outcome.RunOutcome:
        found = work.findings()
        ending = outcome.proven(
            proof,
            found,
            {},
            follower,
            None,
            self._spec,
            Counted(),
            ledger_was_damaged=False,
            ended_at=log.at.timestamp(),
        )
        tidied = {"phase": Phase.TIDYING, "passes": 1 if found.changes else 0}
        ending.columns.update({**_seen(work), **tidied})
        return ending

    def _away(self, log: _Log, end: str) -> outcome.RunOutcome:
        log.wait(PATIENCE_S + self._some(0, 8))
        told = explain.explain_look(end, 0, "", REFUSED, self._spec.source, self._spec.destination)
        codes = {"mends": told.mends, "side": told.side, "region": told.region}
        error = RunFailedError(
            told.reason, told.summary, told.hint, told.detail, untouched=True, **codes
        )
        log.say(0, "look", looking.not_completed(error), Use())
        return outcome.failed(told.reason, error)

    def _hold(self, log: _Log, work: _Work) -> None:
        log.say(0, "look", looking.describe(work.totals()), ONE_LISTING)
        for key in work.removed:
            log.plan("Would be removed", "gone", key, work.copy[key].size)
        for key in work.replaced:
            log.plan("Would be replaced: different content", "changed", key, work.source[key].size)
        for key in work.new:
            log.plan("Would be copied", "new", key, work.source[key].size)

    def _approved(self, at: dt.datetime) -> dict[str, object]:
        runs = BackupRun.select().where(BackupRun.backup == self.backup.id)
        held = runs.order_by(BackupRun.id.desc()).get()
        return {
            "run": held.id,
            "plan": held.uuid,
            "removed": held.findings["removed"],
            "replaced": held.findings["replaced"],
            "until": (at + queue.APPROVAL_HOLDS).isoformat(),
            "ends": queue.ends_of(RunSpec.from_json(held.spec)),
        }

    def _some(self, least: float, most: float) -> float:
        return self._chance.uniform(least, most)

    def write_ends(self, source: Path, now: dt.datetime) -> None:
        """Write both buckets as they are today, and note when the next run is planned."""
        objects = self.bucket.objects
        buckets.fill(source, objects)
        same = [key for key, each in self._copy.items() if objects.get(key) == each]
        buckets.copy(same, source, self._folder)
        for key in self._copy.keys() - set(same):
            buckets.place(self._folder / key, self._copy[key])
        last = timetable.latest_due(self.backup, now)
        with writing():
            done = BackupRun.select().where(
                BackupRun.backup == self.backup.id, BackupRun.scheduled_for == last
            )
            due = timetable.next_due(self.backup, now) if done.exists() else last
            Backup.update(next_due_at=due).where(Backup.id == self.backup.id).execute()


def _seen(work: _Work) -> dict[str, object]:
    """Return the columns of a run's first look."""
    return {
        "source_objects": len(work.source),
        "source_bytes": work.totals().source_bytes,
        "findings": work.findings().to_json(),
    }


def _followed(run: BackupRun, log: _Log) -> Follower:
    """Store a log as the follower of a running run does, which counts what it says."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder, "rclone.log")
        spool.write_text(log.text(), "utf-8")
        follower = Follower(run.id, spool, Redactor())
        follower.step(final=True)
    return follower
