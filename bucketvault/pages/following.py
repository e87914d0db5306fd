"""Draw again when something changed: never twice at once, once more if more changed meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nicegui import background_tasks, ui

from bucketvault.engine.live import Live

PAUSE_S = 0.1  # at most ten times a second, however quick the drawing is

log = logging.getLogger(__name__)


def redraw_on(
    live: Live, topic: str, redraw: Callable[[], Awaitable[None]], *, pause_s: float = PAUSE_S
) -> Callable[[], None]:
    """Await `redraw` in this page whenever `topic` changes; ends with the page.

    Called while a page is built. It also redraws each time the browser's socket connects: what
    changed between fetching and then is not lost. The result asks for a redraw as `live` would.
    A redraw that raises is logged, and the next change draws again.
    """
    client = ui.context.client
    wanted = False
    at_work = False

    async def work() -> None:
        nonlocal wanted, at_work
        at_work = True
        try:
            while wanted and not client.is_deleted:
                wanted = False
                try:
                    await redraw()
                except Exception:
                    log.exception("a page could not be redrawn", extra={"topic": topic})
                await asyncio.sleep(pause_s)
        finally:
            at_work = False

    def changed() -> None:
        nonlocal wanted
        if client.is_deleted:
            return
        wanted = True
        if not at_work:
            background_tasks.create(work(), name=f"redraw {topic}", context=client)

    unsubscribe = live.subscribe(topic, changed)
    client.on_connect(changed)
    client.on_delete(unsubscribe)
    return changed
