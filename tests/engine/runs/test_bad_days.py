"""Killed at any step, away for a while, changing all the time: nothing is lost, the next is whole.

With `TESTS_MORE=1`: every victim at every step, and longer absences.
"""

import itertools
import os
import shutil
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.conftest import NewBucket
from tests.engine.runs.scene import Scene, changed_scene, scene_between
from tests.engine.runs.test_hard_times import fill_up, small_disk
from tests.support.program import Program, until
from tests.support.servers import RcloneS3
from tests.support.truth import assert_nothing_is_lost, newest
from tests.support.wrong_answers import Hold, Lie, LyingProxy, meanwhile

pytestmark = pytest.mark.slow

MORE = bool(os.environ.get("TESTS_MORE"))

FLAT = r"list-type=2(&.*)?&prefix=(&|$)"
UNDER, KEPT = r"^/[^/]+/", r"/\.bucketvault-archive/.*/"
COPIED = "x-amz-copy-source"
STEPS: dict[str, tuple[str, Lie]] = {
    "look": ("source", Lie("GET", FLAT)),
    "keep": ("destination", Lie("PUT", KEPT + "changed", header=COPIED)),
    "kept": ("destination", Lie("GET", r"list-type=2.*prefix=\.bucketvault-archive%2F[^&]*Z%2F")),
    "copy": ("source", Lie("GET", UNDER + "changed")),
    "remove": ("destination", Lie("DELETE", UNDER + "removed")),
    "prove": ("source", Lie("GET", FLAT, skip=1)),
}


@pytest.fixture
def scene(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> Iterator[Scene]:
    """A backup that has something to keep, to copy and to remove."""
    with changed_scene(bucketvault, new_bucket, here, elsewhere) as made:
        yield made


def at(scene: Scene, step: str, **more: object) -> tuple[LyingProxy, Lie]:
    """The proxy that a step meets, and how its first request is known."""
    end, known = STEPS[step]
    names = ("method", "path", "header", "skip")
    lie = Lie(status=0, code="", **{name: getattr(known, name) for name in names}, **more)  # type: ignore[arg-type]
    return (scene.at_source if end == "source" else scene.at_destination), lie


def workers(program: Program, app: psutil.Process) -> list[psutil.Process]:
    """Processes at work at a step: rclone, or one of ours that lists."""
    found = [p for p in program.rclones() if p.is_running()]
    looks = [p for p in app.children(recursive=True) if "bucketvault.engine.listing" in _line(p)]
    return found or looks or program.processes("bucketvault.engine.listing")


def runners(program: Program) -> list[psutil.Process]:
    return program.processes("runner.py")


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


VICTIMS = ("program", "runner", "worker", "all")
EVERY = list(itertools.product(STEPS, VICTIMS))
ROUNDS = [  # `test_kills.py` has more at the look and at the copying
    ("keep", "all"),
    ("kept", "worker"),
    ("remove", "runner"),
    ("prove", "program"),
    ("prove", "worker"),
]


@pytest.mark.parametrize(("step", "victim"), EVERY if MORE else ROUNDS)
def test_whoever_is_killed_at_whatever_step_the_next_run_is_whole_and_nothing_is_lost(
    scene: Scene, step: str, victim: str
) -> None:
    program, before, hold = scene.program, scene.state(), Hold()
    proxy, lie = at(scene, step, answer=hold, times=1)
    proxy.lies = [lie]
    app = psutil.Process(program.start("run", "Photos", "--wait").pid)
    assert hold.reached.wait(30), step
    victims = {"program": [app], "runner": runners(program), "worker": workers(program, app)}
    victims["all"] = [app, *victims["runner"], *victims["worker"]]

    for process in victims[victim]:
        process.kill()
    hold.go.set()
    app.wait(60)
    until("nothing works any more", lambda: not program.rclones() and not runners(program))

    killed = scene.state()
    assert_nothing_is_lost(before, killed)
    proxy.lies = []
    first = program.run()  # the one that was left is taken over and ended, and perhaps is this one
    assert_nothing_is_lost(before, scene.state())
    run = scene.run(but=()) if first["status"] != "success" else first
    assert run["status"] == "success" and scene.state().is_complete
    assert not list((program.data_dir / "runs").iterdir())


@pytest.mark.parametrize("away_s", [3, *([10, 30] if MORE else [])])
@pytest.mark.parametrize("step", STEPS if MORE else ["look", "keep", "prove"])
def test_a_provider_that_is_away_for_a_while_is_waited_for(
    scene: Scene, step: str, away_s: int
) -> None:
    proxy, lie = at(scene, step)
    proxy.be_away(away_s, lie)

    run = scene.run(but=())

    assert proxy.away_at is not None and run["status"] == "success", run


def test_a_source_that_changes_all_the_time_ends_green_and_says_so(scene: Scene) -> None:
    numbers = itertools.count(10_000)

    def changes() -> None:
        scene.source.put("busy", b"as of now %d" % next(numbers))
        scene.source.put(f"later/{next(numbers)}", b"just came")

    scene.source.put("busy", b"as of now 00000")
    before = scene.state()
    scene.at_source.lies = [Lie("GET", f"{FLAT}|{UNDER}busy", answer=meanwhile(changes))]

    run = scene.program.run()

    after, proof = scene.state(), newest(scene.program).proof
    assert run["status"] == "success", run
    assert proof["since"] >= 2 and proof["missing"] == proof["different"] == 0, proof
    assert_nothing_is_lost(before, after)
    done = {key: body for key, body in after.copy.items() if not key.startswith(("busy", "later"))}
    assert done == {"changed": b"changed", "new": b"new", "stays": b"stays"}
    scene.at_source.lies = []
    assert scene.run(but=())["status"] == "success"


def test_a_key_that_is_lost_before_the_proof_ends_no_run_as_a_good_one(scene: Scene) -> None:
    program, before, hold = scene.program, scene.state(), Hold()
    proxy, lie = at(scene, "copy", answer=hold, times=1)
    proxy.lies = [lie]
    app = psutil.Process(program.start("run", "Photos", "--wait").pid)
    assert hold.reached.wait(30)
    app.kill()
    app.wait()
    away = program.key_file.with_suffix(".away")
    shutil.move(program.key_file, away)
    hold.go.set()
    until("rclone is done", lambda: not program.rclones() and not runners(program))

    program.cli("run", "Photos", "--wait")

    run = program.last_run()
    assert run["status"] == "failed" and "not changed" not in run["copy_state"], run
    assert_nothing_is_lost(before, scene.state())
    shutil.move(away, program.key_file)
    assert scene.run(but=())["status"] == "success"


@pytest.mark.mounts
@pytest.mark.parametrize("step", ["keep", "prove"])
def test_a_disk_that_is_full_at_a_step_costs_no_version_and_no_truth(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, step: str
) -> None:
    with (
        small_disk(bucketvault.data_dir, "20M"),
        scene_between(bucketvault, new_bucket, here, elsewhere) as scene,
    ):
        scene.copied({"changed": b"former", "removed": b"former", "stays": b"stays"})
        scene.change({"changed": b"changed", "removed": None, "new": b"new"})
        before, hold = scene.state(), Hold()
        proxy, lie = at(scene, step, answer=hold, times=1)
        proxy.lies = [lie]
        app = bucketvault.start("run", "Photos", "--wait")
        assert hold.reached.wait(30)

        filler = fill_up(bucketvault.data_dir)
        hold.go.set()
        until("it waits for room, or has ended", lambda: _is_quiet(bucketvault, app.poll()))
        filler.unlink()
        app.communicate(timeout=60)

        after = scene.state()
        assert_nothing_is_lost(before, after)
        run = bucketvault.last_run()
        assert run["status"] == "failed" or after.is_complete, run
        assert scene.run(but=())["status"] == "success"


def _is_quiet(program: Program, ended: int | None) -> bool:
    at_work = [*program.rclones(), *runners(program), *program.processes("engine.listing")]
    return ended is not None or not at_work


def test_a_stop_at_a_step_leaves_the_rest_undone_and_loses_nothing(scene: Scene) -> None:
    program, before, hold = scene.program, scene.state(), Hold()
    proxy, lie = at(scene, "keep", answer=hold, times=1)
    proxy.lies = [lie]
    app = program.start("run", "Photos", "--wait")
    assert hold.reached.wait(30)

    app.send_signal(signal.SIGINT)
    hold.go.set()
    app.communicate(timeout=60)

    run, after = program.last_run(), scene.state()
    assert (run["status"], run["reason"]) == ("failed", "stopped"), run
    assert_nothing_is_lost(before, after)
    assert after.copy == before.copy  # a later step was not begun
    assert scene.run(but=())["status"] == "success"
