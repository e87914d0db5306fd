"""Made-up runs around a proof: looking, keeping, proving, incomplete. For tests only."""

from dataclasses import replace

from bucketvault.engine.domain.copy_state import CopyKind, CopyState
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.views.backups import BackupRow, RunView
from bucketvault.vocabulary import Phase, Reason, WarningCode
from tests.pages import scenes
from tests.pages.sample_logs import log_line, own_line

MISSING = ["exports/2026//orders.csv", "exports/2026//refunds.csv", "wal/0000E5.zst"]
ODD = ["photos/", "/readme.txt"]


def incomplete_run(**changes: object) -> RunView:
    """A run of which rclone said 0, and whose last look missed objects."""
    found = scenes.proof(
        present=212,
        same_hash=199,
        missing=3,
        different=1,
        cannot_copy=2,
        names={"missing": MISSING, "different": ["latest.json"], "cannot_copy": ODD},
    )
    given: dict[str, object] = {
        "id": 16,
        "reason": Reason.INCOMPLETE,
        "phase": Phase.PROVING,
        "exit_code": 0,
        "passes": 3,
        "explanation": f"3 objects are not at the destination: {', '.join(MISSING)}. "
        "1 object differs from the source: latest.json.",
        "hint": "Run the backup again. If this persists, check these objects at both providers.",
        "warnings": (RunWarning(WarningCode.CANNOT_COPY, {"n": 2}, tuple(ODD)),),
        "copy_state": CopyState(CopyKind.PARTLY, arrived=9, wanted=13, missing=3, different=1),
        "proof": found,
    }
    return scenes.failed_run(**{**given, **changes})


def looking_run(**changes: object) -> RunView:
    """Looking at both buckets for the first time."""
    seen = Progress(step="look", seen_source=12_000, seen_copy=11_400)
    return scenes.checking_run(**{"id": 17, "progress": seen, **changes})


def keeping_run(**changes: object) -> RunView:
    """Keeping old versions: no byte moves between the buckets."""
    kept = Progress(step="keep", step_done=31, step_total=40, eta_s=9_223_372_036, bytes_total=5)
    return scenes.live_run(**{"id": 18, "progress": kept, "passes": 1, **changes})


def proving_run(**changes: object) -> RunView:
    """Looking whether all has arrived, after a second pass."""
    seen = Progress(step="prove", seen_source=12_000, seen_copy=11_400)
    given = {"id": 19, "phase": Phase.PROVING, "passes": 2, "progress": seen}
    return scenes.live_run(**{**given, **changes})


def refused_run(**changes: object) -> RunView:
    """A run that ended at the key, after one that was stopped in the middle."""
    given: dict[str, object] = {
        "id": 20,
        "reason": Reason.CREDENTIALS,
        "phase": Phase.CHECKING,
        "exit_code": None,
        "explanation": "Backblaze EU rejected the access key ID (unknown key).",
        "hint": "Enter the current key on the provider's page.",
        "counts": scenes.NO_COUNTS,
        "findings": None,
        "proof": None,
        "copy_state": CopyState(CopyKind.PARTLY, since=scenes.now() - 3 * scenes.HOUR),
    }
    return scenes.failed_run(**{**given, **changes})


def odd_run(**changes: object) -> RunView:
    """A good run with names that cannot be copied, and objects that changed meanwhile."""
    given: dict[str, object] = {
        "id": 21,
        "warnings": (RunWarning(WarningCode.CANNOT_COPY, {"n": 2}, tuple(ODD)),),
        "proof": scenes.proof(
            source_objects=227, cannot_copy=2, since=7, names={"cannot_copy": ODD}
        ),
        "copy_state": CopyState(CopyKind.ALMOST),
    }
    return scenes.run_view(**{**given, **changes})  # type: ignore[arg-type]


def old_row(number: int = 1, **changes: object) -> BackupRow:
    """A daily backup that was stopped twice, and whose last proof is four days old."""
    given: dict[str, object] = {
        "last_run": replace(scenes.stopped_run(), backup_id=number),
        "proof": scenes.proof(at=(scenes.now() - 4 * scenes.DAY).isoformat()),
        "proof_is_old": True,
        "last_good_at": scenes.now() - 4 * scenes.DAY,
    }
    return scenes.backup_row(number, **{**given, **changes})


def old_rows() -> list[BackupRow]:
    """Good ones, and one that nothing has proven for too long."""
    rows = scenes.good_rows()
    return [old_row(1), *rows[1:6], scenes.backup_row(7), rows[7]]


def step(number: int, message: str, passes: int, name: str) -> bytes:
    more = {"bucketvault": "step", "pass": passes, "step": name}
    return own_line(number, message, **more)


def proof_line(number: int, key: str, what: str, message: str) -> bytes:
    level = "notice" if what == "cannot" else "error"
    more = {"bucketvault": "proof", "what": what, "object": key, "size": 48_000}
    return own_line(number, message, level, **more)


def incomplete_log() -> list[bytes]:
    """Return the log of a run with three passes."""
    lines = [step(0, "Looking at both ends", 0, "look")]
    for passes in (1, 2, 3):
        begins = 10 * passes
        lines += [
            step(begins, f"Pass {passes}: keeping the old versions of 1 object", passes, "keep"),
            log_line(begins + 1, "Copied (server-side copy)", object="latest.json", size=1_100),
            step(begins + 2, f"Pass {passes}: copying 4 objects, 144 kB", passes, "copy"),
        ]
        lines += [log_line(begins + 3, object=name, size=48_000) for name in MISSING]
        lines.append(step(begins + 4, "Proving the copy", passes, "prove"))
    lines += [proof_line(50, name, "missing", "Not at the destination") for name in MISSING]
    lines.append(
        proof_line(50, "latest.json", "different", "Differs at the destination: different content")
    )
    lines += [
        proof_line(50, "photos/", "cannot", "Cannot be copied: the marker of an empty folder"),
        proof_line(50, "/readme.txt", "cannot", "Cannot be copied: its name"),
    ]
    return lines


def runs() -> tuple[RunView, ...]:
    """All of them, for the pages of an engine."""
    return (
        incomplete_run(),
        looking_run(),
        keeping_run(),
        proving_run(),
        refused_run(),
        odd_run(),
    )
