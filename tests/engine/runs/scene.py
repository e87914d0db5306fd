"""A backup between two real buckets whose services may lie, and what every run of it must keep."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.program import Bucket, Program
from tests.support.servers import ServerProcess
from tests.support.truth import (
    Objects,
    State,
    assert_all_but,
    assert_is_true,
    assert_nothing_is_lost,
    is_proven,
)
from tests.support.wrong_answers import LyingProxy

Run = dict[str, Any]


@dataclass
class Scene:
    """Both buckets, a proxy before each, and a backup `Photos` from one to the other."""

    program: Program
    source: Bucket
    destination: Bucket
    at_source: LyingProxy
    at_destination: LyingProxy

    def backup(self, **fields: object) -> None:
        """Set the backup up, by checksums unless told otherwise."""
        self.program.backup(
            self.source,
            self.destination,
            source_endpoint=self.at_source.endpoint,
            destination_endpoint=self.at_destination.endpoint,
            **{"comparison_mode": "checksum", "retention_days": 30, **fields},  # type: ignore[arg-type]
        )

    def copied(self, contents: Objects, **fields: object) -> None:
        """Fill the source, set the backup up and let it run once, well."""
        self.source_has(contents)
        self.backup(**fields)
        run = self.program.run()
        assert run["status"] == "success" and not run["warnings"], run
        assert self.state().is_complete

    def source_has(self, contents: Objects) -> None:
        """Put these into the source."""
        for key, body in contents.items():
            self.source.put(key, body)

    def state(self) -> State:
        return State.of(self.source, self.destination)

    def change(self, changes: dict[str, bytes | None]) -> None:
        """Write these at the source; None removes."""
        for key, body in changes.items():
            if body is None:
                self.source.delete(key)
            else:
                self.source.put(key, body)

    def run(self, *, but: tuple[str, ...] | None = None) -> Run:
        """Run it once, and hold it to all that a run promises.

        `but`: the keys that may be left undone; None: any, as when a run does not begin.
        """
        before = self.state()
        run = self.program.run()
        after = self.state()
        assert_nothing_is_lost(before, after)
        assert_is_true(self.program, run, after)
        if but is not None:
            assert_all_but(but, after)
            assert run["status"] == "success" or after.is_complete or is_proven(self.program), run
        return run


@contextmanager
def scene_between(
    program: Program,
    new_bucket: Callable[..., Bucket],
    here: ServerProcess,
    there: ServerProcess,
    *,
    page: int = 0,
) -> Iterator[Scene]:
    """A scene between these servers; its proxies end with it."""
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(LyingProxy(each.endpoint, page=page)) for each in (here, there)
        ]
        yield Scene(program, new_bucket(here), new_bucket(there), *proxies)


@contextmanager
def changed_scene(
    program: Program,
    new_bucket: Callable[..., Bucket],
    here: ServerProcess,
    there: ServerProcess,
) -> Iterator[Scene]:
    """A copied scene whose source has something to keep, to copy and to remove since."""
    with scene_between(program, new_bucket, here, there) as made:
        made.copied({"changed": b"former", "removed": b"former", "stays": b"stays"})
        made.change({"changed": b"changed", "removed": None, "new": b"new"})
        yield made
