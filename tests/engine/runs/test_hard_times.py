"""A full disk and a held database never change how a run ended."""

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine.events import Live
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.runs.row import RunContext
from bucketvault.engine.runs.worker import Worker
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BackupRun
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Trigger
from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.slow
PAGE_BYTES = 4096


@contextlib.contextmanager
def small_disk(folder: Path, size: str, files: int = 0) -> Iterator[None]:
    """A disk of its own at `folder`, which holds so many files at most; 0: any number."""
    folder.mkdir(parents=True)
    options = f"size={size},nr_inodes={files}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(folder: Path) -> Path:
    """Leave no room on the disk of `folder`; gives the file that takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * PAGE_BYTES)
    return filler


@pytest.mark.mounts
def test_a_disk_that_fills_up_in_the_middle_of_a_run_does_not_hide_its_end(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(60, 4000)), new_bucket(elsewhere)
    with small_disk(bucketvault.data_dir, "20M"):
        bucketvault.backup(source, destination)
        app = bucketvault.start("run", "Photos", "--wait")
        until("something is copied", destination.copy_keys)
        filler = fill_up(bucketvault.data_dir)
        pausing.thaw()
        until("rclone is done", lambda: not bucketvault.rclones())
        assert app.poll() is None  # it waits for room to write the end down

        filler.unlink()
        app.communicate(timeout=60)

        run = bucketvault.last_run()
        assert (app.returncode, run["status"], run["exit_code"]) == (0, "success", 0), run
        # the log does not tell of all, and the sentence does: both looks were counted
        assert run["log_is_cut"] and run["explanation"] == "The copy is complete: 60 copied."
        assert run["counts"]["copied"] == 60 and not run["counts_at_least"]
        assert destination.copy() == source.objects()
        found = sqlite3.connect(bucketvault.data_dir / "bucketvault.sqlite3")
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found.close()


def use_up_files(folder: Path) -> Path:
    """Make files until no more fit; gives their folder."""
    many = folder / "many"
    many.mkdir()
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (many / str(number)).touch()
    return many


@pytest.mark.mounts
def test_a_disk_without_room_for_files_is_named_and_hides_no_end(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(60, 4000)), new_bucket(elsewhere)
    with small_disk(bucketvault.data_dir, "500M", files=200):
        bucketvault.backup(source, destination)
        many = use_up_files(bucketvault.data_dir)
        refused = [bucketvault.cli(*line.split()) for line in ("status", "run Photos --wait")]
        looked = bucketvault.cli("doctor")
        shutil.rmtree(many)
        app = bucketvault.start("run", "Photos", "--wait")
        until("something is copied", destination.copy_keys)
        many = use_up_files(bucketvault.data_dir)
        pausing.thaw()
        until("rclone is done", lambda: not bucketvault.rclones())
        shutil.rmtree(many)
        app.communicate(timeout=60)

        run = bucketvault.last_run()

    for done in refused:
        assert done.code == 1 and "cannot store more files" in done.err and not done.out, done
    assert looked.code == 1 and "(inodes)" in looked.out
    assert (app.returncode, run["status"], run["counts"]["copied"]) == (0, "success", 60), run
    assert destination.copy() == source.objects()


@pytest.mark.mounts
def test_a_read_only_data_folder_is_named_by_every_command(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    with small_disk(bucketvault.data_dir, "500M"):
        bucketvault.backup(new_bucket(here, objects(3)), new_bucket(elsewhere))
        remount = ["mount", "-o", "remount,ro", str(bucketvault.data_dir)]
        subprocess.run(remount, check=True)
        lines = ("status", "run Photos", "serve", "restore-database", "url")
        refused = [bucketvault.shell(*line.split()) for line in lines]
        looked = bucketvault.cli("doctor")
        subprocess.run([*remount[:2], "remount,rw", remount[3]], check=True)

        assert bucketvault.run()["status"] == "success"

    for done in refused:
        assert done.code == 2 and "Traceback" not in done.err and not done.out, done
        assert "Read-only file system" in done.err or "no copy" in done.err
    assert looked.code == 1 and "read-only" in looked.out


@pytest.mark.mounts
@pytest.mark.parametrize("pages_left", [0, 2])
def test_a_disk_that_is_full_as_rclone_is_to_be_started_is_named_and_the_copy_is_as_it_was(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    monkeypatch: pytest.MonkeyPatch,
    pages_left: int,
) -> None:
    source, destination = new_bucket(here, objects(3)), new_bucket(elsewhere)
    start = RunFolder.start

    def start_on_a_full_disk(*about: Any) -> int:
        filler = fill_up(bucketvault.data_dir)
        os.truncate(filler, filler.stat().st_size - pages_left * PAGE_BYTES)
        try:
            return start(*about)
        finally:
            filler.unlink()

    monkeypatch.setattr(RunFolder, "start", start_on_a_full_disk)
    with small_disk(bucketvault.data_dir, "20M"):
        bucketvault.backup(source, destination)
        with bucketvault.database():
            run = worked_on(bucketvault)
        told = bucketvault.cli("status").out
        assert not list((bucketvault.data_dir / "runs").iterdir())

    assert (run.reason, run.explanation) == ("disk_full", "The disk of this machine is full.")
    assert "The copy was not changed." in told and not destination.keys()


def worked_on(program: Program) -> BackupRun:
    """A run of the one backup, looked after here to its end."""
    with connection():
        queue.enqueue(Backup.get().id, Trigger.CLI)
    runs = program.data_dir / "runs"
    runs.mkdir(exist_ok=True)
    claimed = queue.claim(runs, 1)
    assert claimed is not None
    vault, ending = Vault(program.key_file), threading.Event()
    context = RunContext(
        runs, runs.parent / "ledgers", vault, rclone="", live=Live(), ending=ending, stall_s=600.0
    )
    Worker(context, *claimed).work()
    with connection():
        return BackupRun.get()


def test_a_stop_is_not_lost_while_somebody_holds_the_database(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(60, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    app = bucketvault.start("run", "Photos", "--wait")
    until("something is copied", destination.copy_keys)
    other = sqlite3.connect(bucketvault.data_dir / "bucketvault.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    app.send_signal(signal.SIGINT)

    until("rclone is gone", lambda: not bucketvault.rclones())
    other.execute("ROLLBACK")
    other.close()
    _, err = app.communicate(timeout=60)
    assert app.returncode == 1 and "Traceback" not in err, err
    assert bucketvault.last_run()["reason"] == "stopped"


def test_a_database_held_by_somebody_else_delays_the_end_and_changes_nothing(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(30, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    app = bucketvault.start("run", "Photos", "--wait")
    until("something is copied", destination.copy_keys)
    other = sqlite3.connect(bucketvault.data_dir / "bucketvault.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pausing.thaw()
    until("rclone is done", lambda: not bucketvault.rclones())
    folder = bucketvault.run_folder()
    assert folder is not None
    until("the exit file is there", (folder / "exit.json").exists)

    other.execute("ROLLBACK")
    other.close()
    app.communicate(timeout=60)

    run = bucketvault.last_run()
    assert (app.returncode, run["status"], run["counts"]["copied"]) == (0, "success", 30)
    assert destination.copy() == source.objects()
