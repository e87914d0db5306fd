"""What the detached runner starts, and what it leaves behind, with a stand-in for rclone."""

from pathlib import Path

import pytest

from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.runs import runner
from bucketvault.engine.runs.folder import RunFolder, reap
from tests.support.program import until


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs", "a run")


def stand_in(path: Path, script: str) -> Binary:
    """An rclone that does only this."""
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o700)
    return Binary(str(path), "1.75.2")


def test_rclone_gets_the_places_it_was_meant_to_whatever_they_are_called(
    folder: RunFolder, tmp_path: Path
) -> None:
    places = [f"source:photos/{runner.CONFIG_MARK}", f"dest:{runner.CONFIG_MARK}/copies"]
    says_its_arguments = stand_in(tmp_path / "rclone", 'printf "%s\\n" "$@"; cat "$2"')

    folder.start(says_its_arguments, ["sync", *places], "the configuration", folder.create())
    until("nobody works on it any more", folder.is_free)

    words = folder.spool.read_text("utf-8").splitlines()
    assert words[2:] == ["sync", *places, "the configuration"]
    reap()
