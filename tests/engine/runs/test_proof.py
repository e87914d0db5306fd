"""Nothing is called a good copy that is none: each test was a green run, or a lost object, once."""

import gzip
from collections.abc import Iterator

import pytest

from tests.conftest import NewBucket
from tests.engine.runs.scene import Scene, scene_between
from tests.support.program import Program, objects, until
from tests.support.servers import MotoServer, RcloneS3, SeaweedFS, rclone_path
from tests.support.truth import account, assert_nothing_is_lost, newest
from tests.support.wrong_answers import (
    ERROR,
    HTML,
    REFUSED,
    Lie,
    changed,
    done_but,
    endless,
    flipped,
    said,
    without_length,
)

pytestmark = pytest.mark.slow

FEW = objects(9)
KEY = "folder-1/object-00001.txt"  # one of them
OTHER = "folder-2/object-00002.txt"


@pytest.fixture
def scene(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> Iterator[Scene]:
    with scene_between(bucketvault, new_bucket, here, elsewhere) as made:
        yield made


@pytest.fixture
def paged(bucketvault: Program, moto: MotoServer, new_bucket: NewBucket) -> Iterator[Scene]:
    """Both ends at moto, listed four objects at a time, which keeps parts and encodings."""
    with scene_between(bucketvault, new_bucket, moto, moto, page=4) as made:
        yield made


def as_at_cloudflare(scene: Scene) -> None:
    setup = (scene.program.folder / "setup.toml").read_text()
    setup = setup.replace('provider_type = "amazon_s3"', 'provider_type = "cloudflare_r2"', 1)
    done = scene.program.apply(setup)
    assert done.code == 0, done


def test_an_object_that_is_answered_without_a_length_is_named_until_it_is_right(
    paged: Scene,
) -> None:
    packed = gzip.compress(b"hello world, this is a log line\n" * 400)
    paged.source.put_in_parts("parts.log.gz", packed, ContentEncoding="gzip")
    paged.source.put("plain", b"plain")
    paged.backup()
    as_at_cloudflare(paged)
    paged.at_source.lies = [Lie("GET", r"parts\.log\.gz", answer=without_length)]

    for _ in range(2):
        paged.run(but=("parts.log.gz",))
    paged.at_source.lies = []

    assert paged.run(but=())["status"] == "success"


def test_rubbish_of_the_right_size_is_read_before_it_counts_as_there(paged: Scene) -> None:
    """An upload is refused and stored all the same, with other bytes and no hash to compare."""
    paged.source.put_in_parts("in-parts", b"the right bytes")
    paged.source.put("plain", b"plain")
    paged.backup()
    stored_otherwise = done_but(said(REFUSED, 400), flipped)
    paged.at_destination.lies = [
        Lie("PUT", "/in-parts", answer=stored_otherwise, without_header="x-amz-copy-source")
    ]

    first = paged.run(but=("in-parts",))
    again = paged.run(but=("in-parts",))
    paged.at_destination.lies = []
    mended = paged.run(but=())

    assert (first["status"], again["status"], mended["status"]) == ("failed", "failed", "success")


NO_LISTINGS = {"a web page": HTML, "nothing": b"", "an error with a good status": ERROR}


@pytest.mark.parametrize(
    ("end", "what"), [*(("source", what) for what in NO_LISTINGS), ("destination", "a web page")]
)
def test_a_part_of_a_listing_that_is_none_is_no_empty_folder(
    paged: Scene, end: str, what: str
) -> None:
    paged.copied(FEW)
    before = paged.state()
    proxy = paged.at_source if end == "source" else paged.at_destination
    not_its_first_page = r"list-type=2.*prefix=folder-1|continuation-token=.*list-type=2"
    proxy.lies = [Lie("GET", not_its_first_page, answer=said(NO_LISTINGS[what]))]

    run = paged.run()

    assert proxy.told.is_set()
    assert run["status"] == "failed" and "list" in run["explanation"], run
    assert paged.state() == before
    proxy.lies = []
    assert paged.run(but=())["status"] == "success"


@pytest.fixture
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("weed")) as server:
        yield server


def test_names_that_the_destination_takes_for_one_are_named_and_never_have_anothers_bytes(
    bucketvault: Program, here: RcloneS3, moto: MotoServer, weed: SeaweedFS, new_bucket: NewBucket
) -> None:
    names = {"a//b": b"the odd one", "a/b": b"the plain one", "c": b"c", "d/e": b"d"}
    folded = {"back\\slash": b"stored as back/slash"}
    with scene_between(bucketvault, new_bucket, moto, weed) as scene:
        scene.source_has(names | folded)
        scene.backup()

        for night in range(2):
            run = scene.program.run()
            copy = scene.destination.copy()
            stray = copy.pop("back/slash", None)  # of the first night; the second one removes it
            assert (stray is None) == (night == 1), run
            assert copy == {key: names[key] for key in ("a/b", "c", "d/e")}, run
            told = account(scene.program, run)
            assert "a//b" in told and "back\\slash" in told
            assert (run["status"], run["proof"]["cannot_copy"]) == ("success", 2), run
            assert scene.program.cli("status").code != 0  # not clean, whatever it is called
        scene.change({"a/b": b"the plain one, changed", "c": None})
        scene.program.run()

    assert scene.destination.copy() == {"a/b": b"the plain one, changed", "d/e": b"d"}
    kept = [body for folder in scene.destination.kept().values() for body in folder.values()]
    assert names["a/b"] in kept and names["c"] in kept


def test_an_object_in_parts_that_is_replaced_by_one_of_the_same_size_is_replaced(
    paged: Scene,
) -> None:
    paged.source.put_in_parts("disk.img", b"clear")
    paged.copied({"plain": b"plain"})

    paged.source.put_in_parts("disk.img", b"CRYPT")
    run = paged.run(but=())

    assert run["status"] == "success" and run["counts"]["replaced"] == 1


@pytest.mark.parametrize("times", [1, None], ids=["once", "for good"])
def test_a_bit_that_flips_under_way_is_mended_or_named(scene: Scene, times: int | None) -> None:
    scene.copied(FEW)
    scene.change({KEY: b"changed, and then damaged", "new": b"new", OTHER: None})
    scene.at_source.lies = [
        Lie("GET", f"({KEY}|/new)", answer=changed(flipped), times=times and 2 * times)
    ]

    run = scene.run(but=() if times else (KEY, "new"))

    assert run["status"] == ("success" if times else "failed")


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_copy_that_was_altered_by_somebody_else_is_mended_and_told(
    paged: Scene, in_parts: bool
) -> None:
    paged.source.put_in_parts("disk.img", b"clear")
    paged.copied({"plain": b"plain"})
    key = "disk.img" if in_parts else "plain"
    right = paged.source.objects()[key]
    paged.destination.put(key, b"wrong")

    run = paged.run(but=())

    assert run["status"] == "success" and run["counts"]["replaced"] == 1
    codes = [warning["code"] for warning in newest(paged.program).warnings]
    assert codes == ["altered"] and len(run["warnings"]) == 1, run
    assert b"wrong" in [body for one in paged.destination.kept().values() for body in one.values()]
    assert paged.destination.copy()[key] == right


REFUSALS = {
    "its upload": Lie("PUT", KEY, 400, "KeyTooLongError", without_header="x-amz-copy-source"),
    "its place among the kept versions": Lie(
        "PUT", KEY, 400, "KeyTooLongError", header="x-amz-copy-source"
    ),
    "its storage class": Lie("PUT", KEY, 501, "NotImplemented", without_header="x-amz-copy-source"),
    "a lock on it": Lie("DELETE", KEY, 403, "AccessDenied"),
}


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ("its upload", False),
        ("its place among the kept versions", False),
        ("its place among the kept versions", True),
        ("its storage class", False),
        ("a lock on it", True),
    ],
)
def test_one_object_that_the_destination_refuses_keeps_no_other_back(
    scene: Scene, what: str, gone: bool
) -> None:
    scene.copied(FEW)
    scene.at_destination.lies = [REFUSALS[what]]
    scene.change({KEY: None if gone else b"changed", OTHER: None, "new": b"new"})

    first = scene.run(but=(KEY,))
    scene.change({"newer": b"newer", "new": None, "folder-3/object-00003.txt": b"changed"})
    second = scene.run(but=(KEY,))  # the next night is the same
    scene.at_destination.lies = []
    third = scene.run(but=())

    is_concerned = scene.at_destination.told.is_set() or first["status"] == "failed"
    assert second["status"] == first["status"] == ("failed" if is_concerned else "success")
    assert third["status"] == "success"


def test_a_first_copy_is_whole_but_for_the_one_that_is_refused(scene: Scene) -> None:
    scene.source_has(FEW)
    scene.backup()
    scene.at_destination.lies = [Lie("PUT", KEY, 400, "KeyTooLongError")]

    first = scene.run(but=(KEY,))
    scene.change({OTHER: None, "new": b"new"})
    second = scene.run(but=(KEY,))

    assert (first["status"], second["status"]) == ("failed", "failed")


WAITS = """#!/bin/bash
case " $* " in
*" sync "*|*" copy "*) touch {folder}/looked; until [ -e {folder}/go ]; do sleep 0.05; done ;;
esac
exec {rclone} "$@"
"""


def test_a_source_that_is_emptied_after_the_look_takes_nothing_from_the_copy(scene: Scene) -> None:
    scene.copied(FEW)
    scene.change({OTHER: None, KEY: b"changed", "new": b"new"})
    before = scene.state()
    folder = scene.program.folder
    waiting = folder / "rclone-that-waits"
    waiting.write_text(WAITS.format(folder=folder, rclone=rclone_path()))
    waiting.chmod(0o755)
    command = scene.program.start("run", "Photos", "--wait", BUCKETVAULT_RCLONE=str(waiting))
    until("it has looked", (folder / "looked").exists)

    for key in scene.source.objects():
        scene.source.delete(key)
    (folder / "go").touch()
    command.communicate(timeout=60)

    after = scene.state()
    assert_nothing_is_lost(before, after)
    assert before.copy.keys() - after.copy.keys() <= {OTHER}  # the only one that the plan named
    run = scene.program.last_run()
    assert (run["status"], run["reason"]) == ("failed", "source_missing"), run
    assert "became empty during the run" in run["explanation"]


def test_an_upload_that_failed_half_way_costs_no_kept_version(paged: Scene) -> None:
    """Tried again, what it left would be archived over the former version."""
    paged.copied(FEW)
    paged.change({KEY: b"changed", OTHER: None})
    half_way = done_but(said(REFUSED, 400), flipped)
    paged.at_destination.lies = [
        Lie("PUT", KEY, answer=half_way, without_header="x-amz-copy-source", times=1)
    ]

    first = paged.run(but=(KEY,))
    second = paged.run(but=())

    assert (first["status"], second["status"]) == ("failed", "success")


@pytest.mark.parametrize("end", ["source", "destination"])
def test_a_listing_without_end_ends_a_run(paged: Scene, end: str) -> None:
    paged.copied(FEW)
    before = paged.state()
    proxy = paged.at_source if end == "source" else paged.at_destination
    proxy.lies = [Lie("GET", "list-type=2", answer=endless)]
    command = paged.program.start("run", "Photos", "--wait")

    try:
        command.wait(20)
    finally:
        command.kill()
        command.communicate()

    run = paged.program.last_run()
    assert run["status"] == "failed" and "list" in run["explanation"], run
    assert paged.state() == before
