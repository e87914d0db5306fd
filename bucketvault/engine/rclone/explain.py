"""Turns how rclone ended and what it said into words for people: what failed, and what to do next.

Words for Reasons that rclone has nothing to say about are here too, and those for exit codes.
"""

import re
import signal as signals
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bucketvault.engine.domain.copy_state import USAGE
from bucketvault.engine.domain.rules import ARCHIVE_ROOT, is_near
from bucketvault.engine.domain.services import host_of
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.rclone.causes import RULES
from bucketvault.engine.rclone.errors import (
    Fault,
    Rule,
    expected_region,
    is_about_memory,
    leading,
    rule_for,
    take_apart,
)
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.errors import MORE_MEMORY, KilledError
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Mends, Reason, Side

DETAIL_LINES = 25
FIRST_LINES = 10  # of them: the cause is more often said at the beginning
_QUOTE_LIMIT = 300  # characters of rclone's own words inside a sentence


@dataclass(frozen=True, slots=True)
class Ending:
    """How rclone ended and what it said."""

    exit_code: int | None  # None: ended by a signal, or never started
    signal: int | None
    errors: tuple[str, ...] = ()  # messages of error lines and the last `Failed to ...`, in order
    plain: tuple[str, ...] = ()  # the last lines that were not JSON
    side: Side | None = None  # when rclone only talked to that one
    worked: tuple[Side, ...] = ()  # ends that took other requests of the same run
    oom_kills: int = 0  # processes that the system killed meanwhile for lack of memory


BOTH = (Side.SOURCE, Side.DESTINATION)


def ending_of(
    code: int | None, said: Transcript, worked: tuple[Side, ...] = (), oom_kills: int = 0
) -> Ending:
    """Return the end of a run's rclone; `code` is negative when a signal ended it."""
    messages = [line.message for line in said.errors]
    if said.last_notice and said.last_notice not in messages:
        messages.append(said.last_notice)
    return Ending(
        exit_code=code if code is not None and code >= 0 else None,
        signal=-code if code is not None and code < 0 else None,
        errors=tuple(messages),
        plain=said.plain,
        worked=worked,
        oom_kills=oom_kills,
    )


@dataclass(frozen=True, slots=True)
class Explanation:
    """An explained failure, for a page, a mail and the Run's row."""

    reason: Reason
    summary: str  # one sentence
    hint: str  # the next step
    detail: str  # rclone's own last words, a line each
    mends: Mends | None = None  # where; None: at no page of bucketvault
    side: Side | None = None  # which end it is about; None: both, or not known
    cause: str = ""  # the row of `causes` that it is from
    region: str = ""  # the right one, where the service named it


_LEAD_IN = re.compile(
    r"^(Failed to \w+( with \d+ errors: last error was)?|--files-from failed to read file"
    r"|Not deleting source as copy failed|Couldn't (delete|move into backup dir)): "
)
_NOT_KNOWN_TO_RCLONE = re.compile(r"unknown (shorthand )?(flag|command)")
_CRASH = re.compile(r"^(panic: |fatal error: |SIGQUIT: |goroutine \d+ )")
_LOOK = "The details below are rclone's own words; the run's log has all of them."


def explain(
    ending: Ending, source: EndSpec, destination: EndSpec, again: str = "run the backup again"
) -> Explanation:
    """Why rclone failed; `ending` is that of an rclone that did not end with 0."""
    said = (*ending.errors, *ending.plain)
    if len(said) > DETAIL_LINES:
        said = (*said[:FIRST_LINES], *said[FIRST_LINES - DETAIL_LINES :])
    detail = "\n".join(clean(line) for line in said)
    if number := _signal(ending.exit_code, ending.signal):
        return _killed(number, detail, again, out_of_memory=ending.oom_kills > 0)
    if ending.exit_code == USAGE:
        return _rclone_itself(ending.plain, detail)
    faults = [take_apart(message) for message in ending.errors]
    led = leading(faults, RULES)
    if led is None:
        return _unknown(ending, detail)
    rule, fitting = led
    named = next((fault.side for fault in fitting if fault.side), None)
    ends = {Side.SOURCE: source, Side.DESTINATION: destination}
    region = next(filter(None, map(expected_region, fitting)), "")
    return _say(rule, ending.side or named, ends, again, detail, region, ending.worked)


def explain_look(
    end: str,
    status: int,
    code: str,
    said: str,
    source: EndSpec,
    destination: EndSpec,
    region: str = "",
    again: str = "run the backup again",
    operation: str = "ListObjectsV2",
) -> Explanation:
    """Return why an end could not be listed; the first four as in `listing.look.LookFailedError`.

    `end` is `source`, `copy` or empty: then it is about this machine. `region`: where the bucket
    is, if the answer named it. `operation`, in S3's words, is what was asked.
    """
    side = {"source": Side.SOURCE, "copy": Side.DESTINATION}.get(end)
    ends = {Side.SOURCE: source, Side.DESTINATION: destination}
    parts = (f"HTTP {status}" if status else "", code, said)
    detail = clean(" ".join(part for part in parts if part))
    # A refusal without a code of S3's is none of S3: rclone says that as it is said here.
    text = f"deserialization failed: {said}" if status >= 300 and not code else said
    fault = Fault(operation, status, code, text, side)
    rule = rule_for(fault, RULES)
    if rule is not None:
        return _say(rule, side, ends, again, detail, expected_region(fault, region))
    if side is None:
        summary, hint = REASON_TEXTS[Reason.INTERNAL]
        return Explanation(Reason.INTERNAL, summary, hint, detail)
    last = clean(said.strip().rstrip("."), limit=_QUOTE_LIMIT)
    what = f"could not list {ends[side].place}"
    if operation != "ListObjectsV2":
        what = f"did not complete the request ({operation})"
    summary = f"{ends[side].provider} {what}: {last}."
    hint = f"The details below are the service's response. This may be temporary: {again} later."
    return Explanation(Reason.UNREACHABLE, summary, hint, detail, side=side)


def _say(
    rule: Rule,
    side: Side | None,
    ends: Mapping[Side, EndSpec],
    again: str,
    detail: str,
    region: str = "",
    worked: Sequence[Side] = (),
) -> Explanation:
    concerned = [ends[side]] if side else list(ends.values())  # not said: name both, guess neither
    words = {
        "provider": _either(end.provider for end in concerned),
        # without one, a provider was asked for its buckets
        "bucket": _either(end.bucket or "of that name" for end in concerned),
        "place": _either(end.place or end.provider for end in concerned),
        "archive": _either(f"{end.bucket}/{ARCHIVE_ROOT}/".lstrip("/") for end in concerned),
        "server": _either(_address(end.endpoint) for end in concerned),
        "region": region,
        "again": again,
    }
    summary, hint, mends = rule.summary, rule.hint, rule.mends
    if rule.partly and set(worked) >= {side or Side.SOURCE, side or Side.DESTINATION}:
        summary, hint, mends = rule.partly, rule.partly_hint, None
    elif rule.near and all(is_nearby(end.endpoint) for end in concerned):
        hint = rule.near
    if rule.name == "wrong_region" and region:
        summary = "Wrong region. {provider} expects {region}."
        hint = "Enter {region} as the region on the provider's page."
    at_source = rule.reason_at_source if side == Side.SOURCE else None
    return Explanation(
        reason=at_source or rule.reason,
        summary=summary.format_map(words),
        hint=hint.format_map(words),
        detail=detail,
        mends=mends,
        side=side,
        cause=rule.name,
        region=region if rule.name == "wrong_region" else "",
    )


def _address(endpoint: str) -> str:
    return endpoint.partition("://")[2] or endpoint


def is_nearby(endpoint: str) -> bool:
    """True for this machine, and for one that no name server of the internet knows."""
    host = host_of(endpoint)
    local = (".local", ".lan", ".home", ".internal", ".home.arpa")
    return bool(host) and (is_near(host) or "." not in host or host.endswith(local))


def _killed(number: int, detail: str, again: str, *, out_of_memory: bool) -> Explanation:
    if number == signals.SIGKILL:
        killed = KilledError("rclone", memory_ran_out=out_of_memory, again=again)
        reason = Reason.NO_MEMORY if out_of_memory else Reason.KILLED
        return Explanation(reason, killed.summary, killed.hint, detail, Mends.HEALTH)
    summary = f"rclone was stopped from outside ({_signal_words(number)})."
    hint = "The machine may have been shutting down. Run the backup again."
    return Explanation(Reason.KILLED, summary, hint, detail)


def _rclone_itself(plain: Sequence[str], detail: str) -> Explanation:
    """Exit code 2 has two meanings: rclone did not take its arguments, or it crashed."""
    if any(is_about_memory(line) for line in plain):
        summary = "rclone could not continue: this machine has too little memory."
        return Explanation(Reason.NO_MEMORY, summary, MORE_MEMORY, detail, Mends.HEALTH)
    if any(_CRASH.match(line) for line in plain):
        hint = "Run the backup again; if it happens again, try another version of rclone."
        return Explanation(Reason.RCLONE_ERROR, "rclone crashed.", hint, detail)
    if any(_NOT_KNOWN_TO_RCLONE.search(line) for line in plain):
        return Explanation(
            Reason.RCLONE_MISSING,
            "This rclone is too old: bucketvault needs 1.75 or newer.",
            "The Health page shows which one is used.",
            detail,
            Mends.HEALTH,
        )
    summary = "rclone did not accept the settings of this run."
    return Explanation(Reason.RCLONE_ERROR, summary, _LOOK, detail)


def _unknown(ending: Ending, detail: str) -> Explanation:
    """No row fits: rclone's own last words, never a guess."""
    words = ending.errors[-1:] or ending.plain[-1:]
    if not words:
        meaning = meaning_of_exit_code(ending.exit_code, ending.signal)
        summary = f"rclone failed without a reason ({meaning})."
    else:
        last = clean(_LEAD_IN.sub("", words[0]).strip().rstrip("."), limit=_QUOTE_LIMIT)
        summary = f"rclone failed: {last}."
    return Explanation(Reason.RCLONE_ERROR, summary, _LOOK, detail)


# summary and hint where it is not rclone that says why
REASON_TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.RCLONE_MISSING: (
        "rclone is missing or too old.",
        "Install rclone 1.75.0 or newer: the Health page shows which one is used.",
    ),
    Reason.STALLED: (
        "The run made no progress for too long and was stopped.",
        "Check the network and the services' status pages, then run the backup again.",
    ),
    Reason.STOPPED: (
        "You stopped this run.",
        "Objects already copied stay. Run the backup again at any time.",
    ),
    Reason.INTERRUPTED: (
        "The run was interrupted: this machine or the program stopped during it.",
        "Objects already copied stay. Run the backup again.",
    ),
    Reason.DISK_FULL: (
        "The disk of this machine is full.",
        "Free some space, then run the backup again.",
    ),
    Reason.NO_MEMORY: ("This machine has too little memory for the run.", MORE_MEMORY),
    Reason.INTERNAL: (
        "Something went wrong inside bucketvault.",
        "The program's log has the details. Run the backup again.",
    ),
}

_EXIT_CODES = {  # rclone/lib/exitcode/exitcode.go
    0: "rclone succeeded",
    1: "rclone ended with errors",  # also where a key was refused, or a bucket is not there
    USAGE: "rclone did not accept its arguments, or crashed",
    3: "a bucket or folder was not found",
    4: "an object was not found",
    5: "errors that a retry may fix",
    6: "errors that a retry does not fix",
    7: "a fatal error",
    8: "the transfer limit was reached",
    9: "nothing was copied",
    10: "the time limit was reached",
}
_SIGNALS: dict[int, str] = {
    signals.SIGINT: "asked to stop",
    signals.SIGTERM: "asked to stop",
    signals.SIGKILL: "killed",
}


def meaning_of_exit_code(code: int | None, signal: int | None) -> str:
    """rclone's exit code in words, such as `0: rclone succeeded`."""
    if number := _signal(code, signal):
        return f"rclone was {_SIGNALS.get(number, 'ended')}, by {_signal_words(number)}"
    if code is None:
        return "no exit code: rclone was not started, or its end was not recorded"
    return f"{code}: {_EXIT_CODES.get(code, 'not a documented exit code of rclone')}"


def _signal(code: int | None, signal: int | None) -> int | None:
    """The signal that ended rclone, also where it only shows in the exit code.

    rclone says 130 or 143 itself while parts are being uploaded; -2 and -15 are Python's way.
    """
    if signal:
        return signal
    if code is not None and code < 0:
        return -code
    return code - 128 if code is not None and 128 < code <= 128 + signals.NSIG else None


def _signal_words(number: int) -> str:
    try:
        return f"signal {number} ({signals.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _either(names: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(names))
