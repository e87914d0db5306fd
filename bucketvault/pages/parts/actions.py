"""Doing what a button says: in a thread, and telling what came of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from nicegui import run, ui

from bucketvault.engine.busy import busy_in_words
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.sanitize import clean

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

Given = ParamSpec("Given")
Value = TypeVar("Value")


async def in_thread(
    act: Callable[Given, Value], *given: Given.args, **named: Given.kwargs
) -> Value | None:
    """What `act` gives, from a thread; None: shutting down.

    Raises what it raises, and DatabaseError where the database is busy or its disk full.
    """
    with busy_in_words():
        return await run.io_bound(act, *given, **named)


async def told(act: Callable[[int], Value], number: int, done: str = "") -> Value | None:
    """What `act(number)` gives, and `done` is said; None when it was refused, and why is said."""
    try:
        answer = await in_thread(act, number)
    except BucketvaultError as error:
        ui.notify(_why(error), type="negative", position="bottom-right", multi_line=True)
        return None
    if done:
        ui.notify(done, position="bottom-right")
    return answer


def _why(error: BucketvaultError) -> str:
    if isinstance(error, InvalidInputError):  # its own words name fields, and here is no form
        return clean(" ".join(problem.message for problem in error.problems))
    return clean(str(error))


async def switch(engine: "Engine", backup_id: int, name: str, *, on: bool) -> bool:
    """Switch the schedule of the backup `name`, and say what that means.

    False when it was refused, and why has been said.
    """
    taken = await told(lambda number: engine.backups.set_enabled(number, on), backup_id)
    if taken is None:
        return False
    said = f"{name} is on: it runs as planned."
    if not on:
        waited = " The planned run that waited was taken out." if taken else ""
        said = f"{name} is switched off: no run is planned. Run now still works.{waited}"
    ui.notify(said, position="bottom-right")
    return True


async def go_to_run(act: Callable[[int], int], number: int) -> None:
    """Ask for a run and open its page; say why where it is refused."""
    run_id = await told(act, number)
    if run_id is not None:
        ui.navigate.to(f"/run/{run_id:d}")
