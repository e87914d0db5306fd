"""The home page, drawn from made-up rows, and over an engine that changes."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.settings import Settings
from bucketvault.engine.setup.applying import apply
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.home import HomeView
from bucketvault.errors import BucketvaultError
from bucketvault.store.database import close_database, open_database
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Topic
from tests.pages import fake_engine, scenes, scenes_proof, scenes_settings
from tests.pages.scenes import Installation
from tests.pages.waiting import becomes


def drawn(home: HomeView) -> Any:
    """Draw it, with buttons that do nothing."""
    from bucketvault.pages.home import page as backups

    async def nothing(*_: object) -> None:
        return

    return backups.BackupsScreen(scenes.ZONE, backups.ListActions(nothing, nothing, nothing), home)


def show(rows: list[BackupRow], installation: Installation = scenes.GOOD_INSTALLATION) -> None:
    @ui.page("/")
    def page() -> None:
        drawn(scenes.home(rows, installation))


def the_list(user: User) -> Any:
    from bucketvault.pages.home.rows import BackupList

    (found,) = user.find(BackupList).elements
    return found


def list_rows(user: User) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in the_list(user).rows}


async def test_an_empty_page_says_what_to_do_next(
    user: User, engine: fake_engine.FakeEngine
) -> None:
    engine.rows, engine.steps = [], scenes.steps()

    await user.open("/")

    await user.should_see("Nothing is backed up yet.")
    await user.should_see("Connect a provider")
    await user.should_see("bucketvault apply setup.toml")


def test_the_example_is_taken_as_it_stands(tmp_path: Path) -> None:
    from bucketvault.pages.home.first_steps import EXAMPLE

    (tmp_path / "setup.toml").write_text(EXAMPLE)
    open_database(tmp_path / "bucketvault.sqlite")
    try:
        lines = apply(tmp_path / "setup.toml", Vault(tmp_path / "key"), {"B2_SECRET": "x" * 31})
    finally:
        close_database()

    assert len(lines) == 4


async def test_all_good_names_the_newest_copy_and_the_next_run(user: User) -> None:
    show(scenes.good_rows())

    await user.open("/")

    await user.should_see("All good. All backups are up to date.")
    await user.should_see("Newest copy 31 min ago (Postgres dumps).")
    await user.should_see("Next scheduled: ")


async def test_each_backup_that_needs_attention_stands_with_its_reason_and_a_way_to_it(
    user: User,
) -> None:
    show(scenes.bad_rows())

    await user.open("/")

    await user.should_see("3 of 7 backups need attention.")
    await user.should_see("its storage cap is reached")
    await user.should_see("Held for your approval: 625 of 1,037 objects would be removed")
    links = {element.props.get("href") for element in user.find(kind=ui.element).elements}
    assert {"/run/2", "/run/6", "/backups/4", "/backups/5"} <= links


async def test_an_approval_is_not_spoken_of_where_nothing_can_be_approved(user: User) -> None:
    row = scenes.backup_row(4, last_run=scenes.empty_run())
    show([row])

    await user.open("/")

    await user.should_see("Held: The source acme-photos/originals is empty.")
    assert [shown["word"] for shown in list_rows(user).values()] == ["Held"]


async def test_a_failed_one_says_in_what_state_its_copy_is(user: User) -> None:
    row = scenes.backup_row(4, last_run=scenes.failed_run(), last_good_at=None)
    show([row])

    await user.open("/")

    await user.should_see("The copy is partly updated. Objects: 3 missing, 1 different")
    await user.should_see("No run has succeeded yet.")


async def test_a_preview_leaves_the_state_and_the_need_of_its_backup(user: User) -> None:
    show(scenes.previewed_rows())

    await user.open("/")

    await user.should_see("3 of 7 backups need attention.")
    row = list_rows(user)["Product photos"]
    assert (row["word"], row["look"], row["run"]) == ("Held for your approval", "Progress", 14)
    assert row["live"]["lead"] == "Preview: looking"
    assert row["live"]["figures"] == " · 120,000 at the source, 118,000 at the destination"


async def test_a_row_says_state_ends_last_run_and_schedule(user: User) -> None:
    show(scenes.bad_rows())

    await user.open("/")

    row = list_rows(user)["Postgres dumps"]
    assert (row["word"], row["tone"]) == ("Failed", "st-bad")
    assert row["when"] == "32 min ago · copy partly updated"
    assert (row["id"], row["run"]) == (4, 2)
    assert "Europe/Berlin" in row["when_exact"]
    assert "Last proven: " in row["when_exact"]
    assert row["source"]["whole"] == "Amazon Frankfurt · acme-pg-dumps"
    assert row["schedule"] == "Daily at 01:30"


async def test_a_running_row_has_per_cent_speed_and_time_left(user: User) -> None:
    show(scenes.good_rows())

    await user.open("/")

    bar = list_rows(user)["Video masters"]["live"]
    assert bar == {
        "percent": 62.0,
        "lead": "62 %",
        "figures": " · 41.2 of 66.4 GB · 84 MB/s",
        "left": " · about 5 min left",
    }


async def test_a_backup_that_is_checking_has_a_bar_without_a_number(user: User) -> None:
    show(scenes.running_rows())

    await user.open("/")

    bar = list_rows(user)["Customer uploads"]["live"]
    assert bar["percent"] is None and bar["lead"] == "Checking both buckets"


async def test_a_row_counts_objects_while_no_byte_moves(user: User) -> None:
    runs = (scenes_proof.keeping_run(), scenes_proof.proving_run())
    show([scenes.backup_row(n, active_run=run) for n, run in enumerate(runs, start=1)])

    await user.open("/")

    keeping, proving = (list_rows(user)[name]["live"] for name in ("Customer uploads", "Invoices"))
    assert keeping == {
        "percent": 77.5,
        "lead": "Keeping old versions",
        "figures": " · 31 of 40",
        "left": "",
    }
    assert proving == {
        "percent": None,
        "lead": "Proving, pass 2 of 3",
        "figures": " · 12,000 at the source, 11,400 at the destination",
        "left": "",
    }


async def test_a_copy_that_was_not_proven_for_long_is_amber(user: User) -> None:
    show(scenes_proof.old_rows())

    await user.open("/")

    await user.should_see("Customer uploads has not been proven for more than 2 days.")
    row = list_rows(user)["Customer uploads"]
    assert (row["tone"], row["word"]) == ("st-old", "Last proof is old")
    assert row["when"] == "last proven 4 d ago"


async def test_a_schedule_of_another_zone_names_it(user: User) -> None:
    show([scenes.backup_row(1, time_zone="Asia/Tokyo")])

    await user.open("/")

    row = list_rows(user)["Customer uploads"]
    assert row["schedule"] == "Daily at 01:00 (Asia/Tokyo)"
    assert "Asia/Tokyo" in row["when_exact"] and "Europe/Berlin" not in row["when_exact"]
    assert row["zone"] == "Asia/Tokyo"


async def test_a_row_has_the_size_of_each_day_in_short(user: User) -> None:
    from bucketvault.pages.parts.strip import sizes_in_short

    show(scenes.good_rows())

    await user.open("/")

    last = list_rows(user)["Customer uploads"]["sizes"].split(",")
    assert (len(last), last[-1]) == (30, "318e9")
    told = sizes_in_short([None, None, 0, 999, 1_234_567, 1_234_600, 1_240_000, None])
    assert told == "-,,0,999,123e4,,124e4,-"


async def test_names_are_shown_with_visible_signs(user: User) -> None:
    show(scenes.hostile_rows())

    await user.open("/")

    assert any("\\u202egnp.exe" in name for name in list_rows(user))


async def test_what_another_tab_did_appears_without_a_reload(user: User, engine) -> None:
    engine.rows = scenes.good_rows()
    await user.open("/")
    await user.should_see("All good.")

    engine.rows = scenes.bad_rows()
    engine.live.publish(Topic.BACKUPS)

    await user.should_see("3 of 7 backups need attention.")
    assert list_rows(user)["Postgres dumps"]["word"] == "Failed"


async def test_the_first_backup_takes_its_place_below_the_first_steps(
    user: User, engine: fake_engine.FakeEngine
) -> None:
    from bucketvault.pages.home.rows import BackupList

    engine.rows, engine.steps = [], scenes.steps()
    await user.open("/")
    await user.should_see("First steps")
    await user.should_not_see(BackupList)

    engine.rows, engine.steps = scenes.good_rows()[:1], None
    engine.live.publish(Topic.BACKUPS)

    await user.should_see(BackupList)
    await user.should_not_see("First steps")


async def test_run_now_queues_the_backup_and_says_so(user: User, engine) -> None:
    await user.open("/")

    press(user, "run", 4)

    await user.should_see("Postgres dumps is queued.")
    assert engine.queued == [4]


async def test_a_refused_run_says_why(user: User, engine, monkeypatch) -> None:
    def refuse(_: int) -> int:
        raise BucketvaultError("The backup is gone.", "Reload the page.")

    monkeypatch.setattr(engine, "run_now", refuse)
    await user.open("/")

    press(user, "run", 4)

    await user.should_see("The backup is gone. Reload the page.")


async def test_a_page_that_cannot_be_brought_up_to_date_tries_again(
    user: User, engine, caplog: pytest.LogCaptureFixture
) -> None:
    await user.open("/")

    engine.rows = None  # it cannot be listed: a bug
    engine.live.publish(Topic.BACKUPS)
    await becomes(lambda: "could not be brought up to date" in caplog.text)
    caplog.clear()
    engine.rows = scenes.bad_rows()
    engine.live.publish(Topic.BACKUPS)

    await user.should_see("3 of 7 backups need attention.")


async def test_a_closed_page_leaves_no_subscription(user: User, engine) -> None:
    client = await user.open("/")
    assert engine.live._subscribers

    client.delete()

    assert not engine.live._subscribers


async def test_ages_move_on(user: User) -> None:
    home = scenes.home([scenes.backup_row(1)])
    screens = []

    @ui.page("/")
    def page() -> None:
        screens.append(drawn(home))

    await user.open("/")
    screens[0].show(home, scenes.now() + dt.timedelta(hours=5))

    assert list_rows(user)["Customer uploads"]["when"].startswith("6 h ago")


async def test_only_rows_that_changed_are_sent(user: User, monkeypatch) -> None:
    rows = scenes.good_rows()
    screens, sent = [], []

    @ui.page("/")
    def page() -> None:
        screens.append(drawn(scenes.home(rows)))

    await user.open("/")
    monkeypatch.setattr(the_list(user), "run_method", lambda *told: sent.append(told))
    screens[0].show(scenes.home(rows), scenes.now())
    rows[3] = scenes.backup_row(4, last_run=scenes.failed_run())
    screens[0].show(scenes.home(rows), scenes.now())

    ((name, changed, order),) = sent
    assert (name, [row["name"] for row in changed]) == ("change", ["Postgres dumps"])
    assert order[0] == 4 and sorted(order) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_row_has_its_30_days_and_says_them_in_words(user: User) -> None:
    show(scenes.bad_rows())

    await user.open("/")

    row = list_rows(user)["Postgres dumps"]
    assert row["days"] == "o" * 17 + "f" + "o" * 11 + "f"
    assert row["summary"].startswith("Last 30 days: 28 succeeded, 2 failed (")
    assert [one["group"] for one in list_rows(user).values()].count("need") == 3


async def test_the_switch_turns_the_schedule_off_and_says_what_that_means(
    user: User, engine: fake_engine.FakeEngine
) -> None:
    await user.open("/")

    press(user, "enable", {"id": 4, "on": False})

    await user.should_see("Postgres dumps is paused: no run is scheduled.")
    await becomes(lambda: list_rows(user)["Postgres dumps"]["on"] is False)
    press(user, "enable", {"id": 4, "on": True})
    await user.should_see("Postgres dumps is on: it runs on schedule.")


@pytest.mark.parametrize("told", [None, "4", {"id": "4", "on": True}, {"id": 4}, [4, True]])
async def test_what_no_button_sends_is_left_alone(
    user: User, engine: fake_engine.FakeEngine, told: object
) -> None:
    await user.open("/")

    press(user, "enable", told)
    press(user, "run", told)
    press(user, "run", 4)

    await user.should_see("Postgres dumps is queued.")
    assert engine.queued == [4]
    assert all(row.enabled is not (row.name == "Server logs") for row in engine.rows)


async def test_what_the_program_needs_stands_before_the_backups(user: User) -> None:
    broken = replace(
        scenes.GOOD_INSTALLATION, mail_is_set_up=False, rclone_problem=scenes.NO_RCLONE
    )
    show(scenes.bad_rows(), broken)

    await user.open("/")

    await user.should_see("rclone cannot be used")
    await user.should_see("rclone is missing")
    await user.should_see("You won't be told when a backup fails.")


async def test_the_hint_at_alerts_is_put_away_and_comes_back_when_that_is_undone(
    user: User, engine: fake_engine.FakeEngine
) -> None:
    engine.rows = scenes.bad_rows()
    engine.installation = replace(scenes.GOOD_INSTALLATION, mail_is_set_up=False)
    await user.open("/")
    await user.should_see("Alerts are off")

    user.find(marker="watch-elsewhere").click()

    await user.should_see("Alerts stay off. Settings can undo this.")
    await user.should_not_see("You won't be told when a backup fails.")
    assert engine.preferences.shown.settings.alerts_elsewhere
    engine.preferences.shown = replace(
        scenes_settings.fresh(), settings=replace(Settings(), alerts_elsewhere=True)
    )
    await user.open("/settings")
    await user.should_see("Alerts are off: you watch in another way.")
    user.find(marker="show-hint-again").click()
    await becomes(lambda: not engine.preferences.shown.settings.alerts_elsewhere)
    await user.open("/")
    await user.should_see("You won't be told when a backup fails.")


KINDS = ("amazon_s3", "backblaze_b2", "cloudflare_r2", "s3_compatible")
STEPS = {
    "a provider": (scenes.steps(), [f"/providers/new?kind={kind}" for kind in KINDS]),
    "a backup": (scenes.started(), ["/backups/new"]),
}


@pytest.mark.parametrize("what", STEPS)
async def test_the_next_step_leads_straight_to_its_form(
    user: User, engine: fake_engine.FakeEngine, what: str
) -> None:
    engine.rows, (engine.steps, hrefs) = [], STEPS[what]
    engine.installation = replace(scenes.GOOD_INSTALLATION, mail_is_set_up=False)

    await user.open("/")

    assert sorted(each.props["href"] for each in user.find(marker="next").elements) == hrefs
    await user.should_see("Get an alert when a backup fails")
    await user.should_not_see("You won't be told when a backup fails.")  # it is one of the steps


async def test_the_last_step_runs_the_first_backup(
    user: User, engine: fake_engine.FakeEngine
) -> None:
    engine.steps, engine.rows = scenes.started(), scenes.first_rows()
    await user.open("/")

    user.find(marker="next").click()

    await becomes(lambda: engine.queued == [1])
    engine.rows = [replace(engine.rows[0], active_run=scenes.live_run())]
    engine.live.publish(Topic.BACKUPS)
    await user.should_see("The first run is in progress.")


def press(user: User, name: str, told: object) -> None:
    """Send what a button in the list sends; the simulated browser draws no such component."""
    user.find(type(the_list(user))).trigger(name, told)


async def test_the_style_sheet_is_served_under_an_address_of_its_content(
    user: User, engine: fake_engine.FakeEngine
) -> None:
    page = (await user.http_client.get("/")).text
    (address,) = re.findall(r'href="(/assets/bucketvault\.css\?v=[0-9a-f]{12})"', page)

    answer = await user.http_client.get(address)

    assert answer.status_code == 200 and ".verdict" in answer.text
    assert "max-age=2592000" in answer.headers["cache-control"]
