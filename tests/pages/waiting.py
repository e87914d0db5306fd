"""Waiting on a condition in the loop that pages run in."""

import asyncio
import time
from collections.abc import Callable

from nicegui import ui
from nicegui.testing import User

PATIENCE_S = 20.0
PAUSE_S = 0.02  # between two looks


async def becomes(look: Callable[[], object]) -> None:
    """Return as soon as `look` says yes; fails when it does not for too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError("not in time")
        await asyncio.sleep(PAUSE_S)


def drawn(user: User) -> set[int]:
    """Return the numbers of all elements of the page but timers, which go once they have fired."""
    elements = user.client.elements if user.client else {}
    return {number for number, each in elements.items() if not isinstance(each, ui.timer)}
