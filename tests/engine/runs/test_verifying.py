"""Bytes are read and compared by a run of its own: found, named, mailed once, then repaired."""

import contextlib
import datetime as dt
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from bucketvault.engine.domain.reading import Damage, coverage_of, damage_of
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Mail, utcnow
from bucketvault.vocabulary import MailKind, Reason, RunKind, RunStatus, Trigger
from tests.conftest import NewBucket
from tests.engine.runs.scene import Scene, scene_between
from tests.support.program import Program, until
from tests.support.servers import MotoServer
from tests.support.wrong_answers import Lie, changed, flipped

pytestmark = pytest.mark.slow

FEW = {"a.txt": b"first", "b/ü.txt": b"second" * 1000, "c.txt": b"third"}


@pytest.fixture
def scene(bucketvault: Program, moto: MotoServer, new_bucket: NewBucket) -> Iterator[Scene]:
    with scene_between(bucketvault, new_bucket, moto, moto) as made:
        yield made


def verify(scene: Scene, code: int = 0) -> BackupRun:
    done = scene.program.cli("verify", "Photos", "--wait")
    assert done.code == code, done
    return newest(scene)


def newest(scene: Scene) -> BackupRun:
    with scene.program.database(), connection():
        return BackupRun.select().order_by(BackupRun.id.desc()).first()


def backup(scene: Scene) -> Backup:
    with scene.program.database(), connection():
        return Backup.get()


def damage(scene: Scene) -> Damage | None:
    return damage_of(backup(scene).reading)


def mails(scene: Scene) -> list[str]:
    with scene.program.database(), connection():
        return [mail.body for mail in Mail.select().where(Mail.kind == MailKind.DAMAGED)]


def told(scene: Scene, run: BackupRun) -> list[dict[str, Any]]:
    lines = map(json.loads, scene.program.raw_log(run.id).splitlines())
    return [line for line in lines if line.get("bucketvault") == "proof"]


def flips(end: str, scene: Scene, key: str) -> None:
    """Let one end give other bytes than it stores, with the ETag and the size of these."""
    proxy = scene.at_source if end == "source" else scene.at_destination
    proxy.lies.append(Lie("GET", f"/{key}$", answer=changed(flipped)))


def with_mail(scene: Scene) -> None:
    setup = '[settings]\nmail_to = "a@b.example"\nmail_from = "c@d.example"\n'
    setup += 'smtp_host = "127.0.0.1"\nsmtp_port = 9\nsmtp_security = "none"\n'
    done = scene.program.apply(setup)
    assert done.code == 0, done


def test_all_is_read_and_equal_and_the_day_is_remembered(scene: Scene) -> None:
    scene.copied(FEW)
    before = scene.state()

    run = verify(scene)

    assert (run.kind, run.status, run.trigger) == (RunKind.VERIFY, RunStatus.SUCCESS, Trigger.CLI)
    assert run.explanation == "Read 3 objects, 6.0 kB on each side: all equal."
    assert (run.checked, run.errors, run.bytes) == (3, 0, 6010)
    coverage = coverage_of(backup(scene).reading, utcnow().date())
    assert coverage is not None
    assert (coverage.recent_objects, coverage.objects, coverage.recent_bytes) == (3, 3, 6010)
    assert scene.state() == before, "nothing was written"


def test_headers_that_a_copy_lost_are_told_by_its_run_and_counted_by_a_reading(
    scene: Scene,
) -> None:
    """Measured with rclone 1.75.2: docs/providers.md, "What S3 to S3 copying loses"."""
    page = {"Expires": dt.datetime(2030, 1, 1, tzinfo=dt.UTC), "WebsiteRedirectLocation": "/b"}
    scene.source.put("a.html", b"first", **page)
    scene.source.put("b.html", b"second", Metadata={"cache-control": "no", "colour": "blue"})
    scene.source.put("c.html", b"third", CacheControl="no", Metadata={"colour": "red"})
    scene.backup()

    copied = scene.program.run()
    read = verify(scene)

    lost = [
        "a.html (expires, x-amz-website-redirect-location)",
        "b.html (cache-control, x-amz-meta-cache-control)",
    ]
    warning = {"code": "headers", "n": 2, "asked": 3, "names": lost}
    assert copied["status"] == "success" and len(copied["warnings"]) == 1, copied
    assert copied["warnings"][0].startswith(
        "Headers or metadata differ in the copy of 2 of 3 objects compared: a.html (expires, "
    )
    assert (read.status, read.warnings) == (RunStatus.SUCCESS, [warning])
    assert [line["object"] for line in told(scene, read)] == ["a.html", "b.html"]


def test_without_a_proven_copy_it_is_refused_with_what_to_do(scene: Scene) -> None:
    scene.source_has(FEW)
    scene.backup()

    done = scene.program.cli("verify", "Photos", "--wait")

    assert done.code == 1
    assert "No run has proven a copy yet" in done.err and "Run the backup first." in done.err


def test_damage_in_the_copy_is_named_mailed_once_and_repaired_by_the_next_run(
    scene: Scene,
) -> None:
    scene.copied(FEW)
    with_mail(scene)
    flips("copy", scene, "a.txt")

    run = verify(scene, 1)
    again = verify(scene, 1)
    mailed = mails(scene)
    scene.at_destination.lies.clear()
    repaired = scene.run()
    whole = verify(scene)

    assert (run.reason, run.errors) == (Reason.DAMAGED, 1)
    assert run.explanation.startswith("1 object differs: a.txt.")
    line = next(line for line in told(scene, run) if line["object"] == "a.txt")
    assert line["level"] == "error" and line["what"] == "damaged"
    found = run.findings["found"][0]
    assert found["source"]["sha256"] in line["msg"] and found["copy"]["sha256"] in line["msg"]
    assert again.findings["new"] == 0 and len(mailed) == 1
    assert "a.txt: Damaged in the copy" in mailed[0]
    assert found["copy"]["sha256"] in mailed[0].replace("\n", "")
    assert (repaired["counts"]["replaced"], repaired["counts"]["archived"]) == (1, 1)
    assert whole.status == RunStatus.SUCCESS and damage(scene) is None


def test_damage_stays_known_until_a_run_has_mended_it(scene: Scene) -> None:
    scene.copied(FEW)
    flips("copy", scene, "a.txt")

    verify(scene, 1)
    status = scene.program.cli("status")

    assert damage(scene) == Damage(in_copy=1, names=("a.txt",))
    assert status.code == 1 and "1 object is damaged in the copy: a.txt." in status.out


def test_damage_at_the_source_is_a_finding_and_never_repaired(scene: Scene) -> None:
    scene.copied(FEW)
    flips("source", scene, "c.txt")

    run = verify(scene, 1)
    before = scene.state()
    scene.at_source.lies.clear()
    later = scene.run()

    assert (run.reason, run.findings["source_damaged"]) == (Reason.DAMAGED, 1)
    assert damage(scene) == Damage(at_source=1, names=("c.txt",))
    assert later["counts"]["replaced"] == 0
    assert scene.state() == before


def test_what_was_written_since_the_last_run_is_no_finding(scene: Scene) -> None:
    scene.copied(FEW)
    scene.source.put("a.txt", b"newer")
    scene.destination.put("c.txt", b"other")

    run = verify(scene)

    assert run.findings["changed"] == 2 and run.findings["equal"] == 1
    assert "2 were written since the last proven run and not compared." in run.explanation


def test_an_object_that_cannot_be_read_is_a_warning(scene: Scene) -> None:
    scene.copied(FEW)
    scene.at_source.lies.append(Lie("GET", "/a.txt$", 403, "InvalidObjectState"))

    run = verify(scene)

    assert [each["code"] for each in run.warnings] == ["unread"]
    assert [line["object"] for line in told(scene, run)] == ["a.txt"]


def test_an_end_that_refuses_is_explained_as_for_any_run(scene: Scene) -> None:
    scene.copied(FEW)
    scene.at_destination.lies.append(Lie("GET", r"\.txt$", 403, "InvalidAccessKeyId"))

    run = verify(scene, 1)

    assert (run.reason, run.side) == (Reason.CREDENTIALS, "destination")


def test_stop_ends_it_and_what_was_read_counts(scene: Scene) -> None:
    many = {f"{number:03}.txt": b"x" for number in range(40)}
    scene.copied(many)
    scene.at_source.lies.append(Lie("GET", r"\.txt$", 503, "SlowDown", skip=12))
    process = scene.program.start("verify", "Photos", "--wait")
    until("something was read", lambda: newest(scene).progress.get("objects_done"))

    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)

    run = newest(scene)
    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.STOPPED)
    days = backup(scene).reading["days"]
    assert days[""][0] > 0 and sum(each[0] for day, each in days.items() if day) > 0
    scene.at_source.lies.clear()
    rest = verify(scene)
    assert rest.checked == days[""][0], "it goes on from there"
    assert verify(scene).checked == len(many)


def test_it_gives_way_to_a_planned_run(scene: Scene) -> None:
    scene.copied({f"{number:03}.txt": b"x" for number in range(40)})
    scene.at_source.lies.append(Lie("GET", r"\.txt$", 503, "SlowDown", skip=12))
    with scene.program.database(), writing():
        Backup.update(next_due_at=utcnow()).execute()

    run = verify(scene)

    assert run.explanation.endswith("It made way for a run that copies.")
    assert not run.findings["is_whole"]


def test_a_program_that_is_killed_takes_the_reading_along_and_begins_it_again(
    scene: Scene,
) -> None:
    scene.copied(FEW)
    scene.at_source.lies.append(Lie("GET", r"\.txt$", 503, "SlowDown"))
    process = scene.program.start("verify", "Photos", "--wait")
    word = "bucketvault.engine.listing.reading"
    reads = until("it reads", lambda: _children(process.pid, word))

    process.kill()
    process.communicate()
    until("the reading has died", lambda: not any(map(_lives, reads)))
    scene.at_source.lies.clear()
    done = scene.program.cli("verify", "Photos", "--wait")

    assert done.code == 0, done
    run = newest(scene)
    assert run.status == RunStatus.SUCCESS and run.checked == 3


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _children(pid: int, word: str) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # gone, or going
            if word in each.cmdline():
                found.append(each)
    return found
