"""Fetch and show again when something changed: never twice at once, once more if more changed."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from nicegui import background_tasks, run, ui

from bucketvault.engine.events import Live
from bucketvault.errors import NotFoundError

PAUSE_S = 0.1  # at most ten times a second, however quick the fetching is

log = logging.getLogger(__name__)

Value = TypeVar("Value")


def show_on(
    live: Live,
    topic: str,
    fetch: Callable[[], Value | None],
    show: Callable[[Value], None],
    *,
    gone: Callable[[], None] | None = None,
    pause_s: float = PAUSE_S,
) -> Callable[[], None]:
    """Show in this page what `fetch` gives, whenever `topic` changes; ends with the page.

    Called while a page is built. `fetch` may block and runs in a thread; `show` runs in the loop,
    in the page's context. Both also run each time the browser's socket connects: what changed
    between building the page and then is not lost. The result asks for a turn as `live` would.
    `gone` shows that what is fetched is not there any more. What else raises is logged, and the
    next change takes another turn.
    """
    client = ui.context.client
    wanted = False
    at_work = False

    async def turn() -> None:
        try:
            value = await run.io_bound(fetch)
        except NotFoundError:
            if gone is None:
                raise
            if not client.is_deleted:
                gone()
            return
        # closed while we fetched: nothing may be drawn any more. None: the program is stopping.
        if value is not None and not client.is_deleted:
            show(value)

    async def work() -> None:
        nonlocal wanted, at_work
        at_work = True
        loop = asyncio.get_running_loop()
        try:
            while wanted and not client.is_deleted:
                wanted = False
                try:
                    await turn()
                except Exception:
                    log.exception("a page could not be brought up to date", extra={"topic": topic})
                await asyncio.sleep(_until_next_turn(loop.time(), pause_s))
        finally:
            at_work = False

    def changed() -> None:
        nonlocal wanted
        if client.is_deleted:
            return
        wanted = True
        if not at_work:
            background_tasks.create(work(), name=f"bring {topic} up to date", context=client)

    unsubscribe = live.subscribe(topic, changed)
    client.on_connect(changed)
    client.on_delete(unsubscribe)
    return changed


def _until_next_turn(now_s: float, pause_s: float) -> float:
    """Return the pause until all pages take their turns: what one has fetched serves the others."""
    wait_s = pause_s - now_s % pause_s
    return wait_s if wait_s >= pause_s / 2 else wait_s + pause_s
