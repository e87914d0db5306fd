"""Remove again all that a test wrote: objects, their versions, unfinished uploads.

Nothing else: a service may answer with more than it was asked for.
"""

import contextlib
import datetime as dt
import http.client
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import Bucket, ListingError, may_pass
from bucketvault.engine.listing.uploads import Uploads, age_of
from bucketvault.engine.probe.halt import Halt, HaltedError
from bucketvault.engine.probe.results import About, Finding, Found
from bucketvault.sanitize import clean

MOST_NAMED = 50
PAUSES_S = (0.0, 0.5, 1.5, 3.0)
PATIENCE_S = 2.0
LIMIT_S = 30.0
CUT_OFF = dt.timedelta(hours=1)  # a test takes two minutes at most
_TESTS = f"{ARCHIVE_ROOT}/probe-"
_OF_A_TEST = re.compile(re.escape(_TESTS).encode() + rb"[0-9a-f]{12}/")


class _OutsideError(ListingError):
    """Refusal of an answer that holds what is not of this test."""

    def __init__(self) -> None:
        super().__init__(200, "", "The response lists an object outside the folder of the test.")


class _Object(NamedTuple):
    key: bytes
    version: str  # empty: the current one
    size: int  # bytes


def remove(bucket: Bucket, folder: str, unlisted: Iterable[bytes], *, versioned: bool) -> Finding:
    """Remove everything below the folder of a test; return what is left of it.

    Then also what earlier tests left that the program's end cut off, as far as time allows.
    `unlisted` are keys that a listing of versions may not carry. `versioned`: the bucket has
    versions. Raises nothing: what cannot be removed, or not be looked for, is in the answer. Blocks
    for some seconds where the service needs them.
    """
    until = Halt(LIMIT_S)
    try:
        with Uploads(bucket, patience_s=PATIENCE_S) as uploads:
            _end_uploads(uploads, folder)
        with Asker(bucket, until.check, patience_s=PATIENCE_S) as asker:
            for key in unlisted:
                _remove_alone(asker, key)
            left = _removed(asker, folder, versioned=versioned)
            if not left:
                left = _removed_earlier(asker, versioned=versioned)
    except (ListingError, HaltedError) as error:
        code = f"{error.status or ''} {error.code}" if isinstance(error, ListingError) else ""
        where = clean(f"{bucket.name}/{folder}")
        return Finding(About.LEFT, Found.UNKNOWN, text=where, code=clean(code.strip(), limit=100))
    if not left:
        return Finding(About.LEFT, Found.NO)
    names = dict.fromkeys(f"{bucket.name}/{each.key.decode('utf-8', 'replace')}" for each in left)
    text = "\n".join(clean(name) for name in list(names)[:MOST_NAMED])
    return Finding(About.LEFT, Found.YES, sum(each.size for each in left), text)


def is_gone_for_good(asker: Asker, key: bytes, version: str) -> bool:
    """Remove one version; return True if it is not there any more. Raises HaltedError."""
    query = {"versionId": version}
    try:
        if not _is_gone(asker, _Object(key, version, 0)):
            return False
        asker.ask("HEAD", key, query=query)
    except ListingError as error:
        return error.status == http.client.NOT_FOUND
    return False


def _remove_alone(asker: Asker, key: bytes) -> None:
    """Remove the versions of one object, the newest first; those behind a marker stay."""
    for _ in PAUSES_S:
        try:
            version = asker.ask("HEAD", key).headers.get("x-amz-version-id") or ""
        except ListingError:
            return
        if not _is_gone(asker, _Object(key, version if version != "null" else "", 0)):
            return


def _removed(asker: Asker, folder: str, *, versioned: bool) -> list[_Object]:
    """Remove it, and return what is left. Raises ListingError, HaltedError."""
    left: list[_Object] = []
    for pause_s in PAUSES_S:
        time.sleep(pause_s)  # `rclone serve s3` lists what it could not store for a second
        left = _listed(asker, folder, versioned=versioned)
        refused = [each for each in left if not _is_gone(asker, each)]
        if not left or (refused and len(refused) == len(left)):
            break
    if any(each.version for each in left):  # they may not be removed: hide what is in sight
        for each in _current(asker, folder):
            _is_gone(asker, each)
        left = _listed(asker, folder, versioned=versioned)
    return left


def _removed_earlier(asker: Asker, *, versioned: bool) -> list[_Object]:
    """Remove what tests left that were cut off; return what of it cannot be removed."""
    left: list[_Object] = []
    with contextlib.suppress(ListingError, HaltedError):  # the next test goes on
        for folder in _cut_off(asker, versioned=versioned):
            left += _removed(asker, folder, versioned=versioned)
    return left


def _cut_off(asker: Asker, *, versioned: bool) -> list[str]:
    """Return the folders of tests that are not under way any more, by the service's own clock."""
    found: dict[str, bool] = {}
    for key, modified in _of_tests(asker, versioned=versioned):
        if of := _OF_A_TEST.match(key):
            age = age_of(modified, asker.date)
            is_old = age is not None and age > CUT_OFF
            folder = of[0].decode()
            found[folder] = found.get(folder, True) and is_old
    return [folder for folder, is_old in found.items() if is_old]


def _of_tests(asker: Asker, *, versioned: bool) -> Iterator[tuple[bytes, str]]:
    """Yield key and date of what tests wrote: what is in sight, then what is hidden."""
    for each in asker.page(_TESTS).entries:
        yield _TESTS.encode() + each.key, each.modified
    if versioned:
        told = _asked_for_versions(asker, _TESTS)
        for row in _rows(told):
            yield _key(told, row), row.findtext("LastModified") or ""


def _is_gone(asker: Asker, found: _Object) -> bool:
    """Remove one; return False if that was refused for good.

    Raises ListingError where it is not of a test, whoever says so.
    """
    if not _OF_A_TEST.match(found.key):
        raise _OutsideError
    query = {"versionId": found.version} if found.version else {}
    try:
        asker.ask("DELETE", found.key, query=query)
    except ListingError as error:
        return may_pass(error)
    return True


def _listed(asker: Asker, folder: str, *, versioned: bool) -> list[_Object]:
    """Return every version below a folder, and what has none. Raises ListingError."""
    try:
        versions = _versions(_asked_for_versions(asker, folder), folder)
    except ListingError as error:
        left = _current(asker, folder)
        is_no_question = error.status and not isinstance(error, _OutsideError)
        if left or (is_no_question and not versioned):
            return left
        raise  # what is hidden cannot be seen
    # where there are no versions, their id is this word, and SeaweedFS 4.48 does not encode keys
    versions = [each for each in versions if each.version not in ("", "null")]
    keys = {each.key for each in versions}
    return versions + [each for each in _current(asker, folder) if each.key not in keys]


def _asked_for_versions(asker: Asker, prefix: str) -> ET.Element:
    query = {"encoding-type": "url", "versions": "", "prefix": prefix}
    return asker.document("ListVersionsResult", query=query)


def _rows(told: ET.Element) -> list[ET.Element]:
    return [each for each in told if each.tag in ("Version", "DeleteMarker")]


def _versions(told: ET.Element, folder: str) -> list[_Object]:
    """Return all versions and markers. Raises _OutsideError where one is not below the folder."""
    found = [
        _Object(_key(told, row), row.findtext("VersionId") or "", _size(row)) for row in _rows(told)
    ]
    if not all(each.key.startswith(folder.encode()) for each in found):
        raise _OutsideError
    return found


def _current(asker: Asker, folder: str) -> list[_Object]:
    entries = asker.page(folder).entries
    return [_Object(folder.encode() + each.key, "", each.size) for each in entries]


def _key(told: ET.Element, each: ET.Element) -> bytes:
    key = each.findtext("Key") or ""
    encoded = told.findtext("EncodingType") == "url"
    return unquote_to_bytes(key.replace("+", " ")) if encoded else key.encode()


def _size(each: ET.Element) -> int:
    """Return how many bytes an object has; 0 where that is no number."""
    text = (each.findtext("Size") or "").strip()
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _end_uploads(uploads: Uploads, folder: str) -> None:
    with contextlib.suppress(ListingError):  # not every service lists them
        for upload in list(uploads.unfinished(folder)):
            uploads.end(upload)
