"""The card that finds what to restore: search, day, commands, script, and what goes wrong."""

import datetime as dt
from dataclasses import replace

from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.runs.restoring import Cut, Reach, RestoreError
from bucketvault.pages.backup import restore_words
from bucketvault.pages.backup.restore import Copyable
from bucketvault.pages.parts.table import Table
from bucketvault.vocabulary import Topic
from tests.pages import scenes, scenes_restore
from tests.pages.waiting import becomes


async def find(user: User, words: str) -> None:
    (field,) = user.find(marker="find").elements
    field.value = words
    user.find(marker="find-form").trigger("submit.prevent")


async def found(user: User, words: str) -> list[dict[str, object]]:
    await find(user, words)
    await user.should_see(marker="found")
    (table,) = user.find(marker="found").elements
    assert isinstance(table, Table)
    return table.rows


def shown(user: User, label: str) -> list[str]:
    """The texts to copy of this name."""
    elements = user.client.elements.values() if user.client else ()
    every = [each for each in elements if isinstance(each, Copyable)]
    return [each.props["text"] for each in every if each.props["label"] == label]


def pick_day(user: User, place: int) -> None:
    (day,) = [each for each in user.find(ui.select).elements if "day" in each._markers]
    day.value = place


async def test_an_object_is_found_by_a_part_of_its_name_and_restored_as_of_a_day(
    user: User, engine
) -> None:
    await user.open("/backups/1")
    assert [row["name"] for row in await found(user, "INVOICE")] == [
        "2026/invoice-1.pdf",
        "2026/invoice-2.pdf",
        "2026/invoice-3.pdf",
    ]

    user.find(marker="found").trigger("choose", 0)
    await user.should_see("Replaced by the run of")
    await user.should_see("119 kB, kept until")
    place = "copy:acme-pg-dumps-copy"
    target = "'restored/invoice-1.pdf' --metadata"
    rclone = "rclone --config rclone.conf copyto"
    assert shown(user, "Command") == [f"{rclone} '{place}/2026/invoice-1.pdf' {target}"]
    (config,) = shown(user, "rclone.conf")
    assert config.startswith("[copy]\n") and config.endswith("secret_access_key = YOUR SECRET KEY")

    pick_day(user, 2)
    kept = f"{scenes.now() - dt.timedelta(days=9):%Y%m%d}"
    place = f"{place}/.bucketvault-archive/postgres-dumps-1a2b3c/{kept}T"
    await becomes(lambda: shown(user, "Command")[0].startswith(f"{rclone} '{place}"))
    assert shown(user, "Command")[0].endswith(f"Z/2026/invoice-1.pdf' {target}")


async def test_what_was_deleted_is_offered_as_of_the_newest_day_that_has_it(
    user: User, engine
) -> None:
    await user.open("/backups/1")
    (row,) = await found(user, "invoice-3")
    assert "deleted at the source" in str(row["note"])

    user.find(marker="found").trigger("choose", 0)

    await user.should_see("Deleted at the source, removed by the run of")
    await becomes(lambda: len(shown(user, "Command")) == 1)
    pick_day(user, 0)
    await user.should_see("It was not in the copy after the run that ended")
    assert not shown(user, "Command")


async def test_a_folder_and_the_whole_backup_come_as_a_script(user: User, engine) -> None:
    await user.open("/backups/1")
    (row,) = await found(user, "2026/")
    assert row["name"] == "2026/" and "3 objects" in str(row["note"])

    user.find(marker="found").trigger("choose", 0)
    await user.should_see(marker="make-script")
    user.find(marker="make-script").click()
    await user.should_see(marker="get-script")
    (link,) = user.find(marker="get-script").elements
    file = await user.http_client.get(link.props["href"])
    assert file.headers["content-disposition"].endswith('.sh"')
    assert "2026/invoice-2.pdf\n" in file.text and "README.md" not in file.text
    (command,) = shown(user, "Command")
    assert command == f"sh {link.props['download']} restored"

    user.find(marker="whole-backup").click()
    await user.should_see("The whole backup")
    user.find(marker="make-script").click()
    await user.should_see(marker="get-script")
    (link,) = user.find(marker="get-script").elements
    file = await user.http_client.get(link.props["href"])
    assert "\nREADME.md\n" in file.text


async def test_names_of_others_stay_text_and_run_nothing(user: User, engine) -> None:
    await user.open("/backups/1")
    (row,) = await found(user, "it's")

    user.find(marker="found").trigger("choose", 0)

    assert "\\u202e" in str(row["name"])
    await becomes(lambda: len(shown(user, "Command")) == 1)
    (command,) = shown(user, "Command")
    assert command.isprintable() and "\"$(printf '" in command


async def test_listing_shows_how_far_it_is_and_can_be_stopped(user: User, engine) -> None:
    engine.history_may_come.clear()
    await user.open("/backups/1")

    await find(user, "invoice")
    await user.should_see("12,000 old versions listed")
    user.find(marker="stop-finding").click()

    await user.should_see("Stopped.")
    engine.history_may_come.set()
    assert len(await found(user, "invoice")) == 3


async def test_what_fails_says_why_and_a_run_that_ends_makes_it_old(user: User, engine) -> None:
    engine.past = RestoreError("Backblaze refused the key.", "Check the key.", "AccessDenied")
    await user.open("/backups/1")
    await find(user, "invoice")
    await user.should_see("Backblaze refused the key.")
    await user.should_see("Check the key.")

    engine.past = None
    await find(user, "nothing like that")
    await user.should_see("No name in the copy or its old versions contains “nothing like that”")
    await found(user, "invoice")
    engine.rows[0] = replace(engine.rows[0], last_run=scenes.run_view(id=99))
    engine.live.publish(Topic.BACKUPS)
    await user.should_see("A run has finished since. Search again")


def test_how_far_back_days_reach_is_said_with_the_reason() -> None:
    history = scenes_restore.history()

    said = {}
    for cut in Cut:
        history.reach = Reach(cut, 7, history.days[-1].at, 1)
        said[cut] = restore_words.reach_words(history, scenes.ZONE, scenes.now())
    history.days = []
    none = restore_words.reach_words(history, scenes.ZONE, scenes.now())

    assert said[Cut.FIRST] == "Each run listed is complete: none of its old versions has expired."
    assert "1 old version that run 7 of" in said[Cut.VERSIONS]
    assert len(set(said.values())) == len(Cut)
    assert none.startswith("No day can be restored exactly.")
    history.close()
