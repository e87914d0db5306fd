"""The newest good run before a run of the same backup, and what happened since."""

from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.bucket import PATIENCE_S
from bucketvault.store.database import connection
from bucketvault.store.models import IS_COPY, BackupRun
from bucketvault.vocabulary import Phase, RunKind, RunStatus

FIRST_PATIENCE_S = 20.0  # with a provider that is away, where no run has succeeded before
_TOUCHED = (Phase.COPYING, Phase.PROVING, Phase.TIDYING)


def last_good(run: BackupRun) -> BackupRun | None:
    """Return the newest good run of this backup before `run`."""
    with connection():
        return BackupRun.newest_good(run.backup_id, before=run.id)


def same_ends(run: BackupRun, other: BackupRun) -> bool:
    """True if two runs copy between the same places, by what is meant, not by names."""
    one, two = RunSpec.stored(run.spec), RunSpec.stored(other.spec)
    return one is not None and two is not None and one.locations == two.locations


def proven_before(run: BackupRun) -> bool:
    """True if the newest run of this backup that looked at what it had copied had the same ends.

    It need not be a good one: one object that the destination refuses would hold every run then.
    """
    looked = (BackupRun.status == RunStatus.SUCCESS) | (BackupRun.proof != {})
    with connection():
        found = (
            BackupRun.select()
            .where(BackupRun.backup == run.backup_id, BackupRun.id < run.id, IS_COPY, looked)
            .order_by(BackupRun.id.desc())
            .first()
        )
    return found is not None and same_ends(found, run)


def patience_s(run: BackupRun) -> float:
    """Return how long a provider may be away at first: somebody may be waiting for an answer."""
    is_new = run.kind != RunKind.COPY or not proven_before(run)
    return FIRST_PATIENCE_S if is_new else PATIENCE_S


def copied_between(earlier: BackupRun, later: BackupRun) -> bool:
    """True if a run between two of this backup got as far as to touch the copy."""
    with connection():
        return (
            BackupRun.select()
            .where(
                BackupRun.backup == later.backup_id,
                BackupRun.id.between(earlier.id + 1, later.id - 1),
                BackupRun.phase.in_(_TOUCHED),
            )
            .exists()
        )


def is_copy_of(good: BackupRun, run: BackupRun) -> bool:
    """True if the copy that `run` means still was what `good` had left, when `run` ended."""
    touched = run.phase in _TOUCHED or copied_between(good, run)
    return same_ends(good, run) and not touched
