"""Waiting on a condition in the loop that pages run in."""

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 20.0
PAUSE_S = 0.02  # between two looks


async def becomes(look: Callable[[], object]) -> None:
    """Return as soon as `look` says yes; fails when it does not for too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError("not in time")
        await asyncio.sleep(PAUSE_S)
