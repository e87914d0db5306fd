"""A run stays below the limit on bandwidth, measured: what it copies, and what it verifies."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from bucketvault.store.database import connection
from bucketvault.store.models import BackupRun
from tests.conftest import NewBucket
from tests.support.program import Program, objects
from tests.support.servers import MotoServer

pytestmark = pytest.mark.slow

ZONE = "Asia/Tokyo"  # nine hours from UTC: by the machine's own clock no limit would hold
SHARE = 400_000  # bytes a second, of 0.8 MB/s for two runs
FILES = objects(4, 300_000)
LEAST = 0.9  # of the time that the limit demands


def seconds_of_the_last_run(bucketvault: Program) -> tuple[BackupRun, float]:
    with bucketvault.database(), connection():
        run = BackupRun.select().order_by(BackupRun.id.desc()).first()
    return run, (run.finished_at - run.started_at).total_seconds()


def test_a_copy_and_a_verification_take_the_time_that_their_share_demands(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(moto, FILES), new_bucket(moto)
    bucketvault.backup(source, destination)
    now, hour = dt.datetime.now(ZoneInfo(ZONE)), dt.timedelta(hours=1)
    start, end = (f"{each:%H:%M}" for each in (now - hour, now + hour))
    setup = (
        f'[settings]\nbandwidth_mb_s = 0.8\nbandwidth_from = "{start}"\nbandwidth_to = "{end}"\n'
    )
    assert bucketvault.apply(setup).code == 0
    size = sum(map(len, FILES.values()))

    copied = bucketvault.shell("run", "Photos", "--wait", TZ=ZONE)

    run, took_s = seconds_of_the_last_run(bucketvault)
    assert (copied.code, run.status) == (0, "success"), copied
    assert took_s > LEAST * size / SHARE
    assert run.spec["bandwidth"] == {"bytes_s": SHARE, "start": start, "end": end, "zone": ZONE}
    assert b"Starting bandwidth limiter at 390.625Ki Byte/s" in bucketvault.raw_log(run.id)

    verified = bucketvault.shell("verify", "Photos", "--wait", TZ=ZONE)

    run, took_s = seconds_of_the_last_run(bucketvault)
    assert (verified.code, run.status, run.bytes) == (0, "success", size), verified
    assert took_s > LEAST * 2 * size / SHARE  # both ends
