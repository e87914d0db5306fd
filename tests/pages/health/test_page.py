"""The page Health: its one answer, its readings, what moves in it."""

import time
from dataclasses import replace

import pytest
from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.health.monitor import Health
from tests.pages import scenes, scenes_health


def show(found: Health) -> None:
    from bucketvault.pages.health import page as health

    @ui.page("/")
    def draw() -> None:
        health.HealthScreen(scenes.ZONE, found)


async def test_a_server_that_is_well_says_so_and_how_it_does(user: User) -> None:
    show(scenes_health.well())

    await user.open("/")

    await user.should_see("This server is healthy. Nothing here stops tonight's runs.")
    await user.should_see("9.1 GB of 20 GB free")
    await user.should_see("Enough for 15 months at the recent rate.")
    await user.should_see("124 %")
    await user.should_see("Video masters")
    await user.should_see("no rclone now")
    await user.should_see("2 running, 1 waiting, at most 2 at a time")


async def test_what_endangers_tonights_runs_is_said_first_with_what_to_do(user: User) -> None:
    show(scenes_health.unwell())

    await user.open("/")

    await user.should_see(
        "Scheduler, rclone and disk of the data folder put tonight's runs at risk."
    )
    await user.should_see("Restart bucketvault")
    await user.should_see("Needs attention")
    await user.should_see("Free some space on the disk of /var/lib/bucketvault")
    await user.should_see("No run is in progress.")


async def test_just_after_the_start_nothing_is_made_up(user: User) -> None:
    show(scenes_health.just_started())

    await user.open("/")

    await user.should_see("Nothing here stops tonight's runs. Mail is worth a look.")
    await user.should_see("Collecting data …")
    await user.should_see("The first copy is made within a day.")
    await user.should_see("load 0.10 on 2 cores")


async def test_figures_change_in_place_while_somebody_looks(user: User, engine) -> None:
    await user.open("/health")
    await user.should_see("9.1 GB of 20 GB free")
    found = engine.health.look()
    disk = replace(found.readings[2], value="8.8 GB of 20 GB free")
    engine.health.found = replace(
        found, readings=(*found.readings[:2], disk, *found.readings[3:]), copying=()
    )

    await user.should_see("8.8 GB of 20 GB free")
    await user.should_see("No run is in progress.")
    await user.should_not_see("9.1 GB of 20 GB free")


async def test_the_page_stands_in_the_navigation(user: User, engine) -> None:
    await user.open("/")

    await user.should_see("Health")


@pytest.mark.slow  # takes seconds
async def test_a_page_that_a_busy_machine_needs_long_for_is_shown(
    user: User, engine, monkeypatch
) -> None:
    answer = engine.answer

    def slowly() -> object:
        time.sleep(3.3)  # longer than NiceGUI waits by itself
        return answer()

    monkeypatch.setattr(engine, "answer", slowly)

    await user.open("/health")

    await user.should_see("Processor")
