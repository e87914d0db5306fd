"""The files in `data/ledgers`: a ledger for each backup, the plan of one that is held, and what
each pass made anew.

Each is named after the backup's archive key, a dot, and what it is. All of it is knowledge that a
run makes again: what is missing or damaged is never more than a slower or another question.

Decisions: docs/decisions/approval.md.
"""

import contextlib
import datetime as dt
import gzip
import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.ledger import Ledger, LedgerError, unquoted
from bucketvault.engine.listing.merge import What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.kept_versions import expiry_clock
from bucketvault.engine.runs.passes import is_bulk
from bucketvault.store.database import BusyError, connection, writing
from bucketvault.store.models import HAS_ENDED, IS_COPY, Backup, BackupRun, utcnow
from bucketvault.vocabulary import Topic

log = logging.getLogger(__name__)

NEW_LEDGER = "ledger.gz"  # in the folder of a look, beside its plan
_HELD = "held"
_RUN = "run"  # in the folder of a held plan: the run that was held
_NAMES = "names"  # a folder: of each pass what it made anew and what it mended
NOTED = (What.NEW, What.ALTERED)
_EMPTY, _WHOLE = "empty", "whole"  # the names of a pass are known; it began with an empty copy


def ledger_of(ledgers: Path, spec: RunSpec) -> Path:
    """Return the ledger of a backup between these ends: another one after an end was changed."""
    ends = hashlib.sha256(json.dumps(queue.ends_of(spec)).encode()).hexdigest()[:16]
    return ledgers / f"{spec.archive_key}.{ends}.gz"


def take_ledger(ledgers: Path, spec: RunSpec, new: Path) -> None:
    """Move a new ledger to its place, and note what it knows of reading.

    Those of the same backup between other ends go.
    """
    ledgers.mkdir(mode=0o700, exist_ok=True)
    mine = ledger_of(ledgers, spec)
    new.replace(mine)
    for other in ledgers.glob(f"{spec.archive_key}.*.gz"):
        if other != mine:
            other.unlink(missing_ok=True)
    # for pages, which never read a ledger; a database that is busy has it after the next run
    with contextlib.suppress(BusyError, LedgerError):
        reading = asdict(Ledger(mine).reading)
        with writing(Topic.BACKUPS):
            mine_too = Backup.archive_key == spec.archive_key
            Backup.update(reading=reading).where(mine_too).execute()


def hold_plan(ledgers: Path, run: BackupRun, plan: Plan) -> None:
    """Move the plan of a run that is held to where an approval finds it; an older one goes.

    Call when the plan has been read. Without room for it, an approval finds none.
    """
    place = _held(ledgers, run)
    _remove(place)
    try:
        ledgers.mkdir(mode=0o700, exist_ok=True)
        (plan.folder / NEW_LEDGER).unlink(missing_ok=True)
        (plan.folder / _RUN).write_text(run.uuid, "utf-8")
        plan.folder.chmod(0o700)
        plan.folder.rename(place)
    except OSError as error:
        log.warning(
            "the plan of a held run was not saved", extra={"run": run.id, "why": str(error)}
        )


def approved_plan(ledgers: Path, run: BackupRun) -> Plan | None:
    """Return the plan that this run's approval is about; None: no approval, or it is gone."""
    place, named = _held(ledgers, run), run.approved_limits.get("plan")
    return Plan(place) if named and _run_of(place) == named else None


def forget_plan(ledgers: Path, run: BackupRun) -> None:
    """Remove the held plan of this run's backup: after a good run nothing is left to approve."""
    _remove(_held(ledgers, run))


def note_pass(ledgers: Path, spec: RunSpec, plan: Plan, stamp: str) -> None:
    """Keep which names a pass makes anew and which it only mends; call before the pass begins.

    Kept versions tell what was replaced or removed. What was not there before, only this tells.
    Where it is missing, earlier days cannot be restored exactly. Kept as long as kept versions are.
    """
    place = _notes(ledgers, spec.archive_key)
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        begins_empty = is_bulk(plan.totals())
        for what in () if begins_empty else NOTED:
            beside = place / f"{stamp}.{what}.gz"
            beside.unlink(missing_ok=True)
            if (found := plan.file(what)).exists():
                os.link(found, beside)  # a look never writes into the file of another one
        (place / f"{stamp}.{_EMPTY if begins_empty else _WHOLE}").touch(mode=0o600)
        old = expiry_clock(utcnow()) - dt.timedelta(days=spec.retention_days + 1)
        for path in place.iterdir():
            if path.name < old.strftime(STAMP_FORMAT):
                path.unlink(missing_ok=True)
    except (OSError, BusyError) as error:
        log.warning("the names of a pass are not kept", extra={"stamp": stamp, "why": str(error)})


def began_empty(ledgers: Path, archive_key: str, stamp: str) -> bool | None:
    """True if the copy was empty before this pass; None: nothing is known of its names."""
    place = _notes(ledgers, archive_key)
    if (place / f"{stamp}.{_EMPTY}").exists():
        return True
    return False if (place / f"{stamp}.{_WHOLE}").exists() else None


def noted_passes(ledgers: Path, archive_key: str) -> set[str]:
    """Return the names of the kept versions' folders of all passes of which `note_pass` knows."""
    with contextlib.suppress(FileNotFoundError):
        found = [path.name.partition(".") for path in _notes(ledgers, archive_key).iterdir()]
        return {stamp for stamp, _, kind in found if kind in (_EMPTY, _WHOLE)}
    return set()


def noted_names(ledgers: Path, archive_key: str, stamp: str, what: What) -> Iterator[bytes]:
    """Yield the keys that a pass made anew (NEW), or only mended (ALTERED), in key order.

    Raises LedgerError where the file is damaged.
    """
    path = _notes(ledgers, archive_key) / f"{stamp}.{what}.gz"
    try:
        if path.exists():
            with gzip.open(path) as file:
                yield from (unquoted(line.partition(b"\t")[0]) for line in file)
    except (EOFError, zlib.error, OSError) as error:
        raise LedgerError("The names of a run are damaged.") from error


def sweep(ledgers: Path) -> None:
    """Remove what belongs to deleted backups, and plans that nobody can approve any more."""
    if not ledgers.is_dir():
        return
    found = list(ledgers.iterdir())  # first: what comes later belongs to a backup that is known
    with connection():
        keys = {backup.archive_key for backup in Backup.select(Backup.archive_key)}
        for path in found:
            key, _, kind = path.name.partition(".")
            if key not in keys or (kind == _HELD and not _is_wanted(_run_of(path))):
                _remove(path)


def _is_wanted(uuid: str) -> bool:
    """True if this run's plan can be approved, or was: no newer run has ended."""
    held = BackupRun.get_or_none(BackupRun.uuid == uuid)
    if held is None:
        return False
    later = (BackupRun.backup == held.backup_id) & (BackupRun.id > held.id)
    return not BackupRun.select().where(later, IS_COPY, HAS_ENDED).exists()


def _notes(ledgers: Path, archive_key: str) -> Path:
    return ledgers / f"{archive_key}.{_NAMES}"


def _held(ledgers: Path, run: BackupRun) -> Path:
    return ledgers / f"{RunSpec.from_json(run.spec).archive_key}.{_HELD}"


def _run_of(place: Path) -> str:
    try:
        return (place / _RUN).read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # the next sweep tries again
            path.unlink()
