"""`make test` itself: what it could not run is no success, and is said in plain words."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import run

GOOD = "def test_it():\n    pass\n"
SKIPPED = "import pytest\n\n\ndef test_more():\n    pytest.skip('not today')\n"
KILLED = "import os\n\n\ndef test_it():\n    os.kill(os.getpid(), 9)\n"

Ends = Callable[..., int]


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Runs `make test` over these suites alone, one after another; its exit code."""
    monkeypatch.setattr(sys, "argv", ["tests.run"])
    monkeypatch.delenv("CI", raising=False)

    def do(*suites: str) -> int:
        files = [tmp_path / f"test_{number}.py" for number in range(len(suites))]
        for file, text in zip(files, suites, strict=True):
            file.write_text(text)
        monkeypatch.setattr(run, "invocations", lambda: [[str(file)] for file in files])
        return run.main()

    return do


@pytest.mark.slow
def test_tests_that_were_killed_are_no_success(
    ends: Ends, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ends(GOOD, KILLED) == 128 + 9

    assert "1 passed, 0 failed" in capfd.readouterr().out


@pytest.mark.slow
def test_what_this_machine_lacks_is_said_with_the_way_to_get_it_and_fails_in_ci(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")

    assert ends(GOOD) == 1

    said = capfd.readouterr().out
    for thing in ("chromium", "systemd"):
        assert f"Get it: apt-get install {thing}" in said
    assert "nothing can be mounted here" in said
    assert "In CI nothing may be left out." in said and "1 passed, 0 failed" in said


@pytest.mark.slow
def test_a_test_that_skips_itself_is_left_out_too(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")

    assert ends(GOOD + SKIPPED) == 1

    assert "Left out: 1 that skipped themselves" in capfd.readouterr().out


def test_finding_no_test_is_good_only_where_some_were_left_out() -> None:
    assert run.how_bad(5, some_left_out=True) == 0
    assert run.how_bad(5, some_left_out=False) == 5


def test_each_suite_runs_whatever_is_left_out() -> None:
    every = set(marks(run.ROOT / "pyproject.toml"))

    for invocation in run.invocations():
        folder = run.ROOT / invocation[0]
        ours = folder / "pytest.ini"
        known = set(marks(ours)) if ours.exists() else every
        assert known == every, folder  # with one it does not know, it would not run at all

    assert every == {"browser", "mounts", "root", "slow", "sshd", "systemd"}


def marks(file: Path) -> list[str]:
    """The marks that a configuration of pytest knows."""
    listed = file.read_text().partition("\nmarkers =")[2]
    return re.findall(r"^ +\"?([a-z]+): ", listed, re.MULTILINE)
