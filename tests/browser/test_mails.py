"""The real program speaks up: one mail for each failure, whatever happens meanwhile."""

import os
import re
import shlex
import signal

import pytest

from bucketvault.engine.mail import outbox
from bucketvault.store.database import close_database, open_database, writing
from bucketvault.store.models import Backup, Mail
from tests.conftest import NewBucket
from tests.support.mailbox import PASSWORD, USER, Authority, Mailbox
from tests.support.program import Bucket, Program, Served, objects, until
from tests.support.servers import RcloneS3


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def photos(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    mailbox: Mailbox,
) -> tuple[Bucket, Bucket]:
    """The backup Photos, with mail set up: its source and its destination."""
    ends = new_bucket(here, objects(30)), new_bucket(elsewhere)
    bucketvault.backup(*ends)
    assert bucketvault.apply(mailbox.settings).code == 0
    return ends


def take_away(bucket: Bucket) -> None:
    """The bucket is gone, and each run fails before it touches anything."""
    for key in bucket.keys():  # noqa: SIM118 - no dictionary
        bucket.delete(key)
    bucket.server.client().delete_bucket(Bucket=bucket.name)


def restarted(served: Served) -> Served:
    assert served.end() == 0
    return served.program.serve()


@pytest.mark.slow
def test_five_failures_while_the_mail_server_is_down_are_five_mails(
    bucketvault: Program, photos: tuple[Bucket, Bucket], mailbox: Mailbox
) -> None:
    take_away(photos[0])
    served = bucketvault.serve()
    codes = [bucketvault.cli("run", "Photos", "--wait").code for _ in range(3)]
    served = restarted(served)
    codes += [bucketvault.cli("run", "Photos", "--wait").code for _ in range(2)]

    with mailbox.up():
        served = restarted(served)
        until("five mails", lambda: len(mailbox.raw) >= 5)
        served.end()

    assert codes == [1] * 5
    assert bucketvault.last_run()["reason"] == "source_missing"
    assert len(mailbox.ids) == len(set(mailbox.ids)) == 5
    texts = [" ".join(mail.get_content().split()) for mail in mailbox.mails]
    assert all("The copy was not changed. There has been no good run" in text for text in texts)
    assert any("5th failure in a row" in text for text in texts)
    told = b"".join(mailbox.raw)
    for server in (photos[0].server, photos[1].server):
        assert server.secret_access_key.encode() not in told
        assert server.access_key_id.encode() not in told


@pytest.mark.slow
def test_failed_held_and_well_again_are_three_mails_whose_commands_work(
    bucketvault: Program, photos: tuple[Bucket, Bucket], mailbox: Mailbox
) -> None:
    with mailbox.up():
        assert bucketvault.cli("run", "Photos", "--wait").code == 0
        silent = list(mailbox.subjects)
        take_away(photos[0])
        bucketvault.cli("run", "Photos", "--wait")
        photos[0].server.client().create_bucket(Bucket=photos[0].name)
        photos[0].put("new.txt", b"there again")
        bucketvault.cli("run", "Photos", "--wait")
        text = mailbox.mails[1].get_content()
        commands = re.findall(r"^  (bucketvault .*)$", text, re.MULTILINE)
        done = [bucketvault.cli(*shlex.split(line)[1:]) for line in commands]

    assert silent == []
    assert [subject.partition(":")[0] for subject in mailbox.subjects] == [
        "Photos failed",
        "Photos is held for your approval",
        "Photos works again",
    ]
    assert "30 of 30 objects would be removed" in text
    assert len(re.findall(r"^  folder-\d/object-\d+\.txt", text, re.MULTILINE)) == 5
    assert [result.code for result in done] == [0, 0], done
    assert "Would be removed" in done[0].out
    assert bucketvault.last_run()["trigger"] == "approved"
    assert photos[1].copy_keys() == ["new.txt"]


def test_an_overdue_backup_is_told_and_its_end_too(
    bucketvault: Program, photos: tuple[Bucket, Bucket], mailbox: Mailbox
) -> None:
    open_database(bucketvault.data_dir / "bucketvault.sqlite3")
    backup = Backup.get()
    with writing():
        outbox.overdue(backup, backup.created_at)
    close_database()

    with mailbox.up():
        assert bucketvault.cli("run", "Photos", "--wait").code == 0

    assert mailbox.subjects == [
        "Photos is overdue: there is no copy yet",
        "Photos has a good copy again",
    ]


@pytest.mark.slow
def test_killed_between_the_servers_word_and_ours_a_mail_comes_twice_at_most(
    bucketvault: Program, photos: tuple[Bucket, Bucket], mailbox: Mailbox
) -> None:
    take_away(photos[0])
    bucketvault.cli("run", "Photos", "--wait")  # the mail server is down

    with mailbox.up():
        first: list[Served] = []

        def die() -> None:
            if len(mailbox.raw) == 1:
                until("it is known whom to kill", lambda: first or None)
                os.kill(first[0].process.pid, signal.SIGKILL)

        mailbox.before_it_answers = die
        first.append(bucketvault.serve())
        first[0].process.wait(30)
        second = bucketvault.serve()
        with bucketvault.database():
            until("it came again, and that is noted", lambda: Mail.get().sent_at)
        second.end()

    assert len(mailbox.ids) == 2
    assert len(set(mailbox.ids)) == 1


def test_with_tls_and_a_password_nothing_leaks_on_the_way(
    bucketvault: Program, photos: tuple[Bucket, Bucket], mailbox: Mailbox
) -> None:
    authority = Authority.make(bucketvault.folder)
    take_away(photos[0])
    done = bucketvault.apply(
        f'[settings]\nsmtp_host = "localhost"\nsmtp_port = {mailbox.port}\n'
        f'smtp_security = "starttls"\nsmtp_user = "{USER}"\nsmtp_password = "{PASSWORD}"\n'
    )
    assert done.code == 0, done

    with mailbox.up(starttls=authority, sign_in=["PLAIN"]):
        unknown = bucketvault.cli("run", "Photos", "--wait")
        refused = list(mailbox.signed_in)
        bucketvault.cli("run", "Photos", "--wait", SSL_CERT_FILE=str(authority.ca_file))

    assert "certificate" in unknown.err  # in the program's own log
    assert refused == []
    assert len(mailbox.raw) == 2
    assert set(mailbox.signed_in) == {(USER, PASSWORD)}
    assert PASSWORD not in unknown.err + unknown.out + done.out
    files = b"".join(
        path.read_bytes() for path in bucketvault.data_dir.rglob("*") if path.is_file()
    )
    assert PASSWORD.encode() not in files
