"""Who works on a data folder: one engine at a time, which holds `app.lock`. Others may look."""

import fcntl
import json
import os
import time
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.views import backups
from bucketvault.errors import AlreadyRunningError
from bucketvault.store.models import BackupRun, utcnow
from bucketvault.vocabulary import RunStatus

SERVER = "serve"  # the role of one
TRIES = 20
PAUSE_S = 0.02  # between two tries


class FolderHold:
    """This process's hold of a data folder; `role` is its command, for other processes to read."""

    def __init__(self, lock: Path, role: str) -> None:
        self._path = lock
        self._role = role
        self._lock: int | None = None

    def take(self) -> bool:
        """Hold the folder from now on; False: we do already. Raises AlreadyRunningError."""
        if self._lock is not None:
            return False
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # A `status` may be probing at this very moment; a real holder holds on.
        for attempt in range(TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == TRIES - 1:
                    who = _in_words(_read(lock))
                    os.close(lock)
                    raise AlreadyRunningError(
                        f"The data folder {self._path.parent} is in use by {who}.",
                        "Stop it first, or choose another folder with --data-dir.",
                    ) from None
                time.sleep(PAUSE_S)  # between two tries: a lock taken for a look is soon free
        note = {"pid": os.getpid(), "role": self._role, "since": utcnow().isoformat(" ", "seconds")}
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(note).encode(), 0)
        self._lock = lock
        return True

    def release(self) -> None:
        """Let go, if we hold it."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def holder(config: Config) -> str | None:
    """Who works on this data folder, in words; None: nobody."""
    note = _note(config)
    return None if note is None else _in_words(note)


def is_served(config: Config) -> bool | None:
    """True if a server works on this data folder; None: no process does."""
    note = _note(config)
    return None if note is None else note.get("role") == SERVER


def _note(config: Config) -> dict[str, object] | None:
    try:
        lock = os.open(config.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(lock)
    finally:
        os.close(lock)
    return None


def _read(lock: int) -> dict[str, object]:
    """Return what the holder wrote; empty before it has written."""
    try:
        note = json.loads(os.read(lock, 4096))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _in_words(note: dict[str, object]) -> str:
    try:
        return f"`bucketvault {note['role']}`, process {note['pid']}, since {note['since']}"
    except KeyError:
        return "another bucketvault"


def who_watches(config: Config, run: BackupRun) -> backups.Watched:
    """Return how a run that is said to be under way is supervised."""
    if run.status != RunStatus.RUNNING or holder(config) is not None:
        return backups.Watched.YES
    over = RunFolder(config.runs, run.uuid).is_free()
    return backups.Watched.OVER if over else backups.Watched.ON_ITS_OWN
