"""A run waits while one of another backup, edited since it began, still writes where it would."""

import os
from pathlib import Path

import pytest

from bucketvault.cli.watching import progress_in_words
from bucketvault.engine.runs import queue
from bucketvault.engine.views import backups
from bucketvault.engine.views.situation import Tone
from bucketvault.pages.home import rows as backup_rows
from bucketvault.pages.run import words as run_words
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Provider, Storage
from bucketvault.vocabulary import RunKind, RunStatus
from tests.conftest import NewBucket
from tests.pages import scenes
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

# A way is written as two places, each `provider/bucket/path`; `here` and `also` are one server.
Way = tuple[str, str]

WAITS: dict[str, tuple[Way, Way]] = {
    "one destination": (("here/a", "here/z"), ("here/b", "also/z")),
    "inside it": (("here/a", "here/z"), ("here/b", "also/z/deep")),
    "around it": (("here/a", "here/z/deep"), ("here/b", "also/z")),
    "the other way round": (("here/a", "here/z"), ("also/z", "also/a")),
    "the other way round, by a path": (("here/a/x", "here/z"), ("also/z/y", "also/a")),
}
GOES = {
    "side by side": (("here/a", "here/z/a"), ("here/b", "also/z/b")),
    "one source": (("here/a", "here/z"), ("also/a", "here/y")),
    "a chain": (("here/a", "here/z"), ("also/z", "here/y")),
    "another server": (("here/a", "here/z"), ("here/b", "there/z")),
}
MEETS = WAITS | GOES


@pytest.fixture
def under_way(request: pytest.FixtureRequest, open_store: Path) -> BackupRun:
    """A run of Other that waits, while one of Photos copies its way of before it was edited."""
    photos_way, other_way = MEETS[request.param]
    endpoints = {"here": "127.0.0.1:9000", "also": "localhost:9000", "there": "127.0.0.1:9001"}
    for name, host in endpoints.items():
        provider = a_provider(name, endpoint=f"http://{host}")
        for bucket in "abyz":
            a_storage(provider, bucket)

    def backup(name: str, way: Way) -> Backup:
        ends, paths = [], []
        for place in way:
            provider, bucket, *path = place.split("/", 2)
            with connection():
                owner = Provider.get(Provider.name == provider)
                ends.append(Storage.get(Storage.provider == owner, Storage.bucket_name == bucket))
            paths.append("".join(path))
        return a_backup(name, *ends, source_path=paths[0], destination_path=paths[1])

    photos = backup("Photos", photos_way)
    with connection():
        spec = queue.freeze(photos).to_json()
    a_run(photos, RunStatus.RUNNING, spec=spec, started_at=at(3))
    with writing():
        Backup.update(source_path="else", destination_path="where").execute()
    return a_run(backup("Other", other_way), RunStatus.PENDING)


def claimed(tmp_path: Path) -> int | None:
    """The run that the queue gives out now."""
    found = queue.claim(tmp_path, 9)
    if found is None:
        return None
    os.close(found[2])
    return found[0].id


@pytest.mark.parametrize("under_way", WAITS, indirect=True)
def test_a_run_that_would_meet_another_at_its_places_waits_and_says_for_whom(
    under_way: BackupRun, tmp_path: Path
) -> None:
    assert claimed(tmp_path) is None

    view = backups.run(under_way.id)
    (row,) = (row for row in backups.backups() if row.name == "Other")
    assert view == row.active_run == backups.run_page(under_way.id).run
    told = run_words.result(backups.run_page(under_way.id), scenes.ZONE, scenes.now())
    assert told.sentence == 'Waiting for the run of "Photos" to end.'
    assert progress_in_words(view).startswith('Other: waiting for the run of "Photos" to end: ')
    _, _, hover = backup_rows.last_words(row, Tone.WAIT, scenes.now(), scenes.ZONE)
    assert hover.endswith('; waits for the run of "Photos" to end')
    with writing():
        BackupRun.get(BackupRun.id != under_way.id).finish(RunStatus.SUCCESS)
    assert backups.run(under_way.id).waits_for == ""
    assert claimed(tmp_path) == under_way.id


@pytest.mark.parametrize("under_way", GOES, indirect=True)
def test_runs_that_do_not_spoil_each_other_go_side_by_side(
    under_way: BackupRun, tmp_path: Path
) -> None:
    assert backups.run(under_way.id).waits_for == ""

    assert claimed(tmp_path) == under_way.id


@pytest.mark.parametrize("under_way", ["one destination"], indirect=True)
@pytest.mark.parametrize("looks", ["Photos", "Other"])
@pytest.mark.parametrize("kind", [RunKind.PREVIEW, RunKind.VERIFY])
def test_who_only_reads_neither_waits_nor_keeps_anybody_waiting(
    under_way: BackupRun, looks: str, kind: RunKind, tmp_path: Path
) -> None:
    with writing():
        one = Backup.get(Backup.name == looks)
        BackupRun.update(kind=kind).where(BackupRun.backup == one).execute()

    assert backups.run(under_way.id).waits_for == ""
    assert claimed(tmp_path) == under_way.id


@pytest.mark.parametrize("under_way", ["one destination"], indirect=True)
def test_others_pass_a_run_that_waits(under_way: BackupRun, tmp_path: Path) -> None:
    with connection():
        buckets = {storage.bucket_name: storage for storage in Storage.select()}
    third = a_run(a_backup("Third", buckets["b"], buckets["y"]), RunStatus.PENDING)

    assert claimed(tmp_path) == third.id
    assert claimed(tmp_path) is None


def test_a_backup_that_takes_over_a_destination_waits_until_nobody_copies_there(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(40)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.serve()
    bucketvault.cli("run", "Photos")
    until("it copies", destination.copy_keys)
    bucketvault.backup(source, new_bucket(elsewhere))
    theirs = new_bucket(elsewhere, {"x": b"x"})
    bucketvault.backup(theirs, destination, "Other")
    bucketvault.backup(theirs, new_bucket(elsewhere), "Third")

    other = bucketvault.start("run", "Other", "--wait")
    assert other.stdout is not None
    waits = other.stdout.readline()
    passed = bucketvault.cli("run", "Third", "--wait")  # so the queue has looked at Other
    pausing.thaw()
    _, err = other.communicate(timeout=60)

    assert passed.code == 0, passed
    assert waits.startswith('Other: waiting for the run of "Photos" to end: it writes to a bucket ')
    assert bucketvault.last_run("Photos")["status"] == "success"
    assert destination.copy() == source.objects()
    assert "40 of 40 objects would be removed" in err  # looked at once Photos was done
