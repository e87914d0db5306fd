"""Read one answer of S3's ListObjectsV2: a whole page of a listing, or an error; nothing between.

"Could not look" is never "empty". A folder that answers 200 with an HTML page, with no body or with
`<Error>` is an empty folder to rclone 1.75.2, which then removes that folder from the copy.

Most answers are flat, and two regular expressions read a thousand keys in 2 ms, four times as fast
as expat. What they do not cover to the last byte is read by a real XML parser.
"""

import functools
import re
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bucketvault.errors import BucketvaultError

LARGEST = 2**63 - 1


class Entry(NamedTuple):
    """One listed object. `key` is UTF-8 below the listed prefix, in the order in which S3 lists."""

    key: bytes
    size: int  # bytes
    etag: str  # without quotes
    modified: str  # UTC, ISO 8601 as the service wrote it
    storage_class: str = ""


class Page(NamedTuple):
    """Up to 1,000 objects, and the token that continues the listing; None: it is whole.

    `folders` are below the listed prefix, each with a slash at its end; none unless asked for.
    """

    entries: list[Entry]
    token: str | None
    folders: tuple[bytes, ...] = ()


class NoListingError(BucketvaultError):
    """An answer is no listing of what was asked for. Nothing follows about what is there."""


def read_page(body: bytes, prefix: str, *, grouped: bool = False) -> Page:
    """Return the page that `body`, the answer to a request for `prefix`, holds.

    `grouped`: what lies deeper was asked for as folders (`delimiter`). Raises NoListingError unless
    it is a `ListBucketResult` for that prefix which says whether it is whole, holds as many entries
    as it says, and only keys below the prefix.
    """
    try:
        return _page(body, prefix, grouped=grouped)
    except UnicodeDecodeError as error:
        raise NoListingError("The response is not valid S3.") from error


def _page(body: bytes, prefix: str, *, grouped: bool) -> Page:
    flat = _flat(body)
    table, envelope, raw_folders = (*flat, []) if flat else _parsed(body, grouped=grouped)
    encoded = envelope.get("EncodingType") == "url"  # some servers ignore that it was asked for
    begin = prefix.encode()
    if _decoded(envelope.get("Prefix", "").encode(), encoded) != begin:
        raise NoListingError("The response lists a different folder than requested.")
    entries = _entries(table, begin, encoded)
    # S3 counts folders, too
    counts = {str(len(entries)), str(len(entries) + len(raw_folders))}
    if "KeyCount" in envelope and envelope["KeyCount"] not in counts:
        raise NoListingError("The response contains fewer or more objects than it says.")
    folders = tuple(_below([_decoded(raw, encoded) for raw in raw_folders], begin))
    match envelope.get("IsTruncated"), envelope.get("NextContinuationToken"):
        case "false", _:
            return Page(entries, None, folders)
        case "true", str(token) if token:
            return Page(entries, token, folders)
    raise NoListingError("The response does not say whether the listing ends here.")


# ---- what is inside a page

_Table = Mapping[str, Sequence[bytes]]  # the column of each element, all of one length
_NEEDED = ("Key", "Size", "ETag", "LastModified")
_LACKING = "The response has an object without key, size, ETag or date."


def _entries(table: _Table, prefix: bytes, encoded: bool) -> list[Entry]:
    """Return the objects. Columns are checked as wholes: row by row takes twice as long."""
    if not table:
        return []
    try:
        keys, sizes = table["Key"], list(map(int, table["Size"]))
        etags = [_text(raw) for raw in table["ETag"]]
        dates = [raw.decode("ascii") for raw in table["LastModified"]]
    except (KeyError, ValueError) as error:
        raise NoListingError(_LACKING) from error
    signs = b"".join(keys)
    if b"&" in signs or (encoded and (b"%" in signs or b"+" in signs)):
        keys = [_decoded(key, encoded) for key in keys]
    below = _below(keys, prefix)
    are_dates = all(date[10:11] == "T" and len(date) >= 19 for date in dates)
    if min(sizes) < 0 or max(sizes) > LARGEST or not are_dates:
        raise NoListingError("The response has an object with an impossible size or date.")
    classes = [each.decode("ascii", "replace") for each in table.get("StorageClass", ())]
    for texts in (etags, dates, classes):
        if not "".join(texts).isprintable():  # ledger and plan keep them in lines
            raise NoListingError(
                "The response has an object with an impossible ETag, date or class."
            )
    bare = [etag.strip('"') for etag in etags]
    return list(map(Entry, below, sizes, bare, dates, classes or [""] * len(keys)))


def _below(keys: Sequence[bytes], prefix: bytes) -> Sequence[bytes]:
    """Return keys without the prefix that was asked for."""
    if not all(key.startswith(prefix) for key in keys):
        raise NoListingError("The response lists an object outside the requested folder.")
    cut = len(prefix)
    return [key[cut:] for key in keys] if cut else keys


def _decoded(raw: bytes, encoded: bool) -> bytes:
    """Return a key as it is: `encoding-type=url` writes blanks as `+`, as a form would."""
    if b"&" in raw:
        raw = _text(raw).encode("utf-8", "surrogatepass")
    if not encoded:
        return raw
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" not in raw:
        return raw
    if re.search(rb"%(?![0-9A-Fa-f]{2})", raw):
        raise NoListingError("The response says that its keys are URL-encoded, but one is not.")
    return urllib.parse.unquote_to_bytes(raw)


_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(\w+));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def _text(raw: bytes) -> str:
    """Return text without references, also those that XML 1.0 forbids, such as `&#1;`."""
    text = raw.decode("utf-8").replace("&quot;", '"')  # around each ETag
    return _REFERENCE.sub(_resolved, text) if "&" in text else text


def _resolved(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name:
        if name not in _NAMED:
            raise NoListingError("The response uses an entity that S3 does not have.")
        return _NAMED[name]
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if number > 0x10FFFF:
        raise NoListingError("The response contains an invalid character.")
    return chr(number)


# ---- flat answers

_OPENING = re.compile(rb"\s*(?:<\?xml[^<>]*\?>)?\s*<ListBucketResult(?: [^<>]*)?>\s*")
_CLOSING = re.compile(rb"\s*</ListBucketResult>\s*")
_ELEMENT = re.compile(rb"\s*<(\w+)(?:>([^<]*)</\1|/)>\s*")
_FIRST_ROW = re.compile(rb"<Contents>\s*((?:<(\w+)>[^<]*</\2>\s*)+)</Contents>")


def _flat(body: bytes) -> tuple[_Table, dict[str, str]] | None:
    """Return table and envelope of an answer whose rows are all built like the first; else None."""
    table: _Table = {}
    if first := _FIRST_ROW.search(body):
        names = tuple(match[1] for match in _ELEMENT.finditer(first[1]))
        pattern = _row_pattern(names)
        columns = zip(*pattern.findall(body), strict=True)
        table = dict(zip((name.decode() for name in names), columns, strict=False))
        body = pattern.sub(b"", body)
    if not (opening := _OPENING.match(body)):
        return None
    envelope, at = {}, opening.end()
    while element := _ELEMENT.match(body, at):
        if element[1] in (b"Contents", b"CommonPrefixes"):
            return None
        envelope[element[1].decode()] = _text(element[2] or b"")
        at = element.end()
    return (table, envelope) if _CLOSING.fullmatch(body, at) else None


@functools.lru_cache(maxsize=64)
def _row_pattern(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    inside = rb"\s*".join(rb"<%b>([^<]*)</%b>" % (name, name) for name in names)
    return re.compile(rb"\s*<Contents>\s*" + inside + rb"\s*</Contents>\s*")


# ---- any other answer


def is_declaring(body: bytes) -> bool:
    """True if an answer is a web page, or has entities, which may grow: no XML parser gets it."""
    return b"<!DOCTYPE" in body or b"<!ENTITY" in body


def parsed(body: bytes, kind: str, otherwise: str) -> tuple[ET.Element, str]:
    """Return the root of an answer of this kind, and how the tags in it begin: with its namespace.

    Raises NoListingError, which says `otherwise` where it is another kind.
    """
    if is_declaring(body):
        raise NoListingError("The response is not valid S3.")
    try:
        root = ET.fromstring(body)  # noqa: S314  nothing is declared in it
    except ET.ParseError as error:
        raise NoListingError("The response is not valid S3.") from error
    space, _, found = root.tag.rpartition("}")
    if found != kind:
        raise NoListingError(otherwise)
    return root, f"{space}}}" if space else ""


def _parsed(body: bytes, *, grouped: bool) -> tuple[_Table, dict[str, str], list[bytes]]:
    root, begin = parsed(body, "ListBucketResult", "The response is not a listing.")
    envelope: dict[str, str] = {}
    rows: list[dict[str, bytes]] = []
    folders: list[bytes] = []
    for child in root:
        name = child.tag.removeprefix(begin)
        if name == "CommonPrefixes":
            if not grouped:
                raise NoListingError(
                    "The response groups objects into folders, which was not requested."
                )
            texts = (each.text or "" for each in child.iter(f"{begin}Prefix"))
            folders += (_as_raw(text) for text in texts)
            continue
        if name != "Contents":
            envelope[name] = child.text or ""
            continue
        parts = {part.tag.removeprefix(begin): part.text or "" for part in child}
        rows.append({title: _as_raw(text) for title, text in parts.items()})
    if not rows:
        return {}, envelope, folders
    try:
        table = {title: [row[title] for row in rows] for title in _NEEDED}
    except KeyError as error:
        raise NoListingError(_LACKING) from error
    table["StorageClass"] = [row.get("StorageClass", b"") for row in rows]
    return table, envelope, folders


def _as_raw(text: str) -> bytes:
    """Return text as it is sent: `&` is the only sign that `_text` would take for more."""
    return text.replace("&", "&amp;").encode()
