"""Follows one run's spool into the store: log chunks, progress and counts, while it grows.

rclone writes straight to the spool; we only read. What is stored is byte for byte what is there,
of all passes and of what we say between them, except that known secrets are masked.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.sanitize import Redactor
from bucketvault.store import run_logs
from bucketvault.store.database import writing
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import RunStatus

READ_BYTES = 4 * 1024 * 1024
MOST_WAITING_BYTES = 16 * 1024 * 1024


class Follower:
    """One thread uses it: `step` now and then, `step(final=True)` once when the run is over."""

    def __init__(self, run_id: int, spool: Path, redactor: Redactor) -> None:
        self.transcript = Transcript()
        self._run_id = run_id
        self._spool = spool
        self._redactor = redactor
        self._writer = run_logs.LogWriter(run_id)
        self._offset = 0
        self._half = b""  # the unfinished last line
        self._rclone_pid: int | None = None
        self._shown: Progress | None = None  # as it is stored
        self._settled: dict[str, Any] = {}  # counts that are known better than the log tells

    @property
    def lines(self) -> int:
        """How many lines were read so far."""
        return self._writer.lines

    @property
    def masked(self) -> int:
        """How many secrets were masked in what was read."""
        return self._redactor.replaced

    @property
    def is_behind(self) -> bool:
        """True if so much waits for the database that nothing more is read until it takes that."""
        return self._writer.waiting_bytes > MOST_WAITING_BYTES

    def settle(self, columns: Mapping[str, Any]) -> None:
        """Take these columns of a proven run for what they are, whatever the log tells."""
        names = self.counts().keys() - {"purged", "requests"}  # those of tidying still come
        self._settled = {name: columns[name] for name in names}

    def start_over(self) -> None:
        """Drop what an earlier program stored of this log; the spool has all of it."""
        with writing():
            run_logs.clear(self._run_id)

    def step(self, *, rclone_pid: int | None = None, final: bool = False) -> bool:
        """Take in what rclone wrote since the last call; True when something was stored.

        With `final`, everything to the end, a last half line too. Raises peewee's errors when the
        database cannot take it now; the next call tries again, nothing is lost.
        """
        # Whatever waits goes first: with too much of it `_read` stops, and that is not the end.
        stored = final and self._store(rclone_pid)
        while self._read() and final:
            stored |= self._store(rclone_pid)  # a long log is not kept in memory as a whole
        if final and self._half:
            self._take(self._half)
            self._half = b""
        return self._store(rclone_pid) or stored

    def _read(self) -> bool:
        if self.is_behind:
            return False  # the database has not taken what we have; rclone's file waits for us
        try:
            spool = os.open(self._spool, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            data = os.pread(spool, READ_BYTES, self._offset)
        finally:
            os.close(spool)
        if not data:
            return False
        self._offset += len(data)
        whole, newline, self._half = (self._half + data).rpartition(b"\n")
        self._take(whole + newline)
        if len(self._half) > run_logs.LONGEST_LINE_BYTES:
            self._take(self._half)
            self._half = b""
        return True

    def _take(self, data: bytes) -> None:
        # not splitlines(): that also splits at a carriage return inside a line
        lines = [line + b"\n" for line in self._redactor.raw(data).split(b"\n")]
        last = lines.pop()[:-1]  # empty, or the half line that ends the log
        if last:
            lines.append(last)
        for line, kind in zip(lines, self.transcript.feed(lines), strict=True):
            self._writer.add(line, kind)

    def _store(self, rclone_pid: int | None) -> bool:
        changes: dict[str, object] = {}
        if rclone_pid is not None and rclone_pid != self._rclone_pid:
            changes["rclone_pid"] = rclone_pid
        with writing():
            stored = self._writer.flush()
            if stored:
                changes |= self.counts()
            progress = self.transcript.progress
            if stored and progress is not None and progress is not self._shown:
                changes["progress"] = progress.to_json()
            if changes:
                BackupRun.update(**changes).where(
                    BackupRun.id == self._run_id, BackupRun.status == RunStatus.RUNNING
                ).execute()
        self._writer.stored()
        self._rclone_pid, self._shown = rclone_pid, progress
        return stored

    def counts(self) -> dict[str, Any]:  # Any: columns, each of its own type
        """Return the counts of the lines read so far, or settled, by the run's columns."""
        tally = self.transcript.tally
        return {
            "copied": tally.copied,
            "replaced": tally.replaced,
            "archived": tally.archived,
            "deleted": tally.deleted,
            "errors": tally.errors,
            "bytes": tally.bytes,
            "purged": tally.purged,
            "requests": tally.use.to_json(),
            **self._settled,
        }


# While a provider copies an object inside the destination (into the kept versions), rclone moves no
# number until all of it is there: it is asked once, or in parts it does not tell of (seen with
# 1.75.2). So a large one has more time, at a pace that every provider keeps.
INSIDE_BYTES_S = 10_000_000
INSIDE_AT_MOST_S = 24 * 3600.0
HELD_BYTES = 4 * (4 * 5 + 4) * 1024**2  # by four objects at a time: `STEP_FLAGS`
NO_SPEC: Mapping[str, Any] = MappingProxyType({})
ONE_LOOK_S = 5.0  # between two looks at most: a machine or container that was paused counts no more


class StallWatch:
    """Looks at a run again and again; one thread uses it."""

    def __init__(self, patience_s: float, now_s: float, spec: Mapping[str, Any] = NO_SPEC) -> None:
        """`patience_s`: so long nothing may move; times are by the monotonic clock.

        `spec`: the settings of the run as they are stored; its limit on bandwidth counts.
        """
        self._patience_s = patience_s
        settings = RunSpec.stored(spec)
        self._bytes_s = settings.bandwidth.bytes_s if settings is not None else 0
        self._looked_s = now_s
        self._stood_s = 0.0
        self._movement: tuple[int, ...] | None = None
        self._stalled = False

    def is_stalled(self, progress: Progress | None, now_s: float, *, blind: bool = False) -> bool:
        """True if there was no progress for too long; that stays so.

        `blind`: what rclone says does not reach us, so that silence means nothing.
        """
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        movement = progress.movement if progress is not None else None
        if blind or movement != self._movement:
            self._movement, self._stood_s = movement, 0.0
        else:
            self._stood_s += min(passed_s, ONE_LOOK_S)
        self._stalled |= self._stood_s > self._patience_s + self._more_s(progress)
        return self._stalled

    def _more_s(self, progress: Progress | None) -> float:
        """Return for how long nothing may move besides: at a provider, and because of the limit."""
        return _of_provider(progress) + (_held(progress) / self._bytes_s if self._bytes_s else 0.0)


def _held(progress: Progress | None) -> float:
    """Return how many bytes rclone may have read and not yet sent, of which it tells nothing.

    For each object four parts and a buffer; a part is 5 MiB, or as much as makes 10,000 of them
    (backend/s3: `upload_concurrency`, `chunk_size`).
    """
    large = sum(each.size for each in progress.transferring) if progress is not None else 0
    return HELD_BYTES + 4 * large / 10_000


def _of_provider(progress: Progress | None) -> float:
    """How long the provider may take for what it copies by itself now."""
    if progress is None:
        return 0.0
    copied = sum(each.size for each in progress.transferring if each.inside)
    return min(INSIDE_AT_MOST_S, copied / INSIDE_BYTES_S)
