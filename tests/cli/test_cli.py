"""The commands, as a person or a script meets them."""

import contextlib
import datetime as dt
import fcntl
import json
import shlex
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from bucketvault.cli.parser import build
from bucketvault.cli.watching import approval_command
from bucketvault.engine.maintenance import remove_old_logs
from bucketvault.store.database import close_database, open_database, writing
from bucketvault.store.models import BackupRun, utcnow
from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3


def test_an_empty_installation_says_what_to_do_first(bucketvault: Program) -> None:
    done = bucketvault.shell("status")

    assert done.code == 0 and "bucketvault apply setup.toml" in done.out


def test_a_file_applied_twice_says_what_it_made_and_then_that_nothing_changed(
    bucketvault: Program,
) -> None:
    file = bucketvault.folder / "setup.toml"
    file.write_text("[settings]\nmax_parallel_runs = 3\n", "utf-8")

    first, second = (bucketvault.shell("apply", str(file)) for _ in range(2))

    assert first.code == second.code == 0
    assert first.out != second.out == "unchanged\n"


def test_a_name_that_is_not_there_is_answered_with_one_that_is(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))

    done = bucketvault.shell("run", "Fotos")

    assert done.code == 2 and 'no backup "Fotos"' in done.err and '"Photos"' in done.err


@pytest.mark.parametrize(
    "arguments", [["log", "7"], ["log", "9" * 20], ["log", "Nothing"], ["run", ""]]
)
def test_what_does_not_exist_is_said_without_a_traceback(
    bucketvault: Program, arguments: list[str]
) -> None:
    done = bucketvault.shell(*arguments)

    assert done.code == 2 and done.err and "Traceback" not in done.err


@pytest.mark.parametrize("name", ["Photos", "-x", "--wait", "two words; rm -r .", "17"])
def test_the_command_that_approves_is_read_as_it_is_printed(name: str) -> None:
    words = shlex.split(approval_command(name, 17))

    given = build().parse_args(words[1:])

    assert (given.name, given.approve) == (name, 17)


@pytest.mark.parametrize("number", ["Photos", "0", "-1", "1.5", "9" * 5000])
def test_what_is_no_number_of_a_run_approves_nothing(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        build().parse_args(["run", "Photos", "--approve", number])

    assert ended.value.code == 2 and "--approve" in capsys.readouterr().err


def test_a_damaged_database_is_said_with_the_way_back(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))
    database = bucketvault.data_dir / "bucketvault.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as plain:
        of_runs = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'backup_run'"
        pages = plain.execute(of_runs).fetchall()
        ((size,),) = plain.execute("PRAGMA page_size").fetchall()
    with database.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)

    for command in ("status", "status --json", "log 1", "run Photos"):
        done = bucketvault.shell(*command.split())

        assert done.code == 1 and not done.out and "Traceback" not in done.err, (command, done)
        assert f"{database} is damaged" in done.err
        assert f"restore the newest copy from {database.parent / 'backups'}" in done.err
        assert "bucketvault restore-database" in done.err


def test_a_folder_named_from_one_that_is_gone_is_said_without_a_traceback(
    bucketvault: Program, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-m", "bucketvault", "--data-dir", "data", "status"]

    done = subprocess.run(
        ["sh", "-c", f'rmdir "$PWD" && exec {shlex.join(command)}'],
        cwd=gone,
        env=bucketvault.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--data-dir is 'data'" in done.stderr


def test_a_wrong_setting_ends_with_code_2_and_its_name(bucketvault: Program) -> None:
    done = bucketvault.shell("status", BUCKETVAULT_LOG_LEVEL="loud")

    assert done.code == 2 and "BUCKETVAULT_LOG_LEVEL" in done.err


def test_status_tells_scripts_by_its_exit_code(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source = new_bucket(here, objects(4))
    bucketvault.backup(source, new_bucket(elsewhere))
    bucketvault.run()
    good = bucketvault.shell("status")
    assert good.code == 0 and "Alerts are off. You won't be told" in good.out
    good_at = bucketvault.last_run()["finished_at"]
    listed = json.loads(bucketvault.shell("runs", "--json").out)
    assert [(run["backup"], run["status"]) for run in listed] == [("Photos", "success")]
    assert listed[0]["counts"]["copied"] == 4
    for key in objects(4):
        source.delete(key)

    done = bucketvault.shell("run", "Photos", "--wait")
    assert done.err.startswith(
        "Photos: held. The copy was not changed. The last good run ended on "
    )
    told = bucketvault.shell("status", "--json")
    log = bucketvault.shell("log", "Photos")

    assert told.code == 1
    looked = "Compared both buckets: 0 at the source, 4 at the destination; 4 to remove\n"
    assert (log.code, log.err) == (0, "") and log.out.split("  ", 1)[1] == looked
    run = json.loads(told.out)["backups"][0]["last_run"]
    assert set(run) >= {"id", "status", "reason", "trigger", "exit_code", "counts", "warnings"}
    assert (run["status"], run["trigger"], run["exit_code"]) == ("failed", "cli", None)
    words = bucketvault.shell("status").out
    assert "is empty" in words and "Approve it" not in words
    first = next(line for line in words.splitlines() if line.startswith("Photos: held, "))
    assert "The copy was not changed. Last good run: " in first
    assert json.loads(told.out)["backups"][0]["last_good_at"] == good_at
    *runs, zone = bucketvault.shell("runs", "Photos").out.splitlines()
    assert [line.split()[1] for line in runs] == ["Held", "Succeeded"]
    assert zone == "Times are in Europe/Berlin."


def test_a_schedule_is_turned_off_and_on_again(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here), new_bucket(elsewhere))

    off, again, on = (
        bucketvault.shell(word, "photos").out for word in ("disable", "disable", "enable")
    )

    assert off == again == "Photos: the schedule is off.\n  Paused: no run is scheduled.\n"
    assert on.startswith("Photos: the schedule is on.\n  Next run: ")
    assert bucketvault.shell("disable", "Fotos").code == 2


def test_a_key_is_tested_and_each_right_is_named(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(1)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, source_secret="another-secret-0001")

    told = bucketvault.shell("providers").out
    good = bucketvault.shell(
        "providers", "test", "destination", "--bucket", destination.name, "--write", "--json"
    )
    bad = bucketvault.shell("providers", "test", "Source")

    assert told.count("1 bucket, 1 backup") == 2 and "Source: 127.0.0.1:" in told
    rights = json.loads(good.out)["rights"]
    assert good.code == 0 and {right["outcome"] for right in rights} == {"works"}
    assert {"write", "set_aside", "delete"} <= {right["right"] for right in rights}
    assert bad.code == 1 and "✗ Sign in" in bad.out and not destination.keys()
    assert "another-secret-0001" not in bad.out + bad.err


def test_a_stopped_run_is_called_so(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(30, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    run = bucketvault.start("run", "Photos", "--wait")
    until("something is copied", destination.copy_keys)

    stopped = bucketvault.shell("stop", "Photos")
    _, err = run.communicate(timeout=60)

    assert stopped.code == 0 and "Photos: stopped. " in stopped.err and "Photos: stopped. " in err
    assert run.returncode == 1 and "Photos: STOPPED, " in bucketvault.shell("status").out
    again = bucketvault.shell("stop", "1")
    assert again.code == 0 and again.out == "Photos is not running; run 1 has ended.\n"


def test_a_followed_log_ends_with_its_run_and_has_every_line(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(30, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    run = bucketvault.start("run", "Photos", "--wait")
    until("something is copied", destination.copy_keys)

    follower = bucketvault.start("log", "Photos", "--follow")
    assert follower.stdout is not None and (first := follower.stdout.readline())
    pausing.thaw()
    out = follower.stdout.read()  # communicate() would miss what came along with the first line
    _, err = follower.communicate(timeout=60)
    run.communicate()

    assert follower.returncode == 0 and not err
    assert (first + out).count("copied (new), 4.0 kB") == 30


def test_progress_without_a_terminal_is_plain_lines(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(4)), new_bucket(elsewhere))

    done = bucketvault.shell("run", "Photos", "--wait")

    assert "\r" not in done.out and "Photos: The copy is complete: 4 copied." in done.out


def test_a_reader_that_goes_away_neither_ends_a_run_nor_changes_its_exit_code(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(30, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    run = bucketvault.start("run", "Photos", "--wait")
    assert run.stdout is not None and run.stdout.readline()
    until("something is copied", destination.copy_keys)

    run.stdout.close()
    pausing.thaw()

    assert run.wait(60) == 0
    run.stdout = None
    assert bucketvault.last_run()["status"] == "success" and destination.copy() == source.objects()


def test_what_is_not_ours_among_the_runs_stays_and_stops_nothing(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(4)), new_bucket(elsewhere))
    foreign = bucketvault.data_dir / "runs" / "exp1"
    foreign.mkdir()
    (foreign / "model.pt").write_text("precious")
    (bucketvault.data_dir / "runs" / ".DS_Store").write_text("")

    assert bucketvault.run()["status"] == "success"

    assert (foreign / "model.pt").read_text() == "precious"


def test_what_an_ended_run_left_is_swept_at_start_and_what_somebody_works_on_stays(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(4)), new_bucket(elsewhere))
    left, held = (bucketvault.data_dir / "runs" / str(uuid.uuid4()) for _ in range(2))
    for folder in (left, held):
        folder.mkdir()
        (folder / "rclone.log").write_text("what it said")
    with open(held / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert bucketvault.run()["status"] == "success"

    assert not left.exists() and held.exists()


def test_a_backup_called_by_a_number_has_its_log_found(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(4)), new_bucket(elsewhere), "2026")
    bucketvault.run("2026")

    assert bucketvault.shell("log", "2026").out.count("copied (new)") == 4


def test_output_that_cannot_show_a_sign_escapes_it(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(4)), new_bucket(elsewhere), "Küste")

    done = bucketvault.shell("status", PYTHONIOENCODING="ascii")

    assert done.code == 0 and r"K\xfcste" in done.out


def test_a_log_cut_off_by_its_reader_is_no_error(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(250)), new_bucket(elsewhere))
    bucketvault.run()

    reader = bucketvault.start("log", "Photos", "--raw")
    assert reader.stdout is not None
    reader.stdout.close()

    assert reader.wait(30) == 0
    assert reader.stderr is not None and not reader.stderr.read()
    reader.stdout = None


@pytest.mark.parametrize("how", [[], ["--raw"]], ids=["as people read it", "raw"])
def test_a_log_that_finds_no_room_where_it_goes_says_so(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, how: list[str]
) -> None:
    bucketvault.backup(new_bucket(here, objects(2)), new_bucket(elsewhere))
    bucketvault.run()

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bucketvault", "log", "Photos", *how],
            env=bucketvault.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "No space left on device: the output"


def test_a_log_that_went_for_its_age_is_said_and_not_shown_as_empty(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(2)), new_bucket(elsewhere))
    first, second = bucketvault.run(), bucketvault.run()
    open_database(bucketvault.data_dir / "bucketvault.sqlite3")
    with writing():
        for run, days in ((first, 91), (second, 1)):
            ended = utcnow() - dt.timedelta(days=days)
            BackupRun.update(finished_at=ended).where(BackupRun.id == run["id"]).execute()
    remove_old_logs(utcnow(), 90)
    close_database()

    said = bucketvault.shell("log", str(first["id"]))

    assert said.code == 0 and not said.out
    assert "This log was removed on" in said.err and "90 days" in said.err
