"""How far a run is, on the command line: a bar on a terminal, plain lines elsewhere."""

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import sqlite3
import struct
import termios
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest

from bucketvault.cli.watching import ProgressLine, Watch, stop_patiently
from bucketvault.config import Config, load_config
from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.engine import Engine
from bucketvault.engine.folder_lock import FolderHold
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.runs import queue
from bucketvault.engine.views import backups
from bucketvault.store import database
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import Phase, Reason, RunStatus
from tests.conftest import NewBucket
from tests.store_fixtures import (
    a_backup,
    a_provider,
    a_run,
    a_storage,
    data_folder,
    new_database,
    open_store,
)
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

__all__ = ["data_folder", "new_database", "open_store"]

HALF = Progress(bytes_done=33_000_000, bytes_total=66_000_000, speed_bytes_s=1e6)


@pytest.fixture
def row(open_store: object) -> BackupRun:
    """A run that waits."""
    provider = a_provider()
    ends = (a_storage(provider, "photos"), a_storage(provider, "copies"))
    return a_run(a_backup("山の上", *ends), RunStatus.PENDING)


def now(row: BackupRun, **changes: Any) -> backups.RunView:
    """The run after these changes."""
    BackupRun.update(**changes).where(BackupRun.id == row.id).execute()
    return backups.run(row.id)


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """Both ends of a terminal of 40 columns: what a person sees, and what is written to."""
    ours, theirs = pty.openpty()
    set_columns(theirs, 40)
    with open(theirs, "w") as out:
        yield ours, out
    os.close(ours)


def seen(ours: int, out: TextIO) -> str:
    """All that came to the screen."""
    out.close()
    screen = b""
    try:
        while part := os.read(ours, 4096):
            screen += part
    except OSError:  # Linux says so when the other side is closed
        pass
    return screen.decode()


def set_columns(descriptor: int, columns: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def test_elsewhere_each_step_is_a_line(row: BackupRun) -> None:
    out = io.StringIO()
    show = ProgressLine(out)

    show.draw(now(row))
    show.draw(now(row))
    show.draw(now(row, status=RunStatus.RUNNING, phase=Phase.CHECKING))
    show.draw(now(row, phase=Phase.COPYING, progress=HALF.to_json()))
    show.draw(now(row, phase=Phase.TIDYING))
    show.draw(now(row, stop_requested_at=utcnow()))
    show.end()

    assert out.getvalue().splitlines() == [
        "山の上: waiting for its turn",
        "山の上: checking both buckets",
        "山の上: copying, 50 %, 33.0 of 66.0 MB, 1.0 MB/s",
        "山の上: cleaning up",
        "山の上: stopping",
    ]


def test_a_run_that_is_held_down_says_so_and_until_when(row: BackupRun) -> None:
    out = io.StringIO()
    spec = queue.freeze(row.backup)
    always = replace(spec, bandwidth=Bandwidth(2_000_000))
    hours = replace(spec, bandwidth=Bandwidth(2_000_000, "00:00", "23:59"))
    copying = {"status": RunStatus.RUNNING, "phase": Phase.COPYING, "progress": HALF.to_json()}

    ProgressLine(out).draw(now(row, **copying, spec=always.to_json()))
    ProgressLine(out).draw(now(row, spec=hours.to_json()))
    ProgressLine(out).draw(now(row, phase=Phase.PROVING))

    first, second, proving = out.getvalue().splitlines()
    assert first == "山の上: copying, 50 %, 33.0 of 66.0 MB, 1.0 MB/s, limited to 2 MB/s"
    assert second.startswith(f"{first} ") and second[-5:-2].endswith(":")
    assert "limited" not in proving


def test_on_a_terminal_one_line_moves_and_never_breaks(
    row: BackupRun, terminal: tuple[int, TextIO]
) -> None:
    ours, out = terminal
    show = ProgressLine(out)

    show.draw(now(row))
    show.draw(now(row, status=RunStatus.RUNNING, phase=Phase.COPYING, progress=HALF.to_json()))
    show.end()

    waiting, copying, empty, back = seen(ours, out).split("\r")[1:]
    assert waiting == "山の上: waiting for its turn"
    # 39 places: three of the signs take two
    assert copying == "山の上: copying [##########----------] 5"[: 39 - 3]
    assert (empty, back) == (" " * 39, "")


def test_a_terminal_that_does_not_tell_its_width_has_the_usual_one(
    row: BackupRun, terminal: tuple[int, TextIO]
) -> None:
    ours, out = terminal
    set_columns(out.fileno(), 0)

    ProgressLine(out).draw(now(row, status=RunStatus.RUNNING, phase=Phase.CHECKING))

    assert seen(ours, out) == "\r山の上: checking both buckets"


def test_a_stop_of_a_run_that_waits_is_made_when_the_database_takes_it(
    open_store: Path, row: BackupRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = dict(database.OF_A_CONNECTION) | {"busy_timeout": 20}
    monkeypatch.setattr(database, "OF_A_CONNECTION", tuple(hasty.items()))
    database.open_database(open_store)
    refused = threading.Event()

    class Told(Engine):
        def stop_run(self, run_id: int) -> None:
            try:
                super().stop_run(run_id)
            except database.BusyError:
                refused.set()
                raise

    with contextlib.closing(sqlite3.connect(open_store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked = (Told(config(open_store), "run"), row.id, threading.Event())
        stop = threading.Thread(target=stop_patiently, args=asked)
        stop.start()
        assert refused.wait(60)
        other.execute("ROLLBACK")
    stop.join(60)

    assert backups.run(row.id).reason == Reason.STOPPED


def test_a_stop_of_a_run_that_is_gone_is_nothing_to_do(open_store: Path) -> None:
    stop_patiently(Engine(config(open_store), "run"), 7, threading.Event())


@pytest.mark.slow  # takes seconds
def test_a_server_that_ended_is_waited_for_before_its_work_is_taken_over(
    open_store: Path,
    row: BackupRun,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bucketvault.cli.watching.SERVER_MAY_TAKE_S", 0.5)
    server = FolderHold(config(open_store).lock, "serve")
    server.take()
    watch = Watch(config(open_store), row.id, None)
    server.release()

    code = watch.to_the_end()

    said = capsys.readouterr()
    lines = [line for line in said.out.splitlines() if "waiting for its turn" not in line]
    assert lines[:2] == [
        "The server stopped; waiting for it to restart ...",
        "It did not restart, so this command does the work.",
    ]
    assert code == 1 and backups.run(row.id).reason == Reason.CREDENTIALS, said


def test_a_server_that_restarts_gets_its_data_folder_back(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, tmp_path: Path
) -> None:
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))
    server = FolderHold(bucketvault.data_dir / "app.lock", "serve")
    server.take()
    said = tmp_path / "said"
    with said.open("w") as out:
        command = bucketvault.start("run", "Photos", "--wait", stdout=out.fileno())
    until("it watches", lambda: "waiting for its turn" in said.read_text())

    server.release()
    until("it has seen that", lambda: "waiting for it to restart" in said.read_text())
    server.take()

    command.terminate()
    command.communicate(timeout=60)
    server.release()
    assert command.returncode == 128 + signal.SIGTERM
    told = said.read_text()
    assert "does the work" not in told and "Run 1 is waiting" in told


def test_where_a_command_did_the_work_the_next_one_goes_on_without_waiting(
    open_store: Path, row: BackupRun, capsys: pytest.CaptureFixture[str]
) -> None:
    command = FolderHold(config(open_store).lock, "run")
    command.take()
    watch = Watch(config(open_store), row.id, None)
    command.release()

    watch.to_the_end()

    assert "server" not in capsys.readouterr().out


def test_an_engine_that_only_looks_after_runs_starts_none_that_waits(
    open_store: Path, row: BackupRun
) -> None:
    engine = Engine(config(open_store), "run", starts=False)
    engine.start()
    try:
        until("it has looked", lambda: engine._adopts_at)
    finally:
        engine.stop()

    assert BackupRun.get_by_id(row.id).status == RunStatus.PENDING


def config(open_store: Path) -> Config:
    """The settings of a process on this database."""
    folder = str(open_store.parent)
    key = f"{folder}.key"
    return load_config({"BUCKETVAULT_DATA_DIR": folder, "BUCKETVAULT_KEY_FILE": key})


def test_a_run_on_a_terminal_shows_its_bar_and_leaves_the_result_alone_on_its_line(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(pausing, objects(20, 4000)), new_bucket(elsewhere))
    run, ours = bucketvault.on_terminal("run", "Photos", "--wait")
    screen = ""
    try:
        while not re.search(r"Photos: copying \[#+-+\] \d+ %, ", screen):
            screen += os.read(ours, 4096).decode()
        pausing.thaw()
        while part := os.read(ours, 4096):
            screen += part.decode()
    except OSError:  # Linux says so when the other side is closed
        pass
    finally:
        os.close(ours)

    assert run.wait(60) == 0
    result = (
        "The copy is complete: 20 copied. "
        "20 of 20 objects are at the destination, with the same content hash."
    )
    assert screen.endswith(f"\rPhotos: {result}\r\n")
    assert screen.count("\n") == 1
