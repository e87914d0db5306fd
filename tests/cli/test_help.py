"""The help of the command line, and its answers to a slip."""

import argparse
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bucketvault import __version__
from bucketvault.cli import colour, main
from bucketvault.cli.colour import painted
from bucketvault.cli.commands import backup_names
from bucketvault.cli.parser import build
from bucketvault.engine.views.situation import Tone
from bucketvault.store.models import Storage
from tests.store_fixtures import a_backup

Said = Callable[..., tuple[int, str]]


def every() -> dict[str, argparse.ArgumentParser]:
    """Return each command with its parser."""
    return build().parse_args(["help"]).topics  # type: ignore[no-any-return]


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Said:
    """Run a command in this process: its exit code, and what it wrote."""
    monkeypatch.setenv("BUCKETVAULT_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments: str) -> tuple[int, str]:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


@pytest.mark.parametrize("name", list(every()))
def test_each_command_shows_examples_that_are_read_and_its_exit_codes(name: str) -> None:
    text = every()[name].format_help()

    lines = [line.strip() for line in text.partition("Example")[2].splitlines()]
    shown = [line.partition(" > ")[0] for line in lines if line.startswith("bucketvault ")]
    examples = [shlex.split(line) for line in shown]
    assert examples or name == "completion"
    for example in examples:
        assert build().parse_args(example[1:]).command is not None
    assert "Exit codes: 0 " in text


def test_without_a_command_and_with_help_it_says_what_there_is(said: Said) -> None:
    bare, helped, one = said(), said("help"), said("help", "run")

    assert bare == helped and bare[0] == 0
    assert all(f"\n    {name} " in bare[1] for name in every())
    assert one == said("run", "--help") and "--approve" in one[1]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        (["stauts"], "Did you mean status?"),
        (["help", "rum"], "Did you mean run?"),
        (["completion", "tcsh"], "There are bash, zsh, fish."),
        (["providers", "tets"], "Did you mean test?"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_word(said: Said, wrong: list[str], meant: str) -> None:
    code, told = said(*wrong)

    assert code == 2 and f"'{wrong[-1]}'. {meant}" in told and "usage:" not in told


def test_words_are_coloured_on_a_terminal_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = painted("good", Tone.OK)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = painted("good", Tone.OK)
    monkeypatch.setenv("NO_COLOR", "1")

    assert painted("good", Tone.OK) == plain == "good"
    assert coloured == "\x1b[32mgood\x1b[0m" and painted("-", Tone.OFF) == "-"
    assert Tone.OFF not in colour._COLOURS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_what_completes_the_words(said: Said, shell: str) -> None:
    code, told = said("completion", shell)

    assert code == 0 and "_ARGCOMPLETE" in told and "bucketvault" in told


def test_names_are_completed_from_the_database_and_none_is_made(
    tmp_path: Path, open_store: Path, ends: tuple[Storage, Storage]
) -> None:
    a_backup("Photos", *ends)

    def names(folder: Path) -> list[str]:
        return backup_names("", argparse.Namespace(data_dir=str(folder)))

    assert names(open_store.parent) == ["Photos"]
    assert names(tmp_path / "nowhere") == [] and not (tmp_path / "nowhere").exists()


def test_the_version_names_rclones_too(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = said("--version")
    monkeypatch.setenv("BUCKETVAULT_RCLONE", "/nowhere/rclone")
    without = said("--version")

    assert code == 0
    assert re.fullmatch(rf"bucketvault {__version__}\nrclone 1\.\d+\.\d+ \(/.*\)\n", told)
    assert without == (0, f"bucketvault {__version__}\nThere is no rclone at /nowhere/rclone.\n")
