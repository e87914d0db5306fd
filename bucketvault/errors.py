"""Errors a person can act on: what happened, what to do next, and what was said underneath."""

from collections.abc import Sequence
from dataclasses import dataclass

from bucketvault.vocabulary import Reason


class BucketvaultError(Exception):
    """Something a person can act on.

    `summary` is one sentence without jargon, `hint` the next step (may be empty), `detail`
    the words of the service that refused (already free of secrets; may be empty).
    """

    def __init__(self, summary: str, hint: str = "", detail: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.summary} {self.hint}".strip()


MORE_MEMORY = (
    "Check the memory on the Health page and the limits of the service (MemoryMax, LimitAS), run "
    "fewer backups at a time, or add memory."
)


class StrangerError(BucketvaultError):
    """Another program listens where our pages were."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field of what a person entered."""

    field: str  # as the form and `setup.toml` call it
    message: str  # a whole sentence


class InvalidInputError(BucketvaultError):
    """Input that cannot be taken: `problems` names every field; nothing was written."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"{problem.field}: {problem.message}" for problem in self.problems]
        super().__init__("\n".join(lines))


class NotFoundError(BucketvaultError):
    """There is no such Provider, Storage, Backup or Run."""


class InUseError(BucketvaultError):
    """It cannot be deleted or changed while others use it; the summary names them."""


class ChangedMeanwhileError(BucketvaultError):
    """It was changed elsewhere since it was read; `fields` names what. Nothing was written."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__("It was changed in the meantime.", "Check the stored values, then decide.")


class ConfigError(BucketvaultError):
    """Flags or environment are wrong; the command line ends with exit code 2."""


class DatabaseError(BucketvaultError):
    """The database cannot be used: damaged, newer than this program, or not ours."""


class BrokenDatabaseError(DatabaseError):
    """The database is gone, damaged, or not for this program: a person has to put it right."""


class DatabaseHeldError(DatabaseError):
    """Another program holds the database; it may let go at any moment."""


class VaultError(BucketvaultError):
    """A secret cannot be encrypted or decrypted: the key is missing, wrong or unreadable."""


class MovedSecretError(VaultError):
    """A secret does not decrypt at its place: it was changed, or what it was entered for was."""


class AlreadyRunningError(BucketvaultError):
    """Another bucketvault works on this data folder; the summary says which process."""


class RcloneMissingError(BucketvaultError):
    """rclone is absent, too old, or does not start."""


class NoMemoryError(BucketvaultError):
    """This machine has too little memory to start or keep a program that a run needs."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"This machine has too little memory: {what}.", MORE_MEMORY, detail)


class KilledError(BucketvaultError):
    """A program that a run needs was killed with signal 9.

    `memory_ran_out`: the system killed programs for lack of memory meanwhile, this one or others.
    """

    def __init__(self, what: str, *, memory_ran_out: bool, again: str = "try again") -> None:
        likely = "probably because memory ran out" if memory_ran_out else "possibly out of memory"
        look = (
            "Check the memory on the Health page; journalctl -k shows what the system killed. "
            f"Then {again}."
        )
        hint = MORE_MEMORY if memory_ran_out else look
        super().__init__(f"{what} was killed (signal 9, {likely}).", hint)
        self.memory_ran_out = memory_ran_out


class TimingError(BucketvaultError):
    """A Backup's planned times cannot be computed, as with an unknown time zone."""


class RunFailedError(BucketvaultError):
    """A Run cannot continue; `reason` and `codes` are kept in its row, the texts are for people."""

    def __init__(
        self,
        reason: Reason,
        summary: str,
        hint: str = "",
        detail: str = "",
        **codes: str | bool | None,  # by the names of their columns
    ) -> None:
        super().__init__(summary, hint, detail)
        self.reason = reason
        self.codes = codes
