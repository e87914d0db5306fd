"""The page of one run in each state, and what moves in it."""

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from nicegui import ui
from nicegui.background_tasks import running_tasks
from nicegui.testing import User

from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.mail.mail_views import MailNote, Told
from bucketvault.engine.views.backups import RunPage, RunView
from bucketvault.engine.views.live_words import limit_words
from bucketvault.pages.run import log as logview
from bucketvault.pages.run import words as run_words
from bucketvault.vocabulary import (
    Mends,
    Phase,
    Reason,
    RunStatus,
    Side,
    Topic,
    Trigger,
    log_topic,
    run_topic,
)
from tests.pages import scenes
from tests.pages.waiting import becomes, drawn


def show(view: RunView, mail: MailNote | None = None, **more: Any) -> None:
    from bucketvault.pages.run import page as run

    alerts = (mail,) if mail is not None else ()
    page = RunPage(view, scenes.SETTINGS, scenes.now() - scenes.DAY, 1, None, alerts=alerts, **more)

    @ui.page("/")
    def draw() -> None:
        run.draw(page, scenes.ZONE, scenes.now())


async def test_a_failed_run_says_why_what_now_and_in_what_state_the_copy_is(user: User) -> None:
    show(scenes.failed_run())

    await user.open("/")

    await user.should_see("Failed: Backblaze EU took no more data")
    await user.should_see("raise the storage cap")
    await user.should_see("214 at the destination")
    await user.should_see("3 not at the destination")
    await user.should_see("The copy is partly updated. Objects: 3 missing, 1 different")
    await user.should_see("214 of 218 objects are at the destination")
    await user.should_see("The last good run ended on")
    await user.should_see("1: rclone ended with errors")


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (MailNote(Told.NOBODY), "None: no alerts were set up when this run ended."),
        (MailNote(Told.MAILED, scenes.now()), "accepted by the mail server, "),
        (MailNote(Told.WAITING, scenes.now()), "being sent"),
        (MailNote(Told.WAITING, scenes.now(), "451 later"), "not accepted yet, next try at "),
        (MailNote(Told.GIVEN_UP, scenes.now(), "550 never\x1b"), "550 never\\x1b"),
    ],
)
async def test_whether_anybody_was_told_of_a_failure_is_said(
    user: User, note: MailNote, said: str
) -> None:
    show(scenes.failed_run(), note)

    await user.open("/")

    await user.should_see(said)


async def test_a_run_without_a_proof_claims_nothing_about_the_rest(user: User) -> None:
    show(scenes.stopped_run(reason=Reason.STALLED))

    await user.open("/")

    await user.should_see("The copy is partly updated: at least 3 of 13 changes arrived")
    await user.should_not_see("at the destination")
    await user.should_not_see("Show every object in the log")


async def test_a_good_run_counts_what_it_did(user: User) -> None:
    show(scenes.run_view())

    await user.open("/")

    await user.should_see("Succeeded: 14 copied, 2 replaced, 2 removed.")
    await user.should_see("1.92 GB")
    await user.should_see("0: rclone succeeded")
    await user.should_see("the schedule (scheduled for")


async def test_a_run_without_changes_says_so(user: User) -> None:
    show(scenes.run_view(counts={**scenes.NO_COUNTS, "checked": 218}))

    await user.open("/")

    await user.should_see("Succeeded: nothing had changed.")


async def test_warnings_stand_below_the_result(user: User) -> None:
    show(scenes.warned_run())

    await user.open("/")

    await user.should_see("Succeeded, with 2 warnings")
    await user.should_see("Changed in the copy by another program and replaced: 2.")


async def test_a_run_that_never_reached_rclone_says_so(user: User) -> None:
    show(scenes.interrupted_run())

    await user.open("/")

    await user.should_see("no exit code: rclone was not started")
    await user.should_see("rclone: command not found")
    await user.should_not_see("What rclone said")


async def test_a_look_that_failed_tells_what_was_answered_and_that_rclone_was_not_started(
    user: User,
) -> None:
    refused = {"reason": Reason.CREDENTIALS, "detail": "403: SignatureDoesNotMatch"}
    show(replace(scenes.interrupted_run(), **refused))

    await user.open("/")

    await user.should_see("In detail")
    await user.should_see("403: SignatureDoesNotMatch")
    await user.should_see("no exit code: rclone was not started")


async def test_a_stopped_run_is_no_failure_of_ours(user: User) -> None:
    show(scenes.stopped_run())

    await user.open("/")

    await user.should_see("Stopped by you.")
    await user.should_see("rclone was asked to stop, by signal 2 (SIGINT)")


def test_counts_of_a_run_that_was_cut_off_claim_no_more_than_was_seen() -> None:
    cut = scenes.stopped_run()
    whole = scenes.failed_run(counts=cut.counts)

    told = [{t.word: (t.value, t.note) for t in run_words.tiles(view)} for view in (whole, cut)]

    assert [each["Copied"][0] for each in told] == ["3", "≥ 3"]
    assert [each["Removed"] for each in told] == [("0", "nothing"), ("≥ 0", "none seen")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trigger": Trigger.MANUAL, "scheduled_for": None}, "you, with Run now"),
        ({"trigger": Trigger.CLI, "scheduled_for": None}, "you, on the command line"),
        ({"trigger": Trigger.CATCH_UP, "skipped_slots": 2}, "2 earlier scheduled times skipped"),
        ({"status": RunStatus.FAILED, "exit_code": -9}, "rclone was killed, by signal 9"),
        ({"status": RunStatus.FAILED, "exit_code": 2}, "2: rclone did not accept its arguments"),
        (
            {"reason": Reason.INTERRUPTED, "status": RunStatus.FAILED, "exit_code": None},
            "no exit code: rclone's end was not recorded",
        ),
    ],
)
async def test_who_started_it_and_how_it_ended_in_words(
    user: User, changes: dict[str, object], words: str
) -> None:
    show(scenes.run_view(**changes))

    await user.open("/")

    await user.should_see(words)


async def test_a_running_run_moves_without_being_drawn_again(user: User, engine) -> None:
    await user.open("/run/1")
    await user.should_see("Copying: 62 %, about 5 min left")
    before = drawn(user)

    engine.runs[1] = replace(engine.runs[1], progress=scenes.progress(0.75))
    engine.live.publish(run_topic(1))

    await user.should_see("Copying: 75 %")
    assert drawn(user) == before


def test_what_is_not_drawn_again_while_a_run_goes_on_tells_no_time_that_passes() -> None:
    live = scenes.live_run()
    later = scenes.now() + scenes.DAY

    told = run_words.this_run(live, scenes.ZONE, scenes.now())

    assert told == run_words.this_run(live, scenes.ZONE, later)
    assert dict(told)["Took"] == run_words.UNKNOWN


async def test_kept_versions_that_went_for_their_age_are_told(user: User, engine) -> None:
    some, none = scenes.run_view(), scenes.run_view(id=4)
    some = replace(some, counts=some.counts | {"purged": 1204})
    engine.runs = {3: some, 4: none}

    await user.open("/run/3")
    await user.should_see("1,204 deleted, expired")

    await user.open("/run/4")
    await user.should_not_see("Old kept versions")


async def test_a_run_that_ends_shows_its_result_and_keeps_its_log_viewer(
    user: User, engine
) -> None:
    from bucketvault.pages.run.log import LogView

    await user.open("/run/1")
    (viewer,) = user.find(LogView).elements

    ended = scenes.run_view(id=1, backup_name="Video masters")
    engine.runs[1] = ended
    engine.live.publish(run_topic(1))

    await user.should_see("Succeeded: 14 copied")
    await user.should_see("Run again")
    assert user.find(LogView).elements == {viewer}


async def test_objects_on_their_way_come_and_go(user: User, engine) -> None:
    await user.open("/run/1")
    await user.should_see("2026/spring/raw/A003_C014.mov")

    moving = scenes.progress().transferring[1:2]
    engine.runs[1] = scenes.live_run(progress=replace(scenes.progress(), transferring=moving))
    engine.live.publish(run_topic(1))

    await user.should_not_see("2026/spring/edit/cut-08.mp4")
    await user.should_see("2026/spring/raw/A003_C015.mov")


async def test_stop_names_the_backup_and_asks_first(user: User, engine) -> None:
    await user.open("/run/1")

    user.find(marker="stop").click()

    await user.should_see("Stop the run of Video masters?")
    assert engine.stopped == []
    user.find(marker="confirm").click()
    await user.should_see("Stopping: waiting for rclone to end")
    assert engine.stopped == [1]


async def test_run_again_goes_to_the_new_run(user: User, engine) -> None:
    await user.open("/run/2")

    user.find(marker="run-again").click()

    await user.should_see("Waiting for its turn.")
    assert engine.queued == [4]


async def test_a_run_that_is_checking_says_so(user: User, engine) -> None:
    engine.runs[1] = scenes.live_run(phase=Phase.CHECKING, progress=None)

    await user.open("/run/1")

    await user.should_see("Checking both buckets")
    await user.should_see("nothing yet")
    await user.should_see("none yet: it is running")


async def test_a_check_says_how_much_it_has_seen_and_can_be_stopped(user: User, engine) -> None:
    await user.open("/run/15")
    await user.should_see("Looking: 120,000 at the source, 118,000 at the destination")

    user.find(marker="stop").click()

    await user.should_see("It has only compared the buckets so far: nothing has been changed.")
    user.find(marker="confirm").click()
    await user.should_see("Stopping: nothing is copied")
    assert engine.stopped == [15]


async def test_what_ended_today_names_its_day_as_soon_as_that_is_over(user: User) -> None:
    from bucketvault.pages.run import page as run

    ended = dt.datetime(2026, 11, 22, 22, 42, tzinfo=dt.UTC)  # 23:42 where the page counts
    page = RunPage(scenes.run_view(finished_at=ended), scenes.SETTINGS, None, 1, None)
    screens: list[run.RunScreen] = []

    @ui.page("/")
    def draw() -> None:
        screens.append(run.draw(page, scenes.ZONE, ended + 17 * scenes.MINUTE))

    client = await user.open("/")
    await user.should_see("Ended at 23:42")

    with client:
        screens[0].tick(ended + 18 * scenes.MINUTE)

    await user.should_see("Ended on Sun 22 Nov, 23:42")
    await user.should_not_see("Ended at 23:42")


async def test_a_run_leads_to_its_backup(user: User) -> None:
    show(scenes.failed_run())

    await user.open("/")

    assert {e.props.get("href") for e in user.find("Postgres dumps").elements} == {"/backups/4"}


@pytest.mark.parametrize("number", ["99", "0", "-1", "9" * 40])
async def test_a_run_that_is_not_there_is_not_found(user: User, engine, number: str) -> None:
    answer = await user.http_client.get(f"/run/{number}")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/run/abc",
        "/run/1.5",
        "/run/-1",
        f"/run/{'9' * 5000}",
        "/backups/abc",
        "/backups/1.5/edit",
        "/providers/abc",
        "/providers/abc/edit",
    ],
)
async def test_an_address_with_a_slip_is_answered_by_a_page(user: User, engine, path: str) -> None:
    answer = await user.http_client.get(path)

    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


@pytest.mark.parametrize("number", [3, 5], ids=["ended", "waiting"])
async def test_a_run_that_goes_with_its_backup_says_only_that(
    user: User, engine, caplog, number: int
) -> None:
    await user.open(f"/run/{number}")

    del engine.runs[number]
    engine.live.publish(Topic.BACKUPS, run_topic(number))

    await user.should_see("This run was deleted with its backup.")
    for said in ("Waiting for its turn", "Succeeded", "Run again", "Stop", "Settings of"):
        await user.should_not_see(said)
    await user.should_not_see(kind=logview.LogView)
    assert "brought up to date" not in caplog.text


async def test_a_run_that_waits_has_the_new_name_of_its_backup(user: User, engine) -> None:
    await user.open("/run/5")
    await becomes(lambda: not any(t.get_name().startswith("bring ") for t in running_tasks))

    engine.runs[5] = replace(engine.runs[5], backup_name="Another name")
    engine.live.publish(Topic.BACKUPS)

    await user.should_see("Another name")


async def test_a_closed_page_leaves_no_subscription(user: User, engine) -> None:
    client = await user.open("/run/1")
    assert engine.live._subscribers

    client.delete()

    assert not engine.live._subscribers


async def test_a_run_whose_log_went_for_its_age_says_so_in_its_place(user: User, engine) -> None:
    removed = scenes.run_view(id=8, log_removed_at=scenes.now() - scenes.DAY, log_lines=1204)
    engine.runs[8] = removed

    await user.open("/run/8")

    await user.should_see("This log was removed on")
    await user.should_see("logs are kept for 90 days. See Settings.")
    await user.should_see("1,204 lines")
    await user.should_not_see(kind=logview.LogView)


async def test_a_log_that_goes_for_its_age_while_its_page_is_open_says_so_too(
    user: User, engine
) -> None:
    await user.open("/run/8")
    await user.should_see(kind=logview.LogView)
    await user.should_see(marker="tile-new")
    engine.runs[8] = replace(engine.runs[8], log_removed_at=scenes.now(), log_lines=1204)
    engine.logs[8] = []

    engine.live.publish(Topic.BACKUPS, log_topic(8))

    await user.should_see("This log was removed ")
    await user.should_not_see(kind=logview.LogView)
    await user.should_not_see(marker="tile-new")  # there are no lines to show


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"skipped_slots": 2}, "2 scheduled times skipped."),
        ({"skipped_slots": 0}, "Late: scheduled "),
        ({"skipped_slots": 1, "scheduled_for": None}, "Late, 1 scheduled time skipped."),
        ({"trigger": Trigger.SCHEDULE}, ""),
    ],
)
def test_a_late_run_says_for_which_planned_time_it_is(
    changes: dict[str, object], words: str
) -> None:
    planned = {"trigger": Trigger.CATCH_UP, "scheduled_for": scenes.now()}
    late = replace(scenes.warned_run(), **(planned | changes))

    said = run_words.late_words(late, scenes.ZONE, scenes.now())

    assert words in said
    assert bool(words) == bool(said)


@pytest.mark.parametrize(
    ("mends", "side", "led_to"),
    [
        (Mends.PROVIDER, Side.DESTINATION, [2]),
        (Mends.PROVIDER, Side.SOURCE, [1]),
        (Mends.PROVIDER, None, [1, 2]),
        (Mends.HEALTH, Side.SOURCE, []),
        (None, None, []),
    ],
)
def test_a_run_that_a_provider_stopped_leads_to_where_that_is_mended(
    mends: Mends | None, side: Side | None, led_to: list[int]
) -> None:
    explanation = "B2 archive rejected the secret access key."  # the other one's name is in it, too
    view = replace(scenes.failed_run(), explanation=explanation, mends=mends, side=side)
    ends = {Side.SOURCE: (1, "B2"), Side.DESTINATION: (2, "B2 archive")}
    page = RunPage(view, None, None, None, None, providers=ends)

    assert [number for number, _ in run_words.providers_to_mend(page)] == led_to


async def test_a_wrong_region_leads_in_one_press_to_the_right_one_filled_in(user: User) -> None:
    view = scenes.failed_run(mends=Mends.PROVIDER, side=Side.DESTINATION, region="eu-west-1")
    show(view, providers={Side.SOURCE: (1, "R2"), Side.DESTINATION: (2, "Garage")})

    await user.open("/")

    await user.should_see("Use region eu-west-1")
    (button,) = user.find(marker="use-region").elements
    assert button.props["href"].endswith("/providers/2/edit?region=eu-west-1")


async def test_a_run_says_that_it_is_held_down_and_until_when_in_its_own_zone(user: User) -> None:
    local = scenes.now().astimezone(dt.UTC)
    start, end = (f"{local + hours:%H:%M}" for hours in (-scenes.HOUR, scenes.HOUR))
    limit = Bandwidth(20_000_000, start, end)
    show(scenes.live_run(bandwidth=limit, time_zone="Asia/Tokyo"))

    await user.open("/")

    there = (local + scenes.HOUR).astimezone(ZoneInfo("Asia/Tokyo"))
    await user.should_see(f"Limited to 20 MB/s until {there:%H:%M}")


@pytest.mark.parametrize(
    ("begins", "changes", "said"),
    [
        (dt.timedelta(minutes=1), {}, "Limited to 20 MB/s from "),  # before all is copied
        (dt.timedelta(hours=3), {}, ""),
        (None, {}, "Limited to 20 MB/s"),
        (None, {"phase": Phase.PROVING}, ""),
        (None, {"stop_requested_at": scenes.now()}, ""),
    ],
)
def test_a_limit_is_told_while_it_matters(
    begins: dt.timedelta | None, changes: dict[str, object], said: str
) -> None:
    limit, now = Bandwidth(20_000_000), scenes.now()
    if begins is not None:
        start, end = (f"{now + each:%H:%M}" for each in (begins, begins + 2 * scenes.HOUR))
        limit = Bandwidth(20_000_000, start, end)

    told = limit_words(scenes.live_run(bandwidth=limit, **changes), now)

    assert told.startswith(said) and bool(told) == bool(said)
