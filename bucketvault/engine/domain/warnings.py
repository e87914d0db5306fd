"""Warnings of a run as codes: kept in its row, put into words by `state_words`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bucketvault.vocabulary import WarningCode

_OF_THE_LOG = (WarningCode.LOG_CUT, WarningCode.COUNTED)


@dataclass(frozen=True, slots=True)
class RunWarning:
    """One thing worth a look: a code, how many, and names or words of others."""

    code: WarningCode
    numbers: Mapping[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return it as plain values, for the database."""
        return {"code": self.code, **self.numbers, "names": list(self.names)}


def warnings_of(run: Any) -> tuple[RunWarning, ...]:  # Any: a row, unknown to this room
    """Return the warnings of a run, a row with the columns of BackupRun."""
    return tuple(
        RunWarning(
            WarningCode(stored["code"]),
            {name: n for name, n in stored.items() if name not in ("code", "names")},
            tuple(stored["names"]),
        )
        for stored in run.warnings
    )


def log_is_cut(run: Any) -> bool:
    """True if the log of a run, a row as above, does not tell all that it did."""
    return any(warning["code"] in _OF_THE_LOG for warning in run.warnings)
