"""The question before a backup is deleted: what goes, what stays, and who cleans it."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from bucketvault.engine.catalogue.backups import Going
from bucketvault.engine.views.backups import BackupPage
from bucketvault.humanize import many, size
from bucketvault.pages.parts.widgets import NAME_CHARACTERS, confirm, refuse
from bucketvault.sanitize import clean


def ask_deletion(
    place: ui.element, page: BackupPage, going: Going, delete: Callable[[], Awaitable[None]]
) -> None:
    """Ask in a dialog, drawn into `place`; refused while a run is under way."""
    name = clean(page.row.name, limit=NAME_CHARACTERS)
    if going.running_id is not None:
        refuse(
            place,
            f"{name} cannot be deleted now",
            "A run of it is under way. Stop it on its page, or wait for its end.",
            "Open the run",
            f"/run/{going.running_id:d}",
            "eye",
        )
    else:
        title, lines = f"Delete {name}?", words(page, going)
        confirm(place, title, *lines, words="Delete backup", act=delete, icon="trash")


def words(page: BackupPage, going: Going) -> tuple[str, ...]:
    """Say what is deleted, and what stays."""
    goes = "It has no runs."
    if going.runs:
        logs = size(going.log_bytes)
        goes = f"{many(going.runs, 'run')} and their logs ({logs}) go with it, for good."
        if going.runs == 1:
            goes = f"1 run and its log ({logs}) goes with it, for good."
    if page.row.active_run is not None:
        goes += " The run that waits goes, too."
    destination = clean(page.row.destination.place, limit=NAME_CHARACTERS)
    kept = clean(page.shown_prefix, limit=NAME_CHARACTERS)
    stays = (
        f"The copy stays in {destination}, and the kept versions in {kept}. Nobody will clean them "
        "any more: what you do not need, remove there. RESTORE.txt beside them says how to bring "
        "everything back."
    )
    return goes, stays, "The source is not touched."
