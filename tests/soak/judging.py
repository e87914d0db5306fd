"""The judging of a soak, as pure functions over what was measured: no process, no clock."""

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WARM_UP_S = 600.0  # what is filled by then (caches, pools, heaps) may stay filled
FEWEST = 9  # samples after it: fewer say nothing
HANDLES = 6  # descriptors, threads: what a run under way takes
MEMORY_SHARE, MEMORY_BYTES = 0.03, 3_000_000  # the larger of the two
BYTES_A_RUN = 16_000  # of the database: a row, its log, its mail


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a server from outside. `start`: how often it had been started by then."""

    at_s: float  # since the beginning of the soak
    start: int
    descriptors: int
    threads: int
    memory_bytes: int
    database_bytes: int  # its log included


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `backup_run`, with the name of its backup."""

    backup: str
    uuid: str
    status: str
    reason: str
    scheduled_for: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """All that was seen of one installation."""

    samples: Sequence[Sample]
    planned: Sequence[tuple[str, dt.datetime]]  # name of a backup, and when it is due
    runs: Sequence[Run]
    mail_ids: Sequence[str]  # Message-ID of each mail that the server took, in order
    log: str  # what the program wrote to stderr
    kills: int = 0
    left: Sequence[str] = field(default=())  # processes that were still there after its end


def judge(course: Course) -> list[str]:
    """Return all that is wrong, a sentence each; empty: it held."""
    return [
        *_without_answer(course),
        *_mails(course),
        *_log(course.log),
        *(f"{line} was still running after the end." for line in course.left),
        *_curves(course),
    ]


def _without_answer(course: Course) -> list[str]:
    """Say which planned times have neither a run nor, where it failed, a reason."""
    by_slot = {(run.backup, run.scheduled_for): run for run in course.runs}
    wrong = []
    for backup, at in course.planned:
        run = by_slot.get((backup, at))
        if run is None:
            wrong.append(f"{backup} was due at {at:%H:%M}, but did not run.")
        elif run.status not in ("success", "failed"):
            wrong.append(f"The run of {backup} planned for {at:%H:%M} is still {run.status}.")
        elif run.status == "failed" and not run.reason:
            wrong.append(f"The run of {backup} planned for {at:%H:%M} failed without a reason.")
    slots = Counter((run.backup, run.scheduled_for) for run in course.runs if run.scheduled_for)
    wrong += [f"{name} ran {n} times for {at:%H:%M}." for (name, at), n in slots.items() if n > 1]
    return wrong


def _mails(course: Course) -> list[str]:
    """Say which failures have no mail, and which mails came twice.

    A server that was killed between a mail server's 250 and its own note of that may send the same
    mail again, by the same Message-ID: once for each kill, at most.
    """
    failed = {f"{run.uuid}.failed" for run in course.runs if run.status == "failed"}
    came = Counter(each.strip("<>").partition("@")[0] for each in course.mail_ids)
    told = {event for event in came if event.endswith(".failed")}
    wrong = [f"No mail told of {event}." for event in sorted(failed - told)]
    wrong += [f"A mail told of {event}, which did not fail." for event in sorted(told - failed)]
    twice = {event: n for event, n in came.items() if n > 1}
    if sum(n - 1 for n in twice.values()) > course.kills:
        wrong.append(f"Mails came more than once: {', '.join(sorted(twice))}.")
    return wrong


def _log(log: str) -> list[str]:
    count = log.count("Traceback (most recent call last)")
    return [f"{count} tracebacks are in the program's log."] if count else []


def _curves(course: Course) -> list[str]:
    """Say what is not flat after the first ten minutes: the last third of it against the first."""
    late = [sample for sample in course.samples if sample.at_s >= WARM_UP_S]
    if len(late) < FEWEST:
        return []
    third = len(late) // 3
    first, last = late[:third], late[-third:]

    def grown(what: Callable[[Sample], float]) -> tuple[float, float]:
        before, after = (statistics.median(map(what, part)) for part in (first, last))
        return before, after - before

    wrong = []
    for name, what in (
        ("Descriptors", lambda sample: sample.descriptors),
        ("Threads", lambda sample: sample.threads),
    ):
        before, more = grown(what)
        if more > HANDLES:
            wrong.append(f"{name} rose from {before:.0f} to {before + more:.0f}.")
    before, more = grown(lambda sample: sample.memory_bytes)
    if more > max(MEMORY_BYTES, MEMORY_SHARE * before):
        wrong.append(f"Memory rose from {before / 1e6:.1f} to {(before + more) / 1e6:.1f} MB.")
    before, more = grown(lambda sample: sample.database_bytes)
    if more > BYTES_A_RUN * max(1, len(course.runs)):
        wrong.append(f"The database grew by {more / 1e6:.1f} MB with {len(course.runs)} runs.")
    return wrong
