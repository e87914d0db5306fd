"""A backup from its first copy to its restore, between any two services: stand-ins or real ones.

Three runs within eight days of the program's clock: a first copy; a change and a removal; another
change, when the versions of the second run are older than they are kept. Then it is restored by
RESTORE.txt, as it is and as it was before the last run.
"""

import datetime as dt
import gzip
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bucketvault.store.models import utcnow
from bucketvault.vocabulary import ProviderType
from tests.support.at_time import cli_at
from tests.support.person import Person
from tests.support.program import Bucket, Program
from tests.support.truth import State, account, assert_is_true

NAME = "Photos"
RETENTION_DAYS = 5
# Expiry believes a clock no more than eight days ahead of the run before: docs/decisions/clocks.md.
FIRST, SECOND, THIRD = (dt.timedelta(days=-days) for days in (8, 7, 0))
# By the services' S3 names; what else a copy has, such as mtime, is rclone's.
KEPT_HEADERS = (
    *("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"),
)


@dataclass(frozen=True)
class Stored:
    """An object as it is put: its bytes, whether in parts, and boto3's words for the rest."""

    body: bytes
    in_parts: bool = False  # such an object has no MD5
    options: Mapping[str, Any] = field(default_factory=dict)

    def put(self, bucket: Bucket, key: str) -> None:
        """Store it."""
        (bucket.put_in_parts if self.in_parts else bucket.put)(key, self.body, **self.options)


def packed(text: str, **more: Any) -> Stored:
    """Return a compressed object that says so, and is text to a browser."""
    options = {"ContentEncoding": "gzip", "ContentType": "text/plain"}
    return Stored(gzip.compress(text.encode() * 50, mtime=0), options=options, **more)


def first_objects(provider_type: ProviderType) -> dict[str, Stored]:
    """Return the objects that a source at such a service begins with."""
    page = {
        "ContentType": "text/html",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="page.html"',
        "ContentLanguage": "de",
        "Metadata": {"colour": "blue"},
    }
    found = {
        "changes.txt": Stored(b"the first"),
        "goes/away.txt": Stored(b"until the second run"),
        "stays/empty": Stored(b""),
        "stays/page.html": Stored(b"<p>page</p>", options=page),
        "stays/a+b %41 100%/K\u00fcste \U0001f388.txt": Stored(b"an odd name"),
        "parts.bin": Stored(bytes(range(256)) * 80, in_parts=True),
        "log.gz": packed("a line of a log "),
        "stays/parts.log.gz": packed("another line ", in_parts=True),
    }
    if provider_type is not ProviderType.BACKBLAZE_B2:  # which has one class alone
        found["stays/rare"] = Stored(b"seldom read", options={"StorageClass": "STANDARD_IA"})
    return found


SECOND_OBJECTS = {
    "changes.txt": Stored(b"the second"),
    "parts.bin": Stored(b"other parts" * 100, in_parts=True),
    "log.gz": packed("a later line "),
    "new.txt": Stored(b"since the second run"),
}
THIRD_OBJECTS = {"changes.txt": Stored(b"the third")}


@dataclass
class Walk:
    """One backup between two empty buckets; `tell` hears what was shown, a line each."""

    program: Program
    source: Bucket
    destination: Bucket
    home: Path  # a folder to restore to
    tell: Callable[[str], None] = lambda line: None

    def go(self) -> None:
        """Do all of it; AssertionError at the first thing that is not as promised."""
        began = utcnow()
        self.program.backup(
            self.source, self.destination, comparison_mode="checksum", retention_days=RETENTION_DAYS
        )
        before = first_objects(self.source.server.provider_type)
        self.follow(before)
        self.run(began + FIRST)
        self.tell(f"first copy: {len(before)} objects, equal byte for byte")

        old = self.source.objects()
        self.source.delete("goes/away.txt")
        self.follow(SECOND_OBJECTS)
        self.run(began + SECOND)
        (kept,) = self.destination.kept().values()
        replaced = {"changes.txt", "parts.bin", "log.gz", "goes/away.txt"}
        assert kept == {key: old[key] for key in replaced}, kept.keys()
        self.tell("change and removal: followed; 4 old versions kept, equal byte for byte")

        second = self.source.objects()
        self.follow(THIRD_OBJECTS)
        self.run(began + THIRD)
        ((stamp, kept),) = self.destination.kept().items()
        assert kept == {"changes.txt": second["changes.txt"]}, kept.keys()
        self.tell(f"retention: versions older than {RETENTION_DAYS} days are deleted, newer stay")

        for key in self.source.keys():  # noqa: SIM118  a bucket, no dict
            here, there = self.headers(self.source, key), self.headers(self.destination, key)
            assert here == there, (key, here, there)
        self.tell("headers and metadata of all objects: equal")

        person = Person(self.destination, self.home)
        self.restore(person, self.source.objects())
        person.do(person.command("EVERYTHING AS IT WAS ON A DAY"), STAMP=stamp)
        assert person.restored() == second
        shutil.rmtree(self.home / "restored")
        self.tell("restore by RESTORE.txt: as it is, and as it was before the last run")

    def follow(self, objects: Mapping[str, Stored]) -> None:
        """Store these at the source."""
        for key, stored in objects.items():
            stored.put(self.source, key)

    def run(self, at: dt.datetime) -> None:
        """Run the backup at this time, and hold the copy against the source."""
        done = cli_at(self.program, at, "run", NAME, "--wait")
        run = self.program.last_run(NAME)
        assert done.code == 0, (done, account(self.program, run))
        state = State.of(self.source, self.destination)
        assert state.is_complete, (state.source.keys(), state.copy.keys(), run)
        assert_is_true(self.program, run, state)
        assert not run["warnings"], run

    def restore(self, person: Person, truth: Mapping[str, bytes]) -> None:
        """Restore everything as RESTORE.txt says, and hold it against what it was."""
        person.do(person.command("EVERYTHING, AS IT WAS AFTER THE LAST RUN"))
        restored = person.restored()
        wrong = {
            key for key in restored.keys() | truth.keys() if restored.get(key) != truth.get(key)
        }
        assert not wrong, wrong

    def headers(self, bucket: Bucket, key: str) -> dict[str, Any]:
        """Return what an object's headers say, but for what rclone adds."""
        head = bucket.server.client().head_object(Bucket=bucket.name, Key=key)
        told = {name: head[name] for name in KEPT_HEADERS if name in head}
        own = {k: v for k, v in head["Metadata"].items() if k not in ("mtime", "btime")}
        return told | {"Metadata": own}
