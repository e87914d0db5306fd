"""The engine's own scheduler: beats while serving, comes back to life, ends with the rest."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine.engine import Engine
from bucketvault.engine.views.situation import Part
from tests.support.program import until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine as `serve` has it, not started yet."""
    key = str(tmp_path / "secret.key")
    config = load_config({"BUCKETVAULT_KEY_FILE": key}, data_dir=str(tmp_path / "data"))
    made = Engine(config, "serve", schedules=True)
    yield made
    made.stop()


def pulses() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pulse"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_pulse_that_dies_is_brought_back_by_the_dispatcher(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[int] = []
    beat = engine.scheduler.beat

    def dies_once() -> None:
        if not deaths:
            deaths.append(1)
            raise SystemExit  # ends a thread without a word
        beat()

    monkeypatch.setattr(engine.scheduler._pulse, "_beat", dies_once)
    engine.start()

    until("it beats", lambda: engine.scheduler.last_beat_at)

    assert deaths
    assert len(pulses()) == 1
    assert Part.SCHEDULER not in {issue.part for issue in engine.installation_issues()}


def test_it_ends_with_the_engine(engine: Engine) -> None:
    engine.start()
    until("it beats", lambda: engine.scheduler.last_beat_at)

    engine.stop()

    assert not pulses()
    assert not engine.scheduler.is_beating()


def test_a_command_that_only_runs_a_backup_plans_nothing(tmp_path: Path) -> None:
    key = str(tmp_path / "secret.key")
    config = load_config({"BUCKETVAULT_KEY_FILE": key}, data_dir=str(tmp_path / "data"))
    command = Engine(config, "run")

    command.start()

    assert not pulses()
    (unknown,) = [one for one in command.installation_issues() if not one.is_known]
    assert unknown.part is Part.SCHEDULER
    command.stop()
