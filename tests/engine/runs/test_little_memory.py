"""Too little memory for what a run needs is said as that, and not as a bug or a bad installation.

The limit is one of the address space (RLIMIT_AS), as `LimitAS=` of a service sets it.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from bucketvault.engine.rclone.binary import find_binary
from bucketvault.errors import NoMemoryError
from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.servers import RcloneS3, rclone_path

pytestmark = pytest.mark.slow

KILOBYTES = 200_000  # it reserves more than that as it starts


def starved(folder: Path, only: str = "*") -> str:
    """Return an rclone that has so little memory when its arguments match a shell's pattern."""
    path = folder / "rclone"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in {only}) ulimit -v {KILOBYTES};; esac\nexec {rclone_path()} "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def test_an_rclone_that_cannot_start_for_lack_of_memory_is_not_called_missing(
    tmp_path: Path,
) -> None:
    with pytest.raises(NoMemoryError, match="too little memory") as caught:
        find_binary(starved(tmp_path))

    assert "MemoryMax" in caught.value.hint and caught.value.detail


def test_a_run_whose_rclone_gets_no_memory_says_so(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, tmp_path: Path
) -> None:
    bucketvault.backup(new_bucket(here, {"a": b"a"}), new_bucket(elsewhere))
    bucketvault.environment["BUCKETVAULT_RCLONE"] = starved(tmp_path, '*" copy "*')

    run = bucketvault.run()

    assert (run["status"], run["reason"]) == ("failed", "no_memory")
    assert "too little memory" in run["explanation"]


STARVED_LOOK = """
import resource, sys, threading
from bucketvault.engine.listing import process
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), -1))
try:
    process.converse("bucketvault.engine.listing", {}, print)
except BaseException as error:
    print(type(error).__name__, error)
"""


def test_a_look_that_gets_no_memory_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARVED_LOOK, "26000000"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("NoMemoryError This machine has too little memory"), done
