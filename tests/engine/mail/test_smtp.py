"""Handing a mail to a real mail server: protected, patient, and never in clear text by mistake."""

from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.mail.smtp import (
    NotTakenError,
    Patience,
    Trouble,
    deliver,
    is_about_a_limit,
)
from bucketvault.engine.settings import MailServer
from bucketvault.vocabulary import MailSecurity
from tests.support.mailbox import PASSWORD, USER, Authority, Mailbox, talking
from tests.support.servers import free_port

MESSAGE = b"Subject: hello\r\n\r\n.a line with a dot\r\n"
HASTY = Patience(answer_s=0.3, whole_s=1.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    return authority


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def server(port: int, **given: Any) -> MailServer:
    fields: dict[str, Any] = {
        "host": "localhost",
        "port": port,
        "security": MailSecurity.NONE,
        "user": "",
        "password": "",
        "sender": "backup@example.com",
        "recipient": "me@example.org",
        **given,
    }
    return MailServer(**fields)


def trouble(
    given: MailServer, patience: Patience | None = None, message: bytes = MESSAGE
) -> NotTakenError:
    with pytest.raises(NotTakenError) as caught:
        deliver(given, message, patience or Patience())
    return caught.value


def test_a_mail_is_handed_over_and_the_servers_answer_comes_back(mailbox: Mailbox) -> None:
    with mailbox.up():
        answer = deliver(server(mailbox.port), MESSAGE)

    assert answer == "250 2.0.0 Ok: queued as 1"
    assert mailbox.envelopes == [("backup@example.com", ["me@example.org"])]
    assert mailbox.raw[0].endswith(b"\r\n.a line with a dot\r\n")


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
def test_signing_in_comes_after_verified_tls(
    mailbox: Mailbox, trusted: Authority, security: MailSecurity, method: str
) -> None:
    kind = "starttls" if security is MailSecurity.STARTTLS else "tls"
    known = {"user": USER, "password": PASSWORD, "security": security}
    with mailbox.up(sign_in=[method], **{kind: trusted}):
        deliver(server(mailbox.port, **known), MESSAGE)

    assert mailbox.signed_in == [(USER, PASSWORD)]
    assert len(mailbox.raw) == 1


def test_a_password_may_have_letters_of_any_language(mailbox: Mailbox) -> None:
    with mailbox.up(sign_in=["PLAIN"]):
        told = trouble(server(mailbox.port, user="jürgen", password="geheim-grün-0001"))

    assert mailbox.signed_in == [("jürgen", "geheim-grün-0001")]
    assert told.trouble is Trouble.SIGN_IN
    assert told.summary.startswith("535 ")


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
def test_a_certificate_nobody_vouches_for_is_refused(
    mailbox: Mailbox, authority: Authority, security: MailSecurity
) -> None:
    kind = "starttls" if security is MailSecurity.STARTTLS else "tls"
    known = {"user": USER, "password": PASSWORD, "security": security}
    with mailbox.up(sign_in=["PLAIN"], **{kind: authority}):
        told = trouble(server(mailbox.port, **known))

    assert told.trouble is Trouble.SERVER
    assert "certificate" in told.summary
    assert mailbox.commands == []
    assert mailbox.raw == []


def test_a_certificate_for_another_name_is_refused(mailbox: Mailbox, trusted: Authority) -> None:
    with mailbox.up(tls=trusted):
        told = trouble(server(mailbox.port, host="127.0.0.2", security=MailSecurity.TLS))

    assert "127.0.0.2" in told.summary
    assert mailbox.raw == []


def test_without_the_starttls_that_was_chosen_nothing_is_said_in_clear(mailbox: Mailbox) -> None:
    known = {"user": USER, "password": PASSWORD, "security": MailSecurity.STARTTLS}
    with mailbox.up(sign_in=["PLAIN"]):
        told = trouble(server(mailbox.port, **known))

    assert "STARTTLS" in told.summary
    assert mailbox.commands == []
    assert mailbox.signed_in == []


def test_a_server_that_hangs_after_our_greeting_is_left_in_time() -> None:
    with talking([b"220 hello\r\n"]) as port:
        told = trouble(server(port), HASTY)

    assert told.trouble is Trouble.SERVER
    assert "in time" in told.summary


def test_a_server_that_drips_is_left_in_time_too() -> None:
    with talking([b"220 hello\r\n"], drip_s=0.1) as port:
        told = trouble(server(port), HASTY)

    assert "in time" in told.summary


def test_a_server_that_is_not_there_is_said_to_be_out_of_reach() -> None:
    assert "cannot be reached" in trouble(server(free_port())).summary
    assert "was not found" in trouble(server(25, host="nowhere.invalid")).summary


def test_what_is_no_mail_server_is_called_so() -> None:
    with talking([b"SSH-2.0-OpenSSH_9.2\r\n"]) as port:
        assert "is no mail server: " in trouble(server(port)).summary


def test_the_wrong_kind_of_protection_is_found_out(mailbox: Mailbox) -> None:
    with mailbox.up():
        told = trouble(server(mailbox.port, security=MailSecurity.TLS))

    assert told.trouble is Trouble.SERVER
    assert "starttls" in told.hint


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_5xx_is_for_good_and_a_4xx_is_not(mailbox: Mailbox, step: str) -> None:
    with mailbox.up():
        mailbox.answers[step] = "550 5.1.1 no such user"
        final = trouble(server(mailbox.port))
        mailbox.answers[step] = "451 4.7.1 greylisted"
        later = trouble(server(mailbox.port))

    assert (final.trouble, final.summary) == (Trouble.REFUSED, "550 5.1.1 no such user")
    assert (later.trouble, later.summary) == (Trouble.SERVER, "451 4.7.1 greylisted")


@pytest.mark.parametrize(
    "words",
    [
        "550 5.4.5 Daily user sending limit exceeded.",
        "550-5.4.5 Daily user sending limit exceeded. For more information",
        "550 5.7.1 Daily SMTP relay limit exceeded for customer.",
        "550 5.1.90 Your message can't be sent because you've reached your limit",
        "552 5.2.2 The email account that you tried to reach is over quota",
        "554 Too many messages in this session",
        "550 Domain example.com has exceeded the max emails per hour (150/150) allowed",
        "550 Quota for today reached",
        "552 Mailbox over quota",
    ],
)
def test_a_limit_that_is_free_again_some_day_is_no_refused_address(words: str) -> None:
    assert is_about_a_limit(words)


@pytest.mark.parametrize(
    "words",
    [
        "550 5.1.1 no such user",
        "550 5.4.1 Recipient address rejected: Access denied",
        "550 5.7.1 Relaying denied",
        "552 5.3.4 Message size exceeds fixed maximum message size",
        "550 User unknown",
        "553 5.7.1 Sender address rejected: not owned by user",
        "550 5.7.1 Message rejected, see our daily report",
        "550 5.7.1 quota policy: sender blocked",
        "550 5.7.1 Policy limit of attachments, see the daily list",
    ],
)
def test_a_refused_address_is_no_limit(words: str) -> None:
    assert not is_about_a_limit(words)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_refusal_for_the_day_is_told_as_one(mailbox: Mailbox, step: str) -> None:
    mailbox.answers[step] = "550 5.4.5 Daily user sending limit exceeded"
    with mailbox.up():
        told = trouble(server(mailbox.port))

    assert told.trouble is Trouble.LIMIT and "until the next day" in told.hint


@pytest.mark.parametrize(
    ("words", "is_full"),
    [
        ("552 5.2.2 The email account that you tried to reach is over quota", True),
        ("552 Mailbox quota exceeded", True),
        ("550 5.2.2 Submission quota exceeded", False),
        ("550 Daily quota exceeded", False),
    ],
)
def test_a_full_mailbox_is_not_told_to_be_free_tomorrow(
    mailbox: Mailbox, words: str, is_full: bool
) -> None:
    mailbox.answers["RCPT"] = words
    with mailbox.up():
        told = trouble(server(mailbox.port))

    assert told.trouble is Trouble.LIMIT
    assert ("mailbox is full" in told.hint) is is_full
    assert ("until the next day" in told.hint) is not is_full


GREETED = [b"220 hello\r\n", b"250 there\r\n"]
TAKES_IT = [*GREETED, b"250 from\r\n", b"250 to\r\n", b"354 go on\r\n"]


@pytest.mark.parametrize("said", [GREETED, TAKES_IT[:4], TAKES_IT], ids=["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("size", [10, 4_000_000], ids=["small", "large"])
def test_a_connection_that_is_dropped_in_mid_mail_is_no_wrong_port(
    trusted: Authority, said: list[bytes], size: int
) -> None:
    with talking(said, tls=trusted, hangs_up=True) as port:
        told = trouble(server(port, security=MailSecurity.TLS), message=b"x" * size + b"\r\n")

    assert told.trouble is Trouble.SERVER
    assert told.summary.endswith("ended the connection in the middle of the email.")
    assert told.hint == "This is often temporary."


@pytest.mark.parametrize("method", [b"PLAIN", b"LOGIN"])
def test_a_connection_that_is_dropped_during_sign_in_is_about_signing_in(method: bytes) -> None:
    with talking([GREETED[0], b"250-there\r\n250 AUTH " + method + b"\r\n"], hangs_up=True) as port:
        told = trouble(server(port, user=USER, password=PASSWORD))

    assert told.trouble is Trouble.SIGN_IN and "user and password" in told.hint
    assert told.summary.endswith("ended the connection during sign-in.")


def test_being_asked_to_sign_in_is_no_refusal_of_the_mail(mailbox: Mailbox) -> None:
    with mailbox.up():
        mailbox.answers["MAIL"] = "530 5.7.0 Authentication required"
        assert trouble(server(mailbox.port)).trouble is Trouble.SIGN_IN


def test_whatever_a_server_says_to_signing_in_is_no_refusal_of_the_mail() -> None:
    greeting = [b"220 hello\r\n", b"250-there\r\n250 AUTH PLAIN\r\n", b"554 not today\r\n"]
    with talking(greeting) as port:
        told = trouble(server(port, user=USER, password=PASSWORD))

    assert (told.trouble, told.summary) == (Trouble.SIGN_IN, "554 not today")


def test_a_server_cannot_make_us_show_the_password_or_odd_signs(mailbox: Mailbox) -> None:
    with mailbox.up():
        mailbox.answers["RCPT"] = f"550 {PASSWORD} \x1b[31m\u202e " + "x" * 300
        told = trouble(server(mailbox.port, user="", password=PASSWORD))

    assert PASSWORD not in str(told)
    assert told.summary.isprintable()


def test_clear_text_never_leaves_this_machine(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means another machine today: here, by what its connection says."""
    monkeypatch.setattr("ipaddress.IPv4Address.is_loopback", property(lambda self: False))
    with mailbox.up():
        told = trouble(server(mailbox.port))

    assert "not this machine" in told.summary
    assert mailbox.commands == []


def test_no_password_is_in_the_pictures_of_an_error(mailbox: Mailbox, tmp_path: Path) -> None:
    with mailbox.up(sign_in=["PLAIN"]):
        told = trouble(server(mailbox.port, user=USER, password="wrong-password-1"))

    assert "wrong-password-1" not in f"{told!r} {told.detail} {server(1, password='wrong-p-1')}"
    assert told.trouble is Trouble.SIGN_IN
