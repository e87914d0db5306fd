"""Backups for pages: create, change, switch on and off, delete; and the runs they have had."""

from collections.abc import Callable
from dataclasses import dataclass

import peewee as pw

from bucketvault.engine.catalogue import catalogue, conflicts
from bucketvault.engine.domain.fields import BackupInput
from bucketvault.engine.events import BACKUPS, CATALOGUE, Live
from bucketvault.engine.views import history
from bucketvault.errors import Problem
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun
from bucketvault.vocabulary import RunStatus


@dataclass(frozen=True, slots=True)
class Going:
    """What a deletion takes along, and the run that stands against it."""

    runs: int
    log_bytes: int
    running_id: int | None


class Backups:
    """What pages ask for. Every method may be called from any thread, and may block."""

    def __init__(self, live: Live, wake: Callable[[], None]) -> None:
        self._live, self._wake = live, wake

    def inputs(self, backup_id: int) -> BackupInput:
        """What a form starts from. Raises NotFoundError."""
        return catalogue.backup_input(backup_id)

    def problems(self, given: BackupInput, backup_id: int | None = None) -> list[Problem]:
        """What is wrong with a new backup, or with these changes to one. Raises NotFoundError."""
        return catalogue.check_backup(given, backup_id)

    def create(self, given: BackupInput) -> int:
        """Store a new backup; its id. Raises InvalidInputError with all problems."""
        backup_id = catalogue.create_backup(given)
        self._changed()
        return backup_id

    def change(
        self, backup_id: int, given: BackupInput, loaded: BackupInput | None = None
    ) -> tuple[str, ...]:
        """Change a backup from its next run on; the names of the fields that really changed.

        Nothing is written where it is not as `loaded` any more. Raises NotFoundError,
        ChangedMeanwhileError, InvalidInputError with all problems.
        """
        changed = catalogue.change_backup(backup_id, given, loaded=loaded)
        self._changed()
        return changed

    def set_enabled(self, backup_id: int, enabled: bool) -> bool:
        """Switch the schedule on or off; whether a planned run that waited was taken out.

        A run that somebody asked for, and one under way, go on. Raises NotFoundError, and
        InvalidInputError where it could not run as things are now.
        """
        taken = catalogue.set_enabled(backup_id, enabled)
        self._changed()
        return taken

    def going(self, backup_id: int) -> Going:
        """What would go with a backup. Raises NotFoundError."""
        with connection():
            conflicts.get(Backup, backup_id)
            mine = BackupRun.backup == backup_id
            counted = BackupRun.select(pw.fn.COUNT(BackupRun.id), pw.fn.SUM(BackupRun.log_bytes))
            runs, log_bytes = counted.where(mine).scalar(as_tuple=True)
            running = BackupRun.get_or_none(mine, BackupRun.status == RunStatus.RUNNING)
            return Going(runs, log_bytes or 0, None if running is None else running.id)

    def delete(self, backup_id: int) -> int:
        """Delete a backup with its runs and logs; how many runs went.

        Copy and kept versions stay in the bucket.

        Raises InUseError while a run is under way, NotFoundError.
        """
        going = self.going(backup_id)
        catalogue.delete_backup(backup_id)
        self._changed()
        return going.runs

    def runs(
        self, backup_id: int, which: history.Which, before: int | None = None
    ) -> history.RunsPage:
        """A page of a backup's runs, newest first: those older than the run `before`."""
        return history.runs_page(backup_id, which, before)

    def measures(self, backup_id: int) -> tuple[history.Measure, ...]:
        """What the last runs moved and how long they took, oldest first."""
        return history.measures(backup_id)

    def _changed(self) -> None:
        self._wake()
        self._live.publish(BACKUPS, CATALOGUE)
