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

from bucketvault.engine.settings import MailServer
from bucketvault.errors import BucketvaultError
from bucketvault.sanitize import Redactor, clean
from bucketvault.vocabulary import MailSecurity

ANSWER_LIMIT = 500  # characters of the server's words
GOODBYE_S = 2.0
AGAIN_S = 0.5
ABOUT_SIGNING_IN = (530, 534, 535, 538)  # RFC 4954


class Trouble(Enum):
    """Kind of trouble with a mail server: it decides what happens next."""

    SERVER = "server"  # none there, none we trust, or not now: it may be over soon
    SIGN_IN = "sign in"  # nothing changes until a person changes it
    REFUSED = "refused"  # this mail, by these addresses: for good


class NotTakenError(BucketvaultError):
    """The server did not take the mail; the summary has its own words, cleaned, where it spoke."""

    def __init__(self, trouble: Trouble, summary: str, hint: str = "") -> None:
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
    redactor = _redactor(server)
    where = f"{server.host}, port {server.port}"
    connection = _connection(server, patience.answer_s)
    with total_timeout(patience.whole_s, lambda: connection.sock) as cut:
        try:
            with contextlib.closing(connection):
                answer = _Talk(connection, server, redactor).hand_over(message)
                _say_goodbye(connection)
                return answer
        except NotTakenError:
            raise
        except (OSError, smtplib.SMTPException, ValueError) as error:
            if cut.is_set():
                raise _silence(where) from error
            raise _in_words(error, server, where, redactor) from error


class _Talk:
    """One conversation with the server, from its greeting to its last answer."""

    def __init__(self, connection: smtplib.SMTP, server: MailServer, redactor: Redactor) -> None:
        self._smtp = connection
        self._server = server
        self._redactor = redactor

    def hand_over(self, message: bytes) -> str:
        """Return the server's answer to the mail; raises what prevents it."""
        smtp, server = self._smtp, self._server
        self._expect(smtp.connect(server.host, server.port), 220)
        smtp.ehlo_or_helo_if_needed()
        if server.security is MailSecurity.STARTTLS:
            self._protect()
        elif server.security is MailSecurity.NONE:
            self._make_sure_it_is_near()
        if server.user:
            self._sign_in()
        self._expect(smtp.mail(server.sender), 250, final=True)
        self._expect(smtp.rcpt(server.recipient), 250, 251, final=True)
        try:
            answer = smtp.data(message)
        except smtplib.SMTPDataError as error:
            answer = error.smtp_code, _as_bytes(error.smtp_error)
        return self._expect(answer, 250, final=True)

    def _protect(self) -> None:
        if not self._smtp.has_extn("starttls"):
            raise NotTakenError(
                Trouble.SERVER,
                f"{self._server.host} does not offer STARTTLS on port {self._server.port}. "
                "Nothing was sent: not in clear text.",
                "Choose tls (usually port 465), or another server.",
            )
        self._smtp.starttls(context=ssl.create_default_context())
        self._smtp.ehlo()

    def _make_sure_it_is_near(self) -> None:
        """A name may mean another machine today."""
        assert self._smtp.sock is not None  # noqa: S101 - for the type checker: it just answered
        address = str(self._smtp.sock.getpeername()[0]).partition("%")[0]
        if not ipaddress.ip_address(address).is_loopback:
            raise NotTakenError(
                Trouble.SERVER,
                f"{self._server.host} is not this machine: nothing was sent in clear text.",
                "Choose starttls or tls.",
            )

    def _sign_in(self) -> None:
        offered = str(self._smtp.esmtp_features.get("auth", "")).upper().split()
        user, password = self._server.user, self._server.password
        # in UTF-8, which smtplib's own sign-in cannot (RFC 4616)
        if "PLAIN" in offered:
            answer = self._smtp.docmd(
                "AUTH", f"PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}"
            )
        elif "LOGIN" in offered:
            self._expect(self._smtp.docmd("AUTH", "LOGIN"), 334, trouble=Trouble.SIGN_IN)
            self._expect(self._smtp.docmd(_base64(user)), 334, trouble=Trouble.SIGN_IN)
            answer = self._smtp.docmd(_base64(password))
        else:
            raise NotTakenError(
                Trouble.SIGN_IN,
                f"{self._server.host} offers no way to sign in that bucketvault knows.",
                "Leave the user empty if it takes mail without, or use another server.",
            )
        self._expect(answer, 235, trouble=Trouble.SIGN_IN)

    def _expect(
        self,
        answer: tuple[int, bytes],
        *good: int,
        final: bool = False,
        trouble: Trouble = Trouble.SERVER,
    ) -> str:
        """The server's words, if its code is one of `good`; `final`: a 5xx refuses this mail."""
        code, said = answer
        words = _cleaned(code if code > 0 else None, said, self._redactor)
        if code in good:
            return words
        if code < 0:  # smtplib's word for an answer without a code
            raise NotTakenError(
                Trouble.SERVER,
                f"What answers at {self._server.host}, port {self._server.port}, is no mail "
                f"server: {words}",
                "Check the port.",
            )
        if code in ABOUT_SIGNING_IN or (trouble is Trouble.SIGN_IN and code >= 500):
            hint = "Check user and password; some services want a password made for programs."
            raise NotTakenError(Trouble.SIGN_IN, words, hint)
        if final and code >= 500:
            hint = "Check both addresses: the server must be willing to take mail between them."
            raise NotTakenError(Trouble.REFUSED, words, hint)
        raise NotTakenError(Trouble.SERVER, words, "It may be over soon.")


def _connection(server: MailServer, answer_s: float) -> smtplib.SMTP:
    """A connection that is not open yet, so that it can be cut from its first moment."""
    if server.security is MailSecurity.TLS:
        return _Tls(server, answer_s)
    return _Clear(server, answer_s)


class _Clear(smtplib.SMTP):
    def __init__(self, server: MailServer, answer_s: float) -> None:
        super().__init__(local_hostname=_our_name(), timeout=answer_s)
        self._host = server.host  # what STARTTLS checks the certificate against


class _Tls(smtplib.SMTP_SSL):
    def __init__(self, server: MailServer, answer_s: float) -> None:
        super().__init__(
            local_hostname=_our_name(), timeout=answer_s, context=ssl.create_default_context()
        )
        self._host = server.host


def _our_name() -> str:
    """How we greet: by name if it is a whole one, without asking the network for it."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"


def _say_goodbye(connection: smtplib.SMTP) -> None:
    """It has taken the mail; however this ends is the same to us."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        if connection.sock is not None:
            connection.sock.settimeout(GOODBYE_S)
        connection.quit()


def _in_words(
    error: Exception, server: MailServer, where: str, redactor: Redactor
) -> NotTakenError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotTakenError(
            Trouble.SERVER,
            f"The certificate of {where} is not to be trusted: "
            f"{_cleaned(None, error.verify_message, redactor)}.",
            "Enter the name that stands in the certificate. An authority of your own goes into "
            "the system's, or into the file that SSL_CERT_FILE names.",
        )
    if isinstance(error, ssl.SSLError):
        other = "starttls" if server.security is MailSecurity.TLS else "tls"
        return NotTakenError(
            Trouble.SERVER,
            f"{where} does not speak TLS as it should: "
            f"{_cleaned(None, error.reason or str(error), redactor)}.",
            f"Choose {other}, or another port.",
        )
    # smtplib turns a time-out while it reads into a lost connection
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return _silence(where)
    if isinstance(error, smtplib.SMTPResponseException):
        words = _cleaned(error.smtp_code, error.smtp_error, redactor)
        return NotTakenError(Trouble.SERVER, words, "It may be over soon.")
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionResetError | BrokenPipeError):
        return NotTakenError(
            Trouble.SERVER,
            f"{where} ended the connection without an answer.",
            "Check the port and the kind of protection.",
        )
    if isinstance(error, socket.gaierror):
        summary = f"There is no machine called {server.host}, as far as this one can see."
        return NotTakenError(Trouble.SERVER, summary, "Check the server's name, and the network.")
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return NotTakenError(
        Trouble.SERVER,
        f"{where} cannot be reached: {_cleaned(None, said, redactor)}.",
        "Check the server's name and port, and that this machine may reach it.",
    )


def _silence(where: str) -> NotTakenError:
    return NotTakenError(
        Trouble.SERVER,
        f"{where} does not answer in time.",
        "Check the port and the kind of protection, and that this machine may reach it.",
    )


def _cleaned(code: int | None, said: bytes | str, redactor: Redactor) -> str:
    """A server's words on one line, without secrets, not too long; with its code, if any."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    told = redactor.text(" ".join(text.split()))
    return clean(f"{code} {told}".rstrip() if code is not None else told, limit=ANSWER_LIMIT)


def _redactor(server: MailServer) -> Redactor:
    """Masks the password, also as it is said when signing in."""
    return Redactor(_spellings(server)) if server.password else Redactor(())


def _spellings(server: MailServer) -> Iterator[str]:
    yield server.password
    yield _base64(server.password)
    yield _base64(f"\0{server.user}\0{server.password}")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _as_bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode(errors="replace")


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
