"""Reading bytes again: what a backup's page says of it, what it costs first, and what it found."""

from dataclasses import replace

import pytest
from nicegui.testing import User

from bucketvault.engine.domain.reading import Coverage
from bucketvault.engine.domain.reading_words import coverage_words
from bucketvault.engine.views.answer import answer_of
from bucketvault.engine.views.situation import Tone, situation_of
from bucketvault.pages.backup import form_words
from bucketvault.pages.backup.verify import cost_words
from bucketvault.pages.backup.words import run_row
from bucketvault.pages.run import words as run_words
from tests.pages import backup_scenes, scenes, scenes_verify
from tests.pages.scenes_verify import COVERAGE

LATELY = "of all bytes in the last 90 days"


@pytest.mark.parametrize(
    ("changes", "share", "rest"),
    [
        (
            {},
            "83 %",
            f"{LATELY}; oldest read on 12 August 2026; 12 could not be read",
        ),
        (
            {"unread_objects": 52},
            "83 %",
            f"{LATELY}; 40 never read; 12 could not be read",
        ),
        (
            {"recent_bytes": 61_399_999_999, "refused": 0, "unread_objects": 1},
            "99 %",
            f"{LATELY}; 1 never read",
        ),
        (
            {"recent_objects": 18_240, "recent_bytes": 61_400_000_000},
            "100 %",
            "every byte, in the last 90 days",
        ),
        ({"objects": 0, "bytes": 0}, "Nothing to read", "the copy is empty"),
    ],
)
def test_coverage_is_never_rounded_up_to_all_of_it(
    changes: dict[str, int], share: str, rest: str
) -> None:
    coverage: Coverage = replace(COVERAGE, **changes)  # type: ignore[arg-type]

    assert coverage_words(coverage) == (share, rest)


def test_the_question_says_first_how_much_leaves_each_provider() -> None:
    page = backup_scenes.backup_page(scenes.backup_row(1))
    ends = page.row.source.provider, page.row.destination.provider

    cost, meanwhile = cost_words(page)

    assert cost.startswith("18,240 objects are read on both sides. ")
    assert f"61.4 GB leave {ends[0]} and 61.4 GB leave {ends[1]}" in cost
    assert "It changes nothing." in meanwhile


async def test_verify_now_asks_with_its_cost_and_goes_to_its_run(user: User, engine) -> None:
    await user.open("/backups/4")
    await user.should_see("of all bytes in the last 90 days")
    user.find(marker="verify").click()
    await user.should_see("18,240 objects are read on both sides.")
    assert engine.verified == []

    user.find(marker="confirm").click()

    await user.should_see("Reading both sides: 39 %")
    assert engine.verified == [4]


async def test_without_a_proven_copy_it_says_what_to_do_first(user: User, engine) -> None:
    engine.rows = [scenes.backup_row(4, last_run=None)]
    await user.open("/backups/4")

    user.find(marker="verify").click()

    await user.should_see("cannot be verified yet")
    await user.should_see("Run the backup first.")


def test_damage_needs_a_person_until_it_is_mended() -> None:
    row = scenes_verify.damaged_rows()[0]

    told = situation_of([row], ())
    said = answer_of(row, scenes.ZONE, scenes.now())

    (issue,) = told.backup_issues
    assert (issue.tone, issue.run_id) == (Tone.DAMAGED, 23)
    assert issue.why.startswith(
        "1 object is damaged in the copy, 1 object is damaged at the source: wal/0000E5.zst, "
        "latest.json. The next run replaces what is damaged in the copy."
    )
    assert told.sentence == f"{row.name} has damaged objects."
    assert said.tone == Tone.DAMAGED and said.run_id == 23


async def test_the_home_page_and_the_page_of_a_backup_show_damage(user: User, engine) -> None:
    engine.rows = scenes_verify.damaged_rows()

    await user.open("/")
    await user.should_see("Damaged objects: 1 object is damaged in the copy")
    await user.open("/backups/1")
    await user.should_see("1 object is damaged in the copy, 1 object is damaged at the source")


async def test_the_page_of_a_run_that_found_damage_names_it_with_both_hashes(
    user: User, engine
) -> None:
    await user.open("/run/23")

    await user.should_see("Verification of")
    await user.should_see("2 objects differ: wal/0000E5.zst, latest.json.")
    await user.should_see("bucketvault never writes to the source")
    await user.should_see(f"source SHA-256 {'a' * 64}, 16,777,216 bytes of 2026-11-03 01:42 UTC")
    await user.should_see("the nightly budget, after a good run")
    await user.should_see("none: bucketvault reads objects without rclone")
    await user.should_see("Run now")


async def test_a_run_that_reads_shows_how_far_it_is_and_can_be_stopped(user: User, engine) -> None:
    await user.open("/run/24")

    await user.should_see("Reading both sides: 39 %, 24.1 of 61.4 GB")
    await user.should_see("Read on each side")
    user.find(marker="stop").click()

    await user.should_see("What it has read so far counts. It changes nothing in either bucket.")


def test_runs_that_read_have_their_own_words_in_the_list() -> None:
    def word(view: object) -> object:
        return run_row(view, scenes.ZONE, scenes.now())["word"]  # type: ignore[arg-type]

    assert word(scenes_verify.verified_run()) == "Verified in part"
    assert word(scenes_verify.verified_run(warnings=())) == "Verified"
    assert word(scenes_verify.damaged_run()) == "Objects differ"
    assert run_words.tiles(scenes_verify.damaged_run())[2].value == "2"


@pytest.mark.parametrize(
    ("typed", "size_gb", "expected"),
    [
        ("0", None, "0: only when you press Verify now."),
        ("5", None, "About 152 GB a month leave each of the two providers"),
        ("5", 61, "All of it once in 13 such runs."),
        ("500", 61, "About 1.9 TB a month"),
        ("x", None, ""),
    ],
)
def test_the_form_says_what_a_month_of_it_costs(
    typed: str, size_gb: int | None, expected: str
) -> None:
    measured = None if size_gb is None else form_words.PathSize(9, size_gb * 10**9)

    assert expected in form_words.reading_words(typed, "daily", measured)
