"""Text from elsewhere, made safe to keep and to show: visible signs, no secrets, bounded length.

Object names, provider errors, mail servers' answers: everything that others wrote passes here once,
where it enters. What is stored as rclone's raw log passes only through the `Redactor`.
"""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable

MASK = "[secret]"

# Shorter values occur in ordinary words ("test", "admin"): masking them would garble the whole
# log and hide nothing. Real keys have 16 characters or more at every known provider.
SHORTEST_SECRET = 8

# Signs that draw nothing, or change the order of what is drawn: control characters, separators of
# lines; all that Unicode calls Default_Ignorable_Code_Point (DerivedCoreProperties.txt 16.0: soft
# hyphen, joiners, bidi marks, fillers of Hangul, variation selectors, tags), assigned yet or not;
# interlinear annotation, Egyptian format controls, lone surrogates; and what has a glyph that is
# empty: Braille's blank pattern, Khitan's filler, music's null notehead.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029"
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ufff9-\ufffb\U00013430-\U0001345f\ud800-\udfff"
    "\u2800\U00016fe4\U0001d159]"
)

# Persian words are joined with the first two, emoji with these: without them it is another name.
JOINERS = "\u200c\u200d\ufe0e\ufe0f"


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(text: str, *, limit: int = 2000) -> str:
    """`text` on one line with every sign that cannot be seen as a visible escape.

    Longer than `limit` characters, it is cut and ends with an ellipsis.
    """
    shown = _UNSEEN.sub(_visible, text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def clean_to_copy(text: str) -> str:
    """Text of several lines to copy from: as `clean`, but whole and with the joiners in words."""
    kept = f"\n{JOINERS}"
    return _UNSEEN.sub(lambda sign: sign[0] if sign[0] in kept else _visible(sign), text)


def has_control_characters(text: str, but_for: str = "") -> bool:
    """True if `text` holds anything that `clean` would have to make visible, `but_for` these."""
    return any(sign not in but_for for sign in _UNSEEN.findall(text))


def _json_as_go(text: str) -> str:
    """`text` inside a JSON string as Go's encoder writes it, safe inside HTML."""
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    return re.sub("[&<>]", lambda sign: f"\\u{ord(sign[0]):04x}", written)


def _spellings(secret: str) -> set[bytes]:
    """Return what a program may print for `secret`: plain, escaped, or encoded whole or in part."""
    data = secret.encode(errors="surrogatepass")
    words = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        _json_as_go(secret),
        urllib.parse.quote_plus(secret, errors="surrogatepass"),
    }
    words |= {urllib.parse.quote(secret, safe, errors="surrogatepass") for safe in ("", "/")}
    words |= {data.hex(), data.hex().upper()}
    for before in range(3):  # as in the base64 of `user:secret`, where it begins anywhere
        encoded = base64.b64encode(bytes(before) + data).decode()
        # without the letters that also hold bits of what is before and behind it
        begin = (0, 2, 3)[before]
        end = (before + len(data)) * 8 // 6
        words |= {encoded[begin:end], encoded[begin:end].translate(_URL_SAFE)}
    return {word.encode(errors="surrogatepass") for word in words}


_URL_SAFE = str.maketrans("+/", "-_")


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
            self._spellings |= _spellings(secret)
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
