"""The way of an alert from its run to every target, each once, whatever one of them does."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.alerts import targets
from bucketvault.engine.alerts.messenger import Patience
from bucketvault.engine.alerts.sender import Alerts
from bucketvault.engine.alerts.targets import TargetFields
from bucketvault.engine.domain import alert_urls
from bucketvault.engine.domain.alert_urls import AlertUrl
from bucketvault.engine.domain.rules import InvalidValue
from bucketvault.engine.mail import outbox, states
from bucketvault.engine.mail.mail_views import Told
from bucketvault.engine.mail.sender import Pace
from bucketvault.engine.views import backups
from bucketvault.errors import InvalidInputError, VaultError
from bucketvault.store.database import BusyError, database, writing
from bucketvault.store.models import AlertTarget, Backup, BackupRun, Mail
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import AlertEvent, MailKind, Phase, Reason, RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at
from tests.support.listener import Listener
from tests.support.program import until

HASTY = Pace(pauses_s=(0.05, 0.1), gives_up_after_s=60, look_s=0.02)
BRIEF = Patience(webhook_s=0.5)
TOKEN = "token-0a1b2c3d4e"

pytestmark = pytest.mark.usefixtures("open_store")


@pytest.fixture
def photos(open_store: Path) -> Backup:
    provider = a_provider("R2")
    return a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copy"))


@pytest.fixture
def phone(open_store: Path, vault: Vault) -> Iterator[Listener]:
    """A webhook that is set up as a target, and not up yet."""
    listener = Listener()
    vault.create_key()
    a_target(vault, "Phone", listener)
    yield listener
    listener.down()


def a_target(vault: Vault, name: str, listener: Listener, **given: Any) -> int:
    return targets.create(TargetFields(name, listener.url(TOKEN), **given), vault)


@contextmanager
def sending(vault: Vault, pace: Pace = HASTY) -> Iterator[Alerts]:
    alerts = Alerts(lambda: vault, pace, BRIEF)
    alerts.start()
    try:
        yield alerts
    finally:
        alerts.stop()


def ended(backup: Backup, status: RunStatus, reason: Reason | None = None) -> BackupRun:
    run = a_run(backup, RunStatus.RUNNING, started_at=at(1), phase=Phase.COPYING)
    told = {"reason": reason, "explanation": "The key is wrong."} if reason is not None else {}
    with writing():
        run.finish(status, finished_at=at(2), **told)
        outbox.run_ended(run)
    return run


def fail(backup: Backup) -> BackupRun:
    return ended(backup, RunStatus.FAILED, Reason.CREDENTIALS)


def all_sent() -> bool:
    return not Mail.select().where(Mail.sent_at.is_null()).exists()


def test_every_alert_waits_for_the_service_and_then_arrives_once(
    photos: Backup, vault: Vault, phone: Listener
) -> None:
    phone.down()
    runs = [fail(photos) for _ in range(3)]

    for _ in range(2):  # the program is started again in between
        with sending(vault) as alerts:
            alerts.try_all(10)
    (target,) = targets.stored()
    assert not target.heard and target.waiting and "refused" in target.answer
    with phone.up(), sending(vault):
        until("all are there", all_sent)

    ids = [request.json["id"] for request in phone.requests]
    assert ids == [mail.message_id for mail in Mail.select().order_by(Mail.id)]
    assert [request.json["run"] for request in phone.requests] == [run.id for run in runs]
    first = phone.requests[0].json
    assert first["subject"] == "Photos failed: The key is wrong."
    assert "\nPhotos failed: The key is wrong.\n" in first["text"]
    assert "Without a browser" not in first["text"]
    (target,) = targets.stored()
    assert (target.heard, target.answer, target.waiting) == (True, "HTTP 200", 0)


def test_each_target_gets_the_events_it_wants(photos: Backup, vault: Vault) -> None:
    vault.create_key()
    with Listener().up() as bad_news, Listener().up() as all_news:
        a_target(vault, "Bad", bad_news, events=(AlertEvent.FAILED, AlertEvent.OVERDUE))
        a_target(vault, "All", all_news)
        fail(photos)
        ended(photos, RunStatus.FAILED, Reason.BRAKE)
        ended(photos, RunStatus.SUCCESS)
        with writing():
            outbox.overdue(photos, at(3))
        ended(photos, RunStatus.SUCCESS)

        with sending(vault):
            until("all are there", all_sent)

    def events(listener: Listener) -> list[str]:
        return [request.json["event"] for request in listener.requests]

    assert events(bad_news) == ["failed", "overdue"]
    assert events(all_news) == ["failed", "held", "recovered", "overdue", "recovered"]


def test_a_target_that_drips_and_one_that_is_dead_delay_no_other(
    photos: Backup, vault: Vault, phone: Listener
) -> None:
    dead = Listener()
    dead.down()
    a_target(vault, "Dead", dead)
    with Listener().up() as dripping, phone.up():
        dripping.drips = True
        a_target(vault, "Dripping", dripping)
        fail(photos)

        with sending(vault):
            until("it dripped", lambda: dripping.requests)
            until("the good one has it", lambda: phone.requests)
            until("both are told", lambda: sum(each.waiting for each in targets.stored()) == 2)

    words = {each.name: each.answer for each in targets.stored()}
    assert words["Dripping"] == "No answer in time." and "refused" in words["Dead"]


def test_a_refusal_is_given_up_loudly_after_a_day_and_can_be_tried_again(
    photos: Backup, vault: Vault, phone: Listener
) -> None:
    run = fail(photos)
    at_once = Pace(pauses_s=(0.05,), gives_up_after_s=0, gives_up_after_tries=2, look_s=0.02)
    with phone.up(), sending(vault, at_once) as alerts:
        phone.status, phone.body = 404, TOKEN.encode()
        until("it is given up", lambda: states.state().dead)
        (dead,) = states.state().dead
        (note,) = backups.run_page(run.id).alerts

        assert (dead.to, note.to, note.told) == ("Phone", "Phone", Told.GIVEN_UP)
        assert dead.last_error.startswith("HTTP 404: [secret]")
        phone.status = 200
        alerts.try_again(dead.id)
        until("it is there after all", all_sent)


def test_what_was_sent_and_could_not_be_noted_is_noted_later_and_not_sent_twice(
    photos: Backup, vault: Vault, phone: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_sent, refusals = outbox.note_sent, iter([True, True, False])

    def busy(*given: Any) -> None:
        if next(refusals, False):
            raise BusyError("database is locked")
        note_sent(*given)

    monkeypatch.setattr(outbox, "note_sent", busy)
    with phone.up(), sending(vault):
        fail(photos)
        until("it is noted", all_sent)

    assert len(phone.requests) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from bucketvault.engine.alerts.sender import Alerts
from bucketvault.engine.mail import outbox
from bucketvault.store.database import open_database
from bucketvault.store.secrets import Vault

outbox.note_sent = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_database(Path(sys.argv[1]))
vault = Vault(Path(sys.argv[2]))
Alerts(lambda: vault).start()
signal.pause()
"""


def test_a_kill_between_sending_and_noting_sends_it_again_under_the_same_id(
    photos: Backup, vault: Vault, phone: Listener, open_store: Path
) -> None:
    fail(photos)
    with phone.up():
        script = [sys.executable, "-c", KILLED, str(open_store), str(vault.key_file)]
        killed = subprocess.run(script, timeout=60, check=False)
        with sending(vault):
            until("it is noted", all_sent)

    first, second = phone.requests
    assert killed.returncode == -signal.SIGKILL
    assert first.json == second.json


def test_a_new_url_is_tried_at_once_and_a_deleted_target_leaves_nothing(
    photos: Backup, vault: Vault, phone: Listener
) -> None:
    phone.down()
    fail(photos)
    (target,) = targets.stored()
    slow = Pace(pauses_s=(600.0,), look_s=0.02)
    with Listener().up() as other, sending(vault, slow) as alerts:
        until("it was tried", lambda: targets.stored()[0].waiting)
        alerts.change(target.id, TargetFields("Phone", other.url("new")))
        until("it is there", all_sent)
        assert other.requests[0].path == "/new"

    targets.delete(target.id)

    assert not Mail.select().exists() and not targets.stored()


def test_a_test_alert_says_how_it_went_and_is_no_alert(
    vault: Vault, phone: Listener, photos: Backup
) -> None:
    (target,) = targets.stored()
    alerts = Alerts(lambda: vault, HASTY, BRIEF)
    phone.down()
    refused = alerts.send_test(target.id)
    with phone.up():
        taken = alerts.send_test(target.id)

    assert not refused.sent and "refused" in refused.answer
    assert taken.sent and phone.requests[0].json["event"] == "test"
    assert targets.stored()[0].heard and not Mail.select().exists()


def test_a_url_that_a_stricter_rule_refuses_is_said_and_tried_again_in_time(
    vault: Vault, phone: Listener, photos: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(value: object) -> AlertUrl:
        raise InvalidValue("It is of another kind.")

    monkeypatch.setattr(alert_urls, "read", refuse)
    fail(photos)

    assert not Alerts(lambda: vault).send_test(targets.stored()[0].id).sent
    with sending(vault, Pace(look_s=0.02)):
        until("it was tried", lambda: Mail.get().attempts)
    assert "no longer accepted" in Mail.get().last_error
    assert "of another kind" in targets.stored()[0].answer


def test_a_url_is_stored_encrypted_for_its_row_and_shown_masked(
    vault: Vault, phone: Listener, open_store: Path
) -> None:
    row = AlertTarget.get()
    (target,) = targets.stored()

    assert target.shown == f"Webhook, 127.0.0.1:{phone.port}"
    assert TOKEN not in json.dumps([str(value) for value in row.__data__.values()])
    other = targets.create(TargetFields("", "http://127.0.0.1/other"), vault)
    assert AlertTarget.get_by_id(other).name == "Webhook"
    AlertTarget.update(url=row.url).where(AlertTarget.id == other).execute()
    with pytest.raises(VaultError):
        targets.url_of(other, vault)
    AlertTarget.update(shown="Webhook, elsewhere").where(AlertTarget.id == row.id).execute()
    with pytest.raises(VaultError):
        targets.url_of(row.id, vault)


def test_what_is_wrong_with_a_target_is_said_at_once_and_nothing_is_stored(vault: Vault) -> None:
    given = TargetFields("", "ntfy://ntfy.example.com/t?verify=no", ("monthly",))  # type: ignore[arg-type]

    with pytest.raises(InvalidInputError) as caught:
        Alerts(lambda: vault).create(given)

    told = {each.field: each.message for each in caught.value.problems}
    assert set(told) == {"url", "events"} and "Remove verify" in told["url"]
    assert not AlertTarget.select().exists()


def test_a_held_run_is_an_event_of_its_own(photos: Backup, phone: Listener) -> None:
    ended(photos, RunStatus.FAILED, Reason.BRAKE)

    assert [mail.kind for mail in Mail.select()] == [MailKind.HELD]
    assert database.table_exists("alert_target")
