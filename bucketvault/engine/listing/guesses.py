"""Guess keys that may stand between two others, from the characters that were seen at each place.

Pure. A bad guess costs a request, and nothing else.
"""

from bisect import bisect_right
from typing import Protocol

_TOP = b"~"  # the last character of ASCII that is no control character
_PLACES = 8  # characters that a guess looks at
_DIGITS, _LOWER, _UPPER = (
    frozenset(text) for text in (b"0123456789", range(97, 123), range(65, 91))
)
_HEXADECIMAL = frozenset(b"abcdef")


class Span(Protocol):
    """Keys in a row, of which `last` is the newest known; `top` is a guess of where they end.

    None: nothing is known about that yet.
    """

    last: bytes
    top: bytes | None


class Guesses:
    """Keys that may stand between two others, from what the characters at each place were."""

    def __init__(self, keys: list[bytes]) -> None:
        self._seen: dict[int, set[int]] = {}
        self._symbols: dict[int, bytes] = {}
        self.learn(keys)
        # Is there anything behind all that begin with so much of what all have in common? With
        # less of it there is less; so the place is found by halving, and that is where keys go on.
        self._common = _common(keys[0], keys[-1])
        self._low, self._high = 0, len(self._common) + 1

    def learn(self, keys: list[bytes]) -> None:
        """Note which characters there are."""
        for key in keys[::10]:
            for at, symbol in enumerate(key):
                self._seen.setdefault(at, set()).add(symbol)
        self._symbols.clear()

    def tell(self, *, nothing: bool) -> None:
        """Take the answer to the newest guess in a range whose end was not known."""
        middle = (self._low + self._high) // 2
        if nothing:
            self._low = middle + 1
        else:
            self._high = middle

    def inside(self, one: Span) -> bytes | None:
        """Return a text between where a range is and its end; None: there is none."""
        while one.top is None:
            if self._low == self._high:
                one.top = self._common[: max(0, self._high - 1)] + _TOP
                break
            guess = self._common[: (self._low + self._high) // 2] + _TOP
            if guess > one.last and _is_text(guess):
                return guess
            self.tell(nothing=False)
        if one.top <= one.last:
            return None
        begin, tables = self._tables(one.last, one.top)
        number = (_number(one.last[begin:], tables) + _number(one.top[begin:], tables)) // 2
        guess = one.last[:begin] + _text(number, tables)
        return guess if one.last < guess < one.top and _is_text(guess) else None

    def share(self, first: bytes, last: bytes, top: bytes) -> float:
        """Return how much of the way from `first` to `top` is done at `last`, from 0 to 1."""
        begin, tables = self._tables(first, top)
        low, at, high = (_number(key[begin:], tables) for key in (first, last, top))
        return min(1.0, max(0.0, (at - low) / (high - low))) if high > low else 1.0

    def _tables(self, low: bytes, high: bytes) -> tuple[int, list[bytes]]:
        begin = len(_common(low, high))
        return begin, [self._symbols_at(at) for at in range(begin, begin + _PLACES)]

    def _symbols_at(self, at: int) -> bytes:
        if at not in self._symbols:
            seen = self._seen.get(at, set(b"0a"))
            may = set(seen)
            if digits := seen & _DIGITS:
                may |= _DIGITS
            if letters := seen & _LOWER:
                may |= _HEXADECIMAL if digits and letters <= _HEXADECIMAL else _LOWER
            if seen & _UPPER:
                may |= _UPPER
            self._symbols[at] = bytes(sorted(may))
        return self._symbols[at]


def _common(first: bytes, second: bytes) -> bytes:
    at = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    return first[: min(len(first), len(second)) if at is None else at]


def _is_text(guess: bytes) -> bool:
    return guess.decode("utf-8", "ignore").encode() == guess


# A text as a number: each place counts from 0, "nothing more", over its symbols to "behind them".


def _number(text: bytes, tables: list[bytes]) -> int:
    number = 0
    for at, table in enumerate(tables):
        rank = 0
        if at < len(text):
            rank = len(table) + 1 if text[at] > table[-1] else bisect_right(table, text[at])
        number = number * (len(table) + 2) + rank
    return number


def _text(number: int, tables: list[bytes]) -> bytes:
    ranks: list[int] = []
    for table in reversed(tables):
        number, rank = divmod(number, len(table) + 2)
        ranks.append(rank)
    text = bytearray()
    for table, rank in zip(tables, reversed(ranks), strict=True):
        if rank > len(table):
            text += _TOP
        if not 0 < rank <= len(table):
            break
        text += table[rank - 1 : rank]
    return bytes(text)
