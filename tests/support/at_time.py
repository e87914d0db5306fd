"""The real program at another time: `python -m tests.support.at_time FILE run Photos`.

It lives at the time in the file, and at whatever is written there later. Only this one
process lives then. rclone and the runner are processes of their own and keep the real time, which
their signatures need.
"""

import contextlib
import datetime as dt
import sys
import threading
import time
from pathlib import Path

import time_machine

from bucketvault import cli
from tests.support.program import Program, Result

ROOT = Path(__file__).parents[2]
LOOK_S = 0.02


def cli_at(program: Program, moment: dt.datetime, *arguments: str) -> Result:
    """Run a command of `program` to its end, begun at `moment`, in this process."""
    with time_machine.travel(moment.timestamp(), tick=True):
        return program.cli(*arguments)


class Clock:
    """The time in which all commands of `program` live from now on, the running ones too."""

    def __init__(self, program: Program, moment: dt.datetime) -> None:
        self._file = program.folder / "clock"
        self.move_to(moment)
        program.module = ("tests.support.at_time", str(self._file))
        program.environment["PYTHONPATH"] = str(ROOT)

    def move_to(self, moment: dt.datetime) -> None:
        """Set it; it continues from there."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(f"{moment.timestamp()} {time.monotonic()}", "ascii")
        unfinished.replace(self._file)

    def is_followed(self) -> bool:
        """True if a program that runs has the time that was set last."""
        followed = self._file.with_suffix(".followed")
        return followed.exists() and followed.read_text("ascii") == self._file.read_text("ascii")


def main() -> int:
    """The command line, at the time that the file named by the first argument tells."""
    file = Path(sys.argv[1])
    # Seconds since 1970: an aware datetime would also move the local time zone to UTC.
    with time_machine.travel(_told(file), tick=True) as traveller:
        threading.Thread(target=_follow, args=(file, traveller), daemon=True).start()
        return cli.main(sys.argv[2:])


def _told(file: Path) -> float:
    moment, set_at = map(float, file.read_text("ascii").split())
    return moment + time.monotonic() - set_at  # it continued since


def _follow(file: Path, traveller: "time_machine.Coordinates") -> None:
    followed = file.read_text("ascii")
    pause = threading.Event()
    while not pause.wait(LOOK_S):
        with contextlib.suppress(FileNotFoundError):  # the test is over
            if (told := file.read_text("ascii")) != followed:
                followed = told
                traveller.move_to(_told(file))
                file.with_suffix(".followed").write_text(told, "ascii")


if __name__ == "__main__":
    sys.exit(main())
