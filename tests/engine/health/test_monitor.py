"""A look at this machine: whose process an rclone is, and what is told when things fail."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.config import Config, load_config
from bucketvault.engine import maintenance
from bucketvault.engine.health import monitor as health
from bucketvault.engine.health.monitor import Health, Monitor
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.schedule.scheduler import Scheduler
from bucketvault.engine.views.situation import Tone
from bucketvault.store.database import close_database
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage
from tests.support.program import until


@pytest.fixture
def config(open_store: Path) -> Config:
    made = load_config({}, data_dir=str(open_store.parent))
    made.make_folders()
    return made


@pytest.fixture
def monitor(config: Config, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    return Monitor(config, Scheduler())


def a_run_under_way(pid: int | None) -> BackupRun:
    provider = a_provider()
    backup = a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))
    return a_run(backup, RunStatus.RUNNING, started_at=utcnow(), rclone_pid=pid)


@pytest.fixture
def busy(config: Config) -> Iterator[tuple[BackupRun, "subprocess.Popen[bytes]"]]:
    """A run and the process that works for it, as busy as a core allows."""
    run = a_run_under_way(None)
    folder = RunFolder(config.runs, run.uuid)
    folder.path.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], cwd=folder.path)
    run.change(RunStatus.RUNNING, rclone_pid=process.pid)
    yield run, process
    process.kill()
    process.wait()


def reading(found: Health, name: str) -> object:
    return next(one for one in found.readings if one.name == name)


def test_each_runs_process_is_measured_with_its_memory_and_its_work(
    monitor: Monitor, busy: tuple[BackupRun, "subprocess.Popen[bytes]"]
) -> None:
    run, process = busy
    (first,) = monitor.look().copying

    worked = until(
        "it has worked since", lambda: (monitor.look().copying[0].processor_percent or 0) > 5
    )

    assert worked and (first.run_id, first.backup_name) == (run.id, "Photos")
    assert first.pid == process.pid and (first.memory_bytes or 0) > 1_000_000
    assert first.processor_percent is None  # there was nothing to compare with


def test_a_process_that_only_has_the_number_is_not_taken_for_rclone(monitor: Monitor) -> None:
    a_run_under_way(1)

    (found,) = monitor.look().copying

    assert (found.pid, found.memory_bytes) == (None, None)


def test_a_process_that_has_ended_is_none(
    monitor: Monitor, busy: tuple[BackupRun, "subprocess.Popen[bytes]"]
) -> None:
    _, process = busy
    process.kill()
    process.wait()

    (found,) = monitor.look().copying

    assert found.pid is None


def test_a_database_that_does_not_answer_is_one_reading_among_the_others(
    monitor: Monitor, config: Config
) -> None:
    close_database()
    config.database.rename(config.data_dir / "taken away")

    found = monitor.look()

    assert getattr(reading(found, "Database"), "tone", None) is Tone.BAD
    assert {"Memory", "Disk of the data folder", "rclone"} <= {one.name for one in found.readings}


def test_the_hour_fills_by_itself(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EVERY_S", 0.02)
    monitor.start()

    hour = until("some samples", lambda: len(found := monitor.look().hour) > 3 and found)
    monitor.stop(5)

    assert all(0 <= sample.processor_percent <= 100 and sample.memory_bytes > 0 for sample in hour)
    assert [sample.at for sample in hour] == sorted(sample.at for sample in hour)


def test_growth_is_told_from_the_copies_of_some_days(tmp_path: Path) -> None:
    now = utcnow().replace(year=2026, month=11, day=22)
    for day in range(4):
        path = tmp_path / f"bucketvault-2026-11-{10 + day}.sqlite3"
        path.write_bytes(b"x" * 1000 * (day + 1))
        expected = None if day < 3 else 1000.0 * (1 + maintenance.KEPT)
        assert maintenance.growth_a_day(tmp_path, now) == expected
