"""Text from elsewhere, made safe to keep and to show: visible signs, no secrets, bounded length.

Object names, provider errors, mail servers' answers: everything that others wrote passes here once,
where it enters. What is stored as rclone's raw log passes only through the `Redactor`.
"""

import json
import re
import urllib.parse
from collections.abc import Iterable

MASK = "[secret]"

# Shorter values occur in ordinary words ("test", "admin"): masking them would garble the whole
# log and hide nothing. Real keys have 16 characters or more at every known provider.
SHORTEST_SECRET = 8

# C0, DEL, C1, zero-width signs, line and paragraph separators, bidi embeddings, overrides and
# isolates, the byte order mark, interlinear annotation, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)

# Persian words and some emoji are joined with the two: without them it is another name.
_IN_TEXTS = "\n\u200c\u200d"


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clean(text: str, *, limit: int = 2000) -> str:
    """`text` on one line with every control, bidi and zero-width sign as a visible escape.

    Longer than `limit` characters, it is cut and ends with an ellipsis.
    """
    shown = _UNSEEN.sub(_visible, text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def clean_to_copy(text: str) -> str:
    """Text of several lines to copy from: as `clean`, but whole and with the joiners in words."""
    return _UNSEEN.sub(lambda sign: sign[0] if sign[0] in _IN_TEXTS else _visible(sign), text)


def has_control_characters(text: str) -> bool:
    """True if `text` holds anything that `clean` would have to make visible."""
    return _UNSEEN.search(text) is not None


def _json_as_go(text: str) -> str:
    """`text` inside a JSON string as Go's encoder writes it, safe inside HTML."""
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    return re.sub("[&<>]", lambda sign: f"\\u{ord(sign[0]):04x}", written)


class Redactor:
    """Replaces known secrets in text, in each spelling a program may print them in."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: set[bytes] = set()
        self.replaced = 0  # how often something was masked, for the run's note about it
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on."""
        for secret in secrets:
            if len(secret) < SHORTEST_SECRET:
                continue
            spellings = {
                secret,
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
                _json_as_go(secret),
                urllib.parse.quote(secret, safe=""),
                urllib.parse.quote(secret),
                urllib.parse.quote_plus(secret),
            }
            self._spellings |= {spelling.encode() for spelling in spellings}
        # the longest first, so that a secret which contains another leaves nothing behind
        self._needles = tuple(sorted(self._spellings, key=len, reverse=True))
        joined = b"|".join(re.escape(needle) for needle in self._needles)
        self._pattern = re.compile(joined) if joined else None

    def raw(self, data: bytes) -> bytes:
        """`data` with each known secret replaced by a mask; unchanged data is returned as it is."""
        # plain searches first: nearly always there is nothing, and they are many times faster
        if self._pattern is None or not any(needle in data for needle in self._needles):
            return data
        masked, count = self._pattern.subn(MASK.encode(), data)
        self.replaced += count
        return masked

    def text(self, text: str) -> str:
        """The same for text."""
        if self._pattern is None:
            return text
        return self.raw(text.encode(errors="surrogatepass")).decode(errors="replace")
