"""Whether an end of a backup was changed since its last good run: then there is no copy yet.

By what is meant, not by names: a provider that was renamed is where it was.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

from bucketvault.engine.runs.queue import Place, place_of


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


@functools.lru_cache(maxsize=4096)
def _places(spec: str) -> tuple[Place, Place] | None:
    """Both ends of a run from its frozen settings; None where they do not tell."""
    try:
        ends = json.loads(spec)
        return place_of(ends["source"]), place_of(ends["destination"])
    except (ValueError, KeyError, TypeError):
        return None
