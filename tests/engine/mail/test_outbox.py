"""Which event is worth a mail, what the mail says, and what becomes of it; against real SQLite."""

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bucketvault.engine import settings
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.mail import outbox, states, texts
from bucketvault.engine.mail.mail_views import Told
from bucketvault.engine.views import backups
from bucketvault.errors import NotFoundError
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, BackupRun, Mail
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import MailKind, Phase, Reason, RunKind, RunStatus, WarningCode
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at

pytestmark = pytest.mark.usefixtures("open_store")

MAIL = {"smtp_host": "smtp.example.com", "mail_from": "b@example.com", "mail_to": "me@example.org"}


@pytest.fixture
def photos() -> Backup:
    provider = a_provider("R2")
    return a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copy"))


@pytest.fixture
def mail_set_up(open_store: Path, vault: Vault) -> None:
    settings.change(MAIL, vault)


def ended(backup: Backup, status: RunStatus, **given: Any) -> BackupRun:
    """A run that ends now, as a worker ends it."""
    started = given.pop("started_at", at(1))
    run = a_run(backup, RunStatus.RUNNING, started_at=started, phase=Phase.COPYING)
    fields: dict[str, Any] = {"finished_at": at(2), **given}
    if status == RunStatus.FAILED:
        fields = {"reason": Reason.CREDENTIALS, "explanation": "The key is wrong."} | fields
    with writing():
        assert run.finish(status, **fields)
        outbox.run_ended(run)
    return run


def good(backup: Backup, **given: Any) -> BackupRun:
    return ended(backup, RunStatus.SUCCESS, **given)


def bad(backup: Backup, **given: Any) -> BackupRun:
    return ended(backup, RunStatus.FAILED, **given)


def mails() -> list[tuple[str, str]]:
    return [(mail.kind, mail.subject) for mail in Mail.select().order_by(Mail.id)]


def overdue(backup: Backup, planned: dt.datetime) -> bool:
    with writing():
        return outbox.overdue(backup, planned)


# ---- which events


@pytest.mark.usefixtures("mail_set_up")
def test_each_failed_run_is_one_mail(photos: Backup) -> None:
    first, second = bad(photos), bad(photos)

    found = list(Mail.select().order_by(Mail.id))

    assert [mail.message_id for mail in found] == [
        f"<{first.uuid}.failed@example.com>",
        f"<{second.uuid}.failed@example.com>",
    ]
    assert "2nd failure in a row" in found[1].body
    assert f" log {second.id}\n" in found[1].body
    with writing():  # however often it is said
        outbox.run_ended(second)
    assert Mail.select().count() == 2


@pytest.mark.usefixtures("mail_set_up")
@pytest.mark.parametrize(
    ("zone", "named", "ended_at"),
    [("Asia/Tokyo", "Asia/Tokyo", "11:00"), ("Gone/Away", "Africa/Lagos", "03:00")],
)
def test_a_mail_tells_times_in_the_zone_of_its_backup_and_names_it_once(
    photos: Backup, monkeypatch, zone: str, named: str, ended_at: str
) -> None:
    monkeypatch.setattr(outbox, "_zone", lambda: ZoneInfo("Africa/Lagos"))  # the server's
    with writing():
        Backup.update(time_zone=zone).execute()

    good(photos)
    bad(photos)
    good(photos)
    overdue(photos, at(1))

    bodies = [mail.body for mail in Mail.select()]
    assert len(bodies) == 3
    for body in bodies:
        assert body.count(named) == 1, body
        assert f"\nTimes are in {named}.\n" in body
    assert f"Nov 2026, {ended_at}\n" in bodies[0]


@pytest.mark.usefixtures("mail_set_up")
def test_runs_that_were_held_or_stopped_are_no_failures_and_end_no_series(photos: Backup) -> None:
    bad(photos)
    bad(photos, reason=Reason.BRAKE)
    bad(photos, reason=Reason.STOPPED)
    bad(photos, kind=RunKind.PREVIEW)

    bad(photos)

    bodies = [mail.body for mail in Mail.select().order_by(Mail.id)]
    assert ["failure in a row" in body for body in bodies] == [False, False, True]
    assert "2nd failure in a row" in bodies[2]


@pytest.mark.usefixtures("mail_set_up")
def test_a_verification_that_failed_is_one_mail_of_its_own(photos: Backup) -> None:
    bad(photos)
    failed = bad(photos, kind=RunKind.VERIFY)
    bad(photos, kind=RunKind.VERIFY, reason=Reason.STOPPED)
    bad(photos, kind=RunKind.VERIFY, reason=Reason.DAMAGED)  # nothing that was not known
    good(photos, kind=RunKind.VERIFY)

    _, mail = Mail.select().order_by(Mail.id)
    assert mail.subject == "Verification of Photos failed: The key is wrong."
    assert "This run changed nothing" in mail.body and "in a row" not in mail.body
    assert " verify Photos\n" in mail.body
    page = backups.run_page(failed.id)
    assert [note.told for note in page.alerts] == [Told.WAITING]


@pytest.mark.usefixtures("mail_set_up")
def test_a_good_run_after_one_that_was_only_held_tells_of_no_failure(photos: Backup) -> None:
    bad(photos, reason=Reason.BRAKE)

    good(photos)

    body = " ".join(Mail.get(Mail.kind == MailKind.RECOVERED).body.split())
    assert "Before, it was held for your approval, on" in body
    assert "failed" not in body


@pytest.mark.usefixtures("mail_set_up")
def test_a_mail_says_since_when_the_copy_is_partly_updated(photos: Backup) -> None:
    good(photos)
    began = at(3)
    bad(photos, phase=Phase.COPYING, copied=3, started_at=began)
    bad(photos, phase=Phase.CHECKING, reason=Reason.CREDENTIALS)

    body = " ".join(Mail.select().order_by(Mail.id.desc()).get().body.split())

    assert body.startswith("This run changed nothing; the copy has been partly updated since ")
    assert "not changed" not in body


@pytest.mark.usefixtures("mail_set_up")
def test_mails_tell_the_proof(photos: Backup) -> None:
    found = {"at": at(3).isoformat(), "source_objects": 9, "present": 7, "same_hash": 7}
    cannot = RunWarning(WarningCode.CANNOT_COPY, {"n": 1}, ("photos/",)).to_json()
    bad(
        photos,
        phase=Phase.PROVING,
        reason=Reason.INCOMPLETE,
        explanation="2 objects are not at the destination: a, b.",
        proof=found | {"missing": 2},
        warnings=[cannot],
    )
    good(photos, proof=found | {"present": 9, "same_hash": 9}, explanation="The copy is complete.")

    failed, again = [" ".join(mail.body.split()) for mail in Mail.select().order_by(Mail.id)]

    assert "The copy is partly updated. Objects: 2 missing." in failed
    assert "7 of 9 objects are at the destination, with the same content hash." in failed
    assert "1 name cannot be copied: photos/." in failed
    assert again.startswith("The copy is complete. 9 of 9 objects are at the destination")


@pytest.mark.usefixtures("mail_set_up")
def test_what_a_person_did_or_only_looked_at_is_no_news(photos: Backup) -> None:
    bad(photos, reason=Reason.STOPPED)
    bad(photos, kind=RunKind.PREVIEW)
    good(photos)

    assert mails() == []


@pytest.mark.usefixtures("mail_set_up")
def test_a_mail_speaks_of_approval_only_where_there_is_something_to_approve(
    photos: Backup,
) -> None:
    bad(photos, reason=Reason.BRAKE, explanation="The source is empty.", untouched=True)

    mail = Mail.get()

    assert mail.subject == "Photos is held: The source is empty."
    assert "Photos is held: The source is empty. Nothing was changed." in mail.body
    assert "for your approval" not in mail.body and "--approve" not in mail.body


@pytest.mark.usefixtures("mail_set_up")
def test_the_command_in_the_mail_of_a_held_run_approves_that_run_only(photos: Backup) -> None:
    found = {"removed": 21, "destination_objects": 40}

    run = bad(photos, reason=Reason.BRAKE, findings=found)

    assert f" run Photos --approve {run.id}\n" in Mail.get().body


@pytest.mark.usefixtures("mail_set_up")
def test_a_good_run_after_failures_is_told_once(photos: Backup) -> None:
    good(photos)
    bad(photos, finished_at=at(3))
    bad(photos, finished_at=at(4))

    good(photos)
    good(photos)

    kinds = [kind for kind, _ in mails()]
    assert kinds == [MailKind.FAILED, MailKind.FAILED, MailKind.RECOVERED]
    body = Mail.get(Mail.kind == MailKind.RECOVERED).body
    assert "failed 2 times in a row" in " ".join(body.split())


def test_a_failure_nobody_was_told_of_has_no_happy_end(photos: Backup, vault: Vault) -> None:
    run = bad(photos)
    settings.change(MAIL, vault)

    good(photos)

    assert mails() == []
    (note,) = backups.run_page(run.id).alerts
    assert note.told is Told.NOBODY


@pytest.mark.usefixtures("mail_set_up")
def test_a_failure_that_was_given_up_has_none_either(photos: Backup) -> None:
    bad(photos)
    outbox.note_failed(Mail.get().id, "550 no", None)

    good(photos)

    assert [kind for kind, _ in mails()] == [MailKind.FAILED]


@pytest.mark.usefixtures("mail_set_up")
def test_an_overdue_episode_is_two_mails(photos: Backup) -> None:
    good(photos, finished_at=at(3, day=1))

    begun = [overdue(photos, at(3, day=2)), overdue(photos, at(3, day=2))]
    later = overdue(photos, at(3, day=3))
    good(photos, started_at=at(4, day=4), finished_at=at(5, day=4))
    with writing():
        outbox.overdue_over(photos)

    assert begun == [True, False]
    assert later is False
    assert mails() == [
        (MailKind.OVERDUE, "Photos is overdue: no good copy since Sun 1 Nov 2026"),
        (MailKind.OVERDUE_OVER, "Photos has a good copy again"),
    ]
    assert Backup.get_by_id(photos.id).overdue_since is None


@pytest.mark.usefixtures("mail_set_up")
def test_failing_and_overdue_end_with_one_mail(photos: Backup) -> None:
    bad(photos)
    overdue(photos, at(3, day=2))

    good(photos)

    assert [kind for kind, _ in mails()] == [
        MailKind.FAILED,
        MailKind.OVERDUE,
        MailKind.OVERDUE_OVER,
    ]


def test_an_episode_nobody_was_told_of_ends_in_silence(photos: Backup, vault: Vault) -> None:
    overdue(photos, at(3, day=2))
    settings.change(MAIL, vault)

    good(photos)

    assert mails() == []
    assert Backup.get_by_id(photos.id).overdue_since is None


@pytest.mark.usefixtures("mail_set_up")
def test_a_mail_that_cannot_be_written_well_keeps_no_run_from_ending(
    photos: Backup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> texts.Text:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(texts, "failed", broken)

    run = bad(photos)

    assert BackupRun.get_by_id(run.id).status == RunStatus.FAILED
    assert mails() == [(MailKind.FAILED, "Photos failed: The key is wrong.")]
    assert "could not be written" in caplog.text


@pytest.mark.usefixtures("mail_set_up")
def test_the_mail_and_the_end_of_its_run_are_stored_together_or_not_at_all(
    photos: Backup,
) -> None:
    run = a_run(photos, RunStatus.RUNNING, started_at=at(1))

    with pytest.raises(RuntimeError), writing():
        run.finish(RunStatus.FAILED, reason=Reason.KILLED)
        outbox.run_ended(run)
        raise RuntimeError("the power goes")

    assert BackupRun.get_by_id(run.id).status == RunStatus.RUNNING
    assert mails() == []


@pytest.mark.usefixtures("mail_set_up")
def test_a_deleted_backups_mail_still_goes_out(photos: Backup) -> None:
    bad(photos)

    with writing():
        photos.delete_instance()

    waiting = outbox.next_waiting(at(1, day=30))
    assert waiting is not None
    assert waiting.subject == "Photos failed: The key is wrong."


# ---- what becomes of them


@pytest.mark.usefixtures("mail_set_up")
def test_the_runs_page_says_what_became_of_its_mail(photos: Backup) -> None:
    def told(run: BackupRun) -> tuple[Told, str]:
        (note,) = backups.run_page(run.id).alerts
        return note.told, note.error

    run = bad(photos)
    mail = Mail.get()
    seen = [told(run)]
    outbox.note_failed(mail.id, "451 later", at(5))
    seen.append(told(run))
    outbox.note_failed(mail.id, "550 never", None)
    seen.append(told(run))
    outbox.try_again(mail.id)
    outbox.note_sent(mail.id, at(6))
    seen.append(told(run))

    assert seen == [
        (Told.WAITING, ""),
        (Told.WAITING, "451 later"),
        (Told.GIVEN_UP, "550 never"),
        (Told.MAILED, ""),
    ]
    assert backups.run_page(good(photos, kind=RunKind.PREVIEW).id).alerts == ()


@pytest.mark.usefixtures("mail_set_up")
def test_the_state_of_mail_is_told(photos: Backup) -> None:
    for _ in range(3):
        bad(photos)
    first, second, third = (mail.id for mail in Mail.select().order_by(Mail.id))
    outbox.note_sent(first, at(5))
    outbox.note_failed(second, "550 never", None)
    outbox.note_failed(third, "451 later", at(9))

    state = states.state()

    assert (state.set_up, state.recipient, state.waiting) == (True, "me@example.org", 1)
    assert state.last_sent is not None
    assert state.last_sent.id == first
    assert state.last_failed is not None
    assert (state.last_failed.id, state.last_failed.last_error) == (third, "451 later")
    assert [letter.id for letter in state.dead] == [second]


@pytest.mark.usefixtures("mail_set_up")
def test_a_mail_that_was_given_up_needs_nobody_once_it_is_dismissed(photos: Backup) -> None:
    run, other = bad(photos), bad(photos)
    first, second = (mail.id for mail in Mail.select().order_by(Mail.id))
    outbox.note_failed(first, "550 never", None)
    outbox.dismiss(second)  # it waits still

    needed = states.state().dead
    outbox.dismiss(first)
    left = states.state()

    assert [letter.id for letter in needed] == [first]
    assert (left.dead, left.waiting) == ((), 1)
    assert not Mail.select().where(Mail.needs_attention()).exists()
    notes = [backups.run_page(each.id).alerts for each in (run, other)]
    assert [note.told for (note,) in notes] == [Told.GIVEN_UP, Told.WAITING]
    # given up once more after a further try, it needs attention again
    outbox.try_again(first)
    outbox.note_failed(first, "550 never", None)
    assert [letter.id for letter in states.state().dead] == [first]
    with pytest.raises(NotFoundError):
        outbox.dismiss(99)


@pytest.mark.usefixtures("mail_set_up")
def test_a_mail_of_a_clock_that_was_years_ahead_does_not_wait_for_that_year(
    photos: Backup,
) -> None:
    bad(photos)
    now = at(5)
    for ahead, sought in ((dt.timedelta(hours=1), False), (dt.timedelta(days=4000), True)):
        with writing():
            Mail.update(next_attempt_at=now + ahead).execute()

        assert (outbox.next_waiting(now) is not None) is sought


@pytest.mark.usefixtures("mail_set_up")
def test_a_server_that_takes_one_mail_is_offered_all_that_wait(photos: Backup) -> None:
    for _ in range(3):
        bad(photos)
    first, second, third = (mail.id for mail in Mail.select().order_by(Mail.id))
    outbox.note_failed(second, "no answer", at(23, day=30))
    outbox.note_failed(third, "550 never", None)

    outbox.note_sent(first, at(5))

    waiting = outbox.next_waiting(at(5))
    assert waiting is not None
    assert waiting.id == second


def test_without_mail_the_state_is_empty() -> None:
    state = states.state()

    assert (state.set_up, state.recipient, state.waiting, state.dead) == (False, "", 0, ())
    assert state.last_sent is None


# ---- what they say


def test_names_and_reasons_cannot_write_headers_or_commands_of_their_own(
    photos: Backup, vault: Vault
) -> None:
    settings.change(MAIL, vault)
    Backup.update(name="a\r\nBcc: x@y.example; $(rm -rf ~)").execute()

    bad(photos, explanation="first\nBcc: z@y.example", detail="one\x1b[31m\ntwo \u202e three")

    mail = Mail.get()
    assert mail.subject.isprintable()
    assert len(mail.subject) <= texts.SUBJECT_LIMIT
    assert all(line.isprintable() for line in mail.body.splitlines())
    assert not any(line.lower().startswith("bcc") for line in mail.body.splitlines())
    assert "run 'a\\x0d\\x0aBcc: x@y.example; $(rm -rf ~)'" in mail.body


@pytest.mark.usefixtures("mail_set_up")
def test_the_cause_is_read_in_a_mail_and_the_url_of_the_request_before_it_is_not(
    photos: Backup,
) -> None:
    asked = "https://0123abc.r2.cloudflarestorage.com/photos?prefix=" + "x" * 300

    bad(photos, detail=f'request failed, Get "{asked}": connect: connection refused')

    told = " ".join(Mail.get().body.split())
    assert 'request failed, Get "(URL)": connect: connection refused' in told
    assert "0123abc" not in told


@pytest.mark.usefixtures("mail_set_up")
@pytest.mark.parametrize(
    ("exit_code", "changed"),
    [
        (1, "3 copied, 0 replaced, 0 removed, 9 B transferred"),
        (137, "at least 3 copied, 9 B transferred"),
    ],
)
def test_a_mail_about_a_run_that_was_cut_off_counts_no_more_than_was_seen(
    photos: Backup, exit_code: int, changed: str
) -> None:
    bad(photos, phase=Phase.COPYING, exit_code=exit_code, copied=3, bytes=9)

    assert f"Changed: {changed}\n" in Mail.get().body


def test_a_subject_stays_short_enough_to_read(photos: Backup, vault: Vault) -> None:
    settings.change(MAIL, vault)

    bad(photos, explanation="why " * 200)

    assert len(Mail.get().subject) == texts.SUBJECT_LIMIT
    lines = [line for line in Mail.get().body.splitlines() if not line.startswith("  bucketvault")]
    assert max(len(line) for line in lines) <= texts.WIDTH
