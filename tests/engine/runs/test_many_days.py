"""Many days of a backup that keeps fourteen: each day that was promised can be built again.

Twenty-four in a usual run, sixty with `TESTS_MORE=1`.
"""

import datetime as dt
import hashlib
import os
import random

import pytest

from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.store.models import utcnow
from tests.conftest import NewBucket
from tests.engine.runs.scene import scene_between
from tests.support.at_time import cli_at
from tests.support.program import Bucket, Program
from tests.support.servers import MotoServer
from tests.support.truth import Objects
from tests.support.wrong_answers import Lie

pytestmark = pytest.mark.slow

DAYS = 60 if os.environ.get("TESTS_MORE") else 24
RETENTION = dt.timedelta(days=14)
FAILING = range(5, 12)  # a week in which the source may not be listed
KEYS = [
    *("a", "a/b", "a//b", "photos/1.jpg", "photos/2.jpg", "sp ace/100%+#?.txt", "Küste/山 🎈"),
    *("/first", "tail/", "./dot", "x/../y", "caf\u00e9", "cafe\u0301", "*[x]{y}", "back\\slash"),
]
IN_PARTS = {"disk-1.img", "disk-2.img"}  # always written in parts, and of one size


Marks = dict[str, str]  # MD5s, by key


def body(key: str, day: int) -> bytes:
    return f"day {day:02}".encode() if key in IN_PARTS else f"{key} of day {day}".encode()


def next_day(chance: random.Random, day: int, now: Objects) -> Objects:
    """The source a day later: some are replaced, removed, back again, renamed, or just there."""
    then = now | {"stays": b"the same for ever"}
    if chance.random() < 0.2:
        return then
    for key in chance.sample(sorted(now), k=min(len(now), chance.randint(0, 2))):
        then[key] = body(key, day)
    for key in chance.sample(sorted(now), k=min(len(now), chance.randint(0, 2))):
        del then[key]
    missing = sorted({*KEYS, *IN_PARTS} - then.keys())
    for key in chance.sample(missing, k=min(len(missing), chance.randint(0, 2))):
        then[key] = body(key, day)
    movable = sorted(then.keys() - IN_PARTS - now.keys())
    if movable and chance.random() < 0.3:
        then[f"renamed/{day}"] = then.pop(chance.choice(movable))
    return then


def follow(source: Bucket, now: Objects, then: Objects) -> None:
    for key in now.keys() - then.keys():
        source.delete(key)
    for key, new in then.items():
        if now.get(key) != new:
            (source.put_in_parts if key in IN_PARTS else source.put)(key, new)


def hashed(objects: Objects) -> Marks:
    return {key: hashlib.md5(body).hexdigest() for key, body in objects.items()}  # noqa: S324


def marked(listed: Marks) -> tuple[Marks, dict[str, Marks]]:
    """The copy, and the kept versions by run's folder, by what the server says of their bytes."""
    copy: Marks = {}
    kept: dict[str, Marks] = {}
    for key, mark in listed.items():
        parts = key.split("/", 3)
        if parts[0] != ".bucketvault-archive":
            copy[key] = mark
        elif len(parts) == 4:
            kept.setdefault(parts[2], {})[parts[3]] = mark
    return copy, kept


def rebuilt(copy: Marks, kept: dict[str, Marks], after: str) -> Marks:
    """As RESTORE.txt says: the copy, and over it what each run since had kept, newest first."""
    found = dict(copy)
    for stamp in sorted(kept, reverse=True):
        if stamp > after:
            found |= kept[stamp]
    return found


@pytest.mark.timeout(900)
def test_on_each_of_many_days_every_day_that_is_kept_can_be_built_again(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    chance = random.Random(60)
    began = (utcnow() - dt.timedelta(days=DAYS + 1)).replace(microsecond=0)
    days: list[tuple[str, Objects]] = []  # the truth after each good run, by the run's time
    promised: dict[dt.datetime, Objects] = {}  # what is kept, by when it was replaced
    now: Objects = {}
    copied: Objects = {}
    with scene_between(bucketvault, new_bucket, moto, moto) as scene:
        scene.backup(retention_days=14)
        for day in range(DAYS):
            # a little later each day, so that no folder is as old as the limit to the second
            at = began + dt.timedelta(days=day, seconds=10 * day)
            fails = day in FAILING
            scene.at_source.lies = [Lie("GET", "list-type=2", 403, "AccessDenied")] * fails
            then = next_day(chance, day, now)
            follow(scene.source, now, then)
            now = then

            done = cli_at(bucketvault, at, "run", "Photos", "--wait")

            assert done.code == (1 if fails else 0), (day, done)
            if not fails:
                went = {key: old for key, old in copied.items() if now.get(key) != old}
                copied = now
                if went:
                    promised[at] = went
                promised = {when: what for when, what in promised.items() if at - when <= RETENTION}
                days.append((at.strftime(STAMP_FORMAT), now))
            copy, kept = marked(scene.destination.marks())
            assert copy == hashed(copied), day
            folders = [kept[stamp] for stamp in sorted(kept)]
            assert folders == [hashed(promised[when]) for when in sorted(promised)], day
            oldest = (at - RETENTION).strftime(STAMP_FORMAT)
            for stamp, truth in days:
                if stamp >= oldest:
                    again = rebuilt(copy, kept, in_the_second_after(stamp))
                    assert {key: again.get(key) for key in truth} == hashed(truth), (day, stamp)
        assert scene.destination.copy() == copied  # and read, not only listed
    assert 5 < len(promised) <= 15


def in_the_second_after(stamp: str) -> str:
    """The latest folder that a run of that time can have named: a folder a pass, a second apart."""
    begun = dt.datetime.strptime(stamp, STAMP_FORMAT) + dt.timedelta(seconds=9)  # noqa: DTZ007  as named
    return begun.strftime(STAMP_FORMAT)
