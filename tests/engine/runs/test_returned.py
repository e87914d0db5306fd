"""Which objects a good run brought back, by the names in the logs of the runs before it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.engine.runs import queue, returned
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, BackupRun
from bucketvault.store.run_logs import LogWriter
from bucketvault.vocabulary import Phase, RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

pytestmark = pytest.mark.usefixtures("open_store")

KEPT, REPLACED, REMOVED = "Deleted", "Copied (new)", "Moved into backup dir"
REFUSED = "Failed to copy: no"


@pytest.fixture
def photos(open_store: object) -> Backup:
    provider = a_provider("R2")
    return a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copy"))


def ended(backup: Backup, status: RunStatus, *told: tuple[str, str], **more: Any) -> BackupRun:
    """A run with a log that tells of objects: what happened, and its name."""
    lines = [
        json.dumps(
            {
                "level": "error" if message == REFUSED else "info",
                "msg": message,
                "object": name,
                "objectType": "*s3.Object",
            }
        ).encode()
        + b"\n"
        for message, name in told
    ]
    transcript = Transcript()
    kinds = transcript.feed(lines)
    spec = more.pop("spec", None) or queue.freeze(backup, "20261122T000000Z").to_json()
    left = transcript.tally.holes
    run = a_run(backup, status, phase=Phase.COPYING, holes=left, spec=spec, **more)
    writer = LogWriter(run.id)
    for line, kind in zip(lines, kinds, strict=True):
        writer.add(line, kind)
    with writing():
        writer.flush()
    return run


def failed(backup: Backup, *told: tuple[str, str], **more: Any) -> BackupRun:
    return ended(backup, RunStatus.FAILED, *told, **more)


def good(backup: Backup, *told: tuple[str, str]) -> BackupRun:
    return ended(backup, RunStatus.SUCCESS, *told)


def test_what_several_failed_runs_left_is_found_by_name(photos: Backup) -> None:
    failed(photos, (KEPT, "a"), (REFUSED, "a"), (KEPT, "kept"), (REPLACED, "kept"))
    failed(photos, (REFUSED, "a"), (KEPT, "b"), (KEPT, "gone"))

    run = good(photos, (REPLACED, "a"), (REPLACED, "b"), (REPLACED, "new"), (REPLACED, "kept"))

    assert returned.count_returned(run) == 2


def test_what_arrived_though_the_look_at_it_was_refused_is_back(photos: Backup) -> None:
    failed(photos, (KEPT, "a"))

    run = good(photos, (REFUSED, "a"))

    assert returned.count_returned(run) == 1


def test_what_the_run_itself_removed_again_is_not_back(photos: Backup) -> None:
    failed(photos, (KEPT, "a"))

    run = good(photos, (REPLACED, "a"), (KEPT, "a"), (REMOVED, "a"))

    assert returned.count_returned(run) == 0


def test_what_was_left_before_the_last_good_run_is_told_no_more(photos: Backup) -> None:
    failed(photos, (KEPT, "a"))
    good(photos)

    assert returned.count_returned(good(photos, (REPLACED, "a"))) == 0


def test_what_was_left_at_another_place_is_not_back_here(photos: Backup) -> None:
    spec = queue.freeze(photos, "20261122T000000Z")
    elsewhere = replace(spec, destination=replace(spec.destination, bucket="another"))
    failed(photos, (KEPT, "a"), spec=elsewhere.to_json())

    assert returned.count_returned(good(photos, (REPLACED, "a"))) == 0


@pytest.mark.slow  # takes seconds
def test_of_logs_that_are_too_long_to_be_read_again_nothing_is_said(
    photos: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returned, "MOST_LINES", 1)
    failed(photos, (KEPT, "a"))

    assert returned.count_returned(good(photos, (REPLACED, "a"))) == 0
