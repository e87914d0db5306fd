"""The page of one backup: its answer, what was agreed, its runs, kept versions and the way back."""

import asyncio
from dataclasses import replace

import pytest
from nicegui import ui
from nicegui.testing import User

from bucketvault.engine.live import BACKUPS
from bucketvault.engine.overview import BackupRow
from bucketvault.engine.runs.archive import ArchiveError
from bucketvault.engine.verdict import Tone
from bucketvault.errors import InUseError
from tests.pages import backup_scenes, scenes


def answer(row: BackupRow) -> tuple[Tone, str, str]:
    from bucketvault.pages import backup_words

    page = backup_scenes.backup_page(row)
    said = backup_words.answer(page, scenes.ZONE, scenes.now())
    return said.tone, said.sentence, said.detail


def rows_of(user: User, mark: str) -> list[dict[str, object]]:
    (table,) = user.find(marker=mark).elements
    assert isinstance(table, ui.table)
    return table.rows


def test_a_good_copy_says_how_old_it_is() -> None:
    tone, sentence, detail = answer(scenes.backup_row(1))

    assert (tone, sentence) == (
        Tone.OK,
        "The copy is complete. It follows the source as it was 1 h ago.",
    )
    assert detail.startswith("The last run succeeded: 14 copied, 2 replaced, 2 removed. Ended ")


def test_a_failed_one_says_first_in_what_state_the_copy_is() -> None:
    tone, sentence, detail = answer(scenes.backup_row(4, last_run=scenes.failed_run()))

    assert tone == Tone.BAD
    assert sentence.startswith("The last run failed: Backblaze EU took no more data")
    assert detail.startswith("The copy is partly updated: 7 of 13 changes arrived")
    assert "The last good run ended on" in detail


@pytest.mark.parametrize(
    ("changes", "tone", "words"),
    [
        ({"last_run": scenes.held_run()}, Tone.HELD, "625 of 1,037 objects would be removed"),
        ({"last_run": scenes.empty_run()}, Tone.HELD, "Held: the source"),
        ({"last_run": scenes.stopped_run()}, Tone.STOP, "stopped by you"),
        ({"last_run": scenes.warned_run()}, Tone.WARN, "with 2 warnings"),
        ({"overdue": True}, Tone.MISS, "no good run since the last planned time"),
        ({"overdue": True, "missed_at": scenes.now()}, Tone.MISS, "Missed: a run was planned "),
        ({"overdue": True, "unplannable": True}, Tone.MISS, "its time zone is not known here"),
        ({"enabled": False}, Tone.OFF, "no run is planned"),
        ({"last_run": None, "last_good_at": None}, Tone.NONE, "There is no copy yet."),
        ({"active_run": scenes.pending_run()}, Tone.WAIT, "waits for its turn"),
        ({"active_run": scenes.live_run()}, Tone.RUN, "under way"),
        ({"active_run": scenes.checking_run(preview=True)}, Tone.OK, "The copy is complete."),
    ],
)
def test_each_state_has_its_sentence(changes: dict[str, object], tone: Tone, words: str) -> None:
    said = answer(scenes.backup_row(5, **changes))

    assert said[0] == tone
    assert words in said[1]


async def test_all_that_was_agreed_stands_in_words(user: User, engine) -> None:
    await user.open("/backups/4")

    for words in (
        "acme-pg-dumps-copy",
        "Amazon Frankfurt · 96 GB when last looked at",
        "Daily at 01:30",
        ", Europe/Berlin",
        "Checksum",
        "30 days",
        "above 50 %",
    ):
        await user.should_see(words)


async def test_runs_say_state_time_and_counts(user: User, engine) -> None:
    engine.rows = scenes.bad_rows()

    await user.open("/backups/4")

    rows = rows_of(user, "runs")
    assert (rows[0]["word"], rows[0]["href"], rows[0]["took"]) == (
        "Failed",
        "/run/2",
        "12 min 4 s",
    )
    assert (rows[1]["word"], rows[1]["who"], rows[1]["copied"]) == ("Preview", "you", "-")
    assert rows[3]["word"] == "Succeeded, 2 warnings"
    assert rows[4]["word"] == "Held", "it waits for nobody any more"


async def test_a_backup_without_a_run_says_what_to_do(user: User, engine) -> None:
    engine.rows = [scenes.backup_row(1, last_run=None, last_good_at=None)]

    await user.open("/backups/1")

    await user.should_see("There has been no run yet.")


async def test_run_now_and_preview_go_to_their_run(user: User, engine) -> None:
    await user.open("/backups/4")
    user.find(marker="run-now").click()
    await user.should_see("Waiting for its turn.", retries=20)

    await user.open("/backups/4")
    user.find(marker="preview").click()
    await user.should_see("Checking both buckets: 120,000 objects seen", retries=20)

    assert (engine.queued, engine.previewed) == ([4], [4])


async def test_a_refused_preview_says_why(user: User, engine, monkeypatch) -> None:
    def refuse(_: int) -> int:
        raise InUseError("A run of this backup is under way.", "Wait for its end.")

    monkeypatch.setattr(engine, "preview", refuse)
    await user.open("/backups/4")

    user.find(marker="preview").click()

    await user.should_see("A run of this backup is under way. Wait for its end.", retries=20)


async def test_a_run_under_way_moves_here_too(user: User, engine) -> None:
    await user.open("/backups/7")
    await user.should_see("Copying: 62 %")
    await user.should_see("Watch")
    await user.should_see("16 objects", retries=20)
    before = set(user.client.elements)

    view = replace(engine.rows[6].active_run, progress=scenes.progress(0.75))
    engine.rows[6] = replace(engine.rows[6], active_run=view)
    engine.live.publish(BACKUPS)

    await user.should_see("Copying: 75 %", retries=20)
    assert set(user.client.elements) == before


async def test_kept_versions_come_after_the_page(user: User, engine) -> None:
    engine.kept_pause_s = 0.3
    await user.open("/backups/4")
    await user.should_see("Asking Backblaze EU", retries=20)

    await user.should_see("16 objects, 7.50 GB", retries=30)
    rows = rows_of(user, "kept")
    assert [row["objects"] for row in rows] == ["4", "3", "2", "4", "3"]
    assert rows[4]["goes"] == "with the next good run"
    await user.should_see("On Backblaze a delete only hides")
    await user.should_see("acme-pg-dumps-copy/.bucketvault-archive/postgres-dumps-1a2b3c/")


async def test_only_backblaze_hides(user: User, engine) -> None:
    await user.open("/backups/2")

    await user.should_see("16 objects", retries=20)
    await user.should_not_see("On Backblaze")


async def test_foreign_names_are_shown_and_left_alone(user: User, engine) -> None:
    engine.kept = backup_scenes.kept(0, foreign=("notes.txt", "\u202egnp"))

    await user.open("/backups/4")

    await user.should_see("There are none", retries=20)
    await user.should_see("Not ours, and left alone:")
    await user.should_see("notes.txt, \\u202egnp")


async def test_many_folders_are_shown_when_asked_for(user: User, engine) -> None:
    engine.kept = backup_scenes.kept(50)
    await user.open("/backups/4")
    await user.should_see("Show all 50", retries=20)
    assert len(rows_of(user, "kept")) == 30

    user.find(marker="all-kept").click()

    await user.should_not_see("Show all 50", retries=20)
    assert len(rows_of(user, "kept")) == 50


async def test_a_provider_that_refuses_is_told_in_place_and_asked_again(user: User, engine) -> None:
    engine.kept = ArchiveError("Backblaze EU said no.", "Look at the key.", "403 <b>AccessDenied")
    await user.open("/backups/4")
    await user.should_see("Backblaze EU said no.", retries=20)
    await user.should_see("Look at the key.")
    await user.should_see("403 <b>AccessDenied")

    engine.kept = backup_scenes.kept()
    user.find(marker="refresh-kept").click()

    await user.should_see("16 objects", retries=20)
    await user.should_not_see("Backblaze EU said no.")


async def test_a_fault_of_ours_is_told_too(user: User, engine, caplog) -> None:
    engine.kept = None  # its folders cannot be counted: a bug
    await user.open("/backups/4")

    await user.should_see("They could not be listed.", retries=20)
    assert "kept versions could not be shown" in caplog.text
    caplog.clear()


async def test_a_page_that_is_closed_while_the_provider_is_asked_is_left_alone(
    user: User, engine, caplog
) -> None:
    engine.kept_pause_s = 0.3
    client = await user.open("/backups/4")
    await user.should_see("Asking Backblaze EU", retries=20)

    client.delete()
    await asyncio.sleep(0.4)

    assert "Traceback" not in caplog.text
    assert not engine.live._subscribers


async def test_a_run_that_ended_meanwhile_makes_kept_versions_old(user: User, engine) -> None:
    await user.open("/backups/1")
    await user.should_see("16 objects", retries=20)

    engine.rows[0] = replace(engine.rows[0], last_run=scenes.run_view(id=99))
    engine.live.publish(BACKUPS)

    await user.should_see("a run has ended since", retries=20)


async def test_the_way_back_can_be_read_and_downloaded(user: User, engine) -> None:
    await user.open("/backups/4")
    await user.should_see("HOW TO BRING THIS COPY BACK")
    (link,) = user.find(marker="restore").elements

    file = await user.http_client.get(link.props["href"])

    assert file.text == backup_scenes.RESTORE_TEXT
    assert file.headers["content-disposition"] == 'attachment; filename="RESTORE.txt"'
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert (await user.http_client.get("/api/backups/99/RESTORE.txt")).status_code == 404


@pytest.mark.parametrize("number", ["99", "0", "-1", "9" * 40])
async def test_a_backup_that_is_not_there_is_not_found(user: User, engine, number: str) -> None:
    page = await user.http_client.get(f"/backups/{number}")

    assert page.status_code == 404


async def test_a_backup_that_is_deleted_meanwhile_says_so(user: User, engine) -> None:
    await user.open("/backups/4")

    engine.rows = engine.rows[:3]
    engine.live.publish(BACKUPS)

    await user.should_see("This backup was deleted.", retries=20)
    await user.should_not_see("Run now")


async def test_names_are_text(user: User, engine) -> None:
    engine.rows = scenes.hostile_rows()

    await user.open("/backups/1")

    await user.should_see("<img src=x onerror=alert(1)>{{ 7*7 }} \\u202egnp.exe")


async def test_a_closed_page_leaves_no_subscription(user: User, engine) -> None:
    client = await user.open("/backups/1")
    assert engine.live._subscribers

    client.delete()

    assert not engine.live._subscribers


async def test_signing_out_is_a_plain_form(user: User, engine) -> None:
    await user.open("/")

    (button,) = user.find(marker="sign-out").elements
    form = button.parent_slot.parent
    assert (form.tag, form.props["method"], form.props["action"]) == ("form", "post", "/logout")
    assert button.props["type"] == "submit"
