"""`python -I child.py`: hand one alert to Apprise, in a process that ends with it.

Apprise is other people's code for two hundred services: it reads the URL, which is a secret, and
speaks to the network. Here it can be ended at any moment, its log goes nowhere, it follows no
redirect, and its connections keep to the rules of our own. What is to be done comes on standard
input, what came of it goes to standard output, both as JSON.
"""

import importlib
import json
import logging
import re
import resource
import socket
import sys
import urllib.parse
from typing import Any

from bucketvault.engine.domain.rules import is_near
from bucketvault.engine.peers import refuse_address

ANSWER_S = 10.0  # for one answer of a service; the parent waits for the whole
MEMORY_BYTES = 1024**3  # an answer without end must not take the machine's
SAID_CHARACTERS = 500
_CALLS = re.compile(r"@(?=(?:everyone|here|channel|all)\b)|<(?=[!@#]|users/)", re.IGNORECASE)

Json = dict[str, Any]


def main() -> None:
    """Read one request, answer it."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    _guard_sockets()
    try:
        answer = _answer(asked)
    except Exception as error:  # an edge: a plugin may raise anything, with the URL in its words
        answer = {"fault": type(error).__name__}
    json.dump(answer, sys.stdout)


def _answer(asked: Json) -> Json:
    seen: Json = {}
    _guard_requests(seen)
    target = _target(asked["url"], asked["plugin"])
    if target is None:
        return {"understood": False}
    if asked["title"] is None:
        return {"understood": True}
    from apprise import Apprise, NotifyFormat, NotifyType, OverflowMode

    target.overflow_mode = OverflowMode.TRUNCATE  # one alert is one message
    one = Apprise(asset=target.asset)
    one.add(target)
    # as text, so that it is escaped for a service that takes markup: Telegram refuses a bare `<`
    sent = one.notify(
        title=_calling_nobody(asked["title"]),
        body=_calling_nobody(asked["body"]),
        notify_type=NotifyType(asked["type"]),
        body_format=NotifyFormat.TEXT,
    )
    return {"understood": True, "sent": bool(sent), **seen}


def _calling_nobody(text: str) -> str:
    """Return `text` so that a name in it, such as `@everyone`, calls nobody in a chat."""
    return _CALLS.sub("\\g<0>\u200b", text)


def _target(url: str, plugin: str) -> Any:  # Any: one of Apprise's two hundred classes
    """Return Apprise's own object for `url`; None: it cannot be read."""
    import apprise

    asset = apprise.AppriseAsset(app_id="bucketvault", http_redirects=False)
    if not plugin:  # reads all of its modules, which takes seconds
        return apprise.Apprise.instantiate(url, asset=asset)
    module, name = plugin.split(":")
    known = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    native = url.lower().startswith("https://")
    found = known.parse_native_url(url) if native else known.parse_url(url)
    if not found:
        return None
    try:
        return known(**found, asset=asset)
    except TypeError:  # what Apprise raises for parts that cannot be
        return None


def _guard_sockets() -> None:
    """Let no connection lead to a link-local address, whoever opens it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple):
            refuse_address(str(address[0]), str(address[0]))
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]


def _guard_requests(seen: Json) -> None:
    """Note in `seen` how each request ended; refuse clear text to far hosts, and redirects."""
    import requests

    send = requests.Session.send

    def guarded(self: Any, request: Any, **options: Any) -> Any:
        seen.clear()
        if request.url.lower().startswith("http://"):
            host = urllib.parse.urlsplit(request.url).hostname or ""
            if not is_near(host):
                seen["problem"] = "clear"
                raise requests.exceptions.InvalidSchema("clear text")
        options.update(timeout=ANSWER_S, allow_redirects=False)
        try:
            answer = send(self, request, **options)
        except requests.exceptions.Timeout:
            seen["problem"] = "timeout"
            raise
        except requests.exceptions.SSLError:
            seen["problem"] = "tls"
            raise
        except requests.exceptions.RequestException as error:
            seen.update(problem="unreachable", why=_cause(error))
            raise
        seen["status"] = answer.status_code
        if not answer.ok:
            seen["said"] = answer.text[:SAID_CHARACTERS]
        return answer

    requests.Session.send = guarded  # type: ignore[method-assign]


def _cause(error: BaseException) -> str:
    """Return what the system said, without any address: the innermost error that has words."""
    words, known, pending = "", set(), [error]
    while pending:
        found = pending.pop()
        known.add(id(found))
        if isinstance(found, OSError) and found.strerror:
            words = str(found.strerror)
        inner = (found.__cause__, found.__context__, getattr(found, "reason", None), *found.args)
        pending += [e for e in inner if isinstance(e, BaseException) and id(e) not in known]
    return words


if __name__ == "__main__":
    main()
