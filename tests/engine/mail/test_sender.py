"""The sender against a real mail server: each mail once, whatever the server does meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path

import psutil
import pytest

from bucketvault.engine import settings
from bucketvault.engine.mail import outbox, states
from bucketvault.engine.mail.sender import Mailer, Pace
from bucketvault.engine.mail.smtp import Patience, Trouble
from bucketvault.errors import InvalidInputError
from bucketvault.store.database import BusyError, database, writing
from bucketvault.store.models import Backup, Mail
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Phase, Reason, RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at
from tests.support.mailbox import PASSWORD, USER, Authority, Mailbox, talking
from tests.support.program import until

HASTY = Pace(pauses_s=(0.05, 0.1), gives_up_after_s=60, look_s=0.02)

pytestmark = pytest.mark.usefixtures("open_store")


@pytest.fixture
def mailbox(open_store: Path, vault: Vault) -> Mailbox:
    """A server that is not up yet, and is set up as ours."""
    made = Mailbox()
    vault.create_key()
    settings.change(
        {
            "smtp_host": "127.0.0.1",
            "smtp_port": made.port,
            "smtp_security": "none",
            "mail_from": "backup@example.com",
            "mail_to": "me@example.org",
        },
        vault,
    )
    return made


@pytest.fixture
def photos(open_store: Path) -> Backup:
    provider = a_provider("R2")
    return a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copy"))


@contextmanager
def sending(vault: Vault, pace: Pace = HASTY) -> Iterator[Mailer]:
    mailer = Mailer(lambda: vault, pace)
    mailer.start()
    try:
        yield mailer
    finally:
        mailer.stop()


def fail(backup: Backup, explanation: str = "The key is wrong.") -> None:
    run = a_run(backup, RunStatus.RUNNING, started_at=at(1), phase=Phase.CHECKING)
    with writing():
        run.finish(
            RunStatus.FAILED, reason=Reason.CREDENTIALS, explanation=explanation, finished_at=at(2)
        )
        outbox.run_ended(run)


def talks_to(port: int) -> bool:
    connections = psutil.Process().net_connections("tcp")
    return any(c.raddr and c.raddr.port == port and c.status == "ESTABLISHED" for c in connections)


def all_sent() -> bool:
    return not Mail.select().where(Mail.sent_at.is_null()).exists()


def test_a_mail_arrives_as_it_was_written(photos: Backup, vault: Vault, mailbox: Mailbox) -> None:
    with mailbox.up(), sending(vault):
        fail(photos)
        until("the mail is there", all_sent)

    (mail,) = mailbox.mails
    row = Mail.get()
    assert mail["Subject"] == row.subject == "Photos failed: The key is wrong."
    assert mail["From"] == "bucketvault <backup@example.com>"
    assert mail["To"] == "me@example.org"
    assert mail["Message-ID"] == row.message_id
    assert parsedate_to_datetime(str(mail["Date"])) == at(2)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == row.body
    assert b"\n" not in mailbox.raw[0].replace(b"\r\n", b"")


def test_every_mail_waits_for_the_server_and_then_arrives_once(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    for _ in range(5):
        fail(photos)

    for _ in range(2):  # the program is started again in between
        with sending(vault) as mailer:
            mailer.try_all(10)
    tried = [mail.last_error for mail in Mail.select() if mail.last_error]
    with mailbox.up(), sending(vault):
        until("all are sent", all_sent)

    assert tried
    assert "cannot be reached" in tried[0]
    assert len(mailbox.ids) == len(set(mailbox.ids)) == 5


def test_a_refused_address_gives_a_mail_up_until_somebody_tries_again(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    mailbox.answers["RCPT"] = "550 5.1.1 no such user"
    fail(photos)

    with mailbox.up(), sending(vault) as mailer:
        until("it is given up", lambda: states.state().dead)
        (dead,) = states.state().dead
        mailbox.answers.clear()
        mailer.try_again(dead.id)
        until("it is sent after all", all_sent)

    assert (dead.last_error, dead.attempts) == ("550 5.1.1 no such user", 1)
    assert len(mailbox.raw) == 1


def test_a_mail_that_fails_for_a_day_is_given_up(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    fail(photos)
    pace = Pace(pauses_s=(0.02,), gives_up_after_s=0.3, look_s=0.02)

    with sending(vault, pace):
        until("it is given up", lambda: states.state().dead)

    (dead,) = states.state().dead
    assert dead.attempts > 1
    assert "cannot be reached" in dead.last_error


def test_a_mail_that_waited_while_the_machine_slept_is_tried_more_than_once(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    fail(photos)
    with writing():
        Mail.update(created_at=at(1)).execute()  # long ago; the network is not there yet

    with sending(vault):
        until("it was tried", lambda: Mail.get().attempts >= 2)
        dead = states.state().dead
    with mailbox.up(), sending(vault):
        until("it is sent", all_sent)

    assert dead == ()
    assert len(mailbox.raw) == 1


def test_a_mail_that_was_sent_is_not_sent_again_where_that_cannot_be_noted(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    with writing():
        database.execute_sql(
            "CREATE TRIGGER damaged BEFORE UPDATE ON mail WHEN new.sent_at IS NOT NULL "
            "BEGIN SELECT RAISE(ABORT, 'as a damaged page would'); END"
        )
    fail(photos)

    with mailbox.up(), sending(vault) as mailer:
        until("it is there", lambda: mailbox.raw)
        mailer.try_all(1)  # it would send meanwhile
        with writing():
            database.execute_sql("DROP TRIGGER damaged")
        until("it is noted", all_sent)

    assert len(mailbox.raw) == 1


def test_a_refusal_for_the_day_is_tried_until_the_limit_is_free_again(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    mailbox.answers["RCPT"] = "550 5.4.5 Daily user sending limit exceeded"
    fail(photos)

    with mailbox.up(), sending(vault):
        until("it was tried twice", lambda: Mail.get().attempts >= 2)
        told = Mail.get().last_error
        mailbox.answers.clear()
        until("it is sent", all_sent)

    assert told == "550 5.4.5 Daily user sending limit exceeded" and not states.state().dead
    assert len(mailbox.raw) == 1


def test_a_limit_that_lasts_a_day_gives_no_mail_up() -> None:
    pace, day_s = Pace(), 86_400.0

    assert pace.is_old(day_s + 1, Trouble.SERVER)
    assert not pace.is_old(2 * day_s - 1, Trouble.LIMIT) and pace.is_old(
        2 * day_s + 1, Trouble.LIMIT
    )


def test_a_mail_whose_connection_was_dropped_comes_once_and_is_the_same(
    photos: Backup, vault: Vault, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    settings.change({"smtp_host": "localhost", "smtp_security": "tls"}, vault)
    mailbox.drops = 2
    fail(photos)

    with mailbox.up(tls=authority), sending(vault):
        until("it is sent", all_sent)

    assert mailbox.drops == 0 and len(mailbox.raw) == 1
    assert mailbox.ids == [Mail.get().message_id] and Mail.get().attempts == 3


def test_pauses_grow_and_signing_in_waits_longest() -> None:
    pace = Pace()

    minutes = [pace.pause_after(n, Trouble.SERVER) / 60 for n in range(1, 7)]

    assert minutes == [1, 5, 15, 60, 60, 60]
    assert pace.pause_after(1, Trouble.SIGN_IN) == pace.pause_after(1, Trouble.LIMIT) == 3600


def test_mended_settings_send_what_waits_at_once(
    photos: Backup, vault: Vault, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    wrong = {"smtp_security": "tls", "smtp_user": USER, "smtp_password": "wrong-password"}
    settings.change(wrong, vault)
    fail(photos)
    slow = Pace(pauses_s=(3600,), look_s=0.02)

    with mailbox.up(tls=authority, sign_in=["PLAIN"]), sending(vault, slow):
        until("signing in was refused", lambda: states.state().last_failed)
        refused = states.state()
        settings.change({"smtp_password": PASSWORD}, vault)
        until("it is sent", all_sent)

    assert refused.waiting == 1
    assert refused.last_failed is not None
    assert refused.last_failed.last_error.startswith("535")
    assert mailbox.signed_in == [(USER, "wrong-password"), (USER, PASSWORD)]


def test_a_server_that_hangs_delays_nothing_but_mail(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    patient = replace(HASTY, patience=Patience(60.0, whole_s=120.0))
    with talking([b"220 hello\r\n"]) as port:
        settings.change({"smtp_port": port}, vault)
        with sending(vault, patient):
            fail(photos)
            until("the mailer waits for an answer", lambda: talks_to(port))

            fail(photos)

            assert talks_to(port) and states.state().last_failed is None  # it waits still
            assert states.state().waiting == 2
    until("it hears that the server is gone", lambda: states.state().last_failed)
    assert states.state().waiting == 2


def test_a_busy_database_does_not_make_a_second_mail(
    photos: Backup, vault: Vault, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_sent, refusals = outbox.note_sent, iter([True, True, False])

    def busy(*given: object) -> None:
        if next(refusals):
            raise BusyError("database is locked")
        note_sent(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "note_sent", busy)
    fail(photos)

    with mailbox.up(), sending(vault):
        until("it is sent", all_sent)

    assert len(mailbox.raw) == 1


def test_a_lost_key_keeps_the_mail_waiting_and_says_why(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    settings.change({"smtp_user": USER, "smtp_password": PASSWORD}, vault)
    fail(photos)
    key = vault.key_file.read_bytes()
    vault.key_file.unlink()

    with mailbox.up(), sending(Vault(vault.key_file)):
        until("it was tried", lambda: states.state().last_failed)

    failed = states.state().last_failed
    assert failed is not None
    assert "key file" in failed.last_error
    assert key.decode().strip() not in failed.last_error


def test_switched_off_mail_is_given_up_in_sight(
    photos: Backup, vault: Vault, mailbox: Mailbox
) -> None:
    fail(photos)
    settings.change({"smtp_host": "", "mail_from": "", "mail_to": ""}, vault)

    with sending(vault):
        until("it is given up", lambda: states.state().dead)

    assert "turned off" in states.state().dead[0].last_error


# ---- a test mail


def test_a_test_mail_tries_what_was_typed_and_stores_nothing(
    vault: Vault, mailbox: Mailbox
) -> None:
    mailer = Mailer(lambda: vault, HASTY)
    typed = {"mail_to": "somebody@example.net", "smtp_user": USER, "smtp_password": PASSWORD}

    with mailbox.up(sign_in=["PLAIN"]):
        told = mailer.send_test(typed)

    assert told.sent
    assert told.answer == "250 2.0.0 Ok: queued as 1"
    assert mailbox.envelopes[0][1] == ["somebody@example.net"]
    assert settings.load().mail_to == "me@example.org"
    assert Mail.select().count() == 0


def test_a_test_mail_says_what_stands_in_the_way(vault: Vault, mailbox: Mailbox) -> None:
    mailer = Mailer(lambda: vault, HASTY)

    down = mailer.send_test()
    with mailbox.up(), pytest.raises(InvalidInputError):
        mailer.send_test({"mail_to": "nobody"})
    settings.change({"smtp_host": "", "mail_from": "", "mail_to": ""}, vault)
    nothing = mailer.send_test()

    assert not down.sent
    assert "cannot be reached" in down.answer
    assert down.hint
    assert not nothing.sent
