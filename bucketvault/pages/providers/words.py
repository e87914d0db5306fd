"""Words of a provider's page, from plain values."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from bucketvault import humanize
from bucketvault.engine.probe.results import Right, RightResult, TrialResult
from bucketvault.engine.probe.right_words import RIGHT_WORDS
from bucketvault.engine.probe.service import End
from bucketvault.engine.providers import ConnectionTest, Listing, ProviderPage
from bucketvault.engine.views.catalogue import ProviderRow, StorageRow, Use
from bucketvault.engine.views.situation import Tone
from bucketvault.pages.parts.widgets import CLASSES, MARKS, NAME_CHARACTERS
from bucketvault.pages.parts.words import BACKUPS_SHOWN, USAGE_WORDS
from bucketvault.pages.providers import service_words
from bucketvault.pages.providers.kinds import WITHOUT, kind_of_row
from bucketvault.sanitize import clean

OUTCOMES = {
    TrialResult.WORKS: (Tone.OK, "Works"),
    TrialResult.REFUSED: (Tone.BAD, "Refused"),
    TrialResult.FAILED: (Tone.BAD, "Failed"),
    TrialResult.NOT_TRIED: (Tone.NONE, "Not tested"),
}


class Answer(NamedTuple):
    """The first thing read: does the key work, and for what not."""

    tone: Tone
    sentence: str
    detail: str


def why_unreadable(row: ProviderRow) -> str:
    """Say why the stored key does not open, and what to do."""
    if row.keys_moved:
        return (
            "The key, or the address it was entered for, was changed outside bucketvault: check "
            f"that {row.address} is right, then enter the key again."
        )
    return "It was encrypted with another key file: put that back, or enter the key again."


def answer(page: ProviderPage, now: dt.datetime) -> Answer:
    """Say whether the key works."""
    row, test = page.row, page.test
    if not row.keys_readable:
        return Answer(
            Tone.BAD,
            "The stored key cannot be read.",
            f"{why_unreadable(row)} No backup that uses this provider can run.",
        )
    if test is not None:
        return _tested(page, test)
    more = "Test connection checks what else it can do. Nothing is written unless you ask for it."
    if page.listing is not None:  # so is a new key tried
        age = humanize.age(page.listing.listed_at, now)
        return Answer(Tone.OK, f"The key works: it listed the buckets {age}.", more)
    if page.may_not_list:
        sentence = "The key works, but it cannot list buckets: type a bucket's name below."
        return Answer(Tone.OK, sentence, more)
    return Answer(
        Tone.NONE,
        "Not tested since bucketvault started.",
        "Test connection checks what this key can do and how the service behaves. Nothing is "
        "written unless you ask for it.",
    )


def _tested(page: ProviderPage, test: ConnectionTest) -> Answer:
    wrong = [r for r in test.rights if r.outcome in (TrialResult.REFUSED, TrialResult.FAILED)]
    serious = [right for right in wrong if right.right is not Right.LIST_BUCKETS]
    if not serious and any(r.outcome == TrialResult.FAILED for r in wrong):
        serious = wrong
    if serious:
        return _wrong(page, serious)
    if test.end in _ENDS:
        return _ENDS[test.end]
    sentence, detail = _works(test)
    if wrong:
        detail += " It cannot list buckets: type a bucket's name below."
    found = service_words.notices(test)
    if found:
        here = "1 thing is" if len(found) == 1 else f"{len(found)} things are"
        detail = f"{here} lost or charged by this service: see below. {detail}"
    return Answer(Tone.WARN if found else Tone.OK, sentence, detail)


_ENDS = {
    End.STOPPED: Answer(Tone.STOP, "You stopped this test.", "What it wrote is deleted again."),
    End.NO_TIME: Answer(
        Tone.WARN,
        "The service answered too slowly to test everything.",
        "The results below arrived within a minute. Test again later.",
    ),
    End.FAILED: Answer(
        Tone.WARN,
        "The test ended because of an error in bucketvault.",
        "The program's log has the details. The results below are from before the error.",
    ),
}


def _wrong(page: ProviderPage, serious: Sequence[RightResult]) -> Answer:
    """Say what a key may not do, or what went wrong."""
    first = serious[0]
    if first.right in (Right.CONNECT, Right.KEYS, Right.LIST_BUCKETS):
        return Answer(Tone.BAD, first.note, first.hint)
    if first.outcome == TrialResult.FAILED:
        return Answer(Tone.WARN, first.note, first.hint)
    what = _joined([RIGHT_WORDS[each.right].lower() for each in serious])
    console = kind_of_row(page.row).console
    hint = (
        f"{WITHOUT.get(first.right, '')} {console}, give the key this permission, then test again."
    )
    return Answer(Tone.WARN, f"The key works, but it cannot {what}.", hint.strip())


def _works(test: ConnectionTest) -> tuple[str, str]:
    if test.write:
        sentence = "The key works: it can read, write, replace and delete."
        return sentence, f"Tested in {test.bucket}."
    if test.bucket and _outcome(test, Right.LIST_OBJECTS) == TrialResult.WORKS:
        return "The key works for reading.", "Test writing checks the rest."
    return "The key works.", "Its permissions inside a bucket were not tested."


def _outcome(test: ConnectionTest, right: Right) -> TrialResult:
    return next((r.outcome for r in test.rights if r.right is right), TrialResult.NOT_TRIED)


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def progress(test: ConnectionTest | None) -> str:
    """Say how far a test is that is in progress."""
    done = 0 if test is None else len((*test.rights, *test.findings, *test.names))
    return f"{humanize.many(done, 'result')} so far. This takes up to a minute."


def test_note(test: ConnectionTest, now: dt.datetime) -> str:
    """Say where and when it was, and how long it took."""
    took = f"took {test.took_s:.1f} s" if test.took_s < 10 else f"took {test.took_s:.0f} s"
    where = f"{clean(test.bucket, limit=80)}, " if test.bucket else ""
    return f"{where}{humanize.age(test.tested_at, now)}, {took}"


def facts(page: ProviderPage, now: dt.datetime) -> list[tuple[str, str]]:
    """Return key and address."""
    row = page.row
    kind = kind_of_row(row)
    key = f"ends with {row.key_end}" if row.key_end else "stored encrypted"
    used = f"{humanize.many(row.storages, 'storage')}, "
    used += humanize.many(len(row.backups), "backup")
    pairs = [("Kind", kind.title), ("Address", row.address)]
    if row.region:
        pairs.append(("Region", row.region))
    return [
        *pairs,
        (kind.key_id.label, key if row.keys_readable else "cannot be read here"),
        (kind.secret.label, "stored encrypted, never shown"),
        ("Used by", used),
        ("Last changed", humanize.age(row.changed_at, now)),
    ]


# ---- buckets


class BucketLine(NamedTuple):
    """A bucket that a provider listed, a storage, or both."""

    name: str  # as it is: never shown without `clean`
    storage: StorageRow | None
    listed: bool


def bucket_lines(page: ProviderPage) -> list[BucketLine]:
    """Return every bucket that is known, by name."""
    storages = {storage.bucket_name: storage for storage in page.storages}
    listed = {bucket.name for bucket in page.listing.buckets} if page.listing else set()
    return [
        BucketLine(name, storages.get(name), name in listed)
        for name in sorted(listed | storages.keys())
    ]


def found(lines: Sequence[BucketLine], sought: str) -> list[tuple[int, BucketLine]]:
    """Return those whose names hold what is sought, with their places."""
    needle = sought.strip().casefold()
    return [
        (place, line)
        for place, line in enumerate(lines)
        if needle in line.name.casefold()
        or (line.storage is not None and needle in line.storage.display_name.casefold())
    ]


def bucket_row(place: int, line: BucketLine, page: ProviderPage) -> dict[str, object]:
    """Return one row of the table; `place` is what its button sends."""
    mark = MARKS[page.row.provider_type]
    storage = line.storage
    name = clean(line.name, limit=NAME_CHARACTERS)
    state, word, tone = "import", "", ""
    if storage is not None:
        state, word, tone = "imported", "Added", CLASSES[Tone.OK]
        if page.listing is not None and not line.listed:
            word, tone = "Not in the list", CLASSES[Tone.WARN]
        elif not line.listed and storage.checked_at is None and storage.objects is None:
            word, tone = "Not checked", CLASSES[Tone.WAIT]
    shown = clean(storage.display_name) if storage is not None else ""
    return {
        "id": place,
        "name": name,
        "shown": shown,
        "whole": f"{name} ({shown})" if shown else name,
        "mark": mark,
        "kind": mark.lower(),
        "use": USAGE_WORDS[storage.usage_type] if storage is not None else "",
        **used_by(storage.uses if storage is not None else ()),
        "state": state,
        "word": word,
        "tone": tone,
    }


def used_by(uses: Sequence[Use]) -> dict[str, object]:
    """Return the first backups as links, and how many more there are."""
    by_backup = {use.backup_id: clean(use.backup_name, limit=NAME_CHARACTERS) for use in uses}
    shown = list(by_backup.items())[:BACKUPS_SHOWN]
    more = len(by_backup) - len(shown)
    return {
        "links": [{"name": name, "href": f"/backups/{number:d}"} for number, name in shown],
        "links_more": f"and {more} more" if more > 0 else "",
    }


def listing_note(listing: Listing, now: dt.datetime) -> str:
    """Return `14, listed 3 min ago`."""
    age = humanize.age(listing.listed_at, now)
    return f"{humanize.count(len(listing.buckets))}, listed {age}"
