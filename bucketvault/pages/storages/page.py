"""The storages: the buckets that backups may use, how they use them, and how large they are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nicegui import events

from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.humanize import many, size
from bucketvault.pages.parts.actions import ask, attempt, in_thread
from bucketvault.pages.parts.fields import Choice, Choices, Field, above
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.table import Column, Table
from bucketvault.pages.parts.widgets import (
    CLASSES,
    MARKS,
    NAME_CHARACTERS,
    button,
    confirm,
    draw_statement,
    element,
    first_few,
    question,
    refuse,
)
from bucketvault.pages.parts.words import BACKUPS_SHOWN, USAGE_WORDS
from bucketvault.pages.storages.orphans import OrphansCard
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic, UsageType

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine
    from bucketvault.engine.providers import Providers

USES = (
    Choice("", "Either", "Backups may copy from it and to it."),
    Choice(UsageType.SOURCE_ONLY.value, "Copy from", "Nothing is ever written to it."),
    Choice(UsageType.DESTINATION_ONLY.value, "Copy to", "Backups copy to it only."),
)


def register(engine: "Engine") -> None:
    """Serve the list from `engine`."""

    @page_at("/storages", "Storages")
    async def storages_page() -> None:
        """Fetch, draw, and do so again whenever a storage changes."""
        fetch = engine.providers.storages
        found = await fetch_page(engine, fetch)
        if found is None:
            return
        answer, rows = found
        with frame("Storages", engine.zone, answer) as around:
            with heading("Storages"):
                button("New backup", "plus", mark="new-backup", href="/backups/new")
                button("Add a bucket", "plus", "primary", mark="import", href="/providers")
            screen = StoragesScreen(engine.providers, engine.zone)
            screen.show(rows)

        show_on(engine.live, Topic.CATALOGUE, fetch, screen.show, pause_s=1.0)
        around.follow(engine)


COLUMNS = (
    Column("Storage"),
    Column("Provider"),
    Column("Used to"),
    Column("Used by"),
    Column("At the last run"),
    Column("", right=True),
)


class StoragesScreen:
    """The list, and the dialogs over it."""

    def __init__(self, providers: "Providers", zone: ZoneInfo) -> None:
        self._providers = providers
        self._rows: dict[int, StorageRow] = {}
        self._table: Table | None = None
        self._list = element("div", "part")
        self._left = OrphansCard(zone)
        self._dialogs = element("div", "part")

    def show(self, rows: Sequence[StorageRow]) -> None:
        """Draw the list from plain values."""
        self._rows = {row.id: row for row in rows}
        if self._table is not None and rows:
            self._table.show([table_row(row) for row in rows])
            return
        self._list.clear()
        with self._list:
            self._table = self._draw_table(rows) if rows else None
            if not rows:
                _draw_none()

    def _draw_table(self, rows: Sequence[StorageRow]) -> Table:
        with element("section", "card catalogue storages", aria_label="All storages"):
            table = Table(COLUMNS, [table_row(row) for row in rows], ROW)
            table.on("edit", self._edit)
            table.on("remove", self._remove)
            table.on("look", self._look)
        return table

    def _row_of(self, event: events.GenericEventArguments) -> StorageRow | None:
        return self._rows.get(event.args) if isinstance(event.args, int) else None

    async def _look(self, event: events.GenericEventArguments) -> None:
        row = self._row_of(event)
        if row is not None:
            asked = ask(self._providers, self._providers.left_behind, row.id)
            await self._left.show(row.shown_name, asked)

    def _edit(self, event: events.GenericEventArguments) -> None:
        row = self._row_of(event)
        if row is None:
            return
        bucket = clean(row.bucket_name, limit=NAME_CHARACTERS)
        self._dialogs.clear()
        with (
            self._dialogs,
            question(
                f"Edit {clean(row.shown_name, limit=NAME_CHARACTERS)}",
                f"The bucket {bucket} at {clean(row.provider_name, limit=NAME_CHARACTERS)}.",
            ) as (dialog, actions),
        ):
            with above(actions):
                name = Field(
                    "display_name",
                    "Shown as (optional)",
                    value=row.display_name,
                    placeholder=bucket,
                )
                use = Choices("What backups may do with it", USES, row.usage_type or "")
                problem = element("div", "field", role="alert")

            async def save() -> None:
                problem.clear()
                name.show(())
                try:
                    act = self._providers.change_storage
                    await in_thread(act, row.id, name.value, use.chosen or None)
                except InvalidInputError as error:
                    at_name = [p.message for p in error.problems if p.field == "display_name"]
                    others = [p.message for p in error.problems if p.field != "display_name"]
                    name.show(at_name)
                    with problem:
                        for message in others:
                            element("p", "problem", clean(message))
                    return
                except BucketvaultError as error:
                    with problem:
                        element("p", "problem", clean(str(error)))
                    return
                dialog.close()

            with actions:
                button("Save", kind="primary", mark="save", on_click=save)
        dialog.open()

    def _remove(self, event: events.GenericEventArguments) -> None:
        row = self._row_of(event)
        if row is None:
            return
        shown = clean(row.shown_name, limit=NAME_CHARACTERS)
        bucket = clean(row.bucket_name, limit=NAME_CHARACTERS)
        provider = clean(row.provider_name, limit=NAME_CHARACTERS)
        if row.uses:
            names = list(dict.fromkeys(clean(use.backup_name, limit=80) for use in row.uses))
            why = f"These backups use it: {first_few(names)}. Change or delete them first."
            refuse(self._dialogs, f"{shown} cannot be removed yet", why)
            return

        async def remove() -> None:
            act = self._providers.delete_storage
            await attempt(in_thread(act, row.id), f"{shown} is removed from the list.")

        confirm(
            self._dialogs,
            f"Remove {shown} from the list?",
            f"The bucket {bucket} at {provider} and everything in it stay as they are. "
            "Choosing it in a backup adds it again.",
            words="Remove storage",
            act=remove,
            icon="trash",
        )


def _draw_none() -> None:
    detail = (
        "A storage is a bucket that backups use. The form of a backup adds the buckets you choose "
        "there; the page of a provider can add others."
    )
    draw_statement(Tone.NONE, "No storage yet.", detail, "New backup", "/backups/new")


def table_row(row: StorageRow) -> dict[str, object]:
    """Return one row of the table."""
    mark = MARKS[row.provider_type]
    bucket = clean(row.bucket_name, limit=NAME_CHARACTERS)
    unchecked = row.checked_at is None and row.objects is None
    uses = [
        {
            "name": clean(use.backup_name, limit=NAME_CHARACTERS),
            "href": f"/backups/{use.backup_id:d}",
            "how": "copies from it" if use.copies_from else "copies to it",
        }
        for use in row.uses
    ]
    more = len(uses) - BACKUPS_SHOWN
    measured = ""
    if row.objects is not None and row.size_bytes is not None:
        measured = f"{many(row.objects, 'object')}, {size(row.size_bytes)}"
    return {
        "id": row.id,
        "name": clean(row.shown_name, limit=NAME_CHARACTERS),
        "bucket": bucket if row.display_name else "",
        "mark": mark,
        "mark_kind": mark.lower(),
        "provider": clean(row.provider_name, limit=NAME_CHARACTERS),
        "provider_href": f"/providers/{row.provider_id:d}",
        "use": USAGE_WORDS[row.usage_type],
        "uses": uses[:BACKUPS_SHOWN],
        "uses_more": f"and {more} more" if more > 0 else "",
        "size": measured,
        "unchecked": unchecked,
        "kms": bool(row.traits.kms),
        "look": row.usage_type is not UsageType.SOURCE_ONLY,  # else nothing is ever put there
        "tone": CLASSES[Tone.WAIT],
    }


ROW = """
<tr class="entry">
  <td class="c-name"><div class="line">
    <span class="mark" :class="props.row.mark_kind" aria-hidden="true">{{ props.row.mark }}</span>
    <div class="stack">
      <span class="name clip" :title="props.row.name">{{ props.row.name }}</span>
      <span v-if="props.row.bucket" class="t13 ink3 clip" :title="props.row.bucket">{{
        props.row.bucket }}</span>
      <span v-if="props.row.unchecked" class="pill t12" :class="props.row.tone"
        title="Its name was typed or came from a file, and has not been checked yet">
        <i class="glyph" :class="props.row.tone" aria-hidden="true"></i>Not checked</span>
      <span v-if="props.row.kms" class="t13 ink3"
        title="Encrypted with a KMS key: objects are compared by size and by their last proof"
        >SSE-KMS: no hashes</span>
    </div>
  </div></td>
  <td class="c-more c-by"><div class="clip"><a class="link"
    :href="props.home + props.row.provider_href" :title="props.row.provider">{{
      props.row.provider }}</a></div></td>
  <td class="c-more nowrap ink2">{{ props.row.use }}</td>
  <td class="c-more c-by"><div v-for="(it, n) in props.row.uses" :key="n" class="use"
    ><a class="link clip" :href="props.home + it.href" :title="it.name">{{ it.name }}</a
    > <span class="t13 ink3 nowrap">{{ it.how }}</span></div>
    <div v-if="props.row.uses_more" class="t13 ink3">{{ props.row.uses_more }}</div></td>
  <td class="c-more nowrap num">{{ props.row.size }}</td>
  <td class="c-action"><div class="line">
    <button v-if="props.row.look" type="button" class="btn small square"
      :aria-label="'Look for kept versions of deleted backups in ' + props.row.name"
      title="Look for kept versions of deleted backups"
      @click="$parent.$emit('look', props.row.id)">
      <i class="icon icon-box" aria-hidden="true"></i></button>
    <button type="button" class="btn small square" :aria-label="'Edit ' + props.row.name"
      :title="'Edit ' + props.row.name" @click="$parent.$emit('edit', props.row.id)">
      <i class="icon icon-edit" aria-hidden="true"></i></button>
    <button type="button" class="btn small square" :aria-label="'Remove ' + props.row.name"
      :title="'Remove ' + props.row.name" @click="$parent.$emit('remove', props.row.id)">
      <i class="icon icon-trash" aria-hidden="true"></i></button>
  </div></td>
</tr>
"""
