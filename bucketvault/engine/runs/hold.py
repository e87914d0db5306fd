"""Decides if a run is held: what it may remove by its settings, its past, and its approval.

Decisions: docs/decisions/approval.md.
"""

import datetime as dt

from bucketvault.engine.domain.findings import FEWEST_CHANGED, FEWEST_REMOVED, Findings
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.last_good import copied_between, last_good, same_ends, succeeded_before
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import HoldReason


def reason_to_hold(
    found: Findings,
    *,
    shrink_limit_percent: int,
    same_ends_before: bool,
    approved: Findings | None,
) -> HoldReason | None:
    """Return why a run must not continue by itself; None when it may.

    `same_ends_before`: an earlier run between the same ends succeeded. Without one, nothing may be
    removed: the destination belongs to something else, or the source is the wrong one.
    `approved`: what the user saw and allowed; more than that is held again.
    """
    if approved is not None:
        more = found.removed > approved.removed or found.replaced > approved.replaced
        return HoldReason.MORE if more else None
    if found.removed and not same_ends_before:
        return HoldReason.FIRST
    share = found.destination_objects * shrink_limit_percent / 100
    changed = found.removed + found.replaced
    too_many = (found.removed > share and found.removed >= FEWEST_REMOVED) or (
        changed > share and changed >= FEWEST_CHANGED
    )
    return HoldReason.SHARE if too_many else None


def hold_reason(run: BackupRun, found: Findings) -> HoldReason | None:
    """Return why a run that would do this must wait for approval; None when it may continue."""
    return _judge(run, found, _approved(run))


def oversteps(run: BackupRun, *, removed: int, replaced: int = 0) -> bool:
    """True if a run takes away more than its checks had found, and more than it may.

    The source may lose objects after it was looked at, and runs take hours. It may take what
    was approved, also where the checks had found less; of the rest, what it may unasked.
    """
    found = Findings.from_json(run.findings)
    if found is None:
        return False
    approved = _approved(run) or Findings()
    removed_too = removed > max(found.removed, approved.removed)
    replaced_too = replaced > max(found.replaced, approved.replaced)
    if not removed_too and not replaced_too:
        return False
    more = Findings(
        removed=removed if removed_too else 0,
        replaced=replaced if replaced_too else 0,
        destination_objects=found.destination_objects,
    )
    return is_heavy(run, more)


def is_heavy(run: BackupRun, found: Findings) -> bool:
    """True if this is more than a run may take away unasked, whatever was approved."""
    return _judge(run, found, None) is not None


def _judge(run: BackupRun, found: Findings, approved: Findings | None) -> HoldReason | None:
    return reason_to_hold(
        found,
        shrink_limit_percent=RunSpec.from_json(run.spec).shrink_limit_percent,
        same_ends_before=succeeded_before(run),
        approved=approved,
    )


def missed(run: BackupRun) -> int:
    """How many objects the checks did not see that the last good run had left in the copy.

    0 where that cannot be known: an end was changed, or a run in between or a warning blurs it.
    """
    good = last_good(run)
    before = Findings.from_json(good.findings) if good is not None else None
    found = Findings.from_json(run.findings)
    if good is None or before is None or found is None or good.warnings:
        return 0
    if not same_ends(good, run) or copied_between(good, run):
        return 0
    left = before.destination_objects + good.copied - good.deleted
    return max(0, left - found.destination_objects)


def _approved(run: BackupRun) -> Findings | None:
    """Return the approval, if it is valid: begun within a day, and between the places shown."""
    limits = run.approved_limits
    if not limits or limits.get("ends") != queue.ends_of(RunSpec.from_json(run.spec)):
        return None
    if (run.started_at or utcnow()) >= dt.datetime.fromisoformat(limits["until"]):
        return None
    return Findings(removed=limits["removed"], replaced=limits["replaced"])
