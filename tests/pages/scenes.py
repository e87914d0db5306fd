"""Made-up backups, runs and logs in every state, and an engine that shows them. For tests only."""

import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

from bucketvault.engine.live import BACKUPS, Live, log_topic, run_topic
from bucketvault.engine.overview import BackupRow, End, RunPage, RunSettings, RunView
from bucketvault.engine.rclone.transcript import Progress, Transfer
from bucketvault.errors import NotFoundError
from bucketvault.store.models import COUNT_NAMES
from bucketvault.store.runlogs import LogRow, LogSize, is_progress
from bucketvault.vocabulary import (
    ComparisonMode,
    Phase,
    ProviderType,
    Reason,
    RunStatus,
    Schedule,
    Trigger,
    Weekday,
)

ZONE = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
PROVIDERS = {
    "R2": ("Cloudflare main", ProviderType.CLOUDFLARE_R2),
    "B2": ("Backblaze EU", ProviderType.BACKBLAZE_B2),
    "S3": ("Amazon Frankfurt", ProviderType.AMAZON_S3),
}
NO_COUNTS = dict.fromkeys(COUNT_NAMES, 0)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def end(mark: str, place: str) -> End:
    name, kind = PROVIDERS[mark]
    bucket, _, path = place.partition("/")
    return End(name, kind, bucket, "", path)


def run_view(status: RunStatus = RunStatus.SUCCESS, **changes: object) -> RunView:
    """A good planned run that ended half an hour ago, with `changes`."""
    ended = now() - 32 * MINUTE
    started = ended - dt.timedelta(minutes=12, seconds=4)
    view = RunView(
        id=3,
        backup_id=4,
        backup_name="Postgres dumps",
        status=status,
        reason=None,
        trigger=Trigger.SCHEDULE,
        phase=Phase.TIDYING,
        scheduled_for=started.replace(second=0, microsecond=0),
        skipped_slots=0,
        queued_at=started,
        started_at=started,
        finished_at=ended,
        stop_requested_at=None,
        exit_code=0,
        explanation="",
        hint="",
        detail="",
        warnings=(),
        counts={
            **NO_COUNTS,
            "checked": 202,
            "copied": 14,
            "replaced": 2,
            "archived": 4,
            "deleted": 2,
            "bytes": 1_920_000_000,
        },
        source_objects=218,
        source_bytes=96_100_000_000,
        progress=None,
        log_lines=22,
        log_bytes=9_200,
        on_its_own=False,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def progress(share: float = 0.62) -> Progress:
    total = 66_400_000_000
    return Progress(
        bytes_done=int(total * share),
        bytes_total=total,
        objects_done=int(1943 * share),
        objects_total=1943,
        checks_done=880,
        checks_total=880,
        speed_bytes_s=84_000_000,
        eta_s=int((1 - share) * total / 84_000_000),
        elapsed_s=1320,
        transferring=(
            Transfer("2026/spring/raw/A003_C014.mov", 1_300_000_000, 612_000_000),
            Transfer("2026/spring/raw/A003_C015.mov", 1_100_000_000, 1_000_000_000),
            Transfer("2026/spring/raw/A003_C016.mov", 1_200_000_000, 96_000_000),
            Transfer("2026/spring/edit/cut-08.mp4", 402_000_000, 240_000_000),
        ),
    )


def live_run(**changes: object) -> RunView:
    started = now() - 22 * MINUTE
    counts = {**NO_COUNTS, "copied": 1188, "replaced": 16, "archived": 16, "bytes": 41_200_000_000}
    return replace(
        run_view(
            RunStatus.RUNNING,
            id=1,
            backup_id=7,
            backup_name="Video masters",
            phase=Phase.COPYING,
            scheduled_for=started,
            queued_at=started,
            started_at=started,
            finished_at=None,
            exit_code=None,
            counts=counts,
            progress=progress(),
        ),
        **changes,  # type: ignore[arg-type]
    )


def failed_run(**changes: object) -> RunView:
    given: dict[str, object] = {
        "id": 2,
        "reason": Reason.RCLONE_ERROR,
        "phase": Phase.COPYING,
        "exit_code": 1,
        "explanation": "Backblaze EU took no more data, its storage cap is reached.",
        "hint": "In Backblaze, open Caps & Alerts and raise the storage cap. Then press Run again: "
        "only the 4 missing objects are copied.",
        "counts": {
            **NO_COUNTS,
            "copied": 6,
            "replaced": 1,
            "archived": 2,
            "holes": 1,
            "errors": 4,
            "bytes": 1_920_000_000,
        },
    }
    return run_view(RunStatus.FAILED, **{**given, **changes})


def stopped_run() -> RunView:
    counts = {**NO_COUNTS, "copied": 3, "bytes": 400_000_000}
    return failed_run(
        id=4, reason=Reason.STOPPED, exit_code=130, explanation="", hint="", counts=counts
    )


def pending_run() -> RunView:
    return run_view(
        RunStatus.PENDING,
        id=5,
        trigger=Trigger.MANUAL,
        phase=None,
        scheduled_for=None,
        queued_at=now() - dt.timedelta(seconds=8),
        started_at=None,
        finished_at=None,
        exit_code=None,
        counts=NO_COUNTS,
        log_lines=0,
        log_bytes=0,
    )


def held_run() -> RunView:
    return failed_run(
        id=6,
        backup_id=5,
        backup_name="Product photos",
        reason=Reason.BRAKE,
        phase=Phase.CHECKING,
        exit_code=None,
        explanation="It would remove or replace 634 of 1,037 objects. Nothing has been touched.",
        hint="Look at the names below; bring back at the source what went by mistake.",
        counts=NO_COUNTS,
    )


def warned_run() -> RunView:
    return run_view(
        id=7,
        warnings=(
            "2 objects were replaced without a kept version.",
            "The log was cut: its counts read at least so many.",
        ),
    )


def interrupted_run() -> RunView:
    return failed_run(
        id=9,
        reason=Reason.RCLONE_MISSING,
        phase=Phase.CHECKING,
        started_at=None,
        exit_code=None,
        explanation="rclone is not installed.",
        hint="Install rclone 1.75 or newer, or set BUCKETVAULT_RCLONE.",
        detail="rclone: command not found",
        counts=NO_COUNTS,
        log_lines=0,
    )


SAMPLE = (  # name, source, destination, schedule, at, hours to the next, hours since, seconds, size
    ("Customer uploads", "R2 acme-uploads", "B2 acme-uploads-copy", "01:00", 22, 1, 42, 318e9),
    ("Invoices", "S3 acme-invoices", "R2 acme-invoices-copy", "01:15", 23, 0.97, 8, 1.2e9),
    ("Mail archive", "R2 acme-mail", "B2 acme-archive/mail", "05:00", 26, 144, 6720, 2.8e12),
    ("Postgres dumps", "S3 acme-pg-dumps", "B2 acme-pg-dumps-copy", "01:30", 23, 0.53, 724, 96e9),
    (
        "Product photos",
        "R2 acme-photos/originals",
        "B2 acme-photos-copy",
        "00:15",
        22,
        2,
        1080,
        412e9,
    ),
    ("Server logs", "R2 acme-logs", "S3 acme-logs-copy/2026", "00:10", 22, 360, 26, 64e9),
    ("Video masters", "B2 acme-masters", "R2 acme-masters-copy", "01:52", 23, 24, 1500, 1.9e12),
    ("Website assets", "R2 acme-www", "S3 acme-www-copy", "00:40", 144, 1.1, 180, 38e9),
)


def backup_row(number: int, **changes: object) -> BackupRow:
    """One of the sample's backups, good, with `changes`."""
    name, source, destination, at, due_h, since_h, took_s, size = SAMPLE[number - 1]
    ended = now() - since_h * HOUR
    weekly = name in ("Mail archive", "Website assets")
    row = BackupRow(
        id=number,
        name=name,
        enabled=True,
        source=end(*source.split(" ")),
        destination=end(*destination.split(" ")),
        schedule=Schedule.WEEKLY if weekly else Schedule.DAILY,
        at=at,
        weekday=Weekday.MONDAY if weekly else None,
        time_zone="Europe/Berlin",
        next_due_at=now() + due_h * HOUR,
        overdue=False,
        active_run=None,
        last_run=run_view(
            id=30 + number,
            backup_id=number,
            backup_name=name,
            started_at=ended - dt.timedelta(seconds=took_s),
            finished_at=ended,
        ),
        last_good_at=ended,
        size_bytes=int(size),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def good_rows() -> list[BackupRow]:
    rows = [backup_row(number) for number in range(1, len(SAMPLE) + 1)]
    rows[5] = backup_row(6, enabled=False, next_due_at=None)
    rows[6] = backup_row(7, active_run=live_run())
    return rows


def bad_rows() -> list[BackupRow]:
    rows = good_rows()
    rows[1] = backup_row(2, overdue=True, last_good_at=now() - DAY)
    rows[3] = backup_row(4, last_run=failed_run())
    rows[4] = backup_row(5, last_run=held_run())
    return rows


def running_rows() -> list[BackupRow]:
    rows = [replace(row, last_run=None, last_good_at=None, size_bytes=None) for row in good_rows()]
    rows[0] = replace(rows[0], active_run=live_run(id=1, phase=Phase.CHECKING, progress=None))
    rows[1] = replace(rows[1], active_run=replace(pending_run(), backup_id=2))
    return rows[:3] + rows[6:7]


def hostile_rows() -> list[BackupRow]:
    """Names made to break a page."""
    nasty = "<img src=x onerror=alert(1)>{{ 7*7 }} \u202egnp.exe `${1}` "
    long = "A very long name that goes on and on " * 20
    rows = good_rows()[:3]
    rows[0] = replace(rows[0], name=nasty, source=replace(rows[0].source, bucket_name=nasty))
    failed = failed_run(explanation=nasty * 4, backup_name=nasty)
    rows[1] = replace(rows[1], name=long, last_run=failed)
    rows[2] = replace(rows[2], name="שלום " * 30)
    return rows


SETTINGS = RunSettings(
    source=end("S3", "acme-pg-dumps"),
    destination=end("B2", "acme-pg-dumps-copy"),
    comparison_mode=ComparisonMode.CHECKSUM,
    retention_days=30,
    shrink_limit_percent=50,
    rclone_version="1.75.2",
    arguments=("sync", "source:acme-pg-dumps/", "dest:acme-pg-dumps-copy/"),
)


def log_line(
    number: int, message: str = "Copied (new)", level: str = "info", **more: object
) -> bytes:
    """One raw line as rclone writes it, `number` seconds after 01:30 in Berlin."""
    stamp = dt.datetime(2026, 11, 22, 0, 30, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
    entry: dict[str, object] = {"time": stamp.isoformat(), "level": level, "msg": message, **more}
    if "object" in more:
        entry["objectType"] = "*s3.Object"
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()


def stats_line(number: int, share: float) -> bytes:
    total = 66_400_000_000
    stats = {"bytes": int(total * share), "totalBytes": total, "speed": 84e6, "eta": 300}
    message = f"   {share * 61.8:.3f} GiB / 61.840 GiB, {share:.0%}, 80.1 MiB/s, ETA 5m\n"
    return log_line(number, message, stats=stats)


def failed_log() -> list[bytes]:
    denied = (
        "Failed to copy: operation error S3: PutObject, https response error StatusCode: 403, "
        "RequestID: 7f2c, api error AccessDenied: Cannot upload files, storage cap exceeded. "
        "See the Caps & Alerts page to increase your cap."
    )
    lines = [
        log_line(9, object="base/2026-11-22/base.tar.zst", size=1_900_000_000),
        log_line(10, object="base/2026-11-22/manifest.json", size=48_000),
        stats_line(11, 0.1),
    ]
    lines += [
        log_line(84 + i, object=f"wal/00000001000004A2000000E{i}.zst", size=6_100_000)
        for i in range(4)
    ]
    lines += [
        log_line(87, "Copied (server-side copy)", object="latest.json", size=1_100),
        log_line(87, "Deleted", object="latest.json"),
        log_line(88, object="latest.json", size=1_100),
        stats_line(89, 0.4),
        log_line(300, "Updated modification time in destination", object="readme.txt"),
        log_line(551, denied, "error", object="base/2026-11-22/pg_wal.tar.zst"),
        log_line(551, denied, "error", object="wal/00000001000004A2000000E5.zst"),
        log_line(552, "Copied (server-side copy)", object="reports/weekly.pdf", size=90_000),
        log_line(552, "Deleted", object="reports/weekly.pdf"),
        log_line(552, denied, "error", object="reports/weekly.pdf"),
        log_line(553, "not deleting files as there were IO errors", "error"),
        log_line(553, f"Attempt 1/3 failed with 4 errors and: {denied}", "error"),
        log_line(724, f"Attempt 3/3 failed with 4 errors and: {denied}", "error"),
        log_line(724, f"Failed to sync with 4 errors: last error was: {denied}", "notice"),
    ]
    return lines


def long_log(count: int = 100_000) -> list[bytes]:
    """`count` lines of which every hundredth is progress; line 70,000 is an error."""
    lines = []
    for number in range(count):
        if number % 100 == 99:
            lines.append(stats_line(number, number / count))
        elif number == 70_000:
            lines.append(
                log_line(number, "Failed to copy: the needle " * 300, "error", object="x/needle")
            )
        else:
            name = f"2026/spring/raw/A{number // 1000:03}_C{number:06}.mov"
            lines.append(log_line(number, object=name, size=1_000_000 + number * 37))
    return lines


HOSTILE_LINES = [
    b"<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    b"{{ constructor.constructor('document.title=1')() }} ${document.title='owned'} \x00\x1b[31m",
    b"\xff\xfe not utf-8 \xe2\x80\xae drow",
    log_line(
        1,
        "Failed: <b onmouseover=alert(1)>" + "x" * 20_000,
        "error",
        object="<i>&amp;</i>\n\u202egnp",
    ),
    b'{"level":"info","msg":7,"object":[],"time":9}',
    b"",
    b"[" * 5000,
]


class FakeEngine:
    """What pages ask of an engine, over made-up values; it can make a log and a bar grow."""

    zone = ZONE

    def __init__(self) -> None:
        self.live = Live()
        self.reset()

    def reset(self) -> None:
        """As it was at the start; who listens goes on listening."""
        self.rows = good_rows()
        self.runs = {
            view.id: view
            for view in (
                live_run(),
                failed_run(),
                run_view(),
                stopped_run(),
                pending_run(),
                held_run(),
                warned_run(),
                interrupted_run(),
                run_view(id=8),
                failed_run(
                    id=10, explanation=HOSTILE_LINES[0].decode(), detail="<b>1</b>\n\x1b[31m"
                ),
            )
        }
        self.logs: dict[int, list[bytes]] = {
            1: [
                log_line(i, object=f"2026/spring/raw/A003_C{i:03}.mov", size=10**9)
                for i in range(40)
            ],
            2: failed_log(),
            3: failed_log()[:10],
            8: long_log(),
            10: list(HOSTILE_LINES),
        }
        self._shown: dict[int, list[bytes]] = {}
        self.queued: list[int] = []
        self.stopped: list[int] = []
        self.reads = 0

    def overview_backups(self) -> list[BackupRow]:
        return list(self.rows)

    def overview_run(self, run_id: int) -> RunPage:
        if run_id not in self.runs:
            raise NotFoundError("There is no such run.", "It may have gone with its backup.")
        view = self.runs[run_id]
        settings = None if view.status == RunStatus.PENDING else SETTINGS
        return RunPage(view, settings, now() - DAY, run_id - 1 or None, None)

    def run_now(self, backup_id: int) -> int:
        self.queued.append(backup_id)
        return 5

    def stop_run(self, run_id: int) -> None:
        self.stopped.append(run_id)
        self.runs[run_id] = replace(self.runs[run_id], stop_requested_at=now())
        self.live.publish(run_topic(run_id), BACKUPS)

    def _lines(self, run_id: int, with_progress: bool) -> list[bytes]:
        lines = self.logs.get(run_id, [])
        if with_progress:
            return lines
        shown = self._shown.setdefault(run_id, [])
        if not shown or run_id != 1:
            shown[:] = [line for line in lines if not is_progress(line)]
        return shown

    def log_size(self, run_id: int) -> LogSize:
        lines = self._lines(run_id, True)
        return LogSize(len(lines), len(self._lines(run_id, False)), sum(map(len, lines[-1000:])))

    def log_rows(self, run_id: int, start: int, count: int, progress: bool) -> list[LogRow]:
        self.reads += 1
        lines = self._lines(run_id, progress)[start : start + count]
        return [LogRow(start + place, line) for place, line in enumerate(lines)]

    def log_find(
        self, run_id: int, needle: str, start: int, backwards: bool, progress: bool
    ) -> int | None:
        sought = needle.lower().encode()
        lines = self._lines(run_id, progress)
        order = range(min(start, len(lines)) - 1, -1, -1) if backwards else range(start, len(lines))
        return next((row for row in order if sought in lines[row].lower()), None)

    def log_raw(self, run_id: int) -> Iterator[bytes]:
        for line in self.logs.get(run_id, []):
            yield line + b"\n"

    def grow(self, lines_a_second: int, ending: threading.Event) -> None:
        """Let run 1 go on, in this thread, until `ending`."""
        shown = self._lines(1, False)
        started, made = time.monotonic(), 0
        while not ending.wait(0.05):
            due = int((time.monotonic() - started) * lines_a_second)
            for number in range(made, due):
                name = f"2026/spring/raw/B{number:07}.mov"
                line = log_line(number, object=name, size=1_000_000 + number)
                self.logs[1].append(line)
                shown.append(line)
            made = due
            share = (time.monotonic() - started) / 60 % 1
            view = replace(self.runs[1], progress=progress(share), log_lines=len(self.logs[1]))
            self.runs[1] = view
            self.rows = [
                replace(row, active_run=view) if row.id == view.backup_id else row
                for row in self.rows
            ]
            self.live.publish(run_topic(1), log_topic(1), BACKUPS)
