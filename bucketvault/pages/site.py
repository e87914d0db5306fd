"""All pages, in the order in which addresses are looked up."""

from typing import TYPE_CHECKING

from nicegui import ui
from nicegui.run import io_bound

from bucketvault.engine.views.situation import Tone
from bucketvault.pages.backup import form as backup_form
from bucketvault.pages.backup import page as backup
from bucketvault.pages.copies import page as copies
from bucketvault.pages.health import page as health
from bucketvault.pages.home import page as home
from bucketvault.pages.mailbox import page as mailbox
from bucketvault.pages.parts import frame
from bucketvault.pages.parts.widgets import draw_statement
from bucketvault.pages.providers import form as provider_form
from bucketvault.pages.providers import list_page as providers
from bucketvault.pages.providers import page as provider
from bucketvault.pages.run import page as run
from bucketvault.pages.settings import page as settings
from bucketvault.pages.storages import page as storages

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


def register(engine: "Engine") -> None:
    """Serve all pages from `engine`; once in a process."""
    frame.install(is_demo=engine.mailbox is not None)
    pages = (home, backup_form, backup, run, providers, provider_form, provider, storages, copies)
    for page in (*pages, settings, health):  # forms before a row's page: /backups/new is no row
        page.register(engine)
    if engine.mailbox is not None:
        mailbox.register(engine, engine.mailbox)

    @frame.page_at("/{path:path}", "No such page")
    async def no_such_page(path: str) -> None:
        """Say that the address has a slip, or is an old bookmark: no page above answers it."""
        answer = await io_bound(engine.answer)
        if answer is None:  # shutting down
            return
        ui.context.client.status_code = 404
        with frame.frame("", engine.zone, answer):
            frame.heading("No such page")
            sentence = "There is no page at this address."
            detail = "Check the address, or start from the list of backups."
            draw_statement(Tone.NONE, sentence, detail, "All backups", "/")
