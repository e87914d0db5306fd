"""A `bucketvault demo` of its own, for what looks at its pages: pictures."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bucketvault.demo import today
from tests.support.program import until

MAY_TAKE_S = 180.0
PROGRAM = (sys.executable, "-m", "bucketvault")


@dataclass(frozen=True)
class Demo:
    """A demo that runs, and waits for its first visitor."""

    link: str  # signs in, once
    folder: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> str:
        """Return what a command prints that knows the demo's data folder and key."""
        data = "--data-dir", str(self.folder / "data")
        done = subprocess.run(
            [*PROGRAM, *data, *arguments],
            env={**self.environment, "BUCKETVAULT_KEY_FILE": str(self.folder / "secret.key")},
            stdout=subprocess.PIPE,
            text=True,
            check=False,  # `status` ends with 1 where a backup needs attention
        )
        return done.stdout

    def backup(self, name: str) -> Any:
        """Return a backup as `status --json` has it."""
        found = json.loads(self.command("status", "--json"))["backups"]
        return next(each for each in found if each["name"] == name)

    def at_rest(self) -> None:
        """Wait until the run has ended that the first visitor started, and any after it."""

        def ended() -> bool:
            told = self.backup(today.WATCHED)
            return told["active_run"] is None and told["last_run"]["trigger"] != "schedule"

        until("the run is over", ended, timeout_s=MAY_TAKE_S)


@contextlib.contextmanager
def running_demo(zone: str) -> Iterator[Demo]:
    """Start a demo in a folder of its own, in a time zone, and end it and the folder."""
    with tempfile.TemporaryDirectory(prefix="demo-") as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "TZ": zone}
        process = subprocess.Popen(
            [*PROGRAM, "demo"], env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            said: list[str] = []
            while "/login?token=" not in "".join(said[-1:]):
                line = process.stdout.readline()
                assert line, f"the demo ended before it had a link: {said}"
                said.append(line)
            yield Demo(said[-1].split()[-1], Path(cache, "bucketvault", "demo"), environment)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
