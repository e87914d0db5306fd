"""Today in the demo: real runs, as the schedule starts them.

One fails because the server refuses its key, one is held because its source lost most objects, one
is warned because another program changed its copy, one is good. One is overdue, and one is left for
the first visitor to watch.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bucketvault.config import Config
from bucketvault.demo import buckets
from bucketvault.demo.buckets import Bucket
from bucketvault.demo.setup_file import Entry
from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.engine import Engine
from bucketvault.engine.views import backups
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import sentences
from bucketvault.server.address import ADDRESS
from bucketvault.store.database import connection
from bucketvault.store.models import HAS_ENDED, BackupRun, Session
from bucketvault.vocabulary import Trigger, Weekday

MOST_ROLLS = 10  # 36 MB each, at both ends: a demo that is left open must not fill the disk
WATCHED, FAILED, HELD = "Holiday photos", "Postgres dumps", "Customer uploads"
OVERDUE, WARNED, GOOD = "Website", "Documents", "Bookkeeping"
DATABASES = "Database host"  # the provider whose key the server refuses
RUNS_MAY_TAKE_S = 90.0
MAILS_MAY_TAKE_S = 10.0
LOOK_S = 0.2


def entries(now: dt.datetime) -> tuple[Entry, ...]:
    """Return the six backups; `now` in the server's time zone: four are due, two were yesterday."""

    def at(minutes: int) -> str:
        return f"{now + dt.timedelta(minutes=minutes):%H:%M}"

    return (
        Entry(WATCHED, "holiday-photos", at(75)),
        Entry(FAILED, "postgres-dumps", at(0), source=DATABASES),
        Entry(HELD, "customer-uploads", at(-1)),
        Entry(OVERDUE, "website", at(165)),
        Entry(WARNED, "documents", at(-2)),
        Entry(
            GOOD,
            "bookkeeping",
            at(-3),
            weekday=list(Weekday)[(now - dt.timedelta(minutes=3)).weekday()],
            verify_gb_per_night=1,
        ),
    )


def mail_settings(port: int) -> dict[str, object]:
    """Return the settings of email, to the demo's own server."""
    return {
        "smtp_host": ADDRESS,
        "smtp_port": port,
        "smtp_security": "none",
        "mail_from": "bucketvault@demo.example",
        "mail_to": "you@demo.example",
    }


def change_sources(servers: Path, sources: Mapping[str, Bucket], now: dt.datetime) -> None:
    """Let a day's work be done in every bucket, on disk too."""
    for name, bucket in sources.items():
        before, folder = dict(bucket.objects), servers / "here" / name
        bucket.live(now, 0)
        for key in before.keys() - bucket.objects.keys():
            (folder / key).unlink()
        for key, each in bucket.objects.items():
            if before.get(key) != each:
                buckets.place(folder / key, each)
    buckets.shoot_roll(servers / "here" / "holiday-photos", now)


def run_today(config: Config, servers: Path, say: Callable[[str], None]) -> None:
    """Run what is due, by the schedule, without pages; `say` how each run ended.

    Raises BucketvaultError where a run takes too long.
    """
    engine = Engine(config, "demo", schedules=True)
    newest = {name: _newest(name) for name in (FAILED, HELD, GOOD, WARNED)}
    engine.start()
    try:
        for name, number in newest.items():
            run = _ended(name, after=number)
            if name != WARNED:
                say(_words(run))
        _change_copy(servers / "elsewhere" / "documents-copy")
        engine.run_now(run.backup_id, Trigger.CLI)
        say(_words(_ended(WARNED, after=run.id)))
        engine.mail.try_all(MAILS_MAY_TAKE_S)
    finally:
        engine.stop()


def _words(run: backups.RunView) -> str:
    return sentences(f"{run.backup_name}: {run.explanation}", *map(describe_warning, run.warnings))


def _change_copy(folder: Path) -> None:
    """Change two objects of a copy, as no run does."""
    for path in sorted(folder.glob("2*/**/*.pdf"))[:2]:
        path.write_bytes(b"not what was copied here\n")


def _newest(name: str) -> int:
    """Return the newest run of a backup that ended."""
    row = backups.backup_by_name(name)
    return row.last_run.id if row.last_run is not None else 0


def _ended(name: str, *, after: int) -> backups.RunView:
    """Wait until a newer run of this backup has ended."""
    deadline = time.monotonic() + RUNS_MAY_TAKE_S
    while time.monotonic() < deadline:
        row = backups.backup_by_name(name)
        if row.last_run is not None and row.last_run.id > after:
            return row.last_run
        time.sleep(LOOK_S)  # between two looks: the engine works in other threads
    raise BucketvaultError(f"The run of {name} takes too long.", "Start the demo again.")


class Visitor:
    """Starts the run that can be watched when somebody signs in, and keeps more to be copied.

    A thread of the demo's own: nothing tells of a sign-in but its session.
    """

    def __init__(self, source: Path) -> None:
        self._source = source  # the bucket's folder
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, engine: Engine) -> None:
        """Begin to wait for one."""
        self._thread = threading.Thread(target=self._wait, args=(engine,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(1)

    def _wait(self, engine: Engine) -> None:
        while not _is_here():
            if self._over.wait(LOOK_S):
                return
        backup_id = backups.backup_by_name(WATCHED).id
        seen, rolls = engine.run_now(backup_id, Trigger.CLI), 0
        while rolls < MOST_ROLLS and not self._over.wait(LOOK_S):
            if (ended := _last_ended(backup_id)) >= seen:  # the camera is used again
                seen = ended + 1
                rolls += 1
                buckets.shoot_roll(self._source, dt.datetime.now(dt.UTC))


def _is_here() -> bool:
    with connection():
        return bool(Session.select().exists())


def _last_ended(backup_id: int) -> int:
    with connection():
        ended = BackupRun.select(BackupRun.id).where(BackupRun.backup == backup_id, HAS_ENDED)
        found: int | None = ended.order_by(BackupRun.id.desc()).limit(1).scalar()
    return found or 0
