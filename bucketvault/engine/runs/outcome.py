"""How a run ended, in the columns of its row and in words. Success is a look that finds no work."""

import datetime as dt
import errno
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from bucketvault.engine.domain import findings, state_words
from bucketvault.engine.domain.proof import DELIVERED, Proof
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.warnings import RunWarning, log_is_cut
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.binary import NO_ROOM_TO_START
from bucketvault.engine.runs.counting import CUT, Counted
from bucketvault.engine.runs.folder import ExitRecord, RunFolder
from bucketvault.engine.runs.follower import Follower
from bucketvault.errors import (
    BucketvaultError,
    KilledError,
    NoMemoryError,
    RcloneMissingError,
    RunFailedError,
    VaultError,
)
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import HoldReason, Phase, Reason, RunStatus, Side, WarningCode

# also where it was about to copy: nothing came of that
_UNTOUCHED = {"phase": Phase.CHECKING, "passes": 0}
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
Columns = dict[str, Any]  # of a run's row, each of its own type


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The end of a run; `columns` are further ones of its row."""

    status: RunStatus
    explanation: str
    reason: Reason | None = None
    hint: str = ""
    detail: str = ""
    columns: Columns = field(default_factory=dict)

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

    def with_warnings(self, warnings: list[RunWarning], **columns: object) -> "RunOutcome":
        """Return the same with further warnings and columns."""
        told = [*self.columns.get("warnings", []), *(each.to_json() for each in warnings)]
        return replace(self, columns={**self.columns, **columns, "warnings": told})


def failed(reason: Reason, error: BucketvaultError) -> RunOutcome:
    """A run that could not continue, for a cause that has its own words."""
    codes = dict(error.codes) if isinstance(error, RunFailedError) else {}
    return RunOutcome(RunStatus.FAILED, error.summary, reason, error.hint, error.detail, codes)


def ended_by(error: BucketvaultError) -> RunOutcome:
    """A run that could not continue for this cause."""
    if isinstance(error, RunFailedError):
        return failed(error.reason, error)
    if isinstance(error, VaultError):
        return failed(Reason.CREDENTIALS, error)
    if isinstance(error, NoMemoryError):
        return failed(Reason.NO_MEMORY, error)
    if isinstance(error, KilledError):
        return failed(Reason.NO_MEMORY if error.memory_ran_out else Reason.KILLED, error)
    missing = isinstance(error, RcloneMissingError)
    return failed(Reason.RCLONE_MISSING if missing else Reason.REFUSED, error)


def internal(error: Exception) -> RunOutcome:
    """A run that met an internal fault, or a full disk; the program's log has the traceback."""
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return _failed(Reason.DISK_FULL)
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return _failed(Reason.NO_MEMORY, str(error))
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
        "Review what would change. If it is right, approve this run; if not, check the source.",
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
    hint = f"{state_words.UNTOUCHED}. Run the backup again at any time."
    return _failed(Reason.STOPPED, columns=_UNTOUCHED, hint=hint)


def interrupted(folder: RunFolder, *, touched: bool) -> RunOutcome:
    """A run whose processes ended without a word."""
    summary, _ = explain.REASON_TEXTS[Reason.INTERRUPTED]
    if folder.machine_restarted():
        summary += " The machine was restarted."
    hint = "" if touched else f"{state_words.UNTOUCHED}. Run the backup again."
    columns = _ended(folder.last_sign_of_life()) | ({} if touched else _UNTOUCHED)
    return _failed(Reason.INTERRUPTED, columns=columns, summary=summary, hint=hint)


def not_started(
    number: int | None, said: str, *, ended_at: float = 0.0, touched: bool = False
) -> RunOutcome:
    """A run whose next step could not be started, by the system's error number and its words."""
    why = said.removeprefix(f"[Errno {number}] ").rstrip(".")
    reason, summary = Reason.RCLONE_ERROR, f"rclone could not be started: {why}."
    hint = "Run the backup again."
    if number in _DISK_FULL:
        reason = Reason.DISK_FULL
        summary, hint = explain.REASON_TEXTS[reason]
    elif number in NO_ROOM_TO_START:
        reason = Reason.NO_MEMORY if number == errno.ENOMEM else Reason.INTERRUPTED
        summary = f"This machine could not start another process: {why}."
        hint = "Check the memory on the Health page, then run the backup again."
    columns = _ended(ended_at)
    if not touched:
        columns, hint = columns | _UNTOUCHED, f"{state_words.UNTOUCHED}. {hint}"
    return _failed(reason, columns=columns, summary=summary, hint=hint)


def cut_short(
    record: ExitRecord, follower: Follower, *, stop_requested: bool, stalled: bool, touched: bool
) -> RunOutcome | None:
    """Return the end of a run whose pass did not come to its own; None: it did.

    `touched`: an earlier pass or step may have changed the copy.
    """
    if record.error and record.error_number in _NO_PROGRAM:
        gone = _ended(record.ended_at) | ({} if touched else _UNTOUCHED)
        return _failed(Reason.RCLONE_MISSING, record.error, gone)
    if record.error:
        return not_started(
            record.error_number, record.error, ended_at=record.ended_at, touched=touched
        )
    if not record.stopped:
        return None
    said = follower.transcript
    columns = {
        **follower.counts(),
        **_ended(record.ended_at),
        "exit_code": record.exit_code,
        "warnings": [each.to_json() for each in log_warnings(record, follower)],
    }
    if stop_requested:
        return stopped(touched=True, columns=columns)
    if stalled:
        return _failed(Reason.STALLED, "\n".join(line.message for line in said.errors), columns)
    # the runner was told to end, but nobody pressed Stop: a shutdown
    return _failed(Reason.INTERRUPTED, "\n".join(said.plain), columns)


def unproven(error: RunFailedError, exit_code: int | None, follower: Follower) -> RunOutcome:
    """A run that copied, and whose last look could not be made: nobody knows what is there."""
    columns = {**follower.counts(), "exit_code": exit_code, **error.codes}
    columns.pop("untouched", None)
    summary = f"The copy could not be proven after copying. {error.summary}"
    return RunOutcome(RunStatus.FAILED, summary, error.reason, error.hint, error.detail, columns)


def emptied(spec: RunSpec, exit_code: int | None, follower: Follower) -> RunOutcome:
    """A run whose source lost every object while it copied."""
    return _failed(
        Reason.SOURCE_MISSING,
        columns={**follower.counts(), "exit_code": exit_code, "side": Side.SOURCE},
        summary=f"The source {spec.source.place} became empty during the run.",
        hint=(
            "Check the source before you run the backup again. The copy still has everything that "
            "the plan kept."
        ),
    )


def proven(
    proof: Proof,
    found: findings.Findings,
    causes: Mapping[str, str],
    follower: Follower,
    record: ExitRecord | None,
    spec: RunSpec,
    counts: Counted,
    *,
    ledger_was_damaged: bool,
    ended_at: float = 0.0,
) -> RunOutcome:
    """Return the outcome of a run whose last look was made; `record`: how its last pass ended.

    `ended_at`: when that was, seconds since 1970, if the program was away and looked much later.
    """
    said = follower.transcript
    exit_code = record.exit_code if record is not None else 0
    warnings = [*counts.warnings, *_masked(follower), *_cannot(proof)]
    for code, n in ((WarningCode.ALTERED, found.altered), (WarningCode.LOST, found.lost)):
        if n:
            warnings.append(RunWarning(code, {"n": n}))
    if ledger_was_damaged:
        warnings.append(RunWarning(WarningCode.LEDGER_LOST))
    columns: Columns = {
        **follower.counts(),
        **counts.columns,
        **_ended(ended_at),
        "checked": proof.present,
        "exit_code": 0 if proof.is_good else exit_code,
        "warnings": [each.to_json() for each in warnings],
        "proof": proof.to_json(),
    }
    if proof.is_good:
        return RunOutcome(RunStatus.SUCCESS, describe_success(columns, proof), columns=columns)
    gap = state_words.describe_gap(proof)
    if exit_code == 0 and not causes:
        hint = "Run the backup again. If this persists, check these objects at both providers."
        if proof.causes.get(DELIVERED):
            hint = (
                "A proxy in front of the source decodes objects stored with a Content-Encoding. "
                "Configure it to deliver them as stored: each run tries one, then copies all."
            )
        return RunOutcome(RunStatus.FAILED, gap, Reason.INCOMPLETE, hint, columns=columns)
    # the last look has listed both ends with the same keys
    oom_kills = record.oom_kills if record is not None else 0
    ending = explain.ending_of(exit_code, said, explain.BOTH, oom_kills)
    told = explain.explain(ending, spec.source, spec.destination)
    columns |= {"mends": told.mends, "side": told.side, "region": told.region}
    summary = f"{gap} {told.summary}"
    return RunOutcome(RunStatus.FAILED, summary, told.reason, told.hint, told.detail, columns)


def _cannot(proof: Proof) -> list[RunWarning]:
    """Return what nothing can copy or remove, by its cause."""
    others = dict(proof.causes)
    gone, failed = others.pop(WarningCode.TOO_LONG_TO_REMOVE, 0), others.pop(DELIVERED, 0)
    numbers = {
        WarningCode.CANNOT_COPY: proof.cannot_copy - failed - sum(others.values()),
        **{WarningCode(why): number for why, number in others.items()},
        WarningCode.TOO_LONG_TO_REMOVE: gone,
    }
    return [
        RunWarning(code, {"n": number}, tuple(proof.names[code]))
        for code, number in numbers.items()
        if number
    ]


_PROVEN = (
    *("copied", "replaced", "archived", "deleted", "errors", "bytes", "checked"),
    *("exit_code", "warnings", "proof"),
)


def proven_columns(ending: RunOutcome) -> Columns:
    """Return what the row of a proven run has while it still tidies: this program may end then."""
    return {name: ending.columns[name] for name in _PROVEN}


def proven_before(run: BackupRun, follower: Follower, folder: RunFolder) -> RunOutcome:
    """A run that was proven, and whose program ended while it tidied."""
    columns: Columns = {name: getattr(run, name) for name in _PROVEN}
    columns |= _ended(folder.last_sign_of_life())
    told = describe_success(columns, Proof.from_json(run.proof) or Proof())
    columns |= {name: follower.counts()[name] for name in ("purged", "requests")}
    good = RunOutcome(RunStatus.SUCCESS, told, columns=columns)
    return good.with_warnings([RunWarning(WarningCode.TIDYING_CUT)])


def describe_success(columns: Columns, proof: Proof) -> str:
    """Describe a good run in a sentence; `columns`: its counts and its warnings."""
    words = {"copied": "copied", "replaced": "replaced", "deleted": "removed"}
    parts = [f"{columns[name]:,} {word}" for name, word in words.items() if columns[name]]
    but = f" {state_words.BUT_FOR}" if proof.cannot_copy else ""
    if any(each["code"] == WarningCode.LOG_CUT for each in columns["warnings"]):
        if not parts:
            return f"The copy is complete{but}. How much this run changed is not known."
        parts[0] = f"at least {parts[0]}"
    if not parts:
        return f"Nothing had changed: the copy was already complete{but}."
    return f"The copy is complete{but}: {', '.join(parts)}."


def _ended(seconds: float) -> Columns:
    """The column for when a run ended, which may be long before anybody looked; none if unknown."""
    if seconds <= 0:
        return {}
    return {"finished_at": min(utcnow(), dt.datetime.fromtimestamp(seconds, dt.UTC))}


def log_warnings(record: ExitRecord | None, follower: Follower) -> list[RunWarning]:
    """Return what is worth a look about the log itself."""
    is_cut = record is not None and not record.log_whole
    return [*([CUT] if is_cut else []), *_masked(follower)]


def _masked(follower: Follower) -> list[RunWarning]:
    n = follower.masked
    return [RunWarning(WarningCode.MASKED, {"n": n})] if n else []


def with_cut_log(ending: RunOutcome, run: BackupRun) -> RunOutcome:
    """Return the same end, with the warning that an earlier pass of the run lost lines."""
    told = SimpleNamespace(warnings=ending.columns.get("warnings", []))
    return ending.with_warnings([CUT]) if log_is_cut(run) and not log_is_cut(told) else ending
