"""The page for an address that no page has: a typing error, or an old bookmark."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nicegui import run, ui

from bucketvault.engine.views.situation import Situation, Tone
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.widgets import draw_statement

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


def register(engine: "Engine") -> None:
    """Answer every address that is left; to be called after all other pages."""

    @page_at("/{path:path}", "No such page")
    async def page(path: str) -> None:
        """Show the way back."""
        answer = await run.io_bound(engine.answer)
        if answer is not None:  # None: shutting down
            draw(engine.zone, answer)


def draw(zone: ZoneInfo, answer: Situation) -> None:
    """Say so, and offer the first page."""
    ui.context.client.status_code = 404
    with frame("", zone, answer):
        heading("No such page")
        detail = "The address has a slip, or is of an older version."
        sentence = "There is no page at this address."
        draw_statement(Tone.NONE, sentence, detail, "All backups", "/")
