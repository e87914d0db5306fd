"""A run that would take away more than it should is held: nothing is touched, somebody is asked."""

import contextlib
import datetime as dt
import json
import os
import random
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs import brake, queue
from bucketvault.engine.runs.brake import Findings
from bucketvault.engine.runs.preflight import Preflight
from bucketvault.errors import RunFailedError
from bucketvault.store.database import close_database, connection, open_database
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import ProviderType, RunStatus, Trigger
from tests.conftest import NewBucket
from tests.support.at_time import cli_at
from tests.support.program import Bucket, Program, Result, objects, until
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3, rclone_path

STAMP = "20260101T000000Z"


# ---- the decision alone


def held(
    *,
    removed: int = 0,
    replaced: int = 0,
    new: int = 0,
    of: int,
    limit: int = 50,
    same_ends_before: bool = True,
    approved: Findings | None = None,
) -> str | None:
    found = Findings(new=new, replaced=replaced, removed=removed, destination_objects=of)
    return brake.why_held(
        found,
        shrink_limit_percent=limit,
        same_ends_before=same_ends_before,
        approved=approved,
    )


@pytest.mark.parametrize(
    ("removed", "of", "limit", "is_held"),
    [
        (0, 0, 50, False),
        (0, 100, 1, False),
        (49, 100, 50, False),
        (50, 100, 50, False),  # "more than": the share itself may go
        (51, 100, 50, True),
        (10, 21, 50, False),  # a share of 10.5
        (11, 21, 50, True),
        (9, 9, 50, False),  # fewer than ten never hold, whatever the share
        (9, 10, 50, False),
        (9, 10, 1, False),
        (10, 10, 50, True),
        (10, 19, 50, True),
        (10, 20, 50, False),
        (20, 1000, 2, False),
        (21, 1000, 2, True),
        (1000, 1000, 100, False),  # somebody who sets 100 wants no limit
        (12_305, 12_345, 99, True),
    ],
)
def test_removals_hold_a_run_above_the_share_and_from_ten_on(
    removed: int, of: int, limit: int, is_held: bool
) -> None:
    assert (held(removed=removed, of=of, limit=limit) is not None) is is_held


@pytest.mark.parametrize(
    ("removed", "replaced", "of", "is_held"),
    [
        (0, 99, 99, False),  # fewer than a hundred changes never hold
        (0, 99, 100, False),
        (0, 100, 100, True),
        (0, 100, 199, True),
        (0, 100, 200, False),  # the share itself may change
        (0, 101, 200, True),
        (9, 90, 150, False),
        (9, 91, 150, True),  # together they are more than the share, and a hundred
        (50, 49, 150, False),
        (50, 50, 150, True),
        (50, 50, 200, False),
    ],
)
def test_removals_and_replacements_together_hold_a_run_from_a_hundred_on(
    removed: int, replaced: int, of: int, is_held: bool
) -> None:
    assert (held(removed=removed, replaced=replaced, of=of) is not None) is is_held


def test_new_objects_alone_never_hold_a_run() -> None:
    assert held(new=1_000_000, of=3) is None
    assert held(new=1_000_000, of=3, same_ends_before=False) is None


@pytest.mark.parametrize(
    ("removed", "replaced", "of", "is_held"),
    [(0, 0, 5, False), (1, 0, 1000, True), (0, 5, 5, False), (0, 100, 150, True), (1, 1, 9, True)],
)
def test_between_ends_that_are_new_to_each_other_nothing_may_be_removed(
    removed: int, replaced: int, of: int, is_held: bool
) -> None:
    why = held(removed=removed, replaced=replaced, of=of, same_ends_before=False)

    assert (why is not None) is is_held
    assert why is None or not removed or "No run between these two places" in why


@pytest.mark.parametrize("same_ends_before", [True, False])
@pytest.mark.parametrize(
    ("removed", "replaced", "is_held"),
    [
        (20, 5, False),
        (19, 5, False),
        (20, 4, False),
        (0, 0, False),
        (21, 5, True),
        (20, 6, True),
        (0, 6, True),
        (21, 0, True),
    ],
)
def test_an_approval_covers_what_was_shown_and_nothing_more(
    removed: int, replaced: int, is_held: bool, same_ends_before: bool
) -> None:
    why = held(
        removed=removed,
        replaced=replaced,
        of=20,
        same_ends_before=same_ends_before,
        approved=Findings(removed=20, replaced=5),
    )

    assert (why is not None) is is_held
    assert why is None or "more than was approved" in why


@pytest.mark.parametrize(
    ("removed", "replaced", "words"),
    [
        (12_305, 0, "12,305 of 12,345 objects would be removed."),
        (12_305, 3, "12,305 of 12,345 objects would be removed, 3 replaced."),
        (0, 12_000, "12,000 of 12,345 objects would be replaced."),
    ],
)
def test_the_numbers_are_said_as_people_read_them(removed: int, replaced: int, words: str) -> None:
    assert words in str(held(removed=removed, replaced=replaced, of=12_345))


def test_findings_come_back_from_the_database_as_they_were() -> None:
    found = Findings(new=1, replaced=2, removed=3, destination_objects=4)

    assert Findings.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert Findings.from_json({}) is None and Findings.from_json(None) is None


# ---- what a dry run counts, against boto3


def remote(bucket: Bucket, endpoint: str = "") -> Remote:
    server = bucket.server
    return Remote(
        label="x",
        provider_type=ProviderType.AMAZON_S3,
        endpoint=endpoint or server.endpoint,
        region="",
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


def preflight(source: Bucket, destination: Bucket, *, endpoint: str = "") -> Preflight:
    names = explain.Names(
        source_provider="Source",
        source_bucket=source.name,
        source_path="",
        destination_provider="Destination",
        destination_bucket=destination.name,
        destination_path="",
    )
    return Preflight(
        find_binary(),
        {"source": remote(source), "dest": remote(destination, endpoint)},
        names,
        stopped=threading.Event(),
        keep_open=(),
        on_progress=lambda progress: None,
    )


def spec(mode: str = "checksum") -> dict[str, Any]:
    return {"archive_key": "photos-1", "comparison_mode": mode}


@pytest.mark.parametrize("mode", ["checksum", "size_only", "default"])
@pytest.mark.parametrize("seed", range(3))
def test_a_dry_run_counts_what_boto3_sees_and_names_each_object(
    new_bucket: NewBucket, here: RcloneS3, moto: MotoServer, mode: str, seed: int
) -> None:
    chance = random.Random(seed)
    server = (here, moto)[seed % 2]
    before = {f"{chance.choice('abc')}/{n}": chance.randbytes(9) for n in range(40)}
    after = dict(before)
    for key in chance.sample(sorted(before), 25):
        what = chance.choice(["removed", "same size", "other size", "new", "empty"])
        if what == "removed":
            del after[key]
        elif what == "new":
            after[f"{key}-new"] = b"new"
        else:
            after[key] = {"same size": b"123456789", "other size": b"1", "empty": b""}[what]
    kept = {".bucketvault-archive/photos-1/20250101T000000Z/a/0": b"kept"}
    source = new_bucket(server, after | {".bucketvault-archive/other/x": b"not copied"})
    destination = new_bucket(server, before | kept)
    lines: list[bytes] = []

    found = preflight(source, destination).dry_run(spec(mode), STAMP)
    named = preflight(source, destination).dry_run(spec(mode), STAMP, lines.append)

    by_size = mode == "size_only"
    replaced = {
        k
        for k in before.keys() & after.keys()
        if (len(before[k]) != len(after[k]) if by_size else before[k] != after[k])
    }
    assert found == named
    assert found.new == len(after.keys() - before.keys())
    assert found.replaced == len(replaced)
    assert found.removed == len(before.keys() - after.keys())
    assert found.destination_objects == len(before)
    by_action: dict[str, set[str]] = {}
    for line in b"".join(lines).splitlines():
        entry = json.loads(line)
        if "skipped" in entry:
            by_action.setdefault(entry["skipped"], set()).add(entry["object"])
    assert by_action.get("move into backup dir", set()) == before.keys() - after.keys()
    assert by_action.get("move", set()) == replaced
    assert by_action.get("copy", set()) - replaced == after.keys() - before.keys()
    assert destination.objects() == before | kept


def test_a_dry_run_that_could_not_see_all_of_the_destination_does_not_count(
    new_bucket: NewBucket, here: RcloneS3, elsewhere: RcloneS3
) -> None:
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere, objects(40))
    with RefusingProxy(elsewhere.endpoint) as proxy:
        proxy.rules = [Rule("GET", r"list-type=2.*folder-3", 403, "AccessDenied", times=1)]

        with pytest.raises(RunFailedError):
            preflight(source, destination, endpoint=proxy.endpoint).dry_run(spec(), STAMP)


# ---- through the program


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
    approve = "Approve it: bucketvault run Photos --approve\n"
    assert approve in done.err and approve in status.out
    assert done.err.startswith("Photos: Held: ")
    assert ("; the copy is that of " in done.err) is not ("No run between" in done.err)
    for word in (*words, "Nothing was touched"):
        assert word in done.err and word in status.out, (word, done, status)


def logged(program: Program, run: dict[str, Any]) -> dict[str, set[str]]:
    """Which objects the run's log names, by what would happen to them."""
    found: dict[str, set[str]] = {}
    for line in program.raw_log(run["id"]).splitlines():
        entry = json.loads(line)
        if "skipped" in entry:
            found.setdefault(entry["skipped"], set()).add(entry["object"])
    return found


@pytest.mark.parametrize("how", ["a mistyped path", "an emptied bucket"])
@pytest.mark.slow
def test_an_empty_source_stops_every_run_and_cannot_be_approved(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, how: str
) -> None:
    contents = {f"photos/{key}": body for key, body in objects(5).items()}
    source, destination = new_bucket(here, contents), new_bucket(elsewhere)
    bucketvault.backup(source, destination, source_path="photos", shrink_limit_percent=100)
    bucketvault.run()
    if how == "a mistyped path":
        bucketvault.backup(source, destination, source_path="photo")
    else:
        for key in contents:
            source.delete(key)
    before = destination.objects()

    done = bucketvault.cli("run", "Photos", "--wait")
    approved = bucketvault.cli("run", "Photos", "--approve")

    run = bucketvault.last_run()
    assert (done.code, run["reason"]) == (1, "brake")
    assert "is empty" in done.err and "--approve" not in done.err
    assert done.err.startswith("Photos: held. The copy was not touched.")
    assert "\nPhotos: held, " in f"\n{bucketvault.cli('status').out}"
    assert approved.code == 1 and "No run of Photos is held" in approved.err
    assert destination.objects() == before


def test_a_run_that_would_remove_half_is_held_and_goes_through_once_when_approved(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    before = destination.copy()
    lost = sorted(before)[:11]
    for key in lost:
        source.delete(key)
    source.put(max(before), b"changed")

    run = is_held(bucketvault, destination, "11 of 20 objects would be removed, 1 replaced")

    assert run["copy_state"] == "The copy was not touched."
    would = logged(bucketvault, run)
    assert would["move into backup dir"] == set(lost) and would["move"] == {max(before)}
    told = bucketvault.cli("log", "Photos").out
    assert all(f"{key}  would be removed here" in told for key in lost)

    approved = bucketvault.cli("run", "Photos", "--approve")

    run = bucketvault.last_run()
    assert approved.code == 0 and run["trigger"] == "approved", approved
    assert run["counts"]["deleted"] == 11 and run["counts"]["replaced"] == 1
    assert destination.copy() == source.objects()
    (kept,) = destination.kept().values()
    assert kept == {key: before[key] for key in [*lost, max(before)]}

    again = bucketvault.cli("run", "Photos", "--approve")

    assert again.code == 1 and "No run of Photos is held" in again.err
    assert bucketvault.last_run()["id"] == run["id"]


@pytest.mark.slow
def test_a_bucket_whose_every_key_was_renamed_holds_the_run(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    for key, body in objects(20).items():
        source.delete(key)
        source.put(f"renamed/{key}", body)

    run = is_held(bucketvault, destination, "20 of 20 objects would be removed")

    would = logged(bucketvault, run)
    assert would["copy"] == set(source.keys())
    assert would["move into backup dir"] == set(objects(20))


@pytest.mark.slow
def test_a_wrong_bucket_of_the_same_sizes_holds_the_run(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    wrong = new_bucket(here, {f"x/{key}": body for key, body in objects(5).items()})

    bucketvault.backup(wrong, destination)

    is_held(bucketvault, destination, "5 of 5 objects would be removed", "No run between these two")


def test_a_first_run_removes_nothing_of_a_bucket_that_is_in_use(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source = new_bucket(here, objects(5))
    destination = new_bucket(elsewhere, {"somebody's.txt": b"theirs"})
    bucketvault.backup(source, destination)

    is_held(bucketvault, destination, "1 of 1 objects would be removed", "No run between these two")


@pytest.mark.parametrize(
    ("there", "listings"),
    [
        ({}, 2),  # counted, and copied
        ({".bucketvault-archive/other/20250101T000000Z/a": b"kept"}, 2),
        ({"folder-0/object-00000.txt": b"theirs"}, 3),  # and compared before
    ],
    ids=["nothing", "another backup's kept versions", "an object"],
)
def test_a_first_copy_lists_its_source_once_more_only_where_there_is_something_to_lose(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    there: dict[str, bytes],
    listings: int,
) -> None:
    sent = objects(5)
    source, destination = new_bucket(here, sent), new_bucket(elsewhere, there)
    with RefusingProxy(here.endpoint) as proxy:
        bucketvault.backup(
            source, destination, source_endpoint=proxy.endpoint, comparison_mode="checksum"
        )

        bucketvault.run()

        asked = [path for _, path in proxy.seen if re.search("list-type=2.*prefix=(&|$)", path)]
    assert len(asked) == listings, asked
    assert {key: destination.objects()[key] for key in sent} == sent


@pytest.mark.parametrize("mode", ["checksum", "default"])
@pytest.mark.slow
def test_a_bucket_that_was_encrypted_overnight_holds_the_run(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, mode: str
) -> None:
    source, destination = new_bucket(here, objects(120)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, comparison_mode=mode)
    bucketvault.run()
    for key, body in objects(120).items():
        source.put(key, bytes(255 - byte for byte in body))

    run = is_held(bucketvault, destination, "120 of 120 objects would be replaced")

    assert logged(bucketvault, run)["move"] == set(objects(120))


@pytest.mark.slow
def test_three_dumps_that_rotate_every_night_never_hold_a_run(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    dumps = {f"dump-{night}.sql": f"night {night}".encode() * 9 for night in range(3)}
    source, destination = new_bucket(here, dumps), new_bucket(elsewhere)
    bucketvault.backup(source, destination, shrink_limit_percent=1, comparison_mode="checksum")
    bucketvault.run()
    for night in range(3, 6):
        if night == 5:  # all at once, as a tool with fixed names does it
            for key in list(source.objects()):
                source.put(key, b"quite another")
        else:
            source.delete(f"dump-{night - 3}.sql")
            source.put(f"dump-{night}.sql", f"night {night}".encode() * 9)

        run = bucketvault.run()

        assert run["status"] == "success", run
        assert destination.copy() == source.objects()


# ---- approving


@pytest.fixture
def waiting(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> tuple[Program, Bucket, Bucket]:
    """A backup whose last run is held: 12 of 20 objects are gone at the source."""
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    for key in sorted(objects(20))[:12]:
        source.delete(key)
    assert bucketvault.run()["reason"] == "brake"
    return bucketvault, source, destination


@contextlib.contextmanager
def database_of(program: Program) -> Iterator[None]:
    """The program's database, opened past the program."""
    open_database(program.data_dir / "bucketvault.sqlite3")
    try:
        with connection():
            yield
    finally:
        close_database()


@pytest.mark.slow
def test_an_approved_run_is_held_again_when_the_source_has_lost_more(waiting) -> None:
    program, source, destination = waiting
    before = destination.copy()
    source.delete(sorted(objects(20))[12])

    is_held(program, destination, "more than was approved", "13 of 20", how=("--approve",))
    again = program.cli("run", "Photos", "--approve")

    assert again.code == 0 and destination.copy() == source.objects()
    (kept,) = destination.kept().values()
    assert kept == {key: before[key] for key in sorted(before)[:13]}


@pytest.mark.slow
def test_an_approved_run_goes_through_when_there_is_less_to_do_by_now(waiting) -> None:
    program, source, destination = waiting
    back = min(objects(20))
    source.put(back, objects(20)[back])

    done = program.cli("run", "Photos", "--approve")

    assert done.code == 0 and program.last_run()["counts"]["deleted"] == 11
    assert destination.copy() == source.objects()


@pytest.mark.parametrize(("hours", "code"), [(23.5, 0), (24.5, 1)])
@pytest.mark.slow
def test_an_approval_holds_for_a_day(waiting, hours: float, code: int) -> None:
    program, source, destination = waiting
    with database_of(program):
        queue.approve(BackupRun.select().order_by(BackupRun.id.desc()).get().id)

    done = cli_at(program, utcnow() + dt.timedelta(hours=hours), "run", "Photos", "--wait")

    assert done.code == code, done
    assert program.last_run()["trigger"] == "approved"
    if code:
        assert_held(program, done, "12 of 20 objects would be removed")
        assert len(destination.copy_keys()) == 20
    else:
        assert destination.copy() == source.objects()


@pytest.mark.slow
def test_what_was_held_before_the_backup_was_changed_cannot_be_approved(
    waiting, new_bucket: NewBucket
) -> None:
    program, source, destination = waiting
    program.backup(source, new_bucket(destination.server, {"somebody's": b"theirs"}))

    done = program.cli("run", "Photos", "--approve")

    assert done.code == 1 and "was changed since" in done.err
    assert len(destination.copy_keys()) == 20


@pytest.mark.slow
def test_an_approved_run_that_waits_asks_again_when_the_backup_is_changed_meanwhile(
    waiting, new_bucket: NewBucket
) -> None:
    program, source, destination = waiting
    with database_of(program):
        queue.approve(BackupRun.select().order_by(BackupRun.id.desc()).get().id)
    theirs = new_bucket(destination.server, {f"theirs-{n}": b"theirs" for n in range(12)})
    program.backup(source, theirs)

    is_held(program, theirs, "12 of 12 objects would be removed", "No run between these two")

    assert program.last_run()["trigger"] == "approved"


@pytest.mark.slow
def test_after_an_end_was_changed_nothing_may_be_removed_until_a_run_has_succeeded(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(30)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    elder = new_bucket(elsewhere, {**objects(30), "one more": b"x"})
    bucketvault.backup(source, elder)

    is_held(bucketvault, elder, "1 of 31 objects would be removed", "No run between these two")
    assert bucketvault.cli("run", "Photos", "--approve").code == 0
    source.delete(min(objects(30)))
    run = bucketvault.run()

    assert run["status"] == "success" and run["counts"]["deleted"] == 1
    assert elder.copy() == source.objects()


def test_what_an_attempt_found_that_went_back_to_the_queue_is_forgotten(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    """Else a source that is empty by now could be approved, with the numbers of before."""
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))
    runs = bucketvault.data_dir / "runs"
    runs.mkdir(exist_ok=True)
    with database_of(bucketvault):
        queue.enqueue(Backup.get().id, Trigger.CLI)
        claimed = queue.claim(runs, 1)
        assert claimed is not None
        found = Findings(removed=12, destination_objects=20).to_json()
        again = {"status": RunStatus.PENDING, "phase": None, "requeued": True}
        assert claimed[0].change(RunStatus.RUNNING, findings=found, source_objects=8, **again)
        os.close(claimed[2])

    done = bucketvault.cli("run", "Photos", "--wait")

    assert done.code == 1 and "is empty" in done.err and "--approve" not in done.err
    with database_of(bucketvault):
        run = BackupRun.get()
        assert (run.findings, run.source_objects) == ({}, None)


# ---- previews


@pytest.mark.slow
def test_a_preview_touches_nothing_and_is_no_run_as_far_as_results_go(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source = new_bucket(here, objects(3))
    destination = new_bucket(elsewhere, {"somebody's": b"theirs"})
    bucketvault.backup(source, destination)

    done = bucketvault.cli("run", "Photos", "--preview")

    assert done.code == 0, done
    assert "would copy 3, replace 0 and remove 1 objects. Nothing was touched" in done.out
    assert "somebody's  would be removed here" in done.out
    assert destination.objects() == {"somebody's": b"theirs"}
    status = bucketvault.status()["backups"][0]
    assert status["last_run"] is None and status["active_run"] is None
    assert "has not run yet" in bucketvault.cli("status").out
    with database_of(bucketvault):
        backup = Backup.get()
        assert backup.last_run_at is None
    # it is no success either: the first run still may not remove anything
    is_held(bucketvault, destination, "1 of 1 objects would be removed", "No run between these two")


@pytest.mark.slow
def test_a_preview_of_a_held_run_leaves_it_to_be_approved(waiting) -> None:
    program, source, destination = waiting
    held_run = program.last_run()

    preview = program.cli("run", "Photos", "--preview")

    assert preview.code == 0 and "remove 12 objects" in preview.out
    assert program.last_run() == held_run
    approved = program.cli("run", "Photos", "--approve")
    assert approved.code == 0 and destination.copy() == source.objects()


@pytest.mark.slow
def test_a_preview_that_cannot_be_made_says_why(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))

    done = bucketvault.cli("run", "Photos", "--preview")

    assert done.code == 1 and "is empty" in done.err
    assert bucketvault.status()["backups"][0]["last_run"] is None


# ---- stopping while it checks


@pytest.mark.slow
def test_a_run_can_be_stopped_while_it_counts_what_would_change(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere, {"old": b"old"})
    bucketvault.backup(source, destination)
    slow = bucketvault.folder / "rclone-that-hangs-in-a-dry-run"
    hang = 'for word; do [ "$word" = --dry-run ] && exec sleep 100; done'
    slow.write_text(f'#!/bin/bash\n{hang}\nexec {rclone_path()} "$@"\n')
    slow.chmod(0o755)
    app = bucketvault.start("run", "Photos", "--wait", BUCKETVAULT_RCLONE=str(slow))
    until("it counts", lambda: helpers(app, "sleep"))

    app.send_signal(signal.SIGINT)
    _, err = app.communicate(timeout=20)

    run = bucketvault.last_run()
    assert (app.returncode, run["status"], run["reason"]) == (1, "failed", "stopped")
    assert "Nothing was touched" in err and destination.objects() == {"old": b"old"}


def helpers(app: Any, word: str) -> list[psutil.Process]:
    """The processes that the command asks rclone with, those with `word` in their command line."""
    found = []
    for process in psutil.Process(app.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # ended meanwhile
            if word in " ".join(process.cmdline()):
                found.append(process)
    return found
