"""All pages, in the order in which addresses are looked up."""

from typing import TYPE_CHECKING

from bucketvault.pages.backup import form as backup_form
from bucketvault.pages.backup import page as backup
from bucketvault.pages.health import page as health
from bucketvault.pages.home import page as backups
from bucketvault.pages.parts import frame, not_found
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
    frame.install()
    backups.register(engine)
    backup_form.register(engine)  # before the page of each: /backups/new is none of them
    backup.register(engine)
    run.register(engine)
    providers.register(engine)
    provider_form.register(engine)  # before the pages of providers: /providers/new is none of them
    provider.register(engine)
    storages.register(engine)
    settings.register(engine)
    health.register(engine)
    not_found.register(engine)  # after all others: what none of them answers
