"""How a run ended, in the columns of its row and in words. Success is rclone's exit code 0."""

import datetime as dt
import errno
from dataclasses import dataclass, field, replace
from typing import Any

from bucketvault.engine.domain import findings, state_words
from bucketvault.engine.domain.copy_state import was_cut_off
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.tally import Tally
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.engine.runs.folder import ExitRecord, RunFolder
from bucketvault.engine.runs.follower import Follower
from bucketvault.errors import BucketvaultError, RunFailedError
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import HoldReason, Phase, Reason, RunStatus, WarningCode

_UNTOUCHED = {"phase": Phase.CHECKING}  # also where it was about to copy: nothing came of that
# What the system says when a program is not there, or is not one that it can start (execve(2)).
_NO_PROGRAM = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
    errno.ENOEXEC,
    errno.ELIBBAD,
}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_ROOM_TO_START = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}  # fork(2)
Columns = dict[str, Any]  # of a run's row, each of its own type


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The end of a run; `fields` are further columns of its row."""

    status: RunStatus
    explanation: str
    reason: Reason | None = None
    hint: str = ""
    detail: str = ""
    columns: Columns = field(default_factory=dict)
    elapsed_s: float = 0.0  # by a clock that does not go back; 0 where nothing was copied

    @property
    def fields(self) -> Columns:
        """All columns to write with the status."""
        return {
            "reason": self.reason,
            "explanation": self.explanation,
            "hint": self.hint,
            "detail": self.detail,
            **self.columns,
        }

    def with_tidying(
        self, warnings: list[RunWarning], *, purged: int, returned: int
    ) -> "RunOutcome":
        """The same after tidying: its warnings, what went, and objects that are in the copy again.

        `returned`: how many of these were only among the kept versions before this run.
        """
        told = self.explanation
        if returned:
            those, verb = ("that was", "is") if returned == 1 else ("that were", "are")
            told += f" {returned:,} {those} only among the kept versions {verb} back."
        columns = {
            **self.columns,
            "warnings": [*self.columns.get("warnings", []), *(each.to_json() for each in warnings)],
            "purged": purged,
        }
        return replace(self, explanation=told, columns=columns)


def failed(reason: Reason, error: BucketvaultError) -> RunOutcome:
    """A run that could not continue, for a cause that has its own words."""
    codes = dict(error.codes) if isinstance(error, RunFailedError) else {}
    return RunOutcome(RunStatus.FAILED, error.summary, reason, error.hint, error.detail, codes)


def internal(error: Exception) -> RunOutcome:
    """A run that met an internal fault, or a full disk; the program's log has the traceback."""
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return _failed(Reason.DISK_FULL)
    return _failed(Reason.INTERNAL, type(error).__name__)


def _failed(
    reason: Reason,
    detail: str = "",
    columns: Columns | None = None,
    *,
    summary: str = "",
    hint: str = "",
) -> RunOutcome:
    """Return a failed run in its reason's own words where there are no others."""
    usual_summary, usual_hint = explain.REASON_TEXTS.get(reason, ("", ""))
    told, what = summary or usual_summary, hint or usual_hint
    return RunOutcome(RunStatus.FAILED, told, reason, what, detail, dict(columns or {}))


def held(reason: HoldReason, found: findings.Findings) -> RunOutcome:
    """A run that would take away too much and waits for a decision."""
    return RunOutcome(
        RunStatus.FAILED,
        state_words.describe_hold(reason, found),
        Reason.BRAKE,
        "Review what would change. If it is right, approve this run; if not, look at the source.",
        columns={"hold_reason": reason, "untouched": True},
    )


def previewed(found: findings.Findings) -> RunOutcome:
    """A look at what a run would do."""
    told = (
        f"A run would copy {found.new:,}, replace {found.replaced:,} and remove "
        f"{found.removed:,} objects."
    )
    return RunOutcome(RunStatus.SUCCESS, told, columns={"untouched": True})


def stopped(*, touched: bool, columns: Columns | None = None) -> RunOutcome:
    """A run that was stopped by Stop."""
    if touched:
        return _failed(Reason.STOPPED, columns=columns)
    hint = f"{state_words.UNTOUCHED}. Run the backup again when you like."
    return _failed(Reason.STOPPED, columns=_UNTOUCHED, hint=hint)


def interrupted(folder: RunFolder, *, touched: bool) -> RunOutcome:
    """A run whose processes ended without a word."""
    summary, _ = explain.REASON_TEXTS[Reason.INTERRUPTED]
    if folder.machine_restarted():
        summary += " The machine was restarted."
    hint = "" if touched else f"{state_words.UNTOUCHED}. Run the backup again."
    columns = _ended(folder.last_sign_of_life()) | ({} if touched else _UNTOUCHED)
    return _failed(Reason.INTERRUPTED, columns=columns, summary=summary, hint=hint)


def not_started(number: int | None, said: str, *, ended_at: float = 0.0) -> RunOutcome:
    """A run that was about to copy and could not, by the system's error number and its words."""
    why = said.removeprefix(f"[Errno {number}] ").rstrip(".")
    reason, summary = Reason.RCLONE_ERROR, f"rclone could not be started: {why}."
    hint = "Run the backup again."
    if number in _DISK_FULL:
        reason = Reason.DISK_FULL
        summary, hint = explain.REASON_TEXTS[reason]
    elif number in _NO_ROOM_TO_START:
        reason, summary = (
            Reason.INTERRUPTED,
            f"This machine had no room for another process: {why}.",
        )
        hint = "Look at the memory on the Health page, then run the backup again."
    columns, hint = _ended(ended_at) | _UNTOUCHED, f"{state_words.UNTOUCHED}. {hint}"
    return _failed(reason, columns=columns, summary=summary, hint=hint)


def of_exit(
    record: ExitRecord,
    follower: Follower,
    spec: RunSpec,
    *,
    stop_requested: bool,
    stalled: bool,
    expected: findings.Findings | None,
    overstepped: bool,
    missed: int,
) -> RunOutcome:
    """Return the outcome from the exit file and the log together.

    `expected`: what the checks before had found; `overstepped`: far more than that was taken away;
    `missed`: so many objects of the copy had they not seen.
    """
    if record.error and record.error_number in _NO_PROGRAM:
        columns: Columns = _ended(record.ended_at) | _UNTOUCHED
        return _failed(Reason.RCLONE_MISSING, record.error, columns)
    if record.error:
        return not_started(record.error_number, record.error, ended_at=record.ended_at)
    said = follower.transcript
    if record.exit_code == 0:
        said.tally.end_well()
    took_s = record.elapsed_s
    warnings = _warnings(record, follower, expected, spec)
    if overstepped and expected is not None:
        warnings.append(_overstep(said.tally, expected))
    if missed:
        warnings.append(RunWarning(WarningCode.MISSED, {"n": missed}))
    columns = {
        **follower.counts(),
        **_ended(record.ended_at),
        "exit_code": record.exit_code,
        "warnings": [each.to_json() for each in warnings],
    }
    if said.retried and expected is not None:  # its sum counts what each try compared
        on_both_sides = expected.destination_objects - expected.removed
        columns["checked"] = min(columns["checked"], on_both_sides)
    if record.exit_code == 0:
        if said.progress is None and record.log_whole:
            # A real rclone ends its log with its totals. This one said nothing about any work.
            return RunOutcome(
                RunStatus.FAILED,
                "rclone ended at once and did not say that it did anything.",
                Reason.RCLONE_ERROR,
                "Make sure that the rclone in use is a real one: `rclone version`.",
                "\n".join(said.plain),
                columns,
            )
        did = describe_success(said, spec)
        return RunOutcome(RunStatus.SUCCESS, did, columns=columns, elapsed_s=took_s)
    if stop_requested:
        return stopped(touched=True, columns=columns)
    if stalled:
        return _failed(Reason.STALLED, "\n".join(line.message for line in said.errors), columns)
    if said.unseen and record.stopped:
        return _blind(said, spec, columns)
    if overstepped and record.stopped:
        return _overstepped(spec, columns)
    if record.stopped:  # the runner was told to end, but nobody pressed Stop: a shutdown
        return _failed(Reason.INTERRUPTED, "\n".join(said.plain), columns)
    told = explain.explain(explain.ending_of(record.exit_code, said), spec.source, spec.destination)
    columns |= {"mends": told.mends, "side": told.side}
    return RunOutcome(
        RunStatus.FAILED, told.summary, told.reason, told.hint, told.detail, columns, took_s
    )


def _blind(said: Transcript, spec: RunSpec, columns: Columns) -> RunOutcome:
    return RunOutcome(
        RunStatus.FAILED,
        f"{spec.destination.provider} could not list {spec.destination.bucket}. "
        "The run was stopped, so that nothing is replaced without being kept.",
        Reason.RCLONE_ERROR,
        "Run again: what is missing is copied then. If it is stopped again, rclone's own words "
        "below tell why.",
        "\n".join(line.message for line in said.errors),
        columns,
    )


def _overstepped(spec: RunSpec, columns: Columns) -> RunOutcome:
    return RunOutcome(
        RunStatus.FAILED,
        "The run was stopped: it removed more than its checks had found. "
        f"{spec.source.bucket} seems to have lost objects meanwhile.",
        Reason.RCLONE_ERROR,
        "Look at the source before you run again. What was removed is among the kept versions.",
        columns=columns,
    )


def _overstep(tally: Tally, expected: findings.Findings) -> RunWarning:
    numbers = {
        "removed": tally.deleted,
        "replaced": tally.replaced,
        "found_removed": expected.removed,
        "found_replaced": expected.replaced,
    }
    return RunWarning(WarningCode.OVERSTEPPED, numbers)


def describe_success(said: Transcript, spec: RunSpec) -> str:
    """Describe a good run in a sentence."""
    tally = said.tally
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (tally.copied, "copied"),
            (tally.replaced, "replaced"),
            (tally.deleted, "removed"),
            (tally.touched, "with a new date only"),
        )
        if count
    ]
    if not parts:
        but = f", {state_words.BUT_FOR}" if _lacks(said, spec) else ""
        return f"Nothing had changed: the copy was complete already{but}."
    but = f" {state_words.BUT_FOR}" if _lacks(said, spec) else ""
    return f"The copy is complete{but}: {', '.join(parts)}."


def _lacks(said: Transcript, spec: RunSpec) -> bool:
    """True if objects of the source may not be copied: rclone does not say at which end."""
    only_there = spec.destination.path and not spec.source.path  # below a path alone it happens
    return bool(said.passed_over) and not only_there


def _lines_are_missing(said: Transcript) -> bool:
    """True if rclone's own sums, right where it had no need to try again, tell of more copies."""
    told = said.progress
    if told is None or said.retried:
        return False
    return told.objects_done > said.tally.copied + said.tally.replaced


def _ended(seconds: float) -> Columns:
    """The column for when a run ended, which may be long before anybody looked; none if unknown."""
    if seconds <= 0:
        return {}
    return {"finished_at": min(utcnow(), dt.datetime.fromtimestamp(seconds, dt.UTC))}


def _warnings(
    record: ExitRecord,
    follower: Follower,
    expected: findings.Findings | None,
    spec: RunSpec,
) -> list[RunWarning]:
    said, tally, good = follower.transcript, follower.transcript.tally, record.exit_code == 0
    found: list[RunWarning] = []

    def add(code: WarningCode, n: int, **numbers: int) -> None:
        if n > 0:
            found.append(RunWarning(code, {"n": n, **numbers}))

    if not record.log_whole:
        found.append(RunWarning(WarningCode.LOG_CUT))
    elif good and _lines_are_missing(said):
        found.append(RunWarning(WarningCode.LINES_MISSING))
    if expected is not None and good:
        # What the checks saw at the destination, rclone did not: a listing was left out unsaid.
        unseen = min(tally.copied - expected.new, expected.replaced - tally.replaced)
        add(WarningCode.CAME_AS_NEW, unseen)
    add(WarningCode.UNKEPT, tally.unkept)
    add(WarningCode.UNSURE, tally.unsure)
    add(
        WarningCode.PASSED_OVER,
        len(said.passed_over),
        not_copied=int(_lacks(said, spec)),
        copied_again=int(bool(spec.destination.path)),
    )
    if said.unseen and (good or said.unsure):
        found.append(RunWarning(WarningCode.LISTING_FAILED, {"n": said.unsure}))
    if good:
        add(WarningCode.ERRORS, tally.errors)
    sure = record.log_whole and not was_cut_off(record.exit_code)
    add(WarningCode.HOLES if sure else WarningCode.PERHAPS_HOLES, tally.holes)
    add(WarningCode.MASKED, follower.masked)
    return found
