"""The installed package: the wheel holds all that the program needs."""

import contextlib
import os
import pty
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from bucketvault import __version__
from tests import release
from tests.support.terminal import shown_until

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"


@pytest.mark.slow
def test_the_packages_are_the_same_at_every_build_and_hold_what_the_program_needs(
    tmp_path: Path,
) -> None:
    wheel, sdist = release.built_twice(ROOT, tmp_path, "1700000000")

    assert sdist.name == f"bucketvault-{__version__}.tar.gz"
    names = set(zipfile.ZipFile(wheel).namelist())

    assert __version__ in wheel.name
    assets = {f"bucketvault/{p.relative_to(ROOT)}" for p in (ROOT / "assets").rglob("*.*")}
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "bucketvault").rglob("*.py")}
    assert assets and assets | modules <= names
    assert not any(name.startswith("tests/") for name in names)


def test_the_lock_files_pin_every_package_with_hashes_and_name_no_registry() -> None:
    for name in ("requirements.lock", "requirements-development.lock"):
        text = (ROOT / name).read_text()
        pins = [line for line in text.splitlines() if "==" in line and not line.startswith(" ")]
        assert pins and all(line.rstrip().endswith("\\") for line in pins), name
        assert "index-url" not in text and "find-links" not in text and "file:" not in text


def test_the_lock_file_has_every_package_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text()

    for wanted in project["dependencies"]:
        name = wanted.partition(">")[0].strip()
        assert f"\n{name}==" in f"\n{locked}", name


# ---- on a server


def unit() -> str:
    return (PACKAGING / "bucketvault.service").read_text()


@pytest.mark.systemd
def test_the_unit_is_one_that_systemd_takes_without_a_word(tmp_path: Path) -> None:
    there = unit().replace("/opt/bucketvault/venv/bin/bucketvault", sys.executable)
    (tmp_path / "bucketvault.service").write_text(there)
    shutil.copy(PACKAGING / "bucketvault.socket", tmp_path)

    for check in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(
            ["systemd-analyze", *check, str(tmp_path / "bucketvault.service")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (check, done.stdout[-500:], done.stderr)
        assert check[0] != "verify" or not done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "KillMode=process",
        "UMask=0077",
        "Restart=on-failure",
        "WatchdogSec=180",
        "StateDirectory=bucketvault bucketvault-key",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "Requires=bucketvault.socket",
        "LimitNOFILE=4096",
        "MemoryMax=80%",
        "IPAddressDeny=link-local",
    ],
)
def test_the_unit_keeps_what_runs_and_secrets_depend_on(line: str) -> None:
    assert line in unit().splitlines()


def test_unit_command_and_manual_name_the_same_places() -> None:
    command = (PACKAGING / "bucketvault").read_text()
    install = (PACKAGING / "install").read_text()
    manual = (ROOT / "README.md").read_text()

    for setting in re.findall(r"Environment=(\S+)", unit()):
        assert setting in command, setting
    (program,) = re.findall(r"ExecStart=(\S+) serve", unit())
    assert program in command and "/venv" in install
    for place in ("/var/lib/bucketvault", "/var/lib/bucketvault-key", "packaging/install"):
        assert place in manual


TYPES = """
import fcntl, os, termios
for name in "0", "/dev/tty":
    try:
        terminal = os.open(name, os.O_RDWR) if name != "0" else 0
        for sign in b"touch typed\\n":
            fcntl.ioctl(terminal, termios.TIOCSTI, bytes([sign]))
    except OSError:
        pass
print("typed")
"""


@pytest.mark.root
@pytest.mark.parametrize("further", ["", " | cat"], ids=["at a terminal", "in a pipe"])
def test_the_services_user_cannot_type_into_roots_terminal(tmp_path: Path, further: str) -> None:
    """Root's shell reads what is typed once the command has ended."""
    stack = contextlib.ExitStack()
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    stand_in = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))) / "command"
    stand_in.parent.chmod(0o755)
    stand_in.write_text(f"#!{python} -IS\n{TYPES}")
    stand_in.chmod(0o755)
    script = (PACKAGING / "bucketvault").read_text()
    script = script.replace("-u bucketvault", "-u nobody")
    script = script.replace("/opt/bucketvault/venv/bin/bucketvault", str(stand_in))
    (tmp_path / "command").write_text(script)
    ours, theirs = pty.openpty()
    with (
        stack,
        subprocess.Popen(
            ["setsid", "--ctty", "sh", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PS1": "ready> "},
        ) as shell,
    ):
        os.close(theirs)
        os.write(ours, f"sh ./command{further}\n".encode())
        shown = shown_until(ours, rb"(?<!touch )typed\r\n.*ready> ")
        os.write(ours, b"exit\n")
        shown += shown_until(ours, rb"never shown")
    os.close(ours)

    assert shell.returncode == 0 and re.search(rb"(?<!touch )typed\r\n", shown)
    assert not (tmp_path / "typed").exists(), shown


@pytest.mark.parametrize("name", ["install", "uninstall", "bucketvault"])
def test_the_scripts_are_plain_shell_and_may_be_run(name: str) -> None:
    script = PACKAGING / name

    subprocess.run(["sh", "-n", str(script)], check=True)

    assert script.stat().st_mode & stat.S_IXOTH
