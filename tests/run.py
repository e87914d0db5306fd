"""`python -m tests.run`: every test this machine can run; says in plain words what it left out.

Three invocations, because NiceGUI's test plugin and Playwright cannot share a process with the
rest. In CI nothing may be left out. Further arguments go to pytest.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import psutil

from tests.support.capabilities import chromium, is_root, mounts, sshd, systemd

ROOT = Path(__file__).parent.parent


def left_out() -> dict[str, str]:
    """Return the kinds of tests this machine cannot run: marker -> why, and how to get it."""
    missing = {}
    if chromium() is None:
        missing["browser"] = (
            "the tests in a real browser: there is no Chromium. Get it: apt-get install "
            "chromium-headless-shell"
        )
    if not systemd():
        missing["systemd"] = (
            "the check of the unit file: there is no systemd-analyze. Get it: apt-get install "
            "systemd"
        )
    if sshd() is None:
        missing["sshd"] = (
            "the tests through a tunnel: there is no sshd. Get it: apt-get install openssh-server"
        )
    if not is_root():
        missing["root"] = "the tests that need root (a second user). Get them: sudo make test"
    if not mounts():
        missing["mounts"] = (
            "the tests of a full disk: nothing can be mounted here. Get them: sudo make test; in "
            "a container, start it with --cap-add SYS_ADMIN"
        )
    if shutil.which("rclone", path=str(Path(sys.executable).parent)) is None:
        sys.exit("rclone is not in the virtual environment: run make clean, then make test.")
    return missing


def main() -> int:
    """0 when everything that ran passed, and in CI nothing was left out."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--fast", action="store_true", help="leave out what starts servers, programs or a browser"
    )
    given, further = parser.parse_known_args()
    missing = left_out()
    unwanted = [*missing, *(["slow"] if given.fast else [])]
    marks = " and ".join(f"not {mark}" for mark in unwanted)
    passed = failed = skipped = 0
    worst = 0
    took = []
    for arguments in invocations():
        if given.fast and arguments[0] == "tests/browser":
            continue
        began, used, used_by_all = time.monotonic(), cpu_s(), cpu_of_all_s()
        with tempfile.NamedTemporaryFile(suffix=".xml") as report:
            command = [sys.executable, "-m", "pytest", *arguments, "-q", "-m", marks]
            code = subprocess.run(
                [*command, f"--junitxml={report.name}", *further],
                cwd=ROOT,
                env=environment(),
                check=False,
            ).returncode
            suite = ET.parse(report.name).getroot().find("testsuite") if code in (0, 1) else None
        if suite is not None:
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skips = int(suite.get("skipped", 0))
            failed += bad
            skipped += skips
            passed += int(suite.get("tests", 0)) - bad - skips
        used, used_by_all = cpu_s() - used, cpu_of_all_s() - used_by_all
        took.append(
            f"{arguments[0]} {time.monotonic() - began:.0f} s, {used:.0f} s of CPU of "
            f"{used_by_all:.0f} s that this machine gave meanwhile"
        )
        worst = max(worst, how_bad(code, some_left_out=bool(unwanted or further)))
    for why in missing.values():
        print(f"Left out: {why}")
    if skipped:
        print(f"Left out: {skipped} that skipped themselves. Which, and why: make test ARGS=-rs")
    if given.fast:
        print("Left out: what starts servers, programs or a browser. Run all: make test")
    if (missing or skipped) and os.environ.get("CI") == "true":
        print("In CI nothing may be left out.")
        worst = worst or 1
    print(*(f"Took: {line}" for line in took), sep="\n")
    print(f"{passed} passed, {failed} failed")
    return worst or (1 if failed or not passed else 0)


def cpu_s() -> float:
    """Return the CPU of started processes that were waited for: not of orphans."""
    times = os.times()
    return times.children_user + times.children_system


def cpu_of_all_s() -> float:
    """Return what this machine has given to all of its processes so far."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def environment() -> dict[str, str]:
    """Return ours, but that no interpreter compiles what an earlier one has: hundreds start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def how_bad(code: int, *, some_left_out: bool) -> int:
    """Return the exit code for all from the end of one pytest: 0 is good.

    Ended by a signal it is a negative number, which no maximum would keep; 5 says that it found no
    test, as happens where all of a kind are left out.
    """
    if code < 0:
        return 128 - code
    return 0 if code == 5 and some_left_out else code


def invocations() -> list[list[str]]:
    """The arguments of each pytest process."""
    pages, browser = ROOT / "tests" / "pages", ROOT / "tests" / "browser"
    kinds = [["tests", "--ignore=tests/pages", "--ignore=tests/browser"]]
    kinds += [[str(folder.relative_to(ROOT))] for folder in (pages, browser) if folder.is_dir()]
    # more at a time than there are cores: most tests wait for processes, those of browsers for
    # longest, those of pages least; worksteal, because the slow ones are together
    return [
        [*kind, "-n", "3" if kind[0] == "tests/pages" else "4", "--dist", "worksteal"]
        for kind in kinds
    ]


if __name__ == "__main__":
    sys.exit(main())
