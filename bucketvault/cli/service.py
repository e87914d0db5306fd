"""`install-service`, `uninstall-service`: bucketvault as a service that systemd starts.

For the machine, as a user of its own, or for the user who asks. The units come with the program:
packaging/. Decisions: docs/decisions/service.md.
"""

import argparse
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

from bucketvault.config import Config, load_config
from bucketvault.errors import BucketvaultError, ConfigError

USER = "bucketvault"
DATA, KEY = Path("/var/lib/bucketvault"), Path("/var/lib/bucketvault-key")
UNITS = ("bucketvault.service", "bucketvault.socket")
SYSTEM_UNITS = Path("/etc/systemd/system")
COMMAND = Path("/usr/local/sbin/bucketvault")  # before /usr/local/bin, where pipx puts the program
PROGRAM = "/opt/bucketvault/venv/bin/bucketvault"
KEPT_OUT = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - what the unit hides
SIGNS = re.compile(r"[\s%$\"'\\;#&|]")  # they mean something in a unit, or in the command
LINK_LOCAL = re.compile(r"^nameserver +(169\.254\.|fe80:)", re.MULTILINE)


def install(given: argparse.Namespace, config: Config) -> int:
    """Write the units, start the service, and say what was done."""
    os.umask(0o022)  # every user may read units, and the service's user the program
    program = Path(sys.executable).with_name("bucketvault")
    if not program.is_file():
        raise BucketvaultError(
            f"There is no {program}: this Python has no installed bucketvault.",
            "Install it with uv tool install or pipx install, then run install-service again.",
        )
    for_user = _for_user(given)
    _refuse_signs(program)
    _refuse_own_folders(config, for_user=for_user)
    if not for_user:
        return _install_for_machine(program, config.port, given.root)
    if config.socket is not None:
        raise ConfigError(
            "BUCKETVAULT_SOCKET is set, and the service listens on a port.",
            "Unset it, or write your own unit around bucketvault serve --socket.",
        )
    return _install_for_user(program, config.port)


def uninstall(given: argparse.Namespace, _: Config) -> int:
    """Stop the service and remove its units; data, keys and buckets stay."""
    for_user = _for_user(given)
    root = given.root or Path("/")
    folder = _user_units() if for_user else _below(root, SYSTEM_UNITS)
    found = [file for name in UNITS if (file := folder / name).exists()]
    if not found:
        raise BucketvaultError(f"There is no bucketvault service in {folder}.")
    systemctl = _systemctl(for_user, given.root)
    if systemctl:
        _call([*systemctl, "disable", "--now", *reversed(UNITS)], needed=False)
    if not for_user:
        if given.root is None:  # copies in progress outlive the service
            _call(["pkill", "-u", USER], needed=False)
        found.append(_below(root, COMMAND))
    else:
        found += [_applications() / "bucketvault.desktop", _icons() / "bucketvault.svg"]
    for file in found:
        if file.exists():
            file.unlink()
            print(f"removed {file}")
    if systemctl:
        _call([*systemctl, "daemon-reload"], needed=False)
    if not for_user:
        print(f"What is left: {DATA} (history), {KEY} (the key), and the user {USER}.")
        print(f"To remove them too: rm -r {DATA} {KEY}; userdel {USER}")
    return 0


def _for_user(given: argparse.Namespace) -> bool:
    """Return whether the service is the asking user's. Raises ConfigError for the wrong user."""
    is_root = os.geteuid() == 0
    for_user: bool = given.user or not (given.system or is_root)
    if for_user and is_root:
        raise ConfigError("Root installs the service for the machine: leave --user out.")
    if for_user and given.root is not None:
        raise ConfigError("--root is for the service of a machine.")
    if not for_user and not is_root:
        raise ConfigError(
            "Only root may install a service for the machine.",
            "Run this with sudo, or install it for yourself: bucketvault install-service --user",
        )
    return for_user


def _refuse_signs(program: Path) -> None:
    """Raise BucketvaultError for a path that would be another one in a unit."""
    if SIGNS.search(str(program)):
        raise BucketvaultError(
            f"The path {program} has a space, a quote or another sign that systemd reads "
            "differently.",
            "Install bucketvault in a folder without such signs.",
        )


def _refuse_own_folders(config: Config, *, for_user: bool) -> None:
    """Raise ConfigError where other folders are named than those that the service would use."""
    usual = load_config({})
    data, key = (usual.data_dir, usual.key_file) if for_user else (DATA, KEY / usual.key_file.name)
    for named, usually, theirs, variable in (
        (config.data_dir, usual.data_dir, data, "BUCKETVAULT_DATA_DIR"),
        (config.key_file, usual.key_file, key, "BUCKETVAULT_KEY_FILE"),
    ):
        if named not in (usually, theirs):
            user = "--user " if for_user else ""
            raise ConfigError(
                f"The service uses {theirs}, not {named}.",
                f"Unset {variable}, leave --data-dir out, and name it in the service afterwards: "
                f"systemctl {user}edit bucketvault, with [Service] and "
                f"Environment={variable}={named}",
            )


# for the machine


def _install_for_machine(program: Path, port: int, root: Path | None) -> int:
    _check_reachable(program)
    where = root or Path("/")
    _add_user(root)
    for name in UNITS:
        _write(_below(where, SYSTEM_UNITS / name), _unit(name, program, port))
    command = _shipped("packaging", "bucketvault").replace(PROGRAM, str(program))
    _write(_below(where, COMMAND), command, 0o755)
    systemctl = _systemctl(False, root)
    resolv = Path("/etc/resolv.conf")
    if root is None and resolv.exists() and LINK_LOCAL.search(resolv.read_text(errors="replace")):
        print(
            "This machine's name server is link-local, which the unit blocks: see IPAddressDeny "
            f"in {SYSTEM_UNITS / UNITS[0]}"
        )
    return _start(systemctl, port, at_once=root is None)


def _check_reachable(program: Path) -> None:
    """Raise BucketvaultError where the service's user cannot run the program."""
    for path in (program, program.resolve(), Path(sys.executable).resolve()):
        hidden = any(path.is_relative_to(place) for place in KEPT_OUT)
        closed = [part for part in (path, *path.parents) if not part.stat().st_mode & stat.S_IXOTH]
        if hidden or closed:
            raise BucketvaultError(
                f"The service cannot run {path}: its user has no access to it.",
                "Install the program where every user can read it, with the system's Python: "
                "python3 -m venv /opt/bucketvault/venv, then /opt/bucketvault/venv/bin/pip "
                "install and the wheel, then /opt/bucketvault/venv/bin/bucketvault "
                "install-service",
            )


def _add_user(root: Path | None) -> None:
    if root is None:
        try:
            pwd.getpwnam(USER)
            return
        except KeyError:
            pass
    elif f"\n{USER}:" in (_below(root, Path("/etc/passwd")).read_text("utf-8")):
        return
    prefix = [] if root is None else ["--prefix", str(root)]
    home = ["--no-create-home", "--home-dir", str(DATA), "--shell", "/usr/sbin/nologin"]
    _call(["useradd", *prefix, "--system", "--user-group", *home, USER])
    print(f"created the user {USER}")


# for the user who asks


def _install_for_user(program: Path, port: int) -> int:
    for name, source in zip(UNITS, ("user.service", UNITS[1]), strict=True):
        _write(_user_units() / name, _unit(source, program, port))
    _write(
        _applications() / "bucketvault.desktop",
        _shipped("packaging", "bucketvault.desktop").replace(PROGRAM, str(program)),
    )
    _write(_icons() / "bucketvault.svg", _shipped("assets", "favicon.svg"))
    code = _start(_systemctl(True, None), port, at_once=True)
    if shutil.which("loginctl") and not _call(["loginctl", "enable-linger"], needed=False):
        print("It stops when you sign out. To let it run on: sudo loginctl enable-linger $USER")
    return code


def _user_units() -> Path:
    return _home("XDG_CONFIG_HOME", ".config") / "systemd" / "user"


def _applications() -> Path:
    return _home("XDG_DATA_HOME", ".local/share") / "applications"


def _icons() -> Path:
    return _home("XDG_DATA_HOME", ".local/share") / "icons/hicolor/scalable/apps"


def _home(variable: str, usual: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else Path.home() / usual


# both


def _start(systemctl: list[str], port: int, *, at_once: bool) -> int:
    if systemctl:
        if at_once:
            _call([*systemctl, "daemon-reload"])
        _call([*systemctl, "enable", "--quiet", *UNITS])
    if not systemctl or not at_once:
        print("Installed, but systemd does not run here: nothing was started.")
        return 0
    if not _call([*systemctl, "is-active", "--quiet", UNITS[1]], needed=False):
        # a version that held its port itself has to leave it first
        _call([*systemctl, "stop", UNITS[0]], needed=False)
    _call([*systemctl, "start", UNITS[1]])
    _call([*systemctl, "restart", UNITS[0]])
    user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    print("bucketvault is running. On your own computer:")
    print(f"  ssh -N -L {port}:127.0.0.1:{port} {user}@{socket.gethostname()}")
    print("and open there what this prints here:")
    print("  bucketvault url")
    return 0


def _systemctl(for_user: bool, root: Path | None) -> list[str]:
    """Return how systemd is called; empty where it does not run, or is not there."""
    if root is not None:
        return ["systemctl", "--root", str(root)] if shutil.which("systemctl") else []
    runs = Path("/run/systemd/system").is_dir()
    if for_user:
        runs = runs and Path(f"/run/user/{os.getuid()}/systemd").is_dir()
    return (["systemctl", "--user"] if for_user else ["systemctl"]) if runs else []


def _call(command: list[str], *, needed: bool = True) -> bool:
    """Run a command of the system; True if it succeeded. Raises BucketvaultError if `needed`."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stderr.strip()
        failed = done.returncode != 0
    except FileNotFoundError:
        failed, said = True, "it is not installed"
    if failed and needed:
        raise BucketvaultError(f"This failed: {' '.join(command)}", said)
    return not failed


def _unit(name: str, program: Path, port: int) -> str:
    text = _shipped("packaging", name).replace(PROGRAM, str(program))
    return text.replace(":8484\n", f":{port}\n")


def _shipped(folder: str, name: str) -> str:
    """Return a file that comes with the program: inside the package in a wheel, else beside it."""
    package = Path(__file__).resolve().parents[1]
    inside = package / folder
    return ((inside if inside.is_dir() else package.parent / folder) / name).read_text("utf-8")


def _write(file: Path, text: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    file.chmod(mode)
    print(f"wrote {file}")


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
