"""Names of objects as rclone says them, takes them, and cannot carry them (measured with 1.75.2).

With `encoding = Raw` a name is the key in what rclone's lib/encoder calls its standard encoding: a
control character, DEL, a segment `.` or `..` become lookalikes, and what looks like one of those is
quoted. Keys are bytes; a byte that is no UTF-8 stays as it is.
"""

import re

_QUOTE = "\u201b"
_SYMBOLS = 0x2400  # U+2400 is the symbol for NUL, and so on
_SPELLED = {chr(code): chr(_SYMBOLS + code) for code in range(0x20)}
_SPELLED |= {"\x7f": "\u2421"}
_MEANT = {symbol: plain for plain, symbol in _SPELLED.items()} | {"\uff0f": "/"}
_SPELLED |= {symbol: _QUOTE + symbol for symbol in (*_MEANT, _QUOTE)}

_DOTS = {".": "\uff0e", "..": "\uff0e\uff0e"}
_DOTS |= {dots: "".join(_QUOTE + dot for dot in dots) for dots in tuple(_DOTS.values())}
_DOTS_MEANT = {spelled: plain for plain, spelled in _DOTS.items()}

_ODD = "".join(map(re.escape, _SPELLED))
_TO_SPELL = re.compile(rf"[{_ODD}]")
_TO_READ = re.compile(rf"{_QUOTE}?[{_ODD}]")
_MAY_DIFFER = re.compile(rf"[{_ODD}]|(?:^|/)[.\uff0e]{{1,2}}(?:/|$)")


def spelled(key: bytes) -> str:
    """Return a key as rclone says it, and takes it in a list of names."""
    name = key.decode("utf-8", "surrogateescape")
    if not _MAY_DIFFER.search(name):
        return name
    return "/".join(
        _DOTS.get(part) or _TO_SPELL.sub(lambda found: _SPELLED[found[0]], part)
        for part in name.split("/")
    )


def meant(name: str) -> bytes:
    """Return the key that rclone says as `name`."""
    if _MAY_DIFFER.search(name):
        parts = (_DOTS_MEANT.get(part) or _TO_READ.sub(_read, part) for part in name.split("/"))
        name = "/".join(parts)
    return name.encode("utf-8", "surrogateescape")


def _read(found: re.Match[str]) -> str:
    text = found[0]
    return text[-1] if len(text) == 2 else _MEANT.get(text, text)


def is_odd(key: bytes) -> bool:
    """True if a list of names cannot carry it, and a filter may: a list trims and folds slashes."""
    return key.startswith(b"/") or key.endswith(b"/") or b"//" in key


def never_fits(key: bytes, size: int, *, below_path: bool) -> bool:
    """True if nothing can carry it: a folder's empty marker, or `//` inside and one end's path."""
    if key.endswith(b"/") and not size:
        return True
    return not key or (below_path and b"//" in key.lstrip(b"/"))
