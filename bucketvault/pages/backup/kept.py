"""The kept versions of one backup, asked of its provider while the page is open."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.engine.runs.kept_versions import Kept, KeptFolder
from bucketvault.engine.views.backups import BackupPage
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.humanize import count, day, day_and_time, exact, many, size
from bucketvault.pages.parts.table import Column, Table
from bucketvault.pages.parts.widgets import (
    button,
    card,
    draw_error,
    draw_waiting,
    element,
    glyph,
    stamp,
    text,
)
from bucketvault.sanitize import clean

FOLDERS_SHOWN = 30
NAMES_SHOWN = 20

# Of their own: a provider that does not answer must not keep pages waiting that only read here.
ASKING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="kept-versions")

log = logging.getLogger(__name__)


class KeptCard:
    """The card; `load` asks the provider, and shows in place what it says."""

    def __init__(self, page: BackupPage, zone: ZoneInfo, fetch: Callable[[], Kept]) -> None:
        self._page, self._zone, self._fetch = page, zone, fetch
        self._client = ui.context.client
        self._loading = False
        with card("Kept versions", body=False) as header:
            self._body = element("div", aria_live="polite")
        with header:
            self._note = text("span", "t13 ink3")
            element("span", "space")
            self._again = button(
                "Refresh", "refresh", "small narrow-icon", mark="refresh-kept", on_click=self.load
            )

    def outdated(self) -> None:
        """Note that a run has ended since: what is shown here may be old."""
        self._note.text = "a run has ended since: Refresh shows what it kept"

    async def load(self) -> None:
        """Ask, once at a time."""
        if self._loading:
            return
        self._loading = True
        self._again.props["disabled"] = True
        self._note.text = ""
        who = clean(self._page.row.destination.provider, limit=80)
        self._draw(lambda: draw_waiting(f"Loading from {who}. This takes a few seconds"))
        try:
            kept = await asyncio.get_running_loop().run_in_executor(ASKING, self._fetch)
            self._show(kept)
        except BucketvaultError as error:
            told = error
            self._draw(lambda: draw_error(told.summary, told.hint, told.detail))
        except Exception:  # the edge of a page
            log.exception("kept versions could not be shown", extra={"backup": self._page.row.id})
            why = "bucketvault's own log has the reason."
            self._draw(lambda: draw_error("They could not be listed.", why, ""))
        finally:
            self._loading = False
            if not self._client.is_deleted:
                self._again.props.pop("disabled", None)

    def _show(self, kept: Kept) -> None:
        if self._client.is_deleted:
            return
        folders = kept.folders
        if folders:
            objects = sum(folder.objects for folder in folders)
            total = sum(folder.size_bytes for folder in folders)
            self._note.text = f"{many(objects, 'object')}, {size(total, precise=True)}"
        now = dt.datetime.now(dt.UTC)
        self._draw(lambda: draw_kept(kept, self._page, self._zone, now))

    def _draw(self, draw: Callable[[], None]) -> None:
        if self._client.is_deleted:  # closed while the provider was asked
            return
        self._body.clear()
        with self._body:
            draw()


def draw_kept(kept: Kept, page: BackupPage, zone: ZoneInfo, now: dt.datetime) -> None:
    """Draw the folders, newest first, and what there is to know about them."""
    if kept.folders:
        _draw_folders(kept.folders, zone, now)
    else:
        with element("div", "inset"):
            words = "There are none: nothing that a run replaced or removed is still kept."
            element("p", "ink2", words)
    with element("div", "card-foot"):
        if kept.foreign:
            _draw_foreign(kept.foreign)
        element("p", text="Old versions are not deleted while this backup is failing or paused.")
        with element("p"):
            element("span", text="Stored in ")
            element("span", "mono", clean(page.shown_prefix))
        if page.deletes_only_hide:
            with element("div", "line top-line"):
                glyph(Tone.WARN)
                element(
                    "p",
                    "ink2",
                    "On Backblaze, deleting only hides an object: you pay for older versions "
                    "until a lifecycle rule deletes them. Set “Keep only the last version” on the "
                    "bucket.",
                )


def _draw_folders(folders: tuple[KeptFolder, ...], zone: ZoneInfo, now: dt.datetime) -> None:
    rows = [kept_row(folder, zone, now) for folder in folders]
    table = Table(COLUMNS, rows[:FOLDERS_SHOWN], ROW, "plain kept").mark("kept")
    if len(rows) > FOLDERS_SHOWN:
        with element("div", "card-foot") as more:

            def show_all() -> None:
                table.show(rows)
                more.delete()

            words = f"Show all {count(len(rows))}"
            button(words, "", "small", mark="all-kept", on_click=show_all)


COLUMNS = (
    Column("Replaced or removed"),
    Column("Objects", right=True),
    Column("Size", right=True),
    Column("Deleted on"),
)
ROW = """
<tr>
  <td><time :title="props.row.exact" :datetime="props.row.at">{{ props.row.when }}</time>
    <div v-if="props.row.misplaced" class="ink2">named by a wrong clock:
      <span class="mono">{{ props.row.misplaced }}</span></div></td>
  <td class="right nowrap">{{ props.row.objects }}</td>
  <td class="right nowrap">{{ props.row.size }}</td>
  <td class="ink2"><time :title="props.row.goes_exact" :datetime="props.row.goes_at">{{
    props.row.goes }}</time></td>
</tr>"""


def kept_row(folder: KeptFolder, zone: ZoneInfo, now: dt.datetime) -> dict[str, object]:
    """Return one run's kept versions: plain values that travel to the browser."""
    over = folder.goes_at <= now
    return {
        "id": folder.stamp,
        "when": day_and_time(folder.replaced_at, zone, now),
        "at": stamp(folder.replaced_at),
        "goes_at": stamp(folder.goes_at),
        "exact": f"{exact(folder.replaced_at, zone)}, folder {folder.stamp}",
        "misplaced": f"folder {folder.stamp}" if folder.is_misplaced else "",
        "objects": count(folder.objects),
        "size": size(folder.size_bytes, precise=True),
        "goes": "with the next good run" if over else day(folder.goes_at, zone, now),
        "goes_exact": f"with the first good run after {exact(folder.goes_at, zone)}",
    }


def _draw_foreign(names: tuple[str, ...]) -> None:
    shown = ", ".join(clean(name, limit=120) for name in names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    with element("div", "line top-line"):
        glyph(Tone.WARN)
        with element("p", "ink2"):
            element("span", text="Not made by bucketvault, left as they are: ")
            element("span", "mono", shown)
            if more > 0:
                element("span", text=f" and {count(more)} more")
