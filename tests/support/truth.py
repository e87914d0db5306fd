"""Promises of a backup, checked with boto3's eyes: nothing here believes the program."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from bucketvault.store.database import connection
from bucketvault.store.models import BackupRun
from tests.support.program import Bucket, Program

Objects = dict[str, bytes]


@dataclass(frozen=True)
class State:
    """Both ends at one moment: source, copy, and every kept version as (key, bytes)."""

    source: Objects
    copy: Objects
    kept: dict[tuple[str, str], bytes] = field(repr=False)  # by folder and key

    @classmethod
    def of(cls, source: Bucket, destination: Bucket) -> "State":
        kept = {
            (stamp, key): body
            for stamp, objects in destination.kept().items()
            for key, body in objects.items()
        }
        return cls(source.objects(), destination.copy(), kept)

    @property
    def is_complete(self) -> bool:
        return self.source == self.copy


def assert_nothing_is_lost(before: State, after: State) -> None:
    """Every promise that holds after any run, however it ended."""
    versions = {(key, body) for (_, key), body in after.kept.items()}
    lost = {
        key
        for key, body in before.copy.items()
        if after.copy.get(key) != body and (key, body) not in versions
    }
    assert not lost, f"versions that are nowhere any more: {sorted(lost)}"
    gone = {name for name, body in before.kept.items() if after.kept.get(name) != body}
    assert not gone, f"kept versions that were there before: {sorted(gone)}"
    holes = {key for key in before.copy.keys() & before.source.keys() if key not in after.copy}
    assert not holes, f"at the source, in the copy before, and not now: {sorted(holes)}"


def assert_all_but(failing: Collection[str], after: State) -> None:
    """Every other object of the source is in the copy, and what the source has not is not."""
    wrong = {
        key
        for key in after.source.keys() | after.copy.keys()
        if after.source.get(key) != after.copy.get(key)
    }
    assert wrong <= set(failing), f"not done though nothing kept it: {sorted(wrong - set(failing))}"


def newest(program: Program) -> BackupRun:
    """The newest run's row, read past the program."""
    with program.database(), connection():
        return BackupRun.select().order_by(BackupRun.id.desc()).get()


def account(program: Program, run: dict[str, Any]) -> str:
    """All that a run says of itself: its explanation, its warnings, its proof and its log."""
    row = newest(program)
    told = [run["explanation"], *run["warnings"], str(row.proof)]
    return "\n".join([*told, program.raw_log(run["id"]).decode("utf-8", "replace")])


def assert_is_true(program: Program, run: dict[str, Any], after: State) -> None:
    """Green says that all is there; what a look found not to be there is named, in the log too."""
    wrong = {
        key
        for key in after.source.keys() | after.copy.keys()
        if after.source.get(key) != after.copy.get(key)
    }
    if run["status"] == "success":
        assert not wrong, f"green, and not there: {sorted(wrong)}: {run}"
    if newest(program).proof:
        told = account(program, run)
        unnamed = {key for key in wrong if key not in told}
        assert not unnamed, f"nowhere named: {sorted(unnamed)}: {run}"


def is_proven(program: Program) -> bool:
    """True if the newest run looked at both ends after it had copied."""
    return bool(newest(program).proof)
