"""Looks of a held run, everywhere it is told."""

import json
from typing import Any

from tests.support.program import Bucket, Program, Result


def is_held(
    program: Program, destination: Bucket, *words: str, how: tuple[str, ...] = ("--wait",)
) -> dict[str, Any]:
    """A run now is held: said everywhere, its log names what would go, nothing is touched."""
    before = destination.objects()
    done = program.cli("run", "Photos", *how)
    assert_held(program, done, *words)
    assert destination.objects() == before
    return program.last_run()


def assert_held(program: Program, done: Result, *words: str) -> None:
    run = program.last_run()
    assert (done.code, run["status"], run["reason"]) == (1, "failed", "brake"), (done, run)
    assert run["exit_code"] is None and set(run["counts"].values()) <= {0, run["counts"]["checked"]}
    status = program.cli("status")
    assert status.code == 1 and "held for your approval" in status.out
    approve = f"Approve it: bucketvault run Photos --approve {run['id']}\n"
    assert approve in done.err and approve in status.out
    assert done.err.startswith("Photos: Held: ")
    assert ("; the copy is from " in done.err) is not ("No run between" in done.err)
    for word in (*words, "Nothing was changed"):
        assert word in done.err and word in status.out, (word, done, status)


def logged(program: Program, run: dict[str, Any]) -> dict[str, set[str]]:
    """Which objects the run's log names, by what its plan says of them."""
    found: dict[str, set[str]] = {}
    for line in program.raw_log(run["id"]).splitlines():
        entry = json.loads(line)
        if entry.get("bucketvault") == "plan":
            found.setdefault(entry["what"], set()).add(entry["object"])
    return found
