"""Made-up settings in each state, and what the page of the settings asks. For tests only."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from bucketvault.engine.about import About, SettingsPage
from bucketvault.engine.alerts.targets import Target, TargetFields
from bucketvault.engine.domain import alert_urls
from bucketvault.engine.domain.rules import InvalidValue
from bucketvault.engine.events import Live
from bucketvault.engine.mail.mail_views import Letter, MailState, PingState, Trial
from bucketvault.engine.settings import PASSWORD, RULES, Settings
from bucketvault.errors import BucketvaultError, ChangedMeanwhileError, InvalidInputError, Problem
from bucketvault.vocabulary import AlertEvent, MailKind, MailSecurity, Topic

NASTY = "<img src=x onerror=alert(1)>{{ 7*7 }} \u202egnp "
ABOUT = About(
    version="0.1.0",
    rclone="1.75.2, /usr/bin/rclone",
    python="3.11.7",
    nicegui="3.18.0",
    sqlite="3.40.1",
    data_dir="/var/lib/bucketvault",
    key_file="/etc/bucketvault/key",
    database_bytes=84_000_000,
)
SET_UP = Settings(
    smtp_host="smtp.example.com",
    smtp_security=MailSecurity.STARTTLS,
    smtp_user="backups@example.com",
    mail_from="backups@example.com",
    mail_to="anna@example.com",
    ping_url="https://hc-ping.com/0b8c",
    has_smtp_password=True,
)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def letter(number: int = 1, **changes: object) -> Letter:
    made = Letter(
        id=number,
        kind=MailKind.FAILED,
        subject="Postgres dumps failed: Backblaze EU took no more data",
        created_at=now() - dt.timedelta(hours=3),
        attempts=1,
        next_attempt_at=None,
        sent_at=now() - dt.timedelta(hours=3),
        dead_at=None,
        last_error="",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def fresh() -> SettingsPage:
    """Nothing was ever set."""
    mail = MailState(False, "", None, None, 0, ())
    return SettingsPage(Settings(), mail, PingState(set_up=False), ABOUT, 1, has_password=False)


def good() -> SettingsPage:
    """Mail goes out, the ping is taken."""
    ping = PingState(True, now() - dt.timedelta(seconds=40), True, "HTTP 200")
    mail = MailState(True, SET_UP.mail_to, letter(), None, 0, ())
    return SettingsPage(SET_UP, mail, ping, ABOUT, 3, has_password=True)


def bad() -> SettingsPage:
    """Mails are given up, others wait, and no sign of life goes out."""
    refused = "535 5.7.8 Error: authentication failed. " + NASTY
    given_up = {"sent_at": None, "dead_at": now() - dt.timedelta(hours=2), "last_error": refused}
    waiting = letter(
        4,
        sent_at=None,
        next_attempt_at=now() + dt.timedelta(minutes=15),
        attempts=3,
        last_error="The mail server did not answer in time.",
    )
    dead = (
        letter(2, attempts=14, **given_up),
        letter(3, attempts=14, subject=NASTY + "failed: a very long subject " * 6, **given_up),
    )
    mail = MailState(True, SET_UP.mail_to, letter(), waiting, 2, dead)
    held = "1 backup needs attention: Postgres dumps failed."
    ping = PingState(True, now() - dt.timedelta(hours=3), True, "HTTP 200", held)
    return SettingsPage(SET_UP, mail, ping, ABOUT, 3, has_password=True)


def a_target(number: int = 1, **changes: object) -> Target:
    made = Target(
        id=number,
        name="Phone",
        shown="ntfy, ntfy.example.com",
        events=tuple(AlertEvent),
        tried_at=now() - dt.timedelta(hours=3),
        heard=True,
        answer="HTTP 200",
        waiting=0,
        dead=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def targets() -> SettingsPage:
    """Alerts go to a phone, a chat that refuses them, and a program that was told nothing yet."""
    refused = "HTTP 404: no such webhook. Check the URL, and the token or password in it."
    chat = {"name": "Team chat", "shown": "Discord", "heard": False, "answer": refused}
    events = (AlertEvent.FAILED, AlertEvent.OVERDUE, AlertEvent.DAMAGED)
    page = good()
    dead = letter(9, sent_at=None, dead_at=now(), last_error=refused, to="Team chat", attempts=26)
    return replace(
        page,
        mail=replace(page.mail, dead=(dead,)),
        targets=(
            a_target(),
            a_target(2, **chat, events=events, waiting=2, dead=1),
            a_target(3, name=NASTY, shown="Webhook, 127.0.0.1:8090", tried_at=None, heard=False),
        ),
    )


SETTINGS_PAGES = {"targets": targets, "fresh": fresh, "good": good, "bad": bad}


class FakeAlerts:
    """Answers to the section Alerts, over made-up targets."""

    def __init__(self, preferences: "FakePreferences") -> None:
        self._preferences = preferences
        self.created: list[TargetFields] = []
        self.changed: list[tuple[int, TargetFields]] = []
        self.tested: list[int] = []
        self.trial = Trial(True, "HTTP 200")

    def create(self, given: TargetFields) -> int:
        try:
            url = alert_urls.read(given.url)
        except InvalidValue as refusal:
            raise InvalidInputError([Problem("url", str(refusal))]) from refusal
        self.created.append(given)
        name = given.name or url.service.name
        made = a_target(9, name=name, shown=url.shown, tried_at=None, heard=False)
        self._store((*self._preferences.shown.targets, made))
        return 9

    def change(self, target_id: int, given: TargetFields) -> tuple[str, ...]:
        self.changed.append((target_id, given))
        return ("name",)

    def delete(self, target_id: int) -> None:
        left = [each for each in self._preferences.shown.targets if each.id != target_id]
        self._store(tuple(left))

    def send_test(self, target_id: int) -> Trial:
        self.tested.append(target_id)
        return self.trial

    def try_again(self, mail_id: int) -> None:
        self._preferences.try_again(mail_id)

    def _store(self, left: tuple[Target, ...]) -> None:
        self._preferences.shown = replace(self._preferences.shown, targets=left)
        self._preferences.live.publish(Topic.MAIL)


class FakePreferences:
    """Answers to the page, over made-up values."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.shown = good()
        self.alerts = FakeAlerts(self)
        self.saved: list[Mapping[str, object]] = []
        self.tested: list[Mapping[str, object]] = []
        self.tried: list[int] = []
        self.dismissed: list[int] = []
        self.signed_out = 0
        self.trial: Trial | BucketvaultError = Trial(True, "250 2.0.0 Ok: queued as 4F2A")

    def page(self) -> SettingsPage:
        return self.shown

    def store(self, **values: object) -> None:
        """As another tab would."""
        stored = replace(self.shown.settings, **values)  # type: ignore[arg-type]
        self.shown = replace(self.shown, settings=stored)

    def change(self, given: Mapping[str, object], seen: Settings) -> Settings:
        stored = self.shown.settings
        names = [name for name in given if name != PASSWORD]
        if changed := [name for name in names if getattr(stored, name) != getattr(seen, name)]:
            raise ChangedMeanwhileError(changed)
        values, problems = {}, []
        for name, value in given.items():
            try:
                values[name] = RULES[name].rule(value)
            except InvalidValue as refusal:
                problems.append(Problem(name, str(refusal)))
        if problems:
            raise InvalidInputError(problems)
        values.pop(PASSWORD, None)
        self.saved.append(dict(given))
        self.store(**values)
        self.live.publish(Topic.SETTINGS)
        return self.shown.settings

    def send_test(self, given: Mapping[str, object]) -> Trial:
        self.tested.append(dict(given))
        if isinstance(self.trial, BucketvaultError):
            raise self.trial
        return self.trial

    def try_again(self, mail_id: int) -> None:
        self.tried.append(mail_id)
        left = tuple(each for each in self.shown.mail.dead if each.id != mail_id)
        self.shown = replace(self.shown, mail=replace(self.shown.mail, dead=left))
        self.live.publish(Topic.MAIL)

    def dismiss(self, mail_id: int) -> None:
        self.dismissed.append(mail_id)
        left = tuple(each for each in self.shown.mail.dead if each.id != mail_id)
        self.shown = replace(self.shown, mail=replace(self.shown.mail, dead=left))
        self.live.publish(Topic.MAIL)

    def sign_out_everywhere(self) -> None:
        self.signed_out += 1
