"""Made-up runs that read both ends, and a backup with damage. For tests only."""

import datetime as dt
from dataclasses import replace

from bucketvault.engine.domain.reading import Coverage, Damage, Verified
from bucketvault.engine.domain.reading_words import (
    block,
    describe_found,
    describe_verified,
    what_next,
)
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.vocabulary import Phase, Reason, RunKind, Trigger, WarningCode
from tests.pages import scenes
from tests.pages.sample_logs import own_line

COVERAGE = Coverage(
    objects=18_240,
    bytes=61_400_000_000,
    recent_bytes=51_000_000_000,
    recent_objects=15_100,
    unread_objects=12,
    refused=12,
    oldest=dt.date(2026, 8, 12),
)
DAMAGE = Damage(in_copy=1, at_source=1, names=("wal/0000E5.zst", "latest.json"))


def _found(key: str, mark: str) -> dict[str, object]:
    def end(letter: str, day: int) -> dict[str, object]:
        at = f"2026-11-{day:02}T01:42:10Z"
        return {"size": 16_777_216, "sha256": letter * 64, "etag": "e", "modified": at}

    return {"key": key, "mark": mark, "is_new": True, "source": end("a", 3), "copy": end("b", 4)}


FOUND = (_found("wal/0000E5.zst", "damaged"), _found("latest.json", "source_damaged"))


def verified_run(**changes: object) -> RunView:
    """A run that read all, and found all equal but what it could not read."""
    found = Verified(objects=18_228, bytes=61_400_000_000, equal=18_228, changed=40, refused=12)
    given: dict[str, object] = {
        "id": 22,
        "kind": RunKind.VERIFY,
        "trigger": Trigger.MANUAL,
        "phase": Phase.CHECKING,
        "scheduled_for": None,
        "exit_code": None,
        "proof": None,
        "counts": scenes.NO_COUNTS,
        "verified": found,
        "explanation": describe_verified(found),
        "warnings": (RunWarning(WarningCode.UNREAD, {"n": 12}),),
    }
    return scenes.run_view(**{**given, **changes})  # type: ignore[arg-type]


def damaged_run(**changes: object) -> RunView:
    """A run that found objects which differ."""
    found = Verified(
        objects=18_228,
        bytes=61_400_000_000,
        equal=18_226,
        damaged=1,
        source_damaged=1,
        new=2,
        found=FOUND,
    )
    given: dict[str, object] = {
        "id": 23,
        "reason": Reason.DAMAGED,
        "trigger": Trigger.SCHEDULE,
        "verified": found,
        "warnings": (),
        "explanation": describe_verified(found),
        "hint": what_next(DAMAGE),
        "detail": "\n".join(map(block, FOUND)),
    }
    failed = scenes.failed_run()
    return verified_run(**{"status": failed.status, **given, **changes})


def reading_run(**changes: object) -> RunView:
    """Reading both sides now."""
    progress = Progress(
        step="read", objects_done=7_210, bytes_done=24_100_000_000, bytes_total=61_400_000_000
    )
    given: dict[str, object] = {
        "id": 24,
        "kind": RunKind.VERIFY,
        "trigger": Trigger.MANUAL,
        "progress": progress,
        "scheduled_for": None,
    }
    return scenes.checking_run(**{**given, **changes})


def runs() -> tuple[RunView, ...]:
    """All of them, for a made-up engine."""
    return verified_run(), damaged_run(), reading_run()


def damaged_log() -> list[bytes]:
    """The log of the run that found damage."""
    return [
        own_line(
            number,
            describe_found(each),
            "error",
            bucketvault="proof",
            what=each["mark"],
            object=each["key"],
        )
        for number, each in enumerate(FOUND)
    ]


def damaged_rows() -> list[BackupRow]:
    """One backup whose copy is damaged, one that is read now, and good ones."""
    first, second, *rest = scenes.good_rows()
    reading = reading_run(backup_id=second.id, backup_name=second.name)
    return [
        replace(first, damage=DAMAGE, damage_run_id=23),
        replace(second, active_run=reading),
        *rest,
    ]
