"""The 30 days that the demo's backups have behind them, the same wherever they are shown."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bucketvault.config import Config, load_config
from bucketvault.demo import history, tale, today
from bucketvault.demo.buckets import DAY, REORGANISED_AGO
from bucketvault.demo.folder import start_afresh
from bucketvault.demo.mail_server import mail_server
from bucketvault.demo.servers import Server, new_key
from bucketvault.demo.setup_file import HOME, OFFSITE, Entry, write_setup
from bucketvault.demo.tale import End
from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.times import server_time_zone
from bucketvault.engine.mail.mail_views import Received
from bucketvault.engine.runs import plan_log
from bucketvault.engine.setup import applying
from bucketvault.engine.views import backups
from bucketvault.engine.views.calendar import DayBook
from bucketvault.engine.views.situation import Tone, situation_of, tone_of
from bucketvault.errors import BucketvaultError
from bucketvault.store import run_logs
from bucketvault.store.database import close_database
from bucketvault.store.models import Backup, BackupRun, Mail
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import LineKind, MailKind, Reason, RunStatus, Trigger

NOW = dt.datetime.now(dt.UTC)
HERE, ELSEWHERE = (Server(f"http://127.0.0.1:{port}", *new_key()) for port in (1, 2))


@dataclass(frozen=True)
class Story:
    """A history that was written."""

    config: Config
    servers: Path
    entries: tuple[Entry, ...]
    received: tuple[Received, ...]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    folder = tmp_path / "demo"
    config = config_in(folder)
    start_afresh(folder, config)
    entries = today.entries(NOW.astimezone(zone()))
    with mail_server() as mailbox:
        file = folder / "setup.toml"
        providers = {HOME: HERE, today.DATABASES: HERE, OFFSITE: ELSEWHERE}
        write_setup(file, providers, entries, {"settings": today.mail_settings(mailbox.port)})
        vault = open_store(config)
        applying.apply(file, vault, {})
        history.write(config, vault, entries, folder / "servers", NOW)
        yield Story(config, folder / "servers", entries, mailbox.received())
    close_database()


def config_in(folder: Path) -> Config:
    return load_config(
        {"BUCKETVAULT_KEY_FILE": str(folder / "secret.key")}, data_dir=str(folder / "data")
    )


def zone() -> ZoneInfo:
    return ZoneInfo(server_time_zone())


def test_the_history_of_the_demo_is_the_same_wherever_it_is_shown(story: Story) -> None:
    six_backups_show_each_state_of_a_day(story)
    only_the_runs_of_today_are_due(story)
    each_run_continues_from_the_one_before(story)
    counts_and_logs_and_kept_versions_tell_the_same(story)
    the_buckets_are_as_the_last_good_runs_left_them(story)
    the_mailbox_has_an_email_for_each_failure_and_recovery(story)


def six_backups_show_each_state_of_a_day(story: Story) -> None:
    rows = backups.backups()

    days = DayBook(zone()).days(rows, NOW)

    assert len(rows) == len(story.entries) == 6
    shown = {tone for each in days.values() for tone in each.tones}
    assert shown >= {Tone.OK, Tone.WARN, Tone.BAD, Tone.HELD, Tone.MISS, Tone.STOP, Tone.NONE}
    assert all(
        each.tones[0] is not Tone.NONE for each in days.values()
    )  # 30 days, from the first on
    assert [row.name for row in rows if tone_of(row) is Tone.MISS] == [today.OVERDUE]
    assert situation_of(rows, ()).sentence == f"{today.OVERDUE} is overdue."


@pytest.mark.parametrize("bucket", tale.ENDS)
def test_at_whatever_time_the_demo_starts_the_runs_of_a_backup_are_apart(bucket: str) -> None:
    day = dt.date(2026, 11, 30)
    for minutes in range(0, 24 * 60, 7):
        at = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
        since = at.replace(hour=9, minute=30) - tale.DAYS * DAY
        planned = [time for ago in range(tale.DAYS, -1, -1) if (time := at - ago * DAY) > since]

        runs = sorted(tale.runs_of(bucket, planned, since, day, dt.UTC), key=lambda run: run.at)

        gaps = [later.at - earlier.at for earlier, later in pairwise(runs)]
        assert min(gaps) > dt.timedelta(seconds=50), at
        assert {run.end for run in runs} >= set(tale.ENDS[bucket].values())
        assert sum(run.trigger is Trigger.CATCH_UP for run in runs) == 1
        for run in runs:
            if run.end is End.HELD:  # by the change of that day, so the first run after it
                noon = at.replace(hour=tale.NOON.hour, minute=0) - REORGANISED_AGO * DAY
                assert noon < run.at < noon + DAY, at


def only_the_runs_of_today_are_due(_: Story) -> None:
    due = {row.name for row in Backup.select().where(Backup.next_due_at <= NOW)}

    assert due == {today.FAILED, today.HELD, today.WARNED, today.GOOD}


def each_run_continues_from_the_one_before(_: Story) -> None:
    for backup in Backup.select():
        runs = list(backup.runs.order_by(BackupRun.id))
        for earlier, run in pairwise(runs):
            assert earlier.finished_at < run.created_at < run.started_at < run.finished_at < NOW
        good = [run for run in runs if run.status == RunStatus.SUCCESS]
        for run in good:
            assert run.proof["present"] == run.proof["source_objects"] == run.source_objects
            assert run.findings["destination_objects"] + run.copied - run.deleted == run.checked
        for earlier, run in pairwise(good):
            assert run.findings["destination_objects"] == earlier.checked
        assert len(good) > 3


def counts_and_logs_and_kept_versions_tell_the_same(story: Story) -> None:
    elsewhere = story.servers / "elsewhere"
    copies = {entry.name: elsewhere / f"{entry.bucket}-copy" for entry in story.entries}
    for run in BackupRun.select(BackupRun, Backup).join(Backup):
        told = run_logs.counts(run.id)
        kept = copies[run.backup.name] / ARCHIVE_ROOT / run.backup.archive_key / run.archive_stamp
        if run.status == RunStatus.SUCCESS:
            assert told[LineKind.NEW] == run.copied == run.findings["new"]
            assert told[LineKind.REPLACED] == run.replaced == run.findings["replaced"]
            assert told[LineKind.REMOVED] == run.deleted == run.findings["removed"]
            assert len(files(kept)) == run.archived == run.replaced + run.deleted
        else:
            assert not kept.exists() and not run.copied
        if run.reason == Reason.BRAKE:
            assert told[LineKind.REMOVED] == run.findings["removed"] > 100
            lines = [json.loads(line) for line in b"".join(run_logs.raw(run.id)).splitlines()]
            assert {line["msg"] for line in lines[1:]} <= plan_log.SENTENCES


def the_buckets_are_as_the_last_good_runs_left_them(story: Story) -> None:
    for entry in story.entries:
        row = backups.backup_by_name(entry.name)
        copy = story.servers / "elsewhere" / f"{entry.bucket}-copy"
        found = {path for path in files(copy) if ARCHIVE_ROOT not in path.parts}

        assert row.proof is not None
        assert len(found) == row.proof.source_objects
        assert sum(path.stat().st_size for path in found) == row.proof.source_bytes
        source = story.servers / "here" / entry.bucket
        same = [path for path in files(source) if (copy / path.relative_to(source)).exists()]
        assert len(same) > 0.9 * len(found)


def the_mailbox_has_an_email_for_each_failure_and_recovery(story: Story) -> None:
    mails = list(Mail.select(Mail, BackupRun).join(BackupRun))
    bad = (MailKind.FAILED, MailKind.HELD)
    failed = {mail.run_id for mail in mails if mail.kind in bad}
    runs = BackupRun.select().where(BackupRun.status == RunStatus.FAILED)

    assert failed == {run.id for run in runs if run.reason != Reason.STOPPED}
    assert len(mails) - len(failed) == 5  # three after the night that the offsite server was away
    assert {(mail.subject, mail.body) for mail in mails} == {
        (each.subject, each.body) for each in story.received
    }
    assert all(mail.sent_at and mail.sent_at < NOW for mail in mails)
    assert [each.at for each in story.received] == sorted(
        (mail.run.finished_at.replace(microsecond=0) for mail in mails), reverse=True
    )


def test_sample_history_is_refused_in_a_folder_that_is_no_demo_s(tmp_path: Path) -> None:
    with pytest.raises(BucketvaultError, match="only"):
        history.write(config_in(tmp_path), None, (), tmp_path, NOW)  # type: ignore[arg-type]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
