"""Do what a button says: in a thread, and tell what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from nicegui import run, ui

from bucketvault.engine.busy import busy_in_words
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.sanitize import clean

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine
    from bucketvault.engine.providers import Providers

Given = ParamSpec("Given")
Value = TypeVar("Value")


async def in_thread(
    act: Callable[Given, Value], *given: Given.args, **named: Given.kwargs
) -> Value | None:
    """Return what `act` gives, from a thread; None: shutting down.

    Raises what it raises, and DatabaseError where the database is busy or its disk full.
    """
    with busy_in_words():
        return await run.io_bound(act, *given, **named)


async def ask(
    providers: "Providers", act: Callable[Given, Value], *given: Given.args, **named: Given.kwargs
) -> Value:
    """Return what `act` gives, which may take half a minute.

    It waits for a provider in a thread of its own: what reads the database is not held up.
    Raises what it raises, and DatabaseError where the database is busy or its disk full.
    """
    loop = asyncio.get_running_loop()
    with busy_in_words():
        return await loop.run_in_executor(providers.pool, partial(act, *given, **named))


def tell_user(words: str) -> None:
    """Say in a corner of the page that something is done."""
    ui.notify(words, position="bottom-right")


def complain(error: BucketvaultError) -> None:
    """Say in a corner of the page why something was not done."""
    words = str(error)
    if isinstance(error, InvalidInputError):  # its own words name fields, and here is no form
        words = " ".join(problem.message for problem in error.problems)
    ui.notify(clean(words), type="negative", position="bottom-right", multi_line=True)


async def press(act: Callable[[int], Value], number: int, done: str = "") -> Value | None:
    """Attempt `act(number)` in a thread."""
    return await attempt(in_thread(act, number), done)


async def attempt(act: Awaitable[Value], done: str = "") -> Value | None:
    """Return what `act` gives, and say `done`; None: it was refused, and why was said."""
    try:
        answer = await act
    except BucketvaultError as error:
        complain(error)
        return None
    if done:
        tell_user(done)
    return answer


async def switch(engine: "Engine", backup_id: int, name: str, *, on: bool) -> bool:
    """Switch the schedule of the backup `name`, and say what that means.

    False when it was refused, and why has been said.
    """
    taken = await press(lambda number: engine.backups.set_enabled(number, on), backup_id)
    if taken is None:
        return False
    said = f"{name} is on: it runs on schedule."
    if not on:
        waited = " The waiting scheduled run was removed from the queue." if taken else ""
        said = f"{name} is paused: no run is scheduled. Run now still works.{waited}"
    tell_user(said)
    return True


async def go_to_run(act: Callable[[int], int], number: int) -> None:
    """Ask for a run and open its page; say why where it is refused."""
    run_id = await press(act, number)
    if run_id is not None:
        ui.navigate.to(f"/run/{run_id:d}")
