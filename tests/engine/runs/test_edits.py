"""Edited and deleted by pages and commands at once, at any step of a run: it ends as it began.

With `TESTS_MORE=1`: at every step.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from bucketvault.config import load_config
from bucketvault.engine.catalogue import providers, storages
from bucketvault.engine.engine import Engine
from bucketvault.errors import BucketvaultError, ChangedMeanwhileError, InUseError
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun, Provider, Storage
from tests.conftest import NewBucket
from tests.engine.runs.scene import Scene, changed_scene
from tests.engine.runs.test_bad_days import STEPS, at
from tests.support.program import Program, until
from tests.support.servers import RcloneS3
from tests.support.truth import State, assert_nothing_is_lost
from tests.support.wrong_answers import Hold

pytestmark = pytest.mark.slow

MORE = bool(os.environ.get("TESTS_MORE"))


@pytest.fixture
def scene(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> Iterator[Scene]:
    """A backup that has something to keep, to copy and to remove."""
    with changed_scene(bucketvault, new_bucket, here, elsewhere) as made:
        yield made


@contextlib.contextmanager
def engine_of(program: Program) -> Iterator[Engine]:
    """The engine of a server, in this process: pages call its functions in threads."""
    engine = Engine(load_config(program.environment), "serve")
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def page_edits(engine: Engine, backup_id: int) -> list[type[BucketvaultError] | None]:
    """Do what pages do; return what each was refused by."""

    def renamed() -> None:
        for _ in range(5):  # a command may have changed it since the form was filled
            given = engine.backups.stored(backup_id)
            new = replace(given, name="Renamed", retention_days=90)
            with contextlib.suppress(ChangedMeanwhileError):
                engine.backups.change(backup_id, new, given)
                return

    with connection():
        deleted: list[Callable[[], object]] = [
            *(lambda id_=row.id: storages.delete(id_) for row in Storage.select()),
            *(lambda id_=row.id: providers.delete(id_) for row in Provider.select()),
        ]
    return [_refusal(do) for do in (renamed, lambda: engine.backups.delete(backup_id), *deleted)]


def _refusal(do: Callable[[], object]) -> type[BucketvaultError] | None:
    try:
        do()
    except BucketvaultError as error:
        return type(error)
    return None


@pytest.mark.parametrize("step", STEPS if MORE else ["keep"])
def test_edits_and_deletions_at_a_step_change_the_next_run_and_not_this_one(
    scene: Scene, step: str
) -> None:
    program, before, hold = scene.program, scene.state(), Hold()
    proxy, lie = at(scene, step, answer=hold, times=1)
    proxy.lies = [lie]
    told: list[type[BucketvaultError] | None] = []
    commands: list[int] = []

    with engine_of(program) as engine:
        with connection():
            backup_id = Backup.get().id
        run_id = engine.run_now(backup_id)
        assert hold.reached.wait(30), step

        def by_command() -> None:
            moved = ("disable", "Photos"), ("enable", "Photos")
            commands.extend(program.shell(*words).code for words in moved)

        command = threading.Thread(target=by_command)
        command.start()
        told += page_edits(engine, backup_id)
        command.join(60)
        given = engine.backups.stored(backup_id)
        engine.backups.change(backup_id, replace(given, destination_path="moved"), given)
        hold.go.set()

        def ended() -> BackupRun | None:
            with connection():
                row = BackupRun.get_by_id(run_id)
            return None if row.status.is_active else row

        run = until("the run has ended", ended)

    after = State.of(scene.source, scene.destination)
    assert told == [None, *[InUseError] * (len(told) - 1)]  # renamed; nothing was deleted
    assert commands[0] in (0, 2) and len(commands) == 2  # 2: it had its new name by then
    assert run.status == "success", run.explanation
    assert (run.copied, run.replaced, run.deleted) == (1, 1, 1) and after.is_complete
    assert run.spec["destination"]["path"] == "" and run.spec["retention_days"] == 30
    assert_nothing_is_lost(before, after)
    proxy.lies = []
    program.run("Renamed")
    moved = scene.destination.objects("moved/")
    assert {key.removeprefix("moved/"): body for key, body in moved.items()} == after.source
    assert_nothing_is_lost(before, State.of(scene.source, scene.destination))
