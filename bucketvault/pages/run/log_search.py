"""Searching a log for what people read in it.

A million lines are not put into words for that: first each chunk is asked, at the speed of bytes,
whether it may hold such a line; only then its lines are read as people read them.
"""

import functools
import json
import re
from zoneinfo import ZoneInfo

from bucketvault.engine.runs.plan_log import SENTENCES
from bucketvault.engine.views.log_text import (
    LINE_WORDS,
    REWORDED,
    WHOLE_CHARACTERS,
    describe_log_line,
    log_time,
    size_suffix,
)
from bucketvault.vocabulary import LineKind

_SIZES = re.compile(rb'"size":(\d{1,19})[,}]')
_STAMPS = re.compile(
    rb'^\{"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)[^"]*?(Z|[+-]\d\d:\d\d)"', re.MULTILINE
)
# What people read otherwise than rclone wrote it: signs that `clean` makes visible, and escapes but
# those of quotes and backslashes, which are sought as they are written.
_SIGNS = (
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xcd\x8f|\xd8\x9c"
    rb"|\xe1(?:\x85[\x9f\xa0]|\x9e[\xb4\xb5]|\xa0[\x8b-\x8f])"
    rb"|\xe2(?:\x80[\x8b-\x8f\xa8-\xae]|\x81[\xa0-\xaf]|\xa0\x80)|\xe3\x85\xa4"
    rb"|\xed[\xa0-\xbf]|\xef(?:\xb8[\x80-\x8f]|\xbb\xbf|\xbe\xa0|\xbf[\xb0-\xbb])"
    rb"|\xf0(?:\x93[\x90\x91]|\x96\xbf\xa4|\x9b\xb2|\x9d\x85)|\xf3\xa0"
)
_OTHER_SIGN = re.compile(_SIGNS)
_OTHER_NAME = re.compile(rb'"object":"[^"\\]*\\')
_OTHER_MESSAGE = re.compile(rb'\\[^"\\]|[\x00-\x09\x0b-\x1f]')
_OTHER_LINE = re.compile(rb'\\[^"\\]|[\x00-\x1f]|' + _SIGNS)
_MESSAGES = frozenset(LineKind) - {*LINE_WORDS, LineKind.PROGRESS}  # shown in rclone's own words
_OBJECT = re.compile(rb'"object":"((?:[^"\\]|\\.)*)"')
_OURS = b'"bucketvault":'  # such a line has words of its own
_SIZE_LIKE = re.compile(r"(.*,)? ?[\d.]*( ?[kmgtpe]?b?)?", re.DOTALL)
_TIME_LIKE = re.compile(r"[\d:]{1,8}")


class Shown:
    """Finds `text` in a line's time, object or words: what is counted can be seen."""

    def __init__(self, text: str, zone: ZoneInfo, *, progress: bool = False) -> None:
        self._text = text.casefold()
        self._ascii = text.isascii()
        self._zone = zone
        self._progress = progress  # lines of progress are rows, too
        as_logged = json.dumps(text, ensure_ascii=False)[1:-1]  # quotes are escaped there
        self._raw = {part.casefold().encode() for part in (text, as_logged)}
        self._kinds = bytes({kind for kind, said in LINE_WORDS.items() if self._text in said})
        self._others = bytes(set(LineKind) - {LineKind.PROGRESS, *self._kinds})
        # of a search that begins in the words before a size, such as "(new), 3.0 MB": what follows
        words = [*LINE_WORDS.values(), *map(str.casefold, SENTENCES)]
        cuts = range(1, len(self._text))
        self._rests = tuple(
            {self._text[n:] for n in cuts for said in words if said.endswith(self._text[:n])}
        )
        self._sizes = functools.lru_cache(maxsize=4096)(self._in_size)
        self._times = functools.lru_cache(maxsize=4096)(self._in_time)
        self._size_like = _SIZE_LIKE.fullmatch(self._text) is not None
        self._time_like = _TIME_LIKE.fullmatch(self._text) is not None

    def may_hold(self, data: bytes, kinds: bytes) -> bool:
        """True if one of these lines may match."""
        if self._progress and LineKind.PROGRESS in kinds:
            return True
        if any(kind in kinds for kind in self._kinds):
            return True
        if self._as_it_is(data) or any(word in data for word in REWORDED):
            return True
        if _reads_otherwise(data, kinds):
            return True
        if self._size_like and any(map(self._sizes, set(_SIZES.findall(data)))):
            return True
        return self._time_like and any(self._times(*found) for found in set(_STAMPS.findall(data)))

    def holds(self, line: bytes, kind: LineKind) -> bool:
        """True if this line matches."""
        if (
            kind in self._others
            and not self._as_it_is(_readable(line, kind))
            and not (self._size_like or self._time_like or _has_other_signs(line))
            and not any(word in line for word in REWORDED)
        ):
            return False  # its words are known, or are with its name in the raw line
        told = describe_log_line(line, self._zone, kind, limit=WHOLE_CHARACTERS)
        return any(self._text in part.casefold() for part in (told.time, told.object, told.text))

    def _as_it_is(self, data: bytes) -> bool:
        if self._ascii and data.isascii():
            small = data.lower()
        else:
            small = data.decode(errors="replace").casefold().encode()
        return any(raw in small for raw in self._raw)

    def _in_size(self, digits: bytes) -> bool:
        suffix = size_suffix(int(digits)).lower()
        return self._text in suffix or suffix.startswith(self._rests)

    def _in_time(self, stamp: bytes, offset: bytes) -> bool:
        return self._text in log_time((stamp + offset).decode(), self._zone)


def _has_other_signs(line: bytes) -> bool:
    if line.isascii() and b"\\" not in line and line.decode().isprintable():
        return False  # as nearly all lines, and the quicker answer
    return _OTHER_LINE.search(line) is not None


def _readable(line: bytes, kind: LineKind) -> bytes:
    """Return the part of a line that people may read as it is: only the name where words are ours.

    Else "copy" would be sought closely in each line, for the name of rclone's source file in it.
    """
    if kind not in LINE_WORDS or _OURS in line:
        return line
    found = _OBJECT.search(line)
    return found[1] if found else b""


def _reads_otherwise(data: bytes, kinds: bytes) -> bool:
    """True if one of these lines may have letters for people that it has not in the log."""
    if b"\x7f" in data if data.isascii() else _OTHER_SIGN.search(data):
        return True
    if _OTHER_NAME.search(data):
        return True
    return any(kind in kinds for kind in _MESSAGES) and _OTHER_MESSAGE.search(data) is not None
