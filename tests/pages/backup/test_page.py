"""The page of one backup: its answer, what was agreed, its runs, kept versions and the way back."""

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

import peewee as pw
import pytest
from nicegui import background_tasks, ui
from nicegui.testing import User

from bucketvault import humanize
from bucketvault.engine.runs.kept_versions import KeptVersionsError
from bucketvault.engine.views.answer import answer_of
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import InUseError, InvalidInputError, Problem
from bucketvault.pages.parts.table import Table
from bucketvault.vocabulary import RunKind, Topic
from tests.pages import backup_scenes, fake_backups, scenes, scenes_proof
from tests.pages.waiting import becomes, drawn


def answer(row: BackupRow) -> tuple[Tone, str, str]:

    page = backup_scenes.backup_page(row)
    said = answer_of(page.row, scenes.ZONE, scenes.now())
    return said.tone, said.sentence, said.detail


def rows_of(user: User, mark: str) -> list[dict[str, object]]:
    (table,) = user.find(marker=mark).elements
    assert isinstance(table, Table)
    return table.rows


def switch_of(user: User) -> ui.element:
    (made,) = user.find(marker="enabled").elements
    return made


def test_a_good_copy_says_how_old_it_is() -> None:
    tone, sentence, detail = answer(scenes.backup_row(1))

    assert (tone, sentence) == (
        Tone.OK,
        "The copy is complete and matches the source as of 1 h ago.",
    )
    assert detail.startswith("The last run succeeded: 14 copied, 2 replaced, 2 removed. Ended ")
    assert "Last proven: " in detail
    assert "218 of 218 objects; 205 with the same content hash, 13 of the same size only" in detail


def test_a_copy_without_names_that_cannot_be_copied_says_so() -> None:
    last = scenes_proof.odd_run()

    tone, sentence, detail = answer(scenes.backup_row(2, last_run=last, proof=last.proof))

    assert tone == Tone.WARN
    assert sentence.startswith("The copy is complete except for names that cannot be copied, as of")
    assert "7 objects changed since; the next run copies them." in detail


def test_a_proof_that_is_too_old_is_a_warning() -> None:
    tone, sentence, detail = answer(scenes_proof.old_row())

    assert (tone, sentence) == (Tone.OLD, "The copy has not been proven for more than 2 days.")
    assert detail.startswith("Start a run: it compares every object on both sides.")
    assert "Last proven: " in detail


def test_a_failed_one_says_first_in_what_state_the_copy_is() -> None:
    tone, sentence, detail = answer(scenes.backup_row(4, last_run=scenes.failed_run()))

    assert tone == Tone.BAD
    assert sentence.startswith("The last run failed: Backblaze EU took no more data")
    assert detail.startswith(
        "The copy is partly updated. Objects: 3 missing, 1 different from the source."
    )
    assert "The last good run ended on" in detail


def test_a_copy_at_a_former_place_is_not_called_complete() -> None:

    page = backup_scenes.backup_page(scenes.backup_row(1, moved=True))

    said = answer_of(page.row, scenes.ZONE, scenes.now())

    assert (said.tone, said.sentence) == (
        Tone.WARN,
        "There is no copy between these two places yet.",
    )
    assert "Its source or destination was changed since." in said.detail


@pytest.mark.parametrize(
    ("changes", "tone", "words"),
    [
        ({"last_run": scenes.held_run()}, Tone.HELD, "625 of 1,037 objects would be removed"),
        ({"last_run": scenes.empty_run()}, Tone.HELD, "Held: the source"),
        ({"last_run": scenes.stopped_run()}, Tone.STOP, "stopped by you"),
        ({"last_run": scenes.warned_run()}, Tone.WARN, "with 2 warnings"),
        ({"overdue": True}, Tone.MISS, "no run has succeeded since the last scheduled time"),
        (
            {"overdue": True, "missed_at": scenes.now()},
            Tone.MISS,
            "Missed: a run was scheduled ",
        ),
        (
            {"overdue": True, "unplannable": True},
            Tone.MISS,
            "its time zone is unknown on this machine",
        ),
        ({"enabled": False}, Tone.OFF, "no run is scheduled"),
        ({"last_run": None, "last_good_at": None}, Tone.NONE, "There is no copy yet."),
        ({"active_run": scenes.pending_run()}, Tone.WAIT, "waits for its turn"),
        (
            {"active_run": replace(scenes.pending_run(), waits_for="Photos")},
            Tone.WAIT,
            'waits for the run of "Photos" to end.',
        ),
        ({"active_run": scenes.live_run()}, Tone.RUN, "in progress"),
        (
            {"active_run": scenes.checking_run(kind=RunKind.PREVIEW)},
            Tone.OK,
            "The copy is complete",
        ),
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
        "Times are in Europe/Berlin",
        "Checksum",
        "30 days",
        "above 50 %",
    ):
        await user.should_see(words)


async def test_times_are_in_the_zone_of_the_backup_which_is_named_once(user: User, engine) -> None:
    engine.rows = [scenes.backup_row(4, time_zone="Asia/Tokyo")]
    engine.runs[3] = scenes.run_view(time_zone="Asia/Tokyo")
    last, zone = engine.rows[0].last_run, ZoneInfo("Asia/Tokyo")

    for page, told in (
        ("/backups/4", humanize.clock(last.finished_at, zone, scenes.now())),
        ("/run/3", humanize.to_the_second(engine.runs[3].finished_at, zone)),
    ):
        await user.open(page)

        await user.should_see(told)
        words = [getattr(each, "text", "") or "" for each in user.client.elements.values()]
        named = [each for each in words if "Asia/Tokyo" in each]
        assert named == ["Times are in Asia/Tokyo"], named


async def test_runs_say_state_time_and_counts(user: User, engine) -> None:
    engine.rows = scenes.bad_rows()

    await user.open("/backups/4")

    rows = rows_of(user, "runs")
    assert (rows[0]["word"], rows[0]["href"], rows[0]["took"]) == (
        "Failed",
        "/run/2",
        "12 min 4 s",
    )
    assert [row["word"] for row in rows[1:3]] == ["Verified in part", "Objects differ"]
    assert (rows[3]["word"], rows[3]["who"], rows[3]["copied"]) == ("Preview", "you", "-")
    assert rows[5]["word"] == "Succeeded, 2 warnings"
    assert rows[6]["word"] == "Held", "it waits for nobody any more"


async def test_a_backup_without_a_run_says_what_to_do(user: User, engine) -> None:
    engine.rows = [scenes.backup_row(1, last_run=None, last_good_at=None)]

    await user.open("/backups/1")

    await user.should_see("There has been no run yet.")


async def test_a_new_backup_offers_to_look_first_or_to_run(user: User, engine) -> None:
    engine.rows = [scenes.backup_row(1, last_run=None, last_good_at=None)]
    await user.open("/backups/1")
    await user.should_see("Preview shows what a run would do; Run now starts one at once.")

    user.find(marker="first-preview").click()

    await user.should_see("Looking: 120,000 at the source")
    assert engine.previewed == [1]


async def test_runs_are_turned_page_by_page_and_found_by_result(user: User, engine) -> None:
    await user.open("/backups/4")
    await user.should_see("412 runs since")
    newest = [row["id"] for row in rows_of(user, "runs")]
    assert engine.backups.asked[-1] == (None, None)

    user.find(marker="older").click()
    await becomes(lambda: engine.backups.asked[-1] == (None, newest[-1]))
    await becomes(lambda: [row["id"] for row in rows_of(user, "runs")] != newest)
    user.find(marker="newer").click()
    await becomes(lambda: [row["id"] for row in rows_of(user, "runs")] == newest)
    (which,) = user.find(marker="which").elements
    which.set_value(Tone.BAD)

    await becomes(lambda: engine.backups.asked[-1] == (Tone.BAD, None))


async def test_two_quick_presses_turn_one_page(user: User, engine) -> None:
    await user.open("/backups/4")
    newest = [row["id"] for row in rows_of(user, "runs")]
    user.find(marker="older").click()
    user.find(marker="older").click()
    await becomes(lambda: [row["id"] for row in rows_of(user, "runs")] != newest)

    user.find(marker="newer").click()

    await becomes(lambda: [row["id"] for row in rows_of(user, "runs")] == newest)


async def test_plots_are_fetched_when_they_come_into_view(user: User, engine) -> None:
    await user.open("/backups/4")
    assert engine.backups.measured == 0

    user.find(marker="plots").trigger("visibility", True)

    await user.should_see("Source size")
    await user.should_see("96.1 GB, 15 GB more than 89 runs ago")
    await user.should_see("1 did not succeed, in red")
    await user.should_see("31 runs, without storage: $4.99")
    assert engine.backups.measured == 1
    charts = user.find(ui.echart).elements
    assert {chart.props["role"] for chart in charts} == {"img"}
    assert all(": " in chart.props["aria-label"] for chart in charts)


def test_a_plot_takes_the_unit_that_fits_and_marks_failures() -> None:
    from bucketvault.pages.backup import plots as backup_plots

    measured = fake_backups.measures()

    size, took, moved = backup_plots.plots(measured)

    assert (size.unit, took.unit, moved.unit) == ("GB", "min", "GB")
    assert size.values[0] == 81.0
    failed = [not one.succeeded for one in measured]
    names, bars = backup_plots.points(took, ["then"] * 90, failed)
    assert [place for place, bar in enumerate(bars) if isinstance(bar, dict)] == [76]
    assert names[76] == f"then: {humanize.duration(measured[76].took_s)}, failed"
    assert backup_plots.points(size, ["then"] * 90, failed)[0][0] == "then: 81 GB"


async def test_the_last_thirty_days_are_a_strip_with_words(user: User, engine) -> None:
    await user.open("/backups/4")

    strips = [e for e in user.client.elements.values() if e.tag == "day-strip"]
    assert any(e.props.get("aria-label", "").startswith("Last 30 days: ") for e in strips)
    await user.should_see("29 succeeded, 1 failed (")


async def test_switching_off_says_that_only_the_schedule_stops(user: User, engine) -> None:
    await user.open("/backups/4")

    user.find(marker="enabled").click()

    await user.should_see("Postgres dumps is paused: no run is scheduled. Run now")
    assert engine.backups.switched == [(4, False)]
    await user.should_see("Paused: no run is scheduled.")


async def test_a_refused_switch_says_why_and_stays(user: User, engine, monkeypatch) -> None:
    def refuse(*_: object) -> bool:
        raise InvalidInputError([Problem("destination_path", "Another copies there.")])

    monkeypatch.setattr(engine.backups, "set_enabled", refuse)
    await user.open("/backups/4")

    user.find(marker="enabled").click()

    await user.should_see("Another copies there.")
    await becomes(lambda: switch_of(user).props["aria-checked"] == "true")


@pytest.mark.parametrize("mark", ["run-now", "enabled"])
async def test_a_press_that_a_busy_database_swallows_is_told(
    user: User, engine, monkeypatch, mark: str
) -> None:
    def busy(*_: object) -> None:
        raise pw.OperationalError("database is locked")

    monkeypatch.setattr(engine, "run_now", busy)
    monkeypatch.setattr(engine.backups, "set_enabled", busy)
    await user.open("/backups/4")

    user.find(marker=mark).click()

    await user.should_see("Nothing was changed. Try again.")


async def test_deleting_names_what_goes_and_what_stays_uncleaned(user: User, engine) -> None:
    await user.open("/backups/4")

    user.find(marker="delete").click()

    await user.should_see("Delete Postgres dumps?")
    await user.should_see("412 runs and their logs (48 MB) are deleted too, permanently.")
    await user.should_see("The copy stays in acme-pg-dumps-copy, and the kept versions in")
    await user.should_see("bucketvault no longer deletes them")
    assert any(row.id == 4 for row in engine.rows)
    user.find(marker="confirm").click()
    await user.should_see("New backup")  # on the home page
    assert not any(row.id == 4 for row in engine.rows)


async def test_a_running_backup_is_not_deleted_and_says_how_to_stop_it(user: User, engine) -> None:
    await user.open("/backups/7")

    user.find(marker="delete").click()

    await user.should_see("Video masters cannot be deleted now")
    await user.should_see("Stop it on its page, or wait until it ends.")
    (link,) = user.find(marker="instead").elements
    assert link.props["href"] == "/run/1"
    await user.should_not_see("Delete backup")


async def test_run_now_and_preview_go_to_their_run(user: User, engine) -> None:
    await user.open("/backups/4")
    user.find(marker="run-now").click()
    await user.should_see("Waiting for its turn.")

    await user.open("/backups/4")
    user.find(marker="preview").click()
    await user.should_see("Looking: 120,000 at the source, 118,000 at the destination")

    assert (engine.queued, engine.previewed) == ([4], [4])


async def test_a_refused_preview_says_why(user: User, engine, monkeypatch) -> None:
    def refuse(_: int) -> int:
        raise InUseError("A run of this backup is in progress.", "Wait until it ends.")

    monkeypatch.setattr(engine, "preview", refuse)
    await user.open("/backups/4")

    user.find(marker="preview").click()

    await user.should_see("A run of this backup is in progress. Wait until it ends.")


async def test_a_run_under_way_moves_here_too(user: User, engine) -> None:
    await user.open("/backups/7")
    await user.should_see("Copying: 62 %")
    await user.should_see("View progress")
    await user.should_see("16 objects")
    before = drawn(user)

    view = replace(engine.rows[6].active_run, progress=scenes.progress(0.75))
    engine.rows[6] = replace(engine.rows[6], active_run=view)
    engine.live.publish(Topic.BACKUPS)

    await user.should_see("Copying: 75 %")
    assert drawn(user) == before


async def test_kept_versions_come_after_the_page(user: User, engine) -> None:
    engine.kept_may_come.clear()
    await user.open("/backups/4")
    await user.should_see("Loading from Backblaze EU")
    engine.kept_may_come.set()

    await user.should_see("16 objects, 7.50 GB")
    rows = rows_of(user, "kept")
    assert [row["objects"] for row in rows] == ["4", "3", "2", "4", "3"]
    assert rows[4]["goes"] == "with the next good run"
    await user.should_see("On Backblaze, deleting only hides")
    await user.should_see("acme-pg-dumps-copy/.bucketvault-archive/postgres-dumps-1a2b3c/")


async def test_only_backblaze_hides(user: User, engine) -> None:
    await user.open("/backups/2")

    await user.should_see("16 objects")
    await user.should_not_see("On Backblaze")


async def test_foreign_names_are_shown_and_left_alone(user: User, engine) -> None:
    engine.kept = backup_scenes.kept(0, foreign=("notes.txt", "\u202egnp"))

    await user.open("/backups/4")

    await user.should_see("There are none")
    await user.should_see("Not made by bucketvault, left as they are:")
    await user.should_see("notes.txt, \\u202egnp")


async def test_many_folders_are_shown_when_asked_for(user: User, engine) -> None:
    engine.kept = backup_scenes.kept(50)
    await user.open("/backups/4")
    await user.should_see("Show all 50")
    assert len(rows_of(user, "kept")) == 30

    user.find(marker="all-kept").click()

    await user.should_not_see("Show all 50")
    assert len(rows_of(user, "kept")) == 50


async def test_a_provider_that_refuses_is_told_in_place_and_asked_again(user: User, engine) -> None:
    engine.kept = KeptVersionsError(
        "Backblaze EU said no.", "Look at the key.", "403 <b>AccessDenied"
    )
    await user.open("/backups/4")
    await user.should_see("Backblaze EU said no.")
    await user.should_see("Look at the key.")
    await user.should_see("403 <b>AccessDenied")

    engine.kept = backup_scenes.kept()
    user.find(marker="refresh-kept").click()

    await user.should_see("16 objects")
    await user.should_not_see("Backblaze EU said no.")


async def test_a_fault_of_ours_is_told_too(user: User, engine, caplog) -> None:
    engine.kept = None  # its folders cannot be counted: a bug
    await user.open("/backups/4")

    await user.should_see("They could not be listed.")
    assert "kept versions could not be shown" in caplog.text
    caplog.clear()


async def test_a_page_that_is_closed_while_the_provider_is_asked_is_left_alone(
    user: User, engine, caplog
) -> None:
    engine.kept_may_come.clear()
    client = await user.open("/backups/4")
    await user.should_see("Loading from Backblaze EU")

    client.delete()
    engine.kept_may_come.set()
    await becomes(lambda: not any(map(_asks_for_kept_versions, background_tasks.running_tasks)))

    assert "Traceback" not in caplog.text
    assert not engine.live._subscribers


def _asks_for_kept_versions(task: "asyncio.Task[object]") -> bool:
    return "KeptCard.load" in task.get_name()


async def test_a_run_that_ended_meanwhile_makes_kept_versions_old(user: User, engine) -> None:
    await user.open("/backups/1")
    await user.should_see("16 objects")

    engine.rows[0] = replace(engine.rows[0], last_run=scenes.run_view(id=99))
    engine.live.publish(Topic.BACKUPS)

    await user.should_see("a run has ended since")


async def test_the_way_back_can_be_read_and_downloaded(user: User, engine) -> None:
    await user.open("/backups/4")
    await user.should_see("HOW TO RESTORE THIS COPY")
    (link,) = user.find(marker="restore").elements

    file = await user.http_client.get(link.props["href"])

    assert file.text == backup_scenes.RESTORE_TEXT
    assert file.headers["content-disposition"] == 'attachment; filename="RESTORE.txt"'
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert (await user.http_client.get("/api/backups/99/RESTORE.txt")).status_code == 404


@pytest.mark.parametrize("path", ["می\u200cرود/👩\u200d🚀", "'" * 1024], ids=["joined", "long"])
async def test_the_way_back_that_is_shown_is_the_one_that_is_downloaded(
    user: User, engine, monkeypatch, path: str
) -> None:
    quoted = path.replace("'", "'\\''")
    command = f"  rclone --config rclone.conf copy 'copy:copies/{quoted}/' restored/"
    page = backup_scenes.backup_page(scenes.backup_row(4), restore_text=f"TO\n\n{command}\n")
    monkeypatch.setattr(engine, "overview_backup", lambda backup_id: page)
    await user.open("/backups/4")

    (shown,) = user.find("rclone --config").elements
    file = await user.http_client.get("/api/backups/4/RESTORE.txt")

    assert shown.text == file.text == page.restore_text


@pytest.mark.parametrize("number", ["99", "0", "-1", "9" * 40])
async def test_a_backup_that_is_not_there_is_not_found(user: User, engine, number: str) -> None:
    page = await user.http_client.get(f"/backups/{number}")

    assert page.status_code == 404


async def test_a_backup_that_is_deleted_meanwhile_says_so(user: User, engine) -> None:
    await user.open("/backups/4")

    engine.rows = engine.rows[:3]
    engine.live.publish(Topic.BACKUPS)

    await user.should_see("This backup was deleted.")
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
