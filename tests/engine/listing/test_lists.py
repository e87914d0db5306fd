"""Each name of a plan travels with real rclone, and no other does."""

import subprocess
from pathlib import Path

import pytest

from bucketvault.engine.listing.lists import Lists, write_lists, write_names
from bucketvault.engine.listing.merge import What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone import commands
from bucketvault.engine.rclone.names import is_odd
from bucketvault.engine.rclone.remotes import config_text
from tests.conftest import NewBucket
from tests.engine.listing.test_plan import difference, write
from tests.support.program import Bucket
from tests.support.servers import MotoServer, clean_environment, rclone_path
from tests.support.specs import run_spec

STAMP = "20261130T100000Z"

PLAIN = [
    *(
        "a/b",
        "x/y/z",
        "d/e",
        "*?[]{}",
        "a*",
        "\\d",
        "back\\slash",
        "100%",
        "%41",
        "#hash",
        "; semi",
    ),
    *("+ plus", "- minus", "!", "**", "a,b", "{{x}}", " lead", "end ", "tab\t", "cr\r", "c\x01x"),
    *("del\x7f", "./x", "x/../y", "..", "q\u201bx", "\u240a", "full\uff0fx", "\uff0e", "u\u0308"),
    *("ü", "\u3000end\u3000", "\U0001f600"),
]
INNER = [  # what nothing carries below a path
    *("a//b", "a///b", "x//y//z", "d//*?[]{}\\^$.|+()", "p//a,b", "s //  x  ", "ü//\u3000"),
    *("e//end\u3000", "dot//./x", "..//z", "q//c\x01\x7f", "#x//y", "h//**", "b//{{x}}", "two//"),
]
OUTER = ["/lead", "//two", "/lead/in/x", "tr/", "deep/tr/"]
NAMES = [*PLAIN, *INNER, *OUTER]
OTHERS = ["a", "b", "two/", "d//x", "lead", "s //  x", "p//a", "p//b", "x//y/z", "e//end", "tr/x"]


def planned(folder: Path, kinds: dict[str, What]) -> Plan:
    folder.mkdir()
    return write(folder, *(difference(key, what) for key, what in sorted(as_keys(kinds).items())))


def as_keys(kinds: dict[str, What]) -> dict[bytes, What]:
    return {name.encode(): what for name, what in kinds.items()}


def test_each_file_has_the_names_of_its_kind_and_is_not_there_without_one(tmp_path: Path) -> None:
    kinds = {
        "a": What.NEW,
        "b": What.LOST,
        "c": What.CHANGED,
        "d": What.ALTERED,
        "e": What.GONE,
        "f//g h": What.NEW,
        "new\nline": What.NEW,
    }

    lists = write_lists(planned(tmp_path / "plan", kinds), tmp_path, below_path=False)

    assert lists == Lists(2, 3, 1, odd_replace=0, odd_new=1, odd_remove=0, bytes=18)
    files = {file.name: file.read_text("utf-8") for file in tmp_path.glob("*.*")}
    assert files == {
        "replace.txt": "c\nd\n",
        "new.txt": "a\nb\nnew\u240aline\n",
        "remove.txt": "e\n",
        "odd-new.txt": "+ /f/\n+ /f//g h{}\n- **\n",
    }


def test_what_nothing_carries_is_in_no_list(tmp_path: Path) -> None:
    kinds = {"a//b": What.NEW, "/c": What.GONE}

    lists = write_lists(planned(tmp_path / "plan", kinds), tmp_path, below_path=True)

    assert lists == Lists(0, 0, 0, odd_replace=0, odd_new=0, odd_remove=1, bytes=0)


def rclone(source: Bucket, destination: Bucket, folder: Path, *steps: list[str]) -> None:
    """Do steps of a pass whose files are in `folder`; an error of one fails the test."""
    remotes = {"source": source.remote(), "dest": destination.remote()}
    config = folder / "rclone.conf"
    config.write_text(config_text(remotes), "utf-8")
    for step in steps:
        done = subprocess.run(
            [rclone_path(), "--config", str(config), *step],
            cwd=folder,
            env=clean_environment(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "p/q/"])
def test_every_name_travels_through_every_step_and_no_other(
    path: str, moto: MotoServer, new_bucket: NewBucket, tmp_path: Path
) -> None:
    # moto takes no copy of a key that begins with a semicolon
    names = [name for name in (NAMES if not path else [*PLAIN, *OUTER]) if name != "; semi"]
    content = {path + name: name.encode() for name in {*names, *OTHERS}}
    source, destination = new_bucket(moto, content), new_bucket(moto)
    emptied = new_bucket(moto, {path + "left": b"left"})
    spec = run_spec(f"{source.name}/{path}", f"{destination.name}/{path}")
    write_names((name.encode() for name in sorted(names)), tmp_path, "some")
    copied = {path + name: content[path + name] for name in names}

    rclone(
        source,
        destination,
        tmp_path,
        commands.copy(spec, "some.txt"),
        commands.copy(spec, "odd-some.txt", odd=True),
    )
    assert destination.copy() == copied

    rclone(
        source,
        destination,
        tmp_path,
        commands.keep(spec, STAMP, "some.txt"),
        commands.keep(spec, STAMP, "odd-some.txt", odd=True),
    )
    assert set(destination.kept()[STAMP]) == set(names)

    for name in OTHERS:
        destination.put(path + name, b"other")
    gone = run_spec(f"{emptied.name}/{path}", f"{destination.name}/{path}")
    rclone(
        emptied,
        destination,
        tmp_path,
        commands.remove(gone, "20261130T110000Z", "some.txt"),
        commands.remove(gone, "20261130T110000Z", "odd-some.txt", odd=True),
    )
    assert destination.copy() == {path + name: b"other" for name in OTHERS}
    assert destination.kept()["20261130T110000Z"] == {name: name.encode() for name in names}


def test_the_names_of_this_test_are_odd_where_they_should_be() -> None:
    assert not any(is_odd(name.encode()) for name in PLAIN)
    assert all(is_odd(name.encode()) for name in (*INNER, *OUTER))
