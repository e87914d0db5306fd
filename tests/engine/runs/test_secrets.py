"""Keys are nowhere but in the vault: hunted for in all that a run leaves and shows."""

import contextlib
import os
import sqlite3
import threading
import uuid
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.conftest import NewBucket
from tests.support.program import Program, objects
from tests.support.servers import RcloneS3, rclone_path


def marks() -> tuple[str, str]:
    """A key that is nowhere else on this machine, nor in a test that runs beside this one."""
    own = uuid.uuid4().hex[:10]
    return f"AKIAMARKER{own.upper()}", f"marker/{own}+0001=%2F\"'#;"


class Hunter(threading.Thread):
    """Looks through argv and environment of every process, and every file, during a run."""

    def __init__(self, program: Program, marked: tuple[str, str], *, leave_out: str) -> None:
        super().__init__(daemon=True)
        self.marked, self.leave_out = marked, leave_out
        self.program, self.found, self.looks = program, set[str](), 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.look()

    def look(self) -> None:
        self.looks += 1
        for process in psutil.process_iter():
            try:
                shown = " ".join(process.cmdline()) + str(process.environ())
                if "serve s3" in shown:
                    continue  # the server under test is started with its key, by the test
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            self.hunt(f"process {shown[:200]}", shown.encode())
        for folder, _, names in os.walk(self.program.data_dir):  # which bears folders that go
            for name in names:
                with contextlib.suppress(OSError):
                    if name != self.leave_out:
                        self.hunt(f"{folder}/{name}", Path(folder, name).read_bytes())

    def hunt(self, where: str, data: bytes) -> None:
        for mark in self.marked:
            if mark.encode() in data:
                self.found.add(f"{mark} in {where}")


@pytest.mark.parametrize(
    "ending",
    ["success", "wrong secret", "refused by the server", "a leaking rclone", "leaking tidying"],
)
def test_keys_are_in_no_argument_environment_file_log_or_output(
    bucketvault: Program, new_bucket: NewBucket, elsewhere: RcloneS3, tmp_path: Path, ending: str
) -> None:
    marked = marks()
    secret = marked[1] if ending != "wrong secret" else "something-else-0001"
    with RcloneS3(tmp_path / "own", marked[0], secret, extra_args=("--bwlimit", "40k")) as own:
        source = new_bucket(own, objects(20, 2000))
        bucketvault.environment["KEY_ID"], bucketvault.environment["SECRET"] = marked
        setup_with_references(bucketvault, own, source.name, elsewhere, new_bucket(elsewhere).name)
        del bucketvault.environment["KEY_ID"], bucketvault.environment["SECRET"]
        if ending == "refused by the server":
            own.stop()
        elif "leaking" in ending:
            leaking_rclone(bucketvault, "lsf" if "tidying" in ending else "copy")
        # A spool is rclone's own file: what a broken rclone writes there is gone with the run.
        hunter = Hunter(bucketvault, marked, leave_out="rclone.log" if "leaking" in ending else "-")
        hunter.start()

        runs = 0
        while hunter.looks < 4:  # a run may be over before that
            done = bucketvault.shell("run", "Photos", "--wait", BUCKETVAULT_LOG_LEVEL="debug")
            runs += 1
        status = bucketvault.shell("status", "--json")
        log = bucketvault.shell("log", "Photos")

        hunter.over.set()
        hunter.join()
        hunter.look()

    is_good = ending in ("success", "leaking tidying")
    assert (done.code == 0) == is_good
    assert not hunter.found
    for told in (done, status, log):
        assert not any(mark in told.out + told.err for mark in marked)
    mails = mails_of(bucketvault)
    assert len(mails) == (0 if is_good else runs)
    assert not any(mark in part for mail in mails for part in mail for mark in marked)
    run = bucketvault.last_run()
    if ending == "leaking tidying":
        assert len(run["warnings"]) == 1, run
    if ending == "a leaking rclone":
        assert b"[secret]" in bucketvault.raw_log(run["id"])
        assert any("masked" in warning for warning in run["warnings"])


def mails_of(program: Program) -> list[tuple[str, str]]:
    """Subject and text of each mail that was written, whether anybody took it or not."""
    with closing(sqlite3.connect(program.data_dir / "bucketvault.sqlite3")) as plain:
        return plain.execute("SELECT subject, body FROM mail").fetchall()


def setup_with_references(
    program: Program, own: RcloneS3, bucket: str, other: RcloneS3, destination: str
) -> None:
    (program.folder / "other.secret").write_text(other.secret_access_key + "\n")
    done = program.apply(f"""
[[provider]]
name = "Own"
provider_type = "amazon_s3"
endpoint = "{own.endpoint}"
access_key_id = {{env = "KEY_ID"}}
secret_access_key = {{env = "SECRET"}}

[[provider]]
name = "Other"
provider_type = "amazon_s3"
endpoint = "{other.endpoint}"
access_key_id = "{other.access_key_id}"
secret_access_key = {{file = "other.secret"}}

[[storage]]
provider = "Own"
bucket_name = "{bucket}"

[[storage]]
provider = "Other"
bucket_name = "{destination}"

[[backup]]
name = "Photos"
source = {{provider = "Own", bucket = "{bucket}"}}
destination = {{provider = "Other", bucket = "{destination}"}}
schedule = "daily"
at = "03:15"

[settings]
smtp_host = "127.0.0.1"
smtp_port = 9
smtp_security = "none"
smtp_user = "me"
smtp_password = {{env = "SECRET"}}
mail_from = "vault@example.com"
mail_to = "me@example.com"
""")
    assert done.code == 0, done


def leaking_rclone(program: Program, command: str) -> None:
    """An rclone that prints its configuration in one of its commands, as one with a bug might."""
    fake = program.folder / "fake-rclone"
    fake.write_text(
        f"""#!/bin/bash
case " $* " in
  *" {command} "*) cat "$2"; cat "$2" >&2; exit 1;;
esac
exec {rclone_path()} "$@"
"""
    )
    fake.chmod(0o755)
    program.environment["BUCKETVAULT_RCLONE"] = str(fake)


def test_a_copy_of_the_data_folder_does_not_open_the_keys(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(2)), new_bucket(elsewhere))
    bucketvault.key_file.write_text("x" * 43 + "=\n")

    done = bucketvault.shell("run", "Photos", "--wait")

    assert done.code == 1 and "key" in done.err
