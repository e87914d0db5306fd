"""Every page there is."""

from typing import TYPE_CHECKING

from bucketvault.pages import backup, backups, layout, run

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


def register(engine: "Engine") -> None:
    """Serve all pages from `engine`; once in a process."""
    layout.install()
    backups.register(engine)
    backup.register(engine)
    run.register(engine)
