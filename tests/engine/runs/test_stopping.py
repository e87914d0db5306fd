"""Stop, down to the runner: SIGINT first, and SIGKILL for an rclone that does not listen."""

import signal
import sys
from pathlib import Path

import pytest

from bucketvault.engine.runs import folder
from bucketvault.engine.runs.folder import RunFolder, reap
from tests.support.passes import rclone_step, start
from tests.support.program import until

STUBBORN = """#!{python} -IS
import os, signal
def heard(number, frame):
    os.write(1, b"%d\\n" % number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, heard)
os.write(1, b"ready\\n")
while True:
    signal.pause()
"""


def test_an_rclone_that_does_not_listen_to_stop_is_killed_after_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.STOP_GRACE_S == 30
    monkeypatch.setattr(folder, "STOP_GRACE_S", 0.5)
    stubborn = tmp_path / "rclone"
    stubborn.write_text(STUBBORN.format(python=sys.executable))
    stubborn.chmod(0o700)
    run = RunFolder(tmp_path / "runs", "a run")
    start(run, stubborn, rclone_step())
    until("it runs", lambda: run.started() and run.spool.read_bytes().endswith(b"ready\n"))

    assert run.ask_to_stop()
    until("nobody works on it any more", run.is_free)

    record = run.exit_record()
    assert record is not None
    assert (record.stopped, record.exit_code) == (True, -signal.SIGKILL)
    assert run.spool.read_bytes().endswith(b"\nready\n%d\n" % signal.SIGINT)
    assert record.elapsed_s >= 0.5
    reap()


def test_a_folder_that_is_gone_does_not_say_that_nothing_was_begun(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs", "a run")
    assert run.begun_pass(2) == 2

    run.path.mkdir(parents=True)
    assert run.begun_pass(2) == 0
