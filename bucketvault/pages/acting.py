"""Doing what a button says: in a thread, and telling what came of it."""

from collections.abc import Callable
from typing import TypeVar

from nicegui import run, ui

from bucketvault.errors import BucketvaultError

Value = TypeVar("Value")


async def told(act: Callable[[int], Value], number: int, done: str = "") -> Value | None:
    """What `act(number)` gives, and `done` is said; None when it was refused, and why is said."""
    try:
        answer = await run.io_bound(act, number)
    except BucketvaultError as error:
        ui.notify(str(error), type="negative", position="bottom-right", multi_line=True)
        return None
    if done:
        ui.notify(done, position="bottom-right")
    return answer


async def go_to_run(act: Callable[[int], int], number: int) -> None:
    """Ask for a run and open its page; say why where it is refused."""
    run_id = await told(act, number)
    if run_id is not None:
        ui.navigate.to(f"/run/{run_id:d}")
