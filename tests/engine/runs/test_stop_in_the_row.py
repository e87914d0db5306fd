"""Stop that another process wrote into the row: a look ends, and no pass begins."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault.engine.events import Live
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.runs import queue
from bucketvault.engine.runs.row import RunContext
from bucketvault.engine.runs.worker import Worker
from bucketvault.store.models import BackupRun
from bucketvault.store.secrets import Vault
from tests import store_fixtures as make


@pytest.fixture
def worker(open_store: Path, vault: Vault, tmp_path: Path) -> Iterator[Worker]:
    """The worker of a run that was claimed, and whose Stop is in its row."""
    provider = make.a_provider("R2")
    ends = make.a_storage(provider, "photos"), make.a_storage(provider, "copies")
    run_id, _ = queue.enqueue(make.a_backup("photos", *ends).id, make.Trigger.MANUAL)
    claimed = queue.claim(tmp_path / "runs", 2)
    assert claimed is not None
    queue.request_stop(run_id)
    context = RunContext(
        runs=tmp_path / "runs",
        ledgers=tmp_path / "ledgers",
        vault=vault,
        rclone="",
        live=Live(),
        ending=threading.Event(),
        stall_s=60.0,
    )
    yield Worker(context, *claimed)
    os.close(claimed[2])


def test_a_look_ends(worker: Worker) -> None:
    assert not worker._row.stopping.is_set()

    worker._seen(1, 1)

    assert worker._row.stopping.is_set()


def test_no_pass_begins(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        worker._copied(Plan(tmp_path / "look-0"))

    assert BackupRun.get_by_id(worker.run_id).passes == 0
