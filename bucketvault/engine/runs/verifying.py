"""A run that reads both ends and compares their bytes. It changes nothing at either end.

Decisions: docs/decisions/verify.md.
"""

import contextlib
import datetime as dt
import threading
import time
from pathlib import Path

from bucketvault.engine.domain import reading_words
from bucketvault.engine.domain.reading import NAMES_TOLD, Damage, Verified
from bucketvault.engine.domain.rules import GB
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.listing import verify
from bucketvault.engine.listing.look import End
from bucketvault.engine.listing.process import StoppedError
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.explain import REASON_TEXTS
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.runs import ledgers, looking, queue
from bucketvault.engine.runs.folder import RunFolder
from bucketvault.engine.runs.follower import Follower
from bucketvault.engine.runs.outcome import RunOutcome
from bucketvault.engine.runs.row import RunRow
from bucketvault.errors import BucketvaultError, RunFailedError
from bucketvault.store.database import BusyError, connection
from bucketvault.store.models import IS_COPY, Backup, BackupRun, utcnow
from bucketvault.vocabulary import Json, Reason, RunKind, RunStatus, Trigger, WarningCode

CONTINUES = dt.timedelta(days=30)  # a reading of everything that was cut short goes on so long
LOOK_S = 1.0  # how often the row, and whether somebody waits, is looked at
NEW_LEDGER = "read.gz"  # in the folder of the run


def enqueue(ledgers_folder: Path, backup_id: int, trigger: Trigger) -> tuple[int, bool]:
    """Queue a run that reads all of a backup; its id, and whether it is new.

    Raises NotFoundError, InUseError where another run is under way, BucketvaultError where no run
    has proven a copy yet.
    """
    with connection():
        backup = Backup.get_or_none(Backup.id == backup_id)
        if backup is not None:
            spec = queue.freeze(backup)
            if not ledgers.ledger_of(ledgers_folder, spec).exists():
                raise BucketvaultError(reading_words.NOTHING_PROVEN, reading_words.RUN_FIRST)
    return queue.enqueue(backup_id, trigger, kind=RunKind.VERIFY)


class Verification:
    """Reads on behalf of one run, in the thread that looks after it."""

    def __init__(
        self,
        row: RunRow,
        spec: RunSpec,
        ends: tuple[End, End],
        folder: RunFolder,
        follower: Follower,
        ledgers_folder: Path,
    ) -> None:
        self._row, self._spec, self._ends = row, spec, ends
        self._folder, self._follower, self._ledgers = folder, follower, ledgers_folder
        self._enough = threading.Event()  # read no more: Stop, the program ends, or a run is due
        self._gave_way = False
        self._looked_at = 0.0
        self._found: list[Json] = []
        self._lost: list[str] = []  # the first objects whose copy has other headers
        self._new = 0
        self._since = ""
        self._requests: Json = {}

    def run(self) -> RunOutcome:
        """Read, take the new ledger, and say what was found.

        Raises RunFailedError, CancelledError where the program ends.
        """
        path = ledgers.ledger_of(self._ledgers, self._spec)
        if not path.exists():
            raise _refused(reading_words.NOTHING_PROVEN, reading_words.RUN_FIRST)
        new = self._folder.path / NEW_LEDGER
        budget = None
        if self._row.run.trigger == Trigger.SCHEDULE:
            budget = self._spec.verify_gb_per_night * GB
        today = utcnow().date().isoformat()
        since = self._unfinished_since() if budget is None else ""
        self._since = "" if budget is not None else since or today
        limit = self._spec.bandwidth
        job = verify.ReadJob(*self._ends, path, new, budget, today, since, limit=limit)
        failed: RunFailedError | None = None
        try:
            counts = verify.read(job, self._on_line, cancelled=self._enough)
        except StoppedError:
            counts = verify.Counts()
        except verify.ReadFailedError as error:
            if error.end == "ledger":
                raise _refused(reading_words.FORGOTTEN, reading_words.RUN_AGAIN) from error
            counts, failed = error.counts, looking.explained(error, self._spec)
        if counts.objects or counts.refused:
            ledgers.take_ledger(self._ledgers, self._spec, new)
        self._row.retry_while_busy(lambda: self._follower.step(final=True))
        return self._outcome(counts, failed)

    def _unfinished_since(self) -> str:
        """Return the day on which a reading of everything began that did not come to its end."""
        run = self._row.run
        with connection():
            earlier = (
                BackupRun.select()
                .where(
                    BackupRun.backup == run.backup_id,
                    BackupRun.id < run.id,
                    BackupRun.kind == RunKind.VERIFY,
                    BackupRun.trigger != Trigger.SCHEDULE,
                )
                .order_by(BackupRun.id.desc())
                .first()
            )
        found = Verified.from_json(earlier.findings) if earlier is not None else None
        oldest = (utcnow() - CONTINUES).date().isoformat()
        is_open = found is not None and not found.is_whole and found.since >= oldest
        return found.since if is_open and found is not None else ""

    def _outcome(self, counts: verify.Counts, failed: RunFailedError | None) -> RunOutcome:
        is_stopped = self._row.stop_requested(look=True)
        found = Verified(
            **{name: getattr(counts, name) for name in counts.__slots__},
            new=self._new,
            since=self._since,
            is_whole=failed is None and not self._enough.is_set(),
            found=tuple(self._found),
        )
        columns: Json = {
            "checked": found.equal,
            "errors": found.wrong,
            "bytes": found.bytes,
            "findings": found.to_json(),
            "requests": self._requests,
        }
        warnings = []
        if found.refused:
            warnings.append(RunWarning(WarningCode.UNREAD, {"n": found.refused}))
        if found.headers:
            numbers = {"n": found.headers, "asked": found.objects}
            warnings.append(RunWarning(WarningCode.HEADERS, numbers, tuple(self._lost)))
        columns["warnings"] = [each.to_json() for each in warnings]
        told = reading_words.describe_verified(found)
        if found.wrong:
            damage = Damage(found.damaged, found.source_damaged, found.differs)
            hint = reading_words.what_next(damage)
            return RunOutcome(RunStatus.FAILED, told, Reason.DAMAGED, hint, self._detail(), columns)
        if is_stopped:
            summary, _ = REASON_TEXTS[Reason.STOPPED]
            return RunOutcome(RunStatus.FAILED, summary, Reason.STOPPED, told, columns=columns)
        if failed is not None:
            columns |= failed.codes
            return RunOutcome(
                RunStatus.FAILED, failed.summary, failed.reason, failed.hint, failed.detail, columns
            )
        if self._row.stopping.is_set():
            raise CancelledError("The program is stopping.")
        if self._gave_way:
            told += " It made way for a run that copies."
        return RunOutcome(RunStatus.SUCCESS, told, columns=columns)

    def _detail(self) -> str:
        return "\n".join(reading_words.block(each) for each in self._found)

    # while it reads; in this thread

    def _on_line(self, line: Json) -> None:
        self._requests = line.get("requests", self._requests)
        if found := line.get("finding"):
            self._new += found["is_new"]
            if len(self._found) < NAMES_TOLD:
                self._found.append(found)
            self._say("error", found["mark"], reading_words.describe_found(found), found["key"])
        elif refused := line.get("refused"):
            told = f"Could not be read at the {refused['end']}: {refused['said']}"
            self._say("notice", "cannot", told, refused["key"])
        elif lost := line.get("headers"):
            names = ", ".join(lost["lost"])
            if len(self._lost) < NAMES_TOLD:
                self._lost.append(f"{lost['key']} ({names})")
            self._say("notice", "headers", f"Differs in the copy: {names}", lost["key"])
        elif key := line.get("passing"):
            self._say("info", "since", "Differed once, but was equal when read again", key)
        elif progress := line.get("read"):
            self._look(progress)

    def _say(self, level: str, what: str, words: str, key: str) -> None:
        line = {
            "level": level,
            "msg": words,
            "object": key,
            "source": "bucketvault",
            "bucketvault": "proof",
            "what": what,
        }
        self._folder.say(line)

    def _look(self, read: Json) -> None:
        if self._row.stopping.is_set():
            self._enough.set()
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        if self._row.stop_requested():
            self._enough.set()
        progress = Progress(
            step="read",
            objects_done=read["objects"],
            bytes_done=read["bytes"],
            bytes_total=read["total"],
        )
        with contextlib.suppress(BusyError):  # the next one shows it
            self._row.change(progress=progress.to_json())
            self._follower.step()
            if self._somebody_waits():
                self._gave_way = True
                self._enough.set()

    def _somebody_waits(self) -> bool:
        """True if this backup's planned run is due, or another backup's waits for room."""
        run = self._row.run
        with connection():
            backup = Backup.get_or_none(Backup.id == run.backup_id)
            if backup is None:
                return True
            due = backup.next_due_at
            if backup.enabled and due is not None and due <= utcnow():
                return True
            waiting = BackupRun.select().where(BackupRun.status == RunStatus.PENDING, IS_COPY)
            return run.trigger == Trigger.SCHEDULE and waiting.exists()


def _refused(summary: str, hint: str) -> RunFailedError:
    return RunFailedError(Reason.REFUSED, summary, hint, untouched=True)
