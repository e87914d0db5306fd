"""Cost of a process tree: wall seconds, CPU seconds and peak memory, by role."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

SAMPLE_S = 0.1


@dataclass
class Cost:
    """Of one command and all it started, by role: seconds of CPU, and peak bytes of memory."""

    wall_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    peak_together_bytes: int = 0


def measure(start: Callable[[], "subprocess.Popen[str]"], role: Callable[[str], str]) -> Cost:
    """Run a command to its end and watch it; `role` names a process by its command line."""
    cost = Cost()
    began = time.monotonic()
    process = start()
    cpu: dict[int, tuple[str, float]] = {}
    names: dict[int, str] = {}
    while process.poll() is None:
        together = 0
        for member in family(process.pid):
            try:
                command = " ".join(member.cmdline())  # that of its parent, at first
                name = role(command) if command else names[member.pid]
                names[member.pid] = name  # an ended process has no command line any more
                times, memory = member.cpu_times(), member.memory_info().rss
            except (KeyError, psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            cpu[member.pid] = (name, times.user + times.system)
            cost.peak_bytes[name] = max(cost.peak_bytes.get(name, 0), memory)
            together += memory
        cost.peak_together_bytes = max(cost.peak_together_bytes, together)
        time.sleep(SAMPLE_S)  # between two samples of what each process takes
    cost.wall_s = time.monotonic() - began
    for name, seconds in cpu.values():
        cost.cpu_s[name] = cost.cpu_s.get(name, 0.0) + seconds
    assert process.returncode == 0, process.communicate()
    return cost


def family(pid: int) -> Sequence[psutil.Process]:
    """A process and all below it, detached ones too as long as their parent lives."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def megabytes(number: float) -> str:
    """`12 MB`."""
    return f"{number / 1e6:.0f} MB"


def print_cost(title: str, cost: Cost) -> None:
    """One line a measurement."""
    cpu = ", ".join(f"{name} {seconds:.2f}" for name, seconds in sorted(cost.cpu_s.items()))
    peak = ", ".join(f"{n} {megabytes(b)}" for n, b in sorted(cost.peak_bytes.items()))
    together = megabytes(cost.peak_together_bytes)
    print(f"{title}: {cost.wall_s:.2f} s; CPU s: {cpu}; peak: {peak}; together {together}")


def cores() -> int:
    """How many cores the figures were made on."""
    return os.cpu_count() or 1
