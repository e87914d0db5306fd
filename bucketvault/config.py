"""The settings of one process, from flags and BUCKETVAULT_*. Everything else is in the database."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bucketvault.errors import ConfigError

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Config:
    """Where things are and how loud to be; frozen once the program runs."""

    data_dir: Path
    key_file: Path
    rclone: str  # path of an rclone to use instead of ours; empty: ours
    log_level: str

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.data_dir / "bucketvault.sqlite3"

    @property
    def runs(self) -> Path:
        """One folder a run under way."""
        return self.data_dir / "runs"

    @property
    def lock(self) -> Path:
        """Held by the one bucketvault that works on this data folder."""
        return self.data_dir / "app.lock"

    def make_folders(self) -> None:
        """Create the data folder for the owner alone. Raises ConfigError when that fails."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data_dir.chmod(0o700)
            self.runs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"The data folder {self.data_dir} cannot be used: {error.strerror}.",
                "Name another with --data-dir or BUCKETVAULT_DATA_DIR.",
            ) from error


def load_config(environ: Mapping[str, str], *, data_dir: str = "") -> Config:
    """The settings from `environ` and the flags given; a flag wins over the environment.

    Raises ConfigError that names every wrong setting at once.
    """
    problems: list[str] = []
    folder = _absolute("--data-dir", data_dir, problems) or _absolute(
        "BUCKETVAULT_DATA_DIR", environ.get("BUCKETVAULT_DATA_DIR", ""), problems
    )
    key_file = _absolute("BUCKETVAULT_KEY_FILE", environ.get("BUCKETVAULT_KEY_FILE", ""), problems)
    log_level = environ.get("BUCKETVAULT_LOG_LEVEL", "info").lower()
    if log_level not in LOG_LEVELS:
        problems.append(
            f"BUCKETVAULT_LOG_LEVEL is {log_level!r}; it takes {', '.join(LOG_LEVELS)}."
        )
    known = {f"BUCKETVAULT_{name}" for name in ("DATA_DIR", "KEY_FILE", "RCLONE", "LOG_LEVEL")}
    problems += [
        f"{name} is not a setting; there are {', '.join(sorted(known))}."
        for name in sorted(environ)
        if name.startswith("BUCKETVAULT_") and name not in known
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    folder = folder or Path(platformdirs.user_data_dir("bucketvault", appauthor=False))
    default_key = Path(platformdirs.user_config_dir("bucketvault", appauthor=False)) / "secret.key"
    return Config(
        data_dir=folder,
        key_file=key_file or default_key,
        rclone=environ.get("BUCKETVAULT_RCLONE", ""),
        log_level=log_level,
    )


def _absolute(name: str, value: str, problems: list[str]) -> Path | None:
    """A path as given, made absolute; None when absent. A problem is noted under `name`."""
    if not value:
        return None
    if "\0" in value or "\n" in value:
        problems.append(f"{name} is not the path of a file or folder.")
        return None
    path = Path(os.path.expanduser(value)).absolute()  # noqa: PTH111 - keeps an unknown ~user
    if name != "BUCKETVAULT_KEY_FILE" and path.exists() and not path.is_dir():
        problems.append(f"{name} names {path}, which is not a folder.")
    return path
