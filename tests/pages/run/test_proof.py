"""The page of a run: its proof in exact words, its passes, and steps that move no byte."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.log_text import describe_log_line
from bucketvault.pages.run import words
from bucketvault.pages.run.log import LogView
from bucketvault.pages.run.log_rows import FILTERS, Filter
from bucketvault.vocabulary import LineKind, Phase
from tests.pages import scenes, scenes_proof
from tests.pages.waiting import becomes


def show(view: RunView) -> None:
    from bucketvault.pages.run import page as run

    page = RunPage(view, scenes.SETTINGS, scenes.now() - scenes.DAY, 1, None)

    @ui.page("/")
    def draw() -> None:
        run.draw(page, scenes.ZONE, scenes.now())


async def test_a_good_run_tells_its_proof(user: User) -> None:
    show(scenes.run_view())

    await user.open("/")

    await user.should_see(
        "218 of 218 objects are at the destination; 205 with the same content hash, 13 of the same "
        "size only (uploaded in parts or encrypted: no hash to compare)."
    )


async def test_a_good_run_names_what_cannot_be_copied_and_counts_what_changed_since(
    user: User,
) -> None:
    show(scenes_proof.odd_run())

    await user.open("/")

    await user.should_see("7 objects changed since; the next run copies them.")
    await user.should_see("2 names cannot be copied: photos/, /readme.txt.")
    await user.should_see("Show names in the log")


async def test_an_incomplete_run_names_what_is_missing_and_leads_to_every_line(
    user: User, engine
) -> None:
    await user.open("/run/16")

    await user.should_see("Failed: 3 objects are not at the destination: exports/2026//orders.csv")
    await user.should_see("212 of 218 objects are at the destination")
    await user.should_see("3 not at the destination")
    await user.should_see("1 different from the source")
    (viewer,) = user.find(LogView).elements
    shown: list[Filter] = []
    viewer.show_only = shown.append  # type: ignore[method-assign]
    user.find(marker="lines-errors").click()
    await becomes(lambda: shown == [Filter.ERRORS])


async def test_a_run_after_one_that_was_stopped_says_that_the_copy_is_partly_updated(
    user: User,
) -> None:
    show(scenes_proof.refused_run())

    await user.open("/")

    await user.should_see("This run changed nothing; the copy has been partly updated since")
    await user.should_not_see("The copy was not changed")


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (
            scenes_proof.looking_run(),
            "Looking: 12,000 at the source, 11,400 at the destination",
        ),
        (scenes_proof.keeping_run(), "Keeping old versions: 31 of 40"),
        (
            scenes_proof.proving_run(),
            "Proving, pass 2 of 3: 12,000 at the source, 11,400 at the destination",
        ),
        (scenes.live_run(), "Copying: 62 %, about 5 min left"),
        (
            scenes.live_run(passes=2, progress=Progress(step="remove", step_done=1, step_total=9)),
            "Removing, pass 2 of 3: 1 of 9",
        ),
    ],
)
async def test_each_step_says_how_far_it_is(user: User, view: RunView, told: str) -> None:
    show(view)

    await user.open("/")

    await user.should_see(told)


@pytest.mark.parametrize(
    "progress",
    [
        scenes_proof.keeping_run().progress,
        replace(scenes.progress(), speed_bytes_s=0.0),
        replace(scenes.progress(), eta_s=9_223_372_036),
    ],
)
def test_no_time_left_is_told_that_nobody_can_know(progress: Progress) -> None:
    view = scenes.live_run(progress=progress)

    said = words.result(RunPage(view, None, None, None, None), scenes.ZONE, scenes.now())

    assert "left" not in said.sentence
    if not progress.is_transferring:
        assert dict(words.figures(view, scenes.now()))["Speed"] == words.UNKNOWN


def test_progress_of_the_step_before_is_not_told_in_a_new_phase() -> None:
    seen = scenes_proof.looking_run().progress
    view = scenes.live_run(phase=Phase.COPYING, progress=seen)

    said = words.result(RunPage(view, None, None, None, None), scenes.ZONE, scenes.now())

    assert said.sentence == "Copying"


def test_the_phases_are_steps() -> None:
    told = [said for _, said in words.steps(scenes_proof.proving_run())]

    assert told == ["Checking both buckets", "Copying", "Proving", "Cleaning up"]


def test_lines_of_steps_plans_and_proofs_are_of_the_kinds_that_the_filters_show() -> None:
    zone = ZoneInfo("UTC")

    told = [describe_log_line(line, zone) for line in scenes_proof.incomplete_log()]

    steps = [line for line in told if line.kind is LineKind.STEP]
    assert [line.text for line in steps][:2] == [
        "Looking at both ends",
        "Pass 1: keeping the old versions of 1 object",
    ]
    errors = [line for line in told if line.kind in FILTERS[Filter.ERRORS]]
    assert [line.object for line in errors] == [*scenes_proof.MISSING, "latest.json"]
    assert errors[0].text == "Not at the destination, 48 kB"
    warned = [line.object for line in told if line.kind in FILTERS[Filter.WARNINGS]]
    assert warned == scenes_proof.ODD
    assert {line.kind for line in steps} <= FILTERS[Filter.ALL]
