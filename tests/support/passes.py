"""Steps of a pass, handed to the detached runner as a run does."""

import sys
from collections.abc import Mapping
from pathlib import Path

from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.vocabulary import Json

VERSION = "1.75.2"


def start(
    folder: RunFolder,
    rclone: Path | str,
    *steps: Json,
    config: str = "the configuration",
    jobs: Mapping[str, str] | None = None,
) -> int:
    """Start the runner with this rclone; it works on the steps when this returns."""
    binary = Binary(str(rclone), VERSION)
    return folder.start(binary, steps, config, jobs or {}, folder.create(), "photos-1")


def rclone_step(*arguments: str, name: str = "copy") -> Json:
    """A step of rclone's, announced in the log."""
    return {"name": name, "log": step_line(name), "arguments": list(arguments)}


def python_step(script: str, name: str = "kept") -> Json:
    """A step of a program that reads its own job."""
    program = [sys.executable, "-IS", "-c", script]
    return {"name": name, "log": step_line(name), "program": program, "stdin": name}


def step_line(name: str) -> Json:
    """Return our line of the log that announces a step, without its time."""
    return {
        "level": "info",
        "msg": f"Pass 1: {name}",
        "source": "bucketvault",
        "bucketvault": "step",
        "step": name,
        "pass": 1,
    }


def stand_in(path: Path, script: str) -> Path:
    """Make an rclone that does only this."""
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o700)
    return path
