"""Finding rclone and refusing what cannot be trusted with a backup."""

import shutil
from pathlib import Path

import pytest

from bucketvault.engine.rclone.binary import find_binary
from bucketvault.errors import KilledError, RcloneMissingError


def fake(folder: Path, text: str) -> str:
    path = folder / "rclone"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_rclone_beside_this_python_is_found_and_new_enough() -> None:
    found = find_binary()

    assert Path(found.path).name == "rclone"
    assert tuple(map(int, found.version.split(".")[:2])) >= (1, 75)


def test_an_old_rclone_is_refused_with_both_versions_named(tmp_path: Path) -> None:
    with pytest.raises(RcloneMissingError, match=r"1\.60\.1-DEV is too old: 1\.75\.0") as caught:
        find_binary(fake(tmp_path, "echo rclone v1.60.1-DEV"))

    assert "BUCKETVAULT_RCLONE" in caught.value.hint


def test_something_that_is_no_rclone_is_refused_with_its_words_made_visible(tmp_path: Path) -> None:
    with pytest.raises(RcloneMissingError, match="does not report a version") as caught:
        find_binary(fake(tmp_path, r"printf 'hello \033[31m'"))

    assert "\x1b" not in caught.value.detail and r"\x1b" in caught.value.detail


def test_an_rclone_that_is_killed_is_not_called_short_of_memory(tmp_path: Path) -> None:
    with pytest.raises(KilledError, match="possibly out of memory") as caught:
        find_binary(fake(tmp_path, "kill -9 $$"))

    assert not caught.value.memory_ran_out


def test_something_that_talks_without_end_is_refused_before_it_fills_the_memory() -> None:
    yes = shutil.which("yes")
    assert yes is not None

    with pytest.raises(RcloneMissingError, match="does not report a version") as caught:
        find_binary(yes)

    assert caught.value.detail.startswith("version")


def test_a_version_beyond_counting_is_none(tmp_path: Path) -> None:
    with pytest.raises(RcloneMissingError, match="does not report a version"):
        find_binary(fake(tmp_path, f"echo rclone v1.75.{'9' * 5000}"))


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable", "not a program"])
def test_what_cannot_be_started_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rclone"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"\x7fELF nonsense")
        path.chmod(0o755 if kind == "not a program" else 0o644)

    with pytest.raises(RcloneMissingError):
        find_binary(str(path))


def test_an_upgrade_is_noticed_without_a_restart(tmp_path: Path) -> None:
    with pytest.raises(RcloneMissingError):
        find_binary(fake(tmp_path, "echo rclone v1.70.0"))

    found = find_binary(fake(tmp_path, "echo rclone v1.80.1 # newer"))

    assert found.version == "1.80.1"
