"""Which service a URL of alerts means, what of it may be shown, and what is refused."""

import pytest

from bucketvault.engine.domain.alert_urls import EXAMPLES, events_rule, read
from bucketvault.engine.domain.rules import InvalidValue
from bucketvault.vocabulary import AlertEvent


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ntfy://localhost:8090/backups", "ntfy, localhost:8090"),
        ("ntfys://tk_secret0@ntfy.example.com/backups", "ntfy, ntfy.example.com"),
        ("ntfy://secret-topic", "ntfy"),
        ("https://ntfy.sh/secret-topic", "ntfy"),
        ("https://hooks.slack.com/services/T0/B0/secret", "Slack"),
        ("slack://T0/B0/secret", "Slack"),
        ("https://discord.com/api/webhooks/1/secret", "Discord"),
        ("tgram://1:secret/2", "Telegram"),
        ("pover://user@token", "Pushover"),
        ("gotifys://gotify.example.com/secret", "Gotify, gotify.example.com"),
        ("matrixs://me:secret@example.org/#room", "Matrix, example.org"),
        ("http://[::1]:8090/hook", "Webhook, [::1]:8090"),
        ("https://example.com/hook?token=secret", "Webhook, example.com"),
        ("bark://secret/of/others", "bark"),
    ],
)
def test_the_service_is_recognised_and_nothing_else_is_shown(url: str, shown: str) -> None:
    found = read(f" {url}\n")

    assert found.shown == shown and found.url == url
    assert "secret" not in found.shown


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "Enter the URL of the service"),
        ("ntfy.sh/topic", "Begin the URL with the service"),
        ("https://ntfy.sh/to pic", "a space or another"),
        ("http://example.com/hook", "https://"),
        ("ntfy://ntfy.example.com/topic", "Write ntfys://, which is encrypted."),
        ("gotify://169.254.169.254/token", "Link-local"),
        ("http://169.254.169.254/latest", "Link-local"),
        ("https://me:password@example.com/", "Remove the user and password."),
        ("mailto://me@example.com", "Email is set up"),
        ("dbus://", "not supported"),
        ("ntfys://ntfy.example.com/t?verify=no", "Remove verify"),
        ("https://discord.com/api/webhooks/1/2?redirect=yes", "Remove redirect"),
        ("slack://T/B/X?rto=600", "Remove retry, wait, cto and rto"),
        ("gotify://host:99999/t", "cannot be read"),
        ("ntfy://", "names no server"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason_and_never_repeated(
    url: str, why: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        read(url)

    assert why in str(caught.value)
    assert "password@" not in str(caught.value) and "169.254.169" not in str(caught.value)


def test_every_example_is_one_that_is_taken() -> None:
    assert [read(each.example.replace("…", "0")).service.name for each in EXAMPLES] == [
        each.name for each in EXAMPLES
    ]


def test_a_secret_of_a_url_is_known_in_each_of_its_parts_and_the_host_is_none() -> None:
    found = read("matrixs://me:pass%2Fword-0a1b@matrix.example.org/token-2c3d/#room")

    assert {"pass/word-0a1b", "token-2c3d"} <= set(found.secrets)
    assert "matrix.example.org" not in found.secrets


def test_events_are_all_unless_some_are_named() -> None:
    assert events_rule(None) == tuple(AlertEvent)
    assert events_rule(["overdue", "failed"]) == (AlertEvent.FAILED, AlertEvent.OVERDUE)
    for bad in ([], "failed", ["monthly"], [1]):
        with pytest.raises(InvalidValue):
            events_rule(bad)
