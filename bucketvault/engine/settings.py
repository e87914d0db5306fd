"""The settings of the installation, typed; kept in the database, changed by form and by `apply`.

The mail server's password is encrypted and only ever goes in: what is read here says whether there
is one. `mail_server` alone opens it, for the connection it was entered for: to another server,
port, user or protection it does not decrypt, whoever wrote that into the database.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bucketvault.engine.domain import setting_rules as allowed
from bucketvault.engine.domain.bandwidth import Bandwidth, share
from bucketvault.engine.domain.fields import (
    AMOUNT,
    NUMBER,
    SECRET,
    YES_OR_NO,
    Ruled,
    Sheet,
    ruled,
    ruled_fields,
)
from bucketvault.engine.domain.rules import (
    InvalidValue,
    clock_rule,
    is_loopback,
    optional_word,
    whole_number,
    word,
)
from bucketvault.engine.domain.times import server_time_zone
from bucketvault.errors import (
    ChangedMeanwhileError,
    InvalidInputError,
    MovedSecretError,
    Problem,
    VaultError,
)
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Setting
from bucketvault.store.secrets import Vault, place, ready_for_secrets
from bucketvault.vocabulary import MailSecurity, Topic, Weekday

USUAL_PORTS = {MailSecurity.TLS: 465, MailSecurity.STARTTLS: 587, MailSecurity.NONE: 25}
PASSWORD = "smtp_password"  # noqa: S105 - the name of the setting


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default; never the password."""

    max_parallel_runs: int = ruled(whole_number(1, 16, "runs"), 2, kind=NUMBER)
    # a run that moves nothing for so long is ended
    stall_minutes: int = ruled(whole_number(1, 24 * 60, "minutes"), 10, kind=NUMBER)
    # 0: logs stay for ever
    log_retention_days: int = ruled(whole_number(0, 36500, "days"), 90, kind=NUMBER)
    # of all runs together; None: no limit
    bandwidth_mb_s: float | None = ruled(allowed.bandwidth_rule, kind=AMOUNT)
    bandwidth_from: str = ruled(allowed.hour_rule, "")  # in the server's zone; both empty: always
    bandwidth_to: str = ruled(allowed.hour_rule, "")
    smtp_host: str = ruled(allowed.mail_host_rule, "")  # empty: no mail
    # None: the usual one of `smtp_security`
    smtp_port: int | None = ruled(allowed.mail_port_rule, kind=NUMBER)
    smtp_security: MailSecurity = ruled(word(MailSecurity), MailSecurity.STARTTLS)
    smtp_user: str = ruled(allowed.mail_user_rule, "")  # empty: without signing in
    mail_from: str = ruled(allowed.mail_address_rule, "")
    mail_to: str = ruled(allowed.mail_address_rule, "")
    ping_url: str = ruled(allowed.ping_url_rule, "", kind=SECRET)  # called while all is well
    # alerts are off, and that is meant: somebody watches in another way
    alerts_elsewhere: bool = ruled(allowed.stored_yes_or_no_rule, False, kind=YES_OR_NO)
    # None: no report is sent
    weekly_report: Weekday | None = ruled(optional_word(Weekday))
    # HH:MM on the server's clock
    weekly_report_at: str = ruled(clock_rule, "08:00")
    has_smtp_password: bool = False

    @property
    def bandwidth(self) -> Bandwidth:
        """The share of one of the runs at the same time in the limit on bandwidth."""
        if not self.bandwidth_mb_s:
            return Bandwidth()
        times, runs = (self.bandwidth_from, self.bandwidth_to), self.max_parallel_runs
        return share(self.bandwidth_mb_s, *times, runs, server_time_zone())

    @property
    def mail_is_set_up(self) -> bool:
        """True if mail has a server and an address to go to."""
        return bool(self.smtp_host and self.mail_from and self.mail_to)

    @property
    def mail_port(self) -> int:
        """The port in use."""
        return self.smtp_port or USUAL_PORTS[self.smtp_security]


@dataclass(frozen=True, slots=True)
class MailServer:
    """All that sending a mail takes. Keep it in memory only."""

    host: str
    port: int
    security: MailSecurity
    user: str
    password: str = field(repr=False)
    sender: str
    recipient: str


RULES: Mapping[str, Ruled] = {
    **ruled_fields(Settings),
    PASSWORD: Ruled(allowed.mail_password_rule, "", PASSWORD, SECRET),
}


def load() -> Settings:
    """The settings as they are now."""
    with connection():
        return _from_rows({row.key: row.value for row in Setting.select()})


def change(
    given: Mapping[str, object], vault: Vault, seen: Settings | None = None
) -> tuple[str, ...]:
    """Change what is in `given`, leave the rest; the names of what really changed.

    `smtp_password`: None leaves it, "" removes it. Raises InvalidInputError with all problems,
    ChangedMeanwhileError where one of them is not as in `seen` any more (then nothing was
    written), VaultError when the password cannot be encrypted.
    """
    with writing(Topic.SETTINGS, Topic.BACKUPS):
        before = load()
        seen = seen or before
        of = {name: "has_smtp_password" if name == PASSWORD else name for name in given}
        if other := [n for n in given if getattr(before, of[n]) != getattr(seen, of[n])]:
            raise ChangedMeanwhileError(other)
        after, password, problems = _checked(given, before)
        if problems:
            raise InvalidInputError(problems)
        changed = [n for n in ruled_fields(Settings) if getattr(after, n) != getattr(before, n)]
        for name in changed:
            value = getattr(after, name)
            _keep(name, "" if value is None else str(value))
        if password is not None and password != _stored_password(vault, after):
            changed.append(PASSWORD)
            _keep_password(vault, password, after)
        return tuple(changed)


def mail_server(vault: Vault, given: Mapping[str, object] | None = None) -> MailServer | None:
    """How to send a mail as things are, or as they would be with `given`; None: not set up.

    Raises InvalidInputError with all problems of `given`, VaultError when the password cannot be
    decrypted.
    """
    with connection():
        before = load()
        after, password, problems = _checked(given or {}, before)
        if problems:
            raise InvalidInputError(problems)
        if password is None and after.smtp_user:
            password = opened_password(vault, after)
    if not after.mail_is_set_up:
        return None
    return MailServer(
        host=after.smtp_host,
        port=after.mail_port,
        security=after.smtp_security,
        user=after.smtp_user,
        password=password or "",
        sender=after.mail_from,
        recipient=after.mail_to,
    )


def opened_password(vault: Vault, to: Settings) -> str:
    """Return the password in the clear, empty where there is none: keep it in memory only.

    `to`: the settings it is for. Raises VaultError; MovedSecretError when it was entered for
    another server.
    """
    row = Setting.get_or_none(Setting.key == PASSWORD)
    if row is None:
        return ""
    try:
        return vault.decrypt(row.value, place_of_password(to))
    except MovedSecretError as error:
        raise MovedSecretError(
            "The stored mail password cannot be read: the password, or the server, port, user or "
            "protection it was entered for, was changed outside bucketvault.",
            "Check them under Settings, then enter the password again.",
        ) from error


# ---- how it is done


def _checked(
    given: Mapping[str, object], before: Settings
) -> tuple[Settings, str | None, list[Problem]]:
    """Return what `given` makes of the settings, the password in it, and all problems."""
    sheet = Sheet()
    values: dict[str, Any] = {}  # each of its field's type
    for key, value in given.items():
        otherwise = None if key == PASSWORD else getattr(before, key)
        values[key] = sheet.take(key, RULES[key].rule, value, otherwise)
    password: str | None = values.pop(PASSWORD, None)
    after = replace(before, **values)
    if not (after.smtp_host and after.smtp_user) and before.has_smtp_password and not password:
        password = ""  # nobody is left to whom it belongs
    if password is not None:
        after = replace(after, has_smtp_password=bool(password))
    _check_bandwidth(sheet, after)
    _check_mail(sheet, before, after, password)
    return after, password, sheet.problems


def _check_bandwidth(sheet: Sheet, after: Settings) -> None:
    start, end = after.bandwidth_from, after.bandwidth_to
    if not sheet.is_good("bandwidth_from", "bandwidth_to"):
        return
    if start and not end:
        sheet.refuse("bandwidth_to", "Enter when the limit ends, or leave both times empty.")
    if end and not start:
        sheet.refuse("bandwidth_from", "Enter when the limit begins, or leave both times empty.")
    if start and start == end:
        told = "Both times are the same. Leave both empty for a limit at all times."
        sheet.refuse("bandwidth_to", told)


def _check_mail(sheet: Sheet, before: Settings, after: Settings, password: str | None) -> None:
    def refuse(name: str, message: str) -> None:
        if sheet.is_good(name):  # what is wrong by itself has been said
            sheet.refuse(name, message)

    if after.smtp_host or after.mail_to or after.mail_from or password:
        if not after.smtp_host:
            refuse("smtp_host", "Enter the mail server, or leave both addresses empty too.")
        if not after.mail_from:
            refuse("mail_from", "Enter the sender address.")
        if not after.mail_to:
            refuse("mail_to", "Enter the recipient address.")
    in_clear = after.smtp_security is MailSecurity.NONE
    if after.smtp_host and in_clear and not is_loopback(after.smtp_host):
        refuse(
            "smtp_security",
            "Unencrypted mail is only sent to a server on this machine. Choose starttls or tls.",
        )
    if after.smtp_host and after.smtp_user and not after.has_smtp_password:
        refuse(PASSWORD, "Enter the password of this user.")
    if password and not after.smtp_user:
        refuse("smtp_user", "Enter the user this password belongs to.")
    goes_elsewhere = _destination(before) != _destination(after)
    if before.has_smtp_password and after.smtp_user and password is None and goes_elsewhere:
        refuse(
            PASSWORD,
            "Enter the password again: the stored one is only sent to the server, port and user "
            "it was entered for, with the same protection.",
        )


def place_of_password(of: Settings) -> str:
    """Return the associated data of the password: where it goes, how, and for whom."""
    return place("setting", "value", PASSWORD, *_destination(of))


def _destination(of: Settings) -> tuple[str, str, str, str]:
    return of.smtp_host, str(of.mail_port), of.smtp_security, of.smtp_user


def _stored_password(vault: Vault, to: Settings) -> str:
    """The stored password; empty when there is none. One that does not open is to be replaced."""
    try:
        return opened_password(vault, to)
    except VaultError:
        return "\0"  # equals no password that can be entered


def _keep_password(vault: Vault, password: str, to: Settings) -> None:
    if password:
        ready_for_secrets(vault)
        _keep(PASSWORD, vault.encrypt(password, place_of_password(to)))
    else:
        Setting.delete().where(Setting.key == PASSWORD).execute()


def _keep(key: str, value: str) -> None:
    Setting.insert(key=key, value=value).on_conflict_replace().execute()


def _from_rows(stored: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {}  # each of its field's type
    for key, value in stored.items():
        # one that a newer program wrote, or a stricter rule refuses, must not stop every run
        if key in RULES and key != PASSWORD:
            with contextlib.suppress(InvalidValue):
                values[key] = RULES[key].rule(value)
    return Settings(**values, has_smtp_password=PASSWORD in stored)
