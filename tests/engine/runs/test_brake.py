"""A run that would take away more than it should is held: nothing is touched, the user is asked."""

import json
from dataclasses import replace

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.state_words import describe_hold
from bucketvault.engine.runs import hold
from bucketvault.vocabulary import HoldReason
from tests.conftest import NewBucket
from tests.engine.runs.held import is_held, logged
from tests.support.program import Program, objects
from tests.support.servers import RcloneS3

# ---- the decision alone


def held(
    *,
    removed: int = 0,
    replaced: int = 0,
    new: int = 0,
    of: int,
    limit: int = 50,
    same_ends_before: bool = True,
) -> HoldReason | None:
    found = Findings(new=new, replaced=replaced, removed=removed, destination_objects=of)
    return hold.reason_to_hold(found, shrink_limit_percent=limit, same_ends_before=same_ends_before)


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
        (1000, 1000, 100, False),  # a user who sets 100 wants no limit
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
    assert why is None or not removed or why == HoldReason.FIRST


@pytest.mark.parametrize(
    ("removed", "replaced", "words"),
    [
        (12_305, 0, "12,305 of 12,345 objects would be removed."),
        (12_305, 3, "12,305 of 12,345 objects would be removed, 3 replaced."),
        (0, 12_000, "12,000 of 12,345 objects would be replaced."),
    ],
)
def test_the_numbers_are_said_as_people_read_them(removed: int, replaced: int, words: str) -> None:
    found = Findings(removed=removed, replaced=replaced, destination_objects=12_345)

    assert describe_hold(HoldReason.SHARE, found) == words
    more = describe_hold(HoldReason.MORE, replace(found, beyond=12))
    assert more == f"This is 12 objects more than was approved: {words}"
    first = describe_hold(HoldReason.FIRST, found)
    assert first == f"{words} No run between these two places has succeeded before."


def test_findings_come_back_from_the_database_as_they_were() -> None:
    found = Findings(new=1, replaced=2, removed=3, destination_objects=4)

    assert Findings.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert Findings.from_json({}) is None and Findings.from_json(None) is None


# ---- through the program


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
    assert done.err.startswith("Photos: held. The copy was not changed.")
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

    assert run["copy_state"] == "The copy was not changed."
    told = bucketvault.cli("log", "Photos").out
    assert logged(bucketvault, run) == {"gone": set(lost), "changed": {max(before)}}
    assert all(f"{key}  Would be removed" in told for key in lost)
    assert f"{max(before)}  Would be replaced" in told

    approved = bucketvault.cli("run", "Photos", "--approve", str(run["id"]))

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
    assert would == {"new": set(source.keys()), "gone": set(objects(20))}


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


@pytest.mark.parametrize("mode", ["checksum", "checksum_and_time"])
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

    assert logged(bucketvault, run) == {"changed": set(objects(120))}


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
