"""The checks before a run: nothing is touched, and what cannot work fails here, with its reason."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.rclone import call as process
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone import explain
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.commands import Look
from bucketvault.engine.rclone.log_lines import LARGEST, Progress
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import RunFailedError
from bucketvault.sanitize import clean
from bucketvault.vocabulary import ComparisonMode, HoldReason, Reason, Side


@dataclass(frozen=True, slots=True)
class Size:
    """Objects and bytes below a path, kept versions left out."""

    objects: int
    bytes: int


class Preflight:
    """Asks both buckets, on behalf of one run. Blocks; raises RunFailedError, CancelledError."""

    def __init__(
        self,
        binary: Binary,
        sides: Mapping[str, Remote],  # source, dest
        spec: RunSpec,
        *,
        stopped: threading.Event,
        keep_open: Iterable[int],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._binary = binary
        self._sides = sides
        self._spec = spec
        self._stopped = stopped
        self._keep_open = tuple(keep_open)
        self._on_progress = on_progress

    def destination_answers(self) -> None:
        """Make sure that the destination's bucket exists and may be read."""
        self._ask(command.destination_answers(self._spec.destination.bucket), Side.DESTINATION)

    def source_size(self) -> Size:
        """Count the source. An empty one stops the run: copying it would empty the copy."""
        size = self._size(command.source(self._spec), Side.SOURCE)
        if size.objects == 0:
            raise RunFailedError(
                Reason.BRAKE,
                f"The source {self._spec.source.place} is empty.",
                "Check the bucket and the path for a typing error. An empty source is not copied; "
                "if it is empty on purpose, switch the backup off: the copy stays.",
                hold_reason=HoldReason.EMPTY_SOURCE,
                untouched=True,
            )
        return size

    def changes(
        self, stamp: str, source: Size, is_heavy: Callable[[Findings], bool], *, is_first: bool
    ) -> tuple[Findings, Look]:
        """Count what the run would do, and how one looks to see it by name.

        A first one into an empty place need not compare for it.
        """
        if is_first and self._size(command.destination(self._spec), Side.DESTINATION).objects == 0:
            return Findings(new=source.objects), Look.LISTED
        found = self.dry_run(stamp)
        # A run that compares dates also replaces what has no checksum. Too few, or none of them
        # written since, and no more is asked: the exact answer costs as much as the run's own.
        most = replace(found, replaced=found.destination_objects - found.removed)
        if self._spec.comparison_mode == ComparisonMode.DEFAULT and is_heavy(most):
            newer = self.dry_run(stamp, look=Look.NEWER)
            if newer.replaced > found.replaced and is_heavy(newer):
                return self.dry_run(stamp, look=Look.EXACT), Look.EXACT
        return found, Look.LISTED

    def _size(self, place: str, side: Side) -> Size:
        return _read_size(self._ask(command.size(place), side).stdout, side)

    def dry_run(
        self,
        stamp: str,
        on_log: Callable[[bytes], None] | None = None,
        look: Look = Look.LISTED,
    ) -> Findings:
        """Count what the run would do; with `on_log`, also name each object there."""
        arguments = command.dry_run(self._spec, stamp, look)
        # Names only where they will be read: a first copy of a million objects would
        # otherwise write a million lines.
        done = self._ask(arguments, None, on_log=on_log, log_level="NOTICE" if on_log else "ERROR")
        totals = done.transcript.progress
        if totals is None:
            raise RunFailedError(
                Reason.RCLONE_ERROR,
                "rclone did not tell what the run would change.",
                "Make sure that the rclone in use is a real one: `rclone version`.",
                "\n".join(done.transcript.plain),
                untouched=True,
            )
        return _findings_of(totals)

    def _ask(
        self,
        arguments: Sequence[str],
        side: Side | None,  # None: both
        *,
        on_log: Callable[[bytes], None] | None = None,
        log_level: str = "NOTICE",
    ) -> process.Done:
        left_out = {"source": "dest", "destination": "source"}.get(side or "")
        done = process.call(
            self._binary,
            arguments,
            {name: remote for name, remote in self._sides.items() if name != left_out},
            log_level=log_level,
            cancelled=self._stopped,
            keep_open=self._keep_open,
            on_progress=self._on_progress,
            on_log=on_log,
        )
        if done.stalled or done.exit_code:
            raise self._failed(done, side)
        return done

    def _failed(self, done: process.Done, side: Side | None) -> RunFailedError:
        if done.stalled:
            ends = {Side.SOURCE: self._spec.source, Side.DESTINATION: self._spec.destination}
            concerned = [ends[side]] if side else ends.values()
            who = " or ".join(end.provider for end in concerned)
            return RunFailedError(
                Reason.UNREACHABLE,
                f"{who} did not answer for a minute.",
                "Look whether the service has an outage, then run again.",
                side=side,
                untouched=True,
            )
        ending = explain.ending_of(done.exit_code, done.transcript, side)
        told = explain.explain(ending, self._spec.source, self._spec.destination)
        return RunFailedError(
            told.reason, told.summary, told.hint, told.detail, mends=told.mends, side=told.side
        )


def _findings_of(totals: Progress) -> Findings:
    """Return what the totals of a dry run with `--backup-dir` say; they differ from a real run's.

    Measured with rclone 1.75.2: a replaced object is a transfer, a rename and a second check,
    a removed one a delete; a dry run copies nothing on the server's side.
    """
    _, checks, transfers, _, deletes, renames, _ = totals.movement
    return Findings(
        new=transfers - renames,
        replaced=renames,
        removed=deletes,
        destination_objects=checks - renames,
    )


def _read_size(stdout: bytes, side: str) -> Size:
    try:
        told = json.loads(stdout)
        size = Size(objects=int(told["count"]), bytes=int(told["bytes"]))
        if not (0 <= size.objects <= LARGEST and 0 <= size.bytes <= LARGEST):
            raise ValueError("no size")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RunFailedError(
            Reason.RCLONE_ERROR,
            f"rclone did not tell how large the {side} is.",
            "Make sure that the rclone in use is a real one: `rclone version`.",
            clean(stdout[:500].decode(errors="replace")),
            untouched=True,
        ) from error
    return size
