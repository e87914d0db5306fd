"""Pings to services that watch: their forms, what their answers mean, and how the last one went."""

import json
import re
import urllib.parse
from dataclasses import asdict, dataclass
from enum import StrEnum

from bucketvault.engine.alerts import calling
from bucketvault.engine.alerts.calling import Answer
from bucketvault.sanitize import Redactor, clean
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Setting
from bucketvault.vocabulary import Topic

ANSWER_S = 10.0
PROGRAM = "program_ping"  # a row of the settings: how the last ping of the program went
KUMA = "/api/push/"  # uptime.kuma: GET /api/push/TOKEN?status=up&msg=OK&ping=
KUMA_CHARACTERS = 250  # of `msg`; it is a part of the address
BODY_BYTES = 10_000  # Healthchecks keeps 100 kB (healthchecks.io/docs/attaching_logs)


class Sign(StrEnum):
    """Message of a ping about a run; by the names of Healthchecks."""

    START = "start"
    SUCCESS = ""
    FAIL = "fail"


def ping(url: str, sign: Sign, words: str, answer_s: float = ANSWER_S) -> tuple[bool, str]:
    """Tell the service at `url` of a run: True if it heard, and its answer in words."""
    address, body = form_of(url, sign, words)
    return judge(url, calling.call(address, answer_s, body))


def hears_starts(url: str) -> bool:
    """True if the service at `url` has a form for the start of a run."""
    return KUMA not in urllib.parse.urlsplit(url).path


def form_of(url: str, sign: Sign, words: str) -> tuple[str, bytes | None]:
    """Return the address to call, and the body to post; None: by GET.

    Healthchecks has `/start` and `/fail` below the address of a check, and keeps the body
    (healthchecks.io/docs/http_api); Uptime Kuma has `status` and `msg`.
    """
    parts = urllib.parse.urlsplit(url)
    if not hears_starts(url):
        known = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        given = {key: value for key, value in known if key not in ("status", "msg")}
        given |= {
            "status": "down" if sign is Sign.FAIL else "up",
            "msg": clean(words, limit=KUMA_CHARACTERS) or "OK",
        }
        query = urllib.parse.urlencode(given)
        return urllib.parse.urlunsplit(parts._replace(query=query)), None
    path = parts.path.rstrip("/")
    path = f"{path}/{sign}" if sign else parts.path
    address = urllib.parse.urlunsplit(parts._replace(path=path))
    return address, None if sign is Sign.START else words.encode()[:BODY_BYTES]


def call(url: str, answer_s: float = 10.0) -> tuple[bool, str]:
    """Call `url`: True if it took the ping, and its answer."""
    return judge(url, calling.call(url, answer_s))


def judge(url: str, answer: Answer) -> tuple[bool, str]:
    """Return whether the service at `url` took a ping, by its answer, and that in words."""
    if answer.problem:
        return False, answer.problem
    if 300 <= answer.status < 400:
        return False, f"HTTP {answer.status}: {calling.ELSEWHERE}"
    if not 200 <= answer.status < 300:
        return False, f"HTTP {answer.status}"
    if refusal := unheard(answer.body):
        said = Redactor(_secrets_of(urllib.parse.urlsplit(url))).text(refusal)
        words = (
            f"HTTP {answer.status}, but the heartbeat was not accepted: {clean(said, limit=100)}"
        )
        return False, words
    return True, f"HTTP {answer.status}"


def unheard(body: str) -> str:
    """Return the words of a service that answered well and took no ping; empty: it took it.

    Healthchecks says `OK (not found)` or `OK (rate limited)` with status 200
    (healthchecks.io/docs/http_api, "Response"); Uptime Kuma `{"ok":false,"msg":...}`.
    """
    said = body.strip()
    if said.startswith("OK (") and said.endswith(")"):
        return said
    if said.startswith("{"):
        try:
            found = json.loads(said)
        except (ValueError, RecursionError):
            return ""
        if found.get("ok") is False:
            return str(found.get("msg") or "ok is false")
    return ""


def _secrets_of(parts: urllib.parse.SplitResult) -> list[str]:
    """Return the parts of an address by which a service knows whose ping it is."""
    return re.split("[/&=]", f"{parts.path}&{parts.query}")


# ---- how the last ping of the program went, for every process


@dataclass(frozen=True, slots=True)
class Heard:
    """Result of the last ping of the program, and what the service said."""

    heard: bool
    answer: str


def program() -> Heard | None:
    """Return how the last ping of the program went; None: there was none."""
    with connection():
        row = Setting.get_or_none(Setting.key == PROGRAM)
    return Heard(**json.loads(row.value)) if row is not None else None


def note_program(answer: str, *, heard: bool | None) -> None:
    """Note how the last ping of the program went; `heard` None: none is sent any more."""
    now = None if heard is None else Heard(heard, answer)
    if program() == now:
        return
    with writing(Topic.MAIL, Topic.BACKUPS):
        if now is None:
            Setting.delete().where(Setting.key == PROGRAM).execute()
        else:
            row = {"key": PROGRAM, "value": json.dumps(asdict(now))}
            Setting.insert(**row).on_conflict_replace().execute()
