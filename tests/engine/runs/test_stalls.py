"""Whatever stops answering, a run comes to an end, says what it was, and nothing hangs for ever."""

import contextlib
import datetime as dt
import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.events import Live
from bucketvault.engine.rclone import call as process
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs import kept_versions, ledgers, queue
from bucketvault.engine.runs.row import RunContext
from bucketvault.engine.runs.worker import Worker
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import ProviderType, Trigger
from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Bucket, Program, objects, until
from tests.support.proxies import (
    DrippingServer,
    ForwardingHandler,
    FrozenServer,
    RefusingProxy,
    Rule,
)
from tests.support.servers import RcloneS3, free_port

pytestmark = pytest.mark.slow

QUICK_S = 2.0
START_S = 6.0  # with less, a busy machine takes longer from rclone's start to its first word


def remote(endpoint: str, server: RcloneS3 | None = None) -> Remote:
    return Remote(
        label="x",
        provider_type=ProviderType.AMAZON_S3,
        endpoint=endpoint,
        region="",
        access_key_id=server.access_key_id if server else "AKIAEXAMPLE000000001",
        secret_access_key=server.secret_access_key if server else "example-secret-0001",
    )


# ---- questions before a run


@pytest.mark.parametrize("kind", [FrozenServer, DrippingServer])
def test_a_question_that_nothing_answers_is_given_up(
    kind: type[FrozenServer] | type[DrippingServer],
) -> None:
    with kind() as server:
        done = process.call(
            find_binary(),
            command.destination_answers("copies"),
            {"dest": remote(server.endpoint)},
            stall_s=QUICK_S,
        )

    assert done.stalled


def test_a_question_that_is_answered_slowly_but_steadily_is_not_given_up(
    new_bucket: NewBucket, tmp_path: Path
) -> None:
    """A listing that takes longer than the time for standing still: `listed` moves."""
    keys = ("AKIASLOWLISTING0001", "slow-secret-0001")
    with RcloneS3(tmp_path / "own", *keys) as own:
        source = new_bucket(own, {f"{n}/x": b"x" for n in range(30)})
        with slow_door(own) as endpoint:
            began = time.monotonic()

            done = process.call(
                find_binary(),
                ["sync", f"source:{source.name}/", "dest:nobody/", "--dry-run", "--checkers", "1"],
                {"source": remote(endpoint, own), "dest": remote(endpoint, own)},
                stall_s=START_S,
            )

    assert time.monotonic() - began > 2 * START_S
    assert (done.exit_code, done.stalled) == (0, False)


@contextlib.contextmanager
def slow_door(server: RcloneS3) -> Iterator[str]:
    """The server behind a proxy that thinks for half a second before each request."""

    class Thoughtful(RefusingProxy):
        def refusal(self, method: str, path: str, headers: object) -> None:
            self.stopping.wait(0.5)
            return super().refusal(method, path, headers)

    with Thoughtful(server.endpoint) as proxy:
        yield proxy.endpoint


def test_the_time_for_questions_is_a_minute() -> None:
    assert process.STALL_S <= 60
    assert process.call.__kwdefaults__["stall_s"] == process.STALL_S


def test_a_network_that_is_gone_ends_a_check_within_a_minute(
    bucketvault: Program, here: RcloneS3, new_bucket: NewBucket
) -> None:
    source = new_bucket(here, objects(3))
    destination = new_bucket(here)
    nobody = f"http://127.0.0.1:{free_port()}"
    bucketvault.backup(source, destination, destination_endpoint=nobody)

    app = bucketvault.start("run", "Photos", "--wait")
    app.communicate(timeout=60)

    run = bucketvault.last_run()
    assert (app.returncode, run["reason"]) == (1, "unreachable")
    assert run["copy_state"] == "The copy was not changed."


# ---- runs


def work(program: Program, *, stall_s: float) -> tuple[Worker, threading.Thread]:
    """A worker at work on the one backup, as the engine starts it, but with less patience."""
    with connection():
        backup = Backup.get()
    queue.enqueue(backup.id, Trigger.CLI)
    runs = program.data_dir / "runs"
    runs.mkdir(exist_ok=True)
    claimed = queue.claim(runs, 2)
    assert claimed is not None
    context = RunContext(
        runs=runs,
        ledgers=program.data_dir / "ledgers",
        vault=Vault(program.key_file),
        rclone="",
        live=Live(),
        ending=threading.Event(),
        stall_s=stall_s,
    )
    worker = Worker(context, *claimed)
    thread = threading.Thread(target=worker.work, daemon=True)
    thread.start()
    return worker, thread


def newest() -> BackupRun:
    with connection():
        run: BackupRun = BackupRun.select().order_by(BackupRun.id.desc()).get()
        return run


def some_copied(destination: Bucket) -> None:
    """Return once all that a `PausingS3` hands out is in the copy.

    Its last object came after one whose copy was confirmed: no more than four are copied at once.
    """
    until("some are copied", lambda: len(destination.copy_keys()) == PausingS3.FIRST)


@pytest.mark.parametrize("frozen", ["source", "destination"])
def test_a_server_that_freezes_in_the_middle_ends_the_run_as_stalled_and_says_how_far_it_came(
    bucketvault: Program, new_bucket: NewBucket, tmp_path: Path, frozen: str
) -> None:
    with (
        PausingS3(tmp_path / "a", "AKIAFREEZES00000001", "own-secret-0001") as a,
        RcloneS3(tmp_path / "b", "AKIAFREEZES00000002", "own-secret-0002") as b,
    ):
        source, destination = new_bucket(a, objects(60, 4000)), new_bucket(b)
        bucketvault.backup(source, destination)
        with bucketvault.database():
            _, thread = work(bucketvault, stall_s=START_S)
            some_copied(destination)
            server = a if frozen == "source" else b
            server.freeze()
            a.hand_out()

            thread.join(60)

            run = newest()
            server.thaw()
        assert not thread.is_alive() and not bucketvault.rclones()
        assert (run.status, run.reason) == ("failed", "stalled"), run.explanation
        assert "no progress for too long" in run.explanation
        assert 0 < run.copied < 60
        told = bucketvault.last_run()["copy_state"]
        assert told == (f"The copy is partly updated: at least {run.copied} of 60 changes arrived.")
        # and the next one completes it
        again = bucketvault.run()
        assert again["status"] == "success" and destination.copy() == source.objects()


class DrippingBodies(RefusingProxy):
    """Answers at once, and hands out objects in pieces of so many bytes, with pauses."""

    def __init__(self, upstream_endpoint: str, piece: int, pause_s: float) -> None:
        super().__init__(upstream_endpoint)
        self.RequestHandlerClass = DrippingBody
        self.piece, self.pause_s = piece, pause_s


class DrippingBody(ForwardingHandler):
    """The response's body, but for listings, piece by piece."""

    server: DrippingBodies

    def write_body(self, block: bytes) -> None:
        if "list-type" in self.path:
            super().write_body(block)
            return
        for start in range(0, len(block), self.server.piece):
            self.wfile.write(block[start : start + self.server.piece])
            if self.server.stopping.wait(self.server.pause_s):
                return


def test_a_source_that_drips_its_objects_is_stalled_though_a_byte_comes_now_and_then(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(4, 4000)), new_bucket(elsewhere)
    with DrippingBodies(here.endpoint, piece=1, pause_s=2.0) as proxy:
        bucketvault.backup(source, destination, source_endpoint=proxy.endpoint)
        with bucketvault.database():
            _, thread = work(bucketvault, stall_s=QUICK_S)

            thread.join(60)

            run = newest()
        assert not thread.is_alive()
    assert (run.status, run.reason) == ("failed", "stalled"), run.explanation


def test_a_run_that_moves_slowly_is_not_stalled(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(2, 100_000)), new_bucket(elsewhere)
    with DrippingBodies(here.endpoint, piece=5_000, pause_s=0.4) as proxy:
        bucketvault.backup(source, destination, source_endpoint=proxy.endpoint)
        began = time.monotonic()
        with bucketvault.database():
            _, thread = work(bucketvault, stall_s=START_S)
            thread.join(120)
            run = newest()

    assert run.status == "success", run.explanation
    assert time.monotonic() - began > START_S  # longer than the stall limit


def test_a_run_that_is_stalled_can_still_be_stopped_by_hand(
    bucketvault: Program, new_bucket: NewBucket, elsewhere: RcloneS3, tmp_path: Path
) -> None:
    with PausingS3(tmp_path / "a", "AKIAFREEZES00000003", "own-secret-0003") as a:
        source, destination = new_bucket(a, objects(60, 4000)), new_bucket(elsewhere)
        bucketvault.backup(source, destination)
        with bucketvault.database():
            worker, thread = work(bucketvault, stall_s=600)
            some_copied(destination)
            a.freeze()
            a.hand_out()
            with connection():
                BackupRun.update(stop_requested_at=dt.datetime.now(dt.UTC)).where(
                    BackupRun.id == worker.run_id
                ).execute()
            worker.stop()
            thread.join(60)
            run = newest()
            a.thaw()

    assert not thread.is_alive()
    assert (run.status, run.reason) == ("failed", "stopped")


def test_the_setting_of_a_minute_ends_a_run_through_the_whole_program(
    bucketvault: Program, new_bucket: NewBucket, elsewhere: RcloneS3, tmp_path: Path
) -> None:
    with PausingS3(tmp_path / "a", "AKIAFREEZES00000004", "own-secret-0004") as a:
        source, destination = new_bucket(a, objects(60, 4000)), new_bucket(elsewhere)
        bucketvault.backup(source, destination)
        assert bucketvault.apply("[settings]\nstall_minutes = 1\n").code == 0
        app = bucketvault.start("run", "Photos", "--wait")
        some_copied(destination)
        a.freeze()
        a.hand_out()
        began = time.monotonic()

        _, err = app.communicate(timeout=100)

        a.thaw()
    run = bucketvault.last_run()
    assert (app.returncode, run["reason"]) == (1, "stalled"), (err, run)
    assert time.monotonic() - began > 55
    assert "no progress for too long" in err and "partly updated" in err


class HoldingCopies(RefusingProxy):
    """A provider that takes its time over a copy inside it, as for a large object."""

    def __init__(self, upstream_endpoint: str) -> None:
        super().__init__(upstream_endpoint)
        self.asked, self.may_copy = threading.Event(), threading.Event()

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        """Refuses nothing, but waits."""
        if "x-amz-copy-source" in headers:
            self.asked.set()
            while not self.stopping.is_set() and not self.may_copy.wait(0.05):
                pass
        return super().refusal(method, path, headers)


def test_a_provider_that_copies_a_large_object_into_the_kept_versions_has_the_time_it_needs(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"film.mov": b"new"}), new_bucket(elsewhere)
    large = b"old" * 40_000_000  # twelve seconds more
    with HoldingCopies(elsewhere.endpoint) as proxy:
        bucketvault.backup(source, destination, destination_endpoint=proxy.endpoint)
        destination.put("film.mov", large)
        with bucketvault.database():
            _, thread = work(bucketvault, stall_s=START_S)
            until("it copies inside", proxy.asked.is_set)

            thread.join(1.5 * START_S)
            proxy.may_copy.set()
            thread.join(60)

            run = newest()
    assert run.status == "success", run.explanation
    assert [*destination.kept().values()] == [{"film.mov": large}]


def test_a_copy_inside_the_destination_that_never_ends_is_given_up(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"note.txt": b"new"}), new_bucket(elsewhere)
    with HoldingCopies(elsewhere.endpoint) as proxy:
        bucketvault.backup(source, destination, destination_endpoint=proxy.endpoint)
        destination.put("note.txt", b"older")
        with bucketvault.database():
            _, thread = work(bucketvault, stall_s=START_S)
            until("it copies inside", proxy.asked.is_set)

            thread.join(60)

            run = newest()
    assert (run.status, run.reason) == ("failed", "stalled"), run.explanation
    assert destination.copy() == {"note.txt": b"older"}


@pytest.mark.parametrize("where", ["tidy", "take_ledger"])
def test_a_fault_of_ours_after_the_copying_neither_fails_a_good_run_nor_holds_it_for_ever(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    source, destination = new_bucket(here, objects(3)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    place = kept_versions if where == "tidy" else ledgers
    real, met = getattr(place, where), []

    def out_of_descriptors_once(*given: Any, **more: Any) -> Any:
        if not met:
            met.append(where)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(*given, **more)

    monkeypatch.setattr(place, where, out_of_descriptors_once)
    with bucketvault.database():
        _, thread = work(bucketvault, stall_s=600)
        thread.join(60)
        run = newest()

    assert met and not thread.is_alive()
    assert run.status == "success", run.explanation
    assert bool(run.warnings) is (where == "tidy")
