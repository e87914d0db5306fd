"""Decides if a run is held: what it may remove by its settings, its past, and its approval.

Decisions: docs/decisions/approval.md.
"""

import datetime as dt
import logging
import zlib
from collections.abc import Iterator
from dataclasses import replace

from bucketvault.engine.domain.findings import FEWEST_CHANGED, FEWEST_REMOVED, Findings
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.merge import What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.last_good import copied_between, last_good, same_ends, succeeded_before
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import HoldReason

log = logging.getLogger(__name__)

# What reading a damaged plan raises: gzip, zlib, JSON, and its own lines.
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError)


def reason_to_hold(
    found: Findings, *, shrink_limit_percent: int, same_ends_before: bool
) -> HoldReason | None:
    """Return why a run must not continue by itself; None when it may.

    `same_ends_before`: an earlier run between the same ends succeeded. Without one, nothing may be
    removed: the destination belongs to something else, or the source is the wrong one.
    """
    if found.removed and not same_ends_before:
        return HoldReason.FIRST
    share = found.destination_objects * shrink_limit_percent / 100
    changed = found.removed + found.replaced
    too_many = (found.removed > share and found.removed >= FEWEST_REMOVED) or (
        changed > share and changed >= FEWEST_CHANGED
    )
    return HoldReason.SHARE if too_many else None


def hold_reason(
    run: BackupRun,
    plan: Plan | Findings,
    found: Findings | None = None,
    approved: Plan | None = None,
) -> HoldReason | None:
    """Return why a run that would do this must wait for approval; None when it may continue.

    `approved`: the plan that was shown when the run was approved; None: it was not, or that plan
    is gone. Blocks while both plans are read.
    """
    if isinstance(plan, Findings):
        return _judge(run, plan, _approved(run))
    if found is None:
        raise TypeError("a plan comes with what it found")
    left = None
    if approved is not None and _is_valid(run):
        left = not_approved(plan, found, approved)
    why = reason_to_hold(
        found if left is None else left,
        shrink_limit_percent=RunSpec.from_json(run.spec).shrink_limit_percent,
        same_ends_before=succeeded_before(run),
    )
    return HoldReason.MORE if why is not None and left is not None else why


def not_approved(plan: Plan, found: Findings, approved: Plan) -> Findings | None:
    """Return what a run would do beyond an approved plan; None where that plan is damaged.

    By name: a key that was to be removed may be removed, one that was to be replaced replaced. The
    copy is counted as the approved removals leave it.
    """
    try:
        approved.totals()  # written last: without them it was never whole
        removed = _beyond(plan, approved, What.GONE)
        replaced = _beyond(plan, approved, What.CHANGED, What.ALTERED)
    except _DAMAGED as error:
        log.warning(
            "the approved plan is damaged", extra={"why": f"{type(error).__name__}: {error}"}
        )
        return None
    remain = found.destination_objects - (found.removed - removed)
    return replace(found, removed=removed, replaced=replaced, destination_objects=remain)


def _beyond(plan: Plan, approved: Plan, *whats: What) -> int:
    """Count the keys of `plan` that `approved` does not name; both are read once, in key order."""
    names = _keys(approved, whats)
    name, count = next(names, None), 0
    for key in _keys(plan, whats):
        while name is not None and name < key:
            name = next(names, None)
        count += key != name
    for _ in names:  # to its end, where the file's checksum is
        pass
    return count


def _keys(plan: Plan, whats: tuple[What, ...]) -> Iterator[bytes]:
    return (found.key for found in plan.differences(*whats))


def _is_valid(run: BackupRun) -> bool:
    """True if a run was approved: begun within a day, and between the places shown."""
    limits = run.approved_limits
    if not limits or limits.get("ends") != queue.ends_of(RunSpec.from_json(run.spec)):
        return False
    return (run.started_at or utcnow()) < dt.datetime.fromisoformat(limits["until"])


# until every run has a plan


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
    if approved is not None:
        more = found.removed > approved.removed or found.replaced > approved.replaced
        return HoldReason.MORE if more else None
    return reason_to_hold(
        found,
        shrink_limit_percent=RunSpec.from_json(run.spec).shrink_limit_percent,
        same_ends_before=succeeded_before(run),
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
    limits = run.approved_limits
    return (
        Findings(removed=limits["removed"], replaced=limits["replaced"]) if _is_valid(run) else None
    )
