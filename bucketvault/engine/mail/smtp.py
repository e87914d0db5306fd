"""Hands one mail to the mail server, and says in words how that went. Knows no database.

TLS is verified against the system's authorities (or SSL_CERT_FILE), asked for by us and never given
up for clear text: smtplib by itself verifies nothing (Python 3.11). Signing in comes after that.
"""

import base64
import contextlib
import ipaddress
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from bucketvault.engine import peers
from bucketvault.engine.settings import MailServer
from bucketvault.errors import BucketvaultError
from bucketvault.sanitize import Redactor, clean
from bucketvault.vocabulary import MailSecurity

ANSWER_LIMIT = 500  # characters of the server's words
GOODBYE_S = 2.0
AGAIN_S = 0.5
ABOUT_SIGNING_IN = (530, 534, 535, 538)  # RFC 4954
# A limit of an account or a mailbox that is used up, said with a 5xx as if it were for good: by
# enhanced codes (RFC 3463; Gmail's and Microsoft's lists of SMTP errors), or in words alone, as in
# Gmail's `550 5.7.1 Daily SMTP relay limit exceeded`.
_LIMITS = {"2.2", "3.2", "4.5", "4.7", "1.90", "7.232", "7.233"}
_ENHANCED = re.compile(r"5\d\d[ -]5\.(\d{1,3}\.\d{1,3})\b")
# One word alone is no limit: `rejected, see our daily report`, `quota policy: sender blocked`.
_LIMIT_WORDS = re.compile(
    r"\b(daily|hourly|per (day|hour)|quota)\b[^.,;:]{0,40}\b(exceed(ed|s)?|limit|reached)\b"
    r"|\b(exceed(ed|s)?|limit|reached)\b[^.,;:]{0,40}\b(daily|hourly|per (day|hour)|quota)\b"
    r"|\b(over quota|(sending|relay|rate) limit|too many (mails|e-?mails|messages))\b",
    re.IGNORECASE,
)
_MAILBOX_WORDS = re.compile(r"\b(mailbox|over quota)\b", re.IGNORECASE)
_SENDER_WORDS = re.compile(r"\bsubmission\b", re.IGNORECASE)  # Microsoft has 5.2.2 for both


class Trouble(Enum):
    """Kind of trouble with a mail server: it decides what happens next."""

    SERVER = "server"  # none there, none we trust, or not now: it may be over soon
    SIGN_IN = "sign in"  # nothing changes until a person changes it
    LIMIT = "limit"  # the account has sent, or the mailbox holds, as much as it may for now
    REFUSED = "refused"  # this mail, by these addresses: for good


HINTS = {  # where the server's own words say what is wrong
    Trouble.SERVER: "This is often temporary.",
    Trouble.SIGN_IN: "Check user and password. Some services require an app password.",
    Trouble.LIMIT: "A limit of the mail service is used up, usually until the next day.",
    Trouble.REFUSED: ("Check both addresses: the server must accept mail between them."),
}
MAILBOX_FULL = (
    "The recipient's mailbox is full: free some space in it, or choose another recipient."
)


class _Stage(Enum):
    """How far a conversation has come: it decides what the end of the connection means."""

    GREETING = "greeting"  # until it has spoken as a mail server should, behind TLS where chosen
    SIGN_IN = "sign in"
    MAIL = "mail"


class NotTakenError(BucketvaultError):
    """The server did not take the mail; the summary has its own words, cleaned, where it spoke."""

    def __init__(self, summary: str, hint: str, trouble: Trouble = Trouble.SERVER) -> None:
        super().__init__(summary, hint)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for one answer, and for the whole."""

    answer_s: float = 20.0
    whole_s: float = 60.0


def deliver(server: MailServer, message: bytes, patience: Patience = Patience()) -> str:
    """Hand `message` over; the server's answer once it has taken it, and only then.

    Raises NotTakenError. Blocks for at most about `patience.whole_s`.
    """
    talk = _Talk(server, patience.answer_s)
    with total_timeout(patience.whole_s, lambda: talk.smtp.sock) as cut:
        try:
            with contextlib.closing(talk.smtp):
                return talk.hand_over(message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise (talk.silence() if cut.is_set() else talk.in_words(error)) from error


class _Talk:
    """One conversation with the server, from its greeting to its last answer."""

    def __init__(self, server: MailServer, answer_s: float) -> None:
        self.smtp = _unconnected(server, answer_s)
        self._server = server
        self._stage = _Stage.GREETING
        self._where = f"{server.host}, port {server.port}"
        user, password = server.user, server.password
        # also as it is said when signing in
        spellings = (password, _base64(password), _base64(f"\0{user}\0{password}"))
        self._redactor = Redactor(spellings if password else ())

    def hand_over(self, message: bytes) -> str:
        """Return the server's answer to the mail; raises what prevents it."""
        smtp, server = self.smtp, self._server
        self._expect(smtp.connect(server.host, server.port), 220)
        smtp.ehlo_or_helo_if_needed()
        if server.security is MailSecurity.STARTTLS:
            self._protect()
        elif server.security is MailSecurity.NONE:
            self._make_sure_it_is_near()
        if server.user:
            self._stage = _Stage.SIGN_IN
            self._sign_in()
        self._stage = _Stage.MAIL
        self._expect(smtp.mail(server.sender), 250, refusal=Trouble.REFUSED)
        self._expect(smtp.rcpt(server.recipient), 250, 251, refusal=Trouble.REFUSED)
        answer: tuple[int, bytes | str]
        try:
            answer = smtp.data(message)
        except smtplib.SMTPDataError as error:
            answer = error.smtp_code, error.smtp_error
        words = self._expect(answer, 250, refusal=Trouble.REFUSED)
        # it has taken the mail; however this ends is the same to us
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if smtp.sock is not None:
                smtp.sock.settimeout(GOODBYE_S)
            smtp.quit()
        return words

    def _protect(self) -> None:
        if not self.smtp.has_extn("starttls"):
            raise NotTakenError(
                f"{self._server.host} does not offer STARTTLS on port {self._server.port}. "
                "Nothing was sent, because it would have been unencrypted.",
                "Choose tls (usually port 465), or another server.",
            )
        self.smtp.starttls(context=ssl.create_default_context())
        self.smtp.ehlo()

    def _make_sure_it_is_near(self) -> None:
        """A name may mean another machine today."""
        assert self.smtp.sock is not None  # noqa: S101 - for the type checker: it just answered
        address = str(self.smtp.sock.getpeername()[0]).partition("%")[0]
        if not ipaddress.ip_address(address).is_loopback:
            raise NotTakenError(
                f"{self._server.host} is not this machine, so nothing was sent unencrypted.",
                "Choose starttls or tls.",
            )

    def _sign_in(self) -> None:
        offered = str(self.smtp.esmtp_features.get("auth", "")).upper().split()
        user, password = self._server.user, self._server.password
        # in UTF-8, which smtplib's own sign-in cannot (RFC 4616)
        if "PLAIN" in offered:
            answer = self.smtp.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
        elif "LOGIN" in offered:
            self._expect(self.smtp.docmd("AUTH", "LOGIN"), 334, refusal=Trouble.SIGN_IN)
            self._expect(self.smtp.docmd(_base64(user)), 334, refusal=Trouble.SIGN_IN)
            answer = self.smtp.docmd(_base64(password))
        else:
            raise NotTakenError(
                f"{self._server.host} offers no sign-in method that bucketvault supports.",
                "Leave the user empty if the server accepts mail without sign-in, or use another "
                "server.",
                Trouble.SIGN_IN,
            )
        self._expect(answer, 235, refusal=Trouble.SIGN_IN)

    def _expect(
        self, answer: tuple[int, bytes | str], *good: int, refusal: Trouble = Trouble.SERVER
    ) -> str:
        """The server's words, if its code is one of `good`; `refusal`: the trouble of a 5xx."""
        code, said = answer
        words = self._cleaned(said, code)
        if code in good:
            return words
        if code < 0:  # smtplib's word for an answer without a code
            raise NotTakenError(
                f"What answers at {self._where}, is no mail server: {words}", "Check the port."
            )
        trouble = refusal if code >= 500 else Trouble.SERVER
        if trouble is Trouble.REFUSED and is_about_a_limit(words):
            trouble = Trouble.LIMIT
        if code in ABOUT_SIGNING_IN:
            trouble = Trouble.SIGN_IN
        is_full = trouble is Trouble.LIMIT and is_about_a_mailbox(words)
        raise NotTakenError(words, MAILBOX_FULL if is_full else HINTS[trouble], trouble)

    def in_words(self, error: Exception) -> NotTakenError:
        """Return what `error` means."""
        where = self._where
        if isinstance(error, ssl.SSLCertVerificationError):
            return NotTakenError(
                f"The certificate of {where} is not trusted: "
                f"{self._cleaned(error.verify_message)}.",
                "Enter the name in the certificate. Add your own certificate authority to the "
                "system's, or to the file named by SSL_CERT_FILE.",
            )
        lost = smtplib.SMTPServerDisconnected | ConnectionResetError | BrokenPipeError
        if self._stage is not _Stage.GREETING and isinstance(error, lost | ssl.SSLError):
            if isinstance(error.__context__, TimeoutError):  # see below
                return self.silence()
            if self._stage is _Stage.SIGN_IN:  # as some servers refuse it
                summary = f"{where} ended the connection during sign-in."
                return NotTakenError(summary, HINTS[Trouble.SIGN_IN], Trouble.SIGN_IN)
            summary = f"{where} ended the connection in the middle of the email."
            return NotTakenError(summary, HINTS[Trouble.SERVER])
        if isinstance(error, ssl.SSLError):
            other = "starttls" if self._server.security is MailSecurity.TLS else "tls"
            return NotTakenError(
                f"{where} does not use TLS correctly: {self._cleaned(error.reason or str(error))}.",
                f"Choose {other}, or another port.",
            )
        # smtplib turns a time-out while it reads into a lost connection
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            return self.silence()
        if isinstance(error, smtplib.SMTPResponseException):
            words = self._cleaned(error.smtp_error, error.smtp_code)
            return NotTakenError(words, HINTS[Trouble.SERVER])
        if isinstance(error, lost):
            summary = f"{where} ended the connection without an answer."
            return NotTakenError(summary, "Check the port and the kind of protection.")
        if isinstance(error, socket.gaierror):
            summary = f"The host {self._server.host} was not found."
            return NotTakenError(summary, "Check the server's name, and the network.")
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return NotTakenError(
            f"{where} cannot be reached: {self._cleaned(said)}.",
            "Check the server's name and port, and that this machine can reach it.",
        )

    def silence(self) -> NotTakenError:
        """Return that no answer came in time."""
        return NotTakenError(
            f"{self._where} does not respond in time.",
            "Check the port and the kind of protection, and that this machine can reach it.",
        )

    def _cleaned(self, said: bytes | str, code: int = -1) -> str:
        """A server's words on one line, without secrets, not too long; with its code, if any."""
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        told = self._redactor.text(" ".join(text.split()))
        return clean(f"{code} {told}".rstrip() if code > 0 else told, limit=ANSWER_LIMIT)


def is_about_a_limit(words: str) -> bool:
    """True if a server's refusal, code and all, is about a limit that is free again some day."""
    enhanced = _ENHANCED.match(words)
    if enhanced is not None and enhanced[1] in _LIMITS:
        return True
    return _LIMIT_WORDS.search(words) is not None


def is_about_a_mailbox(words: str) -> bool:
    """True if a limit is that of the recipient's mailbox, not of the account that sends."""
    enhanced = _ENHANCED.match(words)
    if enhanced is not None and enhanced[1] == "2.2":
        return _SENDER_WORDS.search(words) is None
    return _MAILBOX_WORDS.search(words) is not None


class _Plain(smtplib.SMTP):
    """A connection that is refused where the server's name leads to a link-local address."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return peers.connect((host, port), timeout)


class _Protected(smtplib.SMTP_SSL, _Plain):
    """The same within TLS from its first byte on: `SMTP_SSL` wraps what `_Plain` gives."""


def _unconnected(server: MailServer, answer_s: float) -> smtplib.SMTP:
    """A connection that is not open yet, so that it can be cut from its first moment."""
    name = socket.gethostname()  # greet by it if it is whole, without asking the network for one
    name = name if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"
    if server.security is MailSecurity.TLS:
        tls = ssl.create_default_context()
        smtp: smtplib.SMTP = _Protected(local_hostname=name, timeout=answer_s, context=tls)
    else:
        smtp = _Plain(local_hostname=name, timeout=answer_s)
    smtp._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001 - checked by TLS
    return smtp


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextlib.contextmanager
def total_timeout(seconds: float, its_socket: Callable[[], object]) -> Iterator[threading.Event]:
    """Cut the connection of the block when it takes longer; a read there then meets its end.

    Time-outs of single answers never end a conversation that drips.

    Gives an event that says whether that happened. `its_socket` is asked then, from another thread.
    """
    cut, over = threading.Event(), threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        cut.set()
        while True:  # it may only just be connecting, or connect again
            found = its_socket()
            if isinstance(found, socket.socket):
                with contextlib.suppress(OSError):
                    # the plain one's: that of TLS makes it a plain socket, and continues
                    socket.socket.shutdown(found, socket.SHUT_RDWR)
            if over.wait(AGAIN_S):
                return

    threading.Thread(target=watch, name="hang up", daemon=True).start()
    try:
        yield cut
    finally:
        over.set()
