"""Words for what a run would do: a held run that waits for a decision, and a preview."""

import asyncio
from dataclasses import replace

import pytest
from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.situation import Tone, situation_of, tone_of, tone_of_run
from bucketvault.humanize import day
from bucketvault.vocabulary import HoldReason, Reason, RunKind, RunStatus, Topic, run_topic
from tests.pages import scenes
from tests.pages.waiting import becomes


def show(view: RunView, **changes: object) -> None:
    from bucketvault.pages.run import page as run

    page = RunPage(view, scenes.SETTINGS, scenes.now() - scenes.DAY, 1, None)

    @ui.page("/")
    def draw() -> None:
        run.draw(replace(page, **changes), scenes.ZONE, scenes.now())


async def test_a_held_run_says_in_numbers_what_would_be_taken_away(user: User) -> None:
    show(scenes.held_run())

    await user.open("/")

    await user.should_see(
        "Held for your approval: 625 of 1,037 objects would be removed, 9 replaced."
    )
    await user.should_see("That is 61 % of the copy; this backup asks for approval above 50 %.")
    await user.should_see("Nothing was changed: the copy is as it was. The last good run ended on")
    for word in ("Would be removed", "Would be replaced", "Would be copied", "In the copy now"):
        await user.should_see(word)
    await user.should_see("Approve this run")


async def test_a_copy_that_nothing_touched_since_is_that_of_the_last_good_run(
    user: User,
) -> None:
    show(scenes.held_run(), untouched=True)

    await user.open("/")

    await user.should_see("Nothing was changed; the copy is from ")


FIRST = "No run between these two places has succeeded before."
MORE = "This is 1 object more than was approved"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (HoldReason.FIRST, f"{FIRST} Nothing was changed"),
        (HoldReason.MORE, f"{MORE}. Nothing was changed"),
    ],
)
async def test_why_it_was_held_is_said_where_it_is_not_the_share(
    user: User, reason: HoldReason, words: str
) -> None:
    found = Findings(removed=1, destination_objects=9, beyond=1)
    show(scenes.held_run(hold_reason=reason, findings=found))

    await user.open("/")

    await user.should_see("Held for your approval: 1 of 9 objects would be removed.")
    await user.should_see(words)


async def test_a_share_just_above_the_limit_does_not_look_like_it(user: User) -> None:
    found = Findings(removed=504, destination_objects=1000)
    show(scenes.held_run(findings=found))

    await user.open("/")

    await user.should_see("That is 50.4 % of the copy; this backup asks for approval above 50 %.")


async def test_approving_names_the_backup_the_counts_and_until_when(user: User, engine) -> None:
    await user.open("/run/6")

    user.find(marker="approve").click()

    await user.should_see("Product photos: remove 625 and replace 9 objects in acme-pg-dumps-copy?")
    await user.should_see("removes 625 and replaces 9 of 1,037 objects in the copy")
    await user.should_see("and copies 3 new objects")
    await user.should_see("is kept as old versions for 30 days, until ")
    await user.should_see(
        "Your approval covers these removals and replacements, by name, for one run that starts "
        "within 24 hours, until "
    )
    await user.should_see("beyond this backup's limit")
    assert engine.approved == []


async def test_an_approval_asked_for_hours_later_holds_from_then_on(user: User) -> None:
    from bucketvault.pages.run import page as run

    page = RunPage(scenes.held_run(), scenes.SETTINGS, None, None, None)

    @ui.page("/")
    def draw() -> None:
        run.draw(page, scenes.ZONE, scenes.now() - 3 * scenes.DAY)

    await user.open("/")
    user.find(marker="approve").click()

    tomorrow = day(scenes.now() + scenes.DAY, scenes.ZONE, scenes.now())
    await user.should_see(f"for one run that starts within 24 hours, until {tomorrow}")


@pytest.mark.parametrize(
    ("found", "which"),
    [
        (Findings(removed=1, destination_objects=9), "this removal"),
        (Findings(replaced=1, destination_objects=9), "this replacement"),
        (Findings(removed=2, destination_objects=9), "these removals"),
        (Findings(removed=1, replaced=1, destination_objects=9), "these removals and replacements"),
    ],
)
async def test_an_approval_says_what_it_covers(user: User, found: Findings, which: str) -> None:
    show(scenes.held_run(findings=found))

    await user.open("/")

    await user.should_see(f"Your approval covers {which}, by name, for one run")


async def test_what_was_changed_or_lost_in_the_copy_is_said(user: User) -> None:
    found = Findings(new=5, lost=2, replaced=9, altered=3, removed=625, destination_objects=1037)
    show(scenes.held_run(findings=found))

    await user.open("/")

    await user.should_see("3 changed in the copy")
    await user.should_see("2 missing from the copy")


async def test_approving_goes_to_the_new_run(user: User, engine) -> None:
    await user.open("/run/6")

    user.find(marker="approve").click()
    user.find(marker="confirm").click()

    await user.should_see("Waiting for its turn.")
    assert engine.approved == [6]


async def test_an_approval_that_is_refused_says_why(user: User, engine) -> None:
    await user.open("/run/6")
    engine.runs[6] = replace(engine.runs[6], can_be_approved=False)

    user.find(marker="approve").click()
    user.find(marker="confirm").click()

    await user.should_see("A newer run has ended since.")
    await user.should_see("This run can no longer be approved")


async def test_a_newer_run_takes_the_approval_away_and_is_linked(user: User, engine) -> None:
    await user.open("/run/12")

    await user.should_see("This run can no longer be approved: there is a newer one.")
    await user.should_not_see("Approve this run")
    assert {e.props.get("href") for e in user.find(marker="newer").elements} == {"/run/13"}


async def test_an_approval_that_a_newer_run_takes_away_goes_without_a_reload(
    user: User, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked, ask = asyncio.get_running_loop().time, [], engine.overview_run
    monkeypatch.setattr(engine, "overview_run", lambda run: (asked.append(now()), ask(run))[1])
    await user.open("/run/6")
    await user.should_see("Approve this run")
    await becomes(lambda: now() - asked[-1] > 1)  # what a page does as it connects is over

    engine.runs[6] = replace(engine.runs[6], can_be_approved=False)
    engine.live.publish(Topic.BACKUPS)  # all that is told of what the command line did

    await user.should_see("This run can no longer be approved")
    await user.should_not_see("Approve this run")


async def test_nobody_can_approve_an_empty_source(user: User) -> None:
    show(scenes.empty_run())

    await user.open("/")

    await user.should_see("Held: the source acme-photos/originals is empty.")
    await user.should_see("Check the bucket and the path for typing errors.")
    await user.should_not_see("Approve this run")
    await user.should_not_see("Would be removed")


async def test_the_log_of_a_held_run_is_the_review(user: User, engine) -> None:
    from bucketvault.pages.run.log import LogView

    await user.open("/run/6")

    (viewer,) = user.find(LogView).elements
    assert viewer.props["showsPlan"] is True
    assert {e.props.get("href") for e in user.find(marker="review").elements} == {"#log"}


async def test_a_run_that_becomes_held_shows_its_review_without_a_reload(
    user: User, engine
) -> None:
    from bucketvault.pages.run.log import LogView

    await user.open("/run/15")
    (viewer,) = user.find(LogView).elements
    assert viewer.props["showsPlan"] is False

    engine.runs[15] = scenes.held_run(id=15)
    engine.live.publish(run_topic(15))

    await user.should_see("Approve this run")
    await user.should_see("Would be removed")
    assert viewer.props["showsPlan"] is True
    assert user.find(LogView).elements == {viewer}


async def test_a_preview_says_what_a_run_would_do_now(user: User, engine) -> None:
    await user.open("/run/13")

    await user.should_see("Preview of ")
    await user.should_see("A run now would copy 3 new, replace 9 and remove 625 objects.")
    await user.should_see("Nothing was changed.")
    await user.should_see("you, with Preview")
    await user.should_see("no exit code: rclone was not started")
    user.find(marker="run-again").click()
    await user.should_see("Waiting for its turn.")
    assert engine.queued == [4]


async def test_a_preview_without_changes_says_so(user: User) -> None:
    show(scenes.preview_run(findings=Findings(destination_objects=9)))

    await user.open("/")

    await user.should_see("A run now would change nothing:")


async def test_a_preview_can_be_stopped_while_it_looks(user: User, engine) -> None:
    await user.open("/run/14")

    await user.should_see("Looking: 120,000 at the source, 118,000 at the destination")
    await user.should_not_see("Cleaning up")
    user.find(marker="stop").click()
    await user.should_see("Stop the preview of Product photos?")


async def test_a_preview_that_failed_says_nothing_about_a_backup(user: User) -> None:
    view = scenes.preview_run(
        status=RunStatus.FAILED, reason=Reason.CREDENTIALS, findings=None, explanation="Wrong key."
    )
    show(view)

    await user.open("/")

    await user.should_see("The preview failed: Wrong key.")
    await user.should_not_see("State of the copy")


def test_a_preview_is_no_run_of_its_backup() -> None:
    looking = scenes.checking_run(kind=RunKind.PREVIEW)
    failed = scenes.backup_row(4, last_run=scenes.failed_run(), active_run=looking)
    good = scenes.backup_row(1, active_run=looking)

    said = situation_of([failed, good], ())

    assert tone_of_run(scenes.preview_run()) == Tone.LOOK
    assert (tone_of(failed), tone_of(good)) == (Tone.BAD, Tone.OK)
    assert [need.backup_id for need in said.backup_issues] == [4]
    assert said.running == 0
