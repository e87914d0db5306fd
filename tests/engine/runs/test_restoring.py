"""Each day of a history is restored by what is downloaded and shown, byte for byte as it was."""

import io
import random
import subprocess
from pathlib import Path

import pytest

from bucketvault.engine.rclone.names import meant
from bucketvault.engine.runs.restore_listing import open_history
from bucketvault.engine.runs.restore_script import Script, object_command, write_script
from bucketvault.engine.runs.restore_text import shell_word
from bucketvault.engine.runs.restoring import (
    ABSENT,
    COPY,
    KEPT,
    MADE,
    MENDED,
    Cut,
    Day,
    Event,
    History,
    state,
)
from tests.conftest import NewBucket
from tests.support.person import Person
from tests.support.program import Bucket, Program
from tests.support.servers import MotoServer
from tests.support.truth import Objects

KEYS = [
    *("a", "a/b", "a//b", "a-b", "photos/1.jpg", "photos/2.jpg", "sp ace/100%+#?.txt", "it's"),
    *("/first", "tail/", "./dot", "x/../y", "caf\u00e9", "cafe\u0301", "*[x]{y}", "tab\there"),
    *("-rf", "$(touch ran)", "back\\slash", "photos/" + 300 * "l", "\u2400z", "Küste/山 🎈"),
    "x//\u2028+ **",  # a filter has a line for each name
]


SHOWN = ("a//b", "-rf")


class Restorer(Person):
    """A user with what the page shows and downloads, who types and runs just that."""

    def script(self, history: History, day: Day, under: str = "") -> Script:
        """Download the script of a day as `restore.sh`."""
        file = io.BytesIO()
        made = write_script(history, day, under.encode(), "Photos", file, self.home)
        (self.home / "restore.sh").write_bytes(file.getvalue())
        return made

    def names_beside(self, folder: str) -> Objects:
        """Return what was restored one by one, by the names that are told there."""
        place = self.home / folder
        if not place.exists():
            return {}
        lines = (place / "NAMES.txt").read_text("utf-8").removesuffix("\n").split("\n")
        pairs = (line.split("\t", 1) for line in lines)
        return {meant(name).decode(): (place / number).read_bytes() for number, name in pairs}


def next_day(chance: random.Random, day: int, now: Objects) -> Objects:
    """The source a day later: some are replaced, removed, there again, or just there."""
    then = now | {"stays": b"the same for ever"}
    for key in chance.sample(sorted(now), k=len(now) // 3):
        then[key] = f"{key} of day {day}".encode()
    for key in chance.sample(sorted(now), k=len(now) // 3):
        then.pop(key, None)
    missing = sorted(set(KEYS) - then.keys())
    for key in chance.sample(missing, k=(len(missing) + 1) // 2):
        then[key] = f"{key} made on day {day}".encode()
    return then


@pytest.mark.slow
def test_each_day_of_a_history_comes_back_by_the_script_and_by_the_commands_shown(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket, tmp_path: Path
) -> None:
    chance = random.Random(12)
    source, destination = new_bucket(moto), new_bucket(moto)
    bucketvault.backup(source, destination, comparison_mode="checksum")
    days: list[Objects] = []
    now: Objects = {}
    for number in range(4):
        then = next_day(chance, number, now)
        for key in now.keys() - then.keys():
            source.delete(key)
        for key, body in then.items():
            if now.get(key) != body:
                source.put(key, body)
        now = then
        run = bucketvault.run()
        assert run["status"] == "success" and not run["warnings"], run
        days.append(now)
    person = Restorer(destination, tmp_path)
    config = (tmp_path / "rclone.conf").read_text()
    (tmp_path / "rclone.conf").write_text(f"{config}\n{config.replace('[copy]', '[new]')}\n")
    before = destination.objects()

    with bucketvault.database():
        history = open_history(bucketvault.data_dir / "ledgers", 1, destination.remote())
        assert [each.run_id for each in history.days] == [4, 3, 2, 1]
        assert history.reach.cut == Cut.FIRST
        _, third, second, first = history.days
        for day, truth in ((second, days[1]), (first, days[0])):
            again = new_bucket(moto)
            made = person.script(history, day)
            person.do(f"rm -rf restored.singly; sh restore.sh new:{again.name}")
            found = again.objects() | person.names_beside("restored.singly")
            assert found == truth, day
            assert (made.objects, made.size) == (len(truth), sum(map(len, truth.values())))

        # into a folder of this computer, which holds fewer names; one folder
        person.script(history, third)
        person.do("rm -rf restored.singly; sh restore.sh restored")
        local = {meant(key).decode(): body for key, body in person.restored().items()}
        assert local | person.names_beside("restored.singly") == days[2]
        assert "already exists" in refused(person, "sh restore.sh restored")
        person.script(history, second, "photos/")
        person.do("sh restore.sh one-folder")
        photos = {key: body for key, body in days[1].items() if key.startswith("photos/")}
        assert count_files(tmp_path / "one-folder", tmp_path / "one-folder.singly") == len(photos)

        # each object on each day, and some of them by the command that is shown
        for key in sorted(set().union(*days)):
            (match,) = [each for each in history.search(key).matches if each.key == key.encode()]
            for day, truth in zip(history.days, reversed(days), strict=True):
                placed = match.on(day)
                assert (placed.size if placed else None) == size_in(truth, key), (key, day)
                if placed is not None and key in SHOWN:
                    person.do(f"rm -rf restored; {object_command(history, placed)}")
                    assert list(person.restored().values()) == [truth[key]]
        assert not (tmp_path / "ran").exists()
        assert destination.objects() == before  # nothing changes the copy

        # a run that changes the copy makes the script useless, which it says
        person.script(history, second)
        history.close()
        source.put("stays", b"changed after all")
        bucketvault.run()
        assert "A run has changed the copy" in refused(person, "sh restore.sh too-late")

        # what is gone from the bucket, or was never noted, ends the days that are offered
        assert reach_of(bucketvault, destination) == (5, Cut.FIRST, 0)
        destination.delete(next(key for key in before if sorted(destination.kept())[-2] in key))
        assert reach_of(bucketvault, destination) == (2, Cut.VERSIONS, 1)
        notes = bucketvault.data_dir / "ledgers" / f"{history.spec.archive_key}.names"
        max(notes.glob("*.whole")).unlink()
        assert reach_of(bucketvault, destination) == (1, Cut.NAMES, 0)


def reach_of(program: Program, destination: Bucket) -> tuple[int, Cut, int]:
    history = open_history(program.data_dir / "ledgers", 1, destination.remote())
    history.close()
    return len(history.days), history.reach.cut, history.reach.missing


def size_in(objects: Objects, key: str) -> int | None:
    return len(objects[key]) if key in objects else None


def count_files(*folders: Path) -> int:
    return sum(
        file.is_file() and file.name != "NAMES.txt" for each in folders for file in each.rglob("*")
    )


def refused(person: Person, command: str) -> str:
    """Return what a command says that must fail."""
    with pytest.raises(AssertionError) as told:
        person.do(command)
    return str(told.value)


@pytest.mark.parametrize(
    ("events", "place"),
    [
        ([], COPY),
        ([Event(4, KEPT, 1)], COPY),  # before that day
        ([Event(5, KEPT, 1)], 5),
        ([Event(5, KEPT, 1), Event(6, KEPT, 1)], 5),
        ([Event(5, MADE, 0)], ABSENT),
        ([Event(5, MADE, 0), Event(6, KEPT, 1)], ABSENT),
        ([Event(5, KEPT, 1), Event(6, MADE, 0)], 5),
        ([Event(5, MENDED, 0), Event(5, KEPT, 1)], COPY),  # kept are the wrong bytes
        ([Event(5, MENDED, 0), Event(5, KEPT, 1), Event(7, KEPT, 1)], 7),
    ],
)
def test_the_first_thing_done_since_tells_what_was_there(events: list[Event], place: int) -> None:
    assert state(events, 5)[0] == place


@pytest.mark.parametrize(
    "word",
    [
        "plain",
        "it's",
        "-n",
        'a\\b%s$(x)`y`"z',
        "\u202egnp.exe",
        "\udcff\udcfe",
        "\u200d",
        "é\u3164",
    ],
)
def test_a_word_for_a_shell_is_the_same_bytes_there_and_hides_nothing(word: str) -> None:
    written = shell_word(word)

    done = subprocess.run(["sh", "-c", f"printf %s {written}"], capture_output=True, check=True)
    assert done.stdout == word.encode("utf-8", "surrogateescape")
    assert written.isprintable()
