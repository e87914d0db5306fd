"""One alert to real servers in ntfy's and the webhook's shape, and what may go wrong on the way."""

import errno
import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest
import requests
from requests import Response

from bucketvault.engine.alerts import child, messenger
from bucketvault.engine.alerts.messenger import Alert, Patience
from bucketvault.engine.domain import alert_urls
from bucketvault.engine.domain.rules import InvalidValue
from bucketvault.engine.mail.smtp import NotTakenError, Trouble
from bucketvault.vocabulary import AlertEvent
from tests.support.listener import Listener

ABOUT = {"backup": "Photos", "run": 7, "status": "failed", "reason": "credentials"}
FAILED = Alert(
    "<0a1b.failed@target>",
    AlertEvent.FAILED,
    "Photos failed: The key is wrong.",
    "What to do: enter the key again.",
    ABOUT | {"at": "2026-11-30T02:10:00Z", "machine": "backup-box"},
)
HASTY = Patience(webhook_s=0.5, apprise_s=20)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener().up() as server:
        yield server


def send(url: str, patience: Patience = HASTY) -> str:
    return messenger.deliver(alert_urls.read(url), FAILED, patience)


def refused(url: str, patience: Patience = HASTY) -> NotTakenError:
    with pytest.raises(NotTakenError) as caught:
        send(url, patience)
    return caught.value


def test_ntfy_gets_title_text_and_token_in_one_message(listener: Listener) -> None:
    answer = send(f"ntfy://tk_abcdefgh12345678@127.0.0.1:{listener.port}/backups")

    (request,) = listener.requests
    assert answer == "HTTP 200"
    assert request.headers["Authorization"] == "Bearer tk_abcdefgh12345678"
    assert request.json["topic"] == "backups"
    assert request.json["title"] == FAILED.subject
    assert request.json["message"] == FAILED.text


def test_a_webhook_gets_the_documented_json(listener: Listener) -> None:
    answer = send(listener.url("hook?token=abcdefgh"))

    (request,) = listener.requests
    assert (answer, request.method, request.path) == ("HTTP 200", "POST", "/hook?token=abcdefgh")
    assert request.headers["Content-Type"] == "application/json"
    assert request.json == {
        "bucketvault": 1,
        "id": "<0a1b.failed@target>",
        "event": "failed",
        "subject": "Photos failed: The key is wrong.",
        "text": "What to do: enter the key again.",
        "backup": "Photos",
        "run": 7,
        "status": "failed",
        "reason": "credentials",
        "at": "2026-11-30T02:10:00Z",
        "machine": "backup-box",
    }


@pytest.mark.parametrize("scheme", ["ntfy", "http"])
def test_a_redirect_is_not_followed_with_the_secret(listener: Listener, scheme: str) -> None:
    with Listener().up() as elsewhere:
        listener.status, listener.location = 307, elsewhere.url("taken")

        error = refused(listener.url("secret-topic", scheme))

        assert "sends elsewhere" in error.summary and not elsewhere.requests


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(500, Trouble.SERVER), (429, Trouble.LIMIT), (403, Trouble.SIGN_IN)],
)
def test_a_refusal_is_told_without_the_secret_in_it(
    listener: Listener, status: int, trouble: Trouble
) -> None:
    listener.status, listener.body = status, b"no such topic: secret-topic-0a1b"

    error = refused(listener.url("secret-topic-0a1b"))

    assert error.trouble is trouble
    assert error.summary == f"HTTP {status}: no such topic: [secret]"


def test_what_ntfy_answers_is_told_without_the_token(listener: Listener) -> None:
    listener.status, listener.body = 401, b"unauthorized: tk_abcdefgh12345678"

    error = refused(f"ntfy://tk_abcdefgh12345678@127.0.0.1:{listener.port}/backups")

    assert error.summary == "HTTP 401: unauthorized: [secret]"


@pytest.mark.parametrize("scheme", ["ntfy", "http"])
def test_a_service_that_drips_is_left_in_time(listener: Listener, scheme: str) -> None:
    listener.drips = True
    began = time.monotonic()

    error = refused(listener.url("topic", scheme), Patience(webhook_s=0.5, apprise_s=2.5))

    assert error.summary == "No answer in time."
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("scheme", ["ntfy", "http"])
def test_nobody_there_is_told_as_that(scheme: str) -> None:
    dead = Listener()
    dead.down()

    assert "Connection refused" in refused(dead.url("topic", scheme)).summary


def test_a_machine_that_starts_no_process_is_told_and_tried_again_soon(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)

    told = refused(f"ntfy://127.0.0.1:{listener.port}/backups")

    assert "could not be started: Resource temporarily" in told.summary
    assert told.trouble is Trouble.SERVER


def test_apprise_is_asked_if_it_can_read_a_url_and_nothing_is_sent(listener: Listener) -> None:
    messenger.check(alert_urls.read(listener.url("topic", "ntfy")))

    with pytest.raises(InvalidValue, match="not a valid URL of Telegram"):
        messenger.check(alert_urls.read("tgram://abc/def"))
    assert not listener.requests


def test_clear_text_and_link_local_addresses_are_refused_inside_apprise_too() -> None:
    # past the rule, as a URL changed in the database would be
    clear = alert_urls.AlertUrl("ntfy://ntfy.example.com/t", alert_urls.SERVICES["ntfy"], "")
    near = alert_urls.AlertUrl("ntfy://169.254.169.254/t", alert_urls.SERVICES["ntfy"], "")

    with pytest.raises(NotTakenError, match="clear text"):
        messenger.deliver(clear, FAILED, HASTY)
    with pytest.raises(NotTakenError, match="link-local"):
        messenger.deliver(near, FAILED, HASTY)


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefghijklmnopqrstuvwxyz_ABCDEFGH/12315544/",
        f"https://hooks.slack.com/services/T1234567A/B1234567B/{'x' * 24}",
        f"https://discord.com/api/webhooks/123456789012345678/{'x' * 30}",
        "gchat://space/key/token",
    ],
)
def test_words_with_signs_of_markup_are_text_there_and_call_nobody(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send(_: requests.Session, request: requests.PreparedRequest, **__: object) -> Response:
        sent.append(json.loads(request.body or ""))
        answer = Response()
        answer.status_code, answer._content, answer.request = 200, b"ok", request
        return answer

    monkeypatch.setattr(requests.Session, "send", send)
    found = alert_urls.read(url)
    words = {"title": "R&D <x> failed", "body": "1 object differs: <!here> @everyone <tag>."}
    asked = {"url": found.url, "plugin": found.service.plugin, "type": "failure", **words}

    assert child._answer(asked)["sent"]
    (one,) = sent
    text = json.dumps(one, ensure_ascii=False)
    assert "<!here" not in text and "@everyone" not in text
    if found.service.name in ("Telegram", "Slack"):
        assert "R&amp;D &lt;x&gt;" in text and "&lt;tag&gt;" in text
