"""docs/moving.md, followed line by line between two installations, with rclone and an S3 server."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.conftest import NewBucket
from tests.support.program import Bucket, Program, objects
from tests.support.proxies import RefusingProxy
from tests.support.servers import MotoServer
from tests.test_documents import ROOT

PASSPHRASE = "correct horse battery"
# what a test without systemd, and without a second user, has no part in
NOT_OURS = ("systemctl ", "chown ")


class Server:
    """A machine as the page speaks of it: its /root, its /var/lib, and a bucketvault on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("root", "var/lib"):
            (folder / name).mkdir(parents=True)
        self.program = Program(folder)
        self.program.data_dir = folder / "var/lib/bucketvault"
        self.program.environment |= {
            "BUCKETVAULT_DATA_DIR": str(self.program.data_dir),
            "BUCKETVAULT_KEY_FILE": str(folder / "var/lib/bucketvault-key/secret.key"),
        }
        self.program.cli("status")  # an installation that has begun
        (folder / "var/lib/bucketvault-key").mkdir()

    def does(self, line: str, other: "Server") -> None:
        """Follow one line of the page; `other`: the machine that it calls NEW."""
        if line.startswith(NOT_OURS):
            return
        line = re.sub(r"NEW:(/\S+)", lambda found: f"{other.folder}{found[1]}", line)
        line = re.sub(r"(?<=\s)/(?=root|var)", f"{self.folder}/", line)
        words = shlex.split(line)
        if words[0] == "bucketvault":
            asks = "--with-secrets" in words or "apply" in words
            code, said = self._typed(*words[1:]) if asks else self._said(*words[1:])
            # doctor's remarks about this machine are not about moving
            assert code == 0 or words[1] == "doctor", (line, said)
            assert "cannot be read" not in said, said
        else:
            subprocess.run(["cp" if words[0] == "scp" else words[0], *words[1:]], check=True)

    def _said(self, *arguments: str) -> tuple[int, str]:
        done = self.program.cli(*arguments)
        return done.code, done.out + done.err

    def _typed(self, *arguments: str) -> tuple[int, str]:
        """The same on a terminal, where each question is answered with the passphrase."""
        process, ours = self.program.on_terminal(*arguments)
        screen = ""
        answered = 0
        try:
            while part := os.read(ours, 1024):
                screen += part.decode()
                if screen.rstrip(" ").endswith(":") and screen.count(": ") > answered:
                    answered = screen.count(": ")
                    os.write(ours, f"{PASSPHRASE}\n".encode())
        except OSError:  # Linux says so when the other side is closed
            pass
        finally:
            os.close(ours)
        assert PASSPHRASE not in screen
        return process.wait(30), screen


def steps(chapter: str) -> tuple[list[str], list[str]]:
    """The lines of a chapter to type on the old and on the new server."""
    text = (ROOT / "docs/moving.md").read_text("utf-8")
    text = text.split(f"\n## {chapter}\n")[1].split("\n## ")[0]
    old, new = text.split("On the new server")
    first, second = (re.findall(r"^ {4}(.*)$", part, re.MULTILINE) for part in (old, new))
    return first, second


def test_on_another_server_nothing_is_held_and_no_object_is_copied_again(
    tmp_path: Path, behind: MotoServer, new_bucket: NewBucket
) -> None:
    # by a server that dates a copy when it was made, as services do
    source, copy = new_bucket(behind, objects(40)), new_bucket(behind)
    first, second, third = (Server(tmp_path / name) for name in ("first", "second", "third"))
    with RefusingProxy(behind.endpoint) as counted:
        with_history(first.program, source, copy, counted.endpoint)
        kept = copy.kept()

        by_copy = moved("Copy the data folder", first, second, counted)
        by_file = moved("Export the setup", second, third, counted)

        assert by_copy == []
        # once more: nothing says there that it was written
        assert [path.split("?")[0].rpartition("/")[2] for path in by_file] == ["RESTORE.txt"]
        assert (second.program.last_run()["id"], third.program.last_run()["id"]) == (4, 1)
        assert copy.copy() == source.objects() and copy.kept() == kept and kept

        source.put("new.txt", b"n")  # and it goes on there
        source.delete(source.keys()[0])
        went_on = third.program.run()
    assert (went_on["counts"]["copied"], went_on["counts"]["deleted"]) == (1, 1), went_on
    assert copy.copy() == source.objects()
    assert len(copy.kept()) == 2
    folders = {key.split("/")[1] for key in copy.keys(".bucketvault-archive/")}
    assert len(folders) == 1  # the old versions of before and of now


def moved(chapter: str, old: Server, new: Server, counted: RefusingProxy) -> list[str]:
    """Follow a chapter; the objects that were written or deleted once the old one had stopped."""
    before, after = steps(chapter)
    for line in before:
        old.does(line, new)
    counted.seen.clear()
    for line in after:
        new.does(line, new)

    run = new.program.last_run()
    assert run["status"] == "success" and not run["counts"]["copied"], run
    assert len(list((new.program.data_dir / "ledgers").glob("*.gz"))) == 1
    assert not list(new.folder.rglob("moving.*"))
    return [path for method, path in counted.seen if method in ("PUT", "POST", "DELETE")]


def with_history(program: Program, source: Bucket, copy: Bucket, endpoint: str) -> None:
    """Two runs, the second with something to keep; one object has no MD5 in listings."""
    source.put_in_parts("folder-0/in-parts.bin", b"p" * 1000)
    program.backup(source, copy, destination_endpoint=endpoint)
    assert program.run()["status"] == "success"
    source.put("folder-0/object-00000.txt", b"another")
    source.delete("folder-1/object-00001.txt")
    assert program.run()["status"] == "success"
