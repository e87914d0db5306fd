"""The folder of one run while it lives: lock, settings, spool, exit file. Gone after the run.

The lock is the proof of life: every process that works on the run inherited its descriptor. Free
means that none does; no guessing by process ids.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bucketvault.engine.rclone import runner
from bucketvault.engine.rclone.binary import Binary, clean_environment
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import Json

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

ENOUGH_ROOM_BYTES = 1024 * 1024  # with less, lines of a log may have been lost
STOP_GRACE_S = 30.0  # between SIGINT, which lets rclone clean up, and SIGKILL


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """The runner's record of the end. `exit_code` None: a step did not start, `error` says why."""

    exit_code: int | None  # rclone's first that is not 0, else 0
    stopped: bool
    cut_short: bool  # bucketvault was gone before the runner had all it needs
    log_whole: bool  # the disk had room all the time, and the log ends with a whole line
    error: str
    error_number: int | None  # the system's, with `error`
    elapsed_s: float
    log_bytes: int  # how long the spool was then; what follows is ours, from tidying
    ended_at: float  # seconds since 1970; 0: not told
    peak_memory_bytes: int
    oom_kills: int  # processes that the system killed meanwhile for lack of memory, ours or not
    steps: tuple[tuple[str, int], ...]  # those that were started and have ended, with exit codes


class RunFolder:
    """`runs/<uuid>` below the data folder."""

    def __init__(self, runs: Path, uuid: str) -> None:
        self.uuid = uuid
        self.path = runs / uuid

    @property
    def spool(self) -> Path:
        """rclone's output, stdout and stderr, as it writes it."""
        return self.path / runner.SPOOL

    def create(self) -> int:
        """Make the folder and take its lock; gives the lock's descriptor, which does not leak.

        Waits for probes to let go, which takes microseconds: only the holder of the data folder
        creates and adopts.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def is_free(self) -> bool:
        """True if no process works on this run: a missing folder is free."""
        try:
            lock = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True

    def append_to_spool(self, data: bytes) -> None:
        """Add rclone's words from a call that is not the copying itself, on lines of their own."""
        spool = os.open(self.spool, _APPEND, 0o600)
        try:
            size = os.fstat(spool).st_size
            if size and os.pread(spool, 1, size - 1) != b"\n":  # killed in the middle of a line
                data = b"\n" + data
            os.write(spool, data)
        finally:
            os.close(spool)

    def say(self, line: Json) -> None:
        """Add a line of our own to the log, with the time of now."""
        timed = {"time": utcnow().isoformat(), **line}
        words = json.dumps(timed, ensure_ascii=False)
        self.append_to_spool(words.encode(errors="replace") + b"\n")

    def start(
        self,
        binary: Binary,
        steps: Sequence[Mapping[str, Any]],  # Any: see the runner
        config: str,
        jobs: Mapping[str, str],
        lock: int,
        archive_key: str,
        number: int = 1,
    ) -> int:
        """Start the detached runner and give up our hold of `lock`; returns the runner's pid.

        The runner's first lines say what a step is; here rclone's `arguments` begin after its
        configuration, and `jobs` has the texts that programs read; `number` is that of the pass.
        SIGTERM and SIGINT are blocked in the runner from its first instruction. Its own output,
        should it ever fail, ends in the spool too. Raises OSError when nothing was started.
        """
        rclone = [binary.path, "--config", runner.CONFIG_MARK]
        spec = {
            "archive_key": archive_key,
            "pass": number,
            "steps": [
                {**step, "arguments": [*rclone, *step["arguments"]]}
                if "arguments" in step
                else step
                for step in steps
            ],
            "environment": clean_environment(str(self.path)),
            "stop_grace_s": STOP_GRACE_S,
        }
        try:
            _write_durably(self.path / runner.SPEC, json.dumps(spec))
            for name in (runner.EXIT, runner.STARTED):  # on a full disk the runner could not say so
                os.close(runner.take_room(str(self.path / name)))
                (self.path / name).unlink(missing_ok=True)  # of the pass before
            spool = os.open(self.spool, _APPEND, 0o600)
        except OSError:
            os.close(lock)
            raise
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, runner.STOP_SIGNALS)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", runner.__file__, str(self.path), str(lock)],
                stdin=subprocess.PIPE,
                stdout=spool,
                stderr=spool,
                pass_fds=(lock,),
                env=clean_environment(str(self.path)),
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(spool)
            os.close(lock)
        if process.stdin is not None:  # it is a pipe; this is for the type checker
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(json.dumps({"config": config, "stdin": dict(jobs)}).encode())
        _started.append(process)
        return process.pid

    def begun_pass(self, noted: int) -> int:
        """Return the newest pass that was begun, 0 before the first; `noted` where it is not told.

        It is another than the noted one where the program ended between that note and the start.
        """
        if not (self.path / runner.SPEC).exists():
            return 0 if self.path.exists() else noted
        number = _read_json(self.path / runner.SPEC).get("pass")
        return number if isinstance(number, int) else noted

    def works_for(self, archive_key: str) -> bool:
        """True if the run in this folder is alive and copies for that backup."""
        spec = _read_json(self.path / runner.SPEC)
        return spec.get("archive_key") == archive_key and not self.is_free()

    def has_room(self) -> bool:
        """True if the disk of the spool has room: on a full one rclone's words are lost."""
        try:
            disk = os.statvfs(self.path)
        except OSError:
            return True
        return disk.f_bavail * disk.f_frsize >= ENOUGH_ROOM_BYTES

    def started(self) -> Json:
        """Return the runner's notes from the start of the step under way; empty before a first."""
        return _read_json(self.path / runner.STARTED)

    def ask_to_stop(self) -> bool:
        """Tell the runner to end its step and begin no other; False: there is none to tell (yet).

        Only signals a process that is certainly the runner: same boot, same start time, lock held.
        """
        noted = self.started()
        pid = noted.get("runner_pid")
        if not isinstance(pid, int) or self.is_free() or noted.get("boot_id") != runner.boot_id():
            return False
        if runner.process_start(pid) != noted.get("runner_start"):
            return False
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return False
        return True

    def exit_record(self) -> ExitRecord | None:
        """How the run ended; None when the runner could not tell."""
        left = _read_json(self.path / runner.EXIT)
        if "exit_code" not in left:
            return None
        code = left["exit_code"]
        return ExitRecord(
            exit_code=code if isinstance(code, int) else None,
            stopped=left.get("stopped") is True,
            cut_short=left.get("cut_short") is True,
            log_whole=left.get("log_whole") is not False
            and not self._has_lost(int(left.get("log_bytes", 0)))
            and int(left.get("least_free_bytes", ENOUGH_ROOM_BYTES)) >= ENOUGH_ROOM_BYTES,
            error=str(left.get("error", "")),
            error_number=number if isinstance(number := left.get("errno"), int) else None,
            elapsed_s=float(left.get("elapsed_s", 0.0)),
            log_bytes=int(left.get("log_bytes", 0)),
            ended_at=float(left.get("ended_at", 0.0)),
            peak_memory_bytes=int(left.get("peak_memory_bytes", 0)),
            oom_kills=int(left.get("oom_kills", 0)),
            steps=tuple((str(name), int(code)) for name, code in left.get("steps", ())),
        )

    def _has_lost(self, log_bytes: int) -> bool:
        """True if the log is shorter than the runner left it, as after a power cut."""
        try:
            return self.spool.stat().st_size < log_bytes
        except OSError:
            return False

    def last_sign_of_life(self) -> float:
        """When rclone last wrote, in seconds since 1970; 0 when it never did."""
        try:
            return self.spool.stat().st_mtime
        except OSError:
            return 0.0

    def machine_restarted(self) -> bool:
        """True if the machine was restarted since rclone was started."""
        noted = self.started().get("boot_id")
        return bool(noted) and noted != runner.boot_id()

    def remove(self) -> None:
        """Delete the folder, after all of it is stored."""
        shutil.rmtree(self.path, ignore_errors=True)


_started: list["subprocess.Popen[bytes]"] = []


def run_folders(runs: Path) -> list[RunFolder]:
    """Return every folder below `runs` that can be a run's; anything else there is left alone."""
    if not runs.is_dir():  # it was deleted: the next run makes it again
        return []
    return [
        RunFolder(runs, path.name)
        for path in runs.iterdir()
        if _UUID.fullmatch(path.name) and path.is_dir()
    ]


def reap() -> None:
    """Wait for ended runners; otherwise each would stay in the process table."""
    _started[:] = [process for process in _started if process.poll() is None]


def _write_durably(path: Path, text: str) -> None:
    """Write a file that outlives a power cut: without it, a pass counts as never begun."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_json(path: Path) -> Json:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
