"""`python -I -S runner.py RUNDIR LOCK`, secrets on stdin: the steps of one pass, detached.

It outlives bucketvault: it starts one step after another, rclone or a program of ours, whatever
became of the one before. Each has the spool for its output, the lock, and its secrets in memory. It
forwards Stop, after which no further step begins, and leaves `exit.json` whatever happens.
Standard library only, no bucketvault module, one thread: PDEATHSIG belongs to the thread that
started the child.

`spec.json` has the steps: each with a `name`, perhaps a line for the `log`, and rclone's
`arguments` or another `program` with the name of its `stdin`, and what its `environment` has
besides. Our stdin is `{"config": rclone's, "stdin": {name: text}}`.

It is started with SIGTERM and SIGINT blocked and keeps them so; it reads them instead. Otherwise
an early Stop would end it before it can write how the run ended.
"""

import contextlib
import ctypes
import datetime as dt
import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import Any

SPEC, SPOOL, STARTED, EXIT = "spec.json", "rclone.log", "started.json", "exit.json"
CONFIG_MARK = "@CONFIG@"  # alone, it is replaced by the configuration's path in the arguments
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
ROOM_BYTES = 4096
PR_SET_PDEATHSIG = 1  # prctl(2)


def settle_process() -> None:
    """Reset what the parent left; call it first of all: what this process starts inherits it."""
    _leave_no_core_file()
    # Where SIGCHLD is ignored the kernel keeps no exit code of a child, and Python takes that for
    # code 0, for success (waitpid(2); `subprocess.Popen._internal_poll`).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _leave_no_core_file() -> None:
    """A core file would hold the keys."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # With 1 the kernel hands none to a program named in core_pattern either; with 0 it does, and
    # it is for that program to look at the limit (fs/coredump.c, systemd-coredump(8)).
    limit = 0 if most == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def process_start(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None: no such process, or a zombie.

    Field 22 of /proc/PID/stat (proc(5)); with the pid it names one process for as long as the
    machine runs.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def boot_id() -> str:
    """Names this boot of the machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def take_room(path: str) -> int:
    """Take room for a file now: a disk that fills up later cannot swallow the truth."""
    room = os.open(path + ".tmp", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(room, 0, ROOM_BYTES)
    except OSError:
        os.close(room)
        raise
    return room


def _leave(name: str, room: int, value: dict[str, object]) -> None:
    """Write a file whole or not at all, so that it outlives a power cut."""
    os.pwrite(room, json.dumps(value).encode().ljust(ROOM_BYTES), 0)
    os.fsync(room)
    os.close(room)
    os.rename(name + ".tmp", name)
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _ends_whole(spool: int) -> bool:
    size = os.fstat(spool).st_size
    return size == 0 or os.pread(spool, 1, size - 1) == b"\n"


def oom_kills() -> int:
    """How many processes the kernel has killed for lack of memory since boot (mm/oom_kill.c).

    In any control group; 0 where it does not tell.
    """
    try:
        with open("/proc/vmstat", "rb") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(b"oom_kill "))
    except (OSError, StopIteration):
        return 0


def _free_bytes() -> int:
    """Room on the disk of the spool: on a full one rclone's last lines are lost."""
    disk = os.statvfs(".")
    return disk.f_bavail * disk.f_frsize


def _in_memory(name: str, text: str) -> int:
    file = os.memfd_create(name)
    os.write(file, text.encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


class _Pass:
    """The steps of a pass, one after the other."""

    def __init__(self, spec: dict[str, Any], handed: dict[str, Any], lock: int) -> None:
        self._spec = spec
        self._lock = lock
        self._config = _in_memory("rclone-config", handed["config"])
        self._stdin: dict[str, str] = handed["stdin"]
        self._spool = os.open(SPOOL, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._me, self._libc = os.getpid(), ctypes.CDLL(None)
        self._least_free = _free_bytes()
        self._stopped = False
        self._ended: list[tuple[str, int]] = []
        self._exit_code: int | None = 0
        self._error: dict[str, object] = {}

    def run(self) -> dict[str, object]:
        """Do all steps, or those before a Stop; return what `exit.json` tells."""
        started_at, began, killed_before = time.time(), time.monotonic(), oom_kills()
        for step in self._spec["steps"]:
            # a Stop that came between two steps waits here: it is blocked, never ignored
            if self._stopped or signal.sigtimedwait(STOP_SIGNALS, 0) is not None:
                self._stopped = True
                break
            try:
                child = self._start(step)
            except (OSError, subprocess.SubprocessError) as error:
                self._exit_code = None
                self._error = {"error": str(error), "errno": getattr(error, "errno", None)}
                break
            self._note(step["name"], child.pid)
            self._await(child, signal.SIGTERM if "program" in step else signal.SIGINT)
            self._ended.append((step["name"], child.returncode))
            if "arguments" in step and not self._exit_code:
                self._exit_code = child.returncode
        return {
            "exit_code": self._exit_code,
            "stopped": self._stopped,
            "steps": self._ended,
            **self._error,
            "started_at": started_at,
            "ended_at": time.time(),
            "elapsed_s": round(time.monotonic() - began, 3),
            "log_whole": _ends_whole(self._spool),
            "least_free_bytes": self._least_free,
            "log_bytes": os.fstat(self._spool).st_size,
            "oom_kills": oom_kills() - killed_before,
            "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        }

    def _start(self, step: dict[str, Any]) -> "subprocess.Popen[bytes]":
        if "log" in step:
            with contextlib.suppress(OSError):  # a full disk; it is told by least_free_bytes
                self._say({"time": dt.datetime.now(dt.UTC).isoformat(), **step["log"]})
        config = f"/proc/self/fd/{self._config}"
        words = step.get("program") or step["arguments"]
        text = self._stdin.get(step.get("stdin", ""))
        stdin = None if text is None else _in_memory("stdin", text)
        try:
            return subprocess.Popen(
                [config if word == CONFIG_MARK else word for word in words],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=self._spool,
                stderr=self._spool,
                pass_fds=(self._lock, *(() if "program" in step else (self._config,))),
                env={**self._spec["environment"], **step.get("environment", {})},
                preexec_fn=self._in_child,  # safe here: this program has one thread
            )
        finally:
            if stdin is not None:
                os.close(stdin)

    def _in_child(self) -> None:
        self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._me:
            os._exit(127)
        for number in (signal.SIGHUP, *STOP_SIGNALS):  # ignored, a Stop would be lost on rclone
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _say(self, line: dict[str, object]) -> None:
        whole = b"" if _ends_whole(self._spool) else b"\n"  # a step was killed within a line
        os.write(self._spool, whole + json.dumps(line).encode() + b"\n")

    def _note(self, step: str, pid: int) -> None:
        """Say who is at work. Where that fails, the note of the step before stays, and is enough.

        Only Stop needs it, and that is for this process.
        """
        noted: dict[str, object] = {
            "runner_pid": self._me,
            "runner_start": process_start(self._me),
            "rclone_pid": pid,
            "step": step,
            "boot_id": boot_id(),
        }
        with contextlib.suppress(OSError):
            _leave(STARTED, take_room(STARTED), noted)

    def _await(self, child: "subprocess.Popen[bytes]", ends_it: signal.Signals) -> None:
        """Wait for the end of a step; end it when a Stop comes."""
        kill_at: float | None = None
        while child.poll() is None:
            got = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, 1)
            self._least_free = min(self._least_free, _free_bytes())
            if got is not None and got.si_signo in STOP_SIGNALS and not self._stopped:
                self._stopped = True
                kill_at = time.monotonic() + self._spec["stop_grace_s"]
                child.send_signal(ends_it)
            if kill_at is not None and time.monotonic() > kill_at:
                kill_at = None
                child.kill()


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settle_process()
    folder, lock = sys.argv[1], int(sys.argv[2])
    os.chdir(folder)
    room = take_room(EXIT)
    with open(SPEC, encoding="utf-8") as file:
        spec = json.load(file)
    try:
        handed = json.loads(sys.stdin.buffer.read())
    except ValueError:  # bucketvault was killed in that moment; nothing was touched
        _leave(EXIT, room, {"exit_code": None, "stopped": False, "cut_short": True})
        return
    _leave(EXIT, room, _Pass(spec, handed, lock).run())


if __name__ == "__main__":
    main()
