"""The steps of a pass in the detached runner: one after the other, whatever becomes of each."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bucketvault.engine.rclone import commands, runner
from bucketvault.engine.rclone.remotes import config_text
from bucketvault.engine.runs.folder import ExitRecord, RunFolder, reap
from bucketvault.vocabulary import Json
from tests.support.passes import python_step, rclone_step, stand_in, start, step_line
from tests.support.program import Bucket, until
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, rclone_path
from tests.support.specs import run_spec

STAMP = "20261130T100000Z"
SLEEPS = 'echo "at work in $3"; exec sleep 100'  # the words after `--config FILE`
STOPS = """#!{python} -IS
import json, os, pathlib, signal
started = pathlib.Path("{started}")
while not started.exists():
    pass
os.kill(json.loads(started.read_bytes())["runner_pid"], signal.SIGTERM)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    run = RunFolder(tmp_path / "runs", "a run")
    yield run
    until("nobody works on it any more", run.is_free)
    reap()


def ended(folder: RunFolder) -> ExitRecord:
    until("nobody works on it any more", folder.is_free)
    record = folder.exit_record()
    assert record is not None
    return record


def said(folder: RunFolder) -> list[str]:
    """The log: our lines as the step they announce, others as they are."""
    lines = folder.spool.read_text("utf-8").splitlines()
    return [f"= {json.loads(line)['step']}" if line[:1] == "{" else line for line in lines]


def open_files(pid: int) -> list[str]:
    return [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]


def test_every_step_is_taken_in_turn_whatever_became_of_the_one_before(
    folder: RunFolder, tmp_path: Path
) -> None:
    rclone = stand_in(tmp_path / "rclone", 'printf "%s" "$3"; exit "$4"')  # no line is whole

    start(
        folder,
        rclone,
        rclone_step("one", "0", name="keep"),
        python_step("import sys; print(sys.stdin.read()); sys.exit(1)"),
        rclone_step("two", "5"),
        rclone_step("three", "1", name="remove"),
        jobs={"kept": "the job"},
    )
    record = ended(folder)

    assert record.steps == (("keep", 0), ("kept", 1), ("copy", 5), ("remove", 1))
    assert (record.exit_code, record.stopped) == (5, False)
    assert said(folder) == [
        *("= keep", "one", "= kept", "the job", "= copy", "two", "= remove", "three")
    ]
    assert (record.log_whole, record.log_bytes) == (False, folder.spool.stat().st_size)
    assert record.peak_memory_bytes > 1_000_000


def test_a_step_of_ours_that_failed_is_no_exit_code_of_rclones(
    folder: RunFolder, tmp_path: Path
) -> None:
    start(folder, stand_in(tmp_path / "rclone", "exit 0"), python_step("exit(1)"), rclone_step())

    record = ended(folder)

    assert (record.exit_code, record.steps) == (0, (("kept", 1), ("copy", 0)))


def test_our_line_before_a_step_has_the_time_it_began(folder: RunFolder, tmp_path: Path) -> None:
    start(folder, stand_in(tmp_path / "rclone", "exit 0"), rclone_step(name="keep"))
    ended(folder)

    line = json.loads(folder.spool.read_bytes())

    assert line.pop("time") > "2026" and line == step_line("keep")


@pytest.mark.parametrize("step", ["keep", "kept", "copy"])
def test_stop_ends_the_step_under_way_and_no_other_begins(
    folder: RunFolder, tmp_path: Path, step: str
) -> None:
    works = f'if test "$3" = {step}; then {SLEEPS}; fi'
    waits = "import time; print('at work in kept', flush=True); time.sleep(100)"
    start(
        folder,
        stand_in(tmp_path / "rclone", works),
        rclone_step("keep", name="keep"),
        python_step(waits if step == "kept" else ""),
        rclone_step("copy"),
        rclone_step("remove", name="remove"),
    )
    until("the step works", lambda: folder.started().get("step") == step)
    until("it says so", lambda: f"at work in {step}" in folder.spool.read_text("utf-8"))

    assert folder.ask_to_stop()
    record = ended(folder)

    names = ["keep", "kept", "copy"]
    assert [name for name, _ in record.steps] == names[: names.index(step) + 1]
    code = -signal.SIGTERM if step == "kept" else -signal.SIGINT
    assert record.stopped and record.steps[-1] == (step, code)
    assert record.exit_code == (0 if step == "kept" else code)
    assert "Traceback" not in folder.spool.read_text("utf-8")


def test_a_stop_between_two_steps_is_not_lost(folder: RunFolder, tmp_path: Path) -> None:
    # It ends at once: the runner may learn of the end first, or of the Stop.
    rclone = tmp_path / "rclone"
    rclone.write_text(STOPS.format(python=sys.executable, started=folder.path / runner.STARTED))
    rclone.chmod(0o700)
    start(folder, rclone, *[rclone_step(name=f"step {n}") for n in range(20)])

    record = ended(folder)

    # Until the first is noted there is nobody to tell: it waits for that.
    assert record.stopped and record.steps[1:] == ()


@pytest.mark.parametrize("place", [0, 1])
def test_a_step_that_cannot_be_started_ends_the_pass_and_says_why(
    folder: RunFolder, tmp_path: Path, place: int
) -> None:
    missing: Json = {"name": "kept", "program": [str(tmp_path / "missing")], "stdin": "kept"}
    steps = [rclone_step(name="keep"), missing]
    start(folder, stand_in(tmp_path / "rclone", "exit 0"), *steps[place:], rclone_step())

    record = ended(folder)

    assert record.exit_code is None and "missing" in record.error and record.error_number == 2
    assert record.steps == (() if place else (("keep", 0),))


@pytest.mark.parametrize("handed", [b"", b'{"config": "[source]\\n', b"{}"[:1]])
def test_a_runner_that_got_only_half_of_its_secrets_touches_nothing(
    folder: RunFolder, tmp_path: Path, handed: bytes
) -> None:
    lock = folder.create()
    touched = tmp_path / "touched"
    program: Json = {"name": "copy", "arguments": ["/bin/touch", str(touched)]}
    spec = {"steps": [program], "environment": {}, "stop_grace_s": 1}
    (folder.path / runner.SPEC).write_text(json.dumps(spec), "utf-8")

    subprocess.run(
        [sys.executable, "-I", "-S", runner.__file__, str(folder.path), str(lock)],
        input=handed,
        pass_fds=(lock,),
        check=True,
    )
    os.close(lock)

    record = ended(folder)
    assert record.cut_short and record.exit_code is None and not touched.exists()


def test_a_killed_runner_takes_its_step_along(folder: RunFolder, tmp_path: Path) -> None:
    for step in (rclone_step(), python_step("import time; time.sleep(100)")):
        start(folder, stand_in(tmp_path / "rclone", SLEEPS), step)
        until("it works", lambda: folder.started().get("step"))
        noted = folder.started()

        os.kill(noted["runner_pid"], signal.SIGKILL)

        until("the step is gone", lambda pid=noted["rclone_pid"]: not psutil.pid_exists(pid))
        until("nobody works on it any more", folder.is_free)
        assert folder.exit_record() is None


def test_a_pass_leaves_no_word_of_the_pass_before(folder: RunFolder, tmp_path: Path) -> None:
    start(folder, stand_in(tmp_path / "rclone", "exit 3"), rclone_step())
    assert ended(folder).exit_code == 3

    start(folder, stand_in(tmp_path / "rclone", SLEEPS), rclone_step(name="second"))

    assert folder.exit_record() is None and folder.started().get("step") != "copy"
    until("it works", lambda: folder.started().get("step") == "second")
    assert folder.ask_to_stop()
    assert ended(folder).stopped


def test_who_works_is_told_also_where_no_further_note_can_be_written(
    folder: RunFolder, tmp_path: Path
) -> None:
    # a folder where the next note would be begun: writing it fails, as it does on a full disk
    noted = folder.path / runner.STARTED
    blocks = f"""until test -e '{noted}'; do :; done
test "$3" = one && mkdir '{noted}.tmp' && exit 0
{SLEEPS}"""
    steps = [rclone_step(name, name=name) for name in ("one", "two")]
    start(folder, stand_in(tmp_path / "rclone", blocks), *steps)
    until("the second works", lambda: "at work in two" in folder.spool.read_text("utf-8"))

    assert folder.started()["step"] == "one"
    assert folder.ask_to_stop()
    assert ended(folder).steps == (("one", 0), ("two", -signal.SIGINT))


def test_secrets_of_a_step_are_nowhere_but_in_its_own_hands(
    folder: RunFolder, tmp_path: Path
) -> None:
    secrets = {"config": "secret-of-the-config", "kept": "secret-of-the-job"}
    waits = "import sys, time; sys.stdin.read(); print('read', flush=True); time.sleep(100)"
    start(
        folder,
        stand_in(tmp_path / "rclone", "exit 0"),
        rclone_step(name="keep"),
        python_step(waits),
        config=secrets["config"],
        jobs={"kept": secrets["kept"]},
    )
    until("it has read its job", lambda: "read" in folder.spool.read_text("utf-8"))

    noted = folder.started()
    for process in map(psutil.Process, (noted["runner_pid"], noted["rclone_pid"])):
        shown = " ".join([*process.cmdline(), *process.environ().values()])
        assert not any(secret in shown for secret in secrets.values())
    assert not any("rclone-config" in file for file in open_files(noted["rclone_pid"]))
    for file in folder.path.rglob("*"):
        assert not any(secret.encode() in file.read_bytes() for secret in secrets.values())
    assert folder.ask_to_stop()


def test_rclone_does_not_hold_what_a_program_reads(folder: RunFolder, tmp_path: Path) -> None:
    start(
        folder,
        stand_in(tmp_path / "rclone", SLEEPS),
        python_step("pass"),
        rclone_step(),
        jobs={"kept": "secret-of-the-job"},
    )
    until("rclone works", lambda: folder.started().get("step") == "copy")

    held = open_files(folder.started()["rclone_pid"])

    assert any("rclone-config" in file for file in held)
    assert not any("memfd:stdin" in file for file in held)
    assert folder.ask_to_stop()


# ---- with real rclone

NewBucket = Callable[..., Bucket]


def test_what_could_not_be_kept_does_not_hold_up_what_is_new(
    folder: RunFolder, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source = new_bucket(moto, {"changed": b"new", "new": b"new"})
    destination = new_bucket(moto, {"changed": b"old", "gone": b"gone"})
    spec = run_spec(source.name, destination.name)
    refused = Rule("PUT", "/changed", 403, "AccessDenied", header="x-amz-copy-source")
    with RefusingProxy(moto.endpoint, [refused]) as proxy:
        config = config_text(
            {"source": source.remote(), "dest": destination.remote(proxy.endpoint)}
        )
        (folder.path / "pass-1").mkdir(parents=True)
        lists = {"replace": "changed\n", "new": "new\n", "kept": "", "remove": "gone\n"}
        names = {}
        for name, lines in lists.items():
            names[name] = f"pass-1/{name}.txt"
            (folder.path / names[name]).write_text(lines, "utf-8")
        start(
            folder,
            rclone_path(),
            rclone_step(*commands.keep(spec, STAMP, names["replace"]), name="keep"),
            rclone_step(*commands.copy(spec, names["new"], names["kept"])),
            rclone_step(*commands.remove(spec, STAMP, names["remove"]), name="remove"),
            config=config,
        )
        record = ended(folder)

    assert [code for _, code in record.steps] == [1, 0, 0] and record.exit_code == 1
    assert destination.copy() == {"changed": b"old", "new": b"new"}
    assert destination.kept() == {STAMP: {"gone": b"gone"}}
