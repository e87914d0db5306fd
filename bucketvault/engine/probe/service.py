"""The connection test: what a key may do, and what its service does, before it is entrusted.

Blocks for about a minute at most, and tells each result as it comes. Nothing is written unless
that is asked for; then only below `.bucketvault-archive/probe-.../`, and all of it is removed
again, also after a failure, after Stop and when the time is over. Knows no database.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from bucketvault.engine.listing.asking import Asker, bucket_at
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.probe import objects
from bucketvault.engine.probe.bucket_settings import settings
from bucketvault.engine.probe.halt import Halt, HaltedError
from bucketvault.engine.probe.names import UNLISTED, Names
from bucketvault.engine.probe.removal import is_gone_for_good, remove
from bucketvault.engine.probe.results import (
    CLOCK_MAY_DIFFER_S,
    About,
    Finding,
    Found,
    NameFinding,
    Result,
    Right,
    TrialResult,
    traits_of,
)
from bucketvault.engine.probe.rights import Rights, folder_of, written_in
from bucketvault.engine.rclone import call
from bucketvault.engine.rclone.binary import Binary
from bucketvault.engine.rclone.commands import ASK_FLAGS, EXACT_NAMES, LEAVE_IT, location
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.vocabulary import Side, StorageClass

LIMIT_S = 60.0
UNVERSIONED = ("", "null")  # in place of a version's id
COPIES = ("ours", "rclone")  # of the odd names, by whom they were written


class End(StrEnum):
    """How a test ended."""

    DONE = "done"
    STOPPED = "stopped"
    NO_TIME = "no_time"
    FAILED = "failed"  # by a fault of ours


def try_service(
    binary: Binary,
    remote: Remote,
    bucket: str,
    write: bool,
    tell: Callable[[Result], None],
    *,
    halt: Halt,
    paths: Iterable[str] = (),
) -> End:
    """Try each right once, and look what the service does; `tell` gets each result as it comes.

    `bucket` may be empty: then nothing in it. `paths` are folders that backups use there: a key
    may be limited to one.
    """
    findings: list[Finding] = []

    def note(result: Result) -> None:
        if isinstance(result, Finding):
            findings.append(result)
        tell(result)

    rights = Rights(remote, bucket, tuple(paths), write, halt, note)
    try:
        _Test(binary, remote, bucket, rights, halt, note, findings).all(write)
    except HaltedError:
        return End.STOPPED if halt.was_stopped() else End.NO_TIME
    finally:
        rights.tell_untried()
        rights.account.close()
        rights.asker.close()
    return End.DONE


class _Test:
    """One test, in the order in which its results are told."""

    def __init__(
        self,
        binary: Binary,
        remote: Remote,
        bucket: str,
        rights: Rights,
        halt: Halt,
        tell: Callable[[Result], None],
        findings: list[Finding],  # all that were told so far
    ) -> None:
        self._binary, self._remote, self._bucket = binary, remote, bucket
        self._rights, self._halt, self._tell = rights, halt, tell
        self._findings = findings

    def all(self, write: bool) -> None:
        """Do all of it. Raises HaltedError."""
        reached = self._rights.reach()
        ahead = self._rights.account.clock_ahead_s()
        if ahead is not None:
            close = (
                abs(ahead) <= CLOCK_MAY_DIFFER_S
            )  # S3 refuses above 15 minutes (RequestTimeTooSkewed)
            self._tell(Finding(About.CLOCK, Found.YES if close else Found.NO, round(ahead)))
        if not reached or not self._bucket:
            return
        self._rights.look_into()
        if self._rights.outcome(Right.LIST_OBJECTS) is TrialResult.FAILED:
            return
        for finding in settings(self._rights.asker):
            self._tell(finding)
        if write:
            self._write()

    def _write(self) -> None:
        folder = folder_of(secrets.token_hex(6))
        try:
            if self._rights.write(folder) and not self._stays(folder):  # else it would for days
                self._write_more(folder)
        finally:
            if self._rights.outcome(Right.WRITE) is not TrialResult.REFUSED:
                where = bucket_at(self._remote, self._bucket)
                unlisted = [f"{folder}{part}/{UNLISTED}".encode() for part in COPIES]
                versioned = traits_of(self._findings).versioning is True
                versioned |= self._rights.version not in (*UNVERSIONED, None)
                self._tell(remove(where, folder, unlisted, versioned=versioned))

    def _stays(self, folder: str) -> bool:
        """Return True if what is deleted may stay: the bucket has, or may have, a retention."""
        lock = next(each for each in self._findings if each.about is About.LOCK)
        version = self._rights.version
        if lock.found not in (Found.REFUSED, Found.UNKNOWN):
            return lock.number > 0
        if version in UNVERSIONED:  # S3 locks versions only (docs.aws.amazon.com: Object Lock)
            return False
        key = written_in(folder)
        return version is None or not is_gone_for_good(self._rights.asker, key, version)

    def _write_more(self, folder: str) -> None:
        asker = self._rights.asker
        for probe in (objects.hashed, objects.decoded, objects.in_parts):
            try:
                for finding in probe(asker, folder):
                    self._tell(finding)
            except ListingError:
                continue  # one property is not known; the others may be
        where = bucket_at(self._remote, self._bucket)
        # a name that a server cannot store may be answered with 500, and that does not pass
        with Asker(where, self._halt.check, patience_s=1.0) as hasty:
            try:
                self._try_names(Names(hasty, f"{folder}ours/"), folder)
            except ListingError:
                return  # nothing is known about names

    def _try_names(self, names: Names, folder: str) -> None:
        names.write()
        listed = self._rights.page(f"{folder}ours/")[0].entries
        found: list[NameFinding] = []
        for result in names.findings(listed):
            self._tell(result)
            if isinstance(result, NameFinding):
                found.append(result)
        self._by_rclone(folder)
        arrived = self._rights.page(f"{folder}rclone/")[0].entries
        for missing in names.arrived(found, arrived):
            self._tell(missing)

    def _by_rclone(self, folder: str) -> None:
        """Let rclone bring all of these names into another folder, as a run would."""
        remote = replace(self._remote, traits=traits_of(self._findings))
        ours = location(Side.SOURCE, self._bucket, f"{folder}ours")
        theirs = location(Side.DESTINATION, self._bucket, f"{folder}rclone")
        self._halt.check()
        try:
            call.call(
                self._binary,
                ["copy", ours, theirs, *EXACT_NAMES, *LEAVE_IT, "--metadata", *ASK_FLAGS],
                {
                    Side.SOURCE: remote,
                    Side.DESTINATION: replace(remote, storage_class=StorageClass.STANDARD),
                },
                cancelled=self._halt,
                stall_s=max(1.0, self._halt.left_s()),
            )
        except call.CancelledError as error:
            raise HaltedError("Stopped.") from error
