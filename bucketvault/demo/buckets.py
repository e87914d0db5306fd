"""The six buckets of the demo: what they hold at first, and how they change from day to day.

Sizes are small, so that a laptop makes all of it in seconds. The same chance makes the same names
and sizes each time.
"""

import datetime as dt
import os
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

DAY = dt.timedelta(days=1)
REORGANISED_AGO = 6  # days: a folder was renamed, and its run was held
DUMPS_KEPT = 21
WATCHABLE = "1300k"  # bytes a second from the source's server
ROLL, ROLL_BYTES = 24, 1_500_000  # photos that the run copies which the first visitor watches
PAGES = ("index", "about", "prices", "team", "contact", "imprint", "jobs", "press")
TOPICS = ("contract", "insurance", "tax-return", "warranty", "school", "lease", "passport-scan")


@dataclass(frozen=True, slots=True)
class Object:
    """One object: its size, and when it was written (UTC)."""

    size: int
    written: dt.datetime


Objects = dict[str, Object]


class Bucket:
    """A bucket whose owner works with it; `objects` is what it holds now."""

    def __init__(self, name: str, first: dt.datetime) -> None:
        self.name = name
        self.objects: Objects = {}
        self._chance = random.Random(name)  # noqa: S311 - sample data, the same each time
        self._begin, self._change = BUCKETS[name]
        self._begin(self, first)

    def live(self, now: dt.datetime, days_ago: int) -> None:
        """Let a day's work be done, so many days ago."""
        self._change(self, now, days_ago)

    def put(self, key: str, least: int, most: int, now: dt.datetime) -> None:
        """Write an object of a size between these, a little before `now`."""
        written = now - dt.timedelta(minutes=self._chance.randrange(20, 600))
        self.objects[key] = Object(self._chance.randrange(least, most), written)

    def some(self, least: int, most: int) -> int:
        """Return a number between both, or one of them."""
        return self._chance.randint(least, most)

    def any_of(self, number: int) -> list[str]:
        """Return so many keys that are there."""
        return self._chance.sample(sorted(self.objects), min(number, len(self.objects)))


def _begin_photos(bucket: Bucket, first: dt.datetime) -> None:
    for back in range(60, 0, -1):
        _shoot(bucket, first - back * DAY, 3)
    bucket.put("albums/best-of.json", 2000, 4000, first)


def _shoot(bucket: Bucket, day: dt.datetime, number: int) -> None:
    for n in range(1, number + 1):
        bucket.put(f"{day:%Y/%m}/IMG_{day:%Y%m%d}_{n:03}.jpg", 60_000, 200_000, day)


def _change_photos(bucket: Bucket, now: dt.datetime, days_ago: int) -> None:
    if days_ago == REORGANISED_AGO:
        old = sorted(key for key in bucket.objects if key.startswith("20"))[:180]
        for key in old:
            bucket.objects[f"albums/autumn/{key.rpartition('/')[2]}"] = bucket.objects.pop(key)
    if bucket.some(1, 4) > 1:
        _shoot(bucket, now, bucket.some(1, 7))
        bucket.put("albums/best-of.json", 2000, 4000, now)


def _begin_dumps(bucket: Bucket, first: dt.datetime) -> None:
    for back in range(DUMPS_KEPT, 0, -1):
        _change_dumps(bucket, first - back * DAY, 0)


def _change_dumps(bucket: Bucket, now: dt.datetime, _: int) -> None:
    grown = 300_000 + (now.date().toordinal() % 400) * 500
    bucket.put(f"shop/{now:%Y-%m-%d}.dump.zst", grown, grown + 9000, now)
    bucket.put("shop/latest.json", 300, 400, now)
    for old in sorted(key for key in bucket.objects if key.endswith(".zst"))[:-DUMPS_KEPT]:
        del bucket.objects[old]


def _begin_uploads(bucket: Bucket, first: dt.datetime) -> None:
    for back in range(40, 0, -1):
        _change_uploads(bucket, first - back * DAY, 99)


def _change_uploads(bucket: Bucket, now: dt.datetime, days_ago: int) -> None:
    for _ in range(bucket.some(2, 7)):
        number = bucket.some(10_000, 99_999)
        kind = ("jpg", "pdf", "png")[number % 3]
        bucket.put(
            f"customers/{number % 37 + 100}/{now:%Y-%m-%d}-{number}.{kind}", 9000, 60_000, now
        )
    if not days_ago:  # an application's mistake: the run of today is held
        for key in bucket.any_of(len(bucket.objects) * 7 // 10):
            del bucket.objects[key]


def _begin_website(bucket: Bucket, first: dt.datetime) -> None:
    for name in PAGES:
        for language in ("de", "en", "fr"):
            bucket.put(f"{language}/{name}.html", 4000, 30_000, first)
    for n in range(1, 41):
        bucket.put(f"images/{n:02}.webp", 8000, 60_000, first)
    bucket.put("style/site.css", 20_000, 30_000, first)


def _change_website(bucket: Bucket, now: dt.datetime, _: int) -> None:
    for key in bucket.any_of(bucket.some(0, 4)):
        bucket.put(key, 4000, 50_000, now)
    if bucket.some(1, 3) == 1:
        bucket.put(f"en/news/{now:%Y-%m-%d}.html", 3000, 9000, now)


def _begin_documents(bucket: Bucket, first: dt.datetime) -> None:
    for back in range(90, 0, -1):
        _file(bucket, first - back * DAY)


def _file(bucket: Bucket, now: dt.datetime) -> None:
    topic = TOPICS[bucket.some(0, len(TOPICS) - 1)]
    bucket.put(f"{now:%Y}/{topic}/{now:%m-%d}.pdf", 20_000, 90_000, now)


def _change_documents(bucket: Bucket, now: dt.datetime, _: int) -> None:
    for _number in range(bucket.some(0, 2)):
        _file(bucket, now)
    bucket.put("notes.txt", 2000, 6000, now)
    for key in bucket.any_of(bucket.some(0, 1)):
        bucket.put(key, 20_000, 90_000, now)


def _begin_bookkeeping(bucket: Bucket, first: dt.datetime) -> None:
    for n in range(1, 61):
        bucket.put(f"{first:%Y}/invoices/R-{n:04}.pdf", 20_000, 60_000, first)


def _change_bookkeeping(bucket: Bucket, now: dt.datetime, _: int) -> None:
    if bucket.some(1, 3) == 1:
        number = sum("invoices" in key for key in bucket.objects) + 1
        bucket.put(f"{now:%Y}/invoices/R-{number:04}.pdf", 20_000, 60_000, now)
    bucket.put(f"{now:%Y}/journal.csv", 8000, 9000, now)


Begin = Callable[[Bucket, dt.datetime], None]
Change = Callable[[Bucket, dt.datetime, int], None]
BUCKETS: dict[str, tuple[Begin, Change]] = {
    "holiday-photos": (_begin_photos, _change_photos),
    "postgres-dumps": (_begin_dumps, _change_dumps),
    "customer-uploads": (_begin_uploads, _change_uploads),
    "website": (_begin_website, _change_website),
    "documents": (_begin_documents, _change_documents),
    "bookkeeping": (_begin_bookkeeping, _change_bookkeeping),
}


# ---- on disk


def fill(folder: Path, objects: Objects) -> None:
    """Write objects of those sizes and dates into a bucket's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, each in objects.items():
        place(folder / key, each)


def place(path: Path, each: Object) -> None:
    """Write one object, of bytes by chance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(each.size))
    os.utime(path, (each.written.timestamp(),) * 2)


def copy(keys: Iterable[str], source: Path, destination: Path) -> None:
    """Copy objects as a run leaves them: the same bytes and dates."""
    for key in keys:
        (destination / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / key, destination / key)


def shoot_roll(bucket: Path, now: dt.datetime) -> None:
    """Add photos to a bucket, enough for a run that can be watched."""
    for n in range(1, ROLL + 1):
        key = f"{now:%Y/%m}/RAW_{now:%Y%m%d_%H%M%S}_{n:03}.dng"
        place(bucket / key, Object(ROLL_BYTES, now))
