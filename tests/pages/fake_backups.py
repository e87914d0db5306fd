"""Made-up backups to create, change and delete, and their runs. For tests only."""

from dataclasses import fields, replace

from bucketvault.engine.catalogue.backups import Going
from bucketvault.engine.domain.fields import BackupFields, checked
from bucketvault.engine.domain.places import Chosen
from bucketvault.engine.events import Live
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.engine.views.history import Measure, RunsPage
from bucketvault.engine.views.money import Priced, Spent
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import ChangedMeanwhileError, InvalidInputError, NotFoundError, Problem
from bucketvault.vocabulary import Topic
from tests.pages import backup_scenes, scenes, scenes_money

NEW = 99  # a storage that is made with a backup


def stored_input(**changes: object) -> BackupFields:
    """A weekly backup between two of the made-up storages."""
    given = BackupFields(
        name="Video masters",
        source_storage_id=2,
        source_path="2026",
        destination_storage_id=1,
        destination_path="masters",
        schedule="weekly",
        at="03:15",
        weekday="sunday",
        time_zone="Europe/Berlin",
        enabled=True,
        retention_days=30,
        comparison_mode="checksum",
        shrink_limit_percent=50,
    )
    return replace(given, **changes)  # type: ignore[arg-type]


class FakeBackups:
    """A double of `engine.backups` for pages; `rows` are the engine's."""

    def __init__(self, live: Live, rows: list[BackupRow]) -> None:
        self._live, self.rows = live, rows
        self.inputs = {7: stored_input()}
        self.created: list[BackupFields] = []
        self.switched: list[tuple[int, bool]] = []
        self.asked: list[tuple[Tone | None, int | None]] = []
        self.measured = 0

    def stored(self, backup_id: int) -> BackupFields:
        if backup_id not in self.inputs:
            raise NotFoundError("This backup no longer exists.")
        return self.inputs[backup_id]

    def check(self, given: BackupFields, backup_id: int | None = None) -> list[Problem]:
        ends = (given.source_storage_id, given.destination_storage_id)
        # what is chosen becomes a storage, of any id
        ids = [NEW if isinstance(end, Chosen) else end for end in ends]
        stored = replace(given, source_storage_id=ids[0], destination_storage_id=ids[1])
        found = list(checked(stored)[1])
        if ends[0] is not None and ends[0] == ends[1] and given.source_path == "":
            found.append(Problem("destination_path", "Source and destination are the same place."))
        return found

    def create(self, given: BackupFields) -> int:
        if problems := self.check(given):
            raise InvalidInputError(problems)
        self.created.append(given)
        return 4

    def change(
        self, backup_id: int, given: BackupFields, loaded: BackupFields | None = None
    ) -> tuple[str, ...]:
        stored = self.stored(backup_id)
        if loaded is not None and loaded != stored:
            names = [f.name for f in fields(BackupFields)]
            raise ChangedMeanwhileError(
                [name for name in names if getattr(loaded, name) != getattr(stored, name)]
            )
        if problems := self.check(given, backup_id):
            raise InvalidInputError(problems)
        self.inputs[backup_id] = given
        return ("name",)

    def set_enabled(self, backup_id: int, enabled: bool) -> bool:
        self.switched.append((backup_id, enabled))
        for place, row in enumerate(self.rows):
            if row.id == backup_id:
                self.rows[place] = replace(row, enabled=enabled)
        self._live.publish(Topic.BACKUPS)
        return False

    def going(self, backup_id: int) -> Going:
        running = next(
            (row.active_run for row in self.rows if row.id == backup_id and row.active_run), None
        )
        return Going(412, 48_200_000, None if running is None else running.id)

    def delete(self, backup_id: int) -> int:
        self.rows[:] = [row for row in self.rows if row.id != backup_id]
        self._live.publish(Topic.BACKUPS)
        return 412

    def runs_page(self, backup_id: int, tone: Tone | None, before: int | None = None) -> RunsPage:
        self.asked.append((tone, before))
        row = next(row for row in self.rows if row.id == backup_id)
        found = backup_scenes.some_runs(row)
        if before is not None:
            found = older_runs(row, before)
        return RunsPage(found, older=before is None and bool(found), total=412, since=scenes.now())

    def measures(self, backup_id: int) -> tuple[Measure, ...]:
        self.measured += 1
        return measures()

    def spent(self, backup_id: int) -> Spent | None:
        return scenes_money.spent()

    def services(self) -> dict[int, Priced]:
        return scenes_money.SERVICES


def older_runs(row: BackupRow, before: int) -> tuple[RunView, ...]:
    return tuple(
        scenes.run_view(id=before - number, backup_id=row.id, backup_name=row.name)
        for number in range(1, 4)
    )


def measures() -> tuple[Measure, ...]:
    """Ninety nights: it grows, one run took long, one failed."""
    return tuple(
        Measure(
            run_id=number + 1,
            started_at=scenes.now() - (90 - number) * scenes.DAY,
            took_s=600.0 + number * 7 % 240 + (900 if number == 40 else 0),
            moved_bytes=1_900_000_000 + number % 7 * 90_000_000,
            source_bytes=81_000_000_000 + number * 170_000_000,
            succeeded=number != 76,
        )
        for number in range(90)
    )
