"""The parent process may ignore signals; what the program inherits must change nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bucketvault.engine.rclone import tether
from bucketvault.engine.runs.folder import RunFolder, reap
from tests.conftest import NewBucket
from tests.support.passes import rclone_step, start
from tests.support.program import Program, Result, objects, until
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import RcloneS3

IGNORING = 'trap "" CHLD INT TERM HUP PIPE; exec "$@"'  # bash(1): the command ignores them too
SLEEP = "/bin/sleep"


def run_ignoring(program: Program, *arguments: str) -> Result:
    """A command, started by a parent that ignores signals."""
    done = subprocess.run(
        ["bash", "-c", IGNORING, "bash", sys.executable, "-m", "bucketvault", *arguments],
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def ignoring_interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_a_run_that_failed_is_told_as_failed(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere)
    refused = Rule("PUT", min(objects(5)), 403, "AccessDenied")
    with RefusingProxy(elsewhere.endpoint, [refused]) as proxy:
        bucketvault.backup(source, destination, destination_endpoint=proxy.endpoint)

        done = run_ignoring(bucketvault, "run", "Photos", "--wait")

    run = bucketvault.last_run()
    assert (done.code, run["status"]) == (1, "failed"), (done, run)
    assert run["exit_code"] not in (0, None), run


@pytest.mark.slow
def test_a_bucket_that_cannot_be_looked_at_is_not_taken_for_an_empty_one(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere)
    with RefusingProxy(here.endpoint) as proxy:
        bucketvault.backup(source, destination, source_endpoint=proxy.endpoint)
        bucketvault.run()
        proxy.rules = [Rule("GET", "list-type=2", 403, "AccessDenied")]

        done = run_ignoring(bucketvault, "run", "Photos", "--wait")

    run = bucketvault.last_run()
    assert (done.code, run["status"], run["reason"]) == (1, "failed", "credentials"), (done, run)


def test_rclone_in_a_run_hears_the_first_stop(tmp_path: Path, ignoring_interrupts: None) -> None:
    deaf = tmp_path / "rclone"  # does nothing about signals itself, as rclone in its first moment
    deaf.write_text(f"#!/bin/bash\nexec {SLEEP} 100\n")
    deaf.chmod(0o700)
    run = RunFolder(tmp_path / "runs", "a run")
    start(run, deaf, rclone_step())
    until("it runs", run.started)

    assert run.ask_to_stop()
    until("nobody works on it any more", run.is_free)

    record = run.exit_record()
    assert record is not None and record.exit_code == -signal.SIGINT  # not killed after its time
    reap()


def test_rclone_asked_something_hears_the_first_stop(ignoring_interrupts: None) -> None:
    asked = subprocess.Popen(
        [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), SLEEP, "100"]
    )
    until("it sleeps", lambda: psutil.Process(asked.pid).name() == Path(SLEEP).name)

    asked.send_signal(signal.SIGINT)

    try:
        assert asked.wait(20) == -signal.SIGINT
    finally:
        asked.kill()
        asked.wait()
