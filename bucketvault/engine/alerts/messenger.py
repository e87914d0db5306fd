"""Hands one alert to a service, and says in words how that went. Knows no database.

A webhook is called by us; every other service by Apprise, in a process of its own (`child.py`) that
is there for this alert only: it takes 35 MB and half a second, and can be ended.
"""

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bucketvault.engine.alerts import calling, child
from bucketvault.engine.domain.alert_urls import WEBHOOK, AlertUrl, not_understood
from bucketvault.engine.domain.rules import InvalidValue
from bucketvault.engine.mail.smtp import NotTakenError, Trouble
from bucketvault.engine.rclone import tether
from bucketvault.engine.rclone.binary import clean_environment
from bucketvault.sanitize import Redactor, clean
from bucketvault.vocabulary import AlertEvent, Json

FORM = 1  # of the webhook's JSON: a number that grows when a key changes its meaning
ANSWER_BYTES = 64_000
SAID_CHARACTERS = 200
GOOD_NEWS = (AlertEvent.RECOVERED,)
BAD_NEWS = (AlertEvent.FAILED, AlertEvent.OVERDUE, AlertEvent.DAMAGED)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as it is sent, the same at every attempt. `event` None: a test."""

    id: str
    event: AlertEvent | None
    subject: str
    text: str
    about: Json


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a webhook's answer, and for Apprise with all of its requests."""

    webhook_s: float = 15.0
    apprise_s: float = 40.0


class _Kind(Enum):
    """Names that Apprise has for kinds of news; they choose a colour."""

    GOOD = "success"
    BAD = "failure"
    OTHER = "warning"
    TEST = "info"


def deliver(url: AlertUrl, alert: Alert, patience: Patience = Patience()) -> str:
    """Hand `alert` over; the service's answer once it has taken it. Raises NotTakenError."""
    redactor = Redactor(url.secrets)
    if url.service is WEBHOOK:
        return _post(url, alert, patience, redactor)
    answer = _ask_apprise(url, patience.apprise_s, alert)
    said = clean(redactor.text(str(answer.get("said", ""))), limit=SAID_CHARACTERS)
    if answer.get("sent") is True:
        return f"HTTP {answer['status']}" if "status" in answer else "taken"
    if answer.get("understood") is False:
        raise NotTakenError(not_understood(url), "Enter the URL again.", Trouble.SIGN_IN)
    if "status" in answer:
        raise _refused(int(answer["status"]), said)
    raise _in_words(answer)


def check(url: AlertUrl, patience: Patience = Patience()) -> None:
    """Let Apprise read a URL, without sending anything; blocks for seconds.

    Raises InvalidValue where it cannot, NotTakenError where Apprise does not work.
    """
    if url.service is WEBHOOK:
        return
    answer = _ask_apprise(url, patience.apprise_s, None)
    if answer.get("understood") is not True:
        if "fault" in answer or "problem" in answer:
            raise _in_words(answer)
        raise InvalidValue(not_understood(url))


def about_nothing(at: dt.datetime, machine: str) -> Json:
    """Return what a webhook is told beside the words where there is neither backup nor run."""
    none: Json = dict.fromkeys(("backup", "run", "status", "reason"))
    return none | {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "machine": machine}


def webhook_body(alert: Alert) -> Json:
    """Return what a webhook gets: docs/alerts.md describes each key."""
    event = "test" if alert.event is None else str(alert.event)
    told = {"subject": alert.subject, "text": alert.text}
    return {"bucketvault": FORM, "id": alert.id, "event": event, **told, **alert.about}


def _post(url: AlertUrl, alert: Alert, patience: Patience, redactor: Redactor) -> str:
    body = json.dumps(webhook_body(alert)).encode()
    headers = {"Content-Type": "application/json"}
    answer = calling.call(url.url, patience.webhook_s, body, headers)
    if answer.problem:
        raise NotTakenError(redactor.text(answer.problem), "")
    if not 200 <= answer.status < 300:
        raise _refused(answer.status, clean(redactor.text(answer.body), limit=SAID_CHARACTERS))
    return f"HTTP {answer.status}"


def _refused(status: int, said: str) -> NotTakenError:
    words = f"HTTP {status}: {said}" if said.strip() else f"HTTP {status}."
    if 300 <= status < 400:
        return NotTakenError(f"HTTP {status}: {calling.ELSEWHERE}", "", Trouble.SIGN_IN)
    if status in (408, 425) or status >= 500:
        return NotTakenError(words, "This is often temporary.")
    if status == 429:
        return NotTakenError(words, "It takes no more messages for now.", Trouble.LIMIT)
    return NotTakenError(words, "Check the URL, and the token or password in it.", Trouble.SIGN_IN)


def _in_words(answer: Mapping[str, object]) -> NotTakenError:
    problem, why = answer.get("problem"), clean(str(answer.get("why", "")), limit=SAID_CHARACTERS)
    if problem == "clear":
        words = "Nothing was sent: this URL would send the alert in clear text over the network."
        return NotTakenError(words, "Use the encrypted form of the URL.", Trouble.SIGN_IN)
    if problem == "tls":
        return NotTakenError(f"{calling.NOT_TRUSTED}, or it does not speak TLS.", "")
    if problem == "unreachable":
        return NotTakenError(f"It cannot be reached: {why or 'no connection'}.", "")
    if problem == "timeout":
        return NotTakenError(calling.NO_ANSWER, "")
    if "fault" in answer:
        words = f"Apprise failed unexpectedly: {clean(str(answer['fault']), limit=80)}."
        return NotTakenError(words, "Install the packages again.", Trouble.SIGN_IN)
    return NotTakenError(
        "Apprise did not send it, and does not say why.", "Check the URL.", Trouble.SIGN_IN
    )


def _ask_apprise(url: AlertUrl, patience_s: float, alert: Alert | None) -> Json:
    """Return what the child says; it is gone when this returns, and dies when we do.

    Raises NotTakenError where this machine starts none.
    """
    asked = {  # safe: for the child, and no page
        "url": url.url,
        "plugin": url.service.plugin,
        "title": alert.subject if alert is not None else None,
        "body": alert.text if alert is not None else "",
        "type": _kind(alert.event if alert is not None else None).value,
    }
    try:
        started = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *(sys.executable, "-I", child.__file__),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=os.sep,
            start_new_session=True,
        )
    except OSError as error:  # no memory, no process, no descriptor left
        raise NotTakenError(f"Apprise could not be started: {error.strerror}.", "") from error
    with started:
        try:
            out, _ = started.communicate(json.dumps(asked).encode(), timeout=patience_s)
        except subprocess.TimeoutExpired:
            return {"problem": "timeout"}
        finally:
            started.kill()
    try:
        answer = json.loads(out[:ANSWER_BYTES])
    except ValueError:
        return {"fault": f"exit code {started.returncode}"}
    return answer if isinstance(answer, dict) else {}


def _kind(event: AlertEvent | None) -> _Kind:
    if event is None:
        return _Kind.TEST
    if event in GOOD_NEWS:
        return _Kind.GOOD
    return _Kind.BAD if event in BAD_NEWS else _Kind.OTHER


def _environment() -> dict[str, str]:
    """Return an environment without proxies and without anybody's passwords."""
    made = clean_environment(os.sep) | {"NETRC": os.devnull}
    if authority := os.environ.get("SSL_CERT_FILE"):  # as Python's own ssl, for email
        made["REQUESTS_CA_BUNDLE"] = authority
    return made
