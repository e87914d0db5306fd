"""`python -I -S runner.py RUNDIR LOCK`, rclone's configuration on stdin: one run, detached.

It outlives bucketvault: it starts rclone with the configuration in memory and its output going
straight to the spool, passes the lock on, forwards Stop, and leaves `exit.json` whatever happens.
Standard library only, no bucketvault module, one thread: PDEATHSIG belongs to the thread that
started the child.

It is started with SIGTERM and SIGINT blocked and keeps them so; it reads them instead. Otherwise
an early Stop would end it before it can write how the run ended.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time

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
    os.rename(name + ".tmp", name)
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _leave_exit(room: int, value: dict[str, object]) -> None:
    _leave(EXIT, room, value)


def _ends_whole(spool: int) -> bool:
    size = os.fstat(spool).st_size
    return size == 0 or os.pread(spool, 1, size - 1) == b"\n"


def _free_bytes() -> int:
    """Room on the disk of the spool: on a full one rclone's last lines are lost."""
    disk = os.statvfs(".")
    return disk.f_bavail * disk.f_frsize


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settle_process()
    folder, lock = sys.argv[1], int(sys.argv[2])
    os.chdir(folder)
    room, notes = take_room(EXIT), take_room(STARTED)
    with open(SPEC, encoding="utf-8") as file:
        spec = json.load(file)
    config_text = sys.stdin.buffer.read()
    if not config_text:  # bucketvault was killed in that moment; nothing was touched
        _leave_exit(room, {"exit_code": None, "stopped": False, "cut_short": True})
        return
    config = os.memfd_create("rclone-config")
    os.write(config, config_text)
    config_path = f"/proc/self/fd/{config}"
    spool = os.open(SPOOL, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    me, libc = os.getpid(), ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != me:
            os._exit(127)
        for number in (signal.SIGHUP, *STOP_SIGNALS):  # ignored, a Stop would be lost on rclone
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    result: dict[str, object] = {"exit_code": None, "stopped": False, "started_at": time.time()}
    began = time.monotonic()
    try:
        rclone = subprocess.Popen(
            [config_path if word == CONFIG_MARK else word for word in spec["arguments"]],
            stdin=subprocess.DEVNULL,
            stdout=spool,
            stderr=spool,
            pass_fds=(config, lock),
            env=spec["environment"],
            preexec_fn=in_child,  # safe here: this program has one thread
        )
    except (OSError, subprocess.SubprocessError) as error:
        number = getattr(error, "errno", None)
        said = {"error": str(error), "errno": number, "ended_at": time.time()}
        _leave_exit(room, {**result, **said})
        return
    os.close(config)
    kill_at: float | None = None
    noted: dict[str, object] = {
        "runner_pid": me,
        "runner_start": process_start(me),
        "rclone_pid": rclone.pid,
        "boot_id": boot_id(),
    }
    with contextlib.suppress(OSError):  # the run continues; only Stop needs this file
        _leave(STARTED, notes, noted)
    least_free = _free_bytes()
    while rclone.poll() is None:
        got = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, 1)
        least_free = min(least_free, _free_bytes())
        if got is not None and got.si_signo in STOP_SIGNALS and not result["stopped"]:
            result["stopped"] = True
            kill_at = time.monotonic() + spec["stop_grace_s"]
            rclone.send_signal(signal.SIGINT)
        if kill_at is not None and time.monotonic() > kill_at:
            kill_at = None
            rclone.kill()
    _leave_exit(
        room,
        {
            **result,
            "exit_code": rclone.returncode,
            "ended_at": time.time(),
            "elapsed_s": round(time.monotonic() - began, 3),
            "log_whole": _ends_whole(spool),
            "least_free_bytes": least_free,
            "log_bytes": os.fstat(spool).st_size,
            "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        },
    )


if __name__ == "__main__":
    main()
