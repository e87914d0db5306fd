"""A run whose worker could not begin, or met its end, gets another; the queue continues."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine import engine as engine_module
from bucketvault.engine.engine import Engine
from bucketvault.engine.runs import queue
from bucketvault.store.database import BusyError, connection, database, writing
from bucketvault.store.models import BackupRun, Setting
from bucketvault.vocabulary import RunStatus, Topic
from tests import store_fixtures as make
from tests.support.program import until


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine at work, with two backups whose keys do not decrypt: their runs end at once."""
    monkeypatch.setattr(engine_module, "ADOPT_EVERY_S", 0.1)
    key = str(tmp_path / "secret.key")
    config = load_config({"BUCKETVAULT_KEY_FILE": key}, data_dir=str(tmp_path / "data"))
    made = Engine(config, "run")
    made.start()
    provider = make.a_provider("R2")
    for name in ("photos", "dumps"):
        ends = make.a_storage(provider, name), make.a_storage(provider, f"{name}-copies")
        make.a_backup(name, *ends)
    yield made
    made.stop()


def has_ended(run_id: int) -> bool:
    with connection():
        run = BackupRun.get_by_id(run_id)
    # twice cut short in its checks, a run is not tried for ever, but called interrupted; where its
    # end could be written at the second attempt, it says that the first one met a fault
    ends = ("credentials", "interrupted", "internal")
    return bool(run.status == RunStatus.FAILED and run.reason in ends)


def test_a_run_that_no_thread_was_left_for_is_done_as_soon_as_there_is_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    start = threading.Thread.start

    def start_or_not(thread: threading.Thread) -> None:
        if thread.name.startswith("run-") and len(refused) < 1:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_not)
    monkeypatch.setattr(engine_module, "LOOK_S", 0.05)

    runs = [engine.run_now(1), engine.run_now(2)]

    until("both have ended", lambda: all(map(has_ended, runs)))
    assert refused == [f"run-{runs[0]}"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_whose_end_could_not_be_written_ends_once_it_can(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda about: met.append(str(about.exc_value)))
    with writing():
        database.execute_sql(
            "CREATE TRIGGER damaged BEFORE UPDATE ON backup_run WHEN new.status = 'failed' "
            "BEGIN SELECT RAISE(ABORT, 'as a damaged page would'); END"
        )

    run_id = engine.run_now(1)
    until("its worker is gone", lambda: met)
    with writing():
        database.execute_sql("DROP TRIGGER damaged")

    until("it has ended", lambda: has_ended(run_id))


def test_a_folder_of_runs_that_somebody_removed_does_not_stop_the_queue(
    engine: Engine,
) -> None:
    shutil.rmtree(engine.config.runs)

    run_id = engine.run_now(1)

    until("it has ended", lambda: has_ended(run_id))


def test_what_others_wrote_while_the_queue_met_a_busy_database_is_shown_all_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    claim = queue.claim

    def write() -> None:
        with writing():
            Setting.create(key="of another program", value="")

    def busy(*_: object) -> None:
        other = threading.Thread(target=write)
        other.start()
        other.join()
        monkeypatch.setattr(queue, "claim", claim)
        monkeypatch.setattr(engine.live, "publish", lambda *topics: told.extend(topics))
        raise BusyError("database is locked")

    monkeypatch.setattr(engine_module, "LOOK_S", 0.05)
    monkeypatch.setattr(queue, "claim", busy)

    until("pages look again", lambda: Topic.BACKUPS in told)
