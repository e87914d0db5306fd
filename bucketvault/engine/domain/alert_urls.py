"""The URL of a target of alerts: which service it means, its rule, and what of it may be shown.

A URL of Apprise, such as `ntfys://host/topic`, or a plain https address: that of a service that
Apprise knows by its host, else of a webhook, which gets our own JSON (docs/alerts.md). The URL is a
secret: no refusal repeats it. Knows no database.
"""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bucketvault.engine.domain.rules import (
    InvalidValue,
    check_address,
    did_you_mean,
    ip_address,
    is_near,
    text_of,
)
from bucketvault.engine.domain.setting_rules import ping_url_rule
from bucketvault.sanitize import clean
from bucketvault.vocabulary import AlertEvent

LONGEST_URL = 2000


class Service(NamedTuple):
    """A service that Apprise knows, and how its URLs look."""

    name: str
    plugin: str  # module and class in Apprise 2.3; others are found by asking all of its modules
    example: str
    has_host: bool = False  # the URL names a server; else its first part may be a token
    secure: str = ""  # the scheme to use instead where the first part of the URL is a server's


WEBHOOK = Service("Webhook", "", "https://example.com/hook", has_host=True)
_NTFY = Service("ntfy", "ntfy:NotifyNtfy", "ntfys://ntfy.example.com/backups", True)
_SLACK = Service("Slack", "slack:NotifySlack", "https://hooks.slack.com/services/T…/B…/…")
_DISCORD = Service(
    "Discord", "discord:NotifyDiscord", "https://discord.com/api/webhooks/1234…/abcd…"
)
_TELEGRAM = Service("Telegram", "telegram:NotifyTelegram", "tgram://BOT_TOKEN/CHAT_ID")
_PUSHOVER = Service("Pushover", "pushover:NotifyPushover", "pover://USER_KEY@API_TOKEN")
_GOTIFY = Service("Gotify", "gotify:NotifyGotify", "gotifys://gotify.example.com/TOKEN", True)
_MATRIX = Service(
    "Matrix", "matrix:NotifyMatrix", "matrixs://USER:PASSWORD@example.org/#room", True
)
_JSON = Service("JSON of Apprise", "custom_json:NotifyJSON", "jsons://example.com/hook", True)
_MATTERMOST = Service(
    "Mattermost", "mattermost:NotifyMattermost", "mmosts://mattermost.example.com/TOKEN", True
)
_ROCKET = Service(
    "Rocket.Chat", "rocketchat:NotifyRocketChat", "rockets://TOKEN/TOKEN@chat.example.com", True
)
_SIGNAL = Service("Signal", "signal_api:NotifySignalAPI", "signals://example.com/FROM/TO", True)
_HOME = Service(
    "Home Assistant", "home_assistant:NotifyHomeAssistant", "hassios://home.example.com/TOKEN", True
)
_GOOGLE_CHAT = Service("Google Chat", "google_chat:NotifyGoogleChat", "gchat://SPACE/KEY/TOKEN")
_TEAMS = Service("Microsoft Teams", "workflows:NotifyWorkflows", "workflows://HOST/ID/SIGNATURE")
EXAMPLES = (_NTFY, _SLACK, _DISCORD, _TELEGRAM, _PUSHOVER, _GOTIFY, _MATRIX, WEBHOOK)

SERVICES: Mapping[str, Service] = {
    "ntfys": _NTFY,
    "ntfy": _NTFY._replace(secure="ntfys"),
    "slack": _SLACK,
    "discord": _DISCORD,
    "tgram": _TELEGRAM,
    "pover": _PUSHOVER,
    "gotifys": _GOTIFY,
    "gotify": _GOTIFY._replace(secure="gotifys"),
    "matrixs": _MATRIX,
    "matrix": _MATRIX._replace(secure="matrixs"),
    "jsons": _JSON,
    "json": _JSON._replace(secure="jsons"),
    "mmosts": _MATTERMOST,
    "mmost": _MATTERMOST._replace(secure="mmosts"),
    "rockets": _ROCKET,
    "rocket": _ROCKET._replace(secure="rockets"),
    "signals": _SIGNAL,
    "signal": _SIGNAL._replace(secure="signals"),
    "hassios": _HOME,
    "hassio": _HOME._replace(secure="hassios"),
    "gchat": _GOOGLE_CHAT,
    "workflows": _TEAMS,
    "workflow": _TEAMS,
}
OF_HOSTS: Mapping[str, Service] = {  # whose own https addresses Apprise takes
    "ntfy.sh": _NTFY,
    "hooks.slack.com": _SLACK,
    "discord.com": _DISCORD,
    "discordapp.com": _DISCORD,
    "chat.googleapis.com": _GOOGLE_CHAT,
}
# They show something on this machine, or speak without HTTP: none of our checks would see it.
UNHEARD = frozenset(
    {
        *("dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows", "blink1", "growl"),
        *("syslog", "rsyslog", "mqtt", "mqtts", "smpp", "smpps", "irc", "ircs", "xmpp", "xmpps"),
        *("aprs", "dapnet", "deltachat", "deltachats", "amqp", "amqps"),
    }
)
MAIL = frozenset({"mailto", "mailtos"})


@dataclass(frozen=True, slots=True)
class AlertUrl:
    """A URL that its rule has taken."""

    url: str
    service: Service
    host: str  # empty: it names none

    @property
    def shown(self) -> str:
        """Return what of it may be shown: `ntfy, ntfy.example.com`; never more."""
        return f"{self.service.name}, {self.host}" if self.host else self.service.name

    @property
    def secrets(self) -> list[str]:
        """Return the parts that no text may repeat."""
        parts = re.split(r"[/&=:@?#,]+", self.url)
        told = {word for part in parts for word in (part, urllib.parse.unquote(part))}
        return [self.url, *sorted(told - {self.host.rpartition(":")[0], self.host})]


def alert_url_rule(value: object) -> str:
    """A URL of Apprise, or the https address of a service or a webhook."""
    return read(value).url


def read(value: object) -> AlertUrl:
    """Return what a URL means. Raises InvalidValue; Apprise may refuse it all the same."""
    url = text_of(value).strip()
    if not url:
        raise InvalidValue(f"Enter the URL of the service, such as {_NTFY.example}.")
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidValue("The URL is too long, or contains a space or another invalid character.")
    found = re.match(r"([a-z][a-z0-9]*)://", url, re.IGNORECASE)
    if found is None:
        raise InvalidValue(
            f"Begin the URL with the service, such as {_NTFY.example}, or with https://."
        )
    scheme = found[1].lower()
    if scheme in ("http", "https"):
        return _web_address(url)
    if scheme in MAIL:
        raise InvalidValue("Email is set up under Email alerts, above.")
    if scheme in UNHEARD:
        raise InvalidValue(
            f"{scheme}:// is not supported: alerts go out over HTTP. Choose another service."
        )
    service = SERVICES.get(scheme, Service(scheme, "", ""))
    _check_options(url)
    host, port = _host_of(url, service)
    if service.secure and host and not is_near(host):
        raise InvalidValue(
            f"Write {service.secure}://, which is encrypted. {scheme}:// is for localhost and "
            "private addresses such as 192.168.1.10 only."
        )
    shown = f"[{host}]" if ":" in host else host
    return AlertUrl(url, service, f"{shown}:{port}" if port else shown)


def _web_address(url: str) -> AlertUrl:
    taken = ping_url_rule(url)
    parts = urllib.parse.urlsplit(taken)
    host = (parts.hostname or "").lower()
    service = OF_HOSTS.get(host)
    if service is None:
        return AlertUrl(taken, WEBHOOK, parts.netloc.lower())
    _check_options(taken)
    return AlertUrl(taken, service, "")


def _check_options(url: str) -> None:
    """Refuse options of Apprise that would undo what every alert keeps to."""
    given = {key.lower() for key, _ in urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)}
    if "verify" in given:
        raise InvalidValue(
            "Remove verify: certificates are always checked. For one of your own authority "
            "start bucketvault with SSL_CERT_FILE."
        )
    if "redirect" in given:
        raise InvalidValue("Remove redirect: no redirect is followed. Enter the final address.")
    if given & {"retry", "wait", "cto", "rto"}:
        raise InvalidValue("Remove retry, wait, cto and rto: bucketvault has its own times.")


def _host_of(url: str, service: Service) -> tuple[str, int | None]:
    """Return host and port of a URL that names a server; an empty host: it names none."""
    if not service.has_host:
        return "", None
    parts = urllib.parse.urlsplit(url)
    try:
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidValue(
            f"The host or port cannot be read. Write it as in {service.example}."
        ) from error
    if not host:
        raise InvalidValue(f"The URL names no server. Write it as in {service.example}.")
    if service.name == _NTFY.name and not parts.path.strip("/"):
        return "", None  # ntfy://topic: at ntfy.sh, and encrypted
    address = ip_address(host)
    if address is not None:
        check_address(address)
    return host, port


def not_understood(found: AlertUrl) -> str:
    """Return why Apprise cannot use a URL, for the field of it."""
    name = found.service.name
    if found.service.example:
        return f"This is not a valid URL of {name}. It looks like {found.service.example}."
    near, shown = did_you_mean(name, SERVICES), clean(name, limit=40)
    return f"{shown}:// is no known service, or its URL is not complete.{near}"


EVENT_WORDS: Mapping[AlertEvent, str] = {
    AlertEvent.FAILED: "failed",
    AlertEvent.HELD: "held for approval",
    AlertEvent.OVERDUE: "overdue",
    AlertEvent.RECOVERED: "works again",
    AlertEvent.DAMAGED: "found damage",
    AlertEvent.PROGRAM: "pages cannot be opened",
    AlertEvent.WEEKLY: "weekly report",
}


def events_rule(value: object) -> tuple[AlertEvent, ...]:
    """The events of a target, each once and in their usual order; nothing given: all."""
    if value is None:
        return tuple(AlertEvent)
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise InvalidValue('Write the events as a list, such as ["failed", "held"].')
    known = [str(event) for event in AlertEvent]
    for each in value:
        if each not in known:
            raise InvalidValue(f"Choose from {', '.join(known)}.{did_you_mean(each, known)}")
    if not value:
        raise InvalidValue("Choose at least one event.")
    return tuple(event for event in AlertEvent if event in value)
