"""The week of every backup: what a report tells, in plain values, and the words for them. Pure."""

import datetime as dt
from dataclasses import dataclass, fields
from enum import Enum

from bucketvault.engine.domain.cost import Cost, total
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.reading import Coverage
from bucketvault.engine.mail.texts import Home
from bucketvault.humanize import count, date_words, many, size

NEVER_PROVEN = "never"
WHY_CHARACTERS = 500


class Mark(Enum):
    """Colour of a state; its word says the same."""

    GOOD = "good"
    LOOK = "look"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of one backup that ended in the week, and what they did."""

    succeeded: int = 0
    failed: int = 0
    held: int = 0
    stopped: int = 0
    bytes: int = 0  # transferred
    copied: int = 0
    replaced: int = 0
    deleted: int = 0
    verified: int = 0  # runs that read both ends
    verified_bytes: int = 0  # at each end

    @property
    def number(self) -> int:
        """All that copied or tried to."""
        return self.succeeded + self.failed + self.held + self.stopped


@dataclass(frozen=True, slots=True)
class BackupWeek:
    """The week of one backup. Sizes in bytes."""

    name: str
    state: str  # a word or two, such as "Succeeded"
    mark: Mark
    proof: Proof | None  # the newest of all; None: never proven
    runs: Runs
    size: int | None  # of the source; None: not measured yet
    size_before: int | None  # when the week began; None: not known
    coverage: Coverage | None  # None: nothing is proven
    cost: Cost | None  # None: its runs counted no requests


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs attention."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Week:
    """All that a report tells. Times are UTC."""

    since: dt.datetime
    until: dt.datetime
    mark: Mark
    short: str  # "All good"
    sentence: str
    needs: tuple[Need, ...]
    backups: tuple[BackupWeek, ...]


def period(week: Week, home: Home) -> str:
    """`Mon 23 Nov 2026, 08:00 to Mon 30 Nov 2026, 08:00`."""
    return f"{home.moment(week.since)} to {home.moment(week.until)}"


def facts(each: BackupWeek, week: Week, home: Home) -> list[tuple[str, str]]:
    """Return what there is to tell of a backup: a label and its value."""
    runs = each.runs
    told = [
        ("Newest proof", _proof_words(each.proof, home)),
        ("Runs", _run_words(runs)),
        ("Transferred", _transferred(runs)),
        ("Size", _size_words(each)),
    ]
    if runs.verified:
        read = f"{many(runs.verified, 'run')}, {size(runs.verified_bytes)} read on each side"
        told.append(("Verified", read))
    told += [
        ("Oldest read", _oldest_words(each.coverage, week.until)),
        ("Cost", "no requests counted" if each.cost is None else total(each.cost)),
    ]
    return told


def totals(week: Week) -> list[tuple[str, str]]:
    """Return the sums of all backups."""
    runs = [each.runs for each in week.backups]
    summed = Runs(*(sum(getattr(each, one.name) for each in runs) for one in fields(Runs)))
    known = [each for each in week.backups if None not in (each.size, each.size_before)]
    growth = sum((each.size or 0) - (each.size_before or 0) for each in known)
    cost = Cost()
    for each in week.backups:
        cost = cost.plus(each.cost or Cost())
    sizes = size(sum(each.size or 0 for each in week.backups))
    return [
        ("Backups", count(len(week.backups))),
        ("Runs", _run_words(summed)),
        ("Transferred", size(summed.bytes)),
        ("Size", f"{sizes}, {_growth(growth)}" if known else sizes),
        ("Cost", total(cost)),
    ]


def _proof_words(proof: Proof | None, home: Home) -> str:
    if proof is None or proof.when is None:
        return NEVER_PROVEN
    of = f"{count(proof.present)} of {many(proof.source_objects, 'object')}"
    return f"{home.moment(proof.when)}, {of}"


def _run_words(runs: Runs) -> str:
    told = (
        (runs.succeeded, "succeeded"),
        (runs.failed, "failed"),
        (runs.held, "held for approval"),
        (runs.stopped, "stopped"),
    )
    return ", ".join(f"{count(number)} {word}" for number, word in told if number) or "none"


def _transferred(runs: Runs) -> str:
    counts = ((runs.copied, "copied"), (runs.replaced, "replaced"), (runs.deleted, "removed"))
    told = ", ".join(f"{count(number)} {word}" for number, word in counts if number)
    return f"{size(runs.bytes)}{f'; {told}' if told else ''}"


def _size_words(each: BackupWeek) -> str:
    if each.size is None:
        return "not measured yet"
    if each.size_before is None:
        return size(each.size)
    return f"{size(each.size)}, {_growth(each.size - each.size_before)}"


def _growth(change: int) -> str:
    if not change:
        return "unchanged"
    return f"{size(abs(change))} {'more' if change > 0 else 'less'} than a week ago"


def _oldest_words(coverage: Coverage | None, now: dt.datetime) -> str:
    """Say how long ago the byte was read that was read least lately."""
    if coverage is None:
        return "nothing is proven yet"
    if not coverage.objects:
        return "nothing to read"
    never = coverage.unread_objects - coverage.refused
    if never:
        return f"{count(never)} of {many(coverage.objects, 'object')} never read byte by byte"
    refused = f"{count(coverage.refused)} could not be read" if coverage.refused else ""
    if coverage.oldest is None:
        return refused
    days = (now.date() - coverage.oldest).days
    when = "today" if days < 1 else f"{many(days, 'day')} ago"
    oldest = f"{date_words(coverage.oldest)} {coverage.oldest.year}, {when}"
    return f"{oldest}; {refused}" if refused else oldest
