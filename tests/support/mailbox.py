"""A mail server on this machine: it takes what comes, or behaves as badly as a test asks for."""

import datetime as dt
import email
import email.policy
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.servers import free_port

USER, PASSWORD = "mail-user", "mail-password-0001"


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, and a certificate for `localhost` and 127.0.0.1."""

    ca_file: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        ca = _certificate(ca_name, ca_key, ca_name, ca_key, is_ca=True)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        leaf = _certificate(name, key, ca_name, ca_key, is_ca=False)
        made = cls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
        made.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made

    def context(self) -> ssl.SSLContext:
        """TLS settings of a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def _certificate(
    name: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any, *, is_ca: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=is_ca,
                crl_sign=is_ca,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(issuer_key, hashes.SHA256())
    )


class Mailbox:
    """A mail server that may be down and come up again on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.raw: list[bytes] = []  # every mail it took, in order
        self.envelopes: list[tuple[str, list[str]]] = []
        self.signed_in: list[tuple[str, str]] = []  # user and password, as they came
        self.commands: list[str] = []
        self.answers: dict[str, str] = {}  # RCPT, DATA or MAIL -> another answer than 250
        self.drops = 0  # so many mails are cut off before it says whether it took them
        self.before_it_answers: Callable[[], None] = lambda: None  # to a mail
        self._controller: Controller | None = None

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails it took, as a mail program reads them."""
        read = [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.raw]
        return [mail for mail in read if isinstance(mail, EmailMessage)]

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    @property
    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]

    @property
    def settings(self) -> str:
        """The table for `setup.toml` that makes this the mail server, without protection."""
        return (
            f'[settings]\nsmtp_host = "127.0.0.1"\nsmtp_port = {self.port}\n'
            'smtp_security = "none"\nmail_from = "backup@example.com"\nmail_to = "me@example.org"\n'
        )

    @contextmanager
    def up(
        self,
        *,
        starttls: Authority | None = None,
        tls: Authority | None = None,
        sign_in: Sequence[str] = (),
    ) -> Iterator["Mailbox"]:
        """Serve; with `sign_in`, by these methods and only USER with PASSWORD."""
        options: dict[str, Any] = {}
        if sign_in:
            every = {"LOGIN", "PLAIN"}
            options = {
                "authenticator": self._authenticate,
                "auth_required": starttls is not None,  # without TLS, aiosmtpd warns of it
                "auth_require_tls": starttls is not None,
                "auth_exclude_mechanism": every - set(sign_in),
            }
        if starttls is not None:
            options |= {"tls_context": starttls.context(), "require_starttls": True}
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ready_timeout=30,
            server_hostname="mail.example",  # else it asks the network for this machine's own
            ssl_context=tls.context() if tls is not None else None,
            **options,
        )
        self._controller.start()
        try:
            yield self
        finally:
            self._controller.stop()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        found = data.login.decode(), data.password.decode()
        self.signed_in.append(found)
        return AuthResult(success=found == (USER, PASSWORD), handled=False)

    # aiosmtpd's handler

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" not in self.answers:
            envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.drops:
            self.drops -= 1
            server.transport.abort()
            return "421 never heard"
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        self.raw.append(envelope.content)
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        self.before_it_answers()
        return f"250 2.0.0 Ok: queued as {len(self.raw)}"


class _Controller(Controller):
    def __init__(self, mailbox: Mailbox, **options: Any) -> None:
        self._mailbox = mailbox
        super().__init__(mailbox, **options)

    def factory(self) -> SMTP:
        mailbox = self._mailbox

        class Listening(SMTP):
            async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
                mailbox.commands.append("AUTH")
                await super().smtp_AUTH(arg)

            async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
                mailbox.commands.append("MAIL")
                await super().smtp_MAIL(arg)

        return Listening(self.handler, **self.SMTP_kwargs)


@contextmanager
def talking(
    said: Sequence[bytes],
    *,
    drip_s: float = 0.0,
    tls: Authority | None = None,
    hangs_up: bool = False,
) -> Iterator[int]:
    """A server that says these lines, one after each of the client's, then nothing any more.

    With `drip_s`, it then sends a byte so often and never ends a line; with `hangs_up`, it ends
    the connection without a word, TLS's neither. Gives its port.
    """
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not over.is_set():
                try:
                    plain, _ = listener.accept()
                    client = plain
                    if tls is not None:
                        client = tls.context().wrap_socket(plain, server_side=True)
                except OSError:
                    return
                with client, client.makefile("rb") as lines:
                    try:
                        for line in said:
                            client.sendall(line)
                            lines.readline()
                        if hangs_up:
                            continue
                        while drip_s and not over.wait(drip_s):
                            client.sendall(b"2")
                        over.wait(60)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
