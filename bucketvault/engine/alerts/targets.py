"""Targets of alerts: made, changed and deleted by pages and `apply`.

The URL is encrypted and only ever goes in; what is read here says which service it means.
"""

import contextlib
import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bucketvault.engine.alerts import messenger
from bucketvault.engine.domain import alert_urls, rules
from bucketvault.engine.domain.alert_urls import AlertUrl
from bucketvault.engine.domain.fields import SECRET, WORDS, Sheet, ruled, ruled_fields
from bucketvault.engine.mail import outbox
from bucketvault.errors import BucketvaultError, InvalidInputError, NotFoundError, VaultError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import AlertTarget, Mail, utcnow
from bucketvault.store.secrets import Vault, place, ready_for_secrets
from bucketvault.vocabulary import AlertEvent, Topic

MOST = 20


@dataclass(frozen=True, slots=True)
class TargetFields:
    """A target as it is entered; a URL that is None stays as it is."""

    name: str = ruled(rules.name_rule, "")
    url: str | None = ruled(alert_urls.alert_url_rule, kind=SECRET)
    events: tuple[AlertEvent, ...] = ruled(alert_urls.events_rule, tuple(AlertEvent), kind=WORDS)


RULES = ruled_fields(TargetFields)


@dataclass(frozen=True, slots=True)
class Target:
    """A target as pages and commands show it; never its URL. Times are UTC."""

    id: int
    name: str
    shown: str  # service and host
    events: tuple[AlertEvent, ...]
    tried_at: dt.datetime | None  # an alert or a test, the last one
    heard: bool
    answer: str
    waiting: int  # alerts that were tried and are tried again
    dead: int  # that were given up, and nobody has looked at


def stored() -> tuple[Target, ...]:
    """Return all targets, by name."""
    with connection():
        rows = AlertTarget.select().order_by(AlertTarget.name)
        return tuple(_target(row) for row in rows)


def _target(row: AlertTarget) -> Target:
    mine = Mail.select().where(Mail.target == row.id)
    tried = Mail.next_attempt_at.is_null(False) & (Mail.last_error != "")
    return Target(
        id=row.id,
        name=row.name,
        shown=row.shown,
        events=tuple(event for event in AlertEvent if event in row.events),
        tried_at=row.tried_at,
        heard=row.heard,
        answer=row.answer,
        waiting=mine.where(tried).count(),
        dead=mine.where(Mail.needs_attention()).count(),
    )


def look_through(given: TargetFields) -> None:
    """Let Apprise read the URL before it is stored: outside of any transaction, it takes a second.

    Raises InvalidInputError with all problems, NotTakenError where Apprise does not work.
    """
    sheet = Sheet()
    sheet.take("name", rules.shown_name_rule, given.name, None)
    sheet.take("events", alert_urls.events_rule, given.events, None)
    if given.url is not None:
        sheet.take("url", _readable, given.url, None)
    if sheet.problems:
        raise InvalidInputError(sheet.problems)


def _readable(value: object) -> AlertUrl:
    found = alert_urls.read(value)
    messenger.check(found)
    return found


def create(given: TargetFields, vault: Vault) -> int:
    """Store a new target; its id. Raises InvalidInputError with all problems, VaultError."""
    with writing(Topic.MAIL, Topic.BACKUPS):
        row = AlertTarget(name="", url="", shown="")
        name = given.name if rules.text_of(given.name).strip() else _usual_name(given.url)
        _fill(row, replace(given, name=name, url=given.url or ""), vault)
        row.save(force_insert=True)
        return int(row.id)


def change(target_id: int, given: TargetFields, vault: Vault) -> tuple[str, ...]:
    """Change a target; the names of what really changed. What waits for it is tried at once.

    Raises NotFoundError, InvalidInputError with all problems, VaultError.
    """
    with writing(Topic.MAIL, Topic.BACKUPS):
        row = _row(target_id)
        changed = _fill(row, given, vault)
        if changed:
            row.save()
        if "url" in changed:
            outbox.try_waiting_now(utcnow(), target_id)
        return changed


def delete(target_id: int) -> None:
    """Delete a target, and what still waits for it. Raises NotFoundError."""
    with writing(Topic.MAIL, Topic.BACKUPS):
        _row(target_id).delete_instance()


def note(target_id: int, answer: str, *, heard: bool) -> None:
    """Note how the last attempt went; a target that was deleted meanwhile stays so."""
    with writing(Topic.MAIL, Topic.BACKUPS):
        AlertTarget.update(tried_at=utcnow(), heard=heard, answer=answer).where(
            AlertTarget.id == target_id
        ).execute()


def url_of(target_id: int, vault: Vault) -> AlertUrl:
    """Return the URL in clear; keep it in memory only. Raises NotFoundError, BucketvaultError."""
    with connection():
        row = _row(target_id)
        try:
            return alert_urls.read(opened_url(row, vault))
        except rules.InvalidValue as refusal:  # by a rule that is stricter than it was
            raise BucketvaultError(f"Its URL is no longer accepted. {refusal}") from refusal


def opened_url(row: AlertTarget, vault: Vault) -> str:
    """Return the URL of a row in clear. Raises VaultError."""
    return vault.decrypt(row.url, place_of_url(row))


def place_of_url(row: AlertTarget) -> str:
    """Return the associated data of a target's URL: its row, and what pages say of it."""
    return place("alert_target", "url", row.uuid, row.shown)


def named(name: str) -> Any:  # a row, or None
    """Return the row of a target by its name, in whatever case."""
    for row in AlertTarget.select():
        if rules.same_name(row.name) == rules.same_name(name):
            return row
    return None


def _row(target_id: int) -> AlertTarget:
    row: AlertTarget | None = AlertTarget.get_or_none(AlertTarget.id == target_id)
    if row is None:
        raise NotFoundError("This alert target no longer exists.")
    return row


def _fill(row: AlertTarget, given: TargetFields, vault: Vault) -> tuple[str, ...]:
    """Put into the row what is given, checked; the names of what is another now."""
    sheet = Sheet()
    name = sheet.take("name", rules.name_rule, given.name, "")
    wanted = sheet.take("events", alert_urls.events_rule, given.events, tuple(AlertEvent))
    events = [str(event) for event in wanted]
    url = None if given.url is None else sheet.take("url", alert_urls.read, given.url, None)
    other = named(name) if name else None
    if other is not None and other.id != row.id:
        sheet.refuse("name", f'There is a target "{other.name}" already: choose another name.')
    if not row.url and AlertTarget.select().count() >= MOST:
        sheet.refuse("url", f"There are {MOST} targets already: delete one first.")
    if sheet.problems:
        raise InvalidInputError(sheet.problems)
    now: Mapping[str, object] = {"name": name, "events": events}
    changed = [key for key, value in now.items() if getattr(row, key) != value]
    for key in changed:
        setattr(row, key, now[key])
    if url is not None and url.url != _known_url(row, vault):
        changed.append("url")
        row.shown = url.shown
        ready_for_secrets(vault)
        row.url = vault.encrypt(url.url, place_of_url(row))
        row.tried_at, row.heard, row.answer = None, False, ""
    return tuple(changed)


def _known_url(row: AlertTarget, vault: Vault) -> str:
    with contextlib.suppress(VaultError):  # one that does not open is to be replaced
        return opened_url(row, vault) if row.url else ""
    return ""


def _usual_name(url: object) -> str:
    """Return a name for a target that was given none: its service's, numbered; empty: no URL."""
    try:
        service = alert_urls.read(url).service.name
    except rules.InvalidValue:
        return "target"  # the URL is complained about, which is enough
    names = (f"{service} {number}" if number > 1 else service for number in itertools.count(1))
    return next(name for name in names if named(name) is None)
