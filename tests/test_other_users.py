"""Another user of the same machine, during a run: curl, every file, every process."""

import json
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.root

NOBODY = 65534
MARKS = ("AKIAMARKERMARKER0003", "marker/secret+0003=%2F")

# Stands alone, because the other user may not be able to read where we are.
SPY = r"""
import http.client, json, os, select, socket, sys
base, door, port, marks = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
told = {"rounds": 0, "files": [], "found": [], "ours": 0, "environ": [], "memory": [], "fds": [],
        "http": {}, "socket": ""}

def note(kind, what):
    if what not in told[kind]:
        told[kind].append(what)

def hunt(where, data):
    for mark in marks:
        if mark.encode() in data:
            note("found", f"{mark} in {where}")

while True:
    told["rounds"] += 1
    for folder, _, names in os.walk(base):
        for name in names:
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    hunt(name, file.read())
            except OSError:
                continue
            note("files", os.path.join(folder, name))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read()
        except OSError:
            continue
        if b"serve\0s3" in line or int(pid) == os.getpid():
            continue  # the server under test is started with its key, by the test
        hunt(f"the arguments of {pid}", line)
        ours = b"bucketvault" in line or b"runner.py" in line or b"sync\0source:" in line
        told["ours"] = max(told["ours"], ours)
        for kind, name in (("environ", "environ"), ("memory", "mem"), ("memory", "maps")):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    data = file.read(1 << 20)
            except OSError:
                continue
            if data and ours:
                note(kind, f"{pid} {line!r}")
            hunt(f"/proc/{pid}/{name}", data)
        if ours:
            try:
                for number in os.listdir(f"/proc/{pid}/fd"):
                    note("fds", f"{pid} {number}")
            except OSError:
                pass
    if select.select([sys.stdin], [], [], 0.02)[0]:
        break
for path in ("/", "/login", "/api/runs/1/log/raw", "/healthz", "/providers/1/edit"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    hunt(path, answer.read())
    told["http"][path] = answer.status
try:
    socket.socket(socket.AF_UNIX).connect(door)
    told["socket"] = "open"
except OSError as error:
    told["socket"] = type(error).__name__
print(json.dumps(told))
"""


@pytest.fixture
def program() -> Iterator[Program]:
    """The program in a folder that others may enter, so that its own modes have to do the work."""
    folder = Path(tempfile.mkdtemp(prefix="open-to-all-"))
    folder.chmod(0o755)
    program = Program(folder)
    yield program
    program.end()
    shutil.rmtree(folder)


class Spy:
    """Looks around as another user, from its start until it is asked what it saw."""

    def __init__(self, base: Path, door: Path, port: int) -> None:
        python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
        given = [str(base), str(door), str(port), json.dumps(MARKS)]
        self._process = subprocess.Popen(
            [python, "-I", "-S", "-c", SPY, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            env={},
        )

    def told(self) -> dict[str, Any]:
        out, err = self._process.communicate("\n", timeout=30)
        assert self._process.returncode == 0, err
        return json.loads(out)


def test_another_user_sees_nothing_while_a_run_goes_on(
    program: Program, elsewhere: RcloneS3, new_bucket: NewBucket, tmp_path: Path
) -> None:
    with PausingS3(tmp_path / "own", *MARKS) as own:
        source = new_bucket(own, objects(20, 4000))
        program.backup(source, new_bucket(elsewhere))
        (program.folder / "setup.toml").unlink()  # the test's own file, with the keys in it
        served = program.serve(HTTPS_PROXY="http://127.0.0.1:9", RCLONE_DRY_RUN="true")
        served.sign_in()
        assert served.ask("/providers/1").status == 200
        door = program.folder / "door" / "bv.sock"
        door.parent.mkdir(mode=0o700)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(door))
        door.chmod(0o666)  # as open as can be: the folder has to keep others out
        listener.listen()
        spy = Spy(program.folder, door, served.port)

        assert program.shell("run", "Photos").code == 0
        rclone = until("rclone copies", lambda: next(iter(program.rclones()), None))
        inside = seen_from_inside(rclone)
        own.thaw()
        until("the run is over", lambda: program.status()["running"] == 0)
        told = spy.told()
        listener.close()

    assert program.last_run()["status"] == "success"
    assert told["rounds"] > 5 and told["ours"]
    assert told["found"] == [] and told["files"] == []
    assert told["environ"] == [] and told["memory"] == [] and told["fds"] == []
    assert told["http"] == {
        "/": 401,
        "/login": 200,
        "/api/runs/1/log/raw": 401,
        "/healthz": 200,
        "/providers/1/edit": 401,
    }
    assert told["socket"] == "PermissionError"
    names, limits = inside
    assert not [name for name in names if name.startswith("RCLONE_") or name.endswith("_PROXY")]
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    assert limits == {(0, 0) if most == 0 else (1, 1)}  # no core files, of rclone neither


def seen_from_inside(rclone: psutil.Process) -> tuple[set[str], set[tuple[int, int]]]:
    """The names in rclone's environment, and how large a core file it and its parents may leave."""
    family = [rclone, *rclone.parents()[:2]]
    limits = {tuple(process.rlimit(psutil.RLIMIT_CORE)) for process in family}
    return set(rclone.environ()), limits
