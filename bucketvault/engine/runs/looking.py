"""The looks of one run at both ends: the first is its plan, a later one tells what is left."""

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.proof import NAMES_TOLD, Proof
from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.usage import Use
from bucketvault.engine.listing import look as looks
from bucketvault.engine.listing.asking import bucket_at
from bucketvault.engine.listing.bucket import PAGE_KEYS, PATIENCE_S, Bucket
from bucketvault.engine.listing.ledger import quoted
from bucketvault.engine.listing.merge import CAUSES, Difference, Stand, Totals, What, Why
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.commands import STAMP_LENGTH
from bucketvault.engine.rclone.names import meant, spelled
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import BucketvaultError, RunFailedError
from bucketvault.humanize import many
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import HoldReason, Reason

LEDGER = "ledger.gz"  # in the folder of a look
MOST_ASKED = 500  # names that a look may ask for one by one
WRONG = (Stand.TO_DO, Stand.FAILED, Stand.STRAY)  # what keeps a copy from being proven


def not_completed(error: BucketvaultError) -> str:
    """Return the log's line about a look that failed, with the reason, or was stopped."""
    why = f": {error.summary}" if isinstance(error, RunFailedError) else ""
    return f"The check was not completed{why}"


def bucket_of(end: EndSpec, remote: Remote) -> Bucket:
    """Return a bucket as our own reader asks for it."""
    return bucket_at(remote, end.bucket)


def prefix_of(path: str) -> str:
    """Return the beginning of every key below a path; empty for the whole bucket."""
    return f"{path}/" if path else ""


def folder_name(number: int) -> str:
    """Return the folder of a look in the folder of its run; 0 is the first look."""
    return f"look-{number}"


class Looker:
    """Looks on behalf of one run. Blocks; raises RunFailedError, CancelledError."""

    def __init__(
        self,
        spec: RunSpec,
        source: Remote,
        destination: Remote,
        folder: Path,  # of the run
        ledger: Path,
        *,
        patience_s: float,  # of the first look, with a provider that is away
        stopped: threading.Event,
        on_seen: Callable[[int, int], None],
    ) -> None:
        self._spec = spec
        self.meet(source, destination)
        self._folder = folder
        self._ledger = ledger
        self._patience_s = patience_s
        self._stopped = stopped
        self._on_seen = on_seen
        self.ledger_was_damaged = False
        self._first_at = ""  # when the first look began
        self.at = ""  # the same of the last one that saw all
        self.asked = 0  # names that the last look asked for; 0: it saw all
        self.ahead: dt.timedelta | None = None  # our clock, by that of the copy; None: not known
        self._use = Use()  # the requests that nobody has taken yet

    def meet(self, source: Remote, destination: Remote) -> None:
        """Take these keys and traits from now on."""
        self._hashes = not (source.traits.kms or destination.traits.kms)
        source_end = self._end(self._spec.source, source)
        self.ends = (source_end, self._end(self._spec.destination, destination))

    def plan_folder(self, number: int) -> Path:
        """Return where the look `number` leaves its plan and its ledger; 0 is the first."""
        return self._folder / folder_name(number)

    def new_ledger(self, number: int) -> Path:
        """Return the ledger that the look `number` wrote."""
        return self.plan_folder(number) / LEDGER

    def look(
        self,
        number: int,
        failed: Collection[str] = (),
        errored: Collection[str] | None = (),
        *,
        tried: bool,
    ) -> Plan:
        """Look at both ends; after a pass that went well, first at the few names it tried alone.

        `failed`: names that rclone refused for good; `errored`: all that an error named, None
        where they are too many; `tried`: a pass has tried each name of the plan, and ended well.
        """
        folder = self.plan_folder(number)
        folder.mkdir(mode=0o700, exist_ok=True)
        at = utcnow().isoformat(timespec="seconds")
        if number == 0:
            self._first_at = at
        went_well = tried and errored is not None and not errored and not failed
        # where an earlier program looked first, that may be long ago
        few = self._few() if number == 1 and went_well and self._first_at else 0
        source, copy = self.ends
        job = looks.Job(
            source,
            copy,
            self._spec.comparison_mode,
            folder,
            at,
            ledger=self._ledger if number == 0 else self.new_ledger(number - 1),
            new_ledger=self.new_ledger(number),
            tried=self.plan_folder(0) if number else None,
            failed=_names(folder / "failed.txt", failed),
            errored=_names(folder / "errored.txt", errored or ()),
            all_errored=errored is None,
            odd_tried=tried,
            again=number > 1,
            only_tried=few > 0,
            below_path=bool(self._spec.source.path or self._spec.destination.path),
            hashes=self._hashes,
            kept_below=f"{ARCHIVE_ROOT}/{self._spec.archive_key}/{'0' * STAMP_LENGTH}/",
            patience_s=PATIENCE_S if number else self._patience_s,
        )
        try:
            looked = looks.look(
                job, cancelled=self._stopped, on_seen=self._on_seen, on_requests=self.count
            )
        except looks.StoppedError as error:
            raise CancelledError(error.summary) from error
        except looks.LookFailedError as error:
            raise explained(error, self._spec) from error
        if looked.time is not None:
            self.ahead = dt.timedelta(seconds=utcnow().timestamp() - looked.time)
        self.ledger_was_damaged |= looked.ledger == "damaged" and number == 0
        self.at, self.asked = (at, 0) if looked.is_whole else (self._first_at, few)
        return Plan(folder)

    def count(self, use: Use) -> None:
        """Count requests in that were made beside a look."""
        self._use.add(use)

    def take_use(self) -> Use:
        """Return the requests of all looks since the last call."""
        use, self._use = self._use, Use()
        return use

    def _few(self) -> int:
        """Return how many names were to do, where asking for them takes no more than a listing."""
        first = Plan(self.plan_folder(0)).totals()
        to_do = first.count(Stand.TO_DO)
        return to_do if to_do <= min(MOST_ASKED, first.source_objects // PAGE_KEYS) else 0

    def _end(self, end: EndSpec, remote: Remote) -> looks.End:
        return looks.End(bucket_of(end, remote), prefix_of(end.path), f"{ARCHIVE_ROOT}/")


def explained(error: looks.LookFailedError, spec: RunSpec) -> RunFailedError:
    """Return why an end could not be looked at, in words for people."""
    told = explain.explain_look(
        error.end,
        error.status,
        error.code,
        error.summary,
        spec.source,
        spec.destination,
        error.region,
    )
    codes = {"mends": told.mends, "side": told.side, "region": told.region}
    return RunFailedError(told.reason, told.summary, told.hint, told.detail, **codes)


def _names(path: Path, names: Iterable[str]) -> Path | None:
    """Write keys for the look, a line each, in byte order; None where there are none."""
    keys = sorted(map(meant, names))
    if not keys:
        return None
    path.write_bytes(b"".join(quoted(key) + b"\n" for key in keys))
    return path


def findings_of(totals: Totals) -> Findings:
    """Return what a run would do by its first look."""
    to_do = Stand.TO_DO
    return Findings(
        new=totals.count(to_do, What.NEW, What.LOST),
        replaced=totals.count(to_do, What.CHANGED, What.ALTERED),
        removed=totals.count(to_do, What.GONE),
        destination_objects=totals.copy_objects,
        altered=totals.count(to_do, What.ALTERED),
        lost=totals.count(to_do, What.LOST),
        bytes=totals.bytes_to_copy,
    )


_MISSING, _DIFFERENT = (What.NEW, What.LOST), (What.CHANGED, What.ALTERED)


def proof_of(plan: Plan, at: str, causes: dict[str, str]) -> Proof:
    """Return what a last look found; `causes` says in words why names could not be copied."""
    totals = plan.totals()

    def count(stands: Iterable[Stand], *whats: What) -> int:
        return sum(totals.count(stand, *whats) for stand in stands)

    def names(
        stands: Iterable[Stand],
        *whats: What,
        only: Callable[[Difference], bool] = lambda found: True,
    ) -> list[str]:
        told: list[str] = []
        for stand in stands:
            for found in plan.differences(*whats, stand=stand):
                if not only(found):
                    continue
                if len(told) == NAMES_TOLD:
                    return told
                told.append(found.key.decode("utf-8", "replace"))
        return told

    cannot = (Stand.CANNOT,)
    return Proof(
        at=at,
        source_objects=totals.source_objects,
        source_bytes=totals.source_bytes,
        present=totals.present,
        same_hash=totals.same_hash,
        same_size_only=totals.same_size,
        missing=count(WRONG, *_MISSING),
        different=count(WRONG, *_DIFFERENT),
        left=count(WRONG, What.GONE),
        cannot_copy=count(cannot, *_MISSING, *_DIFFERENT),
        causes={str(why): totals.cannot[why] for why in CAUSES if totals.cannot[why]},
        since=count((Stand.SINCE,), *What),
        names={
            "missing": names(WRONG, *_MISSING),
            "different": names(WRONG, *_DIFFERENT),
            "left": names(WRONG, What.GONE),
            "cannot_copy": names(
                cannot, *_MISSING, *_DIFFERENT, only=lambda found: not found.why.is_final
            ),
            "failed": [list(each) for each in list(causes.items())[:NAMES_TOLD]],
            **{why: names(cannot, only=partial(_is_by, why)) for why in totals.cannot},
        },
    )


def _is_by(why: Why, found: Difference) -> bool:
    return found.why is why


def causes_of(plan: Plan, said: Mapping[str, str], spec: RunSpec) -> dict[str, str]:
    """Return why names are not in the copy, in words; of the first few. `said`: by rclone."""
    found: dict[str, str] = {}
    for stand in (Stand.FAILED, Stand.TO_DO):
        for each in plan.differences(stand=stand):
            if message := said.get(spelled(each.key)):
                ending = explain.Ending(1, None, (message,), worked=explain.BOTH)
                told = explain.explain(ending, spec.source, spec.destination)
                found[each.key.decode("utf-8", "replace")] = told.summary
            if len(found) == NAMES_TOLD:
                return found
    return found


def refuse_empty(totals: Totals, spec: RunSpec) -> None:
    """Raise RunFailedError where the source is empty: copying it would empty the copy."""
    if totals.source_objects:
        return
    raise RunFailedError(
        Reason.BRAKE,
        f"The source {spec.source.place} is empty.",
        "Check the bucket and the path for typing errors. An empty source is not copied; "
        "if it is meant to be empty, pause the backup: the copy stays.",
        hold_reason=HoldReason.EMPTY_SOURCE,
        untouched=True,
    )


def describe(totals: Totals, asked: int = 0) -> str:
    """Return what a look found, as a line of the run's log; `asked`: it saw so many names alone."""
    if asked:
        all_others = "all others as before"
        return f"Checked again what was tried: {many(asked, 'object')}, all right; {all_others}"
    found = findings_of(totals)
    seen = f"{totals.source_objects:,} at the source, {totals.copy_objects:,} at the destination"
    numbers = {"copy": found.new, "replace": found.replaced, "remove": found.removed}
    parts = [f"{number:,} to {verb}" for verb, number in numbers.items() if number]
    to_do = ", ".join(parts) or "nothing to do"
    return f"Compared both buckets: {seen}; {to_do}"
