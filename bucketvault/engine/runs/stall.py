"""When a run that says nothing new is given up: pure, but for the clock it is handed."""

from bucketvault.engine.rclone.transcript import Progress

# While a provider copies an object inside the destination (into the kept versions), rclone moves no
# number until all of it is there: it is asked once, or in parts it does not tell of (seen with
# 1.75.2). So a large one has more time, at a pace that every provider keeps.
INSIDE_BYTES_S = 10_000_000
INSIDE_AT_MOST_S = 24 * 3600.0
ONE_LOOK_S = 5.0  # between two looks at most: a machine or container that was paused counts no more


class StallWatch:
    """Looks at a run again and again; one thread uses it."""

    def __init__(self, patience_s: float, now_s: float) -> None:
        """`patience_s`: so long nothing may move; times are by the monotonic clock."""
        self._patience_s = patience_s
        self._looked_s = now_s
        self._stood_s = 0.0
        self._movement: tuple[int, ...] | None = None
        self._stalled = False

    def stands(self, progress: Progress | None, now_s: float, *, blind: bool = False) -> bool:
        """True if there was no progress for too long; that stays so.

        `blind`: what rclone says does not reach us, so that silence means nothing.
        """
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        movement = progress.movement if progress is not None else None
        if blind or movement != self._movement:
            self._movement, self._stood_s = movement, 0.0
        else:
            self._stood_s += min(passed_s, ONE_LOOK_S)
        self._stalled |= self._stood_s > self._patience_s + _of_provider(progress)
        return self._stalled


def _of_provider(progress: Progress | None) -> float:
    """How long the provider may take for what it copies by itself now."""
    if progress is None:
        return 0.0
    copied = sum(each.size for each in progress.transferring if each.inside)
    return min(INSIDE_AT_MOST_S, copied / INSIDE_BYTES_S)
