"""The clean-up at the destination after a good proof. Whatever fails here is only a warning."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterable

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.uploads import Upload, Uploads
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.runs import kept_versions, looking
from bucketvault.engine.runs.looking import Looker
from bucketvault.engine.runs.sampling import lost_headers
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import many
from bucketvault.store.database import BusyError, writing
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import WarningCode

log = logging.getLogger(__name__)

# lines of a run's log
DELETING = "Deleting expired kept versions"
CLEANED_UP = "Cleaned up"

OLD_DAYS = 1  # an upload that is younger may still be under way
PATIENCE_S = 10.0  # with the service, over what the next run does as well


class Tidying:
    """Work after a good proof: a sample of headers, old kept versions, RESTORE.txt, uploads."""

    def __init__(
        self,
        binary: Binary,
        destination: Callable[[], Remote],
        run: BackupRun,
        looker: Looker,
        *,
        stopped: threading.Event,
        keep_open: Iterable[int],
        on_log: Callable[[bytes], None],
    ) -> None:
        self._binary, self._destination, self._run = binary, destination, run
        self._looker = looker
        self._stopped, self._keep_open, self._on_log = stopped, keep_open, on_log
        self._misplaced: list[RunWarning] = []
        self.use = Use()  # but for deletes of objects, which are lines of the log
        self.uploads_ended = 0

    @property
    def words(self) -> str:
        """Tell what came of it, as a line of the log."""
        if not self.uploads_ended:
            return CLEANED_UP
        return f"{CLEANED_UP}: {many(self.uploads_ended, 'unfinished upload')} removed"

    def do(self) -> list[RunWarning]:
        """Clean up; return what is worth a look. Raises nothing."""
        warnings = self._sampled()
        try:
            destination = self._destination()
            refused = self._kept_versions(destination)
            if not (refused or self._stopped.is_set()):  # else it is away, or refuses, anyway
                refused = self._uploads(destination)
            warnings += [*self._misplaced, *refused]
        except CancelledError:
            warnings.append(RunWarning(WarningCode.TIDYING_CUT))
        except BucketvaultError as error:
            warnings.append(_refused(error))
        except Exception as error:  # the copy is proven, whatever this is
            log.exception("error during clean-up", extra={"run": self._run.id})
            warnings.append(RunWarning(WarningCode.TIDYING_FAULT, names=(type(error).__name__,)))
        self.use.add(self._looker.take_use())
        return warnings

    def _sampled(self) -> list[RunWarning]:
        """Compare the headers of a few objects, which must not keep the clean-up from its work."""
        try:
            return lost_headers(self._looker, self._stopped)
        except Exception:
            log.exception("error while headers were compared", extra={"run": self._run.id})
        return []

    def _kept_versions(self, destination: Remote) -> list[RunWarning]:
        try:
            self._misplaced = kept_versions.tidy(
                self._binary,
                destination,
                self._run,
                self._looker.ahead,
                stopped=self._stopped,
                keep_open=self._keep_open,
                on_log=self._on_log,
                use=self.use.destination,
            )
        except CancelledError:
            raise
        except BucketvaultError as error:
            return [_refused(error)]
        return []

    # unfinished uploads

    def _uploads(self, destination: Remote) -> list[RunWarning]:
        spec = RunSpec.from_json(self._run.spec)
        bucket = looking.bucket_of(spec.destination, destination)
        refused: bool | None = False  # None: nobody knows
        with Uploads(bucket, patience_s=PATIENCE_S) as asked:
            try:
                for upload in _ours(asked, spec):
                    if self._stopped.is_set():
                        break
                    is_old = upload.age is not None and upload.age.days >= OLD_DAYS
                    if is_old and asked.end(upload):
                        self._ended(upload)
            except ListingError as error:
                # anything but a refusal: a service that does not know uploads, or is away
                refused = True if error.status == 403 else None
                log.info(
                    "unfinished uploads were not checked",
                    extra={"run": self._run.id, "status": error.status, "code": error.code},
                )
            deleted = self.uploads_ended
            use = EndUse(lists=asked.requests - deleted, deletes=deleted)
            self.use.destination.add(use)
        return [] if refused is None else self._told_once(refused=refused)

    def _ended(self, upload: Upload) -> None:
        self.uploads_ended += 1
        line = {
            "time": utcnow().isoformat(),
            "level": "info",
            "msg": "Removed the parts of an upload that was never completed",
            "object": upload.key.decode("utf-8", "replace"),
            "source": "bucketvault",
            "bucketvault": "upload",
        }
        self._on_log(json.dumps(line).encode() + b"\n")

    def _told_once(self, *, refused: bool) -> list[RunWarning]:
        """Return a warning where the key may not do this, in the first such run."""
        changed = False
        mine = (Backup.id == self._run.backup_id) & (Backup.uploads_refused != refused)
        with contextlib.suppress(BusyError), writing():  # not noted: it is told again
            changed = bool(Backup.update(uploads_refused=refused).where(mine).execute())
        return [RunWarning(WarningCode.UPLOADS_REFUSED)] if refused and changed else []


def _ours(asked: Uploads, spec: RunSpec) -> Iterable[Upload]:
    copy, kept = looking.prefix_of(spec.destination.path), _kept(spec)
    for prefix in (copy, kept) if copy else ("",):
        yield from (each for each in asked.unfinished(prefix) if is_ours(each.key, spec))


def is_ours(key: bytes, spec: RunSpec) -> bool:
    """True if a key is of this backup's copy, or of its kept versions; nothing else is touched."""
    if key.startswith(f"{ARCHIVE_ROOT}/".encode()):
        return key.startswith(_kept(spec).encode())
    return key.startswith(looking.prefix_of(spec.destination.path).encode())


def _kept(spec: RunSpec) -> str:
    return f"{ARCHIVE_ROOT}/{spec.archive_key}/"


def _refused(error: BucketvaultError) -> RunWarning:
    told = f"{error.summary} {error.hint} {error.detail}".strip()
    return RunWarning(WarningCode.TIDYING_REFUSED, names=(told,))
