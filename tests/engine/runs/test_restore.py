"""RESTORE.txt alone brings a copy back, with a bare rclone, when all of bucketvault is gone."""

import contextlib
import os
import pty
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bucketvault.engine.domain.rules import InvalidValue, listed_bucket_rule, name_rule, path_rule
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.runs.restore_text import restore_text
from bucketvault.sanitize import clean_to_copy
from bucketvault.store.database import writing
from bucketvault.store.models import Backup
from bucketvault.vocabulary import ComparisonMode
from tests.conftest import NewBucket
from tests.support.person import Person, restore_key
from tests.support.program import Bucket, Program
from tests.support.servers import MotoServer, RcloneS3, clean_environment
from tests.support.terminal import shown_until

NASTY = 'it\'s $(touch /tmp/x) "quoted" & sp ace'


@dataclass(frozen=True)
class Left:
    """Remains of a backup: the bucket and what boto3 saw in it after each run."""

    bucket: Bucket
    days: list[dict[str, bytes]]  # the source after each run
    stamps: list[str]  # folders of kept versions, oldest first; the first run has none


END = {
    "provider": "{Braces} & co",
    "provider_type": "backblaze_b2",
    "endpoint": "",
    "region": "us-west-004",
    "bucket": "copies",
    "path": "",
}


def spec(**destination: str) -> RunSpec:
    ends = EndSpec.from_json(END), EndSpec.from_json(END | destination)
    return RunSpec(*ends, ComparisonMode.CHECKSUM, 30, 50, "photos-1")


@pytest.fixture(params=["", "copies/" + NASTY], ids=["whole bucket", "a path with odd signs"])
def left(
    request: pytest.FixtureRequest,
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
) -> Left:
    """Four runs, and then everything of bucketvault is gone."""
    path = request.param
    source, destination = new_bucket(here), new_bucket(elsewhere)
    bucketvault.backup(source, destination, source_path="data")
    if path:
        setup = bucketvault.folder / "setup.toml"
        quoted = path.replace("\\", "\\\\").replace('"', '\\"')
        text = setup.read_text().replace('destination.path = ""', f'destination.path = "{quoted}"')
        assert bucketvault.apply(text).code == 0
    common = {f"letters/{n}.txt": f"letter {n}".encode() for n in range(12)}
    common["letters/.bucketvault-archive/odd.txt"] = b"only named like it"
    days = [
        common | {"note.txt": b"first", "goes.txt": b"goes on the third", "ä ö/ü'.txt": b"umlaut"},
        common | {"note.txt": b"second!", "goes.txt": b"goes on the third", "ä ö/ü'.txt": b"um"},
        common | {"note.txt": b"third", "ä ö/ü'.txt": b"um"},
        common | {"note.txt": b"fourth one", "ä ö/ü'.txt": b"um", "letters/1.txt": b"rewritten"},
    ]
    for day in days:
        for key in source.keys():  # noqa: SIM118 - a bucket, no dict
            if key.removeprefix("data/") not in day:
                source.delete(key)
        for key, body in day.items():
            source.put(f"data/{key}", body)
        run = bucketvault.run()
        assert run["status"] == "success" and not run["warnings"]
    text = destination.objects()[restore_key(destination)].decode()
    for secret in (elsewhere.access_key_id, elsewhere.secret_access_key, here.secret_access_key):
        assert secret not in text
    shutil.rmtree(bucketvault.data_dir)
    bucketvault.key_file.unlink()
    (bucketvault.folder / "setup.toml").unlink()
    return Left(destination, days, sorted(destination.kept()))


@pytest.fixture
def person(left: Left, tmp_path: Path) -> Person:
    home = tmp_path / "a new machine"
    home.mkdir()
    return Person(left.bucket, home)


@pytest.mark.slow
def test_everything_comes_back_in_each_of_the_ways_the_text_tells(
    left: Left, person: Person
) -> None:
    before = left.bucket.objects()
    restored = person.home / "restored"

    # everything, as it was after the last run
    person.do(person.command("EVERYTHING, AS IT WAS AFTER THE LAST RUN"))
    assert person.restored() == left.days[-1]
    shutil.rmtree(restored)

    # one folder, whole
    person.do(person.command("ONE FOLDER"), FOLDER="letters")
    letters = {k: v for k, v in left.days[-1].items() if k.startswith("letters/")}
    assert person.restored() == letters
    shutil.rmtree(restored)

    # one object as it was on a day: after the first, the second and the last run
    listing = person.do(person.command("ONE OBJECT AS IT WAS ON A DAY", 0)).split()
    assert sorted(listing) == [*(f"{stamp}/" for stamp in left.stamps), "RESTORE.txt"]
    for day in (0, 1, 2):
        person.do(
            person.command("ONE OBJECT AS IT WAS ON A DAY", 1),
            **{"STAMP": left.stamps[day], "PATH/OF/THE/OBJECT": "note.txt"},
        )
        assert person.restored() == {"OBJECT": left.days[day]["note.txt"]}
        shutil.rmtree(restored)
    odd = "ä ö/ü'.txt"
    person.do(
        person.command("ONE OBJECT AS IT WAS ON A DAY", 1),
        **{"STAMP": left.stamps[0], "PATH/OF/THE/OBJECT": odd},
    )
    assert person.restored() == {"OBJECT": left.days[0][odd]}
    shutil.rmtree(restored)
    person.do(
        person.command("ONE OBJECT AS IT WAS ON A DAY", 2), **{"PATH/OF/THE/OBJECT": "note.txt"}
    )
    assert person.restored() == {"OBJECT": left.days[-1]["note.txt"]}
    shutil.rmtree(restored)

    # everything as it was on a day: no object was new since then, so it is exactly that
    for day in (0, 1, 2):
        person.do(person.command("EVERYTHING, AS IT WAS AFTER THE LAST RUN"))
        for stamp in reversed(left.stamps[day:]):
            person.do(person.command("EVERYTHING AS IT WAS ON A DAY"), STAMP=stamp)
        assert person.restored() == left.days[day], day
        shutil.rmtree(restored)

    assert left.bucket.objects() == before  # nothing that the text says changes the bucket


@pytest.mark.parametrize("path", ["", "plain", NASTY, "`x`; rm -rf *", "a\\b 'c' \"d\""])
def test_no_command_of_the_text_removes_anything_whatever_the_path(path: str) -> None:
    text = restore_text(spec(path=path), "Photos")

    commands = [line for line in text.splitlines() if line.startswith("  rclone ")]
    places = [shlex.split(command)[4] for command in commands]
    assert len(commands) == 6
    for command in commands:
        words = shlex.split(command)
        assert words[:3] == ["rclone", "--config", "rclone.conf"]
        assert words[3] in ("copy", "copyto", "lsf")  # never one that removes
    below = f"copy:copies/{path}/" if path else "copy:copies/"
    kept = "copy:copies/.bucketvault-archive/photos-1/"
    assert places == [
        below,
        f"{below}FOLDER/",
        kept,
        f"{kept}STAMP/PATH/OF/THE/OBJECT",
        f"{below}PATH/OF/THE/OBJECT",
        f"{kept}STAMP/",
    ]


@pytest.mark.parametrize("rule", [path_rule, listed_bucket_rule, name_rule])
def test_pages_show_the_text_as_it_is_with_every_sign_that_a_backup_may_have(
    rule: Callable[[object], str],
) -> None:
    taken = []
    for sign in map(chr, range(0x10000)):
        with contextlib.suppress(InvalidValue):
            taken.append(rule(f"a{sign}b"))

    text = restore_text(spec(path="/".join(taken)), "Photos")

    assert len(taken) > 60_000
    assert clean_to_copy(text) == text


def modified(bucket: Bucket) -> object:
    head = bucket.server.client().head_object(Bucket=bucket.name, Key=restore_key(bucket))
    return head["LastModified"], head["Metadata"].get("mtime")


@pytest.mark.slow
def test_the_text_is_only_written_again_when_it_would_say_something_else(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"a": b"a"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    first = modified(destination)

    source.put("a", b"b")
    bucketvault.run()
    assert modified(destination) == first  # nothing it says has changed

    destination.delete(restore_key(destination))
    bucketvault.run()
    again = destination.objects()[restore_key(destination)]
    assert b"HOW TO RESTORE THIS COPY" in again

    bucketvault.backup(source, destination, retention_days=99)
    bucketvault.run()
    told = destination.objects()[restore_key(destination)].decode()
    assert "kept for 99 days" in told

    elder = new_bucket(elsewhere)
    bucketvault.backup(source, elder)
    bucketvault.run()
    told = elder.objects()[restore_key(elder)].decode()
    assert f"'copy:{elder.name}/'" in told and destination.name not in told
    bucketvault.backup(source, destination)
    bucketvault.run()
    told = destination.objects()[restore_key(destination)].decode()
    assert f"'copy:{destination.name}/'" in told and elder.name not in told


NAMES = [
    *("caf\u00e9", "cafe\u0301"),  # the same letters, written in two ways
    *("\u201b/x", "\u201bfirst", "q\u201bq", "w\u201b\uff0fv"),  # rclone's own sign for quoting
    *("a\uff0fb", "\uff0fbegin", "x\uff0ey", "\uff0e\uff0e/t", "\u2400z", "\u2421", "\uff05\uff1a"),
    *("./a", "x/../b", "/lead", "tab\there", " space ", "back\\slash", "*?[x]{y}", "%41"),
]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "p"])
def test_names_are_copied_replaced_kept_and_brought_back_as_they_are(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket, tmp_path: Path, path: str
) -> None:
    former = {name: name.encode() for name in NAMES}
    source, destination, again = new_bucket(moto, former), new_bucket(moto), new_bucket(moto)
    more = {"destination_path": path, "comparison_mode": "checksum"}
    bucketvault.backup(source, destination, **more)
    below = f"{path}/" if path else ""

    first = bucketvault.run()
    assert (first["warnings"], first["counts"]["copied"]) == ([], len(NAMES))
    assert destination.copy() == {below + name: body for name, body in former.items()}
    for name in NAMES:
        source.put(name, b"the second " + name.encode())
    second = bucketvault.run()
    assert (second["warnings"], second["counts"]["replaced"]) == ([], len(NAMES))
    assert destination.copy() == {below + name: body for name, body in source.objects().items()}
    assert list(destination.kept().values()) == [former]

    person = Person(destination, tmp_path)
    config = (tmp_path / "rclone.conf").read_text()
    (tmp_path / "rclone.conf").write_text(f"{config}\n{config.replace('[copy]', '[new]')}\n")
    everything = person.command("EVERYTHING, AS IT WAS AFTER THE LAST RUN")
    person.do(everything.replace("restored/", f"new:{again.name}/"))
    assert again.objects() == source.objects()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            ["provider = Other", "endpoint = `https://s3.us-west-004.backblazeb2.com`"],
        ),
        (
            {
                "provider_type": "cloudflare_r2",
                "endpoint": "https://0.r2.cloudflarestorage.com",
                "region": "",
            },
            ["provider = Cloudflare", "region = `auto`", "https://0.r2.cloudflarestorage.com"],
        ),
        (
            {"provider_type": "amazon_s3", "region": "eu-central-1"},
            ["provider = AWS", "region = `eu-central-1`"],
        ),
    ],
)
def test_the_configuration_in_the_text_fits_each_service(
    changes: dict[str, str], words: list[str]
) -> None:
    text = restore_text(spec(**changes), "{name} of mine")

    for word in (*words, "no_check_bucket = true", "encoding = Raw", "{name} of"):
        assert word in text
    assert "left out" not in text
    assert text == restore_text(
        spec(**changes), "{name} of mine"
    )  # no date, nothing that changes by itself


@pytest.mark.parametrize("shell", [["sh", "-i"], ["bash", "--norc", "-i"]], ids=["sh", "bash"])
def test_the_whole_text_pasted_into_a_shell_runs_nothing(tmp_path: Path, shell: list[str]) -> None:
    """At a terminal, where lines run as they come; with a name that would like to run, too."""
    mine = tmp_path / "rclone"
    mine.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    mine.chmod(0o755)
    name = f"it's `touch {tmp_path}/a` $(touch {tmp_path}/b) !x; touch {tmp_path}/c"
    text = restore_text(spec(path=f"$(touch {tmp_path}/d)/'x"), name)
    ours, theirs = pty.openpty()
    environment = clean_environment() | {"PATH": f"{tmp_path}:/usr/bin:/bin", "PS1": "ready> "}
    with subprocess.Popen(
        shell,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        lines = f"{text}echo end\\ of it; exit\n".encode().splitlines(keepends=True)
        feed = threading.Thread(target=lambda: [os.write(ours, line) for line in lines])
        feed.start()
        shown = shown_until(ours, rb"never shown")
        process.kill()  # it waits where the text left something open
        feed.join()
    os.close(ours)

    assert b"end of it" in shown, shown[-500:]
    assert [each.name for each in tmp_path.iterdir()] == ["rclone"]


@pytest.mark.slow
def test_a_renamed_backup_is_called_by_its_new_name_in_the_text(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, {"a": b"a"}), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    key = restore_key(destination)
    with bucketvault.database(), writing():
        Backup.update(name="Pictures").execute()

    bucketvault.run("Pictures")

    assert restore_key(destination) == key  # beside the kept versions that are there
    assert "Backup:  Pictures" in destination.objects()[key].decode()
