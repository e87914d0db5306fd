"""`install-service`, from a wheel, for a machine that is not running and for a user."""

import argparse
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from bucketvault.cli import service
from bucketvault.config import load_config
from bucketvault.errors import BucketvaultError
from tests.support.program import Program
from tests.support.servers import clean_environment

ROOT = Path(__file__).parents[2]
UNITS = ("bucketvault.service", "bucketvault.socket")

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.systemd]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it is released."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def installed(wheel: Path, folder: Path) -> Path:
    """Install the wheel below `folder`, with the one package that these commands need."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    folder.chmod(0o755)
    subprocess.run([python, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv/lib").glob("python3*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    shutil.copytree(Path(platformdirs.__file__).parent, packages / "platformdirs")
    program = folder / "venv/bin/bucketvault"
    program.write_text(
        f"#!{folder}/venv/bin/python\nimport sys\nfrom bucketvault.cli import main\n"
        "sys.exit(main())\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def program(wheel: Path) -> Iterator[Path]:
    """The program where every user reaches it."""
    with tempfile.TemporaryDirectory(dir="/opt", prefix="bucketvault-test-") as folder:
        yield installed(wheel, Path(folder))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The files of a machine that is not running."""
    root = tmp_path / "machine"
    (root / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "gshadow", "login.defs"):
        if (there := Path("/etc") / name).exists():
            lines = there.read_text().splitlines(keepends=True)
            (root / "etc" / name).write_text("".join(x for x in lines if "bucketvault" not in x))
    return root


def call(program: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = clean_environment() | {"HOME": str(program.parent)} | more
    command = [str(program), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def is_enabled(machine: Path) -> bool:
    asked = ["systemctl", "--root", str(machine), "is-enabled", *UNITS]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_a_machine_gets_user_units_and_command_and_loses_them_again(
    program: Path, machine: Path, tmp_path: Path
) -> None:
    for port in ("9000", "8484"):  # again, with another port
        done = call(program, "install-service", "--root", str(machine), "--port", port)

        assert done.returncode == 0, done.stderr
        units = machine / "etc/systemd/system"
        service, socket = ((units / name).read_text() for name in UNITS)
        assert f"ExecStart={program} serve\n" in service
        assert f"127.0.0.1:{port}\nListenStream=[::1]:{port}\n" in socket
        command = machine / "usr/local/sbin/bucketvault"
        assert str(program) in command.read_text() and command.stat().st_mode & 0o777 == 0o755
        assert (units / UNITS[0]).stat().st_mode & 0o777 == 0o644
        assert (machine / "etc/passwd").read_text().count("\nbucketvault:") == 1
        assert is_enabled(machine) and "nothing was started" in done.stdout
    for name in UNITS:
        shutil.copy(units / name, tmp_path)
    checked = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNITS[0])]
    assert not subprocess.run(checked, capture_output=True, check=True).stderr

    done = call(program, "uninstall-service", "--root", str(machine))

    assert done.returncode == 0 and "/var/lib/bucketvault-key" in done.stdout
    assert not command.exists() and not list(units.rglob("bucketvault*"))
    assert call(program, "uninstall-service", "--root", str(machine)).returncode == 1


def test_a_user_gets_units_and_a_desktop_entry_of_their_own(program: Path, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    given = ["setpriv", f"--reuid={nobody.pw_uid}", "--clear-groups", str(program)]
    try:
        done = subprocess.run(
            [*given, "install-service"],
            env=clean_environment() | {"HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        unit = home / ".config/systemd/user/bucketvault.service"
        assert f"ExecStart={program} serve\n" in unit.read_text()
        desktop = home / ".local/share/applications/bucketvault.desktop"
        assert f"Exec={program} open\n" in desktop.read_text()
        for file in (*unit.parent.iterdir(), desktop):
            assert f"wrote {file}\n" in done.stdout
        removed = subprocess.run(
            [*given, "uninstall-service"], env={"HOME": str(home)}, capture_output=True, check=True
        )
        assert b"bucketvault.desktop" in removed.stdout and not unit.exists()
    finally:
        shutil.rmtree(home)


def test_a_program_that_the_services_user_cannot_reach_is_refused(
    wheel: Path, tmp_path: Path, machine: Path
) -> None:
    done = call(installed(wheel, tmp_path), "install-service", "--root", str(machine))

    assert done.returncode == 1 and "has no access to it" in done.stderr
    assert not (machine / "etc/systemd").exists()


def test_folders_that_the_service_would_not_use_are_refused_and_not_forgotten(
    program: Path, machine: Path, tmp_path: Path
) -> None:
    named = {"BUCKETVAULT_KEY_FILE": str(tmp_path / "own.key")}
    for done in (
        call(program, "--data-dir", str(tmp_path), "install-service", "--root", str(machine)),
        call(program, "install-service", "--root", str(machine), **named),
    ):
        assert done.returncode == 2 and f"not {tmp_path}" in done.stderr
    assert not (machine / "etc/systemd").exists()


@pytest.mark.parametrize("folder", ["/opt/my tools", "/opt/100%", "/opt/it's"])
def test_a_path_that_systemd_would_read_otherwise_is_refused(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", f"{folder}/bin/python")
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    monkeypatch.setattr(os, "umask", lambda _: 0)
    given = argparse.Namespace(user=False, system=True, root=Path("/nowhere"), port="")

    with pytest.raises(BucketvaultError, match="systemd reads"):
        service.install(given, load_config({}))


def test_root_has_no_service_of_its_own(bucketvault: Program) -> None:
    done = bucketvault.cli("install-service", "--user")

    assert done.code == 2 and "leave --user out" in done.err
