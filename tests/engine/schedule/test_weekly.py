"""The weekly report: once a week at its time, whatever the program and the clock do."""

import datetime as dt
import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import time_machine

from bucketvault.engine import price_list, settings
from bucketvault.engine.alerts import targets
from bucketvault.engine.alerts.targets import TargetFields
from bucketvault.engine.mail import outbox
from bucketvault.engine.mail.sender import Mailer, Pace, message_of
from bucketvault.engine.mail.week import Mark, Runs
from bucketvault.engine.runs import queue
from bucketvault.engine.schedule import weekly
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.views import week as views
from bucketvault.engine.views.situation import InstallationIssue, Part
from bucketvault.store.database import connection
from bucketvault.store.models import Mail, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import AlertEvent, MailKind, Phase, Reason, RunKind, RunStatus
from tests.store_fixtures import a_backup, a_run
from tests.support.mailbox import Mailbox
from tests.support.program import until

pytestmark = pytest.mark.usefixtures("open_store")

WEEK, HOUR, MINUTE = dt.timedelta(weeks=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)
MAILED = {
    "smtp_host": "127.0.0.1",
    "smtp_security": "none",
    "mail_from": "backup@example.com",
    "mail_to": "me@example.org",
}


def monday() -> dt.datetime:
    """Monday 9 November 2026, 08:00 on the server's clock."""
    return dt.datetime(2026, 11, 9, 8, tzinfo=outbox.home().zone)


def at_time(moment: dt.datetime) -> Any:
    return time_machine.travel(moment.timestamp(), tick=False)


def wanted(moment: dt.datetime, vault: Vault, **given: object) -> None:
    """Set the report at `moment`."""
    with at_time(moment):
        settings.change({"weekly_report": "monday", **MAILED, **given}, vault)


def beat(moment: dt.datetime) -> int:
    """How many reports there are after a beat of a program that has just started."""
    with at_time(moment):
        Scheduler().beat()
    with connection():
        return int(Mail.select().where(Mail.kind == MailKind.WEEKLY).count())


def test_it_is_off_until_a_day_is_set(vault: Vault) -> None:
    with at_time(monday() - WEEK):
        settings.change(MAILED, vault)

    assert beat(monday() + MINUTE) == 0


def test_it_is_written_once_a_week_also_after_restarts_and_a_change_of_its_hour(
    vault: Vault,
) -> None:
    wanted(monday() - 3 * HOUR, vault)  # a Monday: the last one is not made up for

    assert [beat(monday() - 2 * HOUR), beat(monday() - MINUTE)] == [0, 0]
    assert [beat(monday()), beat(monday() + MINUTE), beat(monday() + 6 * HOUR)] == [1, 1, 1]
    wanted(monday() + 7 * HOUR, vault, weekly_report_at="16:00")
    assert beat(monday() + 9 * HOUR) == 1
    assert [beat(monday() + WEEK), beat(monday() + WEEK + 8 * HOUR)] == [1, 2]


def test_a_machine_that_was_off_writes_one_when_it_is_back(vault: Vault) -> None:
    wanted(monday() - HOUR, vault)

    assert beat(monday() + 3 * WEEK + 50 * HOUR) == 1
    assert beat(monday() + 4 * WEEK - HOUR) == 1
    assert beat(monday() + 4 * WEEK) == 2


def test_a_clock_that_was_a_year_ahead_neither_repeats_nor_silences_it(vault: Vault) -> None:
    wanted(monday() - HOUR, vault)
    assert beat(monday()) == 1

    assert beat(monday() + 52 * WEEK) == 2
    assert beat(monday() + HOUR) == 2
    assert beat(monday() + WEEK) == 3


def test_without_a_recipient_nothing_is_written_then_or_later(vault: Vault) -> None:
    wanted(monday() - HOUR, vault, smtp_host="", mail_from="", mail_to="")
    assert beat(monday()) == 0

    with at_time(monday() + HOUR):
        settings.change(MAILED, vault)

    assert beat(monday() + 2 * HOUR) == 0


def test_a_bug_does_not_end_in_silence(vault: Vault) -> None:
    wanted(monday() - HOUR, vault)

    def broken() -> tuple[InstallationIssue, ...]:
        raise RuntimeError("a bug")

    with at_time(monday()):
        assert weekly.tell(monday().astimezone(dt.UTC), broken)

    with connection():
        assert Mail.get().subject == weekly.NOT_WRITTEN


def test_email_has_both_parts_and_a_target_gets_the_short_text(
    vault: Vault, ends: tuple[Storage, Storage]
) -> None:
    mailbox = Mailbox()
    vault.create_key()
    for name, events in (("Wants", AlertEvent.WEEKLY), ("Spared", AlertEvent.FAILED)):
        targets.create(TargetFields(name, "https://example.com/hook", (events,)), vault)
    wanted(monday() - HOUR, vault, smtp_port=mailbox.port)
    a_backup("Photos", *ends, next_due_at=None, enabled=False)
    assert beat(monday()) == 2

    mailer = Mailer(lambda: vault, Pace(pauses_s=(0.05, 0.1), look_s=0.02))
    with mailbox.up():
        mailer.start()
        until("the report is there", lambda: len(mailbox.raw) == 1)
        mailer.stop()

    mail = email.message_from_bytes(mailbox.raw[0], policy=email.policy.default)
    assert isinstance(mail, EmailMessage) and mail.get_content_type() == "multipart/alternative"
    plain, html = mail.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    with connection():
        row, short = Mail.select().order_by(Mail.id)
    assert plain.get_content().replace("\r\n", "\n") == row.body
    assert html.get_content().replace("\r\n", "\n") == row.html
    server = settings.mail_server(vault)
    assert server is not None  # an attempt after a crash is the same email
    told = row.message_id, row.subject, row.body, outbox.event_time(row), row.html
    assert message_of(server, *told) == message_of(server, *told)
    assert "Photos: Paused" in row.body and "Photos" in row.html
    assert "Photos: Paused" not in short.body and not short.html
    assert short.body.startswith("All backups are paused.")


def test_a_week_is_counted_from_its_runs(
    vault: Vault, ends: tuple[Storage, Storage], open_store: Path
) -> None:
    price_list.change("other", {"reads_per_million": 1})
    now = monday().astimezone(dt.UTC)
    with at_time(now - HOUR):
        photos = a_backup("Photos", *ends, next_due_at=now + HOUR, planned_since=now)
    with connection():
        spec = queue.freeze(photos).to_json()

    def ended(days: float, status: RunStatus = RunStatus.SUCCESS, **columns: Any) -> None:
        when = now - dt.timedelta(days=days)
        usual = {"created_at": when, "started_at": when, "finished_at": when, "spec": spec}
        a_run(photos, status, **usual | {"phase": Phase.TIDYING} | columns)

    ended(9, source_bytes=900, bytes=900)
    ended(6, source_bytes=1000, bytes=100, copied=3, requests={"source": {"reads": 500_000}})
    ended(5, RunStatus.FAILED, reason=Reason.BRAKE, phase=Phase.CHECKING)
    ended(4, kind=RunKind.VERIFY, findings={"objects": 2, "bytes": 700})
    ended(3, RunStatus.FAILED, reason=Reason.STOPPED, phase=Phase.CHECKING)
    ended(2, source_bytes=1500, bytes=500, deleted=1)
    ended(1, RunStatus.FAILED, reason=Reason.CREDENTIALS, explanation="The key is wrong.")
    issue = InstallationIssue(Part.DISK, "The disk is almost full", "3 GB left.", is_bad=True)

    with at_time(now):
        told = views.week(now, outbox.home().zone, (issue,))

    (backup,) = told.backups
    assert backup.runs == Runs(2, 1, 1, 1, 600, 3, 0, 1, verified=1, verified_bytes=700)
    assert (backup.size, backup.size_before) == (1500, 900)
    assert backup.cost is not None and backup.cost.dollars == pytest.approx(0.5)
    assert (backup.state, backup.mark, told.short) == ("Failed", Mark.BAD, "2 need attention")
    assert [need.name for need in told.needs] == ["Photos", "The disk is almost full"]
    assert "The key is wrong." in told.needs[0].why
