"""The checks before a run: nothing is touched, and what cannot work fails here, with its reason."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bucketvault.engine.rclone import command, explain, process
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import RunFailedError
from bucketvault.vocabulary import Reason

DESTINATION_TIMEOUT_S = 60.0
SOURCE_TIMEOUT_S = 24 * 3600.0  # counting a very large bucket takes its time; Stop works meanwhile


@dataclass(frozen=True, slots=True)
class SourceSize:
    """What a run would read: objects and bytes below the source path."""

    objects: int
    bytes: int


class Preflight:
    """Asks both buckets, on behalf of one run. Blocks; raises RunFailedError, CancelledError."""

    def __init__(
        self,
        binary: Binary,
        source: Remote,
        destination: Remote,
        names: explain.Names,
        *,
        stopped: threading.Event,
        keep_open: Iterable[int],
    ) -> None:
        self._binary = binary
        self._sides = {"source": source, "dest": destination}
        self._names = names
        self._stopped = stopped
        self._keep_open = tuple(keep_open)

    def destination_answers(self) -> None:
        """Make sure that the destination's bucket exists and may be read."""
        done = self._ask(
            command.destination_answers(self._names.destination_bucket),
            "destination",
            DESTINATION_TIMEOUT_S,
        )
        if done.exit_code or done.timed_out:
            raise self._failed(done, "destination")

    def source_size(self) -> SourceSize:
        """Count the source. An empty one stops the run: copying it would empty the copy."""
        names = self._names
        source = command.location("source", names.source_bucket, names.source_path)
        done = self._ask(command.source_size(source), "source", SOURCE_TIMEOUT_S)
        if done.exit_code or done.timed_out:
            raise self._failed(done, "source")
        size = _read_size(done.stdout)
        if size.objects == 0:
            where = f"{names.source_bucket}/{names.source_path}".rstrip("/")
            raise RunFailedError(
                Reason.BRAKE,
                f"The source {where} is empty. Nothing was touched.",
                "Check the bucket and the path for a typing error. Copying nothing would have "
                "emptied the copy.",
            )
        return size

    def _ask(self, arguments: Sequence[str], side: str, timeout_s: float) -> process.Done:
        wanted: Mapping[str, Remote] = {
            name: remote
            for name, remote in self._sides.items()
            if name == ("source" if side == "source" else "dest")
        }
        return process.call(
            self._binary,
            arguments,
            wanted,
            timeout_s=timeout_s,
            cancelled=self._stopped,
            keep_open=self._keep_open,
        )

    def _failed(self, done: process.Done, side: str) -> RunFailedError:
        if done.timed_out:
            provider = (
                self._names.source_provider
                if side == "source"
                else self._names.destination_provider
            )
            return RunFailedError(
                Reason.UNREACHABLE,
                f"{provider} did not answer in time. Nothing was touched.",
                "Look whether the service has an outage, then run again.",
            )
        told = explain.explain(ending_of(done, side), self._names)
        return RunFailedError(told.reason, told.summary, told.hint, told.detail)


def ending_of(done: process.Done, side: str) -> explain.Ending:
    """How a call ended, in the form in which it is explained."""
    said = done.transcript
    messages = [line.message for line in said.errors]
    if said.last_notice and said.last_notice not in messages:
        messages.append(said.last_notice)
    code = done.exit_code
    return explain.Ending(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        errors=tuple(messages),
        plain=said.plain,
        side=side,
    )


def _read_size(stdout: bytes) -> SourceSize:
    try:
        told = json.loads(stdout)
        return SourceSize(objects=int(told["count"]), bytes=int(told["bytes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise RunFailedError(
            Reason.RCLONE_ERROR,
            "rclone did not tell how large the source is. Nothing was touched.",
            "Look whether the rclone in use is a real one: `rclone version` should name it.",
            stdout[:500].decode(errors="replace"),
        ) from error
