"""Thirty days of a backup that keeps seven: each day exactly what was promised is there."""

import datetime as dt

import pytest

from bucketvault.engine.rclone.commands import STAMP_FORMAT
from bucketvault.store.models import utcnow
from tests.conftest import NewBucket
from tests.support.at_time import cli_at
from tests.support.program import Program
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.slow

RETENTION = dt.timedelta(days=7)
FAILING = range(12, 19)  # a week with a wrong key


def day(number: int) -> dict[str, bytes]:
    """The source on a day: one object stays, one changes, one comes as another goes."""
    return {
        "stays.txt": b"the same for ever",
        "changes.txt": f"as of day {number}".encode(),
        f"comes/day-{number}.txt": b"here for a day",
    }


@pytest.mark.timeout(600)
def test_on_each_of_thirty_days_exactly_what_was_promised_is_kept(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here), new_bucket(elsewhere)
    began = (utcnow() - dt.timedelta(days=31)).replace(microsecond=0)
    promised: dict[dt.datetime, dict[str, bytes]] = {}  # what is kept, by when it was replaced
    copy: dict[str, bytes] = {}
    bucketvault.backup(source, destination, retention_days=7, comparison_mode="checksum")
    for number in range(30):
        # a little later each day, so that no folder is seven days old to the second
        now = began + dt.timedelta(days=number, seconds=10 * number)
        fails = number in FAILING
        if number in (FAILING.start, FAILING.stop):
            secret = "wrong-secret-0001" if fails else ""
            bucketvault.backup(source, destination, source_secret=secret)
        for key in source.keys():  # noqa: SIM118 - a bucket, no dict
            source.delete(key)
        for key, body in day(number).items():
            source.put(key, body)

        done = cli_at(bucketvault, now, "run", "Photos", "--wait")

        assert done.code == (1 if fails else 0), (number, done)
        if not fails:
            went = {key: body for key, body in copy.items() if day(number).get(key) != body}
            copy = day(number)
            if went:
                promised[now] = went
            promised = {at: what for at, what in promised.items() if now - at <= RETENTION}
        assert destination.copy() == copy, number
        kept = {
            dt.datetime.strptime(name, STAMP_FORMAT).replace(tzinfo=dt.UTC): what
            for name, what in destination.kept().items()
        }
        assert list(kept.values()) == [promised[at] for at in sorted(promised)], number
        for told, replaced_at in zip(sorted(kept), sorted(promised), strict=True):
            assert dt.timedelta() <= told - replaced_at < dt.timedelta(seconds=10), number
    assert len(promised) == 7  # of today and the six days before
