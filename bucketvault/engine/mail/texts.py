"""Texts of the mails: plain, worth reading at two in the morning. Pure: no database, no mail.

The first sentence tells the state of the copy and of its last good run; then what failed and what
to do; then when, how long and how often; then rclone's first words, and commands that work where
there is no browser. Names and answers from elsewhere are made visible, a line each, and cut.
"""

import datetime as dt
import re
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import copy_state
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.reading import Verified
from bucketvault.engine.domain.reading_words import found_lines
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.state_words import (
    describe_cause,
    describe_copy,
    describe_end,
    describe_proof,
    describe_warning,
)
from bucketvault.engine.domain.warnings import warnings_of
from bucketvault.humanize import duration, moment, sentences, size, times_in
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Reason, RunKind, RunStatus, Trigger

WIDTH = 76
SUBJECT_LIMIT = 120
QUOTED_LINES = 5
QUOTED_CHARACTERS = 300
_URL = re.compile(r'https?://[^\s"]*')  # of a request: long, with accounts in it, before the cause
PARAGRAPH_CHARACTERS = 2000

OVERDUE = (
    "Check whether a run is waiting or was stopped, and whether this machine was off. Run the "
    "backup now to catch up."
)
UNPLANNABLE = (
    "Its time zone is no longer known on this machine, so it cannot be scheduled. Edit it and "
    "choose its time and time zone again."
)

Run = Any  # a row with the columns of BackupRun, a table that is not known here


@dataclass(frozen=True, slots=True)
class Text:
    """A mail without its envelope: the subject on one line, the body with plain newlines.

    `brief`: its prose alone, a line a paragraph, for a phone. `rich`: the same as the body, as
    HTML; empty: there is no such part.
    """

    subject: str
    body: str
    brief: str
    rich: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the mails come from: the zone they tell times in, the machine, how to call us there."""

    zone: ZoneInfo
    machine: str
    command: str  # `bucketvault`, with what it takes to mean this installation

    def moment(self, then: dt.datetime) -> str:
        """`Sun 22 Nov 2026, 03:15`; the mail names the zone once."""
        return moment(then, self.zone)


def failed(
    run: Run,
    name: str,
    home: Home,
    *,
    last_good_at: dt.datetime | None,
    in_a_row: int,
    would_remove: Sequence[str] = (),
    partly_since: dt.datetime | None = None,
) -> Text:
    """A run failed, or is held for approval. `run` is a row with the columns of BackupRun.

    `partly_since`: as `BackupRun.partly_since` has it.
    """
    state = copy_state(run, partly_since)
    proof = Proof.from_json(run.proof)
    held, reads = run.reason == Reason.BRAKE, run.kind == RunKind.VERIFY
    subject = subject_of_failed(run, name)
    body = [
        paragraph(
            describe_copy(state, home.zone, run.finished_at), _last_good(name, last_good_at, home)
        ),
        _told(f"{subject}:", describe_cause(run)),
        paragraph(describe_proof(proof)),
        *(_told("Warnings:", describe_warning(each)) for each in warnings_of(run)),
        _told("What to do:", run.hint),
        fact_lines(_circumstances(run, home), in_a_row=in_a_row),
        times_in(home.zone),
        _quoted("It would remove:", would_remove),
        _quoted("The first errors:", _URL.sub("(URL)", run.detail).splitlines()),
        _commands(home, run, name, approve=held and bool(run.findings), reads=reads),
    ]
    return whole(f"{subject}: {run.explanation}" if run.explanation else subject, body, home)


def subject_of_failed(run: Run, name: str) -> str:
    """`Photos failed`."""
    named = clean(name)
    if run.reason == Reason.BRAKE:  # without findings there is nothing to approve: no source
        return f"{named} is held for your approval" if run.findings else f"{named} is held"
    return f"Verification of {named} failed" if run.kind == RunKind.VERIFY else f"{named} failed"


def recovered(run: Run, name: str, home: Home, *, failures: int, since: dt.datetime) -> Text:
    """A run succeeded after ones that failed or were held, since then, and that were told."""
    first = "on" if failures <= 1 else "first on"
    had = f"had failed {_times(failures)}" if failures else "was held for your approval"
    told = f"{clean(name)} works again. Before, it {had}, {first} {home.moment(since)}."
    return _good_again(run, name, home, "works again", told)


def damaged(run: Run, name: str, home: Home, found: Verified) -> Text:
    """A run read objects that are not the same at both ends."""
    named = clean(name)
    new = "" if found.new == found.wrong else f"{found.new:,} of them are new."
    body = [
        _told(f"{named} was read and compared.", f"{run.explanation} {new}"),
        _told("What to do:", run.hint),
        _differences(found),
        fact_lines(_circumstances(run, home)),
        times_in(home.zone),
        _commands(home, run, name),
    ]
    what = "object" if found.wrong == 1 else "objects"
    verb = "differs" if found.wrong == 1 else "differ"
    return whole(f"{named}: {found.wrong:,} {what} {verb} in the copy", body, home)


def overdue(
    name: str,
    home: Home,
    *,
    planned: dt.datetime,
    last_good_at: dt.datetime | None,
    last: Run,
    unplannable: bool,
) -> Text:
    """A backup should have succeeded by now. `last`: its newest run that ended, if there is one.

    `unplannable`: its time zone is not known on this machine any more, so nothing starts it.
    """
    named = clean(name)
    happened = "" if last is not None else "It has never run."
    if last is not None and last.status == RunStatus.FAILED:
        when = home.moment(last.finished_at)
        happened = f"Its newest run ended on {when}: {describe_end(last)}"
    body = [
        paragraph(_last_good(name, last_good_at, home)),
        paragraph(
            f"{named} is overdue: it was scheduled for {home.moment(planned)}, and no run has "
            "succeeded since.",
            happened,
        ),
        times_in(home.zone),
        _told("What to do:", UNPLANNABLE if unplannable else OVERDUE),
        _commands(home, last, name),
    ]
    if last_good_at is None:
        return whole(f"{named} is overdue: there is no copy yet", body, home)
    day = home.moment(last_good_at).partition(",")[0]
    return whole(f"{named} is overdue: no good copy since {day}", body, home)


def overdue_over(run: Run, name: str, home: Home, *, since: dt.datetime, failures: int) -> Text:
    """A backup that was told to be overdue has succeeded, by `run`."""
    later = duration((run.finished_at - since).total_seconds())
    return _good_again(
        run,
        name,
        home,
        "has a good copy again",
        f"{clean(name)} is no longer overdue. It was scheduled for {home.moment(since)}, and "
        f"succeeded {later} later.",
        f"It had failed {_times(failures)} meanwhile." if failures else "",
    )


def kept_out(words: str, home: Home) -> Text:
    """Another program has the port of the pages; `words` say whose."""
    body = [
        paragraph(
            f"{words} The pages cannot be opened. Runs start on schedule, and emails are sent."
        ),
        paragraph(
            "Do not sign in at that address: it could be any program. The pages are served again "
            "when the port is free; sign in with a new link then."
        ),
        _told("On the server:", f"{home.command} doctor"),
    ]
    return whole("The pages of bucketvault cannot be opened", body, home)


def database_lost(summary: str, hint: str, home: Home) -> Text:
    """The server does not start: its database is gone or damaged. Both are words of the error."""
    body = [
        paragraph(f"{summary} bucketvault cannot run: no backup starts until this is fixed."),
        _told("What to do:", hint),
        _told("Check everything, on the server:", f"{home.command} doctor"),
    ]
    return whole("bucketvault is stopped: its database cannot be used", body, home)


def trial(home: Home) -> Text:
    """The mail that Send test mail sends."""
    body = [
        paragraph("Email from bucketvault arrives. This is a test; nothing has failed."),
        paragraph(
            "You get one email for each run or verification that fails, for each run that waits "
            "for "
            "your approval, when a backup did not run when it should have, and when either works "
            "again."
        ),
    ]
    return whole("A test mail from bucketvault", body, home)


def trial_alert(home: Home) -> Text:
    """The alert that Send test sends."""
    body = [paragraph("Alerts from bucketvault arrive here. This is a test; nothing has failed.")]
    return whole("A test alert from bucketvault", body, home)


def plain(subject: str) -> Text:
    """Return a short text for a mail that could not be written as it should be."""
    told = "The details could not be written: see the pages or `bucketvault status`."
    return Text(clean(subject, limit=SUBJECT_LIMIT), f"{told}\n", told)


# ---- parts


def _good_again(run: Run, name: str, home: Home, news: str, *told: str) -> Text:
    body = [
        paragraph(
            run.explanation or "The copy is complete.", describe_proof(Proof.from_json(run.proof))
        ),
        paragraph(*told),
        *(_told("Warnings:", describe_warning(each)) for each in warnings_of(run)),
        fact_lines(_circumstances(run, home)),
        times_in(home.zone),
        _commands(home, run, name, again=False),
    ]
    return whole(f"{clean(name)} {news}", body, home)


def whole(subject: str, body: Iterable[str], home: Home) -> Text:
    parts = [part for part in body if part]
    machine = f"bucketvault on {clean(home.machine, limit=100)}"
    brief = [" ".join(part.split("\n")) for part in parts if isinstance(part, _Prose)]
    return Text(
        clean(subject, limit=SUBJECT_LIMIT),
        "\n\n".join([*parts, f"-- \n{machine}"]) + "\n",
        "\n".join([*brief, machine]),
    )


class _Prose(str):
    """A wrapped paragraph of sentences, unlike a list or a command."""

    __slots__ = ()


def paragraph(*told: str) -> _Prose:
    return _Prose(wrapped(clean(sentences(*told), limit=PARAGRAPH_CHARACTERS)))


def _differences(found: Verified) -> str:
    lines = []
    for each in found.found[:QUOTED_LINES]:
        mark, *ends = found_lines(each)
        named = clean(f"{each['key']}: {mark}", limit=QUOTED_CHARACTERS)
        lines.append(wrapped(named, first="  ", rest="    "))
        lines += [wrapped(clean(end), first="    ", rest="      ") for end in ends]
    return "\n".join([*lines, *(["  ..."] if found.wrong > QUOTED_LINES else [])])


def _told(heading: str, text: str) -> str:
    return paragraph(heading, text) if text else ""


def _last_good(name: str, at: dt.datetime | None, home: Home) -> str:
    if at is None:
        return f"There has been no good run of {clean(name)} yet."
    return f"The last good run of {clean(name)} ended on {home.moment(at)}."


def _circumstances(run: Run, home: Home) -> list[tuple[str, str]]:
    began = run.started_at or run.created_at
    facts = [
        ("Run", str(run.id)),
        ("Began", home.moment(began)),
        ("Ended", home.moment(run.finished_at)),
        ("Took", duration((run.finished_at - began).total_seconds())),
    ]
    if run.scheduled_for is not None:
        late = ", run late" if run.trigger == Trigger.CATCH_UP else ""
        facts.append(("Scheduled for", f"{home.moment(run.scheduled_for)}{late}"))
    spec = RunSpec.stored(run.spec)
    if spec is not None:
        facts += [("From", _place(spec.source)), ("To", _place(spec.destination))]
    if run.copied or run.replaced or run.deleted:
        facts.append(("Changed", _changed(run)))
    return facts


def _changed(run: Run) -> str:
    state = copy_state(run)
    counts = ((run.copied, "copied"), (run.replaced, "replaced"), (run.deleted, "removed"))
    at_least = state is not None and state.at_least  # "0 removed" would then be too much
    told = [f"{count:,} {word}" for count, word in counts if count or not at_least]
    return f"{'at least ' if at_least else ''}{', '.join(told)}, {size(run.bytes)} transferred"


def _place(end: EndSpec) -> str:
    return clean(f"{end.place} at {end.provider}", limit=QUOTED_CHARACTERS)


def fact_lines(facts: list[tuple[str, str]], *, in_a_row: int = 0) -> str:
    if in_a_row > 1:
        facts = [*facts, ("How often", f"{_ordinal(in_a_row)} failure in a row")]
    column = max(len(label) for label, _ in facts) + 2
    return "\n".join(
        wrapped(value, first=f"{label}:".ljust(column), rest=" " * column) for label, value in facts
    )


def _quoted(heading: str, lines: Sequence[str]) -> str:
    shown = [clean(line, limit=QUOTED_CHARACTERS) for line in lines if line.strip()]
    if not shown:
        return ""
    told = [wrapped(line, first="  ", rest="    ") for line in shown[:QUOTED_LINES]]
    if len(shown) > QUOTED_LINES:
        told.append("  ...")
    return "\n".join([heading, *told])


def _commands(
    home: Home,
    run: Run,  # None: it never ran
    name: str,
    *,
    approve: bool = False,
    again: bool = True,
    reads: bool = False,
) -> str:
    """Lines for a shell; they are never wrapped."""
    lines = [] if run is None else [f"{home.command} log {run.id}"]
    if approve or again:
        flag = f" --approve {run.id}" if approve else ""
        after = f"{flag} -- {shlex.quote(name)}" if name.startswith("-") else ""
        verb = "verify" if reads else "run"
        lines.append(f"{home.command} {verb}{after or f' {shlex.quote(name)}{flag}'}")
    return "\n".join(["Without a browser:", *(f"  {clean(line)}" for line in lines)])


def wrapped(text: str, *, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times in a row"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
