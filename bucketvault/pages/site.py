"""Every page there is."""

from typing import TYPE_CHECKING

from bucketvault.pages import (
    backup,
    backup_forms,
    backups,
    health,
    layout,
    nowhere,
    provider,
    provider_form,
    providers,
    run,
    settings,
    storages,
)

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


def register(engine: "Engine") -> None:
    """Serve all pages from `engine`; once in a process."""
    layout.install()
    backups.register(engine)
    backup_forms.register(engine)  # before the page of each: /backups/new is none of them
    backup.register(engine)
    run.register(engine)
    providers.register(engine)
    provider_form.register(engine)  # before the pages of providers: /providers/new is none of them
    provider.register(engine)
    storages.register(engine)
    settings.register(engine)
    health.register(engine)
    nowhere.register(engine)  # after all others: what none of them answers
