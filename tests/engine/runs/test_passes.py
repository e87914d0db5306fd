"""The steps of a pass: what is kept before it is replaced, and what no list can carry."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.listing.bucket import Bucket
from bucketvault.engine.listing.merge import Stand, Totals, What
from bucketvault.engine.runs import passes
from tests.engine.runs.plans import a_plan
from tests.support.specs import run_spec

STAMP = "20261130T034100Z"
THERE = Bucket("http://127.0.0.1:9", "auto", "copies", "an-id", "a-secret-of-the-destination")


def prepared(folder: Path, **plan: set[str]) -> passes.Pass:
    """Return a second pass over such a plan: the first may copy in bulk."""
    made = a_plan(folder / "look-1", **plan)
    return passes.prepare(run_spec("photos", "copies"), made, folder, 2, STAMP, THERE)


def named(work: passes.Pass) -> list[str]:
    return [step["name"] for step in work.steps]


def test_what_is_replaced_is_kept_and_seen_before_it_is_copied_and_removals_come_last(
    tmp_path: Path,
) -> None:
    work = prepared(tmp_path, replaced={"b"}, altered={"c"}, new={"a"}, removed={"d"})

    assert named(work) == ["keep", "kept", "copy", "remove"]
    keep, _, copy, remove = (" ".join(step.get("arguments", ())) for step in work.steps)
    assert "pass-2/replace.txt" in keep and "pass-2/kept.txt" in copy
    assert "pass-2/new.txt" in copy and "replace.txt" not in copy
    assert "pass-2/remove.txt" in remove and f"/{STAMP}/" in keep and f"/{STAMP}/" in remove
    assert (tmp_path / "pass-2/replace.txt").read_text() == "b\nc\n"


def test_names_that_no_list_carries_have_the_same_steps_of_their_own(tmp_path: Path) -> None:
    work = prepared(tmp_path, replaced={"a//b", "a"}, new={"/n", "n"}, removed={"g//g", "g"})

    assert named(work) == ["keep", "keep", "kept", "copy", "copy", "copy", "remove", "remove"]
    odd = [step for step in work.steps if "--filter-from" in step.get("arguments", ())]
    assert [step["name"] for step in odd] == ["keep", "copy", "copy", "remove"]


def test_a_pass_has_only_the_steps_that_it_needs(tmp_path: Path) -> None:
    assert named(prepared(tmp_path, new={"a"})) == ["copy"]
    assert named(prepared(tmp_path, removed={"a"})) == ["remove"]


def test_keys_are_handed_over_apart_from_what_is_written_down(tmp_path: Path) -> None:
    work = prepared(tmp_path, replaced={"a"})

    assert THERE.secret_access_key in work.stdin["kept"]
    assert THERE.secret_access_key not in str(work.steps)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(THERE.secret_access_key.encode() in content for content in written)


@pytest.mark.parametrize(("there", "bulk"), [(0, True), (1, False)])
def test_rclone_lists_by_itself_only_where_the_copy_is_empty(there: int, bulk: bool) -> None:
    totals = Totals(source_objects=100, copy_objects=there)
    totals.counts[Stand.TO_DO, What.NEW] = 100 - there

    assert passes.is_bulk(totals) is bulk


def test_each_pass_keeps_its_versions_in_a_folder_of_its_own() -> None:
    assert [passes.stamp_of("20261231T235959Z", number) for number in (1, 2, 3)] == [
        "20261231T235959Z",
        "20270101T000000Z",
        "20270101T000001Z",
    ]


def test_a_lock_takes_objects_without_a_hash_in_parts_and_all_others_whole(tmp_path: Path) -> None:
    made = a_plan(tmp_path / "look-1", replaced={"r"}, new={"n"}, removed={"g"})
    spec = run_spec("photos", "copies")
    locked = replace(spec.destination, traits=Traits(object_lock=True))

    work = passes.prepare(replace(spec, destination=locked), made, tmp_path, 1, STAMP, THERE)

    copies = [step["arguments"] for step in work.steps if step["name"] == "copy"]
    assert ["--s3-upload-cutoff" in arguments for arguments in copies] == [True]
    assert "pass-1/bare/kept.txt" in copies[0] and "pass-1/bare/new.txt" in copies[0]
    assert named(work) == ["keep", "kept", "copy", "remove"]
    assert json.loads(work.stdin["keptbare"])["only"] == "bare"
