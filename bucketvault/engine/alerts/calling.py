"""One HTTP request to an address of the user's, with its answer in words.

It follows no redirect, uses no proxy, never speaks to a link-local address, and ends in time
whatever the other side does.
"""

import http.client
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from bucketvault import __version__
from bucketvault.engine import peers
from bucketvault.engine.mail.smtp import total_timeout
from bucketvault.sanitize import clean

ANSWER_BYTES = 2048  # that are looked at
ELSEWHERE = "it sends elsewhere. Enter that address."
NO_ANSWER = "No answer in time."
NOT_TRUSTED = "Its certificate is not to be trusted"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: `status` with what it said, or `problem` in words where none came."""

    status: int = 0
    body: str = ""
    problem: str = ""


def call(
    url: str,
    answer_s: float,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask `url`, by POST where there is a `body`; blocks for at most about `answer_s`."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme.lower() == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=answer_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=answer_s)
    connection._create_connection = peers.connect  # type: ignore[attr-defined]  # noqa: SLF001
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    named = {"User-Agent": f"bucketvault/{__version__}", **(headers or {})}
    used: list[object] = []  # http.client forgets its socket before the body of a last answer
    with total_timeout(answer_s, lambda: connection.sock or (used or [None])[0]) as cut:
        try:
            connection.request("GET" if body is None else "POST", path, body, named)
            used.append(connection.sock)
            answer = connection.getresponse()
            said = "" if 300 <= answer.status < 400 else _words(answer)
            return Answer(problem=NO_ANSWER) if cut.is_set() else Answer(answer.status, said)
        except TimeoutError:
            return Answer(problem=NO_ANSWER)
        except ssl.SSLCertVerificationError as error:
            return Answer(problem=f"{NOT_TRUSTED}: {clean(error.verify_message)}.")
        except (OSError, http.client.HTTPException) as error:
            if cut.is_set():
                return Answer(problem=NO_ANSWER)
            said = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
            return Answer(problem=clean(said, limit=200))
        finally:
            connection.close()


def _words(answer: http.client.HTTPResponse) -> str:
    return answer.read(ANSWER_BYTES).decode(errors="replace")
