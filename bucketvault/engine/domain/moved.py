"""Whether an end of a backup was changed since its last good run, or the copy since then.

By what is meant, not by names: a provider that was renamed is where it was.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

from bucketvault.engine.runs.queue import Place, copied_between, place_of, same_ends
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import Phase


def has_moved(backup: Any, good_spec: str | None, where: Mapping[int, tuple[str, str]]) -> bool:
    """Whether the last good run, whose frozen settings `good_spec` is, was between other places.

    `backup` has the columns of Backup; `where` tells the server and the bucket of each Storage by
    its id. Without a good run: no.
    """
    then = _places(good_spec) if good_spec else None
    return then is not None and then != (
        (*where[backup.source_storage], backup.source_path),
        (*where[backup.destination_storage], backup.destination_path),
    )


def is_copy_of(good: BackupRun, run: BackupRun) -> bool:
    """Whether the copy that `run` means still was what `good` had left, when `run` ended.

    Inside the caller's connection; both are runs of one backup.
    """
    touched = run.phase in (Phase.COPYING, Phase.TIDYING) or copied_between(good, run)
    return bool(run.spec) and same_ends(good.spec, run.spec) and not touched


@functools.lru_cache(maxsize=4096)
def _places(spec: str) -> tuple[Place, Place] | None:
    """Both ends of a run from its frozen settings; None where they do not tell."""
    try:
        ends = json.loads(spec)
        return place_of(ends["source"]), place_of(ends["destination"])
    except (ValueError, KeyError, TypeError):
        return None
