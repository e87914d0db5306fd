"""A source that loses objects between the checks and the copy is not followed quietly."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import NewBucket
from tests.support.program import Bucket, Program, objects, until
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import RcloneS3, rclone_path

pytestmark = pytest.mark.slow

WAITS = """#!/bin/bash
case " $* " in
*" --dry-run "*) ;;
*" sync "*) touch {folder}/checked; until [ -e {folder}/go ]; do sleep 0.05; done ;;
esac
exec {rclone} "$@"
"""


class FewMoves(RefusingProxy):
    """A provider that makes `FEW` copies inside it, into the kept versions, and no further one."""

    FEW = 70

    def __init__(self, upstream_endpoint: str) -> None:
        super().__init__(upstream_endpoint)
        self._left = threading.Semaphore(self.FEW)

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        if "x-amz-copy-source" in headers and not self._left.acquire(blocking=False):
            self.stopping.wait()
            return Rule(method, path, 503, "SlowDown")
        return super().refusal(method, path, headers)


@contextlib.contextmanager
def checked(program: Program) -> Iterator["subprocess.Popen[str]"]:
    """A run that has looked at both buckets; it continues when this ends."""
    waiting = program.folder / "rclone-that-waits-before-it-copies"
    waiting.write_text(WAITS.format(folder=program.folder, rclone=rclone_path()))
    waiting.chmod(0o755)
    command = program.start("run", "Photos", "--wait", BUCKETVAULT_RCLONE=str(waiting))
    until("it has looked", (program.folder / "checked").exists)
    yield command
    (program.folder / "go").touch()


def lost(before: dict[str, bytes], destination: Bucket) -> dict[str, bytes]:
    """Objects that the copy had before and has no more."""
    now = destination.copy()
    return {key: body for key, body in before.items() if now.get(key) != body}


def kept(destination: Bucket) -> dict[str, bytes]:
    return {k: v for folder in destination.kept().values() for k, v in folder.items()}


def test_a_source_that_is_emptied_after_it_was_looked_at_stops_the_run(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(120)), new_bucket(elsewhere)
    with FewMoves(elsewhere.endpoint) as proxy:
        bucketvault.backup(source, destination, destination_endpoint=proxy.endpoint)
        bucketvault.run()
        before = destination.copy()

        with checked(bucketvault) as command:
            for key in before:
                source.delete(key)
        _, err = command.communicate(timeout=60)
        run = bucketvault.last_run()
        again = bucketvault.run()

    assert (command.returncode, run["status"], run["reason"]) == (1, "failed", "rclone_error"), run
    assert "removed more than its checks had found" in err
    assert 60 < run["counts"]["deleted"] < 120  # no more than half was allowed; most is left
    assert lost(before, destination).items() <= kept(destination).items()
    assert again["reason"] == "brake"  # and nobody was asked about what is left


def test_a_run_that_was_done_before_it_could_be_stopped_says_what_it_took(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    before = destination.copy()

    with checked(bucketvault) as command:
        for key in sorted(before)[:12]:
            source.delete(key)
    command.communicate(timeout=60)

    run = bucketvault.last_run()
    said = [*run["warnings"], run["explanation"]]
    assert any("checks" in words and "found" in words for words in said), run
    assert lost(before, destination) == kept(destination)
