"""The real command at another time: `python -m tests.support.at_time EPOCH_SECONDS run Photos`.

Only this one process lives then. rclone and the runner are processes of their own and keep the real
time, which their signatures need.
"""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import time_machine

from bucketvault import cli
from tests.support.program import Program, Result

ROOT = Path(__file__).parents[2]


def cli_at(program: Program, moment: dt.datetime, *arguments: str) -> Result:
    """Run a command of `program` to its end, begun at `moment`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.at_time", str(moment.timestamp()), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env=program.environment,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def main() -> int:
    """The command line, at the time that the first argument names."""
    # Seconds since 1970: an aware datetime would also move the local time zone to UTC.
    with time_machine.travel(float(sys.argv[1]), tick=True):
        return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
