"""Waiting for a provider in threads of its own: they must not hold up what reads the database."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from bucketvault.engine.busy import busy_in_words

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers

Given = ParamSpec("Given")
Value = TypeVar("Value")


async def ask(
    providers: "Providers",
    act: Callable[Given, Value],
    *given: Given.args,
    **named: Given.kwargs,
) -> Value:
    """What `act` gives; it may take half a minute.

    Raises what it raises, and DatabaseError where the database is busy or its disk full.
    """
    loop = asyncio.get_running_loop()
    with busy_in_words():
        return await loop.run_in_executor(providers.pool, partial(act, *given, **named))
