"""The steps of a pass with real rclone: what each does to both buckets, and what it leaves."""

import contextlib
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bucketvault.engine.rclone import commands
from bucketvault.engine.rclone.remotes import config_text
from tests.support.program import Bucket
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, clean_environment, rclone_path
from tests.support.specs import run_spec

STAMP = "20261130T100000Z"

NewBucket = Callable[..., Bucket]


class Said(NamedTuple):
    """How a step ended, and its log without progress."""

    exit_code: int
    lines: list[dict[str, Any]]

    @property
    def words(self) -> set[tuple[str, str]]:
        """Each message with the object it is about."""
        return {(line["msg"], line.get("object", "")) for line in self.lines}


class Pair:
    """Two buckets with a proxy before each, and steps between them."""

    def __init__(self, source: Bucket, destination: Bucket, folder: Path, path: str = "") -> None:
        self.source, self.destination, self._folder = source, destination, folder
        self.spec = run_spec(source.name + path, destination.name + path)
        self.at_source = RefusingProxy(source.server.endpoint)
        self.at_destination = RefusingProxy(destination.server.endpoint)

    def names(self, file: str, names: Iterable[str], *, odd: bool = False) -> str:
        """Write names as a step takes them; return the file's name."""
        lines = [f"+ /{{{{{re.escape(name)}}}}}" for name in names]
        lines = [*lines, "- **"] if odd else list(names)
        (self._folder / file).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return file

    def run(self, arguments: list[str]) -> Said:
        remotes = {
            "source": self.source.remote(self.at_source.endpoint),
            "dest": self.destination.remote(self.at_destination.endpoint),
        }
        config = self._folder / "rclone.conf"
        config.write_text(config_text(remotes), "utf-8")
        done = subprocess.run(
            [rclone_path(), "--config", str(config), *arguments],
            cwd=self._folder,
            env=clean_environment(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith(b"{")]
        return Said(done.returncode, [line for line in lines if "stats" not in line])

    @property
    def kept(self) -> dict[str, bytes]:
        """The objects in the run's folder of kept versions, by name."""
        return self.destination.kept().get(STAMP, {})


NewPair = Callable[..., Pair]


@pytest.fixture
def new_pair(moto: MotoServer, new_bucket: NewBucket, tmp_path: Path) -> Iterator[NewPair]:
    """Makes two buckets with these contents, and steps between them."""
    with contextlib.ExitStack() as proxies:

        def make(source: dict[str, bytes], destination: dict[str, bytes], path: str = "") -> Pair:
            inside = path.lstrip("/") + "/" if path else ""
            buckets = [
                new_bucket(moto, {inside + key: body for key, body in contents.items()})
                for contents in (source, destination)
            ]
            pair = Pair(*buckets, tmp_path, path)
            proxies.enter_context(pair.at_source)
            proxies.enter_context(pair.at_destination)
            return pair

        yield make


def test_keep_copies_the_named_objects_aside_with_their_headers_and_nothing_else(
    new_pair: NewPair,
) -> None:
    pair = new_pair({}, {"other": b"other"})
    headers: dict[str, Any] = {
        "ContentType": "text/css",
        "CacheControl": "max-age=3",
        "ContentEncoding": "gzip",
        "ContentDisposition": "attachment",
        "ContentLanguage": "de",
        "Metadata": {"mtime": "1.5", "of": "mine"},
    }
    pair.destination.put("a b", b"old", **headers)

    said = pair.run(
        commands.keep(pair.spec, STAMP, pair.names("replace.txt", ["a b", "not there"]))
    )

    assert said == (0, said.lines)
    assert said.words == {("Copied (server-side copy)", "a b")}
    assert pair.kept == {"a b": b"old"}
    assert pair.destination.copy() == {"a b": b"old", "other": b"other"}
    kept = pair.destination.server.client().head_object(
        Bucket=pair.destination.name, Key=f".bucketvault-archive/photos-1/{STAMP}/a b"
    )
    assert kept.pop("Metadata").items() >= headers.pop("Metadata").items()
    assert {name: kept[name] for name in headers} == headers


class Watching(RefusingProxy):
    """Remembers the headers with which an object in parts begins."""

    begun: Message | None = None

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        if method == "POST" and path.endswith("uploads="):
            self.begun = headers
        return super().refusal(method, path, headers)


def test_an_object_that_is_kept_in_parts_has_all_its_headers(new_pair: NewPair) -> None:
    pair = new_pair({}, {})
    pair.destination.put("large", b"x" * 12_000_000, CacheControl="max-age=3", ContentEncoding="br")
    names = pair.names("replace.txt", ["large"])

    with Watching(pair.destination.server.endpoint) as watching:
        pair.at_destination = watching
        said = pair.run([*commands.keep(pair.spec, STAMP, names), "--s3-copy-cutoff", "5M"])

    assert said.words == {("Copied (server-side copy)", "large")}
    begun = watching.begun
    assert begun is not None
    assert (begun["Cache-Control"], begun["Content-Encoding"]) == ("max-age=3", "br")


def test_copy_takes_several_lists_and_replaces_what_looks_the_same(new_pair: NewPair) -> None:
    contents = {"same": b"x", "new": b"new", "not named": b"n"}
    pair = new_pair(contents, {"same": b"y", "gone": b"g"})
    lists = [pair.names("new.txt", ["new"]), pair.names("kept.txt", ["same", "lost meanwhile"])]

    said = pair.run(commands.copy(pair.spec, *lists))

    assert said.exit_code == 0
    assert said.words == {("Copied (new)", "new"), ("Copied (replaced existing)", "same")}
    assert pair.destination.copy() == {"same": b"x", "new": b"new", "gone": b"g"}


def test_remove_keeps_and_removes_the_named_but_leaves_what_came_back(new_pair: NewPair) -> None:
    pair = new_pair({"back": b"new"}, {"gone": b"g", "back": b"old", "not named": b"n"})

    said = pair.run(commands.remove(pair.spec, STAMP, pair.names("remove.txt", ["gone", "back"])))

    assert said.exit_code == 0
    assert said.words == {
        ("Copied (server-side copy)", "gone"),
        ("Deleted", "gone"),
        ("Moved into backup dir", "gone"),
    }
    assert pair.kept == {"gone": b"g"}
    assert pair.destination.copy() == {"back": b"old", "not named": b"n"}


def test_bulk_copies_all_that_is_missing_without_kept_versions_and_replaces_nothing(
    new_pair: NewPair,
) -> None:
    pair = new_pair(
        {"new": b"new", "there": b"other", ".bucketvault-archive/x/1/k": b"k"}, {"there": b"t"}
    )

    said = pair.run(commands.bulk(pair.spec))

    assert said.exit_code == 0 and said.words == {("Copied (new)", "new")}
    assert pair.destination.objects() == {"new": b"new", "there": b"t"}


ODD = ["/lead", "a//b", "trail/", "in/trail/", "x//", "a*b"]  # moto takes no line break


def test_odd_names_go_through_the_same_steps(new_pair: NewPair) -> None:
    around = {"a/b": b"plain", "lead": b"plain", "trail": b"plain"}
    pair = new_pair(dict.fromkeys(ODD, b"new") | around, dict.fromkeys([*ODD, "gone//g"], b"old"))

    def names(file: str, *odd: str) -> str:
        return pair.names(file, odd, odd=True)

    kept = pair.run(commands.keep(pair.spec, STAMP, names("odd-replace.txt", *ODD), odd=True))
    copied = pair.run(commands.copy(pair.spec, names("odd-kept.txt", *ODD), odd=True))
    removed = pair.run(commands.remove(pair.spec, STAMP, names("r.txt", "gone//g"), odd=True))

    assert [kept.exit_code, copied.exit_code, removed.exit_code] == [0, 0, 0]
    assert pair.kept == dict.fromkeys([*ODD, "gone//g"], b"old")
    assert pair.destination.copy() == dict.fromkeys(ODD, b"new")


@pytest.mark.parametrize("step", ["keep", "copy", "remove"])
@pytest.mark.parametrize("odd", [False, True], ids=["list", "filter"])
def test_a_step_without_names_does_nothing(new_pair: NewPair, step: str, odd: bool) -> None:
    pair = new_pair({"a": b"new"}, {"a": b"old", "gone": b"g"})
    empty = pair.names("empty.txt", [], odd=odd)

    said = pair.run(
        {
            "keep": commands.keep(pair.spec, STAMP, empty, odd=odd),
            "copy": commands.copy(pair.spec, empty, odd=odd),
            "remove": commands.remove(pair.spec, STAMP, empty, odd=odd),
        }[step]
    )

    assert said.exit_code == 0
    assert pair.destination.objects() == {"a": b"old", "gone": b"g"}


COPIES = "x-amz-copy-source"
DENIED = (403, "AccessDenied")
BAD = (400, "InvalidRequest")
LOST = (404, "NoSuchKey")
# where, the wrong answer, and the objects that are left as they were
WRONG_ANSWERS: dict[str, tuple[str, Rule, set[str]]] = {
    "head of a changed one, source": ("source", Rule("HEAD", "/changed1", *DENIED), {"changed1"}),
    "source lost one": ("source", Rule("HEAD", "/changed1", *LOST), {"changed1"}),
    "head of all, source": (
        "source",
        Rule("HEAD", ".", *DENIED),
        {"changed0", "changed1", "new0", "new1"},
    ),
    "read of a new one": ("source", Rule("GET", "/new1", *DENIED), {"new1"}),
    "head of a removed one, source": ("source", Rule("HEAD", "/gone1", *DENIED), set()),
    "head of a changed one": ("copy", Rule("HEAD", "/changed1", *DENIED), {"changed1"}),
    "changed one looks lost": ("copy", Rule("HEAD", "/changed1", *LOST), {"changed1"}),
    "head of a removed one": ("copy", Rule("HEAD", "/gone1", *DENIED), {"gone1"}),
    "removed one looks lost": ("copy", Rule("HEAD", "/gone1", *LOST), {"gone1"}),
    "write of a new one": ("copy", Rule("PUT", "/new1", *BAD), {"new1"}),
    "write of a changed one": (
        "copy",
        Rule("PUT", "/changed1", *BAD, without_header=COPIES),
        {"changed1"},
    ),
    "keeping of a changed one": (
        "copy",
        Rule("PUT", "/changed1", *BAD, header=COPIES),
        {"changed1"},
    ),
    "keeping of a removed one": ("copy", Rule("PUT", "/gone1", *BAD, header=COPIES), {"gone1"}),
    "removal": ("copy", Rule("DELETE", "/gone1", *DENIED), {"gone1"}),
}


@pytest.mark.parametrize("wrong", WRONG_ANSWERS)
def test_a_wrong_answer_about_one_object_harms_none_and_holds_up_no_other(
    new_pair: NewPair, wrong: str
) -> None:
    changed, new, gone = ([f"{what}{n}" for n in range(2)] for what in ("changed", "new", "gone"))
    old = {**dict.fromkeys(changed, b"old"), **dict.fromkeys(gone, b"gone"), "same": b"same"}
    pair = new_pair({**dict.fromkeys([*changed, *new], b"now"), "same": b"same"}, old)
    where, rule, as_before = WRONG_ANSWERS[wrong]
    (pair.at_source if where == "source" else pair.at_destination).rules = [replace(rule)]

    steps = [pair.run(commands.keep(pair.spec, STAMP, pair.names("replace.txt", changed)))]
    kept = [name for name in changed if name in pair.kept]
    lists = pair.names("new.txt", new), pair.names("kept.txt", kept)
    steps.append(pair.run(commands.copy(pair.spec, *lists)))
    steps.append(pair.run(commands.remove(pair.spec, STAMP, pair.names("remove.txt", gone))))

    expected = {**old, **dict.fromkeys([*changed, *new], b"now")}
    for name in as_before:
        expected.pop(name)
    found = pair.destination.copy()
    as_it_was = {name: old[name] for name in as_before if name in old}
    done = {name: body for name, body in expected.items() if name not in gone}
    assert found == done | as_it_was
    replaced_or_gone = [name for name in [*changed, *gone] if found.get(name) != old[name]]
    assert {name: old[name] for name in replaced_or_gone}.items() <= pair.kept.items()
    silent = rule.status == 404 or not as_before
    assert silent or 1 in [step.exit_code for step in steps]
